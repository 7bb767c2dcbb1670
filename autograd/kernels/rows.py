"""Normalisation of the rows of a matrix, a weight for each column: layer norm.

A row is short, and so each loop over rows with a number for each of them costs more than it computes. As few as can be
are left: sums over rows and over columns are matrix products with vectors, and what is a number for each row times one
for each column is one of rank one. A piece at a time goes through all steps while it is in cache. Layer norm of
1,024 x 128 numbers, forward and backward, takes 0.8 of the time of sums and products over axes, 512 x 1,024 0.7.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from autograd.blocks import in_pieces
from autograd.kernels.moments import LONG, centre_of, rows_of, sum_of_rows

Array = Any
LEAST: Final = 1 << 15  # numbers for which it pays
PIECE: Final = 1 << 17  # numbers to work on at a time


def as_matrix(x: Array, axes: tuple[int, ...]) -> Array:
    """Return `x` as a matrix with a short row for each thing normalised, if it lies so and is large; else None."""
    found = rows_of(x, axes)
    if found is None or x.size < LEAST or found.shape[-1] > LONG or x.dtype.char not in "fd":
        return None
    return found.reshape(-1, found.shape[-1])


def weight_shape(x: Array, axes: tuple[int, ...]) -> list[int]:
    """Return the shape of a weight that goes with the rows."""
    return [n if axis in axes else 1 for axis, n in enumerate(x.shape)]


def outer(*pairs: tuple[Any, Array], out: Array) -> Array:
    """Write the sum of the outer products of one or two pairs of vectors to `out`; 1 is a vector of ones.

    As a product of matrices it takes a quarter of the time of one by broadcasting. One pair is taken for two: where the
    inner dimension is 1, NumPy does not ask BLAS.
    """
    by_row, by_column = (np.zeros((2, n), out.dtype) for n in out.shape)
    for i, (row, column) in enumerate(pairs):
        by_row[i], by_column[i] = row, column
    return np.matmul(by_row.T, by_column, out=out)


def normalize(matrix: Array, weight: Array, bias: Array, eps: float, out: Array) -> tuple[Array, Array, Array]:
    """Write the normalised rows, times `weight` and plus `bias`, to `out`.

    Returns each row's mean, variance, and 1 / sqrt(variance + eps).
    """
    (rows, n), dtype = matrix.shape, matrix.dtype
    mean, var, scale = (np.empty(rows, dtype) for _ in range(3))
    ones = np.ones(n, dtype)
    weight = ones if weight is None else weight
    bias = np.zeros(n, dtype) if bias is None else bias

    def work(some: slice) -> None:
        x, done = matrix[some], out[some]
        middle = mean[some] = x @ ones / n
        with np.errstate(all="ignore"):  # what overflows here is done again
            spread = np.vecdot(x, x) / n - middle * middle
            centre = centre_of(middle, spread)
        if centre is not None:
            x = x - centre[:, None]
            middle = middle - centre
            spread = np.where(centre, np.vecdot(x, x) / n - middle * middle, spread)
        var[some] = spread
        factor = scale[some] = 1 / np.sqrt(spread + dtype.type(eps))
        outer((factor, weight), out=done)
        done *= x
        done += outer((1, bias), (-middle * factor, weight), out=np.empty_like(done))

    in_pieces(work, rows, matrix.size, PIECE)
    return mean, var, scale


def gradients(
    g: Array, matrix: Array, mean: Array, scale: Array, weight: Array, out: Array | None
) -> tuple[Array, Array]:
    """Write the gradient of the matrix to `out` if not None; return those of the weight and of the bias."""
    rows, n = matrix.shape
    weight = np.ones(n, matrix.dtype) if weight is None else weight

    def work(some: slice) -> tuple[Array, Array]:
        x, sent, middle, factor = matrix[some], g[some], mean[some], scale[some]
        with np.errstate(all="ignore"):
            centre = centre_of(middle, factor**-2)
        if centre is not None:
            x, middle = x - centre[:, None], middle - centre
        product = x * sent
        to_weight = factor @ product - (middle * factor) @ sent
        to_bias = sum_of_rows(sent)
        if out is not None:
            sum_of_sent = sent @ weight
            slope = factor * (product @ weight - middle * sum_of_sent) / n * factor * factor
            done = outer((factor, weight), out=out[some])
            done *= sent
            product = outer((slope, 1), out=product)
            product *= x
            product += (factor * sum_of_sent / n - slope * middle)[:, None]
            done -= product
        return to_weight, to_bias

    found = in_pieces(work, rows, matrix.size, PIECE)
    to_weight, to_bias = (sum(parts) for parts in zip(*found, strict=True))
    return to_weight, to_bias
