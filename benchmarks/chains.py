"""Long chains of small operations: what recording and walking back cost, next to nothing else."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.race import HIPS, Race, Work

LENGTH = 1000


def scalars() -> tuple[Any, ...]:
    """Return the start of the chain, a factor and a summand."""
    return 0.5, 0.9, 0.3


def scalars_gategrad(x: float, a: float, b: float) -> Work:
    from autograd import Tensor

    leaves = [Tensor(v, requires_grad=True) for v in (x, a, b)]
    return Work(*chain_of_scalars(leaves, lambda leaf: leaf.grad.item(), lambda leaf: leaf.zero_grad()))


def scalars_torch(x: float, a: float, b: float) -> Work:
    import torch

    leaves = [torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in (x, a, b)]

    def clear(leaf: Any) -> None:
        leaf.grad = None

    return Work(*chain_of_scalars(leaves, lambda leaf: leaf.grad.item(), clear))


def scalars_micrograd(x: float, a: float, b: float) -> Work:
    from micrograd.engine import Value

    sys.setrecursionlimit(100_000)  # its backward pass recurses along the chain
    leaves = [Value(v) for v in (x, a, b)]

    def clear(leaf: Any) -> None:
        leaf.grad = 0

    return Work(*chain_of_scalars(leaves, lambda leaf: leaf.grad, clear))


def chain_of_scalars(leaves: list[Any], gradient: Any, clear: Any) -> tuple[Any, Any]:
    """Return how to run the chain, forward and backward, and its gradients: the code is the same for all."""
    x, a, b = leaves

    def passes() -> None:
        y = x
        for _ in range(LENGTH // 4):
            y = y * a
            y = y + b
            y = y * 0.5
            y = y + 1.0
        y.backward()

    return repeatedly(passes, leaves, gradient, clear)


def vectors() -> tuple[Any, ...]:
    """Return the start of the chain, a factor and a summand."""
    rng = np.random.default_rng(0)
    return tuple(rng.uniform(0.5, 1.0, 10) for _ in range(3))


def vectors_gategrad(x: Any, a: Any, b: Any) -> Work:
    from autograd import Tensor

    leaves = [Tensor(v, requires_grad=True) for v in (x, a, b)]
    return Work(*chain_of_vectors(leaves, np.tanh, lambda leaf: leaf.grad.numpy(), lambda leaf: leaf.zero_grad()))


def vectors_torch(x: Any, a: Any, b: Any) -> Work:
    import torch

    leaves = [torch.tensor(v, requires_grad=True) for v in (x, a, b)]

    def clear(leaf: Any) -> None:
        leaf.grad = None

    return Work(*chain_of_vectors(leaves, torch.tanh, lambda leaf: leaf.grad.numpy(), clear))


def vectors_mygrad(x: Any, a: Any, b: Any) -> Work:
    import mygrad

    leaves = [mygrad.tensor(v) for v in (x, a, b)]
    return Work(*chain_of_vectors(leaves, mygrad.tanh, lambda leaf: leaf.grad.copy(), lambda leaf: leaf.null_grad()))


def chain_of_vectors(leaves: list[Any], tanh: Any, gradient: Any, clear: Any) -> tuple[Any, Any]:
    """Return how to run the chain on short arrays, forward and backward, and its gradients."""
    x, a, b = leaves

    def passes() -> None:
        y = x
        for _ in range(LENGTH // 4):
            y = y * a
            y = y + b
            y = tanh(y)
            y = y - x
        y.sum().backward()

    return repeatedly(passes, leaves, gradient, clear)


def repeatedly(passes: Any, leaves: list[Any], gradient: Any, clear: Any) -> tuple[Any, Any]:
    """Return how to make the passes any number of times, and how to make them once for the gradients."""

    def run() -> None:
        passes()
        for leaf in leaves:
            clear(leaf)

    def numbers() -> list[Any]:
        passes()
        found = [gradient(leaf) for leaf in leaves]
        for leaf in leaves:
            clear(leaf)
        return found

    return run, numbers


SCALAR_CHAIN = Race(
    name="scalar-chain",
    what=f"A chain of {LENGTH} additions and multiplications of scalars, forward and backward",
    inputs=scalars,
    contestants={"gategrad": scalars_gategrad, "torch": scalars_torch, "micrograd": scalars_micrograd},
    unit="an operation",
    units=LENGTH,
    goals={"torch": 0.35, "micrograd": 0.6},
    group="overhead",
)
SMALL_OP_CHAIN = Race(
    name="small-op-chain",
    what=f"A chain of {LENGTH} operations on shape (10,), forward and backward",
    inputs=vectors,
    contestants={"gategrad": vectors_gategrad, "torch": vectors_torch, "mygrad": vectors_mygrad},
    unit="an operation",
    units=LENGTH,
    goals={"torch": 0.6, "mygrad": 0.25, HIPS: 0.25},
    group="overhead",
)
