"""Cards: how tensors, operations on them and modules look, each kind in a shape of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from autograd.draw.circuit import details, sign_of
from autograd.draw.scene import Box, Scene, Wire
from autograd.draw.stage import Stage
from autograd.draw.svg import pt, shape, text
from autograd.draw.text import Numbers, escape, shape_text, short_number, shorten, width
from autograd.draw.trace import Vertex

LINE: Final = 15.0
DOT_SHAPES: Final = {"parameter": "hexagon", "input": "parallelogram", "constant": "parallelogram", "output": "box"}
MEANINGS: Final = {
    "parameter": "leaf that needs a gradient",
    "input": "data, no gradient",
    "operation": "operation",
    "module": "module",
    "output": "output",
}


@dataclass(slots=True)
class Mark:
    """Something amiss that is to be seen at once: in a dark badge, or a dotted one."""

    text: str
    dark: bool = True
    since: int | None = None


@dataclass(slots=True)
class Card(Box):
    """A box with lines of text: (text, class), and the step since when each is to be seen."""

    lines: list[tuple[str, str, int | None]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    visit: int | None = None
    repeats: int = 1

    def measure(self) -> None:
        wide = max([width(content, 13 if kind == "title" else 11) * 1.06 for content, kind, _ in self.lines], default=0)
        badges = sum(width(mark.text, 11) + 20 for mark in self.marks)
        slant = 26 if self.kind in ("parameter", "input", "constant") else 8
        times = width(f"×{self.repeats:,}", 11) + 22 if self.repeats > 1 else 0
        self.width = math.ceil(max(wide + slant + 10, badges + slant, 44.0) + times)
        self.height = math.ceil(LINE * len(self.lines) + (22 if self.marks else 0) + 13)

    def svg(self, stage: Stage) -> str:
        w, h = self.width, self.height
        parts = []
        if self.repeats > 1:  # a pile of cards
            parts += [f'<g transform="translate({d},{d})">{shape(self.kind, w, h)}</g>' for d in (6, 3)]
        parts.append(shape(self.kind, w, h))
        glow = f'<rect class="glow" x="-3" y="-3" width="{pt(w + 6)}" height="{pt(h + 6)}" rx="11" fill-opacity=".35"/>'
        parts.append(stage.during(self.visit, glow))
        times = f"×{self.repeats:,}" if self.repeats > 1 else ""
        badge = width(times, 11) + 12 if times else 0
        middle = (w - badge) / 2
        y = 6.0
        for content, kind, since in self.lines:
            y += LINE
            parts.append(stage.since(since, text(middle, y - 3, content, f"{kind} middle")))
        x = middle - sum(width(mark.text, 11) + 20 for mark in self.marks) / 2 + 4
        for mark in self.marks:
            wide = width(mark.text, 11) + 12
            look, words = ("badge", "badgetext") if mark.dark else ("zero", "zerotext")
            plate = f'<rect class="{look}" x="{pt(x)}" y="{pt(y + 3)}" width="{pt(wide)}" height="17" rx="4"/>'
            label = text(x + wide / 2, y + 15.5, mark.text, words)
            parts.append(stage.since(mark.since, plate + label))
            x += wide + 8
        if times:
            place = f'x="{pt(w - badge - 5)}" y="{pt(h / 2 - 9)}" width="{pt(badge)}"'
            parts.append(f'<rect class="badge" {place} height="18" rx="9"/>')
            parts.append(text(w - badge / 2 - 5, h / 2 + 4, times, "badgetext"))
        return "".join(parts)

    def label(self) -> str:
        rows = [f"<B>{escape(content)}</B>" if kind == "title" else escape(content) for content, kind, _ in self.lines]
        rows += [f"<B>[{escape(mark.text)}]</B>" for mark in self.marks]
        rows += [f"<B>×{self.repeats:,}</B>"] if self.repeats > 1 else []
        return f'<<FONT POINT-SIZE="10">{"<BR/>".join(rows) or " "}</FONT>>'

    def attributes(self) -> dict[str, str]:
        found = {"shape": DOT_SHAPES.get(self.kind, "box")}
        if self.kind == "output":
            found["style"] = "rounded,bold"
        elif self.kind == "operation":
            found["style"] = "rounded"
        elif self.kind == "module":
            found.update(style="filled", fillcolor="#f4eefe")
        return found


def kind_of(vertex: Vertex) -> str:
    if vertex.kind == "leaf":
        return "parameter"
    if vertex.kind == "constant":
        return "input"
    return "output" if vertex.root else "operation"


def card(vertex: Vertex, key: str) -> Card:
    """Return the card of one vertex: what it is, its shape and dtype, and the norms that were recorded."""
    found = Card(key, kind=kind_of(vertex), title=details(vertex), visit=vertex.visit if vertex.op else None)
    sign = sign_of(vertex)
    name = shorten(vertex.name) if vertex.name else ""
    if vertex.op:
        title = sign if sign.lower() == vertex.op.lower() else f"{shorten(vertex.op)}  {sign}"
    else:
        title = name or ("data" if vertex.kind == "constant" else "leaf")
    found.lines.append((shorten(title, 36), "title", None))
    if vertex.op and name:
        found.lines.append((name, "small name", None))
    if vertex.dtype is not None:
        dtype = "" if isinstance(vertex.dtype, tuple) else f" {vertex.dtype}"
        found.lines.append((f"{shorten(shape_text(vertex.shape), 40)}{dtype}", "small", None))
    add_numbers(found, vertex)
    found.measure()
    return found


def add_numbers(found: Card, vertex: Vertex) -> None:
    """Add value and gradient, or their norms, and mark what is amiss with them."""
    for what, array, kind, since in (
        ("value", vertex.value, "value", None),
        ("grad", vertex.grad, "gradient", vertex.known),
    ):
        if array is None:
            continue
        array = np.asarray(array)
        if array.ndim:
            with np.errstate(all="ignore"):
                size = float(np.linalg.norm(array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)))
            found.lines.append((f"‖{what}‖ {short_number(size)}", kind, since))
        else:
            found.lines.append((f"{what} {Numbers([array])(array[()])}", kind, since))
        if not array.size:
            continue
        if np.isnan(array).any():
            found.marks.append(Mark(f"NaN in {what}", since=since))
        elif np.isinf(array).any():
            found.marks.append(Mark(f"Inf in {what}", since=since))
        elif what == "grad" and not array.any():
            found.marks.append(Mark("grad is all 0", dark=False, since=since))


def scene(vertices: list[Vertex]) -> Scene:
    """Return the network of these vertices, from top to bottom."""
    keys = {id(v): f"n{i}" for i, v in enumerate(vertices)}
    boxes: list[Box] = [card(v, keys[id(v)]) for v in vertices]
    wires = []
    for v in vertices:
        for i, link in enumerate(v.links):
            source = link.source
            note = f"broadcast {shape_text(source.shape)} → {shape_text(v.shape)}" if i in v.stretched else ""
            constant = source.kind == "constant"
            wires.append(
                Wire(keys[id(source)], keys[id(v)], faint=constant, note=note, visit=None if constant else v.visit)
            )
    return Scene(boxes, wires, sideways=False, legend=legend(boxes))


def legend(boxes: list[Box]) -> list[tuple[str, str]]:
    kinds: set[Any] = {box.kind for box in boxes}
    return [(kind, meaning) for kind, meaning in MEANINGS.items() if kind in kinds]
