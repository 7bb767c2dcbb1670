"""Penalties on the size of parameters, to be added to a loss.

They take a module (all its parameters), a tensor, or any number of tensors. Biases are usually left alone:

>>> import nn
>>> model = nn.Linear(3, 2)
>>> loss = nn.MSELoss()(model([[1.0, 2.0, 3.0]]), [[0.0, 1.0]])
>>> loss = loss + 1e-4 * nn.penalties.l2(p for name, p in model.named_parameters() if name.endswith("weight"))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograd import Tensor, ops
from nn.module import Module

__all__ = ["elastic_net", "l1", "l2"]

Parameters = Module | Tensor | Iterable[Tensor]


def tensors(parameters: Parameters, name: str) -> list[Tensor]:
    if isinstance(parameters, Module):
        parameters = parameters.parameters()
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for tensor in found:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected tensors or a module, got {type(tensor).__name__}")
    if not found:
        raise ValueError(f"{name}: there are no parameters to penalise")
    return found


def added(parts: list[Any]) -> Tensor:
    return sum(parts[1:], parts[0])


def l1(parameters: Parameters) -> Tensor:
    """Return Σ|w|. Its gradient is sign(w), and 0 at 0.

    >>> l1(Tensor([1.0, -2.0])).item()
    3.0
    """
    return added([ops.absolute(w).sum() for w in tensors(parameters, "l1")])


def l2(parameters: Parameters) -> Tensor:
    """Return ½Σw². Its gradient is w: what the `weight_decay` of an optimiser adds. Twice it is ‖w‖².

    >>> l2([Tensor([3.0]), Tensor([4.0])]).item()
    12.5
    """
    return 0.5 * added([squares(w) for w in tensors(parameters, "l2")])


def squares(w: Tensor) -> Tensor:
    return ops.square(ops.absolute(w) if w.dtype.kind == "c" else w).sum()


def elastic_net(parameters: Parameters, beta: float = 1.0) -> Tensor:
    """Return β‖w‖² + Σ|w|.

    >>> elastic_net(Tensor([1.0, -2.0]), beta=0.1).item()
    3.5
    """
    found = tensors(parameters, "elastic_net")
    return beta * added([squares(w) for w in found]) + l1(found)
