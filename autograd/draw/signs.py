"""How operations are drawn: the sign on the gate and the role that the gate plays for gradients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from autograd.draw.text import constant_text

SIGNS: Final = {
    "add": "+",
    "subtract": "−",
    "multiply": "×",
    "divide": "÷",
    "true_divide": "÷",
    "power": "xʸ",
    "negative": "×−1",
    "maximum": "max",
    "minimum": "min",
    "sigmoid": "σ",
    "relu": "ReLU",
    "sqrt": "√",
    "square": "x²",
    "reciprocal": "1/x",
    "absolute": "|x|",
    "matmul": "@",
    "log1p": "log(1+x)",
    "expm1": "exp x − 1",
    "conjugate": "conj",
}
DISTRIBUTES: Final = "distributes"
ROUTES: Final = "routes"
SWITCHES: Final = "switches"
ROLES: Final = {
    "add": DISTRIBUTES,
    **dict.fromkeys(("sum", "concatenate", "stack"), DISTRIBUTES),
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin", "max", "min", "amax", "amin"), ROUTES),
    **dict.fromkeys(("where", "relu", "clip", "getitem", "take", "sort", "median"), ROUTES),
    **dict.fromkeys(("multiply", "matmul", "dot", "inner", "vdot"), SWITCHES),
}
COLLECTS: Final = frozenset(("sum", "max", "min", "amax", "amin", "relu", "clip", "where", "concatenate", "stack"))
COMMUTES: Final = frozenset(("add", "multiply", "maximum", "minimum", "fmax", "fmin"))
SUPERSCRIPTS: Final = str.maketrans("0123456789−.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def sign(name: str) -> str:
    """Return what stands on the gate of the operation `name`."""
    return SIGNS.get(name, name)


def role(name: str, wires: int) -> str | None:
    """Return the role of a gate with so many wires coming in; None if its local derivative says more."""
    found = ROLES.get(name)
    return found if wires > 1 or found == ROUTES or name in COLLECTS else None


def sign_with_constant(name: str, constant: Any, first: bool) -> str:
    """Return the sign of a gate of two operands with the one that is a constant written on it, as in `+1` or `1/x`."""
    c = constant_text(constant)
    bracketed = f"({c})" if c.startswith("−") else c
    match name, first:
        case "add", _:
            return f"+{c}" if not c.startswith("−") else c
        case "subtract", False:
            return f"−{bracketed}"
        case "subtract", True:
            return f"{c} − x"
        case "multiply", _:
            return f"×{c}"
        case (("divide" | "true_divide"), False):
            return f"÷{c}"
        case (("divide" | "true_divide"), True):
            return f"{c}/x"
        case "power", False:
            return f"x{c.translate(SUPERSCRIPTS)}" if set(c) <= set("0123456789−") else f"x^{c}"
        case "power", True:
            return f"{bracketed}ˣ"
    return f"{sign(name)}({c}, x)" if first else f"{sign(name)}(x, {c})"


def broadcasts(op: Any) -> bool:
    """Whether the operation stretches its operands against each other, as NumPy's ufuncs do."""
    forward = op.forward
    return (
        len(op.inputs) > 1
        and (
            isinstance(forward, np.ufunc)
            or getattr(forward, "__module__", None) == "_operator"
            or op.name in ("maximum", "minimum", "logaddexp", "hypot", "where", "power")
        )
        and op.name != "matmul"
    )
