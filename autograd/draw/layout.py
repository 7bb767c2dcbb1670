"""From a scene to the DOT language, and from Graphviz's answer to places on the page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from autograd.draw import engine
from autograd.draw.scene import Frame, Scene
from autograd.draw.text import shorten

MANY: Final = 100  # boxes, above which a rougher layout is taken: seconds in place of half a minute
Point = tuple[float, float]


@dataclass(slots=True)
class Layout:
    """Where things lie, in pixels from the top left corner: boxes by their middle, wires as Bézier points."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Point] = field(default_factory=dict)
    wires: list[tuple[list[Point], Point | None, Point | None]] = field(default_factory=list)  # curve, arrow tip, note
    frames: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)


def dot_source(scene: Scene) -> str:
    """Return the scene in the DOT language, sizes and labels included."""
    try:
        import graphviz
    except ImportError as error:
        raise engine.GraphvizMissing(
            "drawing needs the graphviz package: pip install graphviz pygraphviz (the second brings the layout engine "
            "where no `dot` is on the PATH)"
        ) from error
    graph = graphviz.Digraph("graph")
    graph.attr(
        rankdir="LR" if scene.sideways else "TB",
        nodesep="0.16" if scene.sideways else "0.3",
        ranksep="0.34" if scene.sideways else "0.38",
        fontname="sans-serif",
        fontsize="12",
        bgcolor="white",
    )
    if len(scene.boxes) > MANY:
        graph.attr(nslimit="0.1", mclimit="0.1", searchsize="5")
    graph.attr("node", fontname="sans-serif", fontsize="12", margin="0")
    graph.attr("edge", fontname="sans-serif", fontsize="10", color="#57606a", arrowsize="0.7")
    if scene.sideways:
        graph.attr("edge", arrowhead="none")

    def inside(frame: Frame | None, into: graphviz.Digraph) -> None:
        for child in scene.frames:
            if child.parent == (frame.key if frame else None):
                with into.subgraph(name=f"cluster_{child.key}") as cluster:
                    text = graphviz.escape(" ".join(filter(None, (child.label, child.note))))
                    cluster.attr(label=text, labeljust="l", style="rounded", color="#8250df", margin="12")
                    inside(child, cluster)
        for box in scene.boxes:
            if box.frame == (frame.key if frame else None):
                size = {"width": f"{box.width / 72:.4f}", "height": f"{box.height / 72:.4f}", "fixedsize": "true"}
                into.node(
                    box.key, box.label(), tooltip=graphviz.escape(shorten(box.tooltip, 200)), **size, **box.attributes()
                )

    inside(None, graph)
    ported = {box.key for box in scene.boxes if box.ports}
    for wire in scene.wires:
        style = {"penwidth": "2.4"} if wire.strong else {"style": "dashed"} if wire.faint else {}
        if wire.note:
            style["label"] = graphviz.escape(f" {wire.note} ")
        tail = f"{wire.tail}:out:e" if scene.sideways else wire.tail
        head = f"{wire.head}:in{wire.port}:w" if wire.head in ported else wire.head
        graph.edge(tail, head, **style)
    return str(graph.source)


def lay_out(scene: Scene) -> Layout:
    """Let Graphviz place everything."""
    if not scene.boxes:
        return Layout()
    answer = json.loads(engine.render(dot_source(scene), "json0"))
    _, _, width, height = (float(v) for v in answer["bb"].split(","))
    layout = Layout(width, height)

    def point(text: str) -> Point:
        x, y = text.split(",")[:2]
        return float(x), height - float(y)

    for thing in answer["objects"]:
        name = thing["name"]
        if name.startswith("cluster_"):
            x0, y0, x1, y1 = (float(v) for v in thing["bb"].split(","))
            layout.frames[name.removeprefix("cluster_")] = (x0, height - y1, x1, height - y0)
        else:
            layout.boxes[name] = point(thing["pos"])
    # Wires come back in an order of Graphviz's own: those between the same two boxes and ports keep theirs.
    names = {thing["_gvid"]: thing["name"] for thing in answer["objects"]}
    drawn: dict[tuple[str, str, str | None], list[dict[str, str]]] = {}
    for edge in answer.get("edges", ()):
        port = edge.get("headport")
        drawn.setdefault((names[edge["tail"]], names[edge["head"]], port), []).append(edge)
    ported = {box.key for box in scene.boxes if box.ports}
    for wire in scene.wires:
        port = f"in{wire.port}:w" if wire.head in ported else None
        edge = drawn[wire.tail, wire.head, port].pop(0)
        tip = None
        curve = []
        for part in edge["pos"].split():
            if part.startswith("e,"):
                tip = point(part[2:])
            elif not part.startswith("s,"):
                curve.append(point(part))
        layout.wires.append((curve, tip, point(edge["lp"]) if "lp" in edge else None))
    return layout
