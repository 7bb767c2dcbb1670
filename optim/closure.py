"""ClosureOptimizer: optimisers that evaluate the loss themselves, several times a step, and see one long vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from autograd import Tensor, enable_grad
from autograd.tensor import overwrite
from optim.flat import Array, Group
from optim.line_search import Point
from optim.optimizer import Closure, Optimizer, Params, as_number, refuse_state


class ClosureOptimizer(Optimizer):
    """An optimiser whose `step(closure)` moves all parameters as one vector; it has one group.

    Parameters
    ----------
    params : tensors, or pairs (name, tensor).
    defaults : the options.

    Attributes
    ----------
    memory : its state, by name: numbers and vectors.
    """

    axes: ClassVar[Mapping[str, int]] = {}  # how many axes state has that is no number

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        self.memory: dict[str, Any] = {}
        super().__init__(params, defaults)

    def add_param_group(self, group: Group) -> None:
        if self.param_groups:
            raise ValueError(f"{type(self).__name__} doesn't support per-parameter options: it has one parameter group")
        super().add_param_group(group)

    def step(self, closure: Closure | None = None) -> Any:
        """Move the parameters; return the loss at the start.

        `closure` clears the gradients, computes the loss, calls its `backward()` and returns it; it may be called
        often.
        """
        if closure is None:
            raise TypeError(
                f"{type(self).__name__}.step needs a closure that computes the loss and its gradients and returns it"
            )
        with np.errstate(all="ignore"):
            return self.move(self.param_groups[0], closure)

    def move(self, group: Group, closure: Closure) -> Any:
        """Change the parameters; return the loss at the start."""
        raise NotImplementedError(f"{type(self).__name__} defines no move")

    # The parameters as one vector of real numbers

    def vector(self) -> Array:
        """Return a copy of all parameters."""
        return joined([p.numpy() for p in self.parameters()])

    def gradient(self) -> Array:
        """Return all gradients; zeros where there is none."""
        found = [np.zeros(p.shape, p.dtype) if p.grad is None else p.grad.numpy() for p in self.parameters()]
        whole = joined(found)
        return np.negative(whole, out=whole) if self.param_groups[0].get("maximize") else whole

    def place(self, vector: Array) -> None:
        """Set all parameters."""
        start = 0
        for p in self.parameters():
            real = p.numpy().real.dtype
            stop = start + p.nbytes // real.itemsize
            overwrite(p, vector[start:stop].astype(real, copy=False).view(p.dtype).reshape(p.shape))
            start = stop

    def evaluate(self, closure: Closure) -> tuple[Any, float, Array]:
        """Return the loss, its value (the lower the better) and its gradient."""
        with enable_grad():
            loss = closure()
        if loss is None:
            raise TypeError("the closure returned None: it is to return the loss")
        value = number(loss)
        return loss, -value if self.param_groups[0].get("maximize") else value, self.gradient()

    def ray(self, closure: Closure, origin: Array, direction: Array) -> Callable[[float], Point]:
        """Return the function that moves to origin + step·direction and evaluates the loss there."""

        def at(step: float) -> Point:
            self.place(origin + step * direction)
            loss, value, gradient = self.evaluate(closure)
            return Point(step, value, float(gradient @ direction), gradient, loss)

        return at

    # State

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """The state, as that of the first parameter."""
        return {self.parameters()[0]: self.memory} if self.memory else {}

    def flatten(self, position: int, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        self.memory = dict(state.get(self.parameters()[0], {}))

    def check_state(self, p: Tensor, group: Group, state: dict[str, Any]) -> None:
        whole = self.vector()
        fitting = f"the parameters are {whole.size} numbers"
        for name, value in state.items():
            value = as_number(value)
            axes = self.axes.get(name, 0)
            if np.ndim(value) != axes:
                raise ValueError(f"loaded state {name!r} has {np.ndim(value)} axes, not {axes}; {fitting}")
            misshapen = isinstance(value, np.ndarray) and value.shape[-1:] != whole.shape
            refuse_state(name, value, misshapen, fitting, whole.dtype)
            with np.errstate(all="ignore"):
                state[name] = value.astype(whole.dtype) if isinstance(value, np.ndarray) else value


def joined(arrays: list[Array]) -> Array:
    """Return arrays flattened into one; complex numbers become two."""
    flat = [np.ascontiguousarray(array).reshape(-1) for array in arrays]
    return np.concatenate([array.view(array.real.dtype) for array in flat])


def number(loss: Any) -> float:
    """Return a loss as a float."""
    return float(loss.item() if isinstance(loss, Tensor) else loss)
