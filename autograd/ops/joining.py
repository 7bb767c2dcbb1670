"""Operations that join several tensors or take one apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autograd.operation import Array, operation

__all__ = [
    "concatenate",
    "stack",
    "array_split",
    "block",
    "broadcast_arrays",
    "column_stack",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "meshgrid",
    "split",
    "unstack",
    "vsplit",
    "vstack",
]

# Joining


def cut(g: Array, needs: tuple[bool, ...], xs_shape: tuple[tuple[int, ...], ...], axis: int) -> list[Array | None]:
    """Return the piece of `g` that belongs to each of the joined."""
    before = (slice(None),) * (axis % len(g.shape))
    pieces: list[Array | None] = []
    start = 0
    for need, shape in zip(needs, xs_shape, strict=True):
        stop = start + shape[axis]
        pieces.append(g[(*before, slice(start, stop))] if need else None)
        start = stop
    return pieces


def layers(g: Array, needs: tuple[bool, ...], axis: int) -> list[Array | None]:
    """Return the layer of `g` that belongs to each of the stacked."""
    before = (slice(None),) * (axis % len(g.shape))
    return [g[(*before, i)] if need else None for i, need in enumerate(needs)]


@operation(name="concatenate", joint=cut, inputs=("xs",))
def _concatenate(*xs: Array, axis: int = 0) -> Array:
    return np.concatenate(xs, axis)


@operation(name="stack", joint=layers, inputs=("xs",))
def _stack(*xs: Array, axis: int = 0) -> Array:
    return np.stack(xs, axis)


def concatenate(xs: Sequence[Array], axis: int | None = 0) -> Array:
    """Join the tensors of a sequence along an axis that they have; with `axis=None`, flattened.

    >>> from autograd import Tensor, ops
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> ops.concatenate([x, [3.0], x]).tolist()
    [1.0, 2.0, 3.0, 1.0, 2.0]
    """
    if axis is None:
        return _concatenate(*(np.ravel(x) for x in xs), axis=0)
    return _concatenate(*xs, axis=axis)


def stack(xs: Sequence[Array], axis: int = 0) -> Array:
    """Join the tensors of a sequence, all of one shape, along a new axis.

    >>> from autograd import Tensor, ops
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> ops.stack([x, x * 10], axis=1).tolist()
    [[1.0, 10.0], [2.0, 20.0]]
    """
    return _stack(*xs, axis=axis)


# What the graph, pictures and NumPy's dispatch know them by.
concatenate.operation = _concatenate.operation  # type: ignore[attr-defined]
stack.operation = _stack.operation  # type: ignore[attr-defined]


def each(function: Any, xs: Sequence[Array]) -> list[Array]:
    return [function(x) for x in xs]


def vstack(xs: Sequence[Array]) -> Array:
    """Join as rows: vectors become rows of a matrix."""
    return concatenate(each(np.atleast_2d, xs), 0)


def hstack(xs: Sequence[Array]) -> Array:
    """Join side by side: along the second axis, vectors along their only one."""
    found = each(np.atleast_1d, xs)
    return concatenate(found, 0 if found and np.ndim(found[0]) == 1 else 1)


def dstack(xs: Sequence[Array]) -> Array:
    """Join along the third axis."""
    return concatenate(each(np.atleast_3d, xs), 2)


def column_stack(xs: Sequence[Array]) -> Array:
    """Join as columns of a matrix: vectors become one column each."""
    return concatenate([x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in xs], 1)


def block(xs: Any) -> Array:
    """Join nested lists of blocks: the innermost lists along the last axis, the next along the one before."""
    depth = depth_of(xs)
    return joined(xs, -depth, max(depth, most_axes(xs)))


def depth_of(xs: Any) -> int:
    return 1 + max(map(depth_of, xs), default=0) if isinstance(xs, list) else 0


def most_axes(xs: Any) -> int:
    return max(map(most_axes, xs), default=0) if isinstance(xs, list) else int(np.ndim(xs))


def joined(xs: Any, axis: int, ndim: int) -> Array:
    if isinstance(xs, list):
        return concatenate([joined(x, axis + 1, ndim) for x in xs], axis)
    if axis:
        raise ValueError("block: lists nested to one depth are needed, and a block stands where another has a list")
    return np.reshape(xs, (1,) * (ndim - np.ndim(xs)) + np.shape(xs))


# Taking apart


def array_split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Cut along an axis, into so many parts of nearly one size or before the given indices."""
    x = x if hasattr(x, "shape") else np.asarray(x)
    total = x.shape[axis]
    before = (slice(None),) * (axis % len(x.shape))
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count <= 0:
            raise ValueError(f"array_split: the number of sections must be at least 1, not {count}")
        size, longer = divmod(total, count)
        edges = [i * size + min(i, longer) for i in range(count + 1)]
        bounds = list(pairwise(edges))
    else:
        edges = [0, *(int(i) for i in indices_or_sections)]
        bounds = list(zip(edges, [*edges[1:], total], strict=True))
    return [x[(*before, slice(start, stop))] for start, stop in bounds]


def split(x: Array, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Cut along an axis, into so many equal parts or before the given indices.

    >>> from autograd import Tensor
    >>> [part.tolist() for part in np.split(Tensor([1.0, 2.0, 3.0, 4.0]), [1, 3])]
    [[1.0], [2.0, 3.0], [4.0]]
    """
    if isinstance(indices_or_sections, (int, np.integer)) and indices_or_sections > 0:
        total = np.shape(x)[axis]
        if total % indices_or_sections:
            raise ValueError(
                f"split: {total} along axis {axis} is no multiple of {indices_or_sections}; array_split allows that"
            )
    return array_split(x, indices_or_sections, axis)


def hsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """Cut along the second axis, a vector along its only one."""
    if np.ndim(x) == 0:
        raise ValueError("hsplit takes at least one axis, not a 0-d tensor")
    return split(x, indices_or_sections, 1 if np.ndim(x) > 1 else 0)


def vsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """Cut along the first axis of at least two."""
    if np.ndim(x) < 2:
        raise ValueError(f"vsplit takes at least two axes, not shape {np.shape(x)}")
    return split(x, indices_or_sections, 0)


def dsplit(x: Array, indices_or_sections: int | Sequence[int]) -> list[Array]:
    """Cut along the third axis."""
    if np.ndim(x) < 3:
        raise ValueError(f"dsplit takes at least three axes, not shape {np.shape(x)}")
    return split(x, indices_or_sections, 2)


def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """Return the layers along an axis, without that axis."""
    if np.ndim(x) == 0:
        raise ValueError("unstack takes at least one axis, not a 0-d tensor")
    return tuple(np.moveaxis(x, axis, 0))


# Broadcasting against each other


def broadcast_arrays(*xs: Array) -> tuple[Array, ...]:
    """Give all the shape that they have together."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in xs))
    return tuple(x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in xs)


def meshgrid(*xs: Array, indexing: str = "xy", sparse: bool = False, copy: bool = True) -> tuple[Array, ...]:
    """Return the coordinates of a grid from those along each of its axes.

    xs : 1-d (or 0-d) coordinates.
    indexing : "xy", the first varies along the second axis of the results, or "ij", along the first.
    sparse : leave size-1 axes as they are, to be broadcast later.
    copy : taken for NumPy's sake; a tensor's values never change under it.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is 'xy' or 'ij', not {indexing!r}")
    ndim = len(xs)
    place = list(range(ndim))
    if indexing == "xy" and ndim > 1:
        place[:2] = 1, 0
    grids = tuple(np.reshape(x, (1,) * place[i] + (-1,) + (1,) * (ndim - 1 - place[i])) for i, x in enumerate(xs))
    return grids if sparse else broadcast_arrays(*grids)
