"""Convolution over whole rows of small images with few channels: products with the kernel as a band among zeros.

A row of results depends on as many rows of the image as the kernel has. With images as (N, H, C, W) in memory those lie
one after the other, and the kernel is a matrix from all their numbers to all of the row of results: its numbers along
a band, and zeros. So a convolution is one product, for which whole rows are copied. Most of it is with zeros; but a
processor multiplies dozens of numbers in the time in which it copies one of them to its place in a window (im2col).
Results stay in that order, in which pooling has longer loops too: a LeNet takes 0.9 of the time so.

On two cores and 64 images, the two layers of LeNet take two thirds of the time that they take by `planes` and
`unrolled`, forward and backward.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from autograd.kernels.layout import by_row
from autograd.kernels.moments import is_finite
from autograd.kernels.windows import Windows
from autograd.threads import share

Array = Any
MOST: Final = 52  # multiply-adds for each number that im2col would copy
WIDE: Final = 6  # pixels of a row for each of the kernel's
LARGEST: Final = 1 << 20  # numbers of a band
# Multiply-adds for which a thread is worth its start; with fewer it is quicker to leave the product to OpenBLAS's
# threads, and copy beforehand: a LeNet takes 0.96 of the time so.
WORTH: Final = 1 << 26


def suits(windows: Windows, shape: tuple[int, ...]) -> bool:
    """Whether a convolution with weights of `shape` is one that bands can do and do more quickly."""
    width, kernel = windows.size[-1], windows.kernel[-1]
    return (
        len(windows.kernel) == 2
        and kernel > 1
        and set(windows.stride + windows.dilation) == {1}
        and min(windows.before + windows.after) >= 0
        and width * shape[0] <= MOST * kernel
        and width <= WIDE * kernel
        and numbers(windows, shape) <= LARGEST
    )


def numbers(windows: Windows, shape: tuple[int, ...]) -> int:
    """Return how many numbers a band has, for weights of `shape`."""
    out, channels, rows, _ = shape
    return channels * rows * windows.size[-1] * out * windows.out[-1]


def worth(windows: Windows, shape: tuple[int, ...]) -> int:
    """Return how many images are worth a thread, for weights of `shape`."""
    return 1 + WORTH // max(1, numbers(windows, shape) * windows.out[0])


class Band:
    """The numbers of kernels (O, C, *kernel) among zeros: a matrix (kernel rows * C * W, O * out)."""

    def __init__(self, windows: Windows, weight: tuple[int, ...], dtype: Any) -> None:
        out, channels, rows, width = weight
        padded, results = windows.padded[1], windows.out[1]
        before, size = windows.before[1], windows.size[1]
        self.wide = np.zeros((rows, channels, padded, out, results), dtype)
        self.seen = self.wide[:, :, before : before + size]
        self.shape = rows * channels * size, out * results
        row, channel, pixel, kernel, result = self.wide.strides
        # Each number of the kernel where it is multiplied, for all results: (O, C, *kernel, out).
        # By the constructor, here and below: `as_strided` takes 5 to 15 µs, eleven times in a LeNet's step of 7 ms.
        shape, strides = (out, channels, rows, width, results), (kernel, channel, row, pixel, pixel + result)
        self.taps = np.ndarray(shape, self.wide.dtype, self.wide, 0, strides)

    def matrix(self, weight: Array) -> Array:
        self.taps[...] = weight[..., None]
        return self.seen.reshape(self.shape)

    def kernels(self, matrix: Array) -> Array:
        """Return the gradient of the kernels from that of the matrix: the transpose of `matrix`."""
        self.seen[...] = matrix.reshape(self.seen.shape)
        return self.taps.sum(axis=-1)


def rows_of(x: Array, windows: Windows, dtype: Any) -> Array:
    """Return what each row of results depends on, as a matrix (N * out rows, kernel rows * C * W)."""
    n, channels, height, width = x.shape
    top = windows.before[0]
    padded = np.empty((n, windows.padded[0], channels, width), dtype)
    padded[:, :top] = padded[:, top + height :] = 0
    padded[:, top : top + height] = by_row(x)
    image, row, _, number = padded.strides
    read = windows.kernel[0] * channels * width
    seen: Array = np.ndarray((n, windows.out[0], read), padded.dtype, padded, 0, (image, row, number))
    return seen.reshape(n * windows.out[0], read)


def all_finite(images: Array) -> bool:
    """Return `is_finite`, which is quicker where numbers lie in order."""
    return is_finite(images if images.flags.c_contiguous else by_row(images))


def matrix_of(images: Array, dtype: Any) -> Array:
    """Return results as a matrix (N * rows, C * W)."""
    return np.ascontiguousarray(by_row(images), dtype).reshape(-1, images.shape[1] * images.shape[3])


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> bool:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`, by row.

    Returns whether it could: an Inf or NaN in the images would be spread along its row by the band's zeros.
    """
    matrix = Band(windows, weight.shape, out.dtype).matrix(weight)
    added = None if bias is None else np.repeat(bias.astype(out.dtype, copy=False), windows.out[1])
    results = by_row(out).reshape(-1, windows.out[0], matrix.shape[1])

    def part(start: int, stop: int) -> bool:
        if not all_finite(x[start:stop]):
            return False
        place = results[start:stop].reshape(-1, matrix.shape[1])
        np.matmul(rows_of(x[start:stop], windows, out.dtype), matrix, out=place)
        if added is not None:
            place += added
        return True

    return all(share(part, len(x), worth(windows, weight.shape)))


def correlate_back(g: Array, weight: Array, windows: Windows, images: Array) -> bool:
    """Write the transpose of `correlate` to `images` (N, C, H, W), by row: what the gradient of results sends there.

    Returns whether it could, as `correlate` does.
    """
    matrix = Band(windows, weight.shape, images.dtype).matrix(weight)
    channels, (height, width) = images.shape[1], windows.size
    top, rows = windows.before[0], windows.out[0]

    def part(start: int, stop: int) -> bool:
        if not all_finite(g[start:stop]):
            return False
        sent = matrix_of(g[start:stop], images.dtype) @ matrix.T
        sent = sent.reshape(stop - start, rows, windows.kernel[0], channels, width)
        place = by_row(images[start:stop])
        padded = (
            place
            if height == windows.padded[0]
            else np.empty((stop - start, windows.padded[0], channels, width), images.dtype)
        )
        padded[...] = 0
        for i in range(windows.kernel[0]):
            padded[:, i : i + rows] += sent[:, :, i]
        if padded is not place:
            place[...] = padded[:, top : top + height]
        return True

    return all(share(part, len(g), worth(windows, weight.shape)))


def weight_gradient(x: Array, g: Array, windows: Windows, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the results."""

    def part(start: int, stop: int) -> Array:
        with np.errstate(all="ignore"):  # what belongs to no number of the kernel may overflow
            return rows_of(x[start:stop], windows, dtype).T @ matrix_of(g[start:stop], dtype)

    return Band(windows, shape, dtype).kernels(sum(share(part, len(x), worth(windows, shape))))
