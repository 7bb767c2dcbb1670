"""Operations that move elements about, most of them without copying."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.operation import Array, operation
from autograd.ops import indexing

__all__ = [
    "astype",
    "broadcast_to",
    "copy",
    "diagonal",
    "expand_dims",
    "flip",
    "moveaxis",
    "pad",
    "place_diagonal",
    "ravel",
    "repeat",
    "reshape",
    "roll",
    "rot90",
    "squeeze",
    "swapaxes",
    "tile",
    "trace",
    "transpose",
    "tril",
    "triu",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "diag",
    "diagflat",
    "fliplr",
    "flipud",
    "matrix_transpose",
]

# Another shape


@operation(x=lambda g, x_shape: g.reshape(x_shape), views=True)
def reshape(x: Array, shape: int | Sequence[int]) -> Array:
    return x.reshape(shape)


@operation(x=lambda g, x_shape: g.reshape(x_shape), views=True)
def ravel(x: Array) -> Array:
    return x.reshape(-1)


@operation(x=lambda g, x_shape: g.reshape(x_shape), views=True)
def expand_dims(x: Array, axis: int | tuple[int, ...]) -> Array:
    return np.expand_dims(x, axis)


@operation(x=lambda g, x_shape: g.reshape(x_shape), views=True)
def squeeze(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    return x.squeeze(axis)


@operation(x=lambda g: g, views=True)
def broadcast_to(x: Array, shape: int | Sequence[int]) -> Array:
    return np.broadcast_to(x, shape)


def atleast_1d(*xs: Array) -> Array:
    """Give each tensor at least one axis; several come back as a tuple."""
    return one_or_all([x if np.ndim(x) else np.reshape(x, 1) for x in xs])


def atleast_2d(*xs: Array) -> Array:
    """Give each tensor at least two axes, the new ones in front; several come back as a tuple."""
    return one_or_all([x if np.ndim(x) > 1 else np.reshape(x, (1, np.size(x))) for x in xs])


def atleast_3d(*xs: Array) -> Array:
    """Give each tensor at least three axes: (n,) becomes (1, n, 1) and (m, n) becomes (m, n, 1)."""
    shapes = (((1, 1, 1), (1, np.size(x), 1), (*np.shape(x), 1))[min(np.ndim(x), 2)] for x in xs)
    return one_or_all([x if np.ndim(x) > 2 else np.reshape(x, s) for x, s in zip(xs, shapes, strict=True)])


def one_or_all(found: list[Array]) -> Array:
    return found[0] if len(found) == 1 else tuple(found)


# Another order of axes


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    """Return the permutation that undoes `axes`."""
    n = len(axes)
    return tuple(sorted(range(n), key=lambda i: axes[i] % n))


@operation(x=lambda g, axes: g.transpose(None if axes is None else inverse(axes)), views=True)
def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    return x.transpose(axes)


@operation(x=lambda g, axis1, axis2: g.swapaxes(axis1, axis2), views=True)
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    return x.swapaxes(axis1, axis2)


@operation(x=lambda g, source, destination: np.moveaxis(g, destination, source), views=True)
def moveaxis(x: Array, source: int | Sequence[int], destination: int | Sequence[int]) -> Array:
    return np.moveaxis(x, source, destination)


def matrix_transpose(x: Array) -> Array:
    """Swap the last two axes."""
    return np.swapaxes(x, -1, -2)


# Another order along an axis


def opposite(shift: Any) -> Any:
    return tuple(-int(s) for s in shift) if np.ndim(shift) else -shift


@operation(x=lambda g, axis: np.flip(g, axis), views=True)
def flip(x: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    return np.flip(x, axis)


@operation(x=lambda g, shift, axis: np.roll(g, opposite(shift), axis))
def roll(x: Array, shift: Any, axis: int | tuple[int, ...] | None = None) -> Array:
    return np.roll(x, shift, axis)


@operation(x=lambda g, k, axes: np.rot90(g, -k, axes), views=True)
def rot90(x: Array, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    return np.rot90(x, k, axes)


def fliplr(x: Array) -> Array:
    """Reverse the second axis."""
    return np.flip(x, 1)


def flipud(x: Array) -> Array:
    """Reverse the first axis."""
    return np.flip(x, 0)


# Copies


def sum_of_tiles(g: Array, x_shape: tuple[int, ...], reps: int | Sequence[int]) -> Array:
    copies = tuple(np.atleast_1d(reps).tolist())
    axes = builtins.max(len(copies), len(x_shape))
    copies = (1,) * (axes - len(copies)) + copies
    sizes = (1,) * (axes - len(x_shape)) + x_shape
    tiles = g.reshape([n for pair in zip(copies, sizes, strict=True) for n in pair])
    return tiles.sum(axis=tuple(range(0, 2 * axes, 2)))


@operation(x=sum_of_tiles)
def tile(x: Array, reps: int | Sequence[int]) -> Array:
    return np.tile(x, reps)


def sum_of_repeats(g: Array, x_shape: tuple[int, ...], repeats: Any, axis: int | None) -> Array:
    if axis is None:
        size = int(np.prod(x_shape))
        return sum_of_repeats(g, (size,), repeats, 0).reshape(x_shape)
    axis %= len(x_shape)
    if np.size(repeats) == 1:
        return g.reshape((*x_shape[: axis + 1], int(np.reshape(repeats, ())), *x_shape[axis + 1 :])).sum(axis=axis + 1)
    origin = np.repeat(np.arange(x_shape[axis]), repeats)
    return indexing.scatter(g, (slice(None),) * axis + (origin,), x_shape)


@operation(x=sum_of_repeats)
def repeat(x: Array, repeats: Any, axis: int | None = None) -> Array:
    return np.repeat(x, repeats, axis)


@operation(x=lambda g: g)
def astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype)


@operation(x=lambda g: g)
def copy(x: Array) -> Array:
    return x.copy()


# A frame around

PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad_widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Return (before, after) for each axis, from any form that `np.pad` takes."""
    if not isinstance(pad_width, dict):
        return [(int(before), int(after)) for before, after in np.broadcast_to(pad_width, (ndim, 2))]
    widths = [(0, 0)] * ndim
    for axis, width in pad_width.items():
        before, after = np.broadcast_to(width, 2)
        widths[axis] = int(before), int(after)
    return widths


def unpad(g: Array, x_shape: tuple[int, ...], pad_width: Any, mode: str) -> Array:
    """Return the part of `g` inside the frame, with the frame's gradients added where its values came from."""
    widths = pad_widths(pad_width, len(x_shape))
    if mode == "constant":
        return g[tuple(slice(before, before + n) for (before, _), n in zip(widths, x_shape, strict=True))]
    for axis, (n, width) in enumerate(zip(x_shape, widths, strict=True)):
        if width != (0, 0):
            origin = np.pad(np.arange(n), width, mode)  # type: ignore[call-overload]
            shape = (*g.shape[:axis], n, *g.shape[axis + 1 :])
            g = indexing.scatter(g, (slice(None),) * axis + (origin,), shape)
    return g


@operation(x=unpad)
def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Array:
    """Put a frame around `x`.

    pad_width : an int, (before, after), or a pair for each axis, as `np.pad` has it.
    mode : "constant", "edge", "reflect", "symmetric" or "wrap".
    constant_values : what the frame holds with mode "constant"; no gradient flows to it.

    A frame that repeats elements sends its gradient to them; a constant one sends none.

    >>> from autograd import Tensor, ops
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> ops.pad(x, (2, 0), mode="edge").sum().backward()
    >>> x.grad.tolist()
    [3.0, 1.0, 1.0]
    """
    if mode not in PAD_MODES:
        raise ValueError(f"mode {mode!r} is not differentiable here; use one of {', '.join(PAD_MODES)}")
    if mode == "constant":
        return np.pad(x, pad_width, "constant", constant_values=constant_values)
    return np.pad(x, pad_width, mode)  # type: ignore[call-overload]


# Triangles and diagonals


@operation(x=lambda g, k: np.tril(g, k))
def tril(x: Array, k: int = 0) -> Array:
    return np.tril(x, k)


@operation(x=lambda g, k: np.triu(g, k))
def triu(x: Array, k: int = 0) -> Array:
    return np.triu(x, k)


@operation(x=lambda g, offset, axis1, axis2: np.diagonal(g, offset, axis1, axis2))
def place_diagonal(x: Array, shape: tuple[int, ...], offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """Return zeros of `shape` with `x` on the diagonal that `np.diagonal` takes; `x` is broadcast to it.

    >>> from autograd import ops
    >>> ops.place_diagonal(np.array([1.0, 2.0]), (2, 3), offset=1)
    array([[0., 1., 0.],
           [0., 0., 2.]])
    """
    array = np.zeros(shape, x.dtype)
    # The writable view that np.diagonal does not give: the two axes as one, a step along both at once.
    last = np.moveaxis(array, (axis1, axis2), (-2, -1))
    rows, columns = last.shape[-2:]
    length = diagonal_length(rows, columns, offset)
    i = np.arange(length)
    last[..., i + builtins.max(-offset, 0), i + builtins.max(offset, 0)] = x
    return array


def diagonal_length(rows: int, columns: int, offset: int) -> int:
    return builtins.max(0, builtins.min(rows + builtins.min(offset, 0), columns - builtins.max(offset, 0)))


@operation(
    x=lambda g, x_shape, offset, axis1, axis2: place_diagonal(g, x_shape, offset, axis1, axis2),
    views=True,
)
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return np.diagonal(x, offset, axis1, axis2)


@operation(x=lambda g, x_shape, offset, axis1, axis2: place_diagonal(g[..., None], x_shape, offset, axis1, axis2))
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    return np.trace(x, offset, axis1, axis2)


def diag(x: Array, k: int = 0) -> Array:
    """Return diagonal `k` of a matrix, or the matrix that has a vector on it."""
    if np.ndim(x) == 2:
        return diagonal(x, k)
    if np.ndim(x) != 1:
        raise ValueError(f"diag takes a vector or a matrix, not shape {np.shape(x)}")
    n = np.size(x) + abs(k)
    return place_diagonal(x, (n, n), k)


def diagflat(x: Array, k: int = 0) -> Array:
    """Return the matrix that has the elements of `x`, in order, on diagonal `k`."""
    return diag(np.ravel(x), k)
