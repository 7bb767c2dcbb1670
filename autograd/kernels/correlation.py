"""Convolution on arrays, its transpose and the gradient of its weights: the way that suits the sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.kernels import bands, lines, phases, planes, single, unrolled
from autograd.kernels.layout import FIRST, LAST, ROWS, by_pixel, by_row, channels_last, new_images, order_of
from autograd.kernels.windows import Sizes, Windows
from autograd.threads import WORTH, crew, share

Array = Any
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
        and (read is None or phases.divides(windows) or bands.all_finite(read))
        and (kernels is None or bands.all_finite(kernels))
    )


def both_by_lines(windows: Windows, x: Array, g: Array, weight: Array, groups: int) -> bool:
    """Whether the gradients of the images and of the weights are ones that `lines` can do and does more quickly."""
    out, channels = weight.shape[:2]
    return (
        x.ndim > 3
        and min(out, channels) >= MANY
        and x.dtype == g.dtype == weight.dtype
        and by_lines(windows, len(x), channels, out, groups, g.dtype)
        and by_lines(turned(windows), len(g), out, channels, groups, g.dtype)
        and not single.suits(turned(windows), len(g), weight.swapaxes(0, 1))
    )


def by_bands(windows: Windows, shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]) -> bool:
    """Whether a convolution with weights of `shape` is one that `bands` can do and does more quickly."""
    return min(shape[:2]) < MANY and groups == 1 and dtype.char in "fd" and bands.suits(windows, shape)


def by_planes(windows: Windows, out: int, groups: int) -> bool:
    """Whether a convolution to `out` channels, or back to them, is one that `planes` can do and does more quickly."""
    return groups == 1 and out < MANY and set(windows.stride) == {1} and max(windows.kernel) > 1


def with_row(windows: Windows) -> Windows:
    """Return the windows on images of a single axis as those on images of a single row."""
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
    shape = (len(x), count, *windows.out)
    if by_bands(windows, weight.shape, groups, dtype):
        out = new_images(ROWS, shape, dtype)
        if bands.correlate(x, weight, bias, windows, out):
            return out
    out = new_images(LAST if count >= MANY else FIRST, shape, dtype)
    if by_lines(windows, len(x), x.shape[1], count, groups, dtype):
        if x.ndim == 3:
            done = lines.correlate(x[:, :, None], weight[:, :, None], bias, with_row(windows), out[:, :, None])
        else:
            done = lines.correlate(x, weight, bias, windows, out)
        if done:
            return out
    few = by_planes(windows, count, groups)

    def part(start: int, stop: int) -> None:
        if few:
            planes.correlate(x[start:stop], weight, bias, windows, out[start:stop])
        else:
            unrolled.correlate(x[start:stop], weight, bias, windows, groups, out[start:stop])

    share(part, len(x), worth(windows, weight.shape))
    return out


def correlate_back(g: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Return the transpose of `correlate`: what the gradient of results sends to the images (N, C, *size)."""
    channels = weight.shape[1] * groups
    dtype = np.result_type(g, weight)
    few = by_planes(windows, channels, groups)
    if by_phases(windows, len(g), weight.shape, groups, dtype, g, weight):
        merged = correlate_back(g, phases.merge_weight(weight, windows), phases.merged(windows), groups)
        return phases.unmerge(merged, windows)
    if few and by_bands(windows, weight.shape, groups, dtype):
        images = new_images(ROWS, (len(g), channels, *windows.size), dtype)
        if bands.correlate_back(g, weight, windows, images):
            return images
    if set(windows.stride) == {1} and not few:  # a convolution itself, with the kernel turned round
        return correlate(g, turned_round(weight, groups), None, turned(windows), groups)
    images = new_images(LAST if channels >= MANY else FIRST, (len(g), channels, *windows.size), dtype)

    def part(start: int, stop: int) -> None:
        if few:
            planes.correlate_back(g[start:stop], weight, windows, images[start:stop])
        else:
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
    if by_phases(windows, len(x), shape, groups, dtype):
        merged, merged_shape = phases.merge(x, windows, dtype), phases.merged_shape(shape, windows)
        found = weight_gradient(merged, g, phases.merged(windows), groups, merged_shape)
        return phases.unmerge_weight(found, windows)
    if by_bands(windows, shape, groups, dtype):
        return bands.weight_gradient(x, g, windows, shape, dtype)
    if by_lines(windows, len(x), x.shape[1], shape[0], groups, dtype):
        if x.ndim == 3:
            wide = (*shape[:2], 1, *shape[2:])
            found = lines.weight_gradient(x[:, :, None], g[:, :, None], with_row(windows), wide, dtype).reshape(shape)
        else:
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
    if needs[0] and needs[1] and by_phases(windows, len(x), weight.shape, groups, g.dtype, g, weight):
        merged, merged_weight = phases.merge(x, windows, g.dtype), phases.merge_weight(weight, windows)
        found = gradients(g, merged, merged_weight, phases.merged(windows), groups, needs)
        return phases.unmerge(found[0], windows), phases.unmerge_weight(found[1], windows), found[2]
    if needs[0] and needs[1] and both_by_lines(windows, x, g, weight, groups):
        images = new_images(LAST, x.shape, g.dtype)
        done, to_weight = lines.gradients(x, g, turned_round(weight, 1), windows, turned(windows), images)
        if done and np.isfinite(to_weight.sum()):
            return images, to_weight, bias_gradient(g) if needs[2] else None
    tasks: tuple[Callable[[], Array], ...] = (
        lambda: correlate_back(g, weight, windows, groups) if needs[0] else None,
        lambda: weight_gradient(x, g, windows, groups, weight.shape) if needs[1] else None,
    )

    def work(start: int, stop: int) -> list[Array]:
        return [task() for task in tasks[start:stop]]

    # Two threads take one each: that is half as many hand-overs as with halves of either.
    least = bands.worth if by_bands(windows, weight.shape, groups, g.dtype) else worth
    apart = needs[0] and needs[1] and crew(len(g) // least(windows, weight.shape)) == 2
    parts = share(work, 2) if apart else [work(0, 2)]
    to_x, to_weight = (found for part in parts for found in part)
    return to_x, to_weight, bias_gradient(g) if needs[2] else None


def bias_gradient(g: Array) -> Array:
    """Return the sum over images and pixels."""
    if channels_last(g) and g.dtype.kind == "f":
        pixels = by_pixel(g).reshape(len(g), -1, g.shape[1])
        # As a matrix product: a loop over the channels of each pixel would be a short one.
        return (np.ones((1, pixels.shape[1]), g.dtype) @ pixels).sum(axis=(0, 1))
    if order_of(g) == ROWS and g.dtype.kind == "f":
        rows = by_row(g).reshape(len(g), g.shape[2], -1)
        by_image = np.ones((1, g.shape[2]), g.dtype) @ rows
        # In double precision, since many images would add up to many rounding errors.
        found = by_image.sum(axis=(0, 1), dtype=np.result_type(g.dtype, float))
        return found.reshape(-1, g.shape[3]).sum(axis=1).astype(g.dtype)
    return g.sum(axis=tuple(range(2, g.ndim))).sum(axis=0)
