"""A drawing: what `draw` returns; it holds texts and numbers only, nothing of the graph."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from autograd.draw import engine, layout, svg
from autograd.draw.scene import Scene
from autograd.draw.stage import Stage
from autograd.draw.steps import Step

SUFFIXES: Final = (".svg", ".dot", ".png", ".pdf")


class Drawing:
    """A picture of a graph as it stood when it was drawn. In a notebook it shows itself.

    Attributes
    ----------
    svg : the picture, self-contained and without scripts; with `steps=True` it plays the backward pass.
    dot : the graph in Graphviz's DOT language.
    frames : with `steps=True` a drawing of each step, in the order in which `backward` visited.
    step : of a frame, what happens in it: a `Step` with `gate`, `arrived`, `local`, `sent`.

    Raises
    ------
    RuntimeError : on `svg` and `save`, where no layout engine is installed; the message says how to get one. Showing it
        in a notebook or a terminal never raises.
    """

    def __init__(self, scene: Scene, steps: list[Step], captions: list[tuple[str, str]]) -> None:
        self._scene = scene
        self._steps = steps
        self._captions = captions
        self._moment: int | None = None
        self._layout: layout.Layout | None = None

    @cached_property
    def frames(self) -> list[Drawing]:
        found = []
        for moment in range(len(self._steps)):
            frame = Drawing(self._scene, self._steps, self._captions)
            frame._moment = moment
            found.append(frame)
        return found

    @property
    def step(self) -> Step | None:
        return None if self._moment is None else self._steps[self._moment]

    @cached_property
    def svg(self) -> str:
        stage = Stage(len(self._steps), self._moment, animated=self._moment is None)
        return svg.render(self._scene, layout.lay_out(self._scene), stage, self._captions)

    @cached_property
    def dot(self) -> str:
        return layout.dot_source(self._scene)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file and return its path; the suffix says how: .svg, .dot, .png or .pdf.

        PNG and PDF are drawn by Graphviz itself, plainer than the SVG and without steps.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in SUFFIXES:
            raise ValueError(f"save({str(path)!r}): the suffix says what to write, one of {', '.join(SUFFIXES)}")
        if kind in (".svg", ".dot"):
            content = (self.svg if kind == ".svg" else self.dot).encode()
        else:
            content = engine.render(self.dot, kind[1:])
        path.write_bytes(content)
        return path

    def __repr__(self) -> str:
        return f"<Drawing: {self.step or self._scene.summary}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the picture for notebooks; the text alone where it cannot be drawn, with the reason."""
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except Exception as error:  # a notebook shows what there is: it must not fail over a picture
            return {"text/plain": f"{self!r}\n{error}"}
