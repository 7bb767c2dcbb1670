"""What every operation is checked on: one module of cases for each family of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One call of an operation: `function(*inputs)`, differentiable in every input.

    `label` tells cases of one operation apart. `second` is False where the second derivative does not exist
    or is zero for a reason given beside the case. `numpy` is the same function of plain arrays, where it is not
    `function` itself. `single` is False where a constant of double precision in the function makes its result so.
    """

    operation: str
    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    label: str = ""
    second: bool = True
    numpy: Callable[..., Any] | None = None
    single: bool = True

    def __str__(self) -> str:
        return f"{self.operation}-{self.label}" if self.label else self.operation


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers, the same at every run."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers between 0.5 and 2."""
    return np.random.default_rng([seed, *shape]).uniform(0.5, 2.0, size=shape)


def distinct(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers that differ by at least 0.1 from each other, in random order: no ties near a finite step."""
    n = int(np.prod(shape))
    return (np.random.default_rng([seed, *shape]).permutation(n) * 0.1 - n * 0.05).reshape(shape)
