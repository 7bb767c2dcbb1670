"""Diagnostics of training: how gradients flow, which units are saturated or dead, how large the steps are.

After a backward pass `gradient_flow(model)` is a table of the mean |gradient| in each layer. Around a training loop,
`watch` collects that and more at every step:

>>> import autograd, nn
>>> _ = autograd.manual_seed(0)
>>> model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2))
>>> with nn.inspect.watch(model) as seen:
...     for _ in range(3):
...         nn.CrossEntropyLoss()(model([[1.0, 2.0, 3.0, 4.0]]), [1]).backward()
...         with autograd.no_grad():
...             for p in model.parameters():
...                 p -= 0.1 * p.grad
...         model.zero_grad()
>>> print(seen)
layer  mean |gradient|  update / weight  saturated  dead
0 ...
1 ...
2 ...
>>> len(seen.gradients["0"])
3

Nothing of this changes what is computed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd import Tensor, is_grad_enabled
from nn.casting import plain
from nn.layers.activation import Hardtanh, ReLU, Sigmoid, Tanh
from nn.module import Module

__all__ = ["GradientFlow", "LayerGradient", "Watch", "dead_units", "gradient_flow", "saturation", "watch"]

Array = NDArray[Any]
History = dict[str, list[float]]


def layers(model: Module) -> dict[str, list[Tensor]]:
    """Return the weights of each layer: its parameters of two or more axes, or all where it has none of these."""
    found: dict[str, list[Tensor]] = {}
    for path, module in model.named_modules():
        own: list[Tensor] = [p for p in module.parameters(recurse=False) if p.requires_grad]
        weights = [p for p in own if p.ndim >= 2] or own
        if weights:
            found[path or type(module).__name__] = weights
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return text in columns, the first flush left and the others flush right."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    pads = [str.ljust, *[str.rjust] * (len(head) - 1)]
    return "\n".join("  ".join(p(c, w) for p, c, w in zip(pads, line, widths, strict=True)).rstrip() for line in lines)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.2e}"


def percentage(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def figure() -> Any:
    """Return an empty figure that is not on any screen."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error
    return Figure(layout="constrained")


def finished(drawing: Any, path: str | os.PathLike[str] | None) -> Any:
    if path is not None:
        drawing.savefig(path)
    return drawing


# At one moment


class LayerGradient(NamedTuple):
    """The mean and the largest absolute value of the gradient of one layer's weights."""

    layer: str
    mean: float
    largest: float


class GradientFlow(list[LayerGradient]):
    """The gradients of all layers, from the first to the last; its text is a table."""

    def __repr__(self) -> str:
        rows = [(name, number(mean), number(largest)) for name, mean, largest in self]
        return table(("layer", "mean |gradient|", "largest"), rows)

    __str__ = __repr__

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the means on a logarithmic scale, and return matplotlib's figure; written to `path` if that is given."""
        drawing = figure()
        axes = drawing.subplots()
        shown = [row for row in self if row.mean > 0]
        axes.semilogy([row.layer for row in shown], [row.mean for row in shown], "o-")
        axes.set_ylabel("mean |gradient|")
        axes.tick_params(axis="x", rotation=90 if len(shown) > 8 else 0)
        axes.grid(True, alpha=0.3)
        return finished(drawing, path)


def gradient_flow(model: Module) -> GradientFlow:
    """Return the mean |gradient| of each layer's weights, as the last backward pass left it in `.grad`.

    A layer is a module with parameters of its own; where some have two or more axes, these count and biases do not.
    Parameters without a gradient are passed over.

    Raises
    ------
    ValueError : no parameter has a gradient.

    Examples
    --------
    >>> import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 1))
    >>> model([[1.0, 2.0]]).sum().backward()
    >>> [row.layer for row in nn.inspect.gradient_flow(model)]
    ['0', '2']
    """
    flow = GradientFlow()
    for name, weights in layers(model).items():
        sizes = [np.abs(plain(p.grad)) for p in weights if p.grad is not None]
        count = sum(a.size for a in sizes)
        if count:
            total = math.fsum(float(a.sum(dtype=np.float64)) for a in sizes)
            flow.append(LayerGradient(name, total / count, max(float(a.max()) for a in sizes if a.size)))
    if not flow:
        raise ValueError("gradient_flow: no parameter has a gradient; call it after backward() and before zero_grad()")
    return flow


def saturation(output: Any, low: float, high: float, within: float = 0.01) -> float:
    """Return the share of an activation's outputs that lie at one of its bounds, within a share of the range.

    There a sigmoid passes hardly any gradient: within 0.01 it is less than a twenty-fifth of the greatest.

    >>> saturation([0.5, 0.999, 0.0, 0.2], 0.0, 1.0)
    0.5
    """
    values = plain(output)
    margin = within * (high - low)
    return float(np.mean((values <= low + margin) | (values >= high - margin))) if values.size else 0.0


def dead_units(output: Any) -> Array:
    """Return which units put out 0 for every example: channels of images (N, C, H, W), else the last axis.

    Through a unit that is dead for all data no gradient passes, and nothing will revive it.

    >>> dead_units([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]).tolist()
    [True, False, False]
    """
    values = plain(output)
    unit = 1 if values.ndim >= 4 else values.ndim - 1
    found: Array = np.all(values == 0, axis=tuple(a for a in range(values.ndim) if a != unit))
    return found


# Over a training loop


def bounds_of(module: Module) -> tuple[float, float] | None:
    """Return the bounds of an activation that saturates."""
    if isinstance(module, Hardtanh):
        return float(module.min_val), float(module.max_val)
    return (0.0, 1.0) if isinstance(module, Sigmoid) else (-1.0, 1.0) if isinstance(module, Tanh) else None


class Watch:
    """What `watch` collects: for each layer a list of numbers, one for each step that was looked at.

    Attributes
    ----------
    steps : which steps these are, counted from 0.
    gradients : mean |gradient| of a layer's weights.
    updates : ‖change of the weights‖ / ‖weights‖; about 1e-3 is healthy.
    saturated : the share of outputs of a Sigmoid, Tanh or Hardtanh at its bounds.
    dead : the share of units of a ReLU that put out 0 for all of the batch.
    """

    def __init__(self, model: Module, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"watch: every is a positive integer, not {every}")
        self.model = model
        self.every = every
        self.steps: list[int] = []
        self.gradients: History = {}
        self.updates: History = {}
        self.saturated: History = {}
        self.dead: History = {}
        self._count = 0
        self._looking = False
        self._sums: dict[str, list[tuple[float, int]]] = {}
        self._before: dict[str, list[Array]] = {}
        self._outputs: list[tuple[History, str, float]] = []
        self._removers: list[Callable[[], None]] = []

    # A step begins with a forward pass in training mode. It ends with the next one after a backward pass, or the loop.

    def __enter__(self) -> Watch:
        if self._removers:
            raise RuntimeError("watch: this watch is in use; make another")
        self._layers = layers(self.model)
        self._removers.append(self.model.register_forward_pre_hook(self._begin).remove)
        for path, module in self.model.named_modules():
            if isinstance(module, ReLU) or bounds_of(module) is not None:
                self._removers.append(module.register_forward_hook(self._see_output(path)).remove)
        for name, weights in self._layers.items():
            self._removers.extend(p.register_hook(self._see_gradient(name)) for p in weights)
        return self

    def __exit__(self, *exception: object) -> None:
        for remove in self._removers:
            remove()
        self._removers = []
        self._finish()
        self._looking = False

    def _begin(self, module: Module, args: tuple[Any, ...]) -> None:
        if not module.training or not is_grad_enabled() or (self._looking and not self._sums):
            return
        self._finish()
        self._looking = self._count % self.every == 0
        if self._looking:
            self._before = {name: [p.data.copy() for p in weights] for name, weights in self._layers.items()}
        self._count += 1

    def _see_output(self, path: str) -> Callable[[Module, tuple[Any, ...], Any], None]:
        def see(module: Module, args: tuple[Any, ...], output: Any) -> None:
            if not (self._looking and module.training and is_grad_enabled()):
                return
            name = path or type(module).__name__
            bounds = bounds_of(module)
            if bounds is None:
                self._outputs.append((self.dead, name, float(np.mean(dead_units(output)))))
            else:
                self._outputs.append((self.saturated, name, saturation(output, *bounds)))

        return see

    def _see_gradient(self, name: str) -> Callable[[Tensor], None]:
        def see(gradient: Tensor) -> None:
            if self._looking:
                total = float(np.abs(plain(gradient)).sum(dtype=np.float64))
                self._sums.setdefault(name, []).append((total, gradient.size))

        return see

    def _finish(self) -> None:
        """Write down what was seen of a step, if it had a backward pass."""
        if self._looking and self._sums:
            self.steps.append(self._count - 1)
            for name in filter(self._sums.__contains__, self._layers):  # first layer first, in every panel
                sums = self._sums[name]
                mean = sum(total for total, _ in sums) / max(1, sum(size for _, size in sums))
                self.gradients.setdefault(name, []).append(mean)
            for name, weights in self._layers.items():
                before = self._before[name]
                changed = math.hypot(*(length(p.data - old) for p, old in zip(weights, before, strict=True)))
                size = math.hypot(*map(length, before))
                self.updates.setdefault(name, []).append(changed / size if size else math.nan)
            seen: dict[tuple[int, str], list[float]] = {}
            for history, name, share in self._outputs:
                seen.setdefault((id(history), name), []).append(share)
            for history in (self.saturated, self.dead):
                for (key, name), shares in seen.items():
                    if key == id(history):
                        history.setdefault(name, []).append(sum(shares) / len(shares))
        self._sums, self._outputs = {}, []

    # What came of it

    def __repr__(self) -> str:
        """Return a table of the last step that was looked at."""
        histories = (self.gradients, self.updates, self.saturated, self.dead)
        names = [path or type(module).__name__ for path, module in self.model.named_modules()]
        rows = []
        for name in names:
            last = [history[name][-1] if history.get(name) else None for history in histories]
            if any(value is not None for value in last):
                rows.append((name, *map(number, last[:2]), *map(percentage, last[2:])))
        return table(("layer", "mean |gradient|", "update / weight", "saturated", "dead"), rows)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw what was collected over the steps; return matplotlib's figure, written to `path` if that is given."""
        panels = [
            ("mean |gradient|", self.gradients, True),
            ("update / weight", self.updates, True),
            ("saturated", self.saturated, False),
            ("dead", self.dead, False),
        ]
        panels = [panel for panel in panels if panel[1]]
        drawing = figure()
        drawing.set_size_inches(7, 3 * max(1, len(panels)))
        for axes, (title, history, logarithmic) in zip(
            drawing.subplots(max(1, len(panels)), squeeze=False)[:, 0], panels, strict=False
        ):
            for name, values in history.items():
                axes.plot(self.steps[-len(values) :], values, label=name)
            if logarithmic and any(value > 0 for values in history.values() for value in values):
                axes.set_yscale("log")
            axes.set_xlabel("step")
            axes.set_ylabel(title)
            axes.legend(fontsize="small")
        return finished(drawing, path)


def length(array: Array) -> float:
    return float(np.linalg.norm(array.ravel()))


def watch(model: Module, every: int = 1) -> Watch:
    """Watch a training loop: `with nn.inspect.watch(model) as seen:` around it.

    Each forward pass in training mode begins a step; what the optimiser changed is known when the next one begins, or
    the block ends. Activations are seen where they are modules, not functions.

    Parameters
    ----------
    model : the model that the loop calls.
    every : look at one step in so many; looking copies the weights.
    """
    return Watch(model, every)
