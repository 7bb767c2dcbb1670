"""From tensors to a drawing: which kind of picture suits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from autograd.draw import cards, circuit, modules, steps, trace
from autograd.draw.drawing import Drawing
from autograd.draw.scene import Scene
from autograd.draw.text import count_text
from autograd.tensor import Tensor

COLLAPSES_ABOVE: Final = 300  # nodes
LONGEST: Final = 60  # operations in a row: 8,000 pixels of a circuit, 4,000 of a network
REFUSES_ABOVE: Final = 2000  # nodes drawn one by one: Graphviz would take minutes and nobody could read it
WAYS: Final = ("module", "repeats", "none")


def drawing(
    tensors: Sequence[Tensor],
    names: Mapping[str, Any] | None,
    with_steps: bool,
    collapse: str | None,
    depth: int | None,
) -> Drawing:
    """Return the drawing that `draw` promises."""
    check(tensors, names, with_steps, collapse, depth)
    roots = list(dict.fromkeys(tensor._node for tensor in tensors if tensor._node is not None))
    nodes, leaves = trace.reachable(roots)
    total = len(nodes) + len(leaves)
    calls = trace.Names(names)
    calls.add_parameters(nodes)
    what = f"{count_text(len(nodes), 'operation')} on {count_text(len(leaves), 'leaf', 'leaves')}"
    wanted = "module" if collapse is None and depth is not None else collapse
    why = ""  # it is collapsed by itself
    if wanted is None and total > COLLAPSES_ABOVE:
        why = f"they are more than {COLLAPSES_ABOVE}"
    elif wanted is None and not with_steps and in_a_row(nodes) > LONGEST:
        why = f"more than {LONGEST} lie in a row"
    if with_steps and (why or wanted in ("module", "repeats")):
        raise ValueError(
            f"draw(steps=True): a picture in steps shows every node, and here are {total:,}; it is meant for up to "
            f"{COLLAPSES_ABOVE}, or pass collapse='none' for up to {REFUSES_ABOVE:,}"
        )
    if wanted == "none" and total > REFUSES_ABOVE:
        raise ValueError(
            f"draw(collapse='none'): {total:,} nodes are more than the {REFUSES_ABOVE:,} that can be drawn one by one. "
            "Leave collapse out, or pass collapse='module', collapse='repeats' or depth=1"
        )
    if why or wanted in ("module", "repeats"):
        scene = collapsed(nodes, roots, calls, wanted, depth)
        scene.summary = f"{what}, collapsed to {count_text(len(scene.boxes), 'box', 'boxes')}"
        if why:
            hint = "; collapse='none' draws each" if total <= REFUSES_ABOVE else ""
            scene.note = f"{total:,} nodes, collapsed because {why}{hint}"
        return Drawing(scene, [], [])
    vertices = trace.snapshot(roots, tensors, calls)
    found = steps.steps_of(vertices) if with_steps else []
    is_circuit = circuit.suits(vertices)
    scene = circuit.scene(vertices) if is_circuit else cards.scene(vertices)
    scene.summary = f"{'circuit' if is_circuit else 'network'} of {what}"
    return Drawing(scene, found, steps.captions(found, vertices) if found else [])


def in_a_row(nodes: Sequence[Any]) -> int:
    """Return how many of the nodes, oldest first, depend on one another in the longest chain."""
    depth: dict[Any, int] = {}
    for node in nodes:
        depth[node] = 1 + max((depth.get(parent, 0) for parent in node.parents), default=0)
    return max(depth.values(), default=0)


def check(
    tensors: Sequence[Tensor],
    names: Mapping[str, Any] | None,
    with_steps: bool,
    collapse: str | None,
    depth: int | None,
) -> None:
    if not tensors:
        raise TypeError("draw needs a tensor: draw(f)")
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"draw takes tensors, not {type(tensor).__name__}; options go by name, as in draw(f, names=locals())"
            )
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(
            f"draw(names=...) takes a dict of names and tensors, locals() or dict(net.named_parameters()) say, not "
            f"{type(names).__name__}"
        )
    if collapse is not None and collapse not in WAYS:
        raise ValueError(f"draw(collapse={collapse!r}): it is one of {', '.join(map(repr, WAYS))}, or left out")
    if depth is not None and (collapse not in (None, "module") or depth < 0):
        raise ValueError("draw(depth=n): n counts levels of modules from 0, and goes with collapse='module' alone")
    if with_steps and len(tensors) > 1:
        raise ValueError("draw(steps=True) shows the backward pass from one tensor: draw each on its own")


def collapsed(nodes: list[Any], roots: list[Any], names: trace.Names, wanted: str | None, depth: int | None) -> Scene:
    """Return a picture in modules, where there are any and it gets small enough, or else in repeats."""
    whole = modules.tree(nodes, names)
    deepest = max((group.level for group in modules.everything_below(whole)), default=-1)
    if wanted != "repeats" and deepest >= 0:
        depths = [depth] if depth is not None or wanted else [None, *range(deepest, -1, -1)]
        for chosen in depths:
            whole = modules.tree(nodes, names)
            modules.close(whole, chosen)
            alias = modules.fold(whole)
            scene = modules.scene(whole, alias, roots, names)
            if len(scene.boxes) <= COLLAPSES_ABOVE:
                return scene
    whole = modules.Group(children=list(nodes))
    modules.repeated(whole)
    return modules.scene(whole, {}, roots, names)
