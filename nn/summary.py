"""A table of what a model does to its input: shapes, parameters and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autograd import Tensor, no_grad
from nn.module import Module

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Shape = tuple[int, ...]


class Row(NamedTuple):
    """One call of a module."""

    path: str
    kind: str
    shapes: tuple[Shape, ...]  # of the tensors that it returned
    parameters: int  # with those of its parts
    cost: int  # multiply-adds, with those of its parts
    depth: int
    again: bool  # whether the module was called before, its parameters counted there


class Summary:
    """The table: `print` it. `rows`, `parameters`, `trainable` and `cost` have the numbers."""

    def __init__(self, rows: list[Row], parameters: int, trainable: int) -> None:
        self.rows = rows
        self.parameters = parameters
        self.trainable = trainable
        self.cost = rows[0].cost

    def __str__(self) -> str:
        lines = [("layer", "result", "parameters", "multiply-adds")]
        for row in self.rows:
            name = f"{row.path.rpartition('.')[2]}: {row.kind}" if row.path else row.kind
            shapes = ", ".join(map(str, row.shapes)) or "-"
            numbers = "again" if row.again and row.parameters else f"{row.parameters:,}"
            lines.append(("  " * row.depth + name, shapes, numbers, f"{row.cost:,}"))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}".rstrip() for a, b, c, d in lines
        ]
        rule = "─" * max(map(len, texts))
        fixed = f", {self.parameters - self.trainable:,} of them frozen" if self.trainable < self.parameters else ""
        end = f"{self.parameters:,} parameters{fixed}, {self.cost:,} multiply-adds"
        return "\n".join([texts[0], rule, *texts[1:], rule, end])

    __repr__ = __str__


def summary(model: Module, input_shape: Any, dtype: DTypeLike = np.float32) -> Summary:
    """Run a model once, on zeros, in evaluation mode, and return a table of its calls.

    Parameters
    ----------
    model : any module. It is left as it was.
    input_shape : the shape of its input with the batch axis, or an input itself, or a list of those of several inputs.
    dtype : of the input: integers for a model that begins with `Embedding`.

    Multiply-adds are those of matrix products and convolutions; the rest is small beside them.

    Examples
    --------
    >>> import nn
    >>> print(nn.summary(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (1, 4)))
    layer        result  parameters  multiply-adds
    ──────────────────────────────────────────────
    Sequential   (1, 2)          23             18
      0: Linear  (1, 3)          15             12
      1: ReLU    (1, 3)           0              0
      2: Linear  (1, 2)           8              6
    ──────────────────────────────────────────────
    23 parameters, 18 multiply-adds
    """
    given = input_shape if isinstance(input_shape, list) else [input_shape]
    inputs = [x if isinstance(x, (Tensor, np.ndarray)) else Tensor(np.zeros(x, dtype)) for x in given]
    rows: list[Row] = []
    open_rows: list[int] = []  # those whose call has not returned
    seen: set[int] = set()
    handles = []

    def begin(path: str, module: Module) -> None:
        parameters = sum(p.size for p in module.parameters())
        again = id(module) in seen
        seen.add(id(module))
        rows.append(Row(path, type(module).__name__, (), parameters, 0, len(open_rows), again))
        open_rows.append(len(rows) - 1)

    def end(module: Module, args: tuple[Any, ...], result: Any) -> None:
        i = open_rows.pop()
        cost = rows[i].cost + module.cost(args, result)
        rows[i] = rows[i]._replace(shapes=tuple(shapes_in(result)), cost=cost)
        if open_rows:
            above = open_rows[-1]
            rows[above] = rows[above]._replace(cost=rows[above].cost + cost)

    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        for path, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(lambda m, args, path=path: begin(path, m)))  # type: ignore[misc]
            handles.append(module.register_forward_hook(end))
        with no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    parameters = list(model.parameters())
    return Summary(rows, sum(p.size for p in parameters), sum(p.size for p in parameters if p.requires_grad))


def shapes_in(result: Any) -> list[Shape]:
    """Return the shapes of all tensors in a result."""
    if isinstance(result, Tensor):
        return [result.shape]
    if isinstance(result, dict):
        result = result.values()
    return [shape for part in result for shape in shapes_in(part)] if isinstance(result, (tuple, list)) else []
