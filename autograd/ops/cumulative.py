"""Running sums and products along an axis, differences and areas."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.operation import Array, operation
from autograd.ops.indexing import scatter

__all__ = ["cumprod", "cumsum", "diff", "trapezoid"]


def along(axis: int, part: slice) -> tuple[Any, ...]:
    """Return the index that takes `part` of one axis; negative axes count from the last."""
    return (*(slice(None),) * axis, part) if axis >= 0 else (..., part, *(slice(None),) * (-1 - axis))


def reversed_along(x: Array, axis: int | None) -> Array:
    """Return a view of `x` that runs backwards along one axis."""
    return x[along(axis or 0, slice(None, None, -1))]


def cumsum_rule(g: Array, x_shape: tuple[int, ...], axis: int | None) -> Array:
    return reversed_along(cumsum(reversed_along(g, axis), axis), axis).reshape(x_shape)


@operation(x=cumsum_rule)
def cumsum(x: Array, axis: int | None = None) -> Array:
    """NumPy's `cumsum`, differentiable."""
    return np.cumsum(x, axis=axis)


def safe_to_divide(products: Array) -> bool:
    """Whether products are what their factors say: none is 0, and none has left the range of its dtype."""
    return bool((products != 0).all() and np.isfinite(products).all())


def cumprod_rule(g: Array, x: Array, out: Array, axis: int | None) -> Array:
    if axis is None:
        return cumprod_rule(g, x.reshape(-1), out, 0).reshape(x.shape)
    if safe_to_divide(out):
        return reversed_along(cumsum(reversed_along(g * out, axis), axis), axis) / x
    # The product of the elements before, times what follows: r[j] = g[j] + x[j+1] * r[j+1]. That recurrence is
    # solved for all j at once, doubling the reach of every r: polynomials throughout, so right at zeros.
    g, x = g.swapaxes(axis, -1), x.swapaxes(axis, -1)
    length = x.shape[-1]
    one = np.ones((*x.shape[:-1], 1), x.dtype)
    before = cumprod(np.concatenate([one, x[..., :-1]], axis=-1), -1)
    factor = x[..., 1:]
    reach = 1
    while reach < length:
        g = np.concatenate([g[..., :-reach] + factor * g[..., reach:], g[..., -reach:]], axis=-1)
        factor = factor[..., :-reach] * factor[..., reach:]
        reach *= 2
    return (before * g).swapaxes(axis, -1)


@operation(x=cumprod_rule)
def cumprod(x: Array, axis: int | None = None) -> Array:
    """NumPy's `cumprod`, differentiable: right at zeros, as are its derivatives.

    >>> from autograd import Tensor
    >>> x = Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> x.cumprod().sum().backward()
    >>> x.grad.tolist()
    [1.0, 8.0, 0.0]
    """
    return np.cumprod(x, axis=axis)


def diff_rule(g: Array, x_shape: tuple[int, ...], n: int, axis: int, prepend: Any, append: Any) -> Array:
    if n == 0:
        return g
    axis %= len(x_shape)
    first = added_length(prepend, axis)
    length = first + x_shape[axis] + added_length(append, axis)
    if length <= n:
        return np.broadcast_to(g.sum(), x_shape)  # of nothing: zeros
    # Each difference sends -g to its left neighbour and g to its right one: again differences, of g between zeros.
    wide = (*x_shape[:axis], length + n, *x_shape[axis + 1 :])
    g = diff(scatter(g, along(axis, slice(n, length)), wide), n, axis)
    g = g[along(axis, slice(first, first + x_shape[axis]))]
    return -g if n % 2 else g


def added_length(values: Any, axis: int) -> int:
    """Return by how much `prepend` or `append` makes an axis longer."""
    if values is None:
        return 0
    return np.shape(values)[axis] if np.ndim(values) else 1


@operation(x=diff_rule)
def diff(x: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """NumPy's `diff`, the n-th differences along an axis, differentiable in `x` (not in `prepend` and `append`).

    Unlike NumPy's, it leaves float32 alone where a Python number is prepended or appended.
    """
    ends = {name: ends for name, ends in (("prepend", prepend), ("append", append)) if ends is not None}
    for name, value in ends.items():
        if isinstance(value, (int, float, complex)) and not isinstance(value, np.generic):
            ends[name] = np.asarray(value, np.result_type(x, value))
    return np.diff(x, n=n, axis=axis, **ends) if n else np.array(x)  # NumPy would return `x` itself


def trapezoid_y(g: Array, y_shape: tuple[int, ...], x: Array, dx: float, axis: int) -> Array:
    widths = dx if x is None else diff(x if len(x.shape) == 1 else np.moveaxis(x, axis, -1))
    halves = g[..., None] * (widths * 0.5)
    left, right = at_both_ends(np.broadcast_to(halves, (*g.shape, y_shape[axis] - 1)))
    return np.moveaxis(left + right, -1, axis)


def trapezoid_x(g: Array, y: Array, x_shape: tuple[int, ...], axis: int) -> Array:
    y = np.moveaxis(y, axis, -1)
    left, right = at_both_ends(g[..., None] * (y[..., 1:] + y[..., :-1]) * 0.5)
    return right - left if len(x_shape) == 1 else np.moveaxis(right - left, -1, axis)


def at_both_ends(parts: Array) -> tuple[Array, Array]:
    """Return what the intervals between points send to the point on their left, and to that on their right."""
    shape = (*parts.shape[:-1], parts.shape[-1] + 1)
    return scatter(parts, (..., slice(None, -1)), shape), scatter(parts, (..., slice(1, None)), shape)


@operation(y=trapezoid_y, x=trapezoid_x)
def trapezoid(y: Array, x: Array = None, dx: float = 1.0, axis: int = -1) -> Array:
    """NumPy's `trapezoid`, the area under the points `(x, y)` by the trapezoidal rule, differentiable in both."""
    return np.trapezoid(y, x, dx=dx, axis=axis)
