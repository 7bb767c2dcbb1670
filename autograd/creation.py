"""Tensors made from shapes, ranges and arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.tensor import Tensor, numeric, wrap

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


def tensor(
    data: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return a tensor of a copy of `data`: numbers, nested lists of them, an array or a tensor.

    >>> tensor([1.0, 2.0], requires_grad=True)
    Tensor([1., 2.], shape=(2,), dtype=float64, requires_grad=True)
    """
    return Tensor(data, requires_grad, dtype, name)


def from_numpy(array: NDArray[Any], *, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Return a tensor that shares memory with `array` (unless that is 0-d).

    Changing the array later changes the tensor, and gradients of graphs that read it, without notice.

    >>> import numpy as np
    >>> array = np.zeros(2)
    >>> shared = from_numpy(array)
    >>> array[0] = 7.0
    >>> shared
    Tensor([7., 0.], shape=(2,), dtype=float64)
    """
    if not isinstance(array, (np.ndarray, np.generic)):
        raise TypeError(
            f"from_numpy takes a NumPy array, not {type(array).__name__}; Tensor(...) copies anything numeric"
        )
    data = numeric(array, None, copy=False)
    result = finished(wrap(data, None), requires_grad, name)
    result._array = data  # `requires_grad` would have made it one of its own
    return result


def finished(result: Tensor, requires_grad: bool, name: str | None) -> Tensor:
    """Return a new tensor with what the keywords of its maker ask for."""
    if requires_grad:
        result.requires_grad_()
    if name is not None:
        result.name = name
    return result


def shape_of(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape given as `(2, 3)` or as `2, 3`."""
    return tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape


def zeros(*shape: Any, dtype: DTypeLike = float, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Return zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    >>> zeros(2, dtype=np.float32)
    Tensor([0., 0.], shape=(2,), dtype=float32)
    """
    return full(shape_of(shape), 0, dtype=dtype, requires_grad=requires_grad, name=name)


def ones(*shape: Any, dtype: DTypeLike = float, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Return ones: `ones(2, 3)` or `ones((2, 3))`.

    >>> ones(2, requires_grad=True)
    Tensor([1., 1.], shape=(2,), dtype=float64, requires_grad=True)
    """
    return full(shape_of(shape), 1, dtype=dtype, requires_grad=requires_grad, name=name)


def full(
    shape: int | tuple[int, ...],
    value: Any,
    *,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Return `value` in every element; its dtype if none is given.

    >>> full(2, 0.5)
    Tensor([0.5, 0.5], shape=(2,), dtype=float64)
    """
    return finished(wrap(numeric(np.full(shape, value, dtype), None, copy=False), None), requires_grad, name)


def eye(
    n: int, m: int | None = None, *, dtype: DTypeLike = float, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return an (n, m) matrix, square if `m` is left out, with ones on the diagonal and zeros elsewhere.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return finished(wrap(np.eye(n, m, dtype=dtype), None), requires_grad, name)


def arange(
    *bounds: Any, dtype: DTypeLike | None = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """Return `arange(stop)`, `arange(start, stop)` or `arange(start, stop, step)`: floats if a bound is one.

    >>> arange(3)
    Tensor([0, 1, 2], shape=(3,), dtype=int64)
    """
    return finished(wrap(np.arange(*bounds, dtype=dtype), None), requires_grad, name)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    *,
    endpoint: bool = True,
    dtype: DTypeLike | None = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Return `num` numbers evenly spaced from `start` to `stop`.

    >>> linspace(0, 1, 3)
    Tensor([0. , 0.5, 1. ], shape=(3,), dtype=float64)
    """
    array = np.linspace(start, stop, num, endpoint=endpoint, dtype=dtype)
    return finished(wrap(array, None), requires_grad, name)


def zeros_like(other: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return zeros in the shape, and unless given the dtype, of `other`.

    >>> zeros_like([1, 2]).tolist()
    [0, 0]
    """
    return full_like(other, 0, dtype=dtype, requires_grad=requires_grad)


def ones_like(other: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return ones in the shape, and unless given the dtype, of `other`.

    >>> ones_like([1.0, 2.0]).tolist()
    [1.0, 1.0]
    """
    return full_like(other, 1, dtype=dtype, requires_grad=requires_grad)


def full_like(other: Any, value: Any, *, dtype: DTypeLike | None = None, requires_grad: bool = False) -> Tensor:
    """Return `value` in the shape, and unless given the dtype, of `other`.

    >>> full_like([1.0, 2.0], 0.5).tolist()
    [0.5, 0.5]
    """
    other = other if isinstance(other, Tensor) else Tensor(other)
    return full(other.shape, value, dtype=other.dtype if dtype is None else dtype, requires_grad=requires_grad)
