"""Convolution of a few small images: all windows copied (im2col) for one matrix product, with little Python.

Here what surrounds the arithmetic costs more than the arithmetic. The convolutions of a LeNet take 0.35 of the time on
a single image that they take by the ways for many.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

import numpy as np

from autograd.kernels.windows import Sizes, Windows

Array = Any
MOST: Final = 1 << 18  # bytes of unrolled windows


def suits(windows: Windows, n: int, weight: Array) -> bool:
    """Whether the images are few and small enough."""
    return n * (weight.size // len(weight)) * math.prod(windows.out) * weight.itemsize <= MOST


@functools.lru_cache(maxsize=256)
def view(windows: Windows, n: int, channels: int, itemsize: int) -> tuple[Sizes, Sizes, Sizes]:
    """Return the shape of padded images, () if there is no padding, and shape and strides of their windows.

    The windows are (N, C, *kernel, *out).
    """
    steps = [itemsize]
    for size in reversed((channels, *windows.padded)):
        steps.insert(0, steps[0] * size)
    along = [a * s for a, s in zip(steps[2:], windows.stride, strict=True)]
    across = [a * d for a, d in zip(steps[2:], windows.dilation, strict=True)]
    padded = (n, channels, *windows.padded) if any(windows.before + windows.after) else ()
    return padded, (n, channels, *windows.kernel, *windows.out), (*steps[:2], *across, *along)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, groups: int, dtype: Any) -> Array:
    """Return the convolution of images with weights (O, C/groups, *kernel), plus the bias (O,) if not None."""
    n, channels = x.shape[:2]
    padded_shape, shape, strides = view(windows, n, channels, dtype.itemsize)
    if padded_shape:
        padded = np.zeros(padded_shape, dtype)
        place, part = windows.inside()
        padded[place] = x[part]
    else:
        padded = np.ascontiguousarray(x, dtype)
    out, places = len(weight), math.prod(windows.out)
    columns = np.ndarray(shape, padded.dtype, padded, 0, strides).reshape(n, groups, -1, places)
    found = weight.astype(dtype, copy=False).reshape(groups, out // groups, -1) @ columns
    if bias is not None:
        found += bias.reshape(groups, -1, 1)
    return found.reshape(n, out, *windows.out)
