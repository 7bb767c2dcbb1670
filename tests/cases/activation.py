"""Activation functions, away from their kinks and where they are flat."""

from __future__ import annotations

import numpy as np

from autograd import ops
from tests.cases import Case, normal, positive
from tests.cases.arithmetic import away_from_zero

NAMES = (
    *(
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "hardtanh",
        "sigmoid",
        "log_sigmoid",
        "softplus",
        "silu",
        "mish",
        "softsign",
    ),
    *("gelu", "softmax", "log_softmax"),
)
FAR = np.array([-1e4, -120.0, -25.0, 25.0, 120.0, 1e4])


def inputs_for(name: str, *shape: int) -> np.ndarray:
    """Numbers between 0.25 and 0.9, or 1.1 and 1.75, of either sign: off the kinks at 0, 1 and -1."""
    x = away_from_zero(*shape)
    return np.where(abs(x) < 1, 0.5 * x - 0.1 * np.sign(x), x + 0.2 * np.sign(x)) if name == "hardtanh" else x


CASES = [
    *(
        Case(name, getattr(ops, name), (inputs_for(name, *shape),), str(shape))
        for name in NAMES
        for shape in ((), (2, 3), (0, 3))
    ),
    *(Case(name, getattr(ops, name), (FAR,), "far from 0") for name in NAMES),
    *(Case(name, getattr(ops, name), (inputs_for(name, 80, 70),), "large") for name in ("relu", "leaky_relu", "elu")),
    *(
        Case("leaky_relu", lambda x, s=s: ops.leaky_relu(x, s), (away_from_zero(5),), f"slope {s}")
        for s in (0.0, 0.3, 1.0, 2.5, -0.5)
    ),
    *(Case("elu", lambda x, a=a: ops.elu(x, alpha=a), (away_from_zero(5),), f"alpha {a}") for a in (0.5, 2.0, -1.0)),
    *(
        Case("prelu", ops.prelu, (away_from_zero(*shape), positive(*weight, seed=1)), f"{shape} and {weight}")
        for shape, weight in (((4,), ()), ((2, 3), (3,)), ((2, 3, 2, 2), (3, 1, 1)), ((), (2,)), ((0, 3), (3,)))
    ),
    Case("prelu", lambda x: ops.prelu(x, 0.25), (away_from_zero(5),), "a fixed weight"),
    Case("prelu", lambda w: ops.prelu(np.float32(normal(5)), w), (np.array(0.25),), "fixed numbers"),
    Case("hardtanh", lambda x: ops.hardtanh(x, -0.2, 6.0), (away_from_zero(5) * 5,), "bounds"),
    *(
        Case("softplus", lambda x, b=b, t=t: ops.softplus(x, b, t), (normal(6) * 4,), f"beta={b} threshold={t}")
        for b, t in ((2.0, 20.0), (0.5, 20.0), (1.0, 1000.0))
    ),
    Case("gelu", lambda x: ops.gelu(x, approximate="tanh"), (normal(2, 3),), "tanh"),
    Case("gelu", lambda x: ops.gelu(x, "tanh"), (FAR,), "tanh, far from 0"),
    *(
        Case(f.__name__, lambda x, f=f, axis=axis: f(x, axis=axis), (3 * normal(2, 3, 4),), f"axis={axis}")
        for f in (ops.softmax, ops.log_softmax)
        for axis in (None, 0, 1, -1, -3, (0, 2), (-1, 0, 1))
    ),
    *(
        Case(f.__name__, lambda x, f=f, axis=axis: f(x, axis), (normal(0, 3),), f"empty, axis={axis}")
        for f in (ops.softmax, ops.log_softmax)
        for axis in (0, 1)
    ),
]
