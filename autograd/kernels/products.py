"""Products of tall matrices with small ones, some rows at a time, and of stacks of small matrices.

OpenBLAS copies the operands of a product into an order of its own. With few columns, as channels are, that takes as
long as the product. For processors with AVX-512 it has kernels that do without, for up to 10^6 multiply-adds: a product
of 12,000 x 96 and 96 x 32 numbers takes 0.6 of the time so, one of 12,000 x 48 and 48 x 32 0.55.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd import openblas
from autograd.threads import share

Array = Any
DIRECT: Final = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # for which processors there are such kernels
MOST: Final = 1_000_000  # multiply-adds of a product that they take
LONGEST: Final = 512  # rows beyond which it gains nothing
STACKED: Final = 1 << 22  # multiply-adds of small products that are worth a thread
LEAST: Final = 24  # rows for which it pays to ask for a product
FEWEST: Final = 4  # where that is one of many in a call of NumPy's


def rows_at_a_time(inner: int, out: int, least: int = LEAST) -> int:
    """Return how many rows of a matrix (rows, inner) to multiply at a time with one (inner, out); 0 for all of them."""
    rows = min(MOST // max(1, inner * out), LONGEST)
    return rows if rows >= least and openblas.processor() in DIRECT else 0


def in_steps(x: Array, step: int) -> tuple[Array, Array]:
    """Return matrices (..., rows, columns) as (..., steps, step, columns), and the rows that remain.

    Both share memory with `x`.
    """
    *lead, rows, columns = x.shape
    whole = rows // step * step
    return x[..., :whole, :].reshape(*lead, rows // step, step, columns), x[..., whole:, :]


def multiplier(x: Array, columns: int) -> Callable[[Array, Array], Array]:
    """Return what writes the product of `x` with a matrix of so many columns into an array, on one thread.

    It is for a matrix (rows, inner) that many others are multiplied with, one by one, and goes by some of its rows at a
    time, each time as many. For 128 x 512 and 512 x 64 numbers that takes 0.73 of the time.
    """
    rows, inner = x.shape
    most = rows_at_a_time(inner, columns, FEWEST)
    step = next((n for n in range(most, FEWEST - 1, -1) if rows % n == 0), 0)
    if not step or most >= rows:
        return lambda y, out: np.matmul(x, y, out=out)
    pieces = x.reshape(-1, step, inner)
    return lambda y, out: np.matmul(pieces, y, out=out.reshape(-1, step, columns))


def matmul(x: Array, y: Array, out: Array) -> Array:
    """Write `x @ y` into `out`: tall matrices (..., rows, inner), with small ones (..., inner, columns)."""
    rows, inner = x.shape[-2:]
    step = rows_at_a_time(inner, y.shape[-1])
    if not step or rows <= step:
        return np.matmul(x, y, out=out)
    (steps, rest), (places, place) = in_steps(x, step), in_steps(out, step)
    np.matmul(steps, y[..., None, :, :], out=places)
    if rest.shape[-2]:
        np.matmul(rest, y, out=place)
    return out


def matmul_wide(x: Array, y: Array) -> Array:
    """Return `x @ y`: small matrices (..., rows, inner), with wide ones (..., inner, columns)."""
    found = np.empty((*y.shape[:-2], x.shape[-2], y.shape[-1]), np.result_type(x, y))
    matmul(y.swapaxes(-1, -2), x.swapaxes(-1, -2), found.swapaxes(-1, -2))
    return found


def matmul_over_rows(x: Array, y: Array) -> Array:
    """Return the transpose of `x` times `y`: tall matrices (..., rows, columns) and (..., rows, out)."""
    rows, columns = x.shape[-2:]
    step = rows_at_a_time(columns, y.shape[-1])
    if not step or rows <= step:
        return x.swapaxes(-1, -2) @ y
    (steps, rest), (others, other) = in_steps(x, step), in_steps(y, step)
    total = (steps.swapaxes(-1, -2) @ others).sum(axis=-3)
    if rest.shape[-2]:
        total += rest.swapaxes(-1, -2) @ other
    return total


def stacked(x: Array, y: Array) -> Array:
    """Return `x @ y` for stacks of matrices of one shape (..., rows, inner) and (..., inner, columns).

    Threads share small ones, which OpenBLAS multiplies by one thread. For the scores of attention, 128 products of
    64 x 32 and 32 x 64 numbers, that takes 0.6 of the time on two cores, and a copy of what is transposed 0.8.
    """
    each = x.shape[-2] * x.shape[-1] * y.shape[-1]
    total, count = math.prod(x.shape[:-2]) * each, len(x)
    if each > MOST or total < STACKED:
        return x @ y
    out = np.empty((*x.shape[:-1], y.shape[-1]), np.result_type(x, y))
    turned = y.strides[-1] != y.itemsize and openblas.processor() in DIRECT

    def part(start: int, stop: int) -> None:
        right = y[start:stop]
        np.matmul(x[start:stop], np.ascontiguousarray(right) if turned else right, out=out[start:stop])

    share(part, count, -(-STACKED * count // total))
    return out
