"""Convolution over lines of pixels, channels last: matrix products of the images as they lie, no windows copied.

The pixels of a few images are laid out with their padding one after the other, each as its run of channels: line after
line, where the lines of all images that share a row come together. A kernel of width k reads, at each pixel, k * C
numbers in a row, and what it reads at every k-th pixel is a matrix as it lies in memory: k such matrices, a pixel
apart, are all windows. The next row of the kernel reads the same matrices some lines further on. So

    out = sum, over the rows i of the kernel, of windows(i rows further on) @ weight[i]

copies an image once, for its padding. Neighbouring lines share theirs. Where a window reaches over the end of its line
the result means nothing; it is computed with the others (one pixel in W + 1 for a 3x3 kernel) and dropped.

Three rows of a kernel take four products for two rows of results instead of six by minimal filtering (Winograd 1980;
Lavin and Gray 2016, https://arxiv.org/abs/1509.09308), here along the rows only: its sums are those of whole rows.

Measured on one core against copying all windows for one product (im2col), 64 images: 0.66 of the time for 32 to 32
channels on 32x32 pixels, 0.68 for 64 to 64 on 16x16; without minimal filtering 0.86 and 0.92.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Final

import numpy as np

from autograd.kernels.windows import Sizes, Windows

Array = Any
BLOCK: Final = 1 << 21  # bytes of padded images at a time: half as much or twice cost some percent more


class Field:
    """A few padded images as lines of pixels: (rows, *middle, images, pixels, channels), flat, with some room behind.

    `lead` pixels come before the first, as padding on its left. `room` is for what is read beyond the last.
    """

    def __init__(self, shape: Sizes, lead: int, room: int, dtype: Any) -> None:
        channels = shape[-1]
        self.row = math.prod(shape[1:])
        self.count = shape[0]
        self.flat = np.zeros((lead + room) * channels + self.count * self.row, dtype)
        self.pixels = self.flat[lead * channels :][: self.count * self.row].reshape(shape)

    def rows(self) -> Array:
        """Return the rows as seen from the windows: each begins with its padding."""
        return self.flat[: self.count * self.row].reshape(self.count, self.row)


class Direct:
    """A kernel's rows as they are: a product for each."""

    together = 1  # rows of results that are computed together

    def __init__(self, rows: int, dilation: int) -> None:
        self.products = rows
        self.dilation = dilation

    def filters(self, taps: Array) -> Array:
        """Return what is multiplied for the rows of a kernel, which `taps` has along its first axis."""
        return taps

    def taps(self, filters: Array) -> Array:
        """Return the gradient of the taps from that of the filters: the transpose of `filters`."""
        return filters

    def inputs(self, field: Field, room: int) -> list[Array]:
        """Return what each filter is multiplied with, as flat arrays with `room` numbers behind."""
        return [field.flat[i * self.dilation * field.row :] for i in range(self.products)]

    def results(self, multiply: Callable[[int, Array], Array], buffers: Array) -> list[Array]:
        """Return the results, rows computed together apart; `multiply(i, room)` is the product of the i-th filter."""
        total = multiply(0, buffers[0])
        for i in range(1, self.products):
            total += multiply(i, buffers[1])
        return [total]

    def products_of(self, gradients: list[Array]) -> list[Array]:
        """Return the gradient of each product from that of the results: the transpose of `results`."""
        return gradients * self.products


class Minimal:
    """Three rows of a kernel by minimal filtering: four products for two rows of results."""

    together = 2
    products = 4

    def filters(self, taps: Array) -> Array:
        first, middle, last = taps
        half = (first + last) / 2
        return np.stack([first, half + middle / 2, half - middle / 2, last])

    def taps(self, filters: Array) -> Array:
        first, plus, minus, last = filters
        half = (plus + minus) / 2
        return np.stack([first + half, (plus - minus) / 2, half - last])

    def inputs(self, field: Field, room: int) -> list[Array]:
        rows, pairs = field.rows(), field.count // 2 - 1
        a, b, c, d = (rows[i : i + 2 * pairs : 2] for i in range(4))
        found = np.empty((4, pairs * field.row + room), rows.dtype)
        found[:, pairs * field.row :] = 0
        for (subtract_or_add, x, y), flat in zip(
            ((np.subtract, a, c), (np.add, b, c), (np.subtract, c, b), (np.subtract, b, d)), found, strict=True
        ):
            subtract_or_add(x, y, out=flat[: pairs * field.row].reshape(pairs, field.row))
        return list(found)

    def results(self, multiply: Callable[[int, Array], Array], buffers: Array) -> list[Array]:
        even, odd, minus, last = (multiply(i, buffers[i]) for i in range(4))
        even += odd
        even += minus
        odd -= minus
        odd -= last
        return [even, odd]

    def products_of(self, gradients: list[Array]) -> list[Array]:
        even, odd = gradients
        return [even, even + odd, even - odd, odd]  # the last with the other sign, as `taps` has it


class Lines:
    """How a convolution goes over `images` images and `rows` rows of results at a time."""

    def __init__(self, windows: Windows, channels: int, out: int, images: int, rows: int, dtype: Any) -> None:
        self.windows, self.channels, self.out, self.images, self.dtype = windows, channels, out, images, dtype
        self.width = windows.kernel[-1]
        self.way = way_of(windows)
        self.groups = -(-rows // self.way.together)  # of rows of results that are computed together
        self.pitch = windows.pitch
        self.middle = windows.padded[1:-1]
        line = images * math.prod(self.middle) * self.pitch
        self.runs = -(-self.groups * line // self.width)
        self.shifts = [0]  # how many pixels on each tap along a middle axis reads
        if self.middle:
            self.shifts = [i * windows.dilation[1] * images * self.pitch for i in range(windows.kernel[1])]
        field = (self.groups * self.way.together + windows.reach[0] - 1, *self.middle, images, self.pitch, channels)
        self.room = 2 * self.width + self.shifts[-1]  # what the last windows, which mean nothing, read
        self.field = Field(field, max(windows.before[-1], 0), self.room, dtype)

    def load(self, x: Array, row: int) -> list[Array]:
        """Return what the filters are multiplied with, from images (N, C, *size) and the padded row to begin with."""
        windows, field = self.windows, self.field
        top = windows.before[0] - row  # where the images begin
        first = min(max(top, 0), field.count)
        last = min(max(top + windows.size[0], first), field.count)
        field.pixels[:first] = 0
        field.pixels[last:] = 0
        field.pixels[..., len(x) :, :, :] = 0
        place, part = windows.inside()
        pixels = slice(part[-1].stop - part[-1].start)
        seen = lines_first(x[(..., slice(first - top, last - top), *part[2:])])
        field.pixels[(slice(first, last), *place[2:-1], slice(len(x)), pixels)] = seen
        return self.way.inputs(field, self.room * self.channels)

    def matrices(self, flat: Array, shift: int) -> Array:
        """Return the windows as matrices (width, runs, width * channels) of shared memory."""
        size, run = flat.itemsize, self.width * self.channels
        strides = (self.channels * size, run * size, size)
        return np.ndarray((self.width, self.runs, run), flat.dtype, flat, shift * self.channels * size, strides)

    def by_run(self, flat: Array) -> Array:
        """Return results, or room for them, as matrices (width, runs, O) that belong to those of `matrices`."""
        return flat.reshape(self.runs, self.width, self.out).transpose(1, 0, 2)

    def buffers(self, count: int) -> Array:
        """Return room for results: zeros, which stay where no results are written."""
        return np.zeros((count, self.runs * self.width * self.out), self.dtype)

    def products(self, inputs: list[Array], filters: Array, buffers: Array) -> list[Array]:
        """Return the results, rows computed together apart, from what `load` returned; they are good until the next."""

        def multiply(i: int, found: Array) -> Array:
            np.matmul(self.matrices(inputs[i], 0), filters[i, 0], out=self.by_run(found))
            for shift, matrix in zip(self.shifts[1:], filters[i, 1:], strict=True):
                self.by_run(found)[...] += self.matrices(inputs[i], shift) @ matrix
            return found

        return self.way.results(multiply, buffers)

    def pairs(self, flats: Iterable[Array], images: Array) -> Iterator[tuple[Array, Array]]:
        """Yield what means something in buffers of results beside the rows of `images` (N, O, *out) it belongs to."""
        shape = (self.groups, *self.middle, self.images, self.pitch, self.out)
        size = math.prod(shape)
        for i, flat in enumerate(flats):
            rows = lines_first(images)[i :: self.way.together]
            yield flat[:size].reshape(shape)[tuple(map(slice, rows.shape))], rows


def way_of(windows: Windows) -> Any:
    """Return how the rows of a kernel are multiplied."""
    if windows.kernel[0] == 3 and windows.dilation[0] == 1 and windows.out[0] > 1:
        return Minimal()
    return Direct(windows.kernel[0], windows.dilation[0])


def lines_first(images: Array) -> Array:
    """Return images (N, C, *size) in the order of a field: (rows, *middle, images, pixels, channels)."""
    return images.transpose(*range(2, images.ndim - 1), 0, images.ndim - 1, 1)


def tiles(windows: Windows, n: int, bytes_of_pixel: int) -> tuple[int, int, list[tuple[slice, slice]]]:
    """Return how many images and rows of results go at a time, so that they fit a cache, and the places of both."""
    image = math.prod(windows.padded) * bytes_of_pixel
    bands = min(-(-image // BLOCK), windows.out[0])
    rows = -(-windows.out[0] // bands)
    rows += rows % 2  # so that pairs stay together
    images = max(1, -(-n // -(-n * image // BLOCK))) if bands == 1 else 1
    starts = product(range(0, n, images), range(0, windows.out[0], rows))
    return images, rows, [(slice(a, a + images), slice(b, b + rows)) for a, b in starts]


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> bool:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`.

    Returns whether all went well: an Inf or NaN would also get to where it does not belong, by the sums of rows.
    """
    count, channels = weight.shape[:2]
    taps = np.moveaxis(weight, (1, 0), (-2, -1)).astype(out.dtype, copy=False)
    taps = taps.reshape(windows.kernel[0], math.prod(windows.kernel[1:-1]), windows.kernel[-1] * channels, count)
    filters = way_of(windows).filters(taps)
    # Along whole lines: a loop over the channels of each pixel would be a short one.
    added = None if bias is None else np.tile(bias.astype(out.dtype, copy=False), (windows.out[-1], 1))
    images, rows, places = tiles(windows, len(x), channels * out.itemsize)
    lines, finite = Lines(windows, channels, count, images, rows, out.dtype), True
    buffers = lines.buffers(max(2, lines.way.products))
    with np.errstate(all="ignore"):  # what means nothing may overflow
        for some, band in places:
            results = lines.products(lines.load(x[some], band.start), filters, buffers)
            finite = finite and all(np.isfinite(result.sum()) for result in results)
            for found, place in lines.pairs(results, out[some, :, band]):
                if added is None:
                    place[...] = found
                else:
                    np.add(found, added, out=place)
    return finite


def weight_gradient(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the results.

    Where something is Inf or NaN, more of it may be than should.
    """
    count, channels = shape[:2]
    images, rows, places = tiles(windows, len(x), max(channels, count) * np.dtype(dtype).itemsize)
    lines = Lines(windows, channels, count, images, rows, dtype)
    gradients = lines.buffers(lines.way.together)
    filters = np.zeros((lines.way.products, len(lines.shifts), lines.width * channels, count), dtype)
    with np.errstate(all="ignore"):
        for some, band in places:
            inputs, sent = lines.load(x[some], band.start), g[some, :, band]
            if len(sent) < images or sent.shape[2] < rows:
                gradients[...] = 0
            for gradient, place in lines.pairs(gradients, sent):
                gradient[...] = place
            for flat, of_product, landing in zip(inputs, lines.way.products_of(list(gradients)), filters, strict=True):
                for shift, sums in zip(lines.shifts, landing, strict=True):
                    read = lines.matrices(flat, shift).swapaxes(1, 2)
                    sums += np.matmul(read, lines.by_run(of_product)).sum(axis=0)
    taps = lines.way.taps(filters).reshape(*windows.kernel, channels, count)
    return np.moveaxis(taps, (-2, -1), (1, 0))
