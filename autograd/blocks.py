"""Elementwise operations on large arrays: a block at a time.

What an operation or a gradient rule makes on its way stays in cache within a block. On 1,000,000 float32,
tanh(a * 2 + 1) * a forward and backward takes 0.6 of the time so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

Array = Any
LARGE: Final = 1 << 18  # numbers from which it pays
BLOCK: Final = 1 << 17  # numbers at a time: a few such arrays fit a cache


def in_blocks(function: Callable[..., Array], operands: Sequence[Any]) -> Array:
    """Return `function(*operands)`, which is elementwise, computed block by block where the shapes allow.

    Operands are arrays, one of them with the shape of the result, and options.
    """
    shapes = [np.shape(x) for x in operands]
    shape = max(shapes, key=math.prod)
    large = [s == shape for s in shapes]
    for s in shapes:  # what is not large must be the same for all rows
        if s != shape and ((len(s) == len(shape) and s[0] != 1) or np.broadcast_shapes(s, shape) != shape):
            return function(*operands)
    if all(x.flags.c_contiguous for x, is_large in zip(operands, large, strict=True) if is_large) and not any(
        s for s, is_large in zip(shapes, large, strict=True) if not is_large
    ):
        flat = [x.reshape(-1) if is_large else x for x, is_large in zip(operands, large, strict=True)]
        return by_rows(function, flat, large).reshape(shape)
    return by_rows(function, operands, large)


def by_rows(function: Callable[..., Array], operands: Sequence[Any], large: Sequence[bool]) -> Array:
    """Return `function(*operands)` from some rows at a time of those that are large."""
    first = next(x for x, is_large in zip(operands, large, strict=True) if is_large)
    rows = len(first)
    step = max(1, BLOCK * rows // first.size)

    def block(a: int) -> Array:
        return function(*(x[a : a + step] if is_large else x for x, is_large in zip(operands, large, strict=True)))

    beginning = block(0)
    out = np.empty_like(first, beginning.dtype)
    out[:step] = beginning
    for a in range(step, rows, step):
        out[a : a + step] = block(a)
    return out
