"""The net of the lectures: two layers, sigmoid, squared error, one step of gradient descent after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.race import Race, Work

N, D_IN, H, D_OUT = 64, 1000, 100, 10
RATE = 1e-4
STEPS = 500  # after which the weights are compared


def inputs(dtype: Any) -> tuple[Any, ...]:
    """Return a batch, its targets and the weights to start from."""
    rng = np.random.default_rng(0)
    shapes = ((N, D_IN), (N, D_OUT), (D_IN, H), (H, D_OUT))
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def trained(start: Callable[[], object], step: Callable[[], object], weights: Callable[[], list[Any]]) -> Work:
    """Return the work of `step`, which is to leave these weights after `STEPS`."""

    def numbers() -> list[Any]:
        start()
        for _ in range(STEPS):
            step()
        return [w.copy() for w in weights()]

    return Work(step, numbers, start)


def by_hand(x: Any, y: Any, first: Any, second: Any) -> Work:
    """Derive the gradients by hand, as the lectures do: what an engine has to keep up with."""
    w1, w2 = first.copy(), second.copy()

    def start() -> None:
        w1[...], w2[...] = first, second

    def step() -> None:
        nonlocal w1, w2
        h = 1 / (1 + np.exp(-(x @ w1)))
        predicted = h @ w2
        difference = predicted - y
        np.square(difference).sum()
        grad_predicted = 2.0 * difference
        grad_w2 = h.T @ grad_predicted
        grad_h = grad_predicted @ w2.T
        grad_w1 = x.T @ (grad_h * h * (1 - h))
        w1 -= RATE * grad_w1
        w2 -= RATE * grad_w2

    def quiet_step() -> None:
        with np.errstate(over="ignore"):  # exp of large numbers, in float32
            step()

    return trained(start, quiet_step, lambda: [w1, w2])


def with_gategrad(x: Any, y: Any, first: Any, second: Any) -> Work:
    from autograd import Tensor, no_grad

    x, y = Tensor(x), Tensor(y)
    w1, w2 = Tensor(first, requires_grad=True), Tensor(second, requires_grad=True)

    def start() -> None:
        w1.data, w2.data = first.copy(), second.copy()

    def step() -> None:
        nonlocal w1, w2
        h = (x @ w1).sigmoid()
        loss = np.square(h @ w2 - y).sum()
        loss.backward()
        assert w1.grad is not None
        assert w2.grad is not None
        with no_grad():
            w1 -= RATE * w1.grad
            w2 -= RATE * w2.grad
        w1.zero_grad()
        w2.zero_grad()

    return trained(start, step, lambda: [w1.data, w2.data])


def with_torch(x: Any, y: Any, first: Any, second: Any) -> Work:
    import torch

    x, y = torch.tensor(x), torch.tensor(y)
    w1, w2 = torch.tensor(first, requires_grad=True), torch.tensor(second, requires_grad=True)

    def start() -> None:
        with torch.no_grad():
            w1.copy_(torch.from_numpy(first))
            w2.copy_(torch.from_numpy(second))

    def step() -> None:
        nonlocal w1, w2
        h = (x @ w1).sigmoid()
        loss = torch.square(h @ w2 - y).sum()
        loss.backward()
        with torch.no_grad():
            w1 -= RATE * w1.grad
            w2 -= RATE * w2.grad
        w1.grad = None
        w2.grad = None

    return trained(start, step, lambda: [w1.detach().numpy(), w2.detach().numpy()])


def with_mygrad(x: Any, y: Any, first: Any, second: Any) -> Work:
    import mygrad

    x, y = mygrad.tensor(x, constant=True), mygrad.tensor(y, constant=True)
    w1, w2 = mygrad.tensor(first), mygrad.tensor(second)

    def start() -> None:
        w1.data[...], w2.data[...] = first, second

    def step() -> None:
        h = mygrad.nnet.activations.sigmoid(mygrad.matmul(x, w1))
        loss = mygrad.square(mygrad.matmul(h, w2) - y).sum()
        loss.backward()
        for w in (w1, w2):
            w.data -= RATE * w.grad
            w.null_grad()

    def quiet_step() -> None:
        with np.errstate(over="ignore"):  # exp of large numbers, in float32
            step()

    return trained(start, quiet_step, lambda: [w1.data, w2.data])


def race(dtype: str) -> Race:
    """Return the race in one precision."""
    return Race(
        name=f"two-layer-net-{dtype}",
        what=f"A step of the lectures' two-layer net in {dtype}, N={N}, D_in={D_IN}, H={H}, D_out={D_OUT}",
        inputs=lambda: inputs(dtype),
        contestants={"gategrad": with_gategrad, "numpy": by_hand, "torch": with_torch, "mygrad": with_mygrad},
        unit="a step",
        tolerance=1e-5,
        goals={"torch": 0.8},
        group="overhead" if dtype == "float32" else "",
        called="two-layer-net",
    )


FLOAT32 = race("float32")
FLOAT64 = race("float64")
