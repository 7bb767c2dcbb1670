"""A few operations on a million numbers: what passes over memory cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.race import Race, Work

LENGTH = 1_000_000


def inputs() -> tuple[Any, ...]:
    """Return the numbers."""
    return (np.random.default_rng(0).standard_normal(LENGTH, dtype=np.float32),)


def with_gategrad(a: Any) -> Work:
    from autograd import Tensor

    a = Tensor(a, requires_grad=True)

    def run() -> Any:
        (np.tanh(a * 2 + 1) * a).sum().backward()
        gradient = a.grad.numpy()
        a.zero_grad()
        return gradient

    return Work(run, lambda: [run()])


def with_torch(a: Any) -> Work:
    import torch

    a = torch.tensor(a, requires_grad=True)

    def run() -> Any:
        (torch.tanh(a * 2 + 1) * a).sum().backward()
        gradient = a.grad.numpy()
        a.grad = None
        return gradient

    return Work(run, lambda: [run()])


def with_mygrad(a: Any) -> Work:
    import mygrad

    a = mygrad.tensor(a)

    def run() -> Any:
        (mygrad.tanh(a * 2 + 1) * a).sum().backward()
        gradient = a.grad
        a.null_grad()
        return gradient

    return Work(run, lambda: [run()])


ELEMENTWISE = Race(
    name="elementwise",
    what=f"The gradient of (tanh(2a + 1) a).sum() for {LENGTH:,} numbers, float32",
    inputs=inputs,
    contestants={"gategrad": with_gategrad, "torch": with_torch, "mygrad": with_mygrad},
    unit="a pass",
    tolerance=1e-5,
    goals={"torch": 0.9},
    group="compute",
)
