"""Reading and writing parts of a tensor: the gradient of a part lands where the part came from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autograd.operation import Array, operation
from autograd.parts import Scatter, may_repeat
from autograd.tensor import Tensor

__all__ = [
    "append",
    "compress",
    "delete",
    "extract",
    "getitem",
    "insert",
    "scatter",
    "setitem",
    "take",
    "take_along_axis",
]


def land(g: Array, index: Any, x_shape: tuple[int, ...]) -> Any:
    """Return the gradient of `x[index]` as one of `x`: a part that the engine adds in, or its whole while recorded."""
    return scatter(g, index, x_shape) if isinstance(g, Tensor) else Scatter(g, index)


@operation(x=land, views=True)
def getitem(x: Array, index: Any) -> Array:
    """What `x[index]` calls: basic, integer and boolean indices as in NumPy.

    An element that was taken several times gets the sum of the gradients. Reading a tensor piece by piece costs its
    backward pass no more than reading it at once: each gradient is added into place.
    """
    return x[index]


@operation(x=lambda g, index: g[index])
def scatter(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    """Zeros of `shape` with `x` added at `index`, repeated indices adding up: what indexing does to gradients.

    >>> from autograd import ops
    >>> ops.scatter([1.0, 2.0, 4.0], [0, 2, 0], (3,))
    array([5., 0., 2.])
    """
    x = np.asarray(x)
    array = np.zeros(shape, x.dtype)
    Scatter(x, index).add_to(array)
    return array


def selected(g: Array, index: Any, y_shape: tuple[int, ...]) -> Array:
    """Return the gradient of what was written at `index`: none for an element that a later one overwrote."""
    shape = g.shape
    g = g[index]
    if may_repeat(index):
        numbers = np.arange(g.size).reshape(g.shape)
        written = np.zeros(shape, np.intp)
        written[index] = numbers
        g = g * (written[index] == numbers)
    missing = len(y_shape) - len(g.shape)  # NumPy lets what is written have more leading axes of size 1
    return g.reshape((1,) * missing + g.shape) if missing > 0 else g


def cleared(g: Array, index: Any) -> Array:
    return setitem(g, index, 0.0)


@operation(x=cleared, y=selected)
def setitem(x: Array, index: Any, y: Array) -> Array:
    """A copy of `x` with `y`, which broadcasts, at `index`: what `t[index] = y` makes of a tensor with a gradient.

    Of several elements written to one place the last stays, and the gradients of the others are 0.

    Raises
    ------
    TypeError : the dtype of `y` does not fit into that of `x` (real numbers into integers, complex into real ones).

    >>> import autograd
    >>> y = autograd.Tensor([1.0, 2.0], requires_grad=True)
    >>> autograd.ops.setitem([0.0, 0.0, 0.0], [1, 1], y).sum().backward()
    >>> y.grad.tolist()
    [0.0, 1.0]
    """
    array = np.array(x)
    if isinstance(y, (np.ndarray, np.generic)) and not np.can_cast(y.dtype, array.dtype, "same_kind"):
        raise TypeError(f"{y.dtype} does not fit into {array.dtype}")
    array[index] = y
    return array if array.ndim else array[()]


def index_along(indices: Any, axis: int | None, x_shape: tuple[int, ...]) -> Any:
    """Return the index that takes `indices` of one axis, or of the flattened array."""
    if axis is not None:
        return (*(slice(None),) * (axis % len(x_shape)), indices)
    return unraveled(np.asarray(indices, dtype=None if np.size(indices) else np.intp), x_shape)


def unraveled(flat: Any, x_shape: tuple[int, ...]) -> Any:
    """Return the index of what lies at the places `flat` of the flattened array, counted from the end if negative."""
    flat = flat.astype(np.intp, copy=False) if flat.dtype.kind in "iu" else flat
    return np.unravel_index(np.where(flat < 0, flat + math.prod(x_shape), flat), x_shape)


@operation(x=lambda g, x_shape, indices, axis: land(g, index_along(indices, axis, x_shape), x_shape))
def take(x: Array, indices: Any, axis: int | None = None) -> Array:
    """NumPy's `take`, differentiable: repeated indices add their gradients up."""
    return np.take(x, indices, axis=axis)


def index_lanes(indices: Any, axis: int | None, x_shape: tuple[int, ...]) -> Any:
    """Return the index that `take_along_axis` stands for: `indices` on one axis, every place on the others."""
    if axis is None:
        return unraveled(np.asarray(indices), x_shape)
    axis %= len(x_shape)
    grid = np.ogrid[tuple(slice(n) for n in x_shape)]
    return (*grid[:axis], indices, *grid[axis + 1 :])


@operation(x=lambda g, x_shape, indices, axis: land(g, index_lanes(indices, axis, x_shape), x_shape))
def take_along_axis(x: Array, indices: Any, axis: int | None = -1) -> Array:
    """NumPy's `take_along_axis`, differentiable: with `np.argsort(x)` it sorts, and the gradient follows."""
    return np.take_along_axis(x, indices, axis=axis)


def uncompress(g: Array, x_shape: tuple[int, ...], condition: Any, axis: int | None) -> Any:
    return land(g, index_along(np.flatnonzero(condition), axis, x_shape), x_shape)


@operation(x=uncompress)
def compress(condition: Any, x: Array, axis: int | None = None) -> Array:
    """NumPy's `compress`, the slices of `x` where `condition` is true, differentiable in `x`."""
    return np.compress(condition, x, axis=axis)


@operation(x=lambda g, x_shape, condition: uncompress(g, x_shape, condition, None))
def extract(condition: Any, x: Array) -> Array:
    """NumPy's `extract`, the elements of `x` where `condition` is true, differentiable in `x`."""
    return np.extract(condition, x)


# Adding and removing elements


def left_over(g: Array, x_shape: tuple[int, ...], obj: Any, axis: int | None) -> Any:
    length = int(np.prod(x_shape)) if axis is None else x_shape[axis]
    return land(g, index_along(np.delete(np.arange(length), obj), axis, x_shape), x_shape)


@operation(x=left_over)
def delete(x: Array, obj: Any, axis: int | None = None) -> Array:
    """NumPy's `delete`, differentiable: what was removed has gradient 0."""
    return np.delete(x, obj, axis=axis)


def origins(x_shape: tuple[int, ...], obj: Any, values_shape: tuple[int, ...], axis: int | None) -> Any:
    """Return for each element that `insert` returns the number of its origin: first those of `x`, then the inserted."""
    count = int(np.prod(x_shape))
    inserted = np.arange(count, count + int(np.prod(values_shape))).reshape(values_shape)
    return np.insert(np.arange(count).reshape(x_shape), obj, inserted, axis=axis)


def kept(g: Array, x_shape: tuple[int, ...], obj: Any, values_shape: tuple[int, ...], axis: int | None) -> Array:
    return g[origins(x_shape, obj, values_shape, axis) < np.prod(x_shape)].reshape(x_shape)


def inserted(g: Array, x_shape: tuple[int, ...], obj: Any, values_shape: tuple[int, ...], axis: int | None) -> Any:
    numbers = origins(x_shape, obj, values_shape, axis) - int(np.prod(x_shape))
    new = numbers >= 0
    return land(g[new], np.unravel_index(numbers[new], values_shape), values_shape) if values_shape else g[new].sum()


@operation(x=kept, values=inserted)
def insert(x: Array, obj: Any, values: Array, axis: int | None = None) -> Array:
    """NumPy's `insert`, differentiable in `x` and `values`: of a value inserted several times the gradients add up."""
    return np.insert(x, obj, values, axis=axis)


def start(g: Array, x_shape: tuple[int, ...], axis: int | None) -> Array:
    length = int(np.prod(x_shape)) if axis is None else x_shape[axis]
    return g[index_along(slice(None, length), axis or 0, g.shape)].reshape(x_shape)


def rest(g: Array, x_shape: tuple[int, ...], values_shape: tuple[int, ...], axis: int | None) -> Array:
    length = int(np.prod(x_shape)) if axis is None else x_shape[axis]
    return g[index_along(slice(length, None), axis or 0, g.shape)].reshape(values_shape)


@operation(x=start, values=rest)
def append(x: Array, values: Array, axis: int | None = None) -> Array:
    """NumPy's `append`, differentiable in both: `values` after `x`, along an axis or flattened."""
    return np.append(x, values, axis=axis)
