"""Running sums and products, differences and areas."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from tests.cases import Case, normal, positive


def case(name: str, x: np.ndarray, label: str, **options: Any) -> Case:
    function = getattr(ops, name)
    return Case(name, lambda x: function(x, **options), (x,), label)


def single(*shape: int) -> np.ndarray:
    """Return numbers of single precision, which leave the dtype of what they are joined to alone."""
    return normal(*shape, seed=1).astype(np.float32)


CASES = [
    *(
        case(name, normal(2, 3, 4), f"axis={axis}", axis=axis)
        for name in ("cumsum", "cumprod")
        for axis in (None, 0, 1, -1, -2)
    ),
    *(case(name, normal(4, 3).T, "transposed", axis=0) for name in ("cumsum", "cumprod")),
    *(case(name, np.array(1.3), "0-d") for name in ("cumsum", "cumprod")),
    *(case(name, normal(1, 3), "size-1 axis", axis=0) for name in ("cumsum", "cumprod")),
    *(case(name, normal(2, 0), "empty", axis=1) for name in ("cumsum", "cumprod")),
    *(case(name, normal(3) + 1j * normal(3, seed=1), "complex") for name in ("cumsum", "cumprod", "diff")),
    case("cumprod", np.array([2.0, 0.0, 3.0, 0.0, 5.0]), "two zeros"),
    case("cumprod", np.array([0.0, 2.0, 3.0]), "a zero at the start"),
    case("cumprod", np.array([[2.0, 0.0], [3.0, 1.0], [0.0, 0.0]]), "zeros in lanes", axis=0),
    *(
        case("diff", normal(3, 4), f"n={n} axis={axis}", n=n, axis=axis)
        for n in (0, 1, 2, 3)
        for axis in (0, 1, -1, -2)
    ),
    case("diff", normal(4, 3, 2), "inner axis", axis=1),
    case("diff", normal(3), "more differences than elements", n=4),
    case("diff", normal(2, 3), "ends given", n=2, prepend=0.0, append=single(2, 2)),
    case("diff", normal(2, 3), "prepended along axis 0", axis=0, prepend=single(2, 3)),
    case("diff", normal(1), "between ends", n=3, prepend=single(2), append=1.0),
    *(
        Case(
            "trapezoid", lambda y, axis=axis: ops.trapezoid(y, dx=0.5, axis=axis), (normal(2, 3, 4),), f"dx axis={axis}"
        )
        for axis in (0, 1, 2, -1, -3)
    ),
    Case("trapezoid", lambda y: ops.trapezoid(y), (normal(5),), "1-d"),
    Case("trapezoid", lambda y: ops.trapezoid(y), (normal(1),), "one point"),
    *(
        Case(
            "trapezoid",
            lambda y, x, axis=axis: ops.trapezoid(y, x, axis=axis),
            (normal(2, 3, 4), x),
            f"x {x.shape} {axis}",
        )
        for axis, x in (
            (-1, positive(4)),
            (0, positive(2)),
            (1, positive(3)),
            (0, positive(2, 3, 4)),
            (-2, positive(2, 3, 4)),
            (2, positive(2, 3, 4)),
        )
    ),
]
