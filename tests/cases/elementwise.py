"""Functions of one number, each inside its domain and away from its kinks."""

from __future__ import annotations

import numpy as np

from autograd import ops
from tests.cases import Case, normal, positive
from tests.cases.arithmetic import away_from_zero, complex_normal

ANY = (
    *(
        "square",
        "exp",
        "exp2",
        "expm1",
        "sin",
        "cos",
        "tan",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "arcsinh",
        "sinc",
        "erf",
    ),
    *("deg2rad", "radians", "rad2deg", "degrees", "real", "imag", "conjugate", "angle", "nan_to_num"),
)
NONZERO = ("cbrt", "reciprocal", "absolute", "fabs")
POSITIVE = ("sqrt", "log", "log2", "log10", "log1p")
INSIDE_ONE = ("arcsin", "arccos", "arctanh")
COMPLEX = (
    *("square", "sqrt", "reciprocal", "exp", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin"),
    *("arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("absolute", "real", "imag", "conjugate", "angle"),
)
NAMES = (*ANY, *NONZERO, *POSITIVE, *INSIDE_ONE, "arccosh")


def inputs_for(name: str, *shape: int) -> np.ndarray:
    if name in NONZERO:
        return away_from_zero(*shape)
    if name in POSITIVE:
        return positive(*shape)
    if name in INSIDE_ONE:
        return 0.4 * away_from_zero(*shape)
    return 0.7 + positive(*shape) if name == "arccosh" else normal(*shape)


CASES = [
    *(
        Case(name, getattr(ops, name), (inputs_for(name, *shape),), str(shape))
        for name in NAMES
        for shape in ((), (2, 3), (0, 2))
    ),
    *(Case(name, getattr(ops, name), (0.4 * complex_normal(2, 3),), "complex") for name in COMPLEX),
    Case("angle", lambda x: ops.angle(x, deg=True), (complex_normal(2, 3),), "degrees"),
    Case("erf", ops.erf, (np.array([-7.0, -5.9, -3.0, 0.0, 1e-9, 1.0, 4.0, 6.1]),), "small and large"),
    Case("sinc", ops.sinc, (np.array([0.0, 1e-9, -1e-5, 0.01, 0.9, 0.96, 1.0, -2.5, 7.3]),), "at and near 0"),
    Case("tanh", ops.tanh, (np.array([-30.0, 30.0]),), "flat"),
    Case("nan_to_num", lambda x: ops.nan_to_num(x, nan=1.0, posinf=2.0), (normal(3),), "options"),
]
