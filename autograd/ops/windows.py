"""Operations on sliding windows: convolution (cross-correlation, as the field has it), its transpose, and pooling.

Images are (N, C, *spatial) with one to three spatial axes. The arithmetic takes a few images at a time, so that their
unrolled windows stay in cache, and parts of the batch in threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autograd.operation import Array, operation
from autograd.ops.indexing import scatter
from autograd.tensor import Tensor
from autograd.threads import in_parts

__all__ = ["avg_pool", "convolution", "convolution_transpose", "max_pool"]

CACHED: Final = 1 << 19  # bytes of unrolled windows at a time: half of a usual second-level cache
SMALL: Final = 1_000_000  # multiply-adds: OpenBLAS's AVX-512 kernels for matrix products up to here are its quickest
FEW: Final = 16  # so many numbers in one row of a window, or fewer, are too few for a matrix product of their own
Sizes = tuple[int, ...]


# Where windows lie


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

    def taps(self) -> Iterator[tuple[Sizes, tuple[Any, ...]]]:
        """Yield each place in the kernel, and the index of what lies under it in a padded batch, for all windows."""
        for place in product(*map(range, self.kernel)):
            starts = [i * d for i, d in zip(place, self.dilation, strict=True)]
            spans = zip(starts, self.stride, self.out, strict=True)
            yield place, (..., *(slice(a, a + s * (n - 1) + 1 if n else a, s) for a, s, n in spans))

    def inside(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the index of the images in a padded batch, and that of the part of them which lies there."""
        place: list[Any] = [...]
        part: list[Any] = [...]
        for size, before, after in zip(self.size, self.before, self.after, strict=True):
            place.append(slice(max(before, 0), before + size + min(after, 0)))
            part.append(slice(max(-before, 0), size + min(after, 0)))
        return tuple(place), tuple(part)


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
    if 0 in weight.shape[2:]:
        raise ValueError(f"expected a kernel that is not empty, got a weight of shape {weight.shape}")


def convolved(x: Array, weight: Array, stride: Any, padding: Any, dilation: Any) -> Windows:
    """Return the windows of a convolution of `x` with `weight`."""
    axes = x.ndim - 2
    size, kernel = x.shape[2:], weight.shape[2:]
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


def transposed(x: Array, weight: Array, stride: Any, padding: Any, output_padding: Any, dilation: Any) -> Windows:
    """Return the windows of the convolution whose transpose takes `x` to an image."""
    axes = x.ndim - 2
    kernel = weight.shape[2:]
    stride = per_axis(stride, axes, "stride", 1)
    dilation = per_axis(dilation, axes, "dilation", 1)
    before = per_axis(padding, axes, "padding", 0)
    extra = per_axis(output_padding, axes, "output_padding", 0)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e >= max(s, d):
            raise ValueError(f"output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
    size = tuple(
        (n - 1) * s - 2 * b + d * (k - 1) + e + 1
        for n, s, b, d, k, e in zip(x.shape[2:], stride, before, dilation, kernel, extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"padding {before} leaves nothing of the result: its size would be {size}")
    return Windows(size, kernel, stride, dilation, before, before, x.shape[2:])


# The arithmetic of convolution, on arrays


class Columns:
    """The windows of a few images at a time, as the columns of matrices (groups, numbers of a window, windows).

    The windows are copied once for each place in the kernel (im2col), but not for its first axis: a tap of that is
    the same matrix some columns later. So a 3x3 convolution copies its input 3 times, not 9, and is a sum of 3 matrix
    products. Measured on one core against copying all for one product: 0.92 of the time for 32 to 32 channels, 3x3;
    0.79 for 6 to 16, 5x5. A product for each of the 3x3 taps, which copies nothing, takes 1.1 times as long with
    channels last and 1.2 with channels first. Where a tap would have a few numbers only, all is copied: 0.75 for 3
    channels, 3x3. So it is where the first axis has a stride, since its taps are then not the same matrix.

    Images lie beside each other in the columns (image by row), so that the products of small images are not small.
    """

    def __init__(self, windows: Windows, channels: int, out: int, groups: int, dtype: Any) -> None:
        """Prepare for a convolution of images with so many `channels` to `out` channels."""
        self.windows, self.groups, self.dtype = windows, groups, dtype
        inner = channels // groups * math.prod(windows.kernel[1:])
        self.whole = windows.stride[0] != 1 or inner <= FEW
        self.taps = 1 if self.whole else windows.kernel[0]
        self.numbers = inner * windows.kernel[0] // self.taps
        self.rows = windows.out[0] if self.whole else windows.padded[0]
        self.row = math.prod(windows.out[1:])
        image = groups * self.numbers * self.rows * self.row
        weights = out * self.numbers * self.taps
        product = out // groups * self.numbers * windows.out[0] * self.row
        # So many images at a time as fit a cache, more where the weights are larger than that.
        self.step = max(1, max(CACHED // dtype.itemsize, weights) // max(1, image))
        if 0 < product <= SMALL:
            self.step = min(self.step, SMALL // product)
        self.padded: Any = None
        self.buffer = np.empty(0, dtype)

    def matrices(self, weight: Array) -> Array:
        """Return a weight (O, C/groups, *kernel) as matrices (taps, groups, O/groups, numbers)."""
        out, channels, first = weight.shape[:3]
        split = weight.reshape(self.groups, out // self.groups, channels, self.taps, first // self.taps, -1)
        return split.transpose(3, 0, 1, 2, 4, 5).reshape(self.taps, self.groups, out // self.groups, self.numbers)

    def kernels(self, matrices: Array, shape: Sizes) -> Array:
        """Undo `matrices`."""
        out, channels, first = shape[:3]
        split = matrices.reshape(
            self.taps, self.groups, out // self.groups, channels, first // self.taps, math.prod(shape[3:])
        )
        return split.transpose(1, 2, 3, 0, 4, 5).reshape(shape)

    def of(self, images: Array) -> list[Array]:
        """Return the matrices of some images, one for each tap. They are good until the next call."""
        windows = self.windows
        padded = self.pad(images)
        n, channels = padded.shape[:2]
        along = [a * s for a, s in zip(padded.strides[2:], windows.stride, strict=True)]
        across = [a * d for a, d in zip(padded.strides[2:], windows.dilation, strict=True)]
        copied = slice(None) if self.whole else slice(1, None)
        shape = (channels, *windows.kernel[copied], self.rows, n, *windows.out[1:])
        strides = (padded.strides[1], *across[copied], along[0], padded.strides[0], *along[1:])
        if len(self.buffer) < math.prod(shape):
            self.buffer = np.empty(math.prod(shape), self.dtype)
        buffer = self.buffer[: math.prod(shape)]
        np.copyto(buffer.reshape(shape), as_strided(padded, shape, strides, writeable=False))
        columns = buffer.reshape(self.groups, self.numbers, self.rows * n * self.row)
        line, count = n * self.row, windows.out[0] * n * self.row
        starts = [tap * windows.dilation[0] * line for tap in range(self.taps)]
        return [columns[:, :, start : start + count] for start in starts]

    def pad(self, images: Array) -> Array:
        """Return the images with their padding, in a buffer whose borders stay zero."""
        windows = self.windows
        if not any((*windows.before, *windows.after)):
            return images
        if self.padded is None or len(self.padded) < len(images):
            self.padded = np.zeros((*images.shape[:2], *windows.padded), self.dtype)
        padded = self.padded[: len(images)]
        place, part = windows.inside()
        padded[place] = images[part]
        return padded

    def results(self, images: Array) -> Array:
        """Return results (n, O, *out) as matrices (groups, O/groups, windows), with columns in the order of `of`."""
        n, channels = images.shape[:2]
        ordered = np.ascontiguousarray(np.moveaxis(images, 0, 2), self.dtype)
        return ordered.reshape(self.groups, channels // self.groups, self.windows.out[0] * n * self.row)


def correlate(x: Array, weight: Array, bias: Array, windows: Windows, groups: int) -> Array:
    """Return the convolution (N, O, *out) of images with weights (O, C/groups, *kernel)."""
    dtype = np.result_type(x, weight) if bias is None else np.result_type(x, weight, bias)
    n, channels = x.shape[:2]
    out = np.empty((n, len(weight), *windows.out), dtype)
    by_channel = None if bias is None else bias.reshape(-1, *(1,) * (x.ndim - 2))

    def work(start: int, stop: int) -> None:
        columns = Columns(windows, channels, len(weight), groups, dtype)
        matrices = columns.matrices(weight)
        for a in range(start, stop, columns.step):
            b = min(a + columns.step, stop)
            taps = columns.of(x[a:b])
            sums = np.matmul(matrices[0], taps[0])
            for matrix, tap in zip(matrices[1:], taps[1:], strict=True):
                sums += matrix @ tap
            found = np.moveaxis(sums.reshape(len(weight), windows.out[0], b - a, *windows.out[1:]), 2, 0)
            if by_channel is None:
                out[a:b] = found
            else:
                np.add(found, by_channel, out=out[a:b])

    in_parts(work, n, out.size * math.prod(weight.shape[1:]))
    return out


def correlate_back(g: Array, weight: Array, windows: Windows, groups: int) -> Array:
    """Return the transpose of `correlate`: what the gradient of results sends to the images (N, C, *size)."""
    out, channels = weight.shape[:2]
    if set(windows.stride) == {1}:  # a convolution itself, with the kernel turned round
        split = weight.reshape(groups, out // groups, channels, *windows.kernel).swapaxes(1, 2)
        turned = np.flip(split, tuple(range(3, split.ndim))).reshape(groups * channels, out // groups, *windows.kernel)
        before = tuple(r - 1 - b for r, b in zip(windows.reach, windows.before, strict=True))
        after = tuple(
            n + r - 1 - o - b for n, r, o, b in zip(windows.size, windows.reach, windows.out, before, strict=True)
        )
        back = Windows(windows.out, windows.kernel, windows.stride, windows.dilation, before, after, windows.size)
        return correlate(g, turned, None, back, groups)
    dtype = np.result_type(g, weight)
    images = np.empty((len(g), groups * channels, *windows.size), dtype)
    matrix = weight.reshape(groups, out // groups, -1).swapaxes(1, 2)
    place, _ = windows.inside()

    def work(start: int, stop: int) -> None:
        image = groups * channels * math.prod((*windows.kernel, *windows.out)) * dtype.itemsize
        step = max(1, max(CACHED, weight.nbytes) // max(1, image))
        for a in range(start, stop, step):
            b = min(a + step, stop)
            sent = np.moveaxis(g[a:b], 0, 1).reshape(groups, out // groups, -1)
            spread = (matrix @ sent).reshape(groups * channels, *windows.kernel, b - a, *windows.out)
            padded = np.zeros((b - a, groups * channels, *windows.padded), dtype)
            for at, under in windows.taps():
                padded[under] += spread[(slice(None), *at)].swapaxes(0, 1)
            images[a:b] = padded[place]

    in_parts(work, len(g), g.size * math.prod(weight.shape[1:]))
    return images


def weight_gradient(x: Array, g: Array, windows: Windows, groups: int, shape: Sizes) -> Array:
    """Return the gradient of weights of `shape` (O, C/groups, *kernel) from that of the results."""
    dtype = np.result_type(x, g)

    def work(start: int, stop: int) -> Array:
        columns = Columns(windows, x.shape[1], shape[0], groups, dtype)
        sums = np.zeros((columns.taps, groups, shape[0] // groups, columns.numbers), dtype)
        for a in range(start, stop, columns.step):
            b = min(a + columns.step, stop)
            sent = columns.results(g[a:b])
            for total, tap in zip(sums, columns.of(x[a:b]), strict=True):
                total += sent @ tap.swapaxes(1, 2)
        return columns.kernels(sums, shape)

    parts = in_parts(work, len(x), g.size * math.prod(shape[1:]))
    return sum(parts[1:], parts[0])


def bias_gradient(g: Array) -> Array:
    """Return the sum over images and places; places first, since they lie together."""
    return g.sum(axis=tuple(range(2, g.ndim))).sum(axis=0)


# The operations


def convolution_rule(
    g: Array, needs: tuple[bool, ...], x: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> tuple[Array, Array, Array]:
    windows = convolved(x, weight, stride, padding, dilation)
    return (
        correlate_back(g, weight, windows, groups) if needs[0] else None,
        weight_gradient(x, g, windows, groups, weight.shape) if needs[1] else None,
        bias_gradient(g) if needs[2] else None,
    )


def convolution_by_taps(
    x: Array, weight: Array, bias: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    """Compose a convolution of a matrix product for each place in the kernel."""
    windows = convolved(x, weight, stride, padding, dilation)
    n, (out, channels) = x.shape[0], weight.shape[:2]
    place, part = windows.inside()
    padded = scatter(x[part], place, (*x.shape[:2], *windows.padded))
    total: Array = 0.0
    for at, under in windows.taps():
        matrix = weight[(..., *at)].reshape(groups, out // groups, channels)
        total = total + matrix @ padded[under].reshape(n, groups, channels, math.prod(windows.out))
    return with_bias(total.reshape(n, out, *windows.out), bias)


def with_bias(images: Array, bias: Array) -> Array:
    return images if bias is None else images + bias.reshape(-1, *(1,) * (images.ndim - 2))


@operation(inputs=("x", "weight", "bias"), joint=convolution_rule, composed=convolution_by_taps)
def convolution(
    x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Array:
    """Slide kernels over images: the sum, over c, k and l, of x[n, c, i + k, j + l] * weight[o, c, k, l], plus bias[o].

    As everywhere in the field this is a cross-correlation: the kernel is not turned round.

    Parameters
    ----------
    x : images (N, C, *spatial) with one to three spatial axes.
    weight : kernels (O, C/groups, *kernel).
    bias : one number for each channel of the result (O,), or None.
    stride, padding, dilation : an integer, or one for each spatial axis. Padding is with zeros on both sides; "valid"
        is none, and "same" gives a result of the size of `x` (stride 1 only; where the padding is odd, one more follows
        than precedes).
    groups : that many parts of the channels are convolved apart, each with its part of the kernels.

    Returns
    -------
    (N, O, *out) with out = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError : shapes, channels and groups do not fit, or the kernel is larger than the padded image.
    TypeError : complex numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import ops
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> ops.convolution(x, np.array([[[[1.0, 0.0], [0.0, -1.0]]]]))
    array([[[[-4., -4.],
             [-4., -4.]]]])
    """
    check_weight(x, weight, bias, groups, transposed=False)
    return correlate(x, weight, bias, convolved(x, weight, stride, padding, dilation), groups)


def convolution_transpose_rule(
    g: Array,
    needs: tuple[bool, ...],
    x: Array,
    weight: Array,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> tuple[Array, Array, Array]:
    windows = transposed(x, weight, stride, padding, output_padding, dilation)
    return (
        correlate(g, weight, None, windows, groups) if needs[0] else None,
        weight_gradient(g, x, windows, groups, weight.shape) if needs[1] else None,
        bias_gradient(g) if needs[2] else None,
    )


def convolution_transpose_by_taps(
    x: Array,
    weight: Array,
    bias: Array,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    """Compose a transposed convolution of a matrix product for each place in the kernel."""
    windows = transposed(x, weight, stride, padding, output_padding, dilation)
    n, (channels, out) = x.shape[0], weight.shape[:2]
    columns = x.reshape(n, groups, channels // groups, math.prod(windows.out))
    padded: Array = 0.0
    for at, under in windows.taps():
        matrix = weight[(..., *at)].reshape(groups, channels // groups, out).swapaxes(1, 2)
        sent = (matrix @ columns).reshape(n, groups * out, *windows.out)
        padded = padded + scatter(sent, under, (n, groups * out, *windows.padded))
    return with_bias(padded[windows.inside()[0]], bias)


@operation(inputs=("x", "weight", "bias"), joint=convolution_transpose_rule, composed=convolution_transpose_by_taps)
def convolution_transpose(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Array:
    """Spread images by a kernel: what a convolution with the same options does to the gradient of its input.

    Parameters
    ----------
    x : images (N, C, *spatial) with one to three spatial axes.
    weight : kernels (C, O/groups, *kernel): those of the convolution, from O to C channels, whose transpose this is.
    bias : one number for each channel of the result (O,), or None.
    stride, padding, dilation, groups : those of that convolution. Padding is taken away from the result, not added.
    output_padding : added to the size of the result on one side: with a stride, images of several sizes convolve to
        that of `x`.

    Returns
    -------
    (N, O, *out) with out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises
    ------
    ValueError : shapes, channels, groups or `output_padding` do not fit, or nothing is left of the result.
    TypeError : complex numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import ops
    >>> ops.convolution_transpose(np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0]]]), stride=2)
    array([[[ 1., 10.,  2., 20.]]])
    """
    check_weight(x, weight, bias, groups, transposed=True)
    windows = transposed(x, weight, stride, padding, output_padding, dilation)
    return with_bias(correlate_back(x, weight, windows, groups), bias)


# Pooling


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


def filled(x: Array, windows: Windows, value: Any) -> Array:
    """Return images padded with `value`."""
    if not any((*windows.before, *windows.after)):
        return x
    padded = np.full((*x.shape[:2], *windows.padded), value, x.dtype)
    padded[windows.inside()[0]] = x
    return padded


def take_largest(padded: Array, windows: Windows, top: Array, winner: Array) -> None:
    """Write the largest number of each window into `top`, and the first place in the kernel with it into `winner`."""
    for tap, (_, under) in enumerate(windows.taps()):
        seen = padded[under]
        if tap == 0:
            top[...] = seen
            winner[...] = 0
            continue
        better = seen > top
        np.maximum(top, seen, out=top)
        np.maximum(winner, better * winner.dtype.type(tap), out=winner)  # a later place is a larger number


def take_carefully(padded: Array, windows: Windows, top: Array, winner: Array) -> None:
    """Do the same where a NaN is, which wins, or where all of a window is as low as padding, which never wins."""
    real = filled(np.ones((1, 1, *windows.size), bool), windows, False)
    begun = np.zeros((1, 1, *windows.out), bool)
    top[...] = 0
    for tap, (_, under) in enumerate(windows.taps()):
        seen, here = padded[under], real[under]
        better = here & ((seen > top) | (seen != seen) | ~begun)
        np.copyto(top, seen, where=better)
        np.copyto(winner, tap, where=better, casting="unsafe")
        begun |= here


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
    padded = np.zeros(shape, g.dtype)
    apart = all(s >= r for s, r in zip(windows.stride, windows.reach, strict=True))

    def work(start: int, stop: int) -> None:
        sent, winners, images = g[start:stop], aux[start:stop], padded[start:stop]
        nothing = g.dtype.type(0)
        for tap, (_, under) in enumerate(windows.taps()):
            if apart:
                images[under] = np.where(winners == tap, sent, nothing)
            else:
                images[under] += np.where(winners == tap, sent, nothing)

    in_parts(work, x_shape[0], g.size * math.prod(windows.kernel))
    return padded[windows.inside()[0]]


@operation(x=max_pool_rule, aux=True)
def max_pool(
    x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> tuple[Array, Array]:
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
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min if x.dtype.kind in "iu" else False
    best = np.empty((*x.shape[:2], *windows.out), x.dtype)
    winners = np.empty(best.shape, np.min_scalar_type(math.prod(windows.kernel) - 1))
    has_padding = any((*windows.before, *windows.after))

    def work(start: int, stop: int) -> None:
        padded, top, winner = filled(x[start:stop], windows, lowest), best[start:stop], winners[start:stop]
        take_largest(padded, windows, top, winner)
        if np.isnan(top).any() or (has_padding and (top == lowest).any()):
            take_carefully(padded, windows, top, winner)

    in_parts(work, len(x), best.size * math.prod(windows.kernel))
    return best, winners


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


def avg_pool_rule(
    g: Array, x_shape: Sizes, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Array:
    windows = pooled(x_shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    shape = (*x_shape[:2], *windows.padded)
    share = g / counts(windows, count_include_pad, padding).astype(g.dtype)
    if isinstance(g, Tensor):
        sent = [scatter(share, under, shape) for _, under in windows.taps()]
        return sum(sent[1:], sent[0])[windows.inside()[0]]
    padded = np.zeros(shape, g.dtype)

    def work(start: int, stop: int) -> None:
        for _, under in windows.taps():
            padded[start:stop][under] += share[start:stop]

    in_parts(work, x_shape[0], g.size * math.prod(windows.kernel))
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
    means = np.zeros((*x.shape[:2], *windows.out), dtype)
    number = counts(windows, count_include_pad, padding).astype(dtype)

    def work(start: int, stop: int) -> None:
        padded = filled(x[start:stop], windows, 0)
        total = means[start:stop]
        for _, under in windows.taps():
            total += padded[under]
        total /= number

    in_parts(work, len(x), means.size * math.prod(windows.kernel))
    return means
