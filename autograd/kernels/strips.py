"""Convolution strip by strip, images last, for few channels: windows are matrices that are hardly copied.

A strip is a row of all images. In memory its images come last, (C, W, N), and strips one after the other
(`layout.STRIPS`). What a column of a kernel reads of a channel, at all windows, is then a single run of numbers, which
for the next column begins N of them further on. So a strip is copied once for each column of the kernel, in long runs;
and what a row of results depends on is as many of these strips as the kernel has rows: a matrix as it lies in memory,
(kernel rows * C * kernel columns, W * N). What windows send back is added to strips in runs as long. With a third axis
a strip is a plane; a sequence is an image of one row.

Results stay in that order, in which pooling has longer loops too. On one core and 64 images, the convolutions of LeNet
take 0.7 of the time that they took with rows of each image, the kernel a band among zeros. On two cores LeNet takes 0.9
then, and 0.7 on 256 images without gradients.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from autograd.kernels.layout import by_strip
from autograd.kernels.windows import Sizes, Windows
from autograd.threads import crew, share

Array = Any
Index = tuple[Any, ...]
CACHED: Final = 1 << 22  # bytes of copied strips at a time
LEAST: Final = 32  # images of a piece, if there are more of them: with fewer the runs are short
FEW: Final = 8  # images that are quicker laid out one by one
# Where images lie a multiple of so many bytes apart, a pixel of all of them goes to the same few places of a cache.
ALIKE: Final = 1024
WORTH: Final = 1 << 21  # multiply-adds that are worth a thread


class Piece(NamedTuple):
    """The rows `start` to `stop` of some images."""

    start: int
    stop: int
    images: slice

    def of(self, rows: Array, more: int = 0) -> Array:
        """Return its part of rows (rows, ..., images), and so many rows behind it."""
        return rows[self.start : self.stop + more, ..., self.images]


def images_at_a_time(line: int, kernel: int) -> int:
    """Return for how many images twice the rows of a kernel fit the cache, of which each row is copied up to twice."""
    return CACHED // max(1, 2 * kernel * line)


def suits(windows: Windows, n: int, channels: int, itemsize: int) -> bool:
    """Whether rows are short enough for the cache to hold those of many images, or of all n."""
    line = math.prod(windows.out[1:]) * channels * math.prod(windows.kernel[1:]) * itemsize
    return images_at_a_time(line, windows.kernel[0]) >= min(n, LEAST)


def pieces(n: int, rows: int, kernel: int, line: int, work: int) -> list[Piece]:
    """Return in which pieces to go over so many rows of n images: of a size for a cache, one or more for each thread.

    `line` is how many bytes are made for a row of an image, and `work` how many multiply-adds it all has.
    """
    threads = crew(work // WORTH)
    images = max(1, min(n if rows >= threads else -(-n // threads), images_at_a_time(line, kernel)))
    height = max(1, min(rows, CACHED // max(1, line * images) - kernel + 1))
    if rows >= threads:  # a multiple of as many pieces, all alike
        count = -(-rows // (height * threads)) * threads
        height = -(-rows // count)
    starts = itertools.product(range(0, rows, height), range(0, n, images))
    return [Piece(a, min(a + height, rows), slice(i, min(i + images, n))) for a, i in starts]


def strips_of(images: Array, windows: Windows, dtype: Any) -> Array:
    """Return all strips with their padding, (padded rows, C, *padded but the first, N)."""
    strips = by_strip(images)
    if not any(windows.before + windows.after) and strips.flags.c_contiguous:
        return strips.astype(dtype, copy=False)
    padded = np.zeros((windows.padded[0], strips.shape[1], *windows.padded[1:], strips.shape[-1]), dtype)
    (_, row, *place), (_, seen, *part) = windows.inside()
    lay_out(strips[(seen, slice(None), *part)], padded[(row, slice(None), *place)])
    return padded


def lay_out(strips: Array, place: Array) -> None:
    """Copy strips, whose images lie elsewhere, to their place."""
    if strips.shape[-1] < FEW:
        for i in range(strips.shape[-1]):
            place[..., i] = strips[..., i]
    elif strips.strides[-1] % ALIKE == 0:  # rows side by side first: a quarter of the time for images of 32 x 32
        place[...] = np.ascontiguousarray(strips.swapaxes(-1, -2)).swapaxes(-1, -2)
    else:
        place[...] = strips


def windows_of(strips: Array, windows: Windows, piece: Piece) -> Array:
    """Return the windows of a piece as matrices (rows, numbers of a window, places).

    What each column of a kernel reads is copied: (strips, C, *kernel but the first, *out but the first, images).
    """
    some = piece.of(strips, windows.kernel[0] - 1)
    strip, channel, *inner, number = strips.strides
    across = [step * d for step, d in zip(inner, windows.dilation[1:], strict=True)]
    shape = (*some.shape[:2], *windows.kernel[1:], *windows.out[1:], some.shape[-1])
    start = piece.start * strip + piece.images.start * number
    columns = np.ndarray(shape, strips.dtype, strips, start, (strip, channel, *across, *inner, number)).copy()
    return matrices(columns, windows.kernel[0], math.prod(windows.out[1:]) * some.shape[-1])


def matrices(strips: Array, kernel: int, places: int) -> Array:
    """Return what so many strips hold for each place, from each strip on: (rows, kernel * numbers, places), shared."""
    numbers, line = math.prod(strips.shape[1:]) // max(1, places), places * strips.itemsize
    shape = (len(strips) - kernel + 1, kernel * numbers, places)
    return np.ndarray(shape, strips.dtype, strips, 0, (numbers * line, line, strips.itemsize))


def plan(windows: Windows, n: int, shape: Sizes, itemsize: int) -> list[Piece]:
    """Return the pieces for results of n images and weights of `shape` (O, C, *kernel), and for sending them back."""
    out, channels, kernel, *inner = shape
    places, numbers = math.prod(windows.out[1:]), channels * math.prod(inner)
    work = n * windows.out[0] * places * numbers * kernel * out
    return pieces(n, windows.out[0], kernel, places * max(numbers, out) * itemsize, work)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, out: Array) -> None:
    """Write the convolution of images with weights (O, C, *kernel), plus the bias (O,) if not None, to `out`."""
    matrix = weight.swapaxes(1, 2).reshape(len(weight), -1).astype(out.dtype, copy=False)
    added = None if bias is None else bias.reshape(-1, 1)
    strips, results = strips_of(x, windows, out.dtype), by_strip(out)
    todo = plan(windows, len(x), weight.shape, out.itemsize)

    def part(start: int, stop: int) -> None:
        for piece in todo[start:stop]:
            place = piece.of(results)
            found = place if place.flags.c_contiguous else np.empty(place.shape, out.dtype)
            sums = found.reshape(len(place), len(weight), -1)
            np.matmul(matrix, windows_of(strips, windows, piece), out=sums)
            if added is not None:
                sums += added
            if found is not place:
                place[...] = found

    share(part, len(todo))


class Work(NamedTuple):
    """What is done to pieces: `part` does so with those from `start` to `stop`."""

    part: Callable[[int, int], Any]
    pieces: int


def sending(g: Array, weight: Array, windows: Windows, images: Array) -> Work:
    """Return the work of `correlate_back`."""
    out, channels, kernel, *inner = weight.shape
    # A row of images is sent what as many rows of results say, the kernel's last row first.
    turned = weight.transpose(1, *range(3, weight.ndim), 2, 0)[..., ::-1, :]
    matrix = turned.reshape(-1, kernel * out).astype(images.dtype, copy=False)
    rows, landings, results = rows_back(windows), columns_of(windows), by_strip(images)
    strips = strips_of(g, rows, images.dtype)
    todo = plan(rows, len(g), (len(matrix), out, *rows.kernel), images.itemsize)

    def part(start: int, stop: int) -> None:
        for piece in todo[start:stop]:
            sent, place = np.ascontiguousarray(piece.of(strips, kernel - 1)), piece.of(results)
            found = matrix @ matrices(sent, kernel, math.prod(sent.shape[2:]))
            found = found.reshape(len(place), channels, *inner, *sent.shape[2:])
            place[...] = 0
            for landing, column in landings:
                place[landing] += found[column]

    return Work(part, len(todo))


def rows_back(windows: Windows) -> Windows:
    """Return the windows on rows of results whose kernel is a column: what is sent to a row of images."""
    (kernel, *inner), (out, *across) = windows.kernel, windows.out
    before = kernel - 1 - windows.before[0]
    after = windows.size[0] + kernel - 1 - out - before
    none, one = (0,) * len(inner), (1,) * len(inner)
    stride = dilation = (1, *one)
    return Windows(
        windows.out, (kernel, *one), stride, dilation, (before, *none), (after, *none), (windows.size[0], *across)
    )


def columns_of(windows: Windows) -> list[tuple[Index, Index]]:
    """Return for each column of a kernel where it reads strips, and the places that do so, without the padding."""
    found = []
    for at in itertools.product(*map(range, windows.kernel[1:])):
        shifts = [i * d - b for i, d, b in zip(at, windows.dilation[1:], windows.before[1:], strict=True)]
        low = [max(0, -shift) for shift in shifts]
        high = [min(n, size - shift) for n, size, shift in zip(windows.out[1:], windows.size[1:], shifts, strict=True)]
        if all(a < b for a, b in zip(low, high, strict=True)):
            read = [slice(a + shift, b + shift) for a, b, shift in zip(low, high, shifts, strict=True)]
            found.append(((slice(None),) * 2 + tuple(read), (slice(None),) * 2 + at + tuple(map(slice, low, high))))
    return found


def adding(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Work:
    """Return the work of `weight_gradient`: parts return matrices (O, kernel rows * C * kernel columns)."""
    out = shape[0]
    strips, sent = strips_of(x, windows, dtype), by_strip(g)
    todo = plan(windows, len(x), shape, dtype.itemsize)

    def part(start: int, stop: int) -> Array:
        total: Array = np.zeros((out, math.prod(shape[1:])), dtype)
        for piece in todo[start:stop]:
            rows = piece.of(sent).astype(dtype, copy=False)
            seen = windows_of(strips, windows, piece)
            total += (rows.reshape(len(rows), out, -1) @ seen.swapaxes(1, 2)).sum(axis=0)
        return total

    return Work(part, len(todo))


def kernels(parts: list[Array], shape: Sizes) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from the matrices that add up to it."""
    out, channels, kernel, *inner = shape
    total: Array = sum(parts)
    return total.reshape(out, kernel, channels, *inner).swapaxes(1, 2)


def correlate_back(g: Array, weight: Array, windows: Windows, images: Array) -> None:
    """Write the transpose of `correlate` to `images` (N, C, *size): what the gradient of results sends there."""
    share(*sending(g, weight, windows, images))


def weight_gradient(x: Array, g: Array, windows: Windows, shape: Sizes, dtype: Any) -> Array:
    """Return the gradient of weights of `shape` (O, C, *kernel) from that of the results."""
    return kernels(share(*adding(x, g, windows, shape, dtype)), shape)


def gradients(x: Array, g: Array, weight: Array, windows: Windows, images: Array) -> Array:
    """Write what `correlate_back` does to `images`, and return what `weight_gradient` does: each thread does both."""
    both = sending(g, weight, windows, images), adding(x, g, windows, weight.shape, images.dtype)
    count = max(work.pieces for work in both)

    def part(start: int, stop: int) -> Any:
        _, found = (work.part(*(work.pieces * place // max(1, count) for place in (start, stop))) for work in both)
        return found

    return kernels(share(part, count), weight.shape)
