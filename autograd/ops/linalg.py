"""Linear algebra: inverses, determinants, solutions and factorisations, each of one matrix or of a batch of them.

The graph carries conjugates of the gradients that users see, and a holomorphic function (`inv`, `det`, `solve`) needs
no more conjugates than a real one. The rules of the factorisations, which conjugate, are written for the
gradients that users see, between a `conjugate` on the way in and one on the way out.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from autograd import modes
from autograd.operation import Array, operation
from autograd.ops.shape import place_diagonal
from autograd.tensor import Tensor, conjugate, wrap

__all__ = [
    "cholesky",
    "cofactors",
    "det",
    "eigh",
    "inv",
    "lstsq",
    "pinv",
    "reduced_qr",
    "reduced_svd",
    "slogdet",
    "solve",
    "cond",
    "eigvalsh",
    "matrix_power",
    "qr",
    "svd",
    "svdvals",
]


def adjoint(x: Array) -> Array:
    return conjugate(x).mT


def diagonal_matrix(x: Array) -> Array:
    """Return the matrices that have the last axis of `x` on their diagonals."""
    return place_diagonal(x, (*x.shape, x.shape[-1]), 0, -2, -1)


def diagonal_of(x: Array) -> Array:
    return np.diagonal(x, 0, -2, -1)


def unused(g: Array) -> bool:
    """Whether a gradient is nothing but zeros: no gradient reached that output."""
    return not (isinstance(g, Tensor) and g.requires_grad) and not np.any(g)


def is_tracked(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad and modes.is_grad_enabled()


def without_gradient(function: Callable[..., Any], x: Array, *options: Any) -> Any:
    """Return what NumPy's function gives, as tensors if `x` is one; for where no gradient is needed."""
    if not isinstance(x, Tensor):
        return function(x, *options)
    found = function(x.numpy(), *options)
    if not isinstance(found, tuple):
        return wrap(found, None)
    parts = [wrap(part, None) for part in found]
    return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)


# Inverses and solutions


@operation(x=lambda g, out: -(out.mT @ g @ out.mT))
def inv(x: Array) -> Array:
    return np.linalg.inv(x)


def pinv_rule(g: Array, x: Array, out: Array) -> Array:
    """Return the gradient of a pseudo-inverse, after Golub and Pereyra."""
    gh, outh = g.mT, adjoint(out)
    found = -adjoint(out @ gh @ out) + (gh - x @ (out @ gh)) @ out @ outh + outh @ out @ (gh - (gh @ out) @ x)
    return conjugate(found)


@operation(x=pinv_rule)
def pinv(x: Array, rcond: Any = None, hermitian: bool = False, rtol: Any = None) -> Array:
    """Return the pseudo-inverse.

    rcond, rtol, hermitian : as those of `np.linalg.pinv`: a smaller share of the largest singular value counts as 0.

    The gradient is right where the rank does not change nearby: where it is full, above all.
    """
    if rtol is not None:
        return np.linalg.pinv(x, hermitian=hermitian, rtol=rtol)
    return np.linalg.pinv(x, rcond, hermitian)


def solve_rule(
    g: Array, needs: tuple[bool, bool], x: Array, out: Array, y_shape: tuple[int, ...]
) -> tuple[Array | None, Array]:
    vector = len(y_shape) == 1
    of_y = solve(x.mT, g[..., None] if vector else g)
    of_x = -(of_y @ (out[..., None] if vector else out).mT) if needs[0] else None
    return of_x, of_y[..., 0] if vector else of_y


@operation(joint=solve_rule, inputs=("x", "y"))
def solve(x: Array, y: Array) -> Array:
    """Return the z for which x @ z = y.

    x : (..., n, n)
    y : (n,), one right side, or (..., n, k), matrices of them: as in NumPy 2, only what has one axis is a vector.

    Raises `numpy.linalg.LinAlgError` where `x` is singular.

    >>> from autograd import Tensor
    >>> x = Tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> np.linalg.solve(x, [1.0, 2.0]).tolist()
    [0.5, 0.5]
    """
    return np.linalg.solve(x, y)


def lstsq_rule(
    g: list[Array], needs: tuple[bool, bool], x: Array, y: Array, rcond: Any
) -> tuple[Array | None, Array | None]:
    eps = float(np.finfo(g[0].dtype).eps)
    inverse = pinv(x, rtol=eps * max(x.shape) if rcond is None else rcond if rcond >= 0 else eps)
    of_solution = g[0] if y.ndim == 2 else g[0][:, None]
    right = y if y.ndim == 2 else y[:, None]
    of_x = pinv_rule(of_solution @ right.mT, x, inverse) if needs[0] else None
    of_y = (inverse.mT @ of_solution).reshape(y.shape) if needs[1] else None
    return of_x, of_y


@operation(joint=lstsq_rule, inputs=("x", "y"), outputs=(True, False, False, False))
def lstsq(x: Array, y: Array, rcond: float | None = None) -> tuple[Array, ...]:
    """Return the solution of least squares with the smallest norm; and residuals, rank and singular values.

    x : (m, n)
    y : (m,) or (m, k)
    rcond : as that of `np.linalg.lstsq`.

    Only the solution is differentiable, where the rank does not change nearby; the other three come without a gradient.
    """
    solution, residuals, rank, values = np.linalg.lstsq(x, y, rcond)
    return solution, residuals, np.intp(rank), values


# Determinants


def cofactors_svd(x: Array) -> tuple[Array, Array, Array, Array]:
    """Return a, b, s and a sign for which the cofactors of `x` are sign * a @ diag(det(diag(s)) / s) @ b.

    A singular value of 0 becomes one that makes no difference to the others but can be divided by.
    """
    u, s, vh = np.linalg.svd(x)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    largest = s.max(axis=-1, keepdims=True, initial=0)
    eps = np.finfo(s.dtype).eps
    return u.conj(), vh.conj(), np.maximum(s, np.where(largest > 0, largest, 1) * eps**2), sign[..., None, None]


def cofactors_rule(g: Array, needs: tuple[bool], x: Array) -> list[Array]:
    a, b, s, sign = cofactors_svd(x)
    but_two = s.prod(axis=-1)[..., None, None] / (s[..., :, None] * s[..., None, :])
    but_two *= 1 - np.eye(s.shape[-1], dtype=s.dtype)
    middle = b @ g.mT @ a
    inner = diagonal_matrix((but_two @ diagonal_of(middle)[..., None])[..., 0]) - but_two * middle
    return [sign * (a @ inner @ b)]


def minors(x: Array) -> Array:
    """Return the cofactors one by one: the determinants of `x` without a row and a column."""
    n = x.shape[-1]
    i = np.arange(n)
    others = np.array([np.delete(i, k) for k in i]).reshape(n, max(n - 1, 0))
    signs = np.where((i[:, None] + i) % 2, -1, 1).astype(x.dtype)
    return det(x[..., others[:, None, :, None], others[None, :, None, :]]) * signs


@operation(joint=cofactors_rule, composed=minors, inputs=("x",))
def cofactors(x: Array) -> Array:
    """Return the matrix of cofactors, which is the gradient of the determinant and finite at singular matrices too.

    x : (..., n, n)

    >>> from autograd import ops
    >>> ops.cofactors(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    a, b, s, sign = cofactors_svd(x)
    return sign * ((a * (s.prod(axis=-1, keepdims=True) / s)[..., None, :]) @ b)


def det_rule(g: Array, x: Array, out: Array) -> Array:
    if np.all(out != 0):
        return (g * out)[..., None, None] * inv(x).mT
    return g[..., None, None] * cofactors(x)


@operation(x=det_rule)
def det(x: Array) -> Array:
    """Return the determinant.

    At a singular matrix its gradient is the matrix of cofactors, as everywhere else; PyTorch has 0 there.
    """
    return np.linalg.det(x)


def slogdet_rule(g: list[Array], x: Array, out: tuple[Array, Array]) -> Array:
    of_sign, of_log = g
    if x.dtype.kind == "c":
        of_log = of_log + np.imag(of_sign * out[0]) * 1j
    inverse = inv(x).mT if np.all(out[0] != 0) else cofactors(x) / det(x)[..., None, None]
    return of_log[..., None, None] * inverse


@operation(name="slogdet", x=slogdet_rule, outputs=(True, True))
def _slogdet(x: Array) -> Any:
    return np.linalg.slogdet(x)


def slogdet(x: Array) -> Any:
    """Return (sign, logabsdet) of the determinant, which may itself be too large or too small for a float.

    The sign of a real determinant comes without a gradient, that of a complex one has one. At a singular matrix
    logabsdet is -inf and its gradient infinite, as that of log(0).

    >>> from autograd import Tensor
    >>> sign, logabsdet = np.linalg.slogdet(Tensor([[-2.0]], requires_grad=True))
    >>> sign.item(), round(logabsdet.item(), 4)
    (-1.0, 0.6931)
    """
    found = _slogdet(x)
    if not isinstance(x, Tensor) or x.dtype.kind == "c":
        return found
    return found._replace(sign=found.sign.detach())


slogdet.operation = _slogdet.operation  # type: ignore[attr-defined]

# Factorisations. Where values coincide the vectors that belong to them are not unique: a gradient through them is
# infinite or NaN, one through the values alone is not.


def cholesky_rule(g: Array, out: Array, upper: bool) -> Array:
    g, lower = (adjoint(conjugate(g)), adjoint(out)) if upper else (conjugate(g), out)
    inverse = inv(lower)
    half = np.tril(adjoint(lower) @ g)
    diagonal = np.real(diagonal_of(half))
    half = half + adjoint(half) - diagonal_matrix(diagonal)
    return conjugate(adjoint(inverse) @ half @ inverse) / 2


@operation(x=cholesky_rule)
def cholesky(x: Array, upper: bool = False) -> Array:
    """Return the lower triangular L for which x = L @ L.conj().mT; with `upper`, the upper triangular L.conj().mT.

    x : (..., n, n), symmetric or Hermitian and positive definite; only one triangle is read.

    Its gradient is symmetric, as if both triangles were.

    Raises `numpy.linalg.LinAlgError` where `x` is not positive definite.
    """
    return np.linalg.cholesky(x, upper=upper)


def eigh_rule(g: list[Array], out: tuple[Array, Array]) -> Array:
    of_w, of_v = g[0], conjugate(g[1])
    w, v = out
    if unused(of_v):
        return conjugate((v * of_w[..., None, :]) @ adjoint(v))
    eye = np.eye(w.shape[-1], dtype=w.dtype)
    turn = adjoint(v) @ of_v
    gaps = w[..., None, :] - w[..., :, None] + eye
    inner = (turn - adjoint(turn)) * (1 - eye) / (2 * gaps) + diagonal_matrix(of_w)
    return conjugate(v @ inner @ adjoint(v))


@operation(x=eigh_rule, outputs=(True, True))
def eigh(x: Array, UPLO: Literal["L", "U"] = "L") -> Any:
    """Return (eigenvalues, eigenvectors) of symmetric or Hermitian matrices, in ascending order.

    x : (..., n, n); only the triangle UPLO ("L" or "U") is read.

    The gradient is symmetric, as if both triangles were read. The sign of an eigenvector, or its phase, is arbitrary:
    gradients are right for functions that do not depend on it. Where eigenvalues coincide, the gradient through the
    eigenvalues is fine and that through the eigenvectors is infinite or NaN.

    >>> from autograd import Tensor
    >>> x = Tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> w, v = np.linalg.eigh(x)
    >>> w[0].backward()
    >>> x.grad.tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    return np.linalg.eigh(x, UPLO)


def eigvalsh(x: Array, UPLO: Literal["L", "U"] = "L") -> Array:
    """Return the eigenvalues of symmetric or Hermitian matrices, in ascending order."""
    return eigh(x, UPLO).eigenvalues if is_tracked(x) else without_gradient(np.linalg.eigvalsh, x, UPLO)


def svd_rule(g: list[Array], out: tuple[Array, Array, Array]) -> Array:
    u, s, vh = out
    of_u, of_s, of_vh = conjugate(g[0]), g[1], conjugate(g[2])
    if unused(of_u) and unused(of_vh):
        return conjugate((u * of_s[..., None, :]) @ vh)
    row, column = s[..., None, :], s[..., :, None]
    # Turning the vectors among themselves, and stretching.
    turn_u, turn_v = adjoint(u) @ of_u, vh @ adjoint(of_vh)
    turn_u, turn_v = turn_u - adjoint(turn_u), turn_v - adjoint(turn_v)
    gaps = (row - column) * (row + column) + np.eye(s.shape[-1], dtype=s.dtype)
    inner = (turn_u * row + column * turn_v) / gaps + diagonal_matrix(of_s)
    if u.dtype.kind == "c":
        inner = inner + diagonal_matrix(diagonal_of(turn_u) / (2 * s))
    found = u @ inner @ vh
    # Out of the space that they span.
    if u.shape[-2] > s.shape[-1]:
        found = found + (of_u - u @ (adjoint(u) @ of_u)) / row @ vh
    if vh.shape[-1] > s.shape[-1]:
        found = found + u @ ((of_vh - of_vh @ adjoint(vh) @ vh) / column)
    return conjugate(found)


@operation(name="svd", x=svd_rule, outputs=(True, True, True))
def reduced_svd(x: Array) -> Any:
    """Return (U, S, Vh) for which x = (U * S) @ Vh: `np.linalg.svd(x, full_matrices=False)`.

    x : (..., m, n); with k = min(m, n), U is (..., m, k), S (..., k) and Vh (..., k, n).

    Signs of singular vectors, or their phases, are arbitrary: gradients are right for functions that do not depend on
    them. Where singular values coincide or are 0, the gradient through S is fine and that through the
    vectors is infinite or NaN.
    """
    return np.linalg.svd(x, full_matrices=False)


def svd(x: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Return (U, S, Vh) for which x = (U * S) @ Vh, or S alone where `compute_uv` is False; see `reduced_svd`.

    full_matrices : whether U and Vh are square. What that adds to them is arbitrary, so a tensor that requires
        a gradient needs False, unless its matrices are square themselves.
    hermitian : taken for NumPy's sake.
    """
    if not compute_uv:
        return reduced_svd(x).S if is_tracked(x) else without_gradient(np.linalg.svdvals, x)
    m, n = np.shape(x)[-2:]
    if not full_matrices or m == n:
        return reduced_svd(x)
    if is_tracked(x):
        raise ValueError(
            f"svd of {x.label()}: the last columns of a full U, or rows of a full Vh, are arbitrary: they have no "
            "gradient; pass full_matrices=False"
        )
    return without_gradient(np.linalg.svd, x)


def svdvals(x: Array) -> Array:
    """Return the singular values, in descending order."""
    return svd(x, compute_uv=False)


def qr_rule(g: list[Array], out: tuple[Array, Array]) -> Array:
    q, r = out
    of_q, of_r = conjugate(g[0]), conjugate(g[1])
    m, n = q.shape[-2], r.shape[-1]
    more = None
    if n > m:  # what is right of the square part is q @ r there
        more = q @ of_r[..., m:]
        of_q = of_q + q @ r[..., m:] @ adjoint(of_r[..., m:])
        r, of_r = r[..., :m], of_r[..., :m]
    turn = np.triu(of_r @ adjoint(r) - adjoint(q) @ of_q)
    turn = turn + adjoint(turn) - diagonal_matrix(np.real(diagonal_of(turn)))
    found = adjoint(solve(r, adjoint(of_q + q @ turn)))
    return conjugate(found if more is None else np.concatenate([found, more], axis=-1))


@operation(name="qr", x=qr_rule, outputs=(True, True))
def reduced_qr(x: Array) -> Any:
    """Return (Q, R) for which x = Q @ R, R upper triangular: `np.linalg.qr(x)`.

    x : (..., m, n); with k = min(m, n), Q is (..., m, k) and R (..., k, n).

    The first k columns need to be independent: the gradient raises `numpy.linalg.LinAlgError` where R is singular.
    """
    return np.linalg.qr(x)


def qr(x: Array, mode: str = "reduced") -> Any:
    """Return (Q, R) for which x = Q @ R, or R alone with mode "r"; see `reduced_qr`.

    mode : as that of `np.linalg.qr`. A tensor that requires a gradient takes "reduced" and "r", and
        "complete" where that adds no columns to Q: they are arbitrary.
    """
    m, n = np.shape(x)[-2:]
    if mode == "r":
        return reduced_qr(x).R
    if mode == "reduced" or (mode == "complete" and m <= n):
        return reduced_qr(x)
    if is_tracked(x):
        raise ValueError(f"qr of {x.label()}: mode {mode!r} has no gradient; use 'reduced' or 'r'")
    return without_gradient(np.linalg.qr, x, mode)


# In terms of the others


def matrix_power(x: Array, n: int) -> Array:
    """Return the product of `n` times `x`, of its inverse where `n` is negative; the identity where `n` is 0.

    >>> from autograd import Tensor
    >>> np.linalg.matrix_power(Tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    shape = np.shape(x)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power takes square matrices, not shape {shape}")
    n = operator.index(n)
    if n == 0:
        return np.where(False, x, np.eye(shape[-1], dtype=x.dtype))
    if n == 1:
        return x.copy()
    if n < 0:
        x, n = inv(x), -n
    result = None
    while n:
        if n & 1:
            result = x if result is None else result @ x
        n >>= 1
        if n:
            x = x @ x
    return result


def cond(x: Array, p: Any = None) -> Array:
    """Return the condition number in the norm `p`: by default the largest singular value over the smallest."""
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(inv(x), p, (-2, -1))
