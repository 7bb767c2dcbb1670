"""Adagrad: a rate for each number, the smaller the larger its gradients were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.openblas import axpby
from optim.flat import Array, Group
from optim.optimizer import Optimizer, Params, descent, not_negative


class Adagrad(Optimizer):
    """Adagrad: s ← s + g², x ← x − α g / (√s + ε).

    Parameters
    ----------
    params : tensors, pairs (name, tensor), or groups with options of their own.
    lr : the rate α.
    lr_decay : η, by which the rate falls as α / (1 + (t − 1)η) in step t.
    weight_decay : λ; λx is added to the gradient.
    initial_accumulator_value : s at first.
    eps : ε, which keeps the quotient finite.
    maximize : go up.

    References
    ----------
    Duchi, Hazan, Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.

    Examples
    --------
    The first step is α whatever the gradient's size, for each number by itself.

    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.9, -199.9])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        s = state["sum"]
        g = descent(group, x, g, c)
        np.multiply(g, g, out=a)  # s ← s + g²
        s += a
        np.sqrt(s, out=a)  # x ← x − α g / (√s + ε)
        a += group["eps"]
        np.divide(g, a, out=a)
        axpby(-group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"]), a, 1, x, b)
