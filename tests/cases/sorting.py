"""Sorting and order statistics, on elements that do not tie."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from tests.cases import Case, distinct, normal


def case(name: str, x: np.ndarray, label: str, **options: Any) -> Case:
    function = getattr(ops, name)
    return Case(name, lambda x: function(x, **options), (x,), label)


CASES = [
    *(case("sort", distinct(2, 3, 4), f"axis={axis}", axis=axis) for axis in (None, 0, 1, -1, -2)),
    *(case("partition", distinct(2, 3, 4), f"axis={axis}", kth=1, axis=axis) for axis in (None, 0, 1, -1, -2)),
    case("partition", distinct(9), "two places", kth=(2, -3)),
    *(case(name, distinct(4, 3).T, "transposed", axis=0) for name in ("sort", "median")),
    *(case("sort", normal(*shape), f"empty {shape}") for shape in ((0,), (2, 0), (0, 2))),
    case("partition", normal(0, 2), "empty", kth=0),
    *(
        case("median", distinct(2, 3, 4), f"axis={axis} keepdims={keepdims}", axis=axis, keepdims=keepdims)
        for axis in (None, 0, 1, -1, (0, 1), (-1, 0, 1))
        for keepdims in (False, True)
    ),
    *(case(name, np.array(1.3), "0-d", **options) for name, options in (("median", {}), ("quantile", {"q": 0.3}))),
    *(
        case("quantile", distinct(2, 3, 4), f"q={q} axis={axis} keepdims={keepdims}", q=q, axis=axis, keepdims=keepdims)
        for q in (0.0, 0.3, 1.0, [0.1, 0.9, 0.9], [[0.2], [0.6]])
        for axis, keepdims in ((None, False), (1, True), ((0, -1), False), (None, True))
    ),
    *(
        case("quantile", distinct(2, 8), f"method={method} q={q}", q=q, axis=1, method=method)
        for method in ("linear", "lower", "higher", "midpoint", "nearest")
        for q in (0.2, 0.5, 3 / 7)
    ),
    *(case("percentile", distinct(3, 4), f"axis={axis}", q=[25, 60.0], axis=axis) for axis in (None, 0, -1)),
    case("percentile", distinct(5), "method", q=37, method="higher", keepdims=True),
]
