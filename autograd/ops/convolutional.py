"""Convolution (cross-correlation, as the field has it) and its transpose.

Images are (N, C, *spatial) with one to three spatial axes. The arithmetic is in `autograd.kernels`.
"""

from __future__ import annotations

import math
from typing import Any

from autograd.kernels.correlation import bias_gradient, correlate, correlate_back, gradients, weight_gradient
from autograd.kernels.windows import check_weight, convolved, transposed
from autograd.operation import Array, operation
from autograd.ops.indexing import scatter

__all__ = ["convolution", "convolution_transpose"]


def convolution_rule(
    g: Array, needs: tuple[bool, ...], x: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> tuple[Array, Array, Array]:
    windows = convolved(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    return gradients(g, x, weight, windows, groups, needs)


def convolution_by_taps(
    x: Array, weight: Array, bias: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    """Compose a convolution of a matrix product for each place in the kernel."""
    windows = convolved(x.shape[2:], weight.shape[2:], stride, padding, dilation)
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
    return correlate(x, weight, bias, convolved(x.shape[2:], weight.shape[2:], stride, padding, dilation), groups)


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
    windows = transposed(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
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
    windows = transposed(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
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
    windows = transposed(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
    return with_bias(correlate_back(x, weight, windows, groups), bias)
