"""Where sliding windows lie on images: sizes, strides, padding, and what does not fit.

Images are (N, C, *spatial) with one to three spatial axes.
"""

from __future__ import annotations

import functools
import marshal
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

Sizes = tuple[int, ...]

Array = Any
WITHOUT_REFERENCES: Final = 2  # the version of marshal's format in which the same is written alike
REMEMBERED: Final = 1024  # windows of a kind
PLAIN: Final = {int, bool, str, type(None)}  # of which marshal says what they are: of NumPy's numbers it says the bytes
MANY_TAPS: Final = 64  # places in a kernel from which where they lie is not remembered


class Windows(NamedTuple):
    """How windows of `kernel` lie on an image of `size`, padded by `before` and `after`; all are one number an axis.

    Negative padding crops.
    """

    size: Sizes
    kernel: Sizes
    stride: Sizes
    dilation: Sizes
    before: Sizes
    after: Sizes
    out: Sizes

    @property
    def padded(self) -> Sizes:
        return tuple(b + n + a for b, n, a in zip(self.before, self.size, self.after, strict=True))

    @property
    def reach(self) -> Sizes:
        """From the first to the last element of a window, counting both."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def pitch(self) -> int:
        """Pixels from a line to the next where lines lie one after the other, and neighbours share their padding."""
        seen = self.inside()[1][-1]
        return max(seen.stop - seen.start + max(self.before[-1], self.after[-1], 0), self.out[-1])

    def taps(self) -> Iterable[tuple[Sizes, tuple[Any, ...]]]:
        """Return each place in the kernel, and the index of what lies under it in a padded batch, for all windows."""
        return remembered_taps(self) if math.prod(self.kernel) <= MANY_TAPS else taps_of(self)

    def inside(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the index of the images in a padded batch, and that of the part of them which lies there."""
        return remembered_inside(self)


@functools.lru_cache(maxsize=256)
def remembered_inside(windows: Windows) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    place: list[Any] = [...]
    part: list[Any] = [...]
    for size, before, after in zip(windows.size, windows.before, windows.after, strict=True):
        place.append(slice(max(before, 0), before + size + min(after, 0)))
        part.append(slice(max(-before, 0), size + min(after, 0)))
    return tuple(place), tuple(part)


def taps_of(windows: Windows) -> Iterator[tuple[Sizes, tuple[Any, ...]]]:
    for place in product(*map(range, windows.kernel)):
        starts = [i * d for i, d in zip(place, windows.dilation, strict=True)]
        spans = zip(starts, windows.stride, windows.out, strict=True)
        yield place, (..., *(slice(a, a + s * (n - 1) + 1 if n else a, s) for a, s, n in spans))


@functools.lru_cache(maxsize=256)
def remembered_taps(windows: Windows) -> tuple[tuple[Sizes, tuple[Any, ...]], ...]:
    return tuple(taps_of(windows))


def per_axis(value: Any, axes: int, name: str, least: int) -> Sizes:
    """Return an option as one integer for each spatial axis."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    for number in given:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)):
            raise TypeError(f"{name} is an integer or a tuple of {axes}, not {value!r}")
    if len(given) != axes or min(given) < least:
        raise ValueError(f"{name} is an integer of at least {least} or a tuple of {axes} of them, not {value!r}")
    return tuple(int(number) for number in given)


def check_images(x: Array) -> int:
    """Return the number of spatial axes of a batch of images."""
    if x.dtype.kind == "c":
        raise TypeError(f"complex numbers are not supported: expected a real dtype, got {x.dtype}")
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"expected x of shape (N, C, *spatial) with 1 to 3 spatial axes, got {x.shape}")
    return int(x.ndim) - 2


def check_weight(x: Array, weight: Array, bias: Array, groups: int, transposed: bool) -> None:
    """Refuse weights that do not fit the images."""
    axes = check_images(x)
    if weight.dtype.kind == "c" or (bias is not None and bias.dtype.kind == "c"):
        raise TypeError("complex numbers are not supported: expected a weight and a bias of a real dtype")
    layout = "(C, O/groups, *kernel)" if transposed else "(O, C/groups, *kernel)"
    if weight.ndim != x.ndim:
        raise ValueError(
            f"expected a weight {layout} with {axes} kernel axes for x of shape {x.shape}, got {weight.shape}"
        )
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"groups is a positive integer, not {groups!r}")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.shape[1] != channels:
        raise ValueError(
            f"expected x with {channels} channels for a weight {layout} of shape {weight.shape} and groups={groups}, "
            f"got {x.shape[1]}"
        )
    if weight.shape[0] % groups:
        raise ValueError(
            f"groups={groups} do not divide the {weight.shape[0]} channels of a weight of shape {weight.shape}"
        )
    out = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (out,):
        raise ValueError(
            f"expected a bias of shape {(out,)}, one number for each channel of the result, got {bias.shape}"
        )
    if not weight.shape[0]:
        raise ValueError(f"expected a weight {layout} of one kernel or more, got {weight.shape}")
    if 0 in weight.shape[2:]:
        raise ValueError(f"expected a kernel that is not empty, got a weight of shape {weight.shape}")


def remembered(function: Callable[..., Windows]) -> Callable[..., Windows]:
    """Remember what a function returned for the same arguments: a tenth of LeNet on one image.

    They are compared as `marshal` writes them, which in a fifth of the time that types take tells True and 1.0 from 1.
    """
    known: dict[bytes, Windows] = {}

    @functools.wraps(function)
    def call(*args: Any) -> Windows:
        try:
            key = marshal.dumps(args, WITHOUT_REFERENCES)
        except ValueError:  # nothing that it can write
            return function(*args)
        found = known.get(key)
        if found is None:
            found = function(*args)
            if all(type(n) in PLAIN for a in args for n in (a if type(a) is tuple else (a,))):
                if len(known) >= REMEMBERED:
                    known.clear()
                known[key] = found
        return found

    return call


@remembered
def convolved(size: Sizes, kernel: Sizes, stride: Any, padding: Any, dilation: Any) -> Windows:
    """Return the windows of a convolution."""
    axes = len(size)
    stride = per_axis(stride, axes, "stride", 1)
    dilation = per_axis(dilation, axes, "dilation", 1)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "same":
        if set(stride) != {1}:
            raise ValueError(f"padding='same' needs stride 1, got {stride}")
        before = tuple((r - 1) // 2 for r in reach)
        after = tuple(r - 1 - b for r, b in zip(reach, before, strict=True))
    elif isinstance(padding, str) and padding != "valid":
        raise ValueError(f"padding is an integer, a tuple, 'same' or 'valid', not {padding!r}")
    else:
        before = after = per_axis(0 if padding == "valid" else padding, axes, "padding", 0)
    for n, b, a, r in zip(size, before, after, reach, strict=True):
        if r > b + n + a:
            raise ValueError(
                f"expected a padded image of at least {tuple(reach)}, the reach of a kernel {kernel} with dilation "
                f"{dilation}; got {tuple(b + n + a for b, n, a in zip(before, size, after, strict=True))}"
            )
    out = tuple((b + n + a - r) // s + 1 for n, b, a, r, s in zip(size, before, after, reach, stride, strict=True))
    return Windows(size, kernel, stride, dilation, before, after, out)


@remembered
def transposed(results: Sizes, kernel: Sizes, stride: Any, padding: Any, output_padding: Any, dilation: Any) -> Windows:
    """Return the windows of the convolution whose transpose takes its results to an image."""
    axes = len(results)
    stride = per_axis(stride, axes, "stride", 1)
    dilation = per_axis(dilation, axes, "dilation", 1)
    before = per_axis(padding, axes, "padding", 0)
    extra = per_axis(output_padding, axes, "output_padding", 0)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise ValueError(f"output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
    size = tuple(
        (n - 1) * s - 2 * b + d * (k - 1) + e + 1
        for n, s, b, d, k, e in zip(results, stride, before, dilation, kernel, extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"padding {before} leaves nothing of the result: its size would be {size}")
    return Windows(size, kernel, stride, dilation, before, before, results)


@remembered
def pooled(size: Sizes, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Windows:
    """Return the windows of a pooling; with `ceil_mode` the last may hang over, if it begins in the image or before."""
    axes = len(size)
    kernel = per_axis(kernel_size, axes, "kernel_size", 1)
    stride = kernel if stride is None else per_axis(stride, axes, "stride", 1)
    dilation = per_axis(dilation, axes, "dilation", 1)
    before = per_axis(padding, axes, "padding", 0)
    out, after = [], []
    for n, k, s, d, b in zip(size, kernel, stride, dilation, before, strict=True):
        reach = d * (k - 1) + 1
        if 2 * b > reach:
            raise ValueError(f"padding {before} must be at most half of kernel_size {kernel}, with dilation {dilation}")
        if reach > n + 2 * b and not (ceil_mode and n + 2 * b - reach + s - 1 >= 0):
            raise ValueError(
                f"expected a padded image of at least {reach}, the reach of kernel_size {kernel} with dilation "
                f"{dilation}; got {n + 2 * b} from an image of {size} with padding {before}"
            )
        room = n + 2 * b - reach
        count = (room + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= n + b:
            count -= 1
        out.append(count)
        after.append(max(b, (count - 1) * s + reach - n - b))
    return Windows(size, kernel, stride, dilation, before, tuple(after), tuple(out))


def counts(windows: Windows, count_include_pad: bool, padding: Any) -> Array:
    """Return how many numbers each window averages: what hangs over through `ceil_mode` never counts."""
    found: Any = np.ones(())
    given = per_axis(padding, len(windows.size), "padding", 0)
    for n, b, k, s, out in zip(windows.size, given, windows.kernel, windows.stride, windows.out, strict=True):
        start = np.arange(out) * s - b
        edge = (-b, n + b) if count_include_pad else (0, n)
        number = np.minimum(start + k, edge[1]) - np.maximum(start, edge[0])
        found = found[..., None] * number
    return found
