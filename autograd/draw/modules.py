"""Large graphs made small: modules as boxes, repeated blocks folded, long stretches taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np

from autograd.draw import cards, trace
from autograd.draw.cards import Card
from autograd.draw.repeats import cuts, runs
from autograd.draw.scene import Box, Frame, Scene, Wire
from autograd.draw.text import count_text, shape_text, shorten

PIECES: Final = 24  # into so many boxes goes what has neither modules nor repeats
SPELLED: Final = 4  # so many operations of a repeated run are named one by one
MOST_LEAVES: Final = 40
FEW_LEAVES: Final = 6
REPEATED: Final = "repeated"


@dataclass(slots=True, eq=False)
class Group:
    """Some nodes that belong together: a module's call, one repetition of a block, a stretch."""

    kind: str = ""
    path: str = ""
    last: int = 0
    parameters: int | None = None
    level: int = -1
    children: list[Any] = field(default_factory=list)  # groups, and nodes that are in none of them
    closed: bool = False
    repeats: int = 1
    members: list[Any] | None = None
    own_leaves: list[Any] | None = None

    def nodes(self) -> list[Any]:
        """Return all nodes in it, oldest first."""
        if self.members is None:
            found: list[Any] = []
            stack = self.children[::-1]
            while stack:
                child = stack.pop()
                if isinstance(child, Group):
                    stack.extend(child.children[::-1])
                else:
                    found.append(child)
            self.members = found
        return self.members

    def leaves(self) -> list[Any]:
        """Return the leaves that its nodes use."""
        if self.own_leaves is None:
            used = (p for node in self.nodes() for p in node.parents)
            self.own_leaves = list(dict.fromkeys(p for p in used if p is not None and p.op is None))
        return self.own_leaves

    @property
    def has_modules(self) -> bool:
        return any(isinstance(child, Group) for child in self.children)


def everything_below(group: Group) -> Iterator[Group]:
    """Yield the groups inside, each after the one around it."""
    stack = [group]
    while stack:
        found = stack.pop()
        stack += [child for child in reversed(found.children) if isinstance(child, Group)]
        if found is not group:
            yield found


def tree(nodes: Sequence[Any], names: trace.Names) -> Group:
    """Return the nodes, oldest first, sorted into the calls of modules that made them."""
    calls: dict[int, Any] = {}
    last: dict[int, int] = {}
    for node in nodes:
        if node.notes is not None:
            for scope in node.notes.scopes:
                calls[scope.first] = scope
                last[scope.first] = max(last.get(scope.first, 0), node.seq)
    waiting = [calls[first] for first in sorted(calls, reverse=True)]
    whole = Group(last=nodes[-1].seq if nodes else 0)
    open_groups = [whole]
    for node in nodes:
        while len(open_groups) > 1 and open_groups[-1].last < node.seq:
            open_groups.pop()
        while waiting and waiting[-1].first < node.seq:
            scope = waiting.pop()
            around = open_groups[-1]
            path = scope.path or names.variable(scope)
            group = Group(scope.kind, path, last[scope.first], scope.parameters, around.level + 1)
            if group.last >= node.seq:
                around.children.append(group)
                open_groups.append(group)
        open_groups[-1].children.append(node)
    return whole


def close(whole: Group, depth: int | None) -> None:
    """Choose which modules are drawn as one box: those without modules inside, or all from a depth on."""
    for group in everything_below(whole):
        group.closed = (not group.has_modules) if depth is None else group.level >= depth or not group.has_modules


def tokens(whole: Group) -> dict[Group, Any]:
    """Return for each group what is equal where two are built alike."""
    known: dict[Any, int] = {}
    found: dict[Group, Any] = {}
    for group in reversed(list(everything_below(whole))):
        inside = tuple(token(child, found) for child in group.children)
        key = (group.kind, group.parameters, inside)
        found[group] = known.setdefault(key, len(known))
    return found


def token(child: Any, of_groups: dict[Group, Any]) -> Any:
    return of_groups[child] if isinstance(child, Group) else (child.op.name, child.shape)


def fold(whole: Group) -> dict[Any, Any]:
    """Keep one of each run of blocks built alike; return for each node left out the one that stands for it."""
    of_groups = tokens(whole)
    alias: dict[Any, Any] = {}
    stack = [whole]
    while stack:
        group = stack.pop()
        if group.closed:
            continue
        children: list[Any] = []
        at = 0
        for run in runs([token(child, of_groups) for child in group.children]):
            shown = group.children[run.start : run.start + run.period]
            if not any(isinstance(child, Group) for child in shown):
                continue
            kept = [node for child in shown for node in nodes_of(child)]
            for start in range(run.start + run.period, run.stop, run.period):
                hidden = [n for child in group.children[start : start + run.period] for n in nodes_of(child)]
                alias.update(zip(hidden, kept, strict=True))
            block = shown[0] if run.period == 1 else Group(REPEATED, children=shown)
            block.repeats = run.times
            children += [*group.children[at : run.start], block]
            at = run.stop
        group.children = children + group.children[at:]
        stack.extend(child for child in group.children if isinstance(child, Group))
    return alias


def nodes_of(child: Any) -> list[Any]:
    return child.nodes() if isinstance(child, Group) else [child]


def repeated(whole: Group) -> None:
    """Take together, where there are no modules, runs of operations that repeat and then whatever is still too much."""
    units = whole.children
    found: list[Any] = []
    at = 0
    for run in runs([(node.op.name, node.shape) for node in units], shortest=8):
        found += units[at : run.start]
        first = units[run.start : run.start + run.period]
        found.append(Group(children=units[run.start : run.stop], closed=True, repeats=run.times, path=spelled(first)))
        at = run.stop
    found += units[at:]
    if len(found) > 2 * PIECES:
        found = pieces(found)
    whole.children = found


def pieces(units: list[Any]) -> list[Any]:
    """Cut a long sequence where few wires cross."""
    position = {node: i for i, unit in enumerate(units) for node in nodes_of(unit)}
    until = list(range(len(units)))
    for node, i in position.items():
        for parent in node.parents:
            if parent in position:
                until[position[parent]] = max(until[position[parent]], i)
    crossing = np.zeros(len(units) + 1, int)
    for i, end in enumerate(until):
        crossing[i + 1] += 1
        crossing[end if end > i else i + 1] -= 1
    places = cuts(np.cumsum(crossing)[:-1], PIECES)
    found: list[Any] = []
    for start, stop in pairwise(places):
        part = units[start:stop]
        if len(part) == 1:
            found += part
        else:
            nodes = [node for unit in part for node in nodes_of(unit)]
            found.append(Group(children=nodes, closed=True, path=spelled(nodes)))
    return found


def spelled(nodes: Sequence[Any]) -> str:
    """Return what a stretch of operations does, in a few words."""
    names = [node.op.name for node in nodes]
    if len(names) <= SPELLED:
        return " → ".join(names)
    common = Counter(names).most_common(3)
    more = ", …" if len(set(names)) > 3 else ""
    return ", ".join(f"{name} ×{count:,}" if count > 1 else name for name, count in common) + more


def closed_card(group: Group, key: str) -> Card:
    """Return the box of a module, or of a stretch of operations, that is not looked into."""
    nodes = group.nodes()
    last = nodes[-1]
    found = Card(key, kind="module" if group.kind else "operation", repeats=group.repeats)
    if group.kind:
        found.lines.append((shorten(group.kind), "title", None))
        if group.path:
            found.lines.append((shorten(group.path), "small", None))
        parameters = group.parameters
    else:
        one = len(nodes) // group.repeats
        found.lines.append((count_text(one, "operation") if one > 1 else shorten(group.path), "title", None))
        if one > 1:
            found.lines.append((shorten(group.path, 44), "small", None))
        parameters = None
    if parameters is None:
        parameters = sum(int(np.prod(leaf.shape)) for leaf in group.leaves())
    if parameters and absorbs(group):
        text = count_text(parameters, "parameter") + (" in all" if group.repeats > 1 and not group.kind else "")
        found.lines.append((text, "small", None))
    found.lines.append((f"→ {shorten(shape_text(last.shape), 30)}", "small", None))
    found.title = [
        f"{group.kind} {group.path}".strip(),
        count_text(len(nodes), "operation"),
        count_text(parameters, "parameter"),
    ]
    if group.repeats == 1 or not group.kind:
        found.title.append(f"result {shape_text(last.shape)}")
        vertex = trace.vertex_of(last, trace.Names(None))
        if vertex.value is not None and last.shape:
            cards.add_numbers(found, vertex)
    found.measure()
    return found


def scene(whole: Group, alias: dict[Any, Any], roots: Sequence[Any], names: trace.Names) -> Scene:
    """Return the picture of the groups as they were opened, closed and folded."""
    boxes: list[Box] = []
    frames: list[Frame] = []
    home: dict[Any, str] = {}  # of each node that is drawn, or lies in a box: the box
    closed: dict[str, Group] = {}
    frame_keys: dict[Group, str | None] = {whole: None}
    stack: list[tuple[Any, Group]] = [(child, whole) for child in reversed(whole.children)]
    while stack:
        child, around = stack.pop()
        key = f"n{len(boxes)}"
        if not isinstance(child, Group):
            box = cards.card(trace.alone(child, names, root=child in roots), key)
            home[child] = key
        elif child.closed:
            box = closed_card(child, key)
            closed[key] = child
            for node in child.nodes():
                home.setdefault(node, key)
        else:
            name = f"f{len(frames)}"
            label = shorten(f"{child.kind}  {child.path}".strip(), 60)
            note = count_text(child.parameters, "parameter") if child.parameters else ""
            frames.append(Frame(name, label, note, frame_keys[around], child.repeats))
            frame_keys[child] = name
            stack.extend((part, child) for part in reversed(child.children))
            continue
        box.frame = frame_keys[around]
        boxes.append(box)
    return connect(boxes, frames, home, closed, alias, roots, names)


def connect(
    boxes: list[Box],
    frames: list[Frame],
    home: dict[Any, str],
    closed: dict[str, Group],
    alias: dict[Any, Any],
    roots: Sequence[Any],
    names: trace.Names,
) -> Scene:
    """Return the boxes with the wires between them, and with the leaves, inputs and outputs that are not inside one."""

    def shown(node: Any) -> Any:
        while node in alias:
            node = alias[node]
        return node

    def place(node: Any) -> str:
        return home[shown(node)]

    order = {box.key: i for i, box in enumerate(boxes)}
    frame_of = {box.key: box.frame for box in boxes}
    pairs: dict[tuple[str, str], None] = {}
    users: dict[Any, dict[str, bool]] = {}  # of a leaf: the boxes that use it, and whether they do themselves
    for node in (*home, *alias):
        here = place(node)
        for parent in node.parents:
            if parent is None:
                continue
            if parent.op is None:
                own = users.setdefault(parent, {})
                own[here] = own.get(here, False) or node in home
            elif order[place(parent)] < order[here]:  # wires from one repetition to the next are left out
                pairs[place(parent), here] = None
    wires = []
    for leaves, heads in outside(users, closed):
        key = f"n{len(boxes)}"
        if len(leaves) == 1:
            card = cards.card(trace.leaf_vertex(leaves[0], names), key)
        else:
            card = plain_card(key, "parameter", count_text(len(leaves), "leaf", "leaves"))
        around = {frame_of[head] for head in heads}
        card.frame = around.pop() if len(around) == 1 else None
        boxes.append(card)
        wires += [Wire(key, head) for head in heads]
    fed = {head for _, head in pairs}
    missing: dict[str, dict[Any, None]] = {}  # of a box: what the next block reads where it reads data of its own
    for node in alias:  # the next block's nodes come before those of later ones
        both = zip(shown(node).parents, node.parents, strict=False)  # what joins any number may join fewer
        read = [other for parent, other in both if parent is None and other is not None and other.op is not None]
        if read:
            missing.setdefault(place(node), dict.fromkeys(read))
    lone = {key: [node] for node, key in home.items() if key not in closed}
    sources: dict[Any, Card] = {}  # data that needs no gradient
    for key in order:
        inside = closed[key].nodes() if key in closed else lone[key]
        found = data_read(inside, names, passed=key in closed and key in fed)
        if not found and key in missing:
            found = dict.fromkeys(missing[key], ("data", ""))
        elif not found and key not in fed and reads_unknown(inside):
            found = {key: ("data", "")}
        for data, lines in found.items():
            if data not in sources:
                sources[data] = plain_card(f"n{len(boxes)}", "input", *lines)
                boxes.append(sources[data])
            wires.append(Wire(sources[data].key, key, faint=True))
    wires += [Wire(tail, head) for tail, head in pairs]
    lead_inside(wires, frames, frame_of)
    for root in roots:
        if root.op is not None and (root in alias or place(root) in closed):
            title = shorten(names.place(root) or "output")
            known = f"{shorten(shape_text(root.shape))} {'' if isinstance(root.dtype, tuple) else root.dtype}"
            card = plain_card(f"n{len(boxes)}", "output", title, known)
            cards.add_numbers(card, trace.vertex_of(root, names))
            card.measure()
            boxes.append(card)
            wires.append(Wire(place(root), card.key))
    return Scene(boxes, wires, frames, sideways=False, legend=cards.legend(boxes))


def lead_inside(wires: list[Wire], frames: list[Frame], frame_of: dict[str, str | None]) -> None:
    """Lead shortcuts through the frame in which they end: wires from outside that skip what else their source feeds."""
    parents = {frame.key: frame.parent for frame in frames}

    def within(frame: str | None, outer: str) -> bool:
        while frame is not None and frame != outer:
            frame = parents[frame]
        return frame == outer

    heads: dict[str, list[str]] = {}
    order = {key: i for i, key in enumerate(frame_of)}
    for wire in wires:
        heads.setdefault(wire.tail, []).append(wire.head)
    forward = sorted((w for w in wires if w.tail in order and w.head in order), key=lambda w: order[w.tail])
    for wire in wires:
        frame = frame_of.get(wire.head)
        if frame is None or wire.tail not in frame_of or within(frame_of[wire.tail], frame):
            continue
        beside = [head for head in heads[wire.tail] if head in order and order[head] < order[wire.head]]
        inside = [head for head in beside if within(frame_of[head], frame)]
        if inside:
            away = {min(inside, key=order.__getitem__): 0}
            for each in forward:
                if each.tail in away:
                    away[each.head] = max(away.get(each.head, 0), away[each.tail] + 1)
            wire.via, wire.span = frame, max(away.get(wire.head, 1), 1)


def plain_card(key: str, kind: str, title: str, known: str = "") -> Card:
    card = Card(key, kind=kind, lines=[(title, "title", None)], title=[kind, title])
    if known:
        card.lines.append((known, "small", None))
    card.measure()
    return card


def outside(users: dict[Any, dict[str, bool]], closed: dict[str, Group]) -> list[tuple[list[Any], list[str]]]:
    """Return the leaves that are drawn, with the boxes that use them: not those inside one module or unseen."""
    found = [
        (leaf, list(own))
        for leaf, own in users.items()
        if any(own.values()) and not (len(own) == 1 and next(iter(own)) in closed and absorbs(closed[next(iter(own))]))
    ]
    if len(found) <= MOST_LEAVES:
        return [([leaf], heads) for leaf, heads in found]
    return [([leaf for leaf, _ in found], list(dict.fromkeys(head for _, heads in found for head in heads)))]


def absorbs(group: Group) -> bool:
    """Whether leaves that only this group uses are drawn as part of it: those of modules, and many."""
    return bool(group.kind) or len(group.leaves()) > FEW_LEAVES


def data_read(nodes: Sequence[Any], names: trace.Names, passed: bool) -> dict[Any, tuple[str, str]]:
    """Return the arrays that these read and that need no gradient, as far as they were recorded.

    Of each it says a title, and shape and dtype. With `passed`, those alone that somebody has as tensors: others a
    module made for itself, masks of dropout say.
    """
    found = {}
    for node in nodes:
        for parent, constant in zip(node.parents, node.constants or (), strict=False):
            if parent is not None or constant is None or not np.shape(constant[0]):
                continue
            value, reference, _ = constant
            tensor = None if reference is None else reference()
            if tensor is None and passed:
                continue
            name = names.constant(constant)
            key = id(value if tensor is None else tensor)
            found[key] = shorten(name or "data"), f"{shape_text(np.shape(value))} {np.asarray(value).dtype}"
    return found


def reads_unknown(nodes: Sequence[Any]) -> bool:
    """Whether these may read data that was not recorded, since it needs no gradient."""
    return any(
        parent is None and node.value is None and node.constants is None and not trace.optional(node.op, i)
        for node in nodes
        for i, parent in enumerate(node.parents)
    )
