"""Marks in the graph that say which module made what, so that a picture can draw a module as one box.

A module's call takes the time before it computes and leaves a mark on its results after:

    first = scope.enter()
    result = self.forward(x)
    scope.leave(first, result, path, type(self).__name__, parameter_count)

The nodes of that call are those made since `first` that its results depend on. Nothing is kept but
what stands in the mark: no module and no tensor lives longer for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import ref

from autograd.graph import clock
from autograd.tensor import Tensor
from autograd.tree import leaves

__all__ = ["Scope", "enter", "leave"]


class Scope(NamedTuple):
    """The mark of one call of a module on a node that it returned."""

    path: str  # where in the model it is, "layers.0" say; may be empty
    kind: str  # its class
    first: int  # when the call began
    parameters: int | None  # how many numbers it learns, with all its parts; None for a picture to count those it sees
    module: ref[Any] | None  # the module, where its parameters are to be called by their paths in it


def enter() -> int:
    """Return the time, for `leave`."""
    return next(clock)


def leave(first: int, result: Any, path: str, kind: str, parameters: int | None = None, module: Any = None) -> None:
    """Mark every tensor in `result` (a tensor, or tuples, lists and dicts of them) that was computed since `first`.

    Pictures call what `module.named_parameters()` yields by the names there, as long as the module is alive.

    >>> import autograd
    >>> from autograd import scope
    >>> x = autograd.Tensor([1.0, 2.0], requires_grad=True)
    >>> first = scope.enter()
    >>> y = x * 2
    >>> scope.leave(first, y, "double", "Double")
    """
    mark = None
    for found in (result,) if isinstance(result, Tensor) else leaves(result):
        node = found._node if isinstance(found, Tensor) else None
        if node is not None and node.seq > first:
            mark = mark or Scope(path, kind, first, parameters, None if module is None else ref(module))
            found._notes().scopes += (mark,)
