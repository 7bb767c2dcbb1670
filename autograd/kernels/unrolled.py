"""Convolution by unrolled windows (im2col): every window copied, as the row of a matrix; for any stride and any groups.

A few images at a time, so that their windows stay in cache. The copy follows the order in memory of what it copies:
with channels last a window is a few runs of its channels; with channels first, as few channels lie, a matrix is written
number by number of the window, for all windows, in runs along the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autograd.kernels import products
from autograd.kernels.layout import FIRST, LAST, by_pixel, channels_last, new_images
from autograd.kernels.windows import Sizes, Windows

Array = Any
CACHED: Final = 1 << 21  # bytes of unrolled windows at a time: two threads with half of that wait more for one another


class Unrolled:
    """The windows of a few images at a time as matrices (groups, windows, numbers of a window).

    The numbers of a window are in the order (*kernel, channels) with channels last, else (channels, *kernel).
    """

    def __init__(self, windows: Windows, like: Array, groups: int, dtype: Any) -> None:
        """Prepare for images like these, in shape and order in memory."""
        self.windows, self.groups, self.dtype, self.last = windows, groups, dtype, channels_last(like)
        self.channels = like.shape[1] // groups
        self.numbers = self.channels * math.prod(windows.kernel)
        image = groups * self.numbers * math.prod(windows.out) * dtype.itemsize
        self.step = max(1, CACHED // max(1, image))
        self.padded: Any = None
        self.buffer = np.empty(0, dtype)

    def pieces(self, n: int) -> Iterator[slice]:
        """Yield the places of some images at a time, of n."""
        for a in range(0, n, self.step):
            yield slice(a, a + self.step)

    def matrices(self, weight: Array) -> Array:
        """Return a weight (O, C/groups, *kernel) as matrices (groups, numbers of a window, O/groups)."""
        split = weight.reshape(self.groups, len(weight) // self.groups, *weight.shape[1:])
        ordered = np.moveaxis(split, 2, -1) if self.last else split
        return ordered.reshape(self.groups, len(weight) // self.groups, self.numbers).swapaxes(1, 2)

    def kernels(self, matrices: Array, shape: Sizes) -> Array:
        """Undo `matrices`."""
        out, channels, *kernel = shape
        rows = matrices.swapaxes(1, 2)
        if self.last:
            return np.moveaxis(rows.reshape(out, *kernel, channels), -1, 1)
        return rows.reshape(shape)

    def of(self, images: Array) -> Array:
        """Return the windows of some images. They are good until the next call."""
        windows, axes = self.windows, len(self.windows.size)
        padded = self.pad(images)
        n = len(padded)
        along = [a * s for a, s in zip(padded.strides[2:], windows.stride, strict=True)]
        across = [a * d for a, d in zip(padded.strides[2:], windows.dilation, strict=True)]
        channel = padded.strides[1]
        view = as_strided(
            padded,
            (self.groups, self.channels, *windows.kernel, n, *windows.out),
            (self.channels * channel, channel, *across, padded.strides[0], *along),
            writeable=False,
        )
        if self.last:  # (groups, n, *out, *kernel, channels)
            view = view.transpose(0, *range(2 + axes, 3 + 2 * axes), *range(2, 2 + axes), 1)
        if len(self.buffer) < view.size:
            self.buffer = np.empty(view.size, self.dtype)
        copied = self.buffer[: view.size]
        np.copyto(copied.reshape(view.shape), view)
        count = n * math.prod(windows.out)
        if self.last:
            return copied.reshape(self.groups, count, self.numbers)
        return copied.reshape(self.groups, self.numbers, count).swapaxes(1, 2)

    def pad(self, images: Array) -> Array:
        """Return the images with their padding, in a buffer whose borders stay zero."""
        windows = self.windows
        if not any((*windows.before, *windows.after)):
            return images
        if self.padded is None or len(self.padded) < len(images):
            self.padded = new_images(
                LAST if self.last else FIRST, (*images.shape[:2], *windows.padded), self.dtype, np.zeros
            )
        padded = self.padded[: len(images)]
        place, part = windows.inside()
        padded[place] = images[part]
        return padded

    def results(self, images: Array) -> Array:
        """Return results (n, O, *out) as matrices (groups, windows, O/groups)."""
        out, count = images.shape[1], images.shape[0] * math.prod(images.shape[2:])
        if channels_last(images):
            rows = np.ascontiguousarray(by_pixel(images), self.dtype)
            return rows.reshape(count, self.groups, out // self.groups).swapaxes(0, 1)
        columns = np.ascontiguousarray(images.swapaxes(0, 1), self.dtype)
        return columns.reshape(self.groups, out // self.groups, count).swapaxes(1, 2)


def by_window(images: Array, groups: int) -> Array:
    """Return images (N, C, *size) as (groups, N, *size, C/groups) if their channels are last, else the last one second.

    Shares memory.
    """
    n, channels, *size = images.shape
    if channels_last(images):
        return np.moveaxis(by_pixel(images).reshape(n, *size, groups, channels // groups), -2, 0)
    return images.swapaxes(0, 1).reshape(groups, channels // groups, n, *size)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, groups: int, out: Array) -> None:
    """Write the convolution of images with weights (O, C/groups, *kernel), plus the bias (O,) if not None, to `out`."""
    each = len(weight) // groups
    last = channels_last(out)
    added = bias
    if bias is not None and last:  # along whole lines where it can be: each pixel is a short loop
        width = windows.out[-1] if groups == 1 else 1
        added = np.tile(bias.reshape(groups, *(1,) * len(windows.size), 1, each), (width, 1))
    elif bias is not None:
        added = bias.reshape(groups, each, 1, *(1,) * len(windows.size))

    unrolled = Unrolled(windows, x, groups, out.dtype)
    matrices = unrolled.matrices(weight)
    for some in unrolled.pieces(len(x)):
        read, place = unrolled.of(x[some]), by_window(out[some], groups)
        if last:
            found = products.matmul(read, matrices, np.empty((*read.shape[:-1], each), out.dtype))
        else:
            found = products.matmul_wide(matrices.swapaxes(1, 2), read.swapaxes(1, 2))
        if added is None:
            place[...] = found.reshape(place.shape)
        else:
            np.add(found.reshape(place.shape), added, out=place)


def correlate_back(g: Array, weight: Array, windows: Windows, groups: int, images: Array) -> None:
    """Write the transpose of `correlate` to `images` (N, C, *size): what the gradient of results sends there."""
    each = weight.shape[1]
    last = channels_last(images)
    place, part = windows.inside()

    if min(windows.before + windows.after) < 0:
        images[...] = 0
    unrolled = Unrolled(windows, images, groups, images.dtype)
    matrices = unrolled.matrices(weight)
    for some in unrolled.pieces(len(g)):
        sent = unrolled.results(g[some])
        n = len(g[some])
        padded = new_images(LAST if last else FIRST, (n, groups * each, *windows.padded), images.dtype, np.zeros)
        landing = by_window(padded, groups)
        if last:
            room = np.empty((*sent.shape[:-1], unrolled.numbers), images.dtype)
            spread = products.matmul(sent, matrices.swapaxes(1, 2), room)
            spread = spread.reshape(groups, n, *windows.out, *windows.kernel, each)
            for at, under in windows.taps():
                landing[(*under, slice(None))] += spread[(..., *at, slice(None))]
        else:
            spread = products.matmul_wide(matrices, sent.swapaxes(1, 2))
            spread = spread.reshape(groups, each, *windows.kernel, n, *windows.out)
            for at, under in windows.taps():
                landing[under] += spread[(slice(None), slice(None), *at)]
        images[some][part] = padded[place]


def weight_gradient(x: Array, g: Array, windows: Windows, groups: int, shape: Sizes, dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C/groups, *kernel) from that of the results."""
    unrolled = Unrolled(windows, x, groups, np.dtype(dtype))
    total = np.zeros((groups, unrolled.numbers, shape[0] // groups), dtype)
    for some in unrolled.pieces(len(x)):
        total += products.matmul_over_rows(unrolled.of(x[some]), unrolled.results(g[some]))
    return unrolled.kernels(total, shape)
