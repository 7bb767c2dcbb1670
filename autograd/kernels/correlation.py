"""Convolution on arrays, its transpose and the gradient of its weights: the way that suits the sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.kernels import lines, phases, single, strips, unrolled
from autograd.kernels.layout import FIRST, LAST, STRIPS, by_pixel, by_strip, channels_last, new_images, order_of
from autograd.kernels.moments import by_ones, is_finite
from autograd.kernels.windows import Sizes, Windows
from autograd.threads import WORTH, crew, share

Array = Any
SMALL: Final = 52  # pixels of a row times channels of a result, for each pixel of a kernel's: LeNet's second has 45
COPIES: Final = 1 << 17  # numbers in copied windows that are worth a thread; with 2**20 a ResNet's first layer took 1.3
MANY: Final = 16  # channels of a result: with fewer, matrix products are quicker the other way round
FEW: Final = 512  # pixels of results: for fewer it takes longer to prepare lines than they save


def by_lines(windows: Windows, n: int, channels: int, out: int, groups: int, dtype: np.dtype[Any]) -> bool:
    """Whether the convolution of n images to `out` channels is one that `lines` can do and does more quickly."""
    return (
        groups == 1
        and out >= MANY
        and channels * windows.kernel[-1] >= 1.5 * MANY
        and set(windows.stride) == {1}
        and windows.dilation[-1] == 1
        and max(windows.kernel) > 1
        and n * math.prod(windows.out) >= FEW
        and dtype.char in "fd"
    )


def by_phases(
    windows: Windows,
    n: int,
    shape: Sizes,
    groups: int,
    dtype: np.dtype[Any],
    read: Array = None,
    kernels: Array = None,
) -> bool:
    """Whether `phases` can do a convolution of n images with a weight of such a shape, and does more quickly.

    It is not to make NaN of an Inf: of what is `read`, by zeros among the weights, and of `kernels`, by zeros around
    what is sent back.
    """
    out, channels = shape[:2]
    return (
        phases.suits(windows, out, channels)
        and by_lines(phases.merged(windows), n, math.prod(windows.stride) * channels, out, groups, dtype)
        and (read is None or phases.divides(windows) or is_finite(read))
        and (kernels is None or is_finite(kernels))
    )


def both_by_lines(windows: Windows, x: Array, g: Array, weight: Array, groups: int) -> bool:
    """Whether the gradients of the images and of the weights are ones that `lines` can do and does more quickly."""
    out, channels = weight.shape[:2]
    return (
        min(out, channels) >= MANY
        and x.dtype == g.dtype == weight.dtype
        and by_lines(windows, len(x), channels, out, groups, g.dtype)
        and by_lines(turned(windows), len(g), out, channels, groups, g.dtype)
        and not single.suits(turned(windows), len(g), weight.swapaxes(0, 1))
        and is_finite(weight)
    )


def by_strips(windows: Windows, x: Array, channels: int, out: int, groups: int) -> bool:
    """Whether a convolution of images like `x`, or their sums, to `out` channels is for `strips`, and quicker so."""
    few = out < MANY or (channels < MANY and windows.size[-1] * out <= SMALL * windows.kernel[-1])
    return (
        few
        and groups == 1
        and set(windows.stride) == {1}
        and windows.dilation[0] == 1
        and max(windows.kernel) > 1
        and strips.suits(windows, len(x), channels, x.itemsize)
    )


def both_by_strips(windows: Windows, x: Array, weight: Array, groups: int) -> bool:
    """Whether the gradients of the images and of the weights are ones that `strips` can do and does more quickly."""
    out, channels = weight.shape[:2]
    return (
        by_strips(windows, x, channels, out, groups)
        and by_strips(windows, x, out, channels, groups)
        and is_finite(weight)
    )


def is_sequence(windows: Windows) -> bool:
    """Whether windows are those on sequences without a stride, which go as images of a single row."""
    return windows.stride == (1,)


def with_row(windows: Windows) -> Windows:
    """Return the windows on sequences as those on images of a single row."""
    return Windows(*((one, *sizes) for one, sizes in zip((1, 1, 1, 1, 0, 0, 1), windows, strict=True)))


def worth(windows: Windows, shape: tuple[int, ...]) -> int:
    """Return how many images are worth a thread, for weights of `shape`: by the products, or by the copies for them."""
    places = max(1, math.prod(windows.out))
    return 1 + min(WORTH // max(1, math.prod(shape) * places), COPIES // max(1, math.prod(shape[1:]) * places))


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, groups: int) -> Array:
    """Return the convolution (N, O, *out) of images (N, C, *size) with weights (O, C/groups, *kernel)."""
    dtype = np.result_type(x, weight) if bias is None else np.result_type(x, weight, bias)
    count = len(weight)
    if x.size and single.suits(windows, len(x), weight):
        return single.correlate(x, weight, bias, windows, groups, dtype)
    if by_phases(windows, len(x), weight.shape, groups, dtype, x):
        merged, merged_weight = phases.merge(x, windows, dtype), phases.merge_weight(weight, windows)
        return correlate(merged, merged_weight, bias, phases.merged(windows), groups)
    if is_sequence(windows):
        return correlate(x[:, :, None], weight[:, :, None], bias, with_row(windows), groups)[:, :, 0]
    shape = (len(x), count, *windows.out)
    if by_strips(windows, x, x.shape[1], count, groups):
        out = new_images(STRIPS, shape, dtype)
        strips.correlate(x, weight, bias, windows, out)
        return out
    out = new_images(LAST if count >= MANY else FIRST, shape, dtype)
    if by_lines(windows, len(x), x.shape[1], count, groups, dtype) and lines.correlate(x, weight, bias, windows, out):
        return out

    def part(start: int, stop: int) -> None:
        unrolled.correlate(x[start:stop], weight, bias, windows, groups, out[start:stop])

    share(part, len(x), worth(windows, weight.shape))
    return out


def correlate_back(g: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Return the transpose of `correlate`: what the gradient of results sends to the images (N, C, *size)."""
    channels = weight.shape[1] * groups
    dtype = np.result_type(g, weight)
    if is_sequence(windows):
        return correlate_back(g[:, :, None], weight[:, :, None], with_row(windows), groups)[:, :, 0]
    if by_phases(windows, len(g), weight.shape, groups, dtype, g, weight):
        merged = correlate_back(g, phases.merge_weight(weight, windows), phases.merged(windows), groups)
        return phases.unmerge(merged, windows)
    shape = len(g), channels, *windows.size
    finite = is_finite(weight)  # else zeros around what is sent back would make NaN of an Inf
    if finite and by_strips(windows, g, len(weight), channels, groups):
        images = new_images(STRIPS, shape, dtype)
        strips.correlate_back(g, weight, windows, images)
        return images
    if finite and channels and set(windows.stride) == {1}:  # a convolution itself, with the kernel turned round
        return correlate(g, turned_round(weight, groups), None, turned(windows), groups)
    images = new_images(LAST if channels >= MANY else FIRST, shape, dtype)

    def part(start: int, stop: int) -> None:
        unrolled.correlate_back(g[start:stop], weight, windows, groups, images[start:stop])

    share(part, len(g), worth(windows, weight.shape))
    return images


def turned_round(weight: Array, groups: int) -> Array:
    """Return the weight (C, O/groups, *kernel) of the convolution that leads from results to images."""
    out, each, *kernel = weight.shape
    if groups == 1:
        return weight.swapaxes(0, 1)[(..., *(slice(None, None, -1),) * len(kernel))]
    split = weight.reshape(groups, out // groups, each, *kernel).swapaxes(1, 2)
    return np.flip(split, tuple(range(3, split.ndim))).reshape(groups * each, out // groups, *kernel)


@functools.lru_cache(maxsize=256)
def turned(windows: Windows) -> Windows:
    """Return the windows on results, of stride 1, by which a convolution with the turned kernel leads to images."""
    before = tuple(r - 1 - b for r, b in zip(windows.reach, windows.before, strict=True))
    after = tuple(
        n + r - 1 - o - b for n, r, o, b in zip(windows.size, windows.reach, windows.out, before, strict=True)
    )
    return Windows(windows.out, windows.kernel, windows.stride, windows.dilation, before, after, windows.size)


def weight_gradient(x: Array, g: Array, windows: Windows, groups: int, shape: tuple[int, ...]) -> Array:
    """Return the gradient of weights of `shape` (O, C/groups, *kernel) from that of the results."""
    dtype = np.result_type(x, g)
    if is_sequence(windows):
        wide = *shape[:2], 1, *shape[2:]
        return weight_gradient(x[:, :, None], g[:, :, None], with_row(windows), groups, wide)[:, :, 0]
    if by_phases(windows, len(x), shape, groups, dtype):
        merged, merged_shape = phases.merge(x, windows, dtype), phases.merged_shape(shape, windows)
        found = weight_gradient(merged, g, phases.merged(windows), groups, merged_shape)
        return phases.unmerge_weight(found, windows)
    if by_strips(windows, x, x.shape[1], shape[0], groups):
        return strips.weight_gradient(x, g, windows, shape, dtype)
    if by_lines(windows, len(x), x.shape[1], shape[0], groups, dtype):
        found = lines.weight_gradient(x, g, windows, shape, dtype)
        if np.isfinite(found.sum()):
            return found

    def part(start: int, stop: int) -> Array:
        return unrolled.weight_gradient(x[start:stop], g[start:stop], windows, groups, shape, dtype)

    return sum(share(part, len(x), worth(windows, shape)))


def gradients(
    g: Array, x: Array, weight: Array, windows: Windows, groups: int, needs: tuple[bool, ...]
) -> tuple[Array, Array, Array]:
    """Return the gradients of images, weights and bias, as far as they are needed, from that of the results."""
    if is_sequence(windows):
        found = gradients(g[:, :, None], x[:, :, None], weight[:, :, None], with_row(windows), groups, needs)
        images, kernels = (None if array is None else array[:, :, 0] for array in found[:2])
        return images, kernels, found[2]
    if needs[0] and needs[1] and by_phases(windows, len(x), weight.shape, groups, g.dtype, g, weight):
        merged, merged_weight = phases.merge(x, windows, g.dtype), phases.merge_weight(weight, windows)
        found = gradients(g, merged, merged_weight, phases.merged(windows), groups, needs)
        return phases.unmerge(found[0], windows), phases.unmerge_weight(found[1], windows), found[2]
    if needs[0] and needs[1] and both_by_lines(windows, x, g, weight, groups):
        images = new_images(LAST, x.shape, g.dtype)
        done, to_weight = lines.gradients(x, g, turned_round(weight, 1), windows, turned(windows), images)
        if done and np.isfinite(to_weight.sum()):
            return images, to_weight, bias_gradient(g) if needs[2] else None
    if needs[0] and needs[1] and both_by_strips(windows, x, weight, groups):
        images = new_images(STRIPS, x.shape, np.result_type(x, g, weight))
        to_weight = strips.gradients(x, g, weight, windows, images)
        return images, to_weight, bias_gradient(g) if needs[2] else None
    tasks: tuple[Callable[[], Array], ...] = (
        lambda: correlate_back(g, weight, windows, groups) if needs[0] else None,
        lambda: weight_gradient(x, g, windows, groups, weight.shape) if needs[1] else None,
    )

    def work(start: int, stop: int) -> list[Array]:
        return [task() for task in tasks[start:stop]]

    # Two threads take one each: that is half as many hand-overs as with halves of either.
    apart = needs[0] and needs[1] and crew(len(g) // worth(windows, weight.shape)) == 2
    parts = share(work, 2) if apart else [work(0, 2)]
    to_x, to_weight = (found for part in parts for found in part)
    return to_x, to_weight, bias_gradient(g) if needs[2] else None


def bias_gradient(g: Array) -> Array:
    """Return the sum over images and pixels."""
    if channels_last(g) and g.dtype.kind == "f":
        pixels = by_pixel(g).reshape(len(g), -1, g.shape[1])
        # As a matrix product: a loop over the channels of each pixel would be a short one.
        return (np.ones((1, pixels.shape[1]), g.dtype) @ pixels).sum(axis=(0, 1))
    if order_of(g) == STRIPS and g.dtype.kind == "f":
        rows = by_strip(g if g.ndim > 3 else g[:, :, None])
        by_row = by_ones(rows.reshape(*rows.shape[:2], -1).astype(np.result_type(g.dtype, np.float32), copy=False))
        # In double precision, since many rows would add up to many rounding errors.
        return by_row.sum(axis=0, dtype=np.result_type(g.dtype, float)).astype(g.dtype)
    return g.sum(axis=tuple(range(2, g.ndim))).sum(axis=0)
