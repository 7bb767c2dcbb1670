"""Sigmoids of many numbers, by whichever of two functions of NumPy's is the quicker one on this processor.

They are 1 / (1 + exp(-z)), and (1 + tanh(z / 2)) / 2. With AVX-512 NumPy's tanh takes a fifth of the time of its exp;
with AVX2 the sigmoids by exp take 0.6 of the time of those by tanh, and 0.4 in double precision.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

Array = Any
BY_EXP: Final = {"FMA3__AVX2", "X86_V3"}  # what NumPy calls AVX2


@functools.cache
def by_exp() -> bool:
    """Return whether exp is the quicker one."""
    from numpy.lib.introspect import opt_func_info

    found = opt_func_info(func_name="^exp$", signature="float32").get("exp", {})
    return any(kernels["current"] in BY_EXP for kernels in found.values())


def scale() -> float:
    """Return what arguments are multiplied by before `apply`: best done to the weights that lead to them."""
    return -1.0 if by_exp() else 0.5


def apply(z: Array) -> None:
    """Write the sigmoids of numbers in their place, which are multiplied by `scale()` already."""
    if by_exp():
        with np.errstate(over="ignore", under="ignore"):  # to infinity, of which the reciprocal is 0
            np.exp(z, out=z)
        z += 1
        np.reciprocal(z, out=z)
    else:
        np.tanh(z, out=z)
        z *= 0.5
        z += 0.5
