"""Formulas such as `(x + y) * z`, typed by a user: checked against a list of what is allowed, never run as Python."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from autograd import ops
from autograd.tensor import Tensor

OPERATORS: Final[dict[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
ALIASES: Final = {
    "abs": "absolute",
    "max": "maximum",
    "min": "minimum",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
}
ONE: Final = (
    *("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "cbrt", "square", "reciprocal", "abs", "absolute"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "asin", "acos", "atan"),
    *("sigmoid", "relu", "softplus", "gelu", "silu", "erf"),
)
TWO: Final = ("maximum", "minimum", "max", "min", "logaddexp", "hypot", "arctan2")
CONSTANTS: Final = {"pi": math.pi, "e": math.e}
LONGEST: Final = 10_000  # characters


def functions() -> dict[str, tuple[Callable[..., Any], int]]:
    """Return every function that a formula may call, with the number of its arguments."""
    table = {**dict.fromkeys(ONE, 1), **dict.fromkeys(TWO, 2)}
    return {name: (ops.TABLE[ALIASES.get(name, name)], count) for name, count in table.items()}


class ExpressionError(ValueError):
    """A formula that is not understood or not allowed; the message points at the place."""

    def __init__(self, message: str, source: str, at: int, length: int = 1) -> None:
        start = max(0, at - 50)
        shown = "".join(c if c.isprintable() else "?" for c in source[start : at + 50])
        super().__init__(
            f"{message}\n    {shown}\n    {' ' * (at - start)}{'^' * max(1, min(length, len(shown) - (at - start)))}"
        )
        self.at = at


class Expression:
    """A formula that was found to hold nothing but numbers, names, arithmetic and known functions.

    >>> f = Expression("(x + y) * z")
    >>> f.names
    ['x', 'y', 'z']
    >>> f({"x": -2.0, "y": 5.0, "z": -4.0})
    -12.0
    """

    def __init__(self, source: str) -> None:
        self.source = source = source.strip()
        self.functions = functions()
        if len(source) > LONGEST:
            raise ExpressionError(f"a formula of {len(source):,} characters; at most {LONGEST:,}", source, 0)
        try:
            tree = ast.parse(source.replace("\n", " "), mode="eval")
        except SyntaxError as error:
            # `len(source)`: the formula ends too early.
            at = error.offset - 1 if error.offset and error.lineno == 1 else len(source)
            raise ExpressionError(f"not a formula: {error.msg}", source, min(at, len(source))) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("nested too deeply", source, 0) from None
        except ValueError as error:
            raise ExpressionError(f"not a formula: {error}", source, 0) from None
        self.order = self.check(tree.body)
        self.names = list(dict.fromkeys(node.id for node in self.order if isinstance(node, ast.Name)))

    def check(self, body: ast.expr) -> list[ast.expr]:
        """Return the parts, operands first and from left to right; raise at one that is not allowed."""
        backwards: list[ast.expr] = []
        stack = [body]
        while stack:
            node = stack.pop()
            backwards.append(node)
            stack += self.operands(node)
        return backwards[::-1]

    def operands(self, node: ast.expr) -> list[ast.expr]:
        """Return the operands of one part, or raise if it is not allowed."""
        match node:
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return [left, right]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return [operand]
            case ast.Constant(value=bool()):
                raise self.refusal(node, f"{ast.unparse(node)} is no number")
            case ast.Constant(value=int() | float() as value):
                try:
                    float(value)
                except OverflowError:
                    raise self.refusal(node, "a number beyond what a float holds") from None
                return []
            case ast.Name():
                return []
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                if name not in self.functions:
                    raise self.refusal(
                        node.func, f"unknown function {name!r}; known are {', '.join(sorted(self.functions))}"
                    )
                count = self.functions[name][1]
                if keywords or len(args) != count or any(isinstance(a, ast.Starred) for a in args):
                    raise self.refusal(node, f"{name} takes {count} argument{'s' * (count > 1)}")
                return args
        words = {
            ast.Attribute: "attributes are",
            ast.Call: "calling anything but a named function is",
            ast.Subscript: "indexing is",
            ast.Constant: "text and complex numbers are",
            ast.Compare: "comparisons are",
            ast.Lambda: "lambda is",
        }
        what = words.get(type(node), f"{type(node).__name__} is")
        if isinstance(node, (ast.BinOp, ast.UnaryOp)):
            what = "write ** for a power: this operator is" if type(node.op) is ast.BitXor else "this operator is"
        raise self.refusal(node, f"{what} not allowed in a formula: only + - * / **, numbers, names and functions")

    def refusal(self, node: ast.expr, message: str) -> ExpressionError:
        """Return the error that points at `node`."""
        prefix = self.source.encode()[: node.col_offset].decode(errors="ignore")
        length = (node.end_col_offset or node.col_offset + 1) - node.col_offset
        return ExpressionError(message, self.source, len(prefix), length)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Return its value: a Tensor where `values` holds Tensors."""
        stack: list[Any] = []
        for node in self.order:
            match node:
                case ast.Constant(value=int() | float() as value):
                    stack.append(np.float64(float(value)))
                case ast.Name(id=name):
                    if name not in values and name not in CONSTANTS:
                        raise self.refusal(node, f"{name!r} has no value: add {name}=... to the command")
                    stack.append(values[name] if name in values else np.float64(CONSTANTS[name]))
                case ast.UnaryOp(op=op):
                    operand = stack.pop()
                    stack.append(OPERATORS[type(op)](operand))
                case ast.BinOp(op=op):
                    right, left = stack.pop(), stack.pop()
                    stack.append(OPERATORS[type(op)](left, right))
                case ast.Call(func=ast.Name(id=name), args=args):
                    operands = [stack.pop() for _ in args]
                    stack.append(self.functions[name][0](*operands[::-1]))
        result = stack.pop()
        return result if isinstance(result, Tensor) else float(result)
