"""Minimal filtering: two rows of a convolution's results from few products of sums of rows.

A kernel of k rows takes k products for each row of results, 2 k for two. Two together take k + 1 (Winograd 1980; Lavin
and Gray 2016, https://arxiv.org/abs/1509.09308): of sums of the image's rows with sums of the kernel's, and the results
are sums of the products. Each still depends on no rows but those that its window sees: where these are zero it is zero,
and a large number nearby costs it no digits. More than two rows together would take fewer products yet (four of a
kernel of three take six, and a ResNet-20 0.92 of the time), but each would have rounding errors of them all. The rows
of a kernel's gradient do have: they are sums of the same products, each as exact as the largest of them is.

A few sums of long rows are a matrix product with a small matrix: half the time of NumPy's sums of arrays, and one call.
"""

from __future__ import annotations

import functools
import itertools
import operator
from typing import Any, Final, NamedTuple

import numpy as np

from autograd.kernels.windows import Sizes, Windows

Array = Any
WHOLE: Final = slice(None)
POINTS: Final = (0.0, 1.0, -1.0, 0.5, -2.0)  # and infinity: those of the least error for six products
TOGETHER: Final = 2  # rows of results


class Filtering(NamedTuple):
    """How the rows of a kernel are multiplied: products of sums of its rows with sums of an image's.

    `rows` of results are computed together. `inputs` is what each product has of the rows of an image, (products,
    rows + kernel - 1), or None if it has each as it is. `filters` is what it has of the rows of the kernel, (products,
    kernel), and `results` what the results have of it, (rows, products). The transposes lead back.
    """

    rows: int
    inputs: Array
    filters: Array
    results: Array

    @property
    def products(self) -> int:
        return len(self.filters)

    @property
    def span(self) -> int:
        """Rows of an image that results which are computed together see, or that are laid out one by one."""
        return 1 if self.inputs is None else len(self.inputs)

    @property
    def sources(self) -> int:
        """Of how many products the gradients are apart; 1 where that of the result is the gradient of each."""
        return self.rows if self.inputs is None else self.products

    def in_dtype(self, dtype: Any) -> Filtering:
        return Filtering(self.rows, *(None if m is None else m.astype(dtype) for m in self[1:]))


@functools.cache
def minimal(kernel: int) -> Filtering:
    """Return minimal filtering for so many rows of a kernel.

    As polynomials, rows of an image have the transpose of a product with those of the kernel. That is found from its
    values at some points. With 0 and infinity among them, each of two results depends on its own rows alone.
    """
    rows = TOGETHER
    points = np.array(POINTS[: rows + kernel - 2])
    others = [np.delete(points, i) for i in range(len(points))]
    scales = [np.prod(p - rest) for p, rest in zip(points, others, strict=True)]
    powers = np.vander(points, max(rows, kernel), increasing=True)
    at_infinity = np.eye(1, rows, rows - 1), np.eye(1, kernel, kernel - 1)
    results = np.concatenate([powers[:, :rows], at_infinity[0]]).T
    filters = np.concatenate([powers[:, :kernel] / np.array(scales)[:, None], at_infinity[1]])
    inputs = np.zeros((len(filters), len(filters)))
    for row, roots in zip(inputs, [*others, points], strict=True):
        row[: len(roots) + 1] = np.poly(roots)[::-1]
    return Filtering(rows, inputs, filters, results)


@functools.cache
def direct(kernel: int) -> Filtering:
    """Return a product for each row of a kernel."""
    return Filtering(1, None, np.eye(kernel), np.ones((1, kernel)))


@functools.lru_cache(maxsize=256)
def filtering_of(windows: Windows) -> Filtering:
    """Return that which suits a kernel: minimal filtering up to five rows, whose error grows with the points."""
    kernel = windows.kernel[0]
    few = 1 < kernel <= len(POINTS) and windows.dilation[0] == 1 and windows.out[0] > 1
    return minimal(kernel) if few else direct(kernel)


def combine(matrix: Array, rows: Array, out: Array) -> None:
    """Write sums of rows to `out`: the product of a matrix, or of many, with (..., rows, numbers)."""
    if matrix.shape[-1] == 1:  # where NumPy would not ask BLAS
        np.multiply(matrix, rows, out=out)
    else:
        np.matmul(matrix, rows, out=out)


class Rows:
    """Images by their rows, some images at a time; copied unless they lie in memory so, without gaps."""

    def __init__(self, pixels: Array, span: int, dtype: Any) -> None:
        """Prepare for pixels (n, rows, *middle, width, C), and `span` rows from each on."""
        self.pixels, self.span, self.dtype = pixels, span, dtype
        self.whole = pixels.flags.c_contiguous and pixels.dtype == dtype
        self.some: Any = None
        if self.whole:
            self.rows, self.spans = self.views(self.pixels)

    def views(self, pixels: Array) -> tuple[Array, Array]:
        """Return (n, *middle, rows, numbers of a line) and (n, *middle, starts, span, numbers of a line)."""
        rows, spans = (
            np.ndarray(shape, self.dtype, pixels, 0, strides)
            for shape, strides in view_layouts(pixels.shape, self.span, pixels.itemsize)
        )
        return rows, spans

    def at(self, some: slice, part: Part) -> Array:
        """Return a part of some images."""
        if not self.whole:
            if some != self.some:
                self.some = some
                self.rows, self.spans = self.views(np.ascontiguousarray(self.pixels[some], self.dtype))
            some = slice(None)
        return self.spans[some, ..., part.at, :, :] if part.cut is WHOLE else self.rows[some, ..., part.at, :]


@functools.lru_cache(maxsize=256)
def view_layouts(shape: Sizes, span: int, number: int) -> tuple[tuple[Sizes, Sizes], tuple[Sizes, Sizes]]:
    """Return shapes and strides of rows, and of spans, of pixels (n, *size, C) without gaps."""
    n, count, *middle, width, channels = shape
    line = width * channels
    *steps, row = itertools.accumulate((line * number, *middle[::-1]), operator.mul)
    image, steps = row * count, steps[::-1]
    rows = (n, *middle, count, line), (image, *steps, row, number)
    starts = max(0, count - span + 1)
    return rows, ((n, *middle, starts, span, line), (image, *steps, row, row, number))


class Part(NamedTuple):
    """Some groups of rows: their `place` in a room, and the rows of images that they begin `at`.

    Or a single group of which some rows, `cut`, are `at` the images, the others beyond.
    """

    place: Array
    at: slice
    cut: slice = WHOLE


def parts(room: Array, starts: range, span: int, size: int) -> list[Part]:
    """Return the parts of images of `size` rows that groups of `span` rows from each of `starts` on have.

    `room` (..., groups, rows, numbers) has their places; those of groups that have no part become zero.
    """
    found = []
    whole = [i for i, start in enumerate(starts) if 0 <= start <= size - span]
    if whole:
        i, j = whole[0], whole[-1]
        found.append(Part(room[..., i : j + 1, :, :], slice(starts[i], starts[j] + 1, starts.step)))
    for i, start in enumerate(starts):
        a, b = max(start, 0), min(start + span, size)
        if a >= b:
            room[..., i, :, :] = 0
        elif b - a < span:
            found.append(Part(room[..., i, :, :], slice(a, b), slice(a - start, b - start)))
    return found
