"""How images (N, C, *size) lie in memory: channels first, as their shape says, or last, or within rows.

Users see one shape. Convolutions write their results in the order in which the next one reads fastest: channels last
where there are many, since matrix products read them so, and row by row, (N, H, C, W), where they went by rows.
Elementwise operations and pooling keep the order that they find. So does normalisation, except that rows go back to
channels first: NumPy's sums over all but the channels take three times as long in rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

Array = Any
FIRST: Final = "channels first"
LAST: Final = "channels last"
ROWS: Final = "rows"


def channels_last(images: Array) -> bool:
    """Whether the channels of a pixel lie together in memory."""
    strides, itemsize = images.strides, images.itemsize
    return bool(strides[1] == itemsize < strides[-1] and images.shape[1] > 1)


def order_of(images: Array) -> str:
    """Return how images lie in memory; FIRST if in none of these ways."""
    if channels_last(images):
        return LAST
    strides = images.strides
    if len(strides) == 4 and strides[2] > strides[1] > strides[3] and images.shape[1] > 1:
        return ROWS
    return FIRST


def by_pixel(images: Array) -> Array:
    """Return images (N, C, *size) as (N, *size, C); shares memory."""
    return images.transpose(0, *range(2, images.ndim), 1)


def by_row(images: Array) -> Array:
    """Return images (N, C, H, W) as (N, H, C, W); shares memory."""
    return images.swapaxes(1, 2)


def without_rows(images: Array) -> Array:
    """Return images that lie row by row as their shape says, a copy; others as they are."""
    return np.ascontiguousarray(images) if images.ndim == 4 and order_of(images) == ROWS else images


def new_images(
    order: str, shape: tuple[int, ...], dtype: Any, make: Callable[[tuple[int, ...], Any], Array] = np.empty
) -> Array:
    """Return new images of `shape` (N, C, *size), in this order in memory."""
    if order == LAST:
        return make((shape[0], *shape[2:], shape[1]), dtype).transpose(0, -1, *range(1, len(shape) - 1))
    if order == ROWS:
        return by_row(make((shape[0], shape[2], shape[1], *shape[3:]), dtype))
    return make(shape, dtype)
