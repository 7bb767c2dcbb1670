"""Convolutions of sequences and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from autograd import Tensor, ops
from autograd.kernels.windows import per_axis
from nn.casting import plain
from nn.layers.entry import batched, check_channels, entered, positive, unbatched, uniform
from nn.module import Module
from nn.parameter import Parameter
from nn.unrecorded import Array, unrecorded

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Sizes = int | tuple[int, ...]
MODES: Final = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # PyTorch's names, and NumPy's


class Convolution(Module):
    """What the convolutions share. `weight` and `bias` are drawn from U[-1/√n, 1/√n], n the numbers in a window."""

    axes: ClassVar[int]
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: str | Sizes,
        dilation: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        dtype: DTypeLike | None,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = positive(in_channels, "in_channels")
        self.out_channels = positive(out_channels, "out_channels")
        self.groups = positive(groups, "groups")
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} do not divide {in_channels} channels in and {out_channels} out")
        self.kernel_size = per_axis(kernel_size, self.axes, "kernel_size", 1)
        self.stride = per_axis(stride, self.axes, "stride", 1)
        self.dilation = per_axis(dilation, self.axes, "dilation", 1)
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"padding is an integer, {self.axes} of them, 'same' or 'valid', not {padding!r}")
            if padding == "same" and set(self.stride) != {1}:
                raise ValueError(f"padding='same' needs stride 1, got {self.stride}")
            self.padding = padding
        else:
            self.padding = per_axis(padding, self.axes, "padding", 0)
        if padding_mode not in ("zeros", *MODES):
            raise ValueError(f"padding_mode is 'zeros', 'reflect', 'replicate' or 'circular', not {padding_mode!r}")
        self.padding_mode = padding_mode
        across = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        shape = (*across, *self.kernel_size)
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        self.weight = uniform(shape, bound, dtype)
        self.bias = uniform((out_channels,), bound, dtype) if bias else None

    def more_options(self) -> list[str]:
        """Return what the repr shows of further options."""
        return []

    def extra_repr(self) -> str:
        options = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * self.axes:
            options.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.axes:
            options.append(f"dilation={self.dilation}")
        options.extend(self.more_options())
        if self.groups != 1:
            options.append(f"groups={self.groups}")
        if self.bias is None:
            options.append("bias=False")
        if self.padding_mode != "zeros":
            options.append(f"padding_mode={self.padding_mode}")
        return ", ".join(options)


class ConvNd(Convolution):
    """What `Conv1d` and `Conv2d` share."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype
        )

    def forward(self, input: Any) -> Tensor:
        x, single = batched(entered(input, self.weight), self.axes)
        check_channels(x, self.in_channels)
        padding = self.padding
        if self.padding_mode != "zeros" and padding != "valid":
            x = ops.pad(x, ((0, 0), (0, 0), *self.frame()), MODES[self.padding_mode])
            padding = "valid"
        result = ops.convolution(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)
        return unbatched(result, single)

    def frame(self) -> list[tuple[int, int]]:
        """Return the padding before and after each spatial axis."""
        if isinstance(self.padding, tuple):
            return [(p, p) for p in self.padding]
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [(r // 2, r - r // 2) for r in reach]

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        return int(result.size) * math.prod(self.weight.shape[1:])


@unrecorded(ConvNd.forward)
def convolution_of_array(layer: ConvNd, x: Array) -> Array:
    weight, bias = layer.weight._array, layer.bias
    fits = x.ndim == layer.axes + 2 and x.shape[1] == layer.in_channels and x.dtype == weight.dtype
    if not fits or layer.padding_mode != "zeros":
        return NotImplemented
    convolve = ops.convolution.operation.forward
    bias = None if bias is None else bias._array
    return convolve(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)


class Conv1d(ConvNd):
    """Slide kernels over sequences (N, C, L) or (C, L); see `Conv2d`.

    >>> import nn, numpy as np
    >>> nn.Conv1d(3, 8, 5, padding="same")(np.zeros((2, 3, 20))).shape
    (2, 8, 20)
    """

    axes = 1


class Conv2d(ConvNd):
    """Slide kernels over images (N, C, H, W) or (C, H, W), a cross-correlation as everywhere in the field.

    Parameters
    ----------
    in_channels, out_channels : the channels of the images and of the result.
    kernel_size, stride, dilation : an integer, or one for each spatial axis.
    padding : the same, on both sides; or "valid" for none, "same" for a result of the image's size (stride 1 only).
    groups : that many parts of the channels are convolved apart; `in_channels` of them is a depthwise convolution.
    bias : whether there is one.
    padding_mode : what the padding holds: "zeros", "reflect", "replicate" or "circular".
    dtype : of the parameters, float32 if left out.

    `weight` is (out_channels, in_channels / groups, *kernel_size), `bias` (out_channels,).

    Returns
    -------
    (N, out_channels, *size) with size = (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.Conv2d(3, 8, 3, stride=2, padding=1)(np.zeros((2, 3, 32, 32))).shape
    (2, 8, 16, 16)
    """

    axes = 2


class ConvTransposeNd(Convolution):
    """What `ConvTranspose1d` and `ConvTranspose2d` share."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f"a transposed convolution has padding_mode 'zeros', not {padding_mode!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            per_axis(padding, self.axes, "padding", 0),
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
            transposed=True,
        )
        self.output_padding = per_axis(output_padding, self.axes, "output_padding", 0)

    def forward(self, input: Any, output_size: Sequence[int] | None = None) -> Tensor:
        x, single = batched(entered(input, self.weight), self.axes)
        check_channels(x, self.in_channels)
        extra = self.output_padding if output_size is None else self.reaching(x.shape[2:], output_size)
        result = ops.convolution_transpose(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.dilation, self.groups
        )
        return unbatched(result, single)

    def reaching(self, size: tuple[int, ...], output_size: Sequence[int]) -> tuple[int, ...]:
        """Return the output padding that makes a result of `output_size`."""
        wanted = tuple(output_size)[-self.axes :]
        assert isinstance(self.padding, tuple)
        options = zip(size, self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in options)
        extra = tuple(w - n for w, n in zip(wanted, least, strict=False))
        if len(wanted) != self.axes or not all(0 <= e < max(s, 1) for e, s in zip(extra, self.stride, strict=True)):
            most = tuple(n + s - 1 for n, s in zip(least, self.stride, strict=True))
            raise ValueError(f"output_size {tuple(output_size)} is not between {least} and {most}")
        return extra

    def more_options(self) -> list[str]:
        return [f"output_padding={self.output_padding}"] if any(self.output_padding) else []

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        if args:
            size = plain(args[0]).size
        else:  # called by a keyword, which is not told: a stride makes so much of each number
            size = result.size // self.out_channels * self.in_channels // math.prod(self.stride)
        return int(size) * math.prod(self.weight.shape[1:])


class ConvTranspose1d(ConvTransposeNd):
    """Spread sequences (N, C, L) or (C, L) by kernels; see `ConvTranspose2d`.

    >>> import nn, numpy as np
    >>> nn.ConvTranspose1d(8, 3, 4, stride=2, padding=1)(np.zeros((2, 8, 10))).shape
    (2, 3, 20)
    """

    axes = 1


class ConvTranspose2d(ConvTransposeNd):
    """Spread images (N, C, H, W) or (C, H, W) by kernels, as the convolution with the same options does its gradient.

    Parameters
    ----------
    in_channels, out_channels : the channels of the images and of the result.
    kernel_size, stride, padding, groups, bias, dilation : those of that convolution. Padding is taken from the result.
    output_padding : added to the size of the result on one side.
    padding_mode : "zeros" only.
    dtype : of the parameters, float32 if left out.

    `weight` is (in_channels, out_channels / groups, *kernel_size), `bias` (out_channels,).

    Returns
    -------
    (N, out_channels, *size) with size = (size - 1) * stride - 2 * padding + dilation * (kernel_size - 1) +
    output_padding + 1. `output_size=` in the call asks for one of the sizes that `output_padding` can reach.

    Examples
    --------
    >>> import nn, numpy as np
    >>> up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> up(np.zeros((2, 8, 16, 16))).shape, up(np.zeros((2, 8, 16, 16)), output_size=(32, 32)).shape
    ((2, 3, 31, 31), (2, 3, 32, 32))
    """

    axes = 2
