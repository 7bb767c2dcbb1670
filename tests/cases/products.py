"""Cases of the products."""

import numpy as np

from autograd import ops
from tests.cases import Case, normal


def two(x_shape, y_shape, is_complex=False):
    """Return two different operands."""
    x, y = normal(*x_shape, seed=1), normal(*y_shape, seed=2)
    return (x + 1j * normal(*x_shape, seed=3), y + 1j * normal(*y_shape, seed=4)) if is_complex else (x, y)


def label(*shapes):
    return " ".join(str(shape).replace(" ", "") for shape in shapes)


MATMUL = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 6, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (1, 3, 4)),
    ((5, 1, 2, 3), (1, 6, 3, 4)),
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((5, 2, 0), (0, 4)),
    ((5, 2, 3), (3, 0)),
    ((5, 2, 0), (0,)),
    ((0,), (0,)),
    ((1, 1), (1, 1)),
]
DOT = [((), (2, 3)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((3,), (2, 3, 4))]
DOT += [((2, 3), (5, 3, 4)), ((5, 2, 3), (6, 3, 4)), ((), ()), ((5, 2, 3), (3,))]
INNER = [
    ((), (2, 3)),
    ((2, 3), ()),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (4, 3)),
    ((2, 3), (4, 3)),
    ((5, 2, 3), (4, 3)),
]
EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba,cb", (2, 3), (4, 2)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("i,j,k->kij", (2,), (3,), (4,)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (1, 6, 3, 4)),
    ("...ij,jk", (5, 2, 3), (3, 4)),
    ("i...j,j->...i", (2, 5, 3), (3,)),
    ("i...,i...", (2, 5), (2, 1)),
    ("i...,...", (2, 5, 3), (3,)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iii->i", (3, 3, 3)),
    ("iji,j->ij", (2, 3, 2), (3,)),
    ("iijj->ij", (2, 2, 3, 3)),
    ("ii,i->", (3, 3), (3,)),
    ("ii,jj->j", (2, 2), (3, 3)),
    ("ij->", (2, 3)),
    ("ij->i", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ij,k->k", (2, 3), (4,)),
    ("ij,kl->", (2, 3), (4, 5)),
    ("ij,ij->i", (2, 3), (2, 1)),
    (",i->i", (), (3,)),
    ("->", ()),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("ab,bc,cd,de->ae", (2, 3), (3, 4), (4, 2), (2, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)),
]
TENSORDOT = [
    ((2, 3, 4), (3, 4, 5), 2),
    ((2, 3), (3, 4), 1),
    ((2,), (3,), 0),
    ((2, 3, 4), (4, 2, 5), ((0, 2), (1, 0))),
    ((2, 3, 4), (4, 2, 5), ([-1, 0], [0, 1])),
    ((2, 3), (5, 3), (1, 1)),
    ((2, 3), (2, 3), 2),
    ((4, 2, 3), (3, 5, 2, 6), ((2, 1), (0, 2))),
]

CASES = [
    *(Case("matmul", ops.matmul, two(x, y), label(x, y)) for x, y in MATMUL),
    *(Case("matmul", ops.matmul, two(x, y, True), f"complex {label(x, y)}") for x, y in MATMUL[:5]),
    *(Case("dot", ops.dot, two(x, y), label(x, y)) for x, y in DOT),
    Case("dot", ops.dot, two((2, 3), (5, 3, 4), True), "complex"),
    *(Case("inner", ops.inner, two(x, y), label(x, y)) for x, y in INNER),
    Case("inner", ops.inner, two((2, 3), (4, 3), True), "complex"),
    Case("vdot", ops.vdot, two((2, 3), (3, 2))),
    Case("vdot", ops.vdot, two((3,), (3,), True), "complex"),
    Case("vdot", ops.vdot, two((), ()), "0-d"),
    Case("vecdot", lambda x, y: np.linalg.vecdot(x, y), two((5, 1, 3), (2, 3))),
    Case("vecdot", lambda x, y: ops.COMPOSED["vecdot"](x, y, axis=-2), two((3, 2), (3, 2), True), "complex, axis"),
    Case("matvec", lambda x, y: ops.COMPOSED["matvec"](x, y), two((5, 2, 3), (3,))),
    Case("vecmat", lambda x, y: ops.COMPOSED["vecmat"](x, y), two((2,), (5, 2, 3), True), "complex"),
    Case("outer", ops.outer, two((2,), (3,))),
    Case("outer", ops.outer, two((2, 2), (3, 1), True), "flattened, complex"),
    Case("outer", ops.outer, two((), (3,)), "0-d"),
    *(
        Case("tensordot", lambda x, y, axes=axes: ops.tensordot(x, y, axes), two(x, y), f"{label(x, y)} {axes}")
        for x, y, axes in TENSORDOT
    ),
    Case("tensordot", lambda x, y: ops.tensordot(x, y, 1), two((2, 3), (3, 4), True), "complex"),
    Case("cross", ops.cross, two((3,), (3,))),
    Case("cross", ops.cross, two((5, 1, 3), (2, 3)), "batches"),
    Case("cross", lambda x, y: ops.cross(x, y, axis=0), two((3, 2), (3, 2)), "axis"),
    Case("cross", lambda x, y: ops.cross(x, y, 0, 1, 0), two((3, 2), (2, 3)), "axes"),
    Case("cross", lambda x, y: ops.cross(x, y, 0, 1, 1), two((3,), (2, 3)), "axes from the front, broadcast"),
    Case("cross", ops.cross, two((2, 3), (3,), True), "complex"),
    *(
        Case(
            "einsum",
            lambda *xs, s=s: ops.einsum(s, *xs),
            tuple(normal(*d, seed=i) for i, d in enumerate(shapes)),
            f"{s} {label(*shapes)}",
        )
        for s, *shapes in EINSUM
    ),
    Case("einsum", lambda x: ops.einsum("ij,jk->ik", x, x), (normal(3, 3),), "one tensor twice"),
    Case("einsum", lambda x, y: ops.einsum("ij,kj->ik", x, y), two((2, 3), (4, 3), True), "complex"),
    Case("einsum", lambda x, y: ops.einsum("ij,jk,kl->il", x, y, x, optimize=True), two((2, 3), (3, 2)), "optimized"),
    Case("kron", lambda x, y: np.kron(x, y), two((2, 3), (3, 2))),
    Case("kron", lambda x, y: np.kron(x, y), two((2,), (3, 2, 2)), "of other dimensions"),
    Case("multi_dot", lambda x, y, z: np.linalg.multi_dot([x, y, z]), (normal(2, 5), normal(5, 1), normal(1, 3))),
    Case("multi_dot", lambda x, y: np.linalg.multi_dot([x, y, x]), (normal(3), normal(3, 3)), "vectors"),
]
