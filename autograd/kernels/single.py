"""Convolution of a few small images: all windows copied (im2col) for one matrix product, with little Python.

Here what surrounds the arithmetic costs more than the arithmetic. The convolutions of a LeNet take 0.35 of the time on
a single image that they take by the ways for many.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final, NamedTuple

import numpy as np

from autograd.kernels.windows import Sizes, Windows

Array = Any
MOST: Final = 1 << 18  # bytes of unrolled windows


def suits(windows: Windows, n: int, weight: Array) -> bool:
    """Whether the images are few and small enough."""
    return n * (weight.size // len(weight)) * math.prod(windows.out) * weight.itemsize <= MOST


class View(NamedTuple):
    """Shapes and strides on the way from images to windows; a shape is () where there is nothing to do.

    `rows` are (N, C, last of kernel, *padded but the last, last of out), and `windows` (N, C, *kernel, *out).
    """

    padded: Sizes
    rows: tuple[Sizes, Sizes]
    windows: tuple[Sizes, Sizes]


def packed(shape: Sizes, itemsize: int) -> list[int]:
    """Return the strides of a new array."""
    return [itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape))]


@functools.lru_cache(maxsize=256)
def view(windows: Windows, n: int, channels: int, itemsize: int) -> View:
    """Return the way that images go."""
    *kernel, k = windows.kernel
    *out, last = windows.out
    images = (n, channels, *windows.padded)
    strides = packed(images, itemsize)
    across, along = itemsize * windows.dilation[-1], itemsize * windows.stride[-1]
    rows: tuple[Sizes, Sizes] = (), ()
    if k > 1 and math.prod(kernel) > 1 and set(windows.stride) == {1}:
        rows = (n, channels, k, *images[2:-1], last), (*strides[:2], across, *strides[2:-1], along)
        strides = packed(rows[0], itemsize)
        across, along = strides.pop(2), itemsize
    down = [a * d for a, d in zip(strides[2:-1], windows.dilation[:-1], strict=True)]
    further = [a * s for a, s in zip(strides[2:-1], windows.stride[:-1], strict=True)]
    found = (*strides[:2], *down, across, *further, along)
    padded = images if any(windows.before + windows.after) else ()
    return View(padded, rows, ((n, channels, *kernel, k, *out, last), found))


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, groups: int, dtype: Any) -> Array:
    """Return the convolution of images with weights (O, C/groups, *kernel), plus the bias (O,) if not None."""
    n, channels = x.shape[:2]
    way = view(windows, n, channels, dtype.itemsize)
    if way.padded:
        images = np.zeros(way.padded, dtype)
        place, part = windows.inside()
        images[place] = x[part]
    else:
        images = np.ascontiguousarray(x, dtype)
    shape, strides = way.rows
    if shape:  # unrolled in the last axis alone, they are copied in longer pieces: 0.7 of the time for 6 channels
        images = np.ndarray(shape, dtype, images, 0, strides).copy()
    shape, strides = way.windows
    out, places = len(weight), math.prod(windows.out)
    columns = np.ndarray(shape, dtype, images, 0, strides).reshape(n, groups, -1, places)
    found = weight.astype(dtype, copy=False).reshape(groups, out // groups, -1) @ columns
    if bias is not None:
        found += bias.reshape(groups, -1, 1)
    return found.reshape(n, out, *windows.out)
