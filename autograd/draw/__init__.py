"""The graph as SVG: circuits, networks and the backward pass in steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd.draw.drawing import Drawing
    from autograd.draw.steps import Step
    from autograd.tensor import Tensor

__all__ = ["Drawing", "Step", "draw"]


def __getattr__(name: str) -> Any:
    """Import the classes when they are asked for: `import autograd` stays quick."""
    if name == "Drawing":
        from autograd.draw.drawing import Drawing

        return Drawing
    if name == "Step":
        from autograd.draw.steps import Step

        return Step
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def draw(
    *tensors: Tensor,
    names: Mapping[str, Any] | None = None,
    steps: bool = False,
    collapse: str | None = None,
    depth: int | None = None,
) -> Drawing:
    """Draw the graph that made `tensors`.

    Scalars, and tensors of up to six numbers made inside `with autograd.record():`, are drawn as a circuit: the value
    above each wire, its gradient below (once `backward` ran), the role of each gate on it. Larger tensors are drawn as
    a network with shapes, and norms where recorded. Drawing computes no gradient and changes nothing.

    Parameters
    ----------
    tensors : what was computed; everything it depends on is drawn.
    names : where to find names for tensors that have none of their own, `names=locals()` say. Parameters are called by
        their paths in the module that was called, after the name of that if there are several.
    steps : show the backward pass in the order in which it went. Call `backward` first.
    collapse : "module" draws modules as boxes, repeats folded; "repeats" folds any repeated run of operations; "none"
        draws every node. Left out, a graph of more than 300 nodes, or of more than 60 in a row, is collapsed, and
        the picture says so.
    depth : draw modules open down to this depth of nesting and closed below; 0 is a single box.

    Raises
    ------
    TypeError : not tensors. ValueError : too large to draw uncollapsed; steps without a backward pass.

    Examples
    --------
    >>> import autograd
    >>> x, y = autograd.Tensor(-2.0, requires_grad=True), autograd.Tensor(5.0, requires_grad=True)
    >>> f = (x + y) * x
    >>> f.backward()
    >>> autograd.draw(f, names=locals())
    <Drawing: circuit of 2 operations on 2 leaves>
    """
    from autograd.draw import build

    return build.drawing(tensors, names, steps, collapse, depth)
