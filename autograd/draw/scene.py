"""What a picture is made of: boxes of known size, wires between them, frames around them."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograd.draw.stage import Stage
from autograd.draw.text import clean


@dataclass(slots=True)
class Box:
    """Something with a place: subclasses know how they look."""

    key: str
    width: float = 0.0
    height: float = 0.0
    ports: int = 0  # places on its left where wires end; 0 if they may end anywhere
    free: bool = False  # whether wires may change places there: the layout then chooses
    kind: str = ""
    title: list[str] = field(default_factory=list)  # lines of its tooltip, in full
    frame: str | None = None

    def svg(self, stage: Stage) -> str:
        """Return its drawing, the top left corner at (0, 0)."""
        raise NotImplementedError

    def label(self) -> str:
        """Return its label in the DOT language: what `dot` draws in PNG and PDF."""
        raise NotImplementedError

    def outlet(self) -> tuple[float, float]:
        """Return where wires start, seen from the top left corner; up to its right edge they run level."""
        return self.width, self.height / 2

    def inlet(self, port: float) -> tuple[float, float]:
        """Return where on its outline the wire to `port` ends, seen from the top left corner."""
        return 0.0, self.height / 2

    def level_from(self) -> float:
        """Return from where on, seen from its left, wires run level, since something is written beside them."""
        return 0.0

    def attributes(self) -> dict[str, str]:
        """Return what else the DOT language is told about it."""
        return {"shape": "none"}

    @property
    def tooltip(self) -> str:
        return "\n".join(clean(line) for line in self.title)


@dataclass(slots=True)
class Wire:
    """A line from one box to another."""

    tail: str
    head: str
    port: int | None = None  # the place at the head where it ends
    strong: bool = False
    faint: bool = False
    note: str = ""  # written beside it
    label: str = ""  # written below its end: the gradient that is sent back along it
    via: str | None = None  # the frame in which it is led past `span` ranks of boxes
    span: int = 1
    visit: int | None = None  # the step that sends a gradient back along it


@dataclass(slots=True)
class Frame:
    """A frame around boxes: a module drawn open."""

    key: str
    label: str
    note: str = ""
    parent: str | None = None
    repeats: int = 1


@dataclass(slots=True)
class Scene:
    """A whole picture before it is laid out."""

    boxes: list[Box]
    wires: list[Wire]
    frames: list[Frame] = field(default_factory=list)
    sideways: bool = True  # laid out from left to right, not from top to bottom
    legend: list[tuple[str, str]] = field(default_factory=list)  # kind, what it means
    note: str = ""
    summary: str = ""
