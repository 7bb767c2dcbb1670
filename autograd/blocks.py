"""Elementwise operations on large arrays: a block at a time.

What an operation or a gradient rule makes on its way stays in cache within a block. On 1,000,000 float32,
tanh(a * 2 + 1) * a forward and backward takes 0.6 of the time so.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from autograd.threads import share

Array = Any
Result = TypeVar("Result")
LARGE: Final = 1 << 18  # numbers from which it pays
BLOCK: Final = 1 << 17  # numbers at a time: a few such arrays fit a cache
WORTH: Final = 1 << 17  # numbers that are worth a thread
UFUNCS: Final = {  # those of Python's operators that write to a given place
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.neg: np.negative,
    operator.abs: np.absolute,
}


def in_pieces(work: Callable[[slice], Result], rows: int, size: int, most: int = BLOCK) -> list[Result]:
    """Return what `work` returns for the places of some rows at a time, of an array of `size` numbers.

    A piece has at most `most` numbers, if a row has not more. Threads share the pieces.
    """
    if size <= min(most, WORTH):
        return [work(slice(0, rows))]
    step = max(1, most * rows // size)

    def part(start: int, stop: int) -> list[Result]:
        return [work(slice(a, min(a + step, stop))) for a in range(start, stop, step)]

    return [found for some in share(part, rows, -(-WORTH * rows // size)) for found in some]


def in_blocks(function: Callable[..., Array], operands: Sequence[Any]) -> Array:
    """Return `function(*operands)`, which is elementwise, computed block by block where the shapes allow.

    Operands are arrays, one of them with the shape of the result, and options.
    """
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    shape = max((x.shape for x in arrays), key=math.prod)
    if math.prod(shape) < LARGE:
        return function(*operands)
    for x in arrays:  # what is smaller must be the same for all rows
        stretched = x.ndim == len(shape) and x.shape[0] != 1
        if x.shape != shape and (stretched or not fits(x.shape, shape)):
            return function(*operands)
    large = [isinstance(x, np.ndarray) and x.shape == shape for x in operands]
    if any(x.ndim and x.shape != shape for x in arrays) or not all(x.flags.c_contiguous for x in arrays):
        return by_rows(function, operands, large, shape)
    flat = [x.reshape(-1) if is_large else x for x, is_large in zip(operands, large, strict=True)]
    return by_rows(function, flat, large, shape)


def fits(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(small) <= len(shape) and all(n in (1, m) for n, m in zip(reversed(small), reversed(shape), strict=False))


def by_rows(
    function: Callable[..., Array], operands: Sequence[Any], large: Sequence[bool], shape: tuple[int, ...]
) -> Array:
    """Return `function(*operands)`, of this shape, from some rows at a time of those that are large."""
    first = next(x for x, is_large in zip(operands, large, strict=True) if is_large)
    rows = len(first)

    def of(some: slice) -> list[Any]:
        return [x[some] if is_large else x for x, is_large in zip(operands, large, strict=True)]

    dtype = function(*of(slice(1))).dtype
    out = np.empty_like(first, dtype) if first.shape == shape else np.empty(shape, dtype)
    found = out.reshape(first.shape) if first.shape != shape else out
    ufunc = UFUNCS.get(function, function)

    def work(some: slice) -> None:
        if isinstance(ufunc, np.ufunc):
            ufunc(*of(some), out=found[some])
        else:
            found[some] = function(*of(some))

    # A single loop leaves nothing in the cache for another.
    in_pieces(work, rows, first.size, first.size if isinstance(ufunc, np.ufunc) else BLOCK)
    return out
