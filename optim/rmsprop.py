"""RMSprop: the gradient divided by a running root mean square of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.openblas import axpby
from optim.flat import Array, Group
from optim.optimizer import Optimizer, Params, descent, not_negative


class RMSprop(Optimizer):
    """RMSprop: s ← ρs + (1 − ρ)g², x ← x − α g / (√s + ε).

    Parameters
    ----------
    params : tensors, pairs (name, tensor), or groups with options of their own.
    lr : the rate α.
    alpha : ρ above, how much of the running average is kept.
    eps : ε, which keeps the quotient finite.
    weight_decay : λ; λx is added to the gradient.
    momentum : μ; with d the quotient, v ← μv + d, x ← x − αv.
    centered : divide by the standard deviation, √(s − m²) with m ← ρm + (1 − ρ)g, in place of √s.
    maximize : go up.

    References
    ----------
    Hinton, Srivastava, Swersky, Neural networks for machine learning, lecture 6, 2012. Graves, Generating sequences
    with recurrent neural networks, 2013, for `centered`.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = RMSprop([x], lr=0.01, alpha=0.75)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.98, -199.98])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay", "momentum", "alpha")

    def buffers(self, group: Group) -> Mapping[str, float]:
        names = {"square_avg": 0.0}
        if group["momentum"]:
            names["momentum_buffer"] = 0.0
        if group["centered"]:
            names["grad_avg"] = 0.0
        return names

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        rho = group["alpha"]
        s = state["square_avg"]
        g = descent(group, x, g, c)
        np.multiply(g, g, out=a)
        axpby(1 - rho, a, rho, s, b)  # s ← ρs + (1 − ρ) g²
        if group["centered"]:
            m = state["grad_avg"]
            axpby(1 - rho, g, rho, m, a)  # m ← ρm + (1 − ρ) g
            np.multiply(m, m, out=a)  # √(s − m²)
            np.subtract(s, a, out=a)
            np.sqrt(a, out=a)
        else:
            np.sqrt(s, out=a)
        a += group["eps"]
        np.divide(g, a, out=a)  # d = g / (√s + ε)
        if group["momentum"]:  # v ← μv + d
            v = state["momentum_buffer"]
            axpby(1, a, group["momentum"], v, b)
            axpby(-group["lr"], v, 1, x, b)
        else:
            axpby(-group["lr"], a, 1, x, b)
