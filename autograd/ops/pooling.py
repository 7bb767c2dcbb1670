"""Pooling: the largest number of each window of images, or the mean.

Images are (N, C, *spatial) with one to three spatial axes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.blocks import LIGHT_WORTH, in_pieces
from autograd.kernels.layout import STRIPS, in_order_of, new_images, order_of
from autograd.kernels.windows import Sizes, Windows, check_images, counts, pooled
from autograd.operation import Array, operation
from autograd.ops.arithmetic import keep, keep_into
from autograd.ops.indexing import scatter
from autograd.tensor import Tensor

__all__ = ["avg_pool", "max_pool"]

PIECE: Final = 1 << 18  # numbers at a time: with half as many threads wait for one another
FEW: Final = 16  # numbers of a window that are quicker added up place by place: for 2 x 2 in an eighth of the time


def for_each_piece(work: Callable[[Any], None], images: Array) -> None:
    """Call `work` with the index of some images at a time; of some channels, if images lie in strips."""
    if order_of(images) == STRIPS:
        in_pieces(lambda some: work((slice(None), some)), images.shape[1], images.size, PIECE, LIGHT_WORTH)
    else:
        in_pieces(work, len(images), images.size, PIECE, LIGHT_WORTH)


def filled(x: Array, windows: Windows, value: Any) -> Array:
    """Return images padded with `value`."""
    if not any(windows.before) and not any(windows.after):
        return x
    padded = new_images(order_of(x), (*x.shape[:2], *windows.padded), x.dtype)
    padded[...] = value
    padded[windows.inside()[0]] = x
    return padded


@functools.lru_cache(maxsize=256)
def by_axis(windows: Windows) -> list[list[tuple[Any, ...]]]:
    """Return for each axis the index of what lies under each place in the kernel along it, for all windows."""
    found = []
    for axis, (k, n, s, d) in enumerate(
        zip(windows.kernel, windows.out, windows.stride, windows.dilation, strict=True)
    ):
        after = (slice(None),) * (len(windows.size) - 1 - axis)
        found.append([(..., slice(i * d, i * d + s * (n - 1) + 1, s), *after) for i in range(k)])
    return found


def take_largest(seen: Array, windows: Windows, top: Array) -> None:
    """Write the largest number of each window of padded images into `top`, from axis to axis."""
    last = len(windows.size) - 1
    for axis, (first, *others) in enumerate(by_axis(windows)):
        largest = seen[first]
        if others:
            largest = np.maximum(largest, seen[others[0]], out=top if axis == last else None)
        for other in others[1:]:
            np.maximum(largest, seen[other], out=largest)
        seen = largest
    if seen is not top:
        top[...] = seen


def take_winners(padded: Array, windows: Windows, top: Array, winner: Array) -> None:
    """Write into `winner` the first place in the kernel that has the number of `top`."""
    winner[...] = 0  # from the last place to the first: 0 where the number is, one more than the place after elsewhere
    for _, under in list(windows.taps())[-2::-1]:
        winner += 1
        winner *= padded[under] != top


def take_carefully(padded: Array, windows: Windows, lowest: Any, winner: Array) -> None:
    """Do the same where a NaN is, which wins, or where all of a window is as low as padding, which never wins."""
    real = filled(np.ones((1, 1, *windows.size), bool), windows, False)
    begun = np.zeros((1, 1, *windows.out), bool)
    winner[...] = 0  # where all of a window is padding
    top = np.full(winner.shape, lowest, padded.dtype)
    for tap, (_, under) in enumerate(windows.taps()):
        seen, here = padded[under], real[under]
        better = here & ((seen > top) | (seen != seen) | ~begun)
        np.copyto(top, seen, where=better)
        np.copyto(winner, tap, where=better, casting="unsafe")
        begun |= here


def lowest_of(dtype: np.dtype[Any]) -> Any:
    """Return the least number of a dtype, which padding is made of."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else False


def winners_of(
    best: Array, x: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Array:
    """Return the place in the kernel of the largest number of each window, of which `best` is the array."""
    windows = pooled(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    winners = new_images(order_of(x), best.shape, np.min_scalar_type(math.prod(windows.kernel) - 1))
    lowest, has_padding = lowest_of(x.dtype), any((*windows.before, *windows.after))

    def work(some: Any) -> None:
        padded, top = filled(x[some], windows, lowest), best[some]
        if np.isnan(top).any() or (has_padding and (top == lowest).any()):
            take_carefully(padded, windows, lowest, winners[some])
        else:
            take_winners(padded, windows, top, winners[some])

    for_each_piece(work, x)
    return winners


def max_pool_rule(
    g: Array,
    aux: Array,
    x_shape: Sizes,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> Array:
    windows = pooled(x_shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    shape = (*x_shape[:2], *windows.padded)
    if isinstance(g, Tensor):
        sent = [scatter(np.where(aux == tap, g, 0.0), under, shape) for tap, (_, under) in enumerate(windows.taps())]
        return sum(sent[1:], sent[0])[windows.inside()[0]]
    if order_of(g) != order_of(aux):
        g = in_order_of(aux, g, g.dtype)
    # Where windows tile the images each number is written: zeros before that would be a pass more.
    padded = new_images(order_of(aux), shape, g.dtype, np.empty if tiles(windows) else np.zeros)
    apart = all(s >= r for s, r in zip(windows.stride, windows.reach, strict=True))

    def work(some: Any) -> None:
        sent, winners, images = g[some], aux[some], padded[some]
        for tap, (_, under) in enumerate(windows.taps()):
            if apart:
                keep_into(sent, winners == tap, images[under])
            else:
                images[under] += keep(sent, winners == tap)

    for_each_piece(work, padded)
    return padded[windows.inside()[0]]


@operation(x=max_pool_rule, aux=winners_of)
def max_pool(
    x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Array:
    """Take the largest number of each window of images.

    Of several equal ones the first gets the gradient (the last NaN of a window that has any). What is kept for that is
    the place of the winner in each window, a byte each for windows of up to 256 numbers.

    Parameters
    ----------
    x : images (N, C, *spatial) with one to three spatial axes.
    kernel_size, stride, dilation : of the windows: an integer, or one for each spatial axis. The stride is
        `kernel_size` if left out: the windows tile the image.
    padding : on both sides, at most half of the window; nothing there ever wins.
    ceil_mode : let the last window hang over the edge, rather than leave out what does not fill one.

    Raises
    ------
    ValueError : the options do not fit the images.
    TypeError : complex numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import ops
    >>> ops.max_pool(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    check_images(x)
    windows = pooled(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    best = new_images(order_of(x), (*x.shape[:2], *windows.out), x.dtype)

    def work(some: Any) -> None:
        take_largest(filled(x[some], windows, lowest_of(x.dtype)), windows, best[some])

    for_each_piece(work, x)
    return best


def tiles(windows: Windows) -> bool:
    """Whether windows cover the images without padding, each number once: that of all of an image does."""
    whole = tuple(k * n for k, n in zip(windows.kernel, windows.out, strict=True))
    return windows.stride == windows.kernel and windows.size == windows.padded == whole


def split(images: Array, windows: Windows) -> Array:
    """Return images that windows tile with two axes for each of theirs: (N, C, windows, kernel, ...). Shares memory."""
    axes = [n for pair in zip(windows.out, windows.kernel, strict=True) for n in pair]
    return images.reshape(*images.shape[:2], *axes)


def avg_pool_rule(
    g: Array, x_shape: Sizes, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Array:
    windows = pooled(x_shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    shape = (*x_shape[:2], *windows.padded)
    part = g / counts(windows, count_include_pad, padding).astype(g.dtype)
    if isinstance(g, Tensor):
        sent = [scatter(part, under, shape) for _, under in windows.taps()]
        return sum(sent[1:], sent[0])[windows.inside()[0]]
    if tiles(windows):
        padded = new_images(order_of(g), shape, g.dtype)
        split(padded, windows)[...] = np.expand_dims(part, tuple(range(3, 2 * len(windows.size) + 2, 2)))
        return padded
    padded = new_images(order_of(g), shape, g.dtype, np.zeros)

    def work(some: Any) -> None:
        for _, under in windows.taps():
            padded[some][under] += part[some]

    for_each_piece(work, padded)
    return padded[windows.inside()[0]]


@operation(x=avg_pool_rule)
def avg_pool(
    x: Array,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Take the mean of each window of images.

    Parameters
    ----------
    x : images (N, C, *spatial) with one to three spatial axes.
    kernel_size, stride : of the windows: an integer, or one for each spatial axis. The stride is `kernel_size` if left
        out: the windows tile the image.
    padding : zeros on both sides, at most half of the window.
    ceil_mode : let the last window hang over the edge, rather than leave out what does not fill one; what hangs over
        does not count.
    count_include_pad : whether padding counts as numbers of the window.

    Raises
    ------
    ValueError : the options do not fit the images.
    TypeError : complex numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import ops
    >>> ops.avg_pool(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    check_images(x)
    windows = pooled(x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(float)
    wide = np.result_type(dtype, np.float32)  # in half precision sums would overflow on the way
    means = new_images(order_of(x), (*x.shape[:2], *windows.out), wide, np.zeros)
    number = counts(windows, count_include_pad, padding).astype(wide)
    if tiles(windows) and math.prod(windows.kernel) > FEW:
        split(x, windows).sum(axis=tuple(range(3, 2 * len(windows.size) + 2, 2)), dtype=wide, out=means)
        means /= number
        return means.astype(dtype, copy=False)

    def work(some: Any) -> None:
        padded, total = filled(x[some], windows, 0), means[some]
        for _, under in windows.taps():
            total += padded[under]
        total /= number

    for_each_piece(work, x)
    return means.astype(dtype, copy=False)
