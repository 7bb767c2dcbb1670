"""Cases of linear algebra.

Factorisations have arbitrary signs and phases: the cases are functions that do not depend on them. Functions of
symmetric matrices symmetrise their input.
"""

import numpy as np

from autograd import ops
from tests.cases import Case, normal


def square(*shape, seed=0):
    """Return well-conditioned matrices."""
    n = shape[-1]
    return normal(*shape, seed=seed) + 2 * n**0.5 * np.eye(n)


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


def hermitian(x):
    return x + np.conjugate(x).mT


def gram(x):
    return x @ np.conjugate(x).mT + np.eye(x.shape[-1], dtype=np.float32)


def of_rank(m, n, rank):
    return normal(m, rank) @ normal(rank, n, seed=1)


def projections(v):
    """Return v_i v_i^H for each column of `v`: they do not depend on its sign or phase."""
    return v[..., :, None, :] * np.conjugate(v)[..., None, :, :]


def spectral(x):
    w, v = ops.eigh(hermitian(x))
    return (v * np.exp(w)[..., None, :]) @ np.conjugate(v).mT


def eigh_parts(x):
    w, v = ops.eigh(hermitian(x))
    return projections(v) * w


def svd_parts(x):
    u, s, vh = ops.reduced_svd(x)
    return (u * np.sin(s)[..., None, :]) @ vh


def left_projections(x):
    return projections(ops.reduced_svd(x)[0])


def right_projections(x):
    return projections(np.conjugate(ops.reduced_svd(x)[2]).mT)


def qr_parts(x):
    q, r = ops.reduced_qr(x)
    signs = np.sign(np.diagonal(np.real(r.detach() if hasattr(r, "detach") else r), 0, -2, -1))
    signs = np.asarray(signs)
    return np.concatenate([(q * signs[..., None, :]).ravel(), (r * signs[..., :, None]).ravel()])


def both(found):
    return found[0] + found[1]


SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])

CASES = [
    Case("inv", lambda x: ops.inv(x), (square(3, 3),)),
    Case("inv", lambda x: ops.inv(x), (square(2, 2, 3, 3),), "batch"),
    Case("inv", lambda x: ops.inv(x), (complex_normal(3, 3),), "complex"),
    Case("inv", lambda x: ops.inv(x), (normal(1, 1) + 3,), "1x1"),
    Case("inv", lambda x: ops.inv(x), (normal(0, 0),), "empty"),
    Case("pinv", lambda x: ops.pinv(x), (normal(4, 2),), "tall"),
    Case("pinv", lambda x: ops.pinv(x), (normal(2, 4),), "wide"),
    Case("pinv", lambda x: ops.pinv(x), (normal(2, 3, 2),), "batch"),
    Case("pinv", lambda x: ops.pinv(x), (complex_normal(3, 2),), "complex"),
    Case("solve", lambda x, y: ops.solve(x, y), (square(3, 3), normal(3)), "vector"),
    Case("solve", lambda x, y: ops.solve(x, y), (square(3, 3), normal(3, 2)), "matrix"),
    Case("solve", lambda x, y: ops.solve(x, y), (square(2, 3, 3), normal(3)), "batch, one vector"),
    Case("solve", lambda x, y: ops.solve(x, y), (square(2, 3, 3), normal(3, 2)), "batch, one matrix"),
    Case("solve", lambda x, y: ops.solve(x, y), (square(3, 3), normal(2, 3, 1)), "one, batch"),
    Case("solve", lambda x, y: ops.solve(x, y), (complex_normal(2, 2), complex_normal(2, 1)), "complex"),
    Case("lstsq", lambda x, y: ops.lstsq(x, y)[0], (normal(5, 2), normal(5)), "tall"),
    Case("lstsq", lambda x, y: ops.lstsq(x, y)[0], (normal(2, 4), normal(2, 3)), "wide"),
    Case("lstsq", lambda x, y: ops.lstsq(x, y)[0], (complex_normal(3, 2), complex_normal(3)), "complex"),
    Case("lstsq", lambda y: ops.lstsq(of_rank(4, 3, 2).astype(y.dtype), y, 1e-4)[0], (normal(4),), "rank deficient"),
    Case("det", lambda x: ops.det(x), (normal(3, 3),)),
    Case("det", lambda x: ops.det(x), (normal(2, 2, 2, 2),), "batch"),
    Case("det", lambda x: ops.det(x), (complex_normal(3, 3),), "complex"),
    Case("det", lambda x: ops.det(x), (SINGULAR,), "singular"),
    Case("det", lambda x: ops.det(x), (np.stack([SINGULAR, normal(3, 3), np.zeros((3, 3))]),), "some singular"),
    Case("det", lambda x: ops.det(x), (np.zeros((2, 2)),), "of zeros"),
    Case("det", lambda x: ops.det(x), (normal(1, 1),), "1x1"),
    Case("cofactors", lambda x: ops.cofactors(x), (normal(3, 3),)),
    Case("cofactors", lambda x: ops.cofactors(x), (np.stack([SINGULAR, np.zeros((3, 3))]),), "singular"),
    Case("cofactors", lambda x: ops.cofactors(x), (complex_normal(2, 2),), "complex"),
    Case("cofactors", lambda x: ops.cofactors(x), (normal(1, 1),), "1x1"),
    Case("slogdet", lambda x: ops.slogdet(x)[1], (normal(3, 3),)),
    Case("slogdet", lambda x: ops.slogdet(x)[1], (normal(2, 2, 2),), "batch"),
    Case("slogdet", lambda x: both(ops.slogdet(x)), (complex_normal(3, 3),), "complex"),
    Case("cholesky", lambda x: ops.cholesky(gram(x)), (normal(3, 3),)),
    Case("cholesky", lambda x: ops.cholesky(gram(x)), (normal(2, 2, 2),), "batch"),
    Case("cholesky", lambda x: ops.cholesky(gram(x), upper=True), (normal(3, 3),), "upper"),
    Case("cholesky", lambda x: ops.cholesky(gram(x)), (complex_normal(3, 3),), "complex"),
    Case("cholesky", lambda x: ops.cholesky(gram(x), upper=True), (complex_normal(2, 2),), "complex, upper"),
    Case("eigh", lambda x: ops.eigh(hermitian(x))[0], (normal(3, 3),), "values"),
    Case("eigh", eigh_parts, (normal(3, 3),), "both"),
    Case("eigh", spectral, (normal(2, 3, 3),), "batch"),
    Case("eigh", lambda x: projections(ops.eigh(hermitian(x), "U")[1]), (normal(3, 3),), "vectors, upper"),
    Case("eigh", eigh_parts, (complex_normal(3, 3),), "complex"),
    Case("eigvalsh", lambda x: np.linalg.eigvalsh(hermitian(x)), (normal(3, 3),)),
    Case("reduced_svd", lambda x: ops.reduced_svd(x)[1], (normal(3, 4),), "values"),
    *(
        Case("reduced_svd", function, (normal(*shape),), f"{function.__name__} {shape}")
        for function in (svd_parts, left_projections, right_projections)
        for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2))
    ),
    *(
        Case("reduced_svd", function, (complex_normal(*shape),), f"complex {function.__name__} {shape}")
        for function in (svd_parts, left_projections)
        for shape in ((3, 2), (2, 3))
    ),
    Case("svd", lambda x: np.linalg.svd(x)[1], (normal(3, 3),)),
    Case("svdvals", lambda x: np.linalg.svdvals(x), (normal(3, 2),)),
    Case("reduced_qr", qr_parts, (normal(3, 3),), "square"),
    Case("reduced_qr", qr_parts, (normal(4, 2),), "tall"),
    Case("reduced_qr", qr_parts, (normal(2, 4),), "wide"),
    Case("reduced_qr", qr_parts, (normal(2, 3, 2),), "batch"),
    Case("reduced_qr", lambda x: np.abs(ops.reduced_qr(x)[1][..., 0, 1:]) ** 2, (complex_normal(3, 3),), "complex"),
    Case("qr", lambda x: np.abs(np.linalg.qr(x, mode="r")), (normal(3, 2),)),
    *(
        Case("matrix_power", lambda x, n=n: np.linalg.matrix_power(x, n), (square(2, 2),), str(n))
        for n in (-3, -1, 0, 1, 2, 3, 5)
    ),
    Case("cond", lambda x: np.linalg.cond(x), (normal(3, 3),)),
    Case("cond", lambda x: np.linalg.cond(x, "fro"), (normal(3, 3),), "fro"),
    Case("cond", lambda x: np.linalg.cond(x, -2), (normal(3, 2),), "-2"),
]
