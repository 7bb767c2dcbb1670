"""Convolution over planes of pixels, channels first, for few channels: windows are copied by whole planes.

Each channel of a few images is laid out with its padding as one long run of pixels: line after line, where the lines of
all images that share a row come together, and neighbours share their padding. What one place in the kernel reads, at
all windows, is then the same run some pixels further on. So to unroll the windows (im2col) copies long runs, one for
each place and channel, and to send gradients back adds such runs. Where a window reaches over the end of a line the
result means nothing, and is dropped.

On one core, the first layer of LeNet takes 0.76 of the time of unrolling line by line, and the gradient of the second
layer's input 0.5. The gradient of a kernel gains nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autograd.kernels.products import matmul_wide
from autograd.kernels.windows import Windows

Array = Any
CACHED: Final = 1 << 21  # bytes of unrolled windows at a time


class Planes:
    """How a convolution of stride 1 goes over the images, a few at a time."""

    def __init__(self, windows: Windows, channels: int, n: int, dtype: Any) -> None:
        self.windows, self.channels, self.dtype = windows, channels, dtype
        self.numbers = channels * math.prod(windows.kernel)
        rows = (*windows.out[:-1][:1], *windows.padded[1:-1])
        image = self.numbers * math.prod(rows) * windows.pitch * dtype.itemsize
        self.images = max(1, min(n, CACHED // max(1, image)))
        # (rows, *middle, images, pixels): of a padded field, and of the places of the results.
        self.field = (*windows.padded[:-1], self.images, windows.pitch)
        self.grid = (*rows, self.images, windows.pitch)
        self.places = math.prod(self.grid)
        self.lead = max(windows.before[-1], 0)
        steps = [math.prod(self.field[axis + 1 :]) for axis in range(len(self.field) - 2)]
        # Pixels from a place in the kernel to the next, along each axis.
        self.steps = [d * s for d, s in zip(windows.dilation, (*steps, 1), strict=True)]
        self.reach = sum(s * (k - 1) for s, k in zip(self.steps, windows.kernel, strict=True))

    def flat(self) -> Array:
        """Return a field of zeros, (channels, pixels), with room for what the last windows read."""
        return np.zeros((self.channels, self.lead + math.prod(self.field) + self.reach), self.dtype)

    def images_in(self, flat: Array, n: int) -> Array:
        """Return where the first n images are in a field: (channels, rows, *middle, n, pixels)."""
        pixels = flat[:, self.lead :][:, : math.prod(self.field)].reshape(self.channels, *self.field)
        place, part = self.windows.inside()
        return pixels[(slice(None), *place[1:-1], slice(n), slice(part[-1].stop - part[-1].start))]

    def pieces(self, n: int) -> Iterator[slice]:
        """Yield the places of some images at a time, of n."""
        for a in range(0, n, self.images):
            yield slice(a, min(a + self.images, n))

    def part(self, images: Array) -> Array:
        """Return the part of images (n, C, *size) that windows see, in the order of a field."""
        return planes_first(images[self.windows.inside()[1]])

    def columns(self, flat: Array) -> Array:
        """Return the windows of a field as a matrix (numbers of a window, places)."""
        size = flat.itemsize
        shape = (self.channels, *self.windows.kernel, self.places)
        strides = (flat.strides[0], *(s * size for s in self.steps), size)
        return np.ascontiguousarray(as_strided(flat, shape, strides)).reshape(self.numbers, self.places)

    def results(self, matrix: Array, n: int) -> Array:
        """Return what means something in a matrix (O, places), in the order of a field."""
        *rows, pixels = self.windows.out
        valid = (slice(None), *map(slice, rows), slice(n), slice(pixels))
        return matrix.reshape(len(matrix), *self.grid)[valid]


def planes_first(images: Array) -> Array:
    """Return images (N, C, *size) as (channels, rows, *middle, images, pixels)."""
    return images.transpose(1, *range(2, images.ndim - 1), 0, images.ndim - 1)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> None:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`."""
    planes = Planes(windows, x.shape[1], len(x), out.dtype)
    matrix, flat = weight.reshape(len(weight), -1), planes.flat()
    added = None if bias is None else bias.reshape(-1, *(1,) * (x.ndim - 1))
    for some in planes.pieces(len(x)):
        n = some.stop - some.start
        planes.images_in(flat, n)[...] = planes.part(x[some])
        found, place = planes.results(matmul_wide(matrix, planes.columns(flat)), n), planes_first(out[some])
        if added is None:
            place[...] = found
        else:
            np.add(found, added, out=place)


def correlate_back(g: Array, weight: Array, windows: Windows, images: Array) -> None:
    """Write the transpose of `correlate` to `images` (N, C, *size): what the gradient of results sends there."""
    planes = Planes(windows, images.shape[1], len(g), images.dtype)
    matrix = np.ascontiguousarray(weight.reshape(len(weight), -1).T)
    sent: Array = np.zeros((len(weight), planes.places), images.dtype)
    if min(windows.before + windows.after) < 0:
        images[...] = 0
    for some in planes.pieces(len(g)):
        n = some.stop - some.start
        planes.results(sent, n)[...] = planes_first(g[some])
        spread = matmul_wide(matrix, sent).reshape(planes.channels, *windows.kernel, planes.places)
        flat = planes.flat()
        for at, _ in windows.taps():
            start = sum(i * s for i, s in zip(at, planes.steps, strict=True))
            flat[:, start : start + planes.places] += spread[(slice(None), *at)]
        planes.part(images[some])[...] = planes.images_in(flat, n)
