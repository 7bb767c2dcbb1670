"""The command line: `python -m autograd "(x + y) * z" x=-2 y=5 z=-4 --svg circuit.svg`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from autograd.draw import draw
from autograd.expression import CONSTANTS, Expression, ExpressionError
from autograd.tensor import Tensor


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m autograd",
        description="Compute a formula and the gradient of every name in it.",
        epilog='example: python -m autograd "(x + y) * z" x=-2 y=5 z=-4 --svg circuit.svg --steps',
    )
    found.add_argument("formula", help="numbers, names, + - * / ** and functions such as exp, tanh, max")
    found.add_argument("values", nargs="*", metavar="name=number", help="the value of each name")
    found.add_argument("--svg", metavar="FILE", help="draw the circuit; the suffix may also be .dot, .png or .pdf")
    found.add_argument(
        "--steps", action="store_true", help="let the picture play the backward pass, and print its steps"
    )
    return found


def given(values: Sequence[str]) -> dict[str, Tensor]:
    """Return the tensors that `x=-2` and the like stand for."""
    found: dict[str, Tensor] = {}
    for text in values:
        name, equals, number = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise ValueError(f"{text!r} gives no value: write name=number, as in x=-2")
        if name in found:
            raise ValueError(f"{name} is given twice")
        try:
            found[name] = Tensor(float(number), requires_grad=True, name=name)
        except ValueError:
            raise ValueError(f"{text!r}: {number!r} is no number") from None
    return found


def table(result: Tensor, leaves: dict[str, Tensor]) -> str:
    """Return value and gradient of everything named, in columns."""
    rows = [("", "value", "gradient"), ("result", f"{result.item():.10g}", "1")]
    for name, leaf in leaves.items():
        rows.append((name, f"{leaf.item():.10g}", f"{0.0 if leaf.grad is None else leaf.grad.item():.10g}"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


def run(arguments: Sequence[str]) -> None:
    # A formula may start with a minus, which an option does too; a blank before it makes the difference.
    options = ("-h", "--help", "--steps")
    argv = [f" {a}" if a.startswith("-") and a not in options and not a.startswith("--svg") else a for a in arguments]
    chosen = parser().parse_intermixed_args(argv)
    source = chosen.formula.strip()
    if chosen.steps and not chosen.svg:
        raise ValueError("--steps goes with --svg FILE")
    expression = Expression(source)
    leaves = given(chosen.values)
    for name in leaves:
        if name not in expression.names:
            raise ValueError(f"{name} is not in the formula, whose names are {', '.join(expression.names) or 'none'}")
    with np.errstate(all="ignore"):
        result = expression(leaves)
        if not isinstance(result, Tensor):
            raise ValueError(f"{source} = {result:.10g}: nothing in it has a gradient; give a name a value, as in x=-2")
        result.backward()
    known = [name for name in expression.names if name in leaves or name not in CONSTANTS]
    print(table(result, {name: leaves[name] for name in known}))
    if chosen.svg:
        drawing = draw(result, steps=chosen.steps)
        for frame in drawing.frames:
            print(frame.step)
        print(f"wrote {drawing.save(chosen.svg)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        run(sys.argv[1:] if arguments is None else arguments)
    except (ValueError, RuntimeError, OSError) as error:
        kind = "formula: " if isinstance(error, ExpressionError) else ""
        print(f"python -m autograd: {kind}{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
