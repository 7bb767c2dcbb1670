"""Reading the graph: a walk without recursion, and a snapshot that shares nothing with it that could be changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.draw import derivatives
from autograd.graph import below
from autograd.tensor import Tensor


def reachable(roots: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return the operation nodes below `roots`, oldest first, and the leaves in the order of their first use."""
    nodes = sorted((node for node in below(roots) if node.op is not None), key=lambda node: node.seq)
    used = [parent for node in nodes for parent in node.parents if parent is not None and parent.op is None]
    return nodes, list(dict.fromkeys([*used, *(root for root in roots if root.op is None)]))


class Names:
    """What things are called: by their own name, or by that of a variable that holds them."""

    def __init__(self, given: Mapping[str, Any] | None) -> None:
        self.of_place: dict[Any, str] = {}
        self.of_tensor: dict[int, str] = {}
        self.of_module: dict[int, str] = {}
        self.data: dict[Any, Any] = {}  # of leaves that a variable holds: their arrays
        for name, tensor in (given or {}).items():
            if str(name).startswith("_"):  # IPython's, of what was last printed
                continue
            if callable(getattr(type(tensor), "named_parameters", None)):
                self.of_module.setdefault(id(tensor), str(name))
            if isinstance(tensor, Tensor):
                self.of_tensor.setdefault(id(tensor), str(name))
                if tensor._node is not None:
                    self.of_place.setdefault(tensor._node, str(name))
                    self.data.setdefault(tensor._node, tensor._array)

    def add_parameters(self, nodes: Sequence[Any]) -> None:
        """Add what modules that made some of `nodes`, oldest first, call their parameters."""
        scopes = [scope for node in nodes if node.notes is not None for scope in node.notes.scopes]
        alive = {id(module): module for scope in scopes if scope.module and (module := scope.module()) is not None}
        found = [(self.module(m), parameters) for m in alive.values() if (parameters := dict(m.named_parameters()))]
        used: dict[Any, int] = {}  # when each leaf was first read
        for node in nodes:
            used.update((parent, node.seq) for parent in node.parents if parent is not None and parent not in used)
        times = Counter(title for title, _ in found)
        seen: Counter[str] = Counter()
        for title, parameters in found:
            seen[title] += 1
            prefix = f"{title}#{seen[title]}." if times[title] > 1 else f"{title}."
            for name, parameter in parameters.items():
                leaf = parameter._leaf
                if leaf is not None:
                    self.of_place.setdefault(leaf, f"{prefix}{name}" if len(found) > 1 else name)
                    if not parameter.shape and leaf.version.changed < used.get(leaf, 0):  # as any number of a circuit
                        self.data.setdefault(leaf, parameter._array)

    def variable(self, scope: Any) -> str:
        """Return the variable that holds the module which left a mark, "" if that is not known."""
        return self.of_module.get(id(scope.module()), "") if scope.module is not None else ""

    def module(self, module: Any) -> str:
        return self.of_module.get(id(module), type(module).__name__)

    def place(self, place: Any) -> str | None:
        own = place.notes.name if place.notes is not None else None
        return own or self.of_place.get(place)

    def constant(self, kept: Any) -> str | None:
        """Return what an operand that needs no gradient is called, of which a node kept value, tensor and leaf."""
        _, reference, leaf = kept
        operand = reference() if reference is not None else None
        return self.tensor(operand) if operand is not None else self.place(leaf) if leaf is not None else None

    def tensor(self, tensor: Tensor) -> str | None:
        return tensor.name or self.of_tensor.get(id(tensor))


@dataclass(slots=True, eq=False)
class Link:
    """One operand of an operation: where it comes from and, where known, what the gate sends back to it."""

    source: Vertex
    sent: Any = None
    local: Any = None

    @property
    def wins(self) -> bool | None:
        """Whether any of the gradient goes this way; None if that is not known."""
        known = self.local if self.local is not None else self.sent
        return None if known is None else bool(np.any(known != 0))


@dataclass(slots=True, eq=False)
class Vertex:
    """One node of the graph as it stood when it was drawn."""

    kind: str  # "operation", "leaf" or "constant"
    op: str = ""
    name: str | None = None
    shape: tuple[Any, ...] = ()
    dtype: Any = None
    value: Any = None
    grad: Any = None
    links: list[Link] = field(default_factory=list)
    folded: list[tuple[int, Any]] = field(default_factory=list)  # constants that stand on the gate: position, value
    stretched: set[int] = field(default_factory=set)  # the links whose operand was broadcast
    uses: list[tuple[Vertex, Link]] = field(default_factory=list)  # who reads it, in the order of `backward`
    visit: int | None = None  # the step of `backward` that visits it
    root: bool = False
    hooked: bool = False  # a leaf whose gradient goes through hooks

    @property
    def known(self) -> int | None:
        """The step of `backward` after which its gradient is complete."""
        visits = [user.visit for user, _ in self.uses if user.visit is not None]
        return max(visits) if visits else self.visit


def snapshot(roots: Sequence[Any], tensors: Sequence[Any], names: Names) -> list[Vertex]:
    """Return a vertex for each node, leaf and visible constant below `roots`, operands before what they make."""
    nodes, leaves = reachable(roots)
    found: dict[Any, Vertex] = {}
    constants: dict[int, Vertex] = {}
    for leaf in leaves:
        found[leaf] = leaf_vertex(leaf, names)
    for tensor in tensors:  # a tensor that needs no gradient is a picture of one constant
        if tensor._node is None:
            constants[id(tensor)] = constant_vertex(tensor._array, names.tensor(tensor))
    vertices = list(found.values())
    for step, node in enumerate(reversed(nodes)):
        found[node] = vertex_of(node, names, root=node in roots)
        found[node].visit = step
    fans: dict[Any, int] = {}
    for node in nodes:
        for parent in node.parents:
            fans[parent] = fans.get(parent, 0) + 1
    for node in nodes:
        vertex = found[node]
        for i, parent in enumerate(node.parents):
            if parent is not None:
                link = Link(found[parent])
                link.local, link.sent = derivatives.through(node, i, alone=fans[parent] == 1)
                vertex.links.append(link)
                if stretched(node, parent.shape):
                    vertex.stretched.add(len(vertex.links) - 1)
                if found[parent].value is None and node.constants is not None and node.constants[i] is not None:
                    found[parent].value = derivatives.copied(node.constants[i][0])
            elif node.constants is not None and node.constants[i] is not None:
                add_constant(vertex, i, node, constants, names)
            elif node.value is None and not optional(node.op, i):
                vertex.links.append(Link(Vertex("constant")))
        vertices.append(vertex)
    for vertex in reversed(vertices):
        for link in vertex.links:
            link.source.uses.append((vertex, link))
    hidden = {id(link.source): link.source for v in vertices for link in v.links if link.source.kind == "constant"}
    return [*constants.values(), *(v for v in hidden.values() if v not in constants.values()), *vertices]


def leaf_vertex(leaf: Any, names: Names) -> Vertex:
    value = leaf.value if leaf.value is not None else derivatives.copied(names.data.get(leaf))
    grad = None if leaf.grad is None else derivatives.copied(leaf.grad._array)
    hooked = leaf.notes is not None and leaf.notes.listens()
    return Vertex("leaf", "", names.place(leaf), leaf.shape, leaf.dtype, value, grad, hooked=hooked)


def vertex_of(node: Any, names: Names, root: bool = False) -> Vertex:
    """Return the vertex of an operation, without its operands."""
    value, grad = derivatives.copied(node.value), derivatives.shown_gradient(node.grad)
    return Vertex("operation", node.op.name, names.place(node), node.shape, node.dtype, value, grad, root=root)


def alone(node: Any, names: Names, root: bool = False) -> Vertex:
    """Return the vertex of an operation without its operands, but for the numbers that stand on it."""
    vertex = vertex_of(node, names, root)
    vertex.links = [Link(Vertex("operand")) for parent in node.parents if parent is not None]
    for i, kept in enumerate(node.constants or ()):
        if kept is not None and kept[0] is not None and not np.shape(kept[0]) and names.constant(kept) is None:
            vertex.folded.append((i, kept[0]))
    return vertex


def constant_vertex(value: Any, name: str | None) -> Vertex:
    dtype = getattr(value, "dtype", np.asarray(value).dtype)
    return Vertex("constant", "", name, np.shape(value), dtype, derivatives.copied(value))


def add_constant(vertex: Vertex, position: int, node: Any, constants: dict[int, Vertex], names: Names) -> None:
    """Add an operand that needs no gradient: on the gate if it is a nameless number, else as a vertex of its own."""
    value, reference, _ = node.constants[position]
    operand = reference() if reference is not None else None
    name = names.constant(node.constants[position])
    if value is None:
        vertex.links.append(Link(Vertex("constant", "", name)))
        return
    if name is None and not np.shape(value):
        vertex.folded.append((position, value))
        return
    key = id(value if operand is None else operand)
    known = constants.get(key)
    if known is None:
        known = constants[key] = constant_vertex(value, name)
    vertex.links.append(Link(known))
    if stretched(node, np.shape(value)):
        vertex.stretched.add(len(vertex.links) - 1)


def stretched(node: Any, shape: tuple[Any, ...]) -> bool:
    from autograd.draw.signs import broadcasts

    return shape != node.shape and shape != () and broadcasts(node.op)


def optional(op: Any, position: int) -> bool:
    """Whether the operand at `position` may be left out."""
    return not op.variadic and op.names[op.positions[position]] in op.defaults
