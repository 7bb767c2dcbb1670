"""Products of vectors, matrices and tensors: bilinear, so that their rules need no conjugate, but for `vdot`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from autograd.kernels.products import stacked
from autograd.operation import Array, operation
from autograd.ops.shape import inverse

__all__ = [
    "cross",
    "dot",
    "einsum",
    "inner",
    "matmul",
    "outer",
    "tensordot",
    "vdot",
    "kron",
    "matvec",
    "multi_dot",
    "vecdot",
    "vecmat",
]

LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # importing `string` takes 1 ms

# Two at a time. The dimensions of `g` and of the other operand tell those of the one whose gradient it is.


def rows(x: Array) -> Array:
    """Return a batch of matrices as one: a large product is quicker than many small ones, and than their sum."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def matrix_product(x: Array, y: Array) -> Array:
    """NumPy's `matmul`, differentiable."""
    if x.ndim > 2:
        if y.ndim == 2:
            return (rows(x) @ y).reshape(*x.shape[:-1], y.shape[1])
        if x.__class__ is y.__class__ is np.ndarray and x.shape[:-2] == y.shape[:-2]:
            return stacked(x, y)
    return x @ y


def matmul_x(g: Array, y: Array) -> Array:
    if y.ndim == 1:
        return g[..., None] * y
    if g.ndim < y.ndim:  # x is a vector
        return (y @ g[..., None])[..., 0]
    return matrix_product(g, y.mT)


def matmul_y(g: Array, x: Array, y_shape: tuple[int, ...]) -> Array:
    if x.ndim == 2 == g.ndim:
        return x.mT @ g
    if x.ndim == 1:
        return x * g if g.ndim == 0 else x[:, None] * g[..., None, :]
    if len(y_shape) == 1:
        return g.reshape(-1) @ rows(x)
    if len(y_shape) == 2:
        return rows(x).mT @ rows(g)
    return matrix_product(x.mT, g)


matmul = operation(matrix_product, name="matmul", x=matmul_x, y=matmul_y)


def dot_x(g: Array, x_shape: tuple[int, ...], y: Array) -> Array:
    rest = np.ndim(y) - 1
    if not x_shape or rest < 1:
        return (g[..., None] if rest == 0 and x_shape else g) * y
    over = tuple(range(g.ndim - rest, g.ndim))
    return tensordot(g, y, (over, (*range(rest - 1), rest)))


def dot_y(g: Array, x: Array, y_shape: tuple[int, ...]) -> Array:
    leading = np.ndim(x) - 1
    if not y_shape or leading < 0:
        return g * x
    over = tuple(range(leading))
    found = tensordot(x, g, (over, over))
    return found if len(y_shape) == 1 else np.moveaxis(found, 0, -2)


@operation(x=dot_x, y=dot_y)
def dot(x: Array, y: Array) -> Array:
    return np.dot(x, y)


def inner_x(g: Array, x_shape: tuple[int, ...], y: Array) -> Array:
    rest = np.ndim(y) - 1
    if not x_shape or rest < 0:
        return g * y
    return tensordot(g, y, (tuple(range(g.ndim - rest, g.ndim)), tuple(range(rest))))


def inner_y(g: Array, x: Array, y_shape: tuple[int, ...]) -> Array:
    leading = np.ndim(x) - 1
    if not y_shape or leading < 0:
        return g * x
    return tensordot(g, x, (tuple(range(leading)),) * 2)


@operation(x=inner_x, y=inner_y)
def inner(x: Array, y: Array) -> Array:
    return np.inner(x, y)


@operation(
    x=lambda g, x_shape, y: (g @ np.reshape(y, -1)).reshape(x_shape),
    y=lambda g, x, y_shape: (np.reshape(x, -1) @ g).reshape(y_shape),
)
def outer(x: Array, y: Array) -> Array:
    return np.outer(x, y)


@operation(
    x=lambda g, x_shape, y: np.conjugate(g * y).reshape(x_shape),
    y=lambda g, x, y_shape: (g * np.conjugate(x)).reshape(y_shape),
)
def vdot(x: Array, y: Array) -> Array:
    """Return the sum of conj(x) * y over all elements."""
    return np.vdot(x, y)


def contracted(axes: Any, x_ndim: int, y_ndim: int) -> tuple[list[int], list[int]]:
    """Return the axes of both operands that `tensordot` sums over, counted from the front."""
    if isinstance(axes, (int, np.integer)):
        return list(range(x_ndim - axes, x_ndim)), list(range(axes))
    of_x, of_y = ([int(a) for a in np.atleast_1d(part)] for part in axes)
    return [a % x_ndim for a in of_x], [a % y_ndim for a in of_y]


def tensordot_x(g: Array, x_shape: tuple[int, ...], y: Array, axes: Any) -> Array:
    of_x, of_y = contracted(axes, len(x_shape), y.ndim)
    kept = [a for a in range(len(x_shape)) if a not in of_x]
    rest = [a for a in range(y.ndim) if a not in of_y]
    found = tensordot(g, y, (tuple(range(len(kept), g.ndim)), rest))
    return found.transpose(inverse([*kept, *(of_x[of_y.index(a)] for a in sorted(of_y))]))


def tensordot_y(g: Array, x: Array, y_shape: tuple[int, ...], axes: Any) -> Array:
    of_x, of_y = contracted(axes, x.ndim, len(y_shape))
    kept = [a for a in range(len(y_shape)) if a not in of_y]
    rest = [a for a in range(x.ndim) if a not in of_x]
    found = tensordot(x, g, (rest, tuple(range(len(rest)))))
    return found.transpose(inverse([*(of_y[of_x.index(a)] for a in sorted(of_x)), *kept]))


@operation(x=tensordot_x, y=tensordot_y)
def tensordot(x: Array, y: Array, axes: Any = 2) -> Array:
    return np.tensordot(x, y, axes)


def cross_x(
    g: Array, x_shape: tuple[int, ...], y: Array, axisa: int, axisb: int, axisc: int, axis: int | None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    return cross(y, g, axisb, axisc, axisa if axisa < 0 else axisa - len(x_shape))


def cross_y(
    g: Array, x: Array, y_shape: tuple[int, ...], axisa: int, axisb: int, axisc: int, axis: int | None
) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    return cross(g, x, axisc, axisa, axisb if axisb < 0 else axisb - len(y_shape))


@operation(x=cross_x, y=cross_y)
def cross(x: Array, y: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """Return the cross products of vectors of three components.

    axisa, axisb, axisc : the axis of the components in `x`, in `y` and in the result.
    axis : one for all three.
    """
    lengths = np.shape(x)[axisa if axis is None else axis], np.shape(y)[axisb if axis is None else axis]
    if lengths != (3, 3):
        raise ValueError(f"vectors of three components are needed, not of {lengths[0]} and {lengths[1]}")
    return np.cross(x, y, axisa, axisb, axisc, axis)


# Any number


def labels_of(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """Return the labels of each operand's axes and of the result's, with letters in place of an ellipsis."""
    given, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    widths = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    spare = [c for c in LETTERS if c not in subscripts]
    hidden = "".join(spare[: max(width if "..." in term else 0 for term, width in zip(terms, widths, strict=True))])
    named = [t.replace("...", hidden[len(hidden) - w :]) for t, w in zip(terms, widths, strict=True)]
    if arrow:
        return named, result.replace("...", hidden)
    return named, hidden + "".join(c for c in sorted(set(given) - set(".,")) if given.count(c) == 1)


def einsum_rule(
    g: Array, needs: tuple[bool, ...], subscripts: str, xs: tuple[Array, ...], optimize: Any
) -> list[Array | None]:
    """Return, for each operand, the product of `g` with the others, summed over all that the operand does not have."""
    terms, result = labels_of(subscripts, [np.ndim(x) for x in xs])
    spare = [c for c in LETTERS if c not in result and not any(c in term for term in terms)]
    found: list[Array | None] = []
    for i, need in enumerate(needs):
        if not need:
            found.append(None)
            continue
        factors = [(result, g), *((t, x) for j, (t, x) in enumerate(zip(terms, xs, strict=True)) if j != i)]
        own = ""
        for axis, c in enumerate(terms[i]):
            if c in own:  # a diagonal was taken: the identity puts the gradient back onto it
                own += spare[axis]
                factors.append((c + spare[axis], np.eye(xs[i].shape[axis], dtype=g.dtype)))
            else:
                own += c
        known = [c for c in own if any(c in term for term, _ in factors)]
        into = f"{','.join(term for term, _ in factors)}->{''.join(known)}"
        product = einsum(into, *(x for _, x in factors), optimize=optimize)
        sizes = dict(zip(known, product.shape, strict=True))
        product = product.reshape([sizes.get(c, 1) for c in own])
        # An axis that no other factor has, or only with size 1, was summed on its own: the gradient is even along it.
        spread = tuple(max(sizes.get(c, 1), n) for c, n in zip(own, xs[i].shape, strict=True))
        found.append(product if product.shape == spread else np.broadcast_to(product, spread))
    return found


@operation(joint=einsum_rule, inputs=("xs",))
def einsum(subscripts: str, *xs: Array, optimize: Any = False) -> Array:
    """Return the sum of products that the subscripts describe, as `np.einsum` has it.

    subscripts : labels of the axes of each operand and, after "->", of the result; "..." stands for any leading axes,
        and a label that repeats within an operand takes its diagonal.
    optimize : as NumPy's; it holds for the gradients too.

    >>> from autograd import Tensor, ops
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> ops.einsum("ii->", x).backward()
    >>> x.grad.tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if not isinstance(subscripts, str):
        raise TypeError("write the subscripts as a string, 'ij,jk->ik' say")
    out = np.einsum(subscripts, *xs, optimize=optimize)
    # NumPy answers with a view where nothing is summed; results of several inputs are not watched for that.
    return out.copy() if len(xs) == 1 and out.base is not None else out


def vecdot(x: Array, y: Array, axis: int = -1) -> Array:
    """Return the sum of conj(x) * y along an axis."""
    rows = np.conjugate(np.moveaxis(x, axis, -1))[..., None, :]
    return (rows @ np.moveaxis(y, axis, -1)[..., None])[..., 0, 0]


def matvec(x: Array, y: Array) -> Array:
    """Return the products of matrices and vectors, both of which may be batches."""
    return (x @ y[..., None])[..., 0]


def vecmat(x: Array, y: Array) -> Array:
    """Return the products of conjugated vectors and matrices, both of which may be batches."""
    return (np.conjugate(x)[..., None, :] @ y)[..., 0, :]


def kron(x: Array, y: Array) -> Array:
    """Return the Kronecker product: every element of `x` times the whole of `y`."""
    ndim = max(np.ndim(x), np.ndim(y))
    of_x = (1,) * (ndim - np.ndim(x)) + np.shape(x)
    of_y = (1,) * (ndim - np.ndim(y)) + np.shape(y)
    spread_x = np.reshape(x, [n for size in of_x for n in (size, 1)])
    spread_y = np.reshape(y, [n for size in of_y for n in (1, size)])
    return (spread_x * spread_y).reshape(tuple(m * n for m, n in zip(of_x, of_y, strict=True)))


def multi_dot(xs: Sequence[Array]) -> Array:
    """Return the product of matrices, in the order that takes the fewest multiplications.

    xs : two matrices or more; the first and the last may be vectors.

    >>> from autograd import Tensor
    >>> a, b = Tensor([1.0, 2.0]), Tensor([[3.0, 0.0], [0.0, 4.0]])
    >>> np.linalg.multi_dot([a, b, a]).item()
    19.0
    """
    if len(xs) < 2:
        raise ValueError(f"multi_dot takes at least two matrices, not {len(xs)}")
    shapes = [np.shape(x) for x in xs]
    if any(len(shape) != 2 for shape in shapes[1:-1]) or any(len(shapes[end]) not in (1, 2) for end in (0, -1)):
        raise ValueError(f"multi_dot takes matrices, and vectors at the ends, not shapes {shapes}")
    rows = 1 if len(shapes[0]) == 1 else shapes[0][0]
    sizes = [rows, *(shape[0] for shape in shapes[1:]), 1 if len(shapes[-1]) == 1 else shapes[-1][1]]
    return product_of(xs, 0, len(xs), best_cuts(sizes))


def best_cuts(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return where to cut the product of matrices i up to but without j, matrix i being (sizes[i], sizes[i + 1])."""
    n = len(sizes) - 1
    cost = {(i, i + 1): 0 for i in range(n)}
    cuts = {}
    for span in range(2, n + 1):
        for i in range(n - span + 1):
            j = i + span
            cost[i, j], cuts[i, j] = min(
                (cost[i, k] + cost[k, j] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j)
            )
    return cuts


def product_of(xs: Sequence[Array], i: int, j: int, cuts: dict[tuple[int, int], int]) -> Array:
    if j - i == 1:
        return xs[i]
    cut = cuts[i, j]
    return product_of(xs, i, cut, cuts) @ product_of(xs, cut, j, cuts)
