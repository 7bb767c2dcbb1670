"""Normalisation of the columns of a matrix: batch norm of images whose channels lie last in memory.

Rows are short, C numbers, and a loop over each would cost more than it computes. So some rows are taken as one long
row, with what belongs to the columns repeated along it, and sums run over long rows. A piece at a time goes through all
steps while it is in cache. For (32, 16, 32, 32) it takes 0.4 of the time of sums and products over the axes of an array
with channels first, forward and backward.

Means are subtracted first only where one is far from zero: that takes a pass more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.blocks import in_pieces
from autograd.kernels.moments import centre_of, kept_shape, sum_of_rows

Array = Any
# Numbers of a row, or up to twice as many. NumPy's loops take a shorter one, repeated along others, through a buffer of
# so many numbers: a batch norm takes 0.85 of the time without. In one of 256 places in memory such a loop takes seven
# times as long as in the others.
LONG: Final = 8192
CACHED: Final = 1 << 20  # bytes of one array to work on at a time


def as_matrix(x: Array, axes: tuple[int, ...]) -> Array:
    """Return `x` as a matrix with a column for each thing kept, if it lies so in memory and one axis is; else None."""
    if len(axes) != x.ndim - 1:
        return None
    ordered = x.transpose(kept_last(axes))
    return ordered.reshape(-1, ordered.shape[-1]) if ordered.flags.c_contiguous and x.size else None


@functools.lru_cache(maxsize=64)
def kept_last(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return axes with the one after them that is not among them."""
    return (*axes, next(axis for axis in range(len(axes) + 1) if axis not in axes))


def weight_shape(x: Array, axes: tuple[int, ...]) -> list[int]:
    """Return the shape of a weight that goes with the columns."""
    return kept_shape(x, axes)


class Columns:
    """A matrix of (rows, columns) as long rows, in pieces that fit a cache, shared among threads."""

    def __init__(self, matrix: Array) -> None:
        rows, self.columns = matrix.shape
        self.fold = 1
        while rows % (2 * self.fold) == 0 and self.fold * self.columns < LONG:
            self.fold *= 2
        self.long = self.fold * self.columns
        self.count, self.dtype = rows // self.fold, matrix.dtype

    def rows(self, matrix: Array) -> Array:
        """Return a matrix of the same shape in long rows."""
        return matrix.reshape(self.count, self.long)

    def along(self, values: Array) -> Array:
        """Return a number for each column as one for each place in a long row."""
        long = np.empty((self.fold, self.columns), self.dtype)
        long[...] = values
        return long.reshape(self.long)

    def each(self, work: Callable[[slice], Any]) -> list[Any]:
        """Return what `work` returns for the place of each piece among the long rows. The threads share them."""
        return in_pieces(work, self.count, self.count * self.long, CACHED // self.dtype.itemsize)

    def means(self, work: Callable[[slice], tuple[Array, ...]]) -> Array:
        """Return each column's mean, as float64 or better, of matrices whose sums of long rows `work` returns."""
        parts = np.array(self.each(work), np.result_type(self.dtype, float))  # (pieces, sums, numbers of a long row)
        sums = parts[0] if len(parts) == 1 else parts.sum(axis=0)
        return np.ones(self.fold) @ sums.reshape(-1, self.fold, self.columns) / (self.count * self.fold)


def total_of_products(x: Array, y: Array) -> Array:
    return np.einsum("ij,ij->j", x, y)


def normalize(matrix: Array, weight: Array, bias: Array, eps: float, out: Array) -> tuple[Array, Array, Array]:
    """Write the normalised columns, times `weight` and plus `bias` if not None, to `out`.

    Returns each column's mean, variance, and 1 / sqrt(variance + eps).
    """
    columns, dtype = Columns(matrix), matrix.dtype
    x, result = columns.rows(matrix), columns.rows(out)
    with np.errstate(all="ignore"):  # what overflows here is done again, after centring
        mean, squares = columns.means(lambda piece: (sum_of_rows(x[piece]), total_of_products(x[piece], x[piece])))
        var = squares - mean * mean
        centre = centre_of(mean, var)
    far, offset = centre is not None, mean
    if far:
        centre = centre.astype(dtype)
        by_centre = columns.along(centre)

        def moments(piece: slice) -> tuple[Array, Array]:
            centered = x[piece] - by_centre
            return sum_of_rows(centered), total_of_products(centered, centered)

        offset, squares = columns.means(moments)  # the mean itself is rounded, and so not quite that of what is left
        mean, var = centre + offset, np.maximum(squares - offset * offset, 0)
    scale = 1 / np.sqrt(var + eps)
    factor = scale if weight is None else scale * weight
    by_factor, added = columns.along(factor), columns.along((0 if bias is None else bias) - offset * factor)

    def finish(piece: slice) -> None:
        done = result[piece]
        centered = np.subtract(x[piece], by_centre, out=done) if far else x[piece]
        np.multiply(centered, by_factor, out=done)
        done += added

    columns.each(finish)
    return mean.astype(dtype), var.astype(dtype), scale.astype(dtype)


def gradients(
    g: Array, matrix: Array, mean: Array, scale: Array, weight: Array, out: Array | None
) -> tuple[Array, Array]:
    """Write the gradient of the matrix to `out` if not None; return those of the weight and of the bias."""
    columns, dtype = Columns(matrix), matrix.dtype
    x, sent, n = columns.rows(matrix), columns.rows(g), len(matrix)
    with np.errstate(all="ignore"):
        centre = centre_of(mean, scale**-2)
    far = centre is not None
    if far:
        by_centre = columns.along(centre)

    def sums(piece: slice) -> tuple[Array, Array]:
        centered = x[piece] - by_centre if far else x[piece]
        return sum_of_rows(sent[piece]), total_of_products(centered, sent[piece])

    sent_mean, product = columns.means(sums)
    offset, scale = (mean - centre if far else mean).astype(product.dtype), scale.astype(product.dtype)
    product -= offset * sent_mean
    to_weight, to_bias = (scale * product * n).astype(dtype), (sent_mean * n).astype(dtype)
    if out is None:
        return to_weight, to_bias
    result = columns.rows(out)
    slope = scale**2 * product
    by_slope, added = columns.along(slope), columns.along(sent_mean - slope * offset)
    by_factor = columns.along(scale if weight is None else scale * weight)

    def finish(piece: slice) -> None:
        done = result[piece]
        centered = np.subtract(x[piece], by_centre, out=done) if far else x[piece]
        np.multiply(centered, by_slope, out=done)
        done += added
        np.subtract(sent[piece], done, out=done)
        done *= by_factor

    columns.each(finish)
    return to_weight, to_bias
