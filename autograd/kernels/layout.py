"""How images (N, C, *size) lie in memory: channels first, as their shape says, or last, or in strips.

Users see one shape. Convolutions write their results in the order in which the next one reads fastest: channels last
where there are many, since matrix products read them so, and strip by strip, images last, (H, C, W, N), where there are
few. Elementwise operations and pooling keep the order that they find. So does normalisation, except that strips go back
to channels first where it is not over all of a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

Array = Any
FIRST: Final = "channels first"
LAST: Final = "channels last"
STRIPS: Final = "strips"


def channels_last(images: Array) -> bool:
    """Whether the channels of a pixel lie together in memory."""
    strides, itemsize = images.strides, images.itemsize
    return bool(strides[1] == itemsize < strides[-1] and images.shape[1] > 1)


def order_of(images: Array) -> str:
    """Return how images lie in memory; FIRST if in none of these ways."""
    if channels_last(images):
        return LAST
    return STRIPS if lies_in_strips(images) else FIRST


def lies_in_strips(images: Array) -> bool:
    """Whether the images of a pixel lie together in memory, and the rest as strips have it."""
    number, channel, *along = images.strides
    row = along[0] if len(along) > 1 else channel
    return bool(number <= along[-1] <= channel <= row > number)


def by_pixel(images: Array) -> Array:
    """Return images (N, C, *size) as (N, *size, C); shares memory."""
    return images.transpose(0, *range(2, images.ndim), 1)


def strip_axes(ndim: int) -> tuple[int, ...]:
    """Return the order of the axes of images in strips: a row of all images is one; with one axis, all is."""
    return (2, 1, *range(3, ndim), 0) if ndim > 3 else (1, 2, 0)


def by_strip(images: Array) -> Array:
    """Return images (N, C, H, W) as (H, C, W, N), sequences (N, C, L) as (C, L, N); shares memory."""
    return images.transpose(strip_axes(images.ndim))


def from_strips(strips: Array) -> Array:
    """Return what `by_strip` was given."""
    last = strips.ndim - 1
    return strips.transpose((last, 1, 0, *range(2, last)) if last > 2 else (2, 0, 1))


def without_strips(images: Array) -> Array:
    """Return images that lie in strips as their shape says, a copy; others as they are."""
    return np.ascontiguousarray(images) if images.ndim > 2 and order_of(images) == STRIPS else images


def in_order_of(model: Array, images: Array, dtype: Any) -> Array:
    """Return a copy of images that lies in memory as others of the same shape do."""
    copy = np.empty_like(model, dtype)
    copy[...] = images
    return copy


def new_images(
    order: str, shape: tuple[int, ...], dtype: Any, make: Callable[[tuple[int, ...], Any], Array] = np.empty
) -> Array:
    """Return new images of `shape` (N, C, *size), in this order in memory."""
    if order == LAST:
        return make((shape[0], *shape[2:], shape[1]), dtype).transpose(0, -1, *range(1, len(shape) - 1))
    if order == STRIPS:
        return from_strips(make(tuple(shape[axis] for axis in strip_axes(len(shape))), dtype))
    return make(shape, dtype)
