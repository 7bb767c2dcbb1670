"""Adadelta: Adagrad that forgets, with steps in the unit of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.openblas import axpby
from optim.flat import Array, Group
from optim.optimizer import Optimizer, Params, descent, not_negative


class Adadelta(Optimizer):
    """Adadelta: s ← ρs + (1 − ρ)g², Δ = g √(u + ε) / √(s + ε), u ← ρu + (1 − ρ)Δ², x ← x − αΔ.

    Parameters
    ----------
    params : tensors, pairs (name, tensor), or groups with options of their own.
    lr : α, a factor on the steps.
    rho : ρ, how much of the running averages is kept.
    eps : ε, which keeps the quotient finite and starts the steps: the first is about √ε.
    weight_decay : λ; λx is added to the gradient.
    maximize : go up.

    References
    ----------
    Zeiler, ADADELTA: an adaptive learning rate method, 2012.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = Adadelta([x])
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.9968, -199.9968])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay")
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Invalid rho value: {group['rho']}")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        rho, eps = group["rho"], group["eps"]
        s, u = state["square_avg"], state["acc_delta"]
        g = descent(group, x, g, c)
        np.multiply(g, g, out=a)
        axpby(1 - rho, a, rho, s, b)  # s ← ρs + (1 − ρ) g²
        np.add(u, eps, out=a)  # Δ = g √(u + ε) / √(s + ε)
        np.sqrt(a, out=a)
        np.add(s, eps, out=b)
        np.sqrt(b, out=b)
        a /= b
        a *= g
        np.multiply(a, a, out=b)
        axpby(1 - rho, b, rho, u, c)  # u ← ρu + (1 − ρ) Δ²
        axpby(-group["lr"], a, 1, x, b)  # x ← x − αΔ
