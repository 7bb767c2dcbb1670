"""Cases of convolution, correlation and interpolation of vectors."""

import numpy as np

from autograd import ops
from tests.cases import Case, normal


def complex_normal(n, seed=0):
    return normal(n, seed=seed) + 1j * normal(n, seed=seed + 5)


LENGTHS = ((5, 3), (3, 5), (6, 4), (4, 6), (4, 4), (1, 4), (4, 1))
KNOTS = np.array([-1.0, 0.0, 0.5, 2.0], np.float32)  # it takes part in the dtype of the gradients
POINTS = np.array([[-0.7, 0.3, 1.9], [0.1, -2.0, 3.0]])

CASES = [
    *(
        Case(
            name,
            lambda x, y, name=name, mode=mode: getattr(np, name)(x, y, mode),
            (normal(m), normal(n, seed=1)),
            f"{mode} {m} {n}",
        )
        for name in ("convolve", "correlate")
        for mode in ("full", "same", "valid")
        for m, n in LENGTHS
    ),
    Case("convolve", ops.convolve, (complex_normal(4), complex_normal(3, 1)), "complex"),
    Case("correlate", np.correlate, (complex_normal(4), complex_normal(3, 1)), "complex"),
    Case("interp", lambda x, fp: ops.interp(x, KNOTS, fp), (POINTS, normal(4))),
    Case("interp", lambda x, fp: ops.interp(x, KNOTS, fp, -5.0, 7.0), (POINTS, normal(4)), "left and right"),
    Case("interp", lambda x, fp: ops.interp(x, KNOTS, fp), (normal() * 0.1 + 0.2, normal(4)), "0-d"),
    Case("interp", lambda x, fp: ops.interp(x, KNOTS[:1], fp), (POINTS, normal(1)), "one knot"),
    Case("interp", lambda x, fp: ops.interp(x, KNOTS, fp), (POINTS, complex_normal(4)), "complex"),
]
