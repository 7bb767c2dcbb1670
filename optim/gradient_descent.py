"""Steepest descent with a line search, or with steps that diminish."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from optim.closure import ClosureOptimizer
from optim.flat import Group
from optim.line_search import Point, backtracking, exact, strong_wolfe
from optim.optimizer import Closure, Params, not_negative

SEARCHES: Final = ("exact", "backtracking", "wolfe", "diminishing")


class GradientDescent(ClosureOptimizer):
    """Steepest descent: x ← x − α∇f(x), with α found anew in each step.

    Parameters
    ----------
    params : tensors, or pairs (name, tensor); there is one group.
    lr : the α that a search tries first, and α₀ of diminishing steps.
    line_search : "exact" goes to a minimum along the direction; "backtracking" halves α until f(x − α∇f) ≤
        f(x) − c₁α‖∇f‖² (Armijo); "wolfe" asks beside that for a slope of at most c₂ times the first; "diminishing"
        takes α₀/k in step k, which converges though the gradients are noisy, since Σ 1/k is infinite and Σ 1/k² is not.
    c1 : c₁.
    c2 : c₂; small for steepest descent, which has no curvature in its direction.
    maximize : go up.

    Attributes
    ----------
    memory : "step" counts the steps, "alpha" is the last α, "func_evals" the number of evaluations.

    References
    ----------
    Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847. Armijo, Minimization of
    functions having Lipschitz continuous first partial derivatives, 1966. Robbins, Monro, A stochastic approximation
    method, 1951, for diminishing steps.

    Examples
    --------
    In a round valley, exact search is there at once.

    >>> from autograd import Tensor
    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = GradientDescent([x], line_search="exact")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (x * x).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    25.0
    >>> x.data + 0.0, optimizer.memory["alpha"]
    (array([0., 0.]), 0.5)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        line_search: str = "backtracking",
        c1: float = 1e-4,
        c2: float = 0.1,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "line_search": line_search, "c1": c1, "c2": c2, "maximize": maximize})

    def check(self, group: Group) -> None:
        not_negative(group, "lr")
        if group["line_search"] not in SEARCHES:
            raise ValueError(f"line_search is one of {', '.join(SEARCHES)}, not {group['line_search']!r}")
        if not 0 < group["c1"] < group["c2"] < 1:
            raise ValueError(f"c1 and c2 need 0 < c1 < c2 < 1, not {group['c1']} and {group['c2']}")

    def move(self, group: Group, closure: Closure) -> Any:
        memory = self.memory
        memory["step"] = memory.get("step", 0) + 1
        loss, value, gradient = self.evaluate(closure)
        memory["func_evals"] = memory.get("func_evals", 0) + 1
        origin, direction = self.vector(), -gradient
        start = Point(0.0, value, float(gradient @ direction), gradient, loss)
        alpha = 0.0 if start.slope == 0 else self.search(group, closure, origin, start)
        self.place(origin + alpha * direction)
        memory["alpha"] = alpha
        return loss

    def search(self, group: Group, closure: Closure, origin: Any, start: Point) -> float:
        """Return α."""
        alpha, how = group["lr"], group["line_search"]
        if how == "diminishing":
            return float(alpha / self.memory["step"])
        at = self.ray(closure, origin, -start.gradient)

        def ray(step: float) -> Point:
            self.memory["func_evals"] += 1
            return at(step)

        if how == "exact":
            return exact(ray, start, alpha).step
        if how == "backtracking":
            return backtracking(ray, start, alpha, group["c1"]).step
        return strong_wolfe(ray, start, alpha, float(np.abs(start.gradient).max()), group["c1"], group["c2"]).step
