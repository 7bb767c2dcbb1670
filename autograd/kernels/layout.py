"""How images (N, C, *size) lie in memory: channels first, as their shape says, or channels last.

Users see one shape. Operations with many channels write their results channels last, since matrix products read them
so; elementwise operations keep the order that they find, and so do pooling and normalisation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def channels_last(images: Array) -> bool:
    """Whether the channels of a pixel lie together in memory."""
    return bool(images.shape[1] > 1 and images.strides[1] == images.itemsize and images.strides[-1] > images.itemsize)


def by_pixel(images: Array) -> Array:
    """Return images (N, C, *size) as (N, *size, C); shares memory."""
    return images.transpose(0, *range(2, images.ndim), 1)


def new_images(
    last: bool, shape: tuple[int, ...], dtype: Any, make: Callable[[tuple[int, ...], Any], Array] = np.empty
) -> Array:
    """Return new images of `shape` (N, C, *size), in memory with their channels last or not."""
    if last:
        return make((shape[0], *shape[2:], shape[1]), dtype).transpose(0, -1, *range(1, len(shape) - 1))
    return make(shape, dtype)
