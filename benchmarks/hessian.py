"""The Hessian of a small net's loss in all its parameters, which are one flat vector."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.race import Race, Work

BATCH, INPUTS, HIDDEN = 32, 4, 16
PARAMETERS = HIDDEN * INPUTS + HIDDEN + HIDDEN + 1  # weight (16, 4), bias (16,), weight (1, 16), bias (1,)


def inputs() -> tuple[Any, ...]:
    """Return a batch, its targets and the parameters."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((BATCH, INPUTS)), rng.standard_normal((BATCH, 1))
    return x, y, rng.standard_normal(PARAMETERS) * 0.5


def loss_of(x: Any, y: Any) -> Callable[[Any], Any]:
    """Return the mean squared error as a function of the parameters; the code is the same for all."""
    ends = np.cumsum([HIDDEN * INPUTS, HIDDEN, HIDDEN]).tolist()

    def loss(w: Any) -> Any:
        first = w[: ends[0]].reshape(HIDDEN, INPUTS)
        second = w[ends[1] : ends[2]].reshape(1, HIDDEN)
        h = (x @ first.T + w[ends[0] : ends[1]]).tanh()
        return ((h @ second.T + w[ends[2] :] - y) ** 2).mean()

    return loss


def with_gategrad(x: Any, y: Any, w: Any) -> Work:
    import autograd

    hessian = autograd.hessian(loss_of(autograd.tensor(x), autograd.tensor(y)))
    return Work(lambda: hessian(w), lambda: [hessian(w)])


def with_torch(x: Any, y: Any, w: Any) -> Work:
    import torch

    loss, w = loss_of(torch.from_numpy(x), torch.from_numpy(y)), torch.from_numpy(w)

    def hessian(vectorize: bool) -> Any:
        return torch.autograd.functional.hessian(loss, w, vectorize=vectorize)

    def seconds(vectorize: bool) -> float:
        hessian(vectorize)
        started = time.perf_counter()
        for _ in range(3):
            hessian(vectorize)
        return time.perf_counter() - started

    better = min((True, False), key=seconds)
    return Work(lambda: hessian(better), lambda: [hessian(better).numpy()])


HESSIAN = Race(
    name="hessian",
    what=f"The Hessian of a small net's loss in its {PARAMETERS} parameters, float64",
    inputs=inputs,
    contestants={"gategrad": with_gategrad, "torch": with_torch},
    unit="a Hessian",
)
