"""Reductions: every form of `axis` with and without `keepdims`, and the lanes that need care."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from tests.cases import Case, distinct, normal, positive

FORMS: tuple[tuple[Any, bool], ...] = (
    (None, False),
    (None, True),
    (0, False),
    (1, True),
    (-1, False),
    ((0, 2), False),
    ((-1, 0), True),
)
PIECEWISE_LINEAR = ("max", "min", "ptp", "nanmax", "nanmin")
SIMPLE = ("sum", "mean", "average", "prod", "var", "std", "logsumexp", "nansum", "nanmean", *PIECEWISE_LINEAR)


def inputs_for(name: str, *shape: int) -> np.ndarray:
    return distinct(*shape) if name in PIECEWISE_LINEAR else normal(*shape)


def case(name: str, x: np.ndarray, label: str, **options: Any) -> Case:
    function = getattr(ops, name)
    return Case(name, lambda x: function(x, **options), (x,), label)


def complex_normal(*shape: int) -> np.ndarray:
    return normal(*shape) + 1j * normal(*shape, seed=1)


CASES = [
    *(
        case(name, inputs_for(name, 2, 3, 4), f"axis={axis} keepdims={keepdims}", axis=axis, keepdims=keepdims)
        for name in SIMPLE
        for axis, keepdims in FORMS
    ),
    *(
        case(name, inputs_for(name, 1, 3), f"size-1 axis {axis}", axis=axis)
        for name in SIMPLE
        if name != "std"
        for axis in (0, 1)
    ),
    *(case(name, np.array(1.3), "0-d") for name in SIMPLE if name != "std"),
    *(case(name, np.array(1.3), "0-d, all axes", axis=()) for name in ("sum", "mean", "prod", "max", "min")),
    *(case(name, normal(0, 3), "empty", axis=1) for name in ("sum", "mean", "prod", "max", "min", "var", "logsumexp")),
    *(case(name, normal(2, 0), "nothing to reduce", axis=1) for name in ("sum", "prod")),
    *(case(name, inputs_for(name, 4, 3).T, "transposed", axis=0) for name in SIMPLE),
    *(case(name, complex_normal(2, 3), "complex", axis=1) for name in ("sum", "mean", "prod", "var", "std", "average")),
    *(case(name, normal(5), "ddof", ddof=1) for name in ("var", "std")),
    case("var", normal(2, 5), "fractional ddof", axis=1, ddof=1.5),
    case("prod", np.array([[0.0, 2.0, 3.0], [0.0, 4.0, 0.0], [1.0, 2.0, 3.0]]), "one zero, two and none", axis=1),
    case("prod", np.array([[0.0, 2.0, 0.0], [5.0, 4.0, 0.0]]), "zeros everywhere"),
    case("prod", np.array([[[0.0, 2.0], [3.0, 0.5]], [[0.0, 0.0], [1.0, 2.0]]]), "zeros along two axes", axis=(0, 2)),
    case("logsumexp", 1e4 * normal(3) + normal(3), "large"),
    case("logsumexp", np.array([[1.0, -np.inf, 0.5]])[:, [0, 2]], "few", axis=1),
    Case("average", lambda x, w: ops.average(x, weights=w), (normal(2, 3), positive(2, 3)), "weights of every element"),
    Case("average", lambda x, w: ops.average(x, 1, w), (normal(2, 3), positive(3)), "weights of an axis"),
    Case(
        "average", lambda x, w: ops.average(x, -2, w, True), (normal(2, 3, 4), positive(3)), "weights of an inner axis"
    ),
    Case("average", lambda x, w: ops.average(x, (2, 0), w), (normal(2, 3, 4), positive(4, 2)), "weights of two axes"),
    *(
        case(
            "norm",
            normal(2, 3, 4) + 0.1,
            f"vectors ord={ord} keepdims={keepdims}",
            ord=ord,
            axis=axis,
            keepdims=keepdims,
        )
        for ord in (None, 1, 2, 3, 0.5, 2.5, -1.5, np.inf, -np.inf)
        for axis, keepdims in ((1, False), (-1, True))
    ),
    *(
        case("norm", normal(2, 3, 4), f"matrices ord={ord} axis={axis}", ord=ord, axis=axis, keepdims=keepdims)
        for ord in (None, "fro", 1, -1, np.inf, -np.inf)
        for axis, keepdims in (((0, 1), False), ((2, 0), False), ((-1, 1), True))
    ),
    *(
        case("norm", normal(2, 3, 4), f"singular values ord={ord} axis={axis}", ord=ord, axis=axis, keepdims=keepdims)
        for ord in ("nuc", 2, -2)
        for axis, keepdims in (((0, 1), False), ((2, 0), False), ((-1, 1), True))
    ),
    *(case("norm", normal(4), f"of a vector ord={ord}", ord=ord) for ord in (None, 2, 1)),
    *(case("norm", normal(3, 3), f"of a matrix ord={ord}", ord=ord) for ord in ("fro", "nuc", 2, 1)),
    case("norm", normal(2, 2, 2), "of all elements", keepdims=True),
    case("norm", np.array(-1.3), "0-d"),
    case("norm", normal(3), "count", ord=0),
    *(case("norm", complex_normal(3, 2), f"complex ord={ord}", ord=ord, axis=0) for ord in (None, 1, 2, 3, np.inf)),
    *(case("norm", complex_normal(3, 2), f"complex matrix ord={ord}", ord=ord) for ord in ("fro", "nuc", 1, 2)),
]
