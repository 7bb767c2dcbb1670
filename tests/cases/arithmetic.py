"""Arithmetic of two numbers: broadcast both ways, 0-d and empty operands, constants on either side.

Constant arrays are float32 or small integers, so that float32 operands give float32 results: all but
those of `float_power`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from tests.cases import Case, distinct, normal, positive

SMOOTH = ("add", "subtract", "multiply", "divide", "hypot", "arctan2", "logaddexp", "logaddexp2")
KINKED = ("maximum", "minimum", "fmax", "fmin")
THREE = np.array([2.0, 3.0, 0.5], np.float32)
SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((), ()),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((1, 3), (2, 1, 1)),
    ((0, 3), (3,)),
    ((2, 1), (2, 0)),
)


def away_from_zero(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers of either sign between 0.5 and 2 in size."""
    return positive(*shape, seed=seed) * np.where(normal(*shape, seed=seed + 7) < 0, -1.0, 1.0)


def complex_normal(*shape: int, seed: int = 0) -> np.ndarray:
    return away_from_zero(*shape, seed=seed) + 1j * away_from_zero(*shape, seed=seed + 3)


def pair(name: str, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Operands at which the operation is smooth."""
    if name in ("power", "float_power"):
        return positive(*x_shape), normal(*y_shape, seed=1)
    if name in ("remainder", "fmod"):  # quotients near 2.5 and -2.5, far from the jumps at whole numbers
        return 2.5 + 0.1 * distinct(*x_shape), away_from_zero(*y_shape, seed=1) * 0.05 + 1.0
    if name in KINKED:  # multiples of 0.1, and those and a half: no ties
        return distinct(*x_shape) + 0.03, distinct(*y_shape)[::-1] if y_shape else np.array(0.5)
    return away_from_zero(*x_shape), away_from_zero(*y_shape, seed=1)  # for copysign too


TWO = (*SMOOTH, *KINKED, "copysign", "remainder", "fmod", "power", "float_power")
CASES = [
    *(
        Case(
            name, getattr(ops, name), pair(name, *shapes), f"{shapes[0]} and {shapes[1]}", single=name != "float_power"
        )
        for name in TWO
        for shapes in SHAPES
    ),
    *(
        Case(name, getattr(ops, name), (complex_normal(2, 3), complex_normal(3, seed=1)), "complex")
        for name in ("add", "subtract", "multiply", "divide", "power")
    ),
    *(
        Case(name, getattr(ops, name), (positive(2, 3), complex_normal(3, seed=1)), "real and complex")
        for name in ("add", "subtract", "multiply", "divide", "power")
    ),
    Case("power", ops.power, (complex_normal(2, 3), positive(3)), "complex and real"),
    Case("power", ops.power, (-positive(3), complex_normal(3)), "a negative number to complex powers"),
    *(Case("add", lambda x, c=c: x + c, (normal(3),), f"x + {c!r}") for c in (2, 2.0, np.float32(2), THREE)),
    *(Case("subtract", lambda x, c=c: c - x, (normal(3),), f"{c!r} - x") for c in (2, THREE)),
    *(Case("multiply", lambda x, c=c: x * c, (normal(3),), f"x * {c!r}") for c in (2, THREE)),
    Case("multiply", lambda x: x * x, (normal(3),), "x * x"),
    Case("divide", lambda x: 2 / x, (positive(3),), "2 / x"),
    Case("divide", lambda x: x / 3, (positive(3),), "x / 3"),
    *(Case("power", lambda x, n=n: x**n, (away_from_zero(5),), f"x ** {n!r}") for n in (-2, -1, 0, 1, 2, 3, 4, 5, 3.0)),
    *(Case("power", lambda x, n=n: x**n, (positive(5),), f"x ** {n!r}") for n in (0.5, -1.5, 0.0)),
    Case("power", lambda x: x**3, (np.array(-1.5),), "0-d x ** 3"),
    Case(
        "power", lambda x: x ** np.array([2, 3, 1], np.int8), (away_from_zero(2, 3),), "whole exponents, negative bases"
    ),
    Case("power", ops.power, (positive(4), np.array([0.0, 1.0, 2.0, -1.0])), "x ** [0, 1, 2, -1]"),
    *(Case("power", lambda x, b=b: b**x, (normal(2, 3),), f"{b!r} ** x") for b in (2, 0.5, THREE)),
    Case("float_power", lambda x: ops.float_power(x, 3), (away_from_zero(5),), "x ** 3", single=False),
    Case("remainder", lambda x: x % 1.0, (0.3 + 0.04 * distinct(5),), "x % 1"),
    Case("remainder", lambda x: 5.3 % x, (positive(5) * 0.1 + 1.9,), "5.3 % x"),
    Case("remainder", ops.remainder, (np.array([-2.5, 2.5]), np.array([1.0, -1.0])), "signs"),
    Case("fmod", ops.fmod, (np.array([-2.5, 2.5, -2.5]), np.array([1.0, -1.0, -1.1])), "signs"),
    *(
        Case(f.__name__, lambda x, f=f: f(x, 0.0), (away_from_zero(5),), "with a number")
        for f in (ops.maximum, ops.minimum, ops.fmax, ops.fmin)
    ),
    *(
        Case(name, getattr(ops, name), (distinct(80, 70) + 0.03, distinct(70)), "large")
        for name in ("maximum", "minimum", "fmax", "fmin")
    ),
    Case("copysign", lambda x: ops.copysign(x, -1.0), (away_from_zero(5),), "with a number"),
    Case("negative", ops.negative, (normal(2, 3),)),
    Case("negative", ops.negative, (np.array(1.5),), "0-d"),
    Case("positive", ops.positive, (normal(2, 3),)),
    *(
        Case("where", lambda x, y, c=c: ops.where(c, x, y), (normal(*x_shape), normal(*y_shape, seed=1)), label)
        for label, c, x_shape, y_shape in (
            ("of one shape", normal(2, 3) > 0, (2, 3), (2, 3)),
            ("broadcast", normal(2, 1) > 0, (3,), (2, 1, 3)),
            ("condition larger", normal(4, 2, 3) > 0, (2, 1), ()),
            ("one condition", True, (2, 3), (3,)),
            ("numbers as condition", np.array([0, 2, -1]), (3,), (3,)),
            ("0-d", np.array(False), (), ()),
            ("empty", np.zeros((0, 3), bool), (3,), ()),
            ("large", normal(80, 70) > 0, (80, 70), (70,)),
        )
    ),
    Case("where", lambda x: ops.where(normal(3) > 0, x, 2), (normal(3),), "with a number"),
    Case("where", lambda x: ops.where(normal(3) > 0, 2, x), (normal(3),), "a number with"),
    Case("where", lambda x, y: ops.where(normal(3) > 0, x, y), (complex_normal(3), normal(3)), "complex and real"),
    *(
        Case("clip", lambda x, low=low, high=high: ops.clip(x, low, high), (distinct(3, 4) + 0.03,), f"{low}, {high}")
        for low, high in (
            (-0.2, 0.3),
            (None, 0.1),
            (-0.1, None),
            (None, None),
            (0.2, -0.2),
            (np.full(4, -0.25, np.float32), 0.3),
        )
    ),
    Case("clip", lambda x: ops.clip(x, min=-0.2, max=0.3), (np.array(0.1),), "0-d"),
    Case("clip", ops.clip, (distinct(3, 4) + 0.03, np.array(-0.2), np.full((3, 1), 0.3)), "bounds with gradients"),
    Case(
        "clip", ops.clip, (distinct(3, 4) + 0.03, np.array([-0.2, 0.5, 0.4, -5.0]), np.array(0.3)), "bounds that cross"
    ),
    Case("clip", lambda x, low: ops.clip(x, low), (distinct(3, 4) + 0.03, np.zeros(4)), "a lower bound"),
    Case("clip", lambda x, high: ops.clip(x, max=high), (distinct(3, 4) + 0.03, np.zeros((3, 1))), "an upper bound"),
    Case(
        "clip",
        lambda low, high: ops.clip(np.float32(normal(3, 4)), low, high),
        (np.array(-0.5), np.full(4, 0.5)),
        "fixed numbers",
    ),
    Case("clip", ops.clip, (distinct(80, 70) + 0.03, np.full(70, -100.0), np.array(100.0)), "large"),
]
