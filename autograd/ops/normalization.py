"""Normalisation over any axes: what batch, layer, group and instance norm have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from autograd.kernels import columns, rows
from autograd.kernels.layout import STRIPS, by_strip, from_strips, in_order_of, order_of, without_strips
from autograd.kernels.moments import kept_shape, summed, total
from autograd.operation import Array, operation
from autograd.tensor import Tensor

__all__ = ["normalize"]

CACHED: Final = 1 << 18  # bytes of one array to work on at a time
KERNELS: Final = {"columns": columns, "rows": rows}
Slice = tuple[Any, ...]


class Normalized(NamedTuple):
    """A normalised array, and the mean and the (biased) variance that it had, without the axes they were taken over."""

    out: Any
    mean: Any
    var: Any


def check(x: Array, weight: Array, bias: Array, axes: Any, along: Any) -> tuple[int, ...]:
    """Return the axes as numbers from 0, having refused what does not fit."""
    if x.dtype.kind == "c":
        raise TypeError(f"complex numbers are not supported: expected a real dtype, got {x.dtype}")
    given = tuple(axes) if isinstance(axes, (tuple, list)) else (axes,)
    found = tuple(sorted(axis % x.ndim for axis in given if -x.ndim <= axis < x.ndim))
    if not found or len(set(found)) < len(given):
        raise ValueError(
            f"expected one or more of the {x.ndim} axes of x, each once, got axes={axes}; x has shape {x.shape}"
        )
    if along is not None and not (isinstance(along, (int, np.integer)) and 0 <= along < x.ndim):
        raise ValueError(f"expected along to be one of the axes 0 to {x.ndim - 1}, or None, got {along!r}")
    for name, array in (("weight", weight), ("bias", bias)):
        if array is None:
            continue
        if along is not None and array.shape != (x.shape[along],):
            raise ValueError(
                f"expected a {name} of shape {(x.shape[along],)}, along axis {along} of x, got {array.shape}"
            )
        if along is None and not broadcasts(array.shape, x.shape):
            raise ValueError(f"expected a {name} that broadcasts to the shape of x, {x.shape}, got {array.shape}")
    return found


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(reversed(shape), reversed(to), strict=False))


class Parts:
    """An array in parts along its first axis that is not normalised over: each is normalised by itself.

    Each part goes through all steps while it is in cache.
    """

    def __init__(self, x: Array, axes: tuple[int, ...]) -> None:
        self.axis = next((a for a in range(x.ndim) if a not in axes and x.shape[a] > 1), 0)
        self.count = x.shape[self.axis] if self.axis not in axes else 1
        self.step = max(1, CACHED * self.count // max(1, x.nbytes))

    def __iter__(self) -> Iterator[Slice]:
        """Yield the index of each part."""
        if self.count == 1:
            yield (Ellipsis,)
            return
        for a in range(0, self.count, self.step):
            yield (*(slice(None),) * self.axis, slice(a, a + self.step))

    def of(self, small: Array, index: Slice) -> Array:
        """Return the part of an array that broadcasts along the others."""
        return small if small.shape[self.axis] == 1 and self.count > 1 else small[index]


def full_rank(small: Array, x: Array, along: int | None) -> Array:
    """Return a weight or a bias with as many axes as `x`."""
    after = 0 if along is None else x.ndim - 1 - along
    return small.reshape((1,) * (x.ndim - small.ndim - after) + small.shape + (1,) * after)


def fitted(gradient: Array, along: int | None) -> Array:
    """Return the gradient of what was broadcast as that of a vector along an axis, if it was one."""
    return gradient if along is None else gradient.sum(axis=tuple(a for a in range(gradient.ndim) if a != along))


def goes_by_strips(x: Array, arrays: tuple[Array, ...], axes: tuple[int, ...], along: int | None) -> bool:
    """Whether images in strips can be normalised as these lie, over all but the channels.

    Then the order of the axes is nothing to the sums; weights and the like must know no axis but that of the channels.
    """
    channels = [x.shape[axis] if axis == 1 else 1 for axis in range(x.ndim)]
    return (
        x.ndim > 3
        and axes == (0, *range(2, x.ndim))
        and order_of(x) == STRIPS
        and by_strip(x).flags.c_contiguous
        and all(
            list(full_rank(array, x, along).shape) in (channels, [1] * x.ndim) for array in arrays if array is not None
        )
    )


def recorded_rule(
    g: Array, needs: tuple[bool, ...], x: Array, weight: Array, axes: tuple[int, ...], eps: float, along: int | None
) -> tuple[Array, Array, Array]:
    """Compute what `normalize_rule` does in operations of the table; the engine sums over what was broadcast."""

    def mean(array: Array) -> Array:  # without NumPy's warning where there is nothing to take it of
        return array.sum(axis=axes, keepdims=True) / max(1, math.prod(x.shape[axis] for axis in axes))

    centered = x - mean(x)
    scale = (mean(centered * centered) + eps) ** -0.5
    hat = centered * scale
    sent = g if weight is None else g * full_rank(weight, x, along)
    to_x = scale * (sent - mean(sent) - hat * mean(sent * hat)) if needs[0] else None
    return to_x, fitted(g * hat, along) if needs[1] else None, fitted(g, along) if needs[2] else None


def normalize_rule(
    g: list[Array], needs: tuple[bool, ...], x: Array, weight: Array, eps: float, along: int | None, aux: Any
) -> tuple[Array, Array, Array]:
    gradient, (mean, scale, axes, name) = g[0], aux
    if isinstance(gradient, Tensor):
        return recorded_rule(gradient, needs, x, weight, axes, eps, along)
    x = x.astype(gradient.dtype, copy=False)  # which integers were normalised in
    if name:
        return kernel_rule(KERNELS[name], gradient, needs, x, weight, mean, scale, axes, along)
    to_bias = fitted(gradient, along) if needs[2] else None
    striped = goes_by_strips(x, (weight,), axes, along)
    if striped:
        x, gradient = by_strip(x), np.ascontiguousarray(by_strip(gradient))
    else:
        x, gradient = without_strips(x), without_strips(gradient)
    parts = Parts(x, axes)
    n = max(1, math.prod(x.shape[axis] for axis in axes))
    by_weight: Array = None if weight is None else full_rank(weight, x, along)
    over = () if weight is None else tuple(a for a in range(x.ndim) if by_weight.shape[a] == 1)
    to_x = np.empty(x.shape, gradient.dtype) if needs[0] else None

    to_weight = np.zeros(by_weight.shape, weight.dtype) if needs[1] else None
    for index in parts if needs[0] or needs[1] else ():
        sent = gradient[index]
        hat = x[index] - parts.of(mean, index)
        hat *= parts.of(scale, index)
        if to_weight is not None:
            landing = parts.of(to_weight, index)
            landing += summed(sent, hat, over)
        if to_x is None:
            continue
        if by_weight is not None:
            sent = sent * parts.of(by_weight, index)
        hat *= summed(sent, hat, axes) / n
        hat += total(sent, axes) / n
        found = to_x[index]
        np.subtract(sent, hat, out=found)
        found *= parts.of(scale, index)
    if to_weight is not None:
        to_weight = fitted(to_weight, along)
    if striped and to_x is not None:
        to_x = from_strips(to_x)
    return to_x, to_weight, to_bias


def kernel_of(x: Array, weight: Array, bias: Array, axes: tuple[int, ...], along: int | None) -> tuple[str, Array]:
    """Return the kernel that suits the axes of `x` and the shapes of weight and bias, and its matrix; else ""."""
    for name, kernel in KERNELS.items():
        if (matrix := kernel.as_matrix(x, axes)) is not None:
            shape = kernel.weight_shape(x, axes)
            given = [full_rank(array, x, along) for array in (weight, bias) if array is not None]
            if all(array.dtype == x.dtype and list(array.shape) == shape for array in given):
                return name, matrix
    return "", None


def kernel_rule(
    kernel: Any,
    g: Array,
    needs: tuple[bool, ...],
    x: Array,
    weight: Array,
    mean: Array,
    scale: Array,
    axes: tuple[int, ...],
    along: int | None,
) -> tuple[Array, Array, Array]:
    sent = kernel.as_matrix(g, axes) if g.dtype == x.dtype else None
    if sent is None:
        sent = kernel.as_matrix(in_order_of(x, g, x.dtype), axes)
    to_x = np.empty_like(x) if needs[0] else None
    to_weight, to_bias = kernel.gradients(
        sent,
        kernel.as_matrix(x, axes),
        mean.ravel(),
        scale.ravel(),
        None if weight is None else weight.ravel(),
        None if to_x is None else kernel.as_matrix(to_x, axes),
    )
    shape = kernel.weight_shape(x, axes) if along is None else -1
    return to_x, to_weight.reshape(shape) if needs[1] else None, to_bias.reshape(shape) if needs[2] else None


@operation(inputs=("x", "weight", "bias"), joint=normalize_rule, aux=True, outputs=(True, False, False))
def normalize(
    x: Array, weight: Array = None, bias: Array = None, axes: Any = -1, eps: float = 1e-5, along: int | None = None
) -> tuple[Normalized, Any]:
    """Give the numbers along `axes` mean 0 and variance 1, then multiply by `weight` and add `bias`.

    (x - mean) / sqrt(var + eps) * weight + bias. The gradient takes into account that mean and variance depend on `x`;
    where they are constants (batch norm in evaluation), that is plain arithmetic, not this.

    Parameters
    ----------
    x : any array. Batch norm of (N, C, H, W) is axes=(0, 2, 3), layer norm axes=-1, group norm axes=(2, 3, 4) of
        (N, groups, C // groups, H, W).
    weight, bias : what broadcasts to the shape of `x`, (C, 1, 1) for batch norm say; or None.
    axes : over which mean and variance are taken.
    eps : added to the variance.
    along : the axis of `x` that weight and bias are vectors along, 1 for the channels of images say; with None they
        broadcast.

    Returns
    -------
    A named tuple (out, mean, var). Mean and variance (divided by the count, not one less) are plain results without a
    gradient, for running statistics.

    Raises
    ------
    ValueError : axes that `x` does not have; a weight or bias that does not broadcast to it.
    TypeError : complex numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import ops
    >>> out, mean, var = ops.normalize(np.array([[1.0, 3.0], [2.0, 6.0]]), eps=0.0)
    >>> out
    array([[-1.,  1.],
           [-1.,  1.]])
    >>> mean, var
    (array([2., 4.]), array([1., 4.]))
    """
    found = check(x, weight, bias, axes, along)
    if x.dtype.kind != "f":
        x = x.astype(float)
    shape = kept_shape(x, found)
    name, matrix = kernel_of(x, weight, bias, found, along)
    if name:
        kernel = KERNELS[name]
        out = np.empty_like(x)
        vectors = [None if array is None else array.ravel() for array in (weight, bias)]
        mean, var, scale = kernel.normalize(matrix, *vectors, eps, kernel.as_matrix(out, found))
        mean, var, scale = (array.reshape(shape) for array in (mean, var, scale))
        return Normalized(out, mean.squeeze(found), var.squeeze(found)), (mean, scale, found, name)
    striped = goes_by_strips(x, (weight, bias), found, along)
    x = by_strip(x) if striped else without_strips(x)
    parts = Parts(x, found)
    n = max(1, math.prod(x.shape[axis] for axis in found))
    factors = [full_rank(array, x, along) for array in (weight, bias) if array is not None]
    out = np.empty(x.shape, np.result_type(x, *factors))
    mean, var, scale = (np.empty(shape, x.dtype) for _ in range(3))

    for index in parts:
        part, result = x[index], out[index]
        with np.errstate(over="ignore"):  # the variance of large numbers is Inf, and they become 0
            middle = total(part, found) / n
            np.subtract(part, middle, out=result)
            spread = summed(result, result, found) / n
        factor = 1 / np.sqrt(spread + eps)
        mean[index], var[index], scale[index] = middle, spread, factor
        result *= factor
        if weight is not None:
            result *= parts.of(factors[0], index)
        if bias is not None:
            result += parts.of(factors[-1], index)
    out = from_strips(out) if striped else out
    return Normalized(out, mean.squeeze(found), var.squeeze(found)), (mean, scale, found, "")
