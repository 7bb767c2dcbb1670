"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.openblas import axpby
from optim.flat import Array, Group
from optim.optimizer import Optimizer, Params, descent, not_negative


class SGD(Optimizer):
    """Stochastic gradient descent: x ← x − α∇f, with momentum v ← ρv + ∇f, x ← x − αv.

    Parameters
    ----------
    params : tensors, pairs (name, tensor), or groups with options of their own.
    lr : the rate α.
    momentum : ρ, the share of the velocity that is kept. The first velocity is the first gradient.
    dampening : takes that share off the gradients after the first: v ← ρv + (1 − dampening) ∇f.
    weight_decay : λ; λx is added to the gradient, as for the penalty ½λ‖x‖².
    nesterov : look ahead, x ← x − α(∇f + ρv). With u = −αv that is u ← ρu − α∇f, x ← x − ρu_old + (1 + ρ)u.
    maximize : go up.

    References
    ----------
    Polyak, Some methods of speeding up the convergence of iteration methods, 1964. Sutskever et al., On the importance
    of initialization and momentum in deep learning, ICML 2013, for Nesterov's form.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SGD([x], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x * x).sum().backward()
    ...     optimizer.step()
    >>> x.data
    array([ 0.46, -0.92])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "momentum", "weight_decay")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def count(self, group: Group, numbers: dict[str, Any]) -> None:
        if group["momentum"]:  # without, there is no state at all
            super().count(group, numbers)

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        momentum = group["momentum"]
        g = descent(group, x, g, c)
        if momentum:
            v = state["momentum_buffer"]
            if state["step"] == 1:
                np.copyto(v, g)
            else:  # v ← ρv + (1 − dampening) g
                axpby(1 - group["dampening"], g, momentum, v, a)
            if group["nesterov"]:  # g ← g + ρv
                np.multiply(v, momentum, out=a)
                g = np.add(g, a, out=a)
            else:
                g = v
        axpby(-group["lr"], g, 1, x, b)  # x ← x − αg
