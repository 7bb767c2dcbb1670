"""L-BFGS: Newton's direction from the last gradients alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from autograd import Tensor
from optim.closure import ClosureOptimizer
from optim.flat import Array, Group
from optim.line_search import Point, strong_wolfe
from optim.optimizer import Closure, Params, not_negative

STACKED = ("old_dirs", "old_stps")


class LBFGS(ClosureOptimizer):
    """L-BFGS: x ← x − α B∇f, where B approximates the inverse Hessian by the last differences of gradients.

    Of each step s = x − x_old and y = ∇f − ∇f_old are kept, if yᵀs > 0. One call of `step` takes up to `max_iter`
    steps.

    Parameters
    ----------
    params : tensors, or pairs (name, tensor); there is one group.
    lr : α, or the first one tried if there is a line search.
    max_iter : steps a call of `step`.
    max_eval : evaluations of the closure a call; 1.25 `max_iter` if left out.
    tolerance_grad : stop where no element of the gradient is larger.
    tolerance_change : stop where neither the loss nor any parameter changed by more.
    history_size : how many differences are kept.
    line_search_fn : None, or "strong_wolfe".

    References
    ----------
    Liu, Nocedal, On the limited memory BFGS method for large scale optimization, Mathematical Programming 1989.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([-1.5, 2.0], requires_grad=True)
    >>> optimizer = LBFGS([x], max_iter=100, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> start = optimizer.step(closure)
    >>> x.data
    array([1.0000, 1.0000])
    """

    axes: ClassVar[Mapping[str, int]] = {"d": 1, "prev_flat_grad": 1, "old_dirs": 2, "old_stps": 2}

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "max_iter", "tolerance_grad", "tolerance_change", "history_size")
        if group["max_iter"] % 1 or group["history_size"] % 1:
            raise ValueError(f"max_iter and history_size are whole, not {group['max_iter']}, {group['history_size']}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"only 'strong_wolfe' is supported as line_search_fn, not {group['line_search_fn']!r}")

    def move(self, group: Group, closure: Closure) -> Any:
        memory = self.memory
        for name, value in {"n_iter": 0, "func_evals": 0, "old_dirs": [], "old_stps": [], "H_diag": 1.0}.items():
            memory.setdefault(name, value)
        first, value, gradient = self.evaluate(closure)
        memory["func_evals"] += 1
        evaluations = 1
        if largest(gradient) <= group["tolerance_grad"]:
            return first
        for iteration in range(1, group["max_iter"] + 1):
            memory["n_iter"] += 1
            direction = self.direction(group, gradient)
            step = group["lr"]
            if memory["n_iter"] == 1:  # nothing is known of the curvature yet
                step *= min(1.0, 1 / float(np.abs(gradient).sum()))
            memory |= {"d": direction, "prev_flat_grad": gradient, "prev_loss": value}
            start = Point(0.0, value, float(gradient @ direction), gradient)
            if start.slope > -group["tolerance_change"]:
                memory["t"] = step
                break
            origin = self.vector()
            if group["line_search_fn"]:
                before = memory["func_evals"]
                ray = self.counted_ray(closure, origin, direction)
                tries = group["max_eval"] - evaluations
                point = strong_wolfe(ray, start, step, largest(direction), tries=tries)
                step, value, gradient = point.step, point.value, point.gradient
                evaluations += memory["func_evals"] - before
                self.place(origin + step * direction)
            else:
                self.place(origin + step * direction)
                if iteration < group["max_iter"]:  # the next call of `step` evaluates it anyway
                    _, value, gradient = self.evaluate(closure)
                    memory["func_evals"] += 1
                    evaluations += 1
            memory["t"] = step
            if (
                evaluations >= group["max_eval"]
                or largest(gradient) <= group["tolerance_grad"]
                or largest(direction) * step <= group["tolerance_change"]
                or abs(value - memory["prev_loss"]) < group["tolerance_change"]
            ):
                break
        return first

    def direction(self, group: Group, gradient: Array) -> Array:
        """Return −B∇f, by the recursion over the kept pairs; the newest pair is taken in first."""
        memory = self.memory
        ys, steps = memory["old_dirs"], memory["old_stps"]
        if "prev_flat_grad" in memory:
            y = gradient - memory["prev_flat_grad"]
            s = memory["d"] * memory["t"]
            curvature = float(y @ s)
            if curvature > 1e-10:
                if len(ys) == group["history_size"]:
                    ys.pop(0)
                    steps.pop(0)
                ys.append(y)
                steps.append(s)
                memory["H_diag"] = curvature / float(y @ y)
        q = -gradient
        shares = []
        for y, s in zip(reversed(ys), reversed(steps), strict=True):
            share = float(s @ q) / float(y @ s)
            q -= share * y
            shares.append(share)
        q *= memory["H_diag"]
        for y, s, share in zip(ys, steps, reversed(shares), strict=True):
            q += (share - float(y @ q) / float(y @ s)) * s
        return q

    def counted_ray(self, closure: Closure, origin: Array, direction: Array) -> Any:
        at = self.ray(closure, origin, direction)

        def counted(step: float) -> Point:
            self.memory["func_evals"] += 1
            return at(step)

        return counted

    def check_state(self, p: Tensor, group: Group, state: dict[str, Any]) -> None:
        super().check_state(p, group, state)
        expected = {"n_iter", "func_evals", "H_diag"}
        if state.get("n_iter"):
            expected |= {"d", "t", "prev_flat_grad", "prev_loss"}
        missing = expected - state.keys()
        if missing or len(state.get("old_dirs", ())) != len(state.get("old_stps", ())):
            raise ValueError(
                f"loaded state of LBFGS lacks {', '.join(map(repr, sorted(missing))) or 'some of its pairs'}"
            )

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """The state, as that of the first parameter; the kept differences are the rows of matrices."""
        if not self.memory:
            return {}
        stacks = {name: np.stack(self.memory[name]) for name in STACKED if self.memory[name]}
        rest = {name: value for name, value in self.memory.items() if name not in STACKED}
        return {self.parameters()[0]: rest | stacks}

    def flatten(self, position: int, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        super().flatten(position, state)
        if self.memory:
            self.memory |= {name: list(self.memory.get(name, ())) for name in STACKED}


def largest(vector: Array) -> float:
    """Return the largest absolute value."""
    return float(np.abs(vector).max(initial=0.0))
