"""Newton-Raphson, with the Hessian that the engine computes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from autograd import Tensor, enable_grad
from autograd.functional import gradients
from optim.closure import ClosureOptimizer, joined
from optim.flat import Array, Group
from optim.optimizer import Closure, Params, not_negative

NEGATIVE: Final = ("remove", "flip", "keep")


class Newton(ClosureOptimizer):
    """Newton-Raphson: x ← x − α H⁻¹∇f, with the Hessian H convexified by its eigenvalues.

    With H = QΛQᵀ the step is −α Q(Λ₊ + δ)⁻¹Qᵀ∇f. Λ₊ is Λ without its negative eigenvalues: with them the step would go
    up to the next saddle or maximum. Directions whose Λ₊ + δ is zero are left alone.

    The Hessian takes one backward pass for each parameter and is a matrix of that size: for some thousand numbers.

    Parameters
    ----------
    params : real tensors, or pairs (name, tensor); there is one group.
    lr : α; 1 reaches the minimum of a quadratic function in one step.
    damping : δ, added to every eigenvalue: the larger, the shorter the step, in flat directions above all.
    negative : what becomes of negative eigenvalues: "remove" makes them 0, "flip" changes their sign, which leaves
        saddles behind, "keep" is the plain method.
    maximize : go up.

    References
    ----------
    Bishop, Pattern recognition and machine learning, 2006, chapter 5.4. Dauphin et al., Identifying and attacking the
    saddle point problem in high-dimensional non-convex optimization, NeurIPS 2014, for "flip".

    Examples
    --------
    The closure computes the loss and returns it: no `backward()`, for the Hessian needs the graph.

    >>> from autograd import Tensor
    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = Newton([x])
    >>> loss = optimizer.step(lambda: x[0] ** 2 + 50 * (x[1] - 1) ** 2 + x[0] * x[1])
    >>> x.data
    array([-0.5025,  1.0050])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        damping: float = 0.0,
        negative: str = "remove",
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "damping": damping, "negative": negative, "maximize": maximize})
        for p in self.parameters():
            if p.dtype.kind == "c":
                raise TypeError(f"Newton needs real parameters: {p.label()} is {p.dtype}")

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "damping")
        if group["negative"] not in NEGATIVE:
            raise ValueError(f"negative is one of {', '.join(NEGATIVE)}, not {group['negative']!r}")

    def step(self, closure: Closure | None = None) -> Any:
        """Move the parameters; return the loss at the start. `closure` computes it and calls no `backward()`."""
        return super().step(closure)

    def move(self, group: Group, closure: Closure) -> Any:
        with enable_grad():
            loss = closure()
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise TypeError("the closure of Newton returns the loss, a tensor of one number")
        gradient, hessian = self.derivatives(loss)
        if group["maximize"]:
            gradient, hessian = -gradient, -hessian
        eigenvalues, q = np.linalg.eigh(hessian)
        curvatures = convexified(eigenvalues, group["negative"]) + group["damping"]
        # What rounding leaves of a zero eigenvalue is no curvature.
        floor = float(np.abs(eigenvalues).max(initial=0.0)) * len(eigenvalues) * float(np.finfo(hessian.dtype).eps)
        known = np.abs(curvatures) > floor
        q = q[:, known]
        self.place(self.vector() - group["lr"] * (q @ ((q.T @ gradient) / curvatures[known])))
        self.memory["step"] = self.memory.get("step", 0) + 1
        return loss

    def derivatives(self, loss: Tensor) -> tuple[Array, Array]:
        """Return the gradient of `loss` and its Hessian."""
        params = [p for p in self.parameters() if p.requires_grad]

        def whole(found: list[Tensor]) -> Array:
            """Return gradients of `params` as one vector, with zeros for the frozen parameters."""
            given = dict(zip(map(id, params), found, strict=True))
            return joined(
                [given[id(p)].numpy() if id(p) in given else np.zeros_like(p.numpy()) for p in self.parameters()]
            )

        firsts = gradients(loss, params, create_graph=True)
        by_param = dict(zip(map(id, params), firsts, strict=True))
        gradient = whole(firsts)
        hessian = np.zeros((gradient.size, gradient.size), gradient.dtype)
        row = 0
        for p in self.parameters():
            first = by_param.get(id(p))
            if first is not None and first.requires_grad:  # else the loss is linear in it
                for i in range(p.size):
                    seed = np.zeros(p.size, p.dtype)
                    seed[i] = 1
                    hessian[row + i] = whole(gradients(first, params, seed.reshape(p.shape), retain_graph=True))
            row += p.size
        return gradient, hessian


def convexified(eigenvalues: Array, negative: str) -> Array:
    """Return the eigenvalues with those below zero removed, flipped or kept."""
    if negative == "keep":
        return eigenvalues
    return np.maximum(eigenvalues, 0) if negative == "remove" else np.abs(eigenvalues)
