"""Sorting and order statistics: gradients go to where the elements came from.

Which element that is does not change in a neighbourhood, so these are linear: second derivatives are zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from autograd.operation import Array, operation
from autograd.ops.indexing import scatter, take_along_axis
from autograd.ops.reduction import as_lanes, from_lanes
from autograd.tensor import Axis

__all__ = ["median", "partition", "percentile", "quantile", "sort"]


def unsort(g: Array, order: Any, axis: int | None, x_shape: tuple[int, ...]) -> Array:
    """Return what `np.take_along_axis(x, order, axis)` moved to where it came from."""
    axis = 0 if axis is None else axis % order.ndim
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(order.shape[axis]).reshape((-1,) + (1,) * (order.ndim - 1 - axis)), axis)
    return take_along_axis(g, places, axis).reshape(x_shape)


@operation(x=lambda g, x, axis: unsort(g, np.argsort(x, axis=axis, kind="stable"), axis, x.shape))
def sort(x: Array, axis: int | None = -1) -> Array:
    """NumPy's `sort`, differentiable: equal elements count as ordered by their place."""
    return np.sort(x, axis=axis)


@operation(aux=True, x=lambda g, aux, axis, x_shape: unsort(g, aux, axis, x_shape))
def partition(x: Array, kth: Any, axis: int | None = -1) -> tuple[Array, Any]:
    """NumPy's `partition`, differentiable; the order within the parts is that of `np.argpartition`."""
    order = np.argpartition(x, kth, axis=axis)
    return np.take_along_axis(np.asarray(x), order, axis=axis), order


# How far a quantile lies from the element below it to the one above, from where it falls between the two.
METHODS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "linear": lambda fraction, lower: fraction,
    "lower": lambda fraction, lower: 0 * fraction,
    "higher": lambda fraction, lower: fraction > 0,
    "midpoint": lambda fraction, lower: 0.5 * (fraction > 0),
    "nearest": lambda fraction, lower: (fraction > 0.5) | ((fraction == 0.5) & (lower % 2 == 1)),
}


def between(g: Array, x: Array, q: Any, axis: Axis, method: str) -> Array:
    """Return the gradient of quantiles `q` of `x`."""
    lanes = as_lanes(x, axis)
    length = lanes.shape[-1]
    if not length:
        return np.broadcast_to(g.sum(), x.shape)  # no element
    q = np.asarray(q, np.float64).reshape(-1)
    g = g.reshape((len(q), *lanes.shape[:-1]))
    g = g.transpose((*range(1, len(g.shape)), 0))
    place = q * (length - 1)
    lower = np.floor(place).astype(np.intp)
    upper = np.minimum(lower + 1, length - 1)
    weight = np.asarray(METHODS[method](place - lower, lower), g.dtype)
    spread = scatter(g * (1 - weight), (..., lower), lanes.shape) + scatter(g * weight, (..., upper), lanes.shape)
    bad = (lanes != lanes).any(axis=-1, keepdims=True)
    if bad.any():
        spread = spread * ~bad + scatter(g.sum(axis=-1, keepdims=True) * bad, (..., slice(-1, None)), lanes.shape)
    return from_lanes(unsort(spread, np.argsort(lanes, axis=-1, kind="stable"), -1, lanes.shape), x.shape, axis)


@operation(x=lambda g, x, q, axis, method: between(g, x, q, axis, method))
def quantile(x: Array, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Array:
    """NumPy's `quantile`, differentiable in `x`; the result has its dtype.

    The gradient goes to the elements below and above the quantile, in proportion to their weight. Equal elements
    count as ordered by their place; of a lane that holds NaN the last NaN gets it all, as in PyTorch.

    Raises
    ------
    ValueError : `q` is outside [0, 1]; `method` is none of linear, lower, higher, midpoint, nearest.

    >>> import numpy as np
    >>> from autograd import Tensor
    >>> x = Tensor([3.0, 1.0, 2.0, 5.0], requires_grad=True)
    >>> np.quantile(x, 0.25).backward()
    >>> x.grad.tolist()
    [0.0, 0.25, 0.75, 0.0]
    """
    refuse_method(method)
    return in_dtype_of(x, np.quantile(x, q, axis=axis, method=method, keepdims=keepdims))  # type: ignore[call-overload]


@operation(x=lambda g, x, q, axis, method: between(g, x, np.asarray(q) / 100, axis, method))
def percentile(x: Array, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Array:
    """NumPy's `percentile`, differentiable: the `quantile` of `q / 100`."""
    refuse_method(method)
    return in_dtype_of(x, np.percentile(x, q, axis=axis, method=method, keepdims=keepdims))  # type: ignore[call-overload]


def refuse_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not implemented; use one of {', '.join(METHODS)}")


def in_dtype_of(x: Array, out: Array) -> Array:
    """Return quantiles in the dtype of `x` where that is floating: a list of `q` makes them float64."""
    dtype = np.asarray(x).dtype
    return out.astype(dtype) if dtype.kind == "f" and out.dtype != dtype else out


@operation(x=lambda g, x, axis: between(g, x, 0.5, axis, "linear"))
def median(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """NumPy's `median`, differentiable.

    Of an even number of elements it is the mean of the two in the middle (PyTorch takes the lower), each of which
    gets half of the gradient. Equal elements count as ordered by their place.
    """
    return np.median(x, axis=axis, keepdims=keepdims)
