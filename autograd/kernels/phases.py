"""Strided convolution as one of stride 1: the pixels that a stride passes over together become channels of one.

A window of k pixels begins at every s-th. With each s of them as one, of s times as many channels, it is one of
ceil(k / s) pixels that begins at each, and goes the ways of such. Where s does not divide k there are zeros among the
weights, for 3x3 with stride 2 nearly half of all: too many. Of few channels, windows are much to copy (im2col) for what
is multiplied with them: on 28x28 pixels 4x4 with stride 2, from 16 channels to 32, takes 0.6 of the time this way,
forward and backward; 7x7 on 224x224 pixels in colour, to 64 channels, 0.7. With many channels it would take longer.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, Final

import numpy as np

from autograd.kernels.layout import LAST, by_pixel, new_images
from autograd.kernels.windows import Sizes, Windows
from autograd.threads import share

Array = Any
COPIED: Final = 1 << 17  # numbers to copy that are worth a thread
MOST: Final = 128  # channels of merged pixels
WIDEST: Final = 96  # channels of results, beyond which a window is not much to copy for all that is made of it
LEAST: Final = 40  # numbers of a row of a window, for fewer of which products are too small
PADDED: Final = 1.5  # weights, zeros among them, for each that there was


@functools.lru_cache(maxsize=256)
def merged(windows: Windows) -> Windows:
    """Return the windows on images whose pixels have been merged, padding and all."""
    kernel = tuple(-(-k // s) for k, s in zip(windows.kernel, windows.stride, strict=True))
    size = tuple(o + k - 1 for o, k in zip(windows.out, kernel, strict=True))
    ones, zeros = (1,) * len(size), (0,) * len(size)
    return Windows(size, kernel, ones, ones, zeros, zeros, windows.out)


def suits(windows: Windows, out: int, channels: int) -> bool:
    """Whether there is a stride to get rid of, windows that overlap then, and not too many zeros or channels."""
    kernel, channels = merged(windows).kernel, math.prod(windows.stride) * channels
    return (
        set(windows.stride) != {1}
        and set(windows.dilation) == {1}
        and channels <= MOST
        and out <= WIDEST
        and channels * kernel[-1] >= LEAST
        and max(kernel) > 1
        and math.prod(kernel) * math.prod(windows.stride) <= PADDED * math.prod(windows.kernel)
    )


def divides(windows: Windows) -> bool:
    """Whether there are no zeros among the weights, by which an Inf would become NaN."""
    return not any(k % s for k, s in zip(windows.kernel, windows.stride, strict=True))


@functools.lru_cache(maxsize=256)
def phases(windows: Windows) -> list[tuple[Sizes, tuple[slice, ...], tuple[slice, ...]]]:
    """Return each place among the pixels that are merged, for which of the merged pixels it is there, and where."""
    axes = zip(windows.size, windows.stride, windows.before, merged(windows).size, strict=True)
    spans = []
    for n, s, before, count in axes:
        found = []
        for p in range(s):
            start = max(0, -(-(before - p) // s))
            stop = max(start, min(count, -(-(n + before - p) // s)))
            found.append((p, slice(start, stop), slice(start * s + p - before, max(0, stop * s + p - before), s)))
        spans.append(found)
    return [tuple(zip(*place, strict=True)) for place in itertools.product(*spans)]


def split(images: Array, windows: Windows) -> Array:
    """Return merged images (N, s... C, *size) as (N, *size, s..., C); shares memory."""
    pixels = by_pixel(images)
    return pixels.reshape(*pixels.shape[:-1], *windows.stride, -1)


def merge(x: Array, windows: Windows, dtype: Any) -> Array:
    """Return images (N, C, *size) with their pixels merged, channels last."""
    n, channels = x.shape[:2]
    found = new_images(LAST, (n, math.prod(windows.stride) * channels, *merged(windows).size), dtype)
    pixels, places = by_pixel(x), split(found, windows)

    def part(start: int, stop: int) -> None:
        for place, here, there in phases(windows):
            all_of_place = places[(slice(start, stop), *(slice(None),) * len(here), *place)]
            for axis, span in enumerate(here, 1):  # padding
                lead = (slice(None),) * axis
                all_of_place[(*lead, slice(span.start))] = 0
                all_of_place[(*lead, slice(span.stop, None))] = 0
            all_of_place[(slice(None), *here)] = pixels[(slice(start, stop), *there)]

    share(part, n, max(1, COPIED * n // max(1, found.size)))
    return found


def unmerge(found: Array, windows: Windows) -> Array:
    """Return merged images apart again, channels last: the transpose of `merge`."""
    channels = found.shape[1] // math.prod(windows.stride)
    images = new_images(LAST, (len(found), channels, *windows.size), found.dtype)
    places, pixels = split(found, windows), by_pixel(images)
    covered = all(
        0 <= b <= m * s - n
        for n, b, m, s in zip(windows.size, windows.before, merged(windows).size, windows.stride, strict=True)
    )

    def part(start: int, stop: int) -> None:
        if not covered:
            pixels[start:stop] = 0
        for place, here, there in phases(windows):
            pixels[(slice(start, stop), *there)] = places[(slice(start, stop), *here, *place)]

    share(part, len(images), max(1, COPIED * len(images) // max(1, images.size)))
    return images


def merged_shape(shape: Sizes, windows: Windows) -> Sizes:
    """Return the shape of a weight for merged images, from that of a weight (O, C, *kernel)."""
    return shape[0], math.prod(windows.stride) * shape[1], *merged(windows).kernel


def merge_weight(weight: Array, windows: Windows) -> Array:
    """Return the weight for merged images of a weight (O, C, *kernel)."""
    out, channels, *kernel = weight.shape
    wide = [(k, s) for k, s in zip(merged(windows).kernel, windows.stride, strict=True)]
    padded: Array = np.zeros((out, channels, *(k * s for k, s in wide)), weight.dtype)
    padded[(..., *map(slice, kernel))] = weight
    apart = padded.reshape(out, channels, *itertools.chain(*wide))
    last = apart.ndim
    return apart.transpose(0, *range(3, last, 2), 1, *range(2, last, 2)).reshape(merged_shape(weight.shape, windows))


def unmerge_weight(weight: Array, windows: Windows) -> Array:
    """Return the weight (O, C, *kernel) from that for merged images: the transpose of `merge_weight`."""
    kernel, axes = merged(windows).kernel, len(windows.kernel)
    apart = weight.reshape(len(weight), *windows.stride, -1, *kernel)
    apart = apart.transpose(0, axes + 1, *itertools.chain(*((axes + 2 + i, 1 + i) for i in range(axes))))
    wide = (k * s for k, s in zip(kernel, windows.stride, strict=True))
    return apart.reshape(*apart.shape[:2], *wide)[(..., *map(slice, windows.kernel))]
