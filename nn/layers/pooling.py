"""Pooling, adaptive pooling and upsampling: layers that change the size of sequences and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from autograd import Tensor, ops
from autograd.kernels.windows import counts, per_axis, pooled
from autograd.ops.pooling import winners_of
from nn import functional as F
from nn.casting import given
from nn.layers.entry import batched, constant, unbatched
from nn.module import Module
from nn.unrecorded import Array, unrecorded

Sizes = int | tuple[int, ...]


class MaxPool(Module):
    """What `MaxPool1d` and `MaxPool2d` share."""

    axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        per_axis(kernel_size, self.axes, "kernel_size", 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Any) -> Any:
        x, single = batched(given(input), self.axes)
        options = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        largest: Tensor = ops.max_pool(x, *options)
        result = unbatched(largest, single)
        if not self.return_indices:
            return result
        winners = winners_of(largest.data, x.data, *options)
        windows = pooled(x.shape[2:], *options)
        places: Any = np.unravel_index(winners, windows.kernel)
        found = 0
        for axis, place in enumerate(places):
            starts = np.arange(windows.out[axis]) * windows.stride[axis] - windows.before[axis]
            starts = starts.reshape(-1, *(1,) * (self.axes - 1 - axis))
            found = found * windows.size[axis] + starts + place * windows.dilation[axis]
        return result, unbatched(constant(found), single)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


@unrecorded(MaxPool.forward)
def max_pool_of_array(layer: MaxPool, x: Array) -> Array:
    if layer.return_indices or x.ndim != layer.axes + 2:
        return NotImplemented
    pool = ops.max_pool.operation.forward
    return pool(x, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode)


class MaxPool1d(MaxPool):
    """Take the largest number of each window of sequences (N, C, L) or (C, L); see `MaxPool2d`.

    >>> import nn
    >>> nn.MaxPool1d(2)([[[1.0, 3.0, 2.0, 0.0]]]).tolist()
    [[[3.0, 2.0]]]
    """

    axes = 1


class MaxPool2d(MaxPool):
    """Take the largest number of each window of images (N, C, H, W) or (C, H, W). Of equal ones the first is taken.

    Parameters
    ----------
    kernel_size, stride, dilation : of the windows: an integer, or one for each spatial axis. The stride is
        `kernel_size` if left out.
    padding : on both sides, at most half of the window; nothing there ever wins.
    return_indices : return also where in its flattened image each winner was.
    ceil_mode : let the last window hang over the edge, rather than leave out what does not fill one.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    axes = 2


class AvgPool(Module):
    """What `AvgPool1d` and `AvgPool2d` share."""

    axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        per_axis(kernel_size, self.axes, "kernel_size", 1)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Any) -> Tensor:
        x, single = batched(given(input), self.axes)
        return unbatched(self.mean(x), single)

    def mean(self, x: Tensor) -> Tensor:
        return ops.avg_pool(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(AvgPool):
    """Take the mean of each window of sequences (N, C, L) or (C, L); see `AvgPool2d`.

    >>> import nn
    >>> nn.AvgPool1d(2)([[[1.0, 3.0, 2.0, 0.0]]]).tolist()
    [[[2.0, 1.0]]]
    """

    axes = 1


class AvgPool2d(AvgPool):
    """Take the mean of each window of images (N, C, H, W) or (C, H, W).

    Parameters
    ----------
    kernel_size, stride : of the windows: an integer, or one for each spatial axis. The stride is `kernel_size` if left
        out.
    padding : zeros on both sides, at most half of the window.
    ceil_mode : let the last window hang over the edge; what hangs over does not count.
    count_include_pad : whether padding counts as numbers of the window.
    divisor_override : divide the sums by this, not by how many numbers count.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    axes = 2

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        if divisor_override == 0:
            raise ValueError("divisor_override must not be 0")
        self.divisor_override = divisor_override

    def mean(self, x: Tensor) -> Tensor:
        means = super().mean(x)
        if self.divisor_override is None:
            return means
        windows = pooled(x.shape[2:], self.kernel_size, self.stride, self.padding, 1, self.ceil_mode)
        numbers = counts(windows, self.count_include_pad, self.padding) / self.divisor_override
        return means * constant(numbers.astype(means.dtype))


# Adaptive pooling


class Adaptive(Module):
    """What the adaptive poolings share."""

    axes: ClassVar[int]

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        super().__init__()
        given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * self.axes
        per_axis(tuple(1 if n is None else n for n in given), self.axes, "output_size", 1)
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(Adaptive):
    """Take means of sequences (N, C, L) or (C, L) over `output_size` windows; None keeps the length.

    >>> import nn, numpy as np
    >>> nn.AdaptiveAvgPool1d(2)(np.arange(6.0).reshape(1, 1, 6)).tolist()
    [[[1.0, 4.0]]]
    """

    axes = 1

    def forward(self, input: Any) -> Tensor:
        return F.adaptive_avg_pool1d(given(input), self.output_size)


class AdaptiveAvgPool2d(Adaptive):
    """Take means of images (N, C, H, W) or (C, H, W) over windows that make a result of `output_size`.

    Parameters
    ----------
    output_size : one integer for both axes, or two; None keeps the image's.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.AdaptiveAvgPool2d((1, None))(np.ones((2, 3, 8, 6))).shape
    (2, 3, 1, 6)
    """

    axes = 2

    def forward(self, input: Any) -> Tensor:
        return F.adaptive_avg_pool2d(given(input), self.output_size)


class AdaptiveMaxPool(Adaptive):
    """What `AdaptiveMaxPool1d` and `AdaptiveMaxPool2d` share."""

    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Any) -> Any:
        x = given(input)
        result = type(self).pool(x, self.output_size)
        if not self.return_indices:
            return result
        rows = (1,) * (2 - self.axes)  # a sequence is an image of one row
        images = x.data.reshape(*x.shape[: -self.axes], *rows, *x.shape[-self.axes :])
        return result, constant(self.winners(images, (*rows, *result.shape[-self.axes :])).reshape(result.shape))

    def winners(self, images: Any, out: tuple[int, ...]) -> Any:
        """Return where in its flattened image the first largest number of each window is."""
        height, width = images.shape[-2:]
        found = np.empty((*images.shape[:-2], *out), np.intp)
        for i, (top, bottom) in enumerate(F.windows_of(height, out[0])):
            for j, (left, right) in enumerate(F.windows_of(width, out[1])):
                seen = images[..., top:bottom, left:right].reshape(*images.shape[:-2], -1)
                row, column = np.divmod(seen.argmax(axis=-1), right - left)
                found[..., i, j] = (top + row) * width + left + column
        return found


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """Take the largest numbers of sequences (N, C, L) or (C, L) over `output_size` windows; None keeps the length.

    >>> import nn, numpy as np
    >>> nn.AdaptiveMaxPool1d(2)(np.arange(6.0).reshape(1, 1, 6)).tolist()
    [[[2.0, 5.0]]]
    """

    axes = 1
    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """Take the largest numbers of images (N, C, H, W) or (C, H, W) over windows that make a result of `output_size`.

    Parameters
    ----------
    output_size : one integer for both axes, or two; None keeps the image's.
    return_indices : return also where in its flattened image each winner was.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.AdaptiveMaxPool2d(2)(np.arange(9.0).reshape(1, 1, 3, 3)).tolist()
    [[[[4.0, 5.0], [7.0, 8.0]]]]
    """

    axes = 2
    pool = staticmethod(F.adaptive_max_pool2d)


# Upsampling


class Upsample(Module):
    """Enlarge sequences (N, C, L) or images (N, C, H, W), or make them smaller, by interpolation.

    Parameters
    ----------
    size : of the result: an integer, or one for each spatial axis.
    scale_factor : in place of it, a number or one for each axis; the size is rounded down.
    mode : "nearest" repeats numbers; "linear" (sequences) and "bilinear" (images) interpolate.
    align_corners : for the latter: whether the outermost numbers of input and result lie upon each other, or their
        outer edges do (the default).
    recompute_scale_factor : whether places are computed with the ratio of the sizes rather than with `scale_factor`.

    Examples
    --------
    >>> import nn
    >>> nn.Upsample(scale_factor=2)([[[1.0, 2.0]]]).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]
    >>> nn.Upsample(size=3, mode="linear", align_corners=True)([[[1.0, 2.0]]]).tolist()
    [[[1.0, 1.5, 2.0]]]
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError("give either size or scale_factor")
        if mode not in ("nearest", "linear", "bilinear"):
            raise ValueError(f"mode is 'nearest', 'linear' or 'bilinear', not {mode!r}")
        if mode == "nearest" and align_corners is not None:
            raise ValueError("align_corners is for the linear modes")
        if recompute_scale_factor and scale_factor is None:
            raise ValueError("recompute_scale_factor needs scale_factor")
        self.size = tuple(size) if isinstance(size, Sequence) else size
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, Sequence):
            self.scale_factor = tuple(float(f) for f in scale_factor)
        else:
            self.scale_factor = None if scale_factor is None else float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Tensor:
        x = given(input)
        size, factor = self.size, self.scale_factor
        if self.recompute_scale_factor and factor is not None:
            factors = factor if isinstance(factor, tuple) else (factor,) * (x.ndim - 2)
            size, factor = tuple(int(n * f) for n, f in zip(x.shape[2:], factors, strict=True)), None
        return F.interpolate(x, size, factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        size = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{size}, mode={self.mode!r}"
