"""The lectures' picture of a circuit: values above the wires, gradients below, the role of each gate on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from autograd.draw import signs
from autograd.draw.scene import Box, Scene, Wire
from autograd.draw.stage import Stage
from autograd.draw.svg import line, pt, text
from autograd.draw.text import FEW, Numbers, constant_text, escape, shape_text, shorten, width
from autograd.draw.trace import Link, Vertex

GATE: Final = 34.0  # its diameter
PITCH: Final = 20.0  # from one wire that comes in to the next
MOST_TERMS: Final = 4
PLAIN: Final = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'


def suits(vertices: list[Vertex]) -> bool:
    """Whether these can be drawn as a circuit: every value of a gate is known and small."""
    gates = [v for v in vertices if v.kind == "operation"]
    return all(v.value is not None and np.size(v.value) <= FEW for v in gates) and all(
        int(np.prod(v.shape)) <= FEW for v in vertices if v.kind != "operation"
    )


@dataclass(slots=True)
class Stub(Box):
    """What gates and sources share: a piece of wire on their right with the value above and the gradient below."""

    name: str = ""
    value: str = ""
    gradient: str = ""
    terms: str = ""
    forks: bool = False
    known: int | None = None
    ends: bool = False  # nothing follows: an output

    def stub_width(self) -> float:
        above = width(self.name + " ", 13) * 1.05 * bool(self.name) + width(self.value, 13) * 1.05
        below = width(self.gradient, 13) * 1.05
        return max(above, below, width(self.terms, 11), 30.0) + 14 + (12 if self.forks or self.ends else 0)

    def body_end(self) -> float:
        """Return where its piece of wire starts."""
        raise NotImplementedError

    def outlet(self) -> tuple[float, float]:
        return self.width - 8 if self.forks else self.body_end(), self.height / 2

    def stub(self, stage: Stage, texts: float) -> str:
        """Return what is on the wire, texts from `texts` on; and the wire, unless it is part of one to a gate."""
        y, end = self.height / 2, self.width
        middle = (texts + end - (12 if self.forks or self.ends else 0)) / 2
        parts = []
        if self.forks or self.ends:
            parts.append(line((self.body_end(), y), (end - (8 if self.forks else 6), y)))
        name = f'<tspan class="name">{escape(self.name)}</tspan> ' if self.name else ""
        if name or self.value:
            parts.append(
                f'<text class="middle" x="{pt(middle)}" y="{pt(y - 6)}">{name}'
                f'<tspan class="value">{escape(self.value)}</tspan></text>'
            )
        if self.gradient:
            below = text(middle, y + 16, self.gradient, "gradient middle")
            if self.terms:
                below += text(middle, y + 30, self.terms, "terms middle")
            parts.append(stage.since(self.known, below))
        if self.forks:
            parts.append(f'<circle class="sigma" cx="{pt(end - 8)}" cy="{pt(y)}" r="7.5"/>')
            parts.append(text(end - 8, y + 3.6, "Σ", "sigmatext"))
        if self.ends:
            parts.append(
                f'<path class="tip" d="M{pt(end - 10)} {pt(y - 5)}L{pt(end)} {pt(y)}L{pt(end - 10)} {pt(y + 5)}Z"/>'
            )
        return "".join(parts)

    def table(self, cells: list[tuple[float, str]], lead: float = 0.0) -> str:
        """Return the same as an HTML-like label of Graphviz: ports on the left, `cells` and their widths, the wire.

        Every size is fixed, so that wires come to lie where they meet the picture above.
        """
        name = f"<I>{escape(self.name)}</I> " if self.name else ""
        above = f'{name}<FONT COLOR="#116329">{escape(self.value) or " "}</FONT>'
        below = f'<FONT COLOR="#a40e26">{escape(self.gradient) or " "}</FONT>'
        below += f'<BR/><FONT COLOR="#a40e26" POINT-SIZE="9">{escape(self.terms)}</FONT>' if self.terms else ""
        ordered = self.ports if self.ports > 1 and not self.free else 0
        rows = ordered + 2 if ordered else 1
        rest = self.width - lead - sum(wide for wide, _ in cells)
        wire = self.level(rest, self.height, above, below)
        row = "".join(self.cell(wide, self.height, content, rows) for wide, content in cells)
        row += self.cell(rest, self.height, wire, rows, "out")
        first, others = "", []
        if ordered:
            space = self.cell(lead, (self.height - PITCH * ordered) / 2, "", 1)
            into = self.level(lead, PITCH)
            first, others = space, [*(self.cell(lead, PITCH, into, 1, f"in{i}") for i in range(ordered)), space]
        elif self.ports:
            first = self.cell(lead, self.height, self.level(lead, self.height), 1, "in")
        return f"<<TABLE {PLAIN}><TR>{first}{row}</TR>{''.join(f'<TR>{other}</TR>' for other in others)}</TABLE>>"

    @staticmethod
    def level(wide: float, high: float, above: str = "", below: str = "") -> str:
        """Return a level piece of wire with what is written above and below it."""
        half = f'FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="{high // 2:.0f}"'
        return (
            f'<TABLE {PLAIN}><TR><TD {half} VALIGN="BOTTOM">{above}</TD></TR><HR/>'
            f'<TR><TD {half} VALIGN="TOP">{below}</TD></TR></TABLE>'
        )

    @staticmethod
    def cell(wide: float, high: float, content: str, rows: int, port: str = "") -> str:
        named = f' PORT="{port}"' if port else ""
        size = f'FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="{high:.0f}"'
        return f'<TD{named} ROWSPAN="{rows}" {size}>{content}</TD>'


@dataclass(slots=True)
class Gate(Stub):
    """An operation: its sign in a circle, its role below, its operands coming in on the left."""

    sign: str = ""
    role: str = ""
    visit: int | None = None
    labels: list[str] = field(default_factory=list)  # gradients sent to operands that others use too
    lead: float = 0.0
    column: float = 0.0
    gate_width: float = 0.0
    gate_height: float = GATE

    def measure(self) -> None:
        """Fix sizes once everything that is to be written is known."""
        wide = width(self.sign, 15) * 1.08
        self.gate_width = GATE if wide <= GATE - 8 else wide + 18
        self.column = math.ceil(max(self.gate_width, width(self.role, 10) + 4))
        self.ports = len(self.labels)
        self.lead = max((width(label, 11) + 10 for label in self.labels if label), default=0.0)
        self.lead = math.ceil(max(self.lead, 10.0 if self.ports > 1 else 2.0))
        self.width = math.ceil(self.lead + self.column + self.stub_width())
        self.gate_height = max(GATE, PITCH * (self.ports - 1) + 14)
        self.height = max(72.0, self.gate_height + 38)

    def inlet(self, port: float) -> tuple[float, float]:
        off = PITCH * (port - (self.ports - 1) / 2)
        into_corner = max(0.0, abs(off) - (self.gate_height - GATE) / 2)
        left = self.lead + (self.column - self.gate_width) / 2
        return left + GATE / 2 - math.sqrt((GATE / 2) ** 2 - into_corner**2), self.height / 2 + off

    def body_end(self) -> float:
        return self.lead + (self.column + self.gate_width) / 2

    def level_from(self) -> float:
        return 0.0 if any(self.labels) else self.lead

    def svg(self, stage: Stage) -> str:
        y, cx = self.height / 2, self.lead + self.column / 2
        half, high = self.gate_width / 2, self.gate_height
        parts = [self.stub(stage, self.lead + self.column)]
        corner = f'x="{pt(cx - half)}" y="{pt(y - high / 2)}"'
        place = f'{corner} width="{pt(2 * half)}" height="{pt(high)}" rx="{GATE / 2:g}"'
        parts.append(f'<rect class="gate {self.kind}" {place}/>')
        parts.append(stage.during(self.visit, f'<rect class="glow" {place}/>'))
        parts.append(text(cx, y + 5, self.sign, "sign"))
        if self.role:
            parts.append(text(cx, y + high / 2 + 12, self.role, "role"))
        return "".join(parts)

    def label(self) -> str:
        role = f'<BR/><FONT POINT-SIZE="8">{escape(self.role)}</FONT>' if self.role else ""
        high = self.gate_height + 2
        size = f'BORDER="1" STYLE="ROUNDED" FIXEDSIZE="TRUE" WIDTH="{self.column:.0f}" HEIGHT="{high:.0f}"'
        gate = f"<TABLE {PLAIN}><TR><TD {size}><B>{escape(self.sign)}</B>{role}</TD></TR></TABLE>"
        return self.table([(self.column, gate)], self.lead)


@dataclass(slots=True)
class Source(Stub):
    """Where a wire starts: a leaf, or a constant."""

    plate: str = ""

    def body_end(self) -> float:
        return self.plate_width() if self.plate else 9.5

    def plate_width(self) -> float:
        return width(self.plate, 13) * 1.06 + 16 if self.plate else 10.0

    def measure(self) -> None:
        self.width = math.ceil(self.plate_width() + self.stub_width())
        self.height = 68 if self.terms else 44

    def svg(self, stage: Stage) -> str:
        wide, y = self.plate_width(), self.height / 2
        if self.plate:
            box = f'<rect class="{self.kind}" y="{pt(y - 13)}" width="{pt(wide)}" height="26" rx="5"/>'
            plate = box + text(wide / 2, y + 4.8, self.plate, "name middle")
        else:
            plate = f'<circle class="{self.kind}" cx="5" cy="{pt(y)}" r="4.5"/>'
        return self.stub(stage, wide) + plate

    def label(self) -> str:
        style = ' STYLE="DASHED"' if self.kind == "constant" else ""
        wide = round(self.plate_width())
        size = f'BORDER="1"{style} FIXEDSIZE="TRUE" WIDTH="{wide}" HEIGHT="26"'
        plate = f"<TABLE {PLAIN}><TR><TD {size}><I>{escape(self.plate) or ' '}</I></TD></TR></TABLE>"
        return self.table([(wide, plate)])


def sign_of(vertex: Vertex) -> str:
    """Return what stands on the gate, with the constants that it holds."""
    if not vertex.folded:
        return signs.sign(vertex.op)
    if len(vertex.folded) == 1 and len(vertex.links) == 1:
        position, value = vertex.folded[0]
        return signs.sign_with_constant(vertex.op, value, first=position == 0)
    operands = ["x" if len(vertex.links) == 1 else "…"] * len(vertex.links)
    for position, value in vertex.folded:
        operands.insert(position, constant_text(value))
    return f"{signs.sign(vertex.op)}({', '.join(operands)})"


def role_of(vertex: Vertex, numbers: Numbers) -> tuple[str, str]:
    """Return what is written below a gate, and its kind."""
    word = signs.role(vertex.op, len(vertex.links)) or ""
    if word:
        return word, word
    known = [link.local for link in vertex.links]
    if any(local is None for local in known) or not known:
        return "", ""
    return "local " + ", ".join(numbers(local) for local in known), ""


def wins(user: Vertex, link: Link) -> bool:
    """Whether a gate that routes sends its gradient this way."""
    wires = len(user.links)
    return wires > 1 and signs.role(user.op, wires) == signs.ROUTES and bool(link.wins)


def terms_of(vertex: Vertex, numbers: Numbers) -> str:
    """Return the gradients that meet at a branch, as a sum."""
    sent = [link.sent for _, link in vertex.uses]
    if len(sent) < 2 or any(s is None for s in sent):
        return ""
    if len(sent) > MOST_TERMS or any(np.shape(s) for s in sent):
        return f"Σ of {len(sent)} terms"
    fits = vertex.grad is None or np.allclose(sum(sent), vertex.grad, equal_nan=True, rtol=1e-4)
    if not fits and (vertex.kind != "leaf" or vertex.hooked):  # a hook changed it, or another pass came after
        return ""
    text = numbers(sent[0])
    for term in sent[1:]:
        written = numbers(term)
        text += f" − {written[1:]}" if written.startswith("−") else f" + {written}"
    return f"= {text}" if fits else f"= {text} + earlier"  # a leaf keeps adding up over several passes


def details(vertex: Vertex) -> list[str]:
    """Return all that is known of a vertex, in full, for its tooltip."""
    lines = [f"{vertex.op or vertex.kind}{f' {vertex.name}' if vertex.name else ''}"]
    dtype = "" if vertex.dtype is None or isinstance(vertex.dtype, tuple) else vertex.dtype
    lines.append(f"{shape_text(vertex.shape)} {dtype}".strip())
    if vertex.value is not None:
        lines.append(f"value {short(vertex.value)}")
    if vertex.grad is not None:
        lines.append(f"gradient {short(vertex.grad)}")
    return lines


def short(value: Any) -> str:
    array = np.asarray(value)
    return repr(array.item()) if not array.ndim else np.array2string(array, threshold=8)


def scene(vertices: list[Vertex]) -> Scene:
    """Return the circuit of these vertices."""
    shown = [v.value for v in vertices] + [v.grad for v in vertices]
    shown += [x for v in vertices for link in v.links for x in (link.local, link.sent)]
    numbers = Numbers(shown)
    keys = {id(v): f"n{i}" for i, v in enumerate(vertices)}
    boxes: list[Box] = []
    wires = []
    for v in vertices:
        branch = len(v.uses) > 1
        common: dict[str, Any] = {
            "key": keys[id(v)],
            "value": "" if v.value is None else numbers(v.value),
            "gradient": "" if v.grad is None else numbers(v.grad),
            "terms": terms_of(v, numbers) if branch and v.kind != "constant" else "",
            "forks": branch and v.kind != "constant",
            "known": v.known,
            "ends": not v.uses and (v.root or v.kind != "operation"),
            "title": details(v),
        }
        if v.value is None and v.shape:
            common["value"] = shape_text(v.shape)
        name = shorten(v.name) if v.name else ""
        if v.kind != "operation":
            source = Source(kind=v.kind, plate=name, **common)
            source.measure()
            boxes.append(source)
            continue
        role, kind = role_of(v, numbers)
        gate = Gate(kind=kind, name=name, sign=shorten(sign_of(v), 20), role=role, visit=v.visit, **common)
        gate.free = v.op in signs.COMMUTES
        for link in v.links:
            forked = len(link.source.uses) > 1 and link.source.kind != "constant" and link.sent is not None
            gate.labels.append(numbers(link.sent) if forked else "")
        gate.measure()
        boxes.append(gate)
        for port, link in enumerate(v.links):
            visit = v.visit if link.source.kind != "constant" else None
            look: dict[str, Any] = {"strong": wins(v, link), "label": gate.labels[port], "visit": visit}
            wires.append(Wire(keys[id(link.source)], gate.key, port, **look))
    legend = [("value", "value above the wire")]
    if any(v.grad is not None for v in vertices):
        legend.append(("gradient", "gradient below"))
    if any(wire.strong for wire in wires):
        legend.append(("strong", "the winner"))
    return Scene(boxes, wires, legend=legend)
