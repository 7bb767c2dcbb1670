"""Reductions along axes: sum distributes the gradient, max routes it to the winners."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.kernels.moments import add_up, total, total_of_all
from autograd.operation import Array, operation
from autograd.ops.arithmetic import over_nonzero
from autograd.ops.cumulative import cumprod, reversed_along, safe_to_divide
from autograd.tensor import Axis, conjugate

__all__ = [
    "average",
    "logsumexp",
    "max",
    "mean",
    "min",
    "nanmax",
    "nanmean",
    "nanmin",
    "nansum",
    "norm",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

MANY: Final = 1 << 15  # numbers from which sums are products with ones
LARGEST_HALF: Final = 65_504  # of float16: a larger count would be infinite
SIMPLE_FLOATS: Final = frozenset("fdFD")  # those that NumPy's mean adds up in their own precision

numpy: Any = np  # whose stubs, from release 2.5 on, have no `keepdims` of which nothing but its type is known

# What np.prod, np.max and np.min come to, in 60 % of the time.
multiply_up: Final[Callable[..., Any]] = np.multiply.reduce
greatest: Final[Callable[..., Any]] = np.maximum.reduce
least: Final[Callable[..., Any]] = np.minimum.reduce


# From the shape of a result back to that of its input


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction takes, counted from the first."""
    if axis is None or ndim == 0:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def restore_axes(reduced: Array, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """Give back to a reduced array, as axes of size 1, those that a reduction took, so that it broadcasts with `x`."""
    if keepdims or axis is None:
        return reduced
    axes = axes_of(axis, len(x_shape))
    return reduced.reshape(tuple(1 if i in axes else n for i, n in enumerate(x_shape)))


def spread(g: Array, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Array:
    """Return the gradient of a reduced array at every element of the input, as a view with strides of zero."""
    if axis is None and isinstance(g, (np.ndarray, np.generic)):  # 0.3 us, where `np.broadcast_to` takes 2.6
        return np.ndarray(x_shape, g.dtype, g, 0, (0,) * len(x_shape))
    if axis.__class__ is int and not keepdims and x_shape and g.__class__ is np.ndarray and g.flags.c_contiguous:
        axis %= len(x_shape)
        strides = g.strides
        return np.ndarray(x_shape, g.dtype, g, 0, (*strides[:axis], 0, *strides[axis:]))
    return np.broadcast_to(restore_axes(g, x_shape, axis, keepdims), x_shape)


def as_lanes(x: Array, axis: Axis) -> Array:
    """Return `x` with the reduced axes flattened into one, the last."""
    axes = axes_of(axis, len(x.shape))
    kept = tuple(i for i in range(len(x.shape)) if i not in axes)
    length = math.prod(x.shape[i] for i in axes)
    if x.shape:
        x = x.transpose((*kept, *axes))
    return x.reshape((*(x.shape[: len(kept)]), length))


def from_lanes(lanes: Array, x_shape: tuple[int, ...], axis: Axis) -> Array:
    """Undo `as_lanes`."""
    axes = axes_of(axis, len(x_shape))
    order = (*(i for i in range(len(x_shape)) if i not in axes), *axes)
    lanes = lanes.reshape(tuple(x_shape[i] for i in order))
    return lanes.transpose(tuple(order.index(i) for i in range(len(order)))) if order else lanes


# Sums and products


def add(x: Array, axis: Axis, keepdims: bool) -> Array:
    """Return what NumPy's `sum` does; large arrays of floats by matrix products with ones, where that is quicker."""
    if x.__class__ is np.ndarray and x.size >= MANY and x.dtype.char in "fd":
        if axis is None and x.flags.forc:
            found = total_of_all(x)
            return found.reshape((1,) * x.ndim) if keepdims else found
        if axis.__class__ is int and axis in (-1, x.ndim - 1) and x.ndim > 1 and x.shape[-1] > 3:
            found = total(x, (x.ndim - 1,))
            return found if keepdims else found[..., 0]
    return add_up(x, axis=axis, keepdims=keepdims)


@operation(x=spread)
def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `sum`, differentiable."""
    return add(x, axis, keepdims)


@operation(x=lambda g, x_shape, axis, keepdims: spread(over_lane(g, x_shape), x_shape, axis, keepdims))
def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `mean`, differentiable."""
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.char in SIMPLE_FLOATS and x.size:
        found = add(x, axis, keepdims)
        return found / (x.size // found.size)
    return numpy.mean(x, axis=axis, keepdims=keepdims)


def lane_length(reduced: Array, x_shape: tuple[int, ...]) -> int:
    """Return how many elements went into each of `reduced`."""
    return math.prod(x_shape) // reduced.size if reduced.size else 0


def over_lane(reduced: Array, x_shape: tuple[int, ...]) -> Array:
    """Return `reduced` divided by how many elements went into each."""
    length = lane_length(reduced, x_shape)
    if reduced.dtype == np.float16 and length > LARGEST_HALF:
        return (reduced.astype(np.float32) / length).astype(np.float16)
    return reduced / length


def others_multiplied(g: Array, x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    g = restore_axes(g, x.shape, axis, keepdims)
    if safe_to_divide(out):
        return g * restore_axes(out, x.shape, axis, keepdims) / x
    lanes = as_lanes(x, axis)
    one = np.ones((*lanes.shape[:-1], 1), lanes.dtype)
    before = cumprod(np.concatenate([one, lanes[..., :-1]], axis=-1), -1)
    after = reversed_along(cumprod(np.concatenate([one, reversed_along(lanes, -1)[..., :-1]], axis=-1), -1), -1)
    return g * from_lanes(before * after, x.shape, axis)


@operation(x=others_multiplied)
def prod(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `prod`, differentiable.

    The gradient of a factor is the product of the others, right with any number of zeros among them, and
    so are its derivatives.

    >>> from autograd import Tensor
    >>> x = Tensor([0.0, 2.0, 3.0], requires_grad=True)
    >>> x.prod().backward()
    >>> x.grad.tolist()
    [6.0, 0.0, 0.0]
    """
    return multiply_up(x, axis=axis, keepdims=keepdims)


def weighted(g: Array, x_shape: tuple[int, ...], axis: Axis, weights: Array, keepdims: bool) -> Array:
    if weights is None:
        return spread(over_lane(g, x_shape), x_shape, axis, keepdims)
    weights = align_weights(weights, x_shape, axis)
    return restore_axes(g, x_shape, axis, keepdims) * (weights / sum(weights, axis, True))


def weigh(g: Array, x: Array, out: Array, axis: Axis, weights: Array, keepdims: bool) -> Array:
    aligned = align_weights(weights, x.shape, axis)
    g = restore_axes(g, x.shape, axis, keepdims) / sum(aligned, axis, True)
    gradient = g * (x - restore_axes(out, x.shape, axis, keepdims))
    if weights.shape == x.shape:
        return gradient
    axes = axes_of(axis, len(x.shape))
    gradient = sum(gradient, tuple(i for i in range(len(x.shape)) if i not in axes))
    return gradient.transpose(tuple(sorted(axes).index(a) for a in axes))


def align_weights(weights: Array, x_shape: tuple[int, ...], axis: Axis) -> Array:
    """Return weights that were given for the reduced axes alone in a shape that broadcasts with the input."""
    if weights.shape == x_shape:
        return weights
    axes = axes_of(axis, len(x_shape))
    weights = weights.transpose(tuple(axes.index(a) for a in sorted(axes)))
    return weights.reshape(tuple(n if i in axes else 1 for i, n in enumerate(x_shape)))


@operation(x=weighted, weights=weigh)
def average(x: Array, axis: Axis = None, weights: Array = None, keepdims: bool = False) -> Array:
    """NumPy's `average`, differentiable in `x` and `weights`, which have the shape of `x` or of the averaged axes."""
    return np.average(x, axis=axis, weights=weights, keepdims=keepdims)  # type: ignore[call-overload]


# The NaN-blind ones: an element that is NaN has no gradient


@operation(x=lambda g, x, axis, keepdims: restore_axes(g, x.shape, axis, keepdims) * (x == x))
def nansum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `nansum`, differentiable: the gradient of a NaN is 0."""
    return numpy.nansum(x, axis=axis, keepdims=keepdims)


def spread_over_numbers(g: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    numbers = x == x
    shared = divided(restore_axes(g, x.shape, axis, keepdims), add_up(numbers, axis=axis, keepdims=True))
    return shared * numbers


@operation(x=spread_over_numbers)
def nanmean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `nanmean`, differentiable: the gradient of a NaN is 0, and NaN where there is nothing else."""
    return numpy.nanmean(x, axis=axis, keepdims=keepdims)


# The greatest and the least


def share(g: Array, winners: Array, axis: Axis) -> Array:
    """Send a gradient that broadcasts with `winners`, a mask, to them, in equal parts."""
    return divided(g * winners, add_up(winners, axis=axis, keepdims=True))


def divided(g: Array, count: Array) -> Array:
    """Return `g` in its dtype, divided by whole numbers that may be too large for that."""
    if g.dtype == np.float16:
        return (g.astype(np.float32) / count.astype(np.float32)).astype(np.float16)
    return g / count.astype(np.empty(0, g.dtype).real.dtype)


def share_among_winners(g: Array, x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    winners = x == restore_axes(out, x.shape, axis, keepdims)
    return share(restore_axes(g, x.shape, axis, keepdims), winners, axis)


@operation(x=share_among_winners)
def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `max`, differentiable: elements that tie share the gradient equally, as in PyTorch's `amax`.

    Where the result is NaN, so are the gradients.
    """
    return greatest(x, axis=axis, keepdims=keepdims)


@operation(x=share_among_winners)
def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `min`, differentiable: elements that tie share the gradient equally, as in PyTorch's `amin`.

    Where the result is NaN, so are the gradients.
    """
    return least(x, axis=axis, keepdims=keepdims)


@operation(x=share_among_winners)
def nanmax(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `nanmax`, differentiable: elements that tie share the gradient equally, a NaN has none."""
    return numpy.nanmax(x, axis=axis, keepdims=keepdims)


@operation(x=share_among_winners)
def nanmin(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `nanmin`, differentiable: elements that tie share the gradient equally, a NaN has none."""
    return numpy.nanmin(x, axis=axis, keepdims=keepdims)


def share_among_extremes(g: Array, x: Array, axis: Axis, keepdims: bool) -> Array:
    g = restore_axes(g, x.shape, axis, keepdims)
    return share(g, x == max(x, axis, True), axis) - share(g, x == min(x, axis, True), axis)


@operation(x=share_among_extremes)
def ptp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `ptp`, greatest minus least, differentiable: elements that tie share the gradient equally."""
    return numpy.ptp(x, axis=axis, keepdims=keepdims)


# Variance


def spread_deviation(g: Array, x: Array, axis: Axis, ddof: float, keepdims: bool) -> Array:
    g = restore_axes(g, x.shape, axis, keepdims)
    freedom = lane_length(g, x.shape) - ddof
    return g * conjugate(x - mean(x, axis, True)) * (2 / freedom if freedom > 0 else math.nan)


@operation(x=spread_deviation)
def var(x: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """NumPy's `var`, differentiable: the mean squared distance from the mean, divided by `n - ddof`.

    The gradient is NaN where `n <= ddof`, as the variance is.
    """
    return numpy.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


def spread_relative_deviation(g: Array, x: Array, out: Array, axis: Axis, ddof: float, keepdims: bool) -> Array:
    g = over_nonzero(g, out)
    return spread_deviation(g, x, axis, ddof, keepdims) * 0.5


@operation(x=spread_relative_deviation)
def std(x: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Array:
    """NumPy's `std`, differentiable: the root of `var`.

    Where all elements are equal its graph has a kink; the gradient there is 0, as in PyTorch.
    """
    return numpy.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


# Logarithms of sums


def spread_softmax(g: Array, x: Array, out: Array, axis: Axis, keepdims: bool) -> Array:
    # Divided by their sum, since `out` is rounded: at 1e4 in float32 to 3e-4, and so would all gradients be.
    weights = np.exp(x - restore_axes(out, x.shape, axis, keepdims))
    total = sum(weights, axis, True)
    return restore_axes(g, x.shape, axis, keepdims) * (weights / np.where(total == total, total, 1))


@operation(x=spread_softmax)
def logsumexp(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Logarithm of the sum of exponentials, of real numbers of any size.

    The gradient is the softmax. The result is `-inf` of a lane that is `-inf` throughout or empty, and `inf` of one
    that holds `inf`; the gradients of those infinities are NaN, as in PyTorch.

    >>> from autograd import Tensor, ops
    >>> x = Tensor([1000.0, 1000.0], requires_grad=True)
    >>> y = ops.logsumexp(x)
    >>> y.backward()
    >>> round(y.item(), 3), x.grad.tolist()
    (1000.693, [0.5, 0.5])
    """
    x = np.asarray(x)
    if x.dtype.kind == "c":
        raise TypeError("complex numbers have no greatest one to subtract")
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    highest = greatest(x, axis=axis, keepdims=True, initial=-math.inf)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        shift = np.where(np.isfinite(highest), highest, x.dtype.type(0))
        total = np.log(add_up(np.exp(x - shift), axis=axis, keepdims=keepdims))
        return total + shift.reshape(total.shape)


# Norms


def norm_rule(g: Array, x: Array, out: Array, ord: Any, axis: Axis, keepdims: bool) -> Array:
    axes = axes_of(axis, len(x.shape))
    g = restore_axes(g, x.shape, axes, keepdims)
    out = restore_axes(out, x.shape, axes, keepdims)
    if ord is None or ord == "fro" or (len(axes) == 1 and ord == 2):
        return over_nonzero(g, out) * conjugate(x)
    if len(axes) == 2:
        return matrix_norm_rule(g, x, out, ord, axes)
    size, direction = polar(x)
    if ord in (math.inf, -math.inf):
        return share(g, size == out, axes) * direction
    if ord == 0:
        return g * 0 * direction
    if ord == 1:
        return g * direction
    # Where an element is 0 its direction is 0; a size of 1 there keeps its powers finite.
    ratio = (size + (size == 0)) / (out + (out == 0))
    return g * (out != 0) * ratio ** (float(ord) - 1) * direction


def polar(x: Array) -> tuple[Array, Array]:
    """Return the absolute value of `x` and the derivative of that: 0 where `x` is 0."""
    if x.dtype.kind == "c":
        size = np.absolute(x)
        return size, x.conj() / (size + (size == 0))
    direction = np.subtract(x > 0, x < 0, dtype=x.dtype.type)
    return x * direction, direction


def matrix_norm_rule(g: Array, x: Array, out: Array, ord: Any, axes: tuple[int, ...]) -> Array:
    rows, columns = axes
    if ord in (1, -1, math.inf, -math.inf):  # the greatest or least of the sums along one of the axes
        along, across = (rows, columns) if abs(ord) == 1 else (columns, rows)
        size, direction = polar(x)
        return share(g, sum(size, along, True) == out, across) * direction
    order = (*(i for i in range(len(x.shape)) if i not in axes), rows, columns)
    back = tuple(order.index(i) for i in range(len(order)))
    u, s, vh = np.linalg.svd(x.transpose(order), full_matrices=False)
    g = g.transpose(order)
    if ord == "nuc":
        return (g * conjugate(u @ vh)).transpose(back)
    # Axes of size 1 stand last in `out`, so that it compares with the row of singular values.
    winners = s == (s.max(axis=-1, keepdims=True) if ord == 2 else s.min(axis=-1, keepdims=True))
    return (conjugate((u * share(g[..., 0], winners, -1)[..., None, :]) @ vh)).transpose(back)


@operation(x=norm_rule)
def norm(x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `linalg.norm`, differentiable: norms of vectors along one axis, of matrices along two, of all elements.

    Where a norm is 0 its graph has a kink and the gradient is 0, as in PyTorch; so are the higher derivatives of
    `ord=None`, `2` and `"fro"` there, where PyTorch has NaN. Elements, rows, columns or singular values that tie in
    a norm that takes the greatest or least share the gradient equally. Higher derivatives of `"nuc"`, `2` and `-2`
    of matrices exist where no two singular values are equal. The gradient of the count `ord=0` is 0.

    >>> import numpy as np
    >>> from autograd import Tensor
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> np.linalg.norm(x).backward()
    >>> x.grad.tolist()
    [0.6, 0.8]
    """
    return numpy.linalg.norm(x, ord=ord, axis=axis, keepdims=keepdims)
