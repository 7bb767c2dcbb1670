"""From a scene to the DOT language, and from Graphviz's answer to places on the page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from autograd.draw import engine, routes
from autograd.draw.routes import Curve, Point
from autograd.draw.scene import Box, Frame, Scene, Wire
from autograd.draw.text import shorten, width

VIA: Final = "via"  # so begin the names of points that wires are led through
MANY: Final = 100  # boxes, above which a rougher layout is taken: seconds in place of half a minute


@dataclass(slots=True)
class Layout:
    """Where things lie, in pixels from the top left corner: boxes by their middle, wires as Bézier points."""

    width: float = 0.0
    height: float = 0.0
    boxes: dict[str, Point] = field(default_factory=dict)
    wires: list[tuple[Curve, Point | None, Point | None]] = field(default_factory=list)  # curve, arrow tip, note
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
        ranksep="0.44" if scene.sideways else "0.38",
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

        for i, wire in enumerate(scene.wires):
            if wire.via is not None and wire.via == (frame.key if frame else None):
                room = badge_width(frame) / 36 if frame and frame.repeats > 1 else 0.2
                into.node(f"{VIA}{i}", label="", shape="box", style="invis", width=f"{room:.4f}", height="0.01")

    inside(None, graph)
    boxes = {box.key: box for box in scene.boxes}
    led = any(wire.via is not None for wire in scene.wires)
    for i, wire in enumerate(scene.wires):
        style = {"penwidth": "2.4"} if wire.strong else {"style": "dashed"} if wire.faint else {}
        if wire.note:
            style["label"] = graphviz.escape(f" {wire.note} ")
        if wire.label:
            style["headlabel"] = graphviz.escape(f"{wire.label} ")
            style["fontcolor"] = "#a40e26"
        tail = f"{wire.tail}:out:e" if scene.sideways else wire.tail
        if wire.via is not None:
            graph.edge(tail, f"{VIA}{i}", arrowhead="none", headclip="false", **style)
            tail = f"{VIA}{i}"
            style.update(tailclip="false", minlen=str(wire.span))
        elif led:
            style["weight"] = "4"  # what is not led aside runs straight
        port = head_port(boxes[wire.head], wire)
        graph.edge(tail, f"{wire.head}:{port}" if port else wire.head, **style)
    return str(graph.source)


def badge_width(frame: Frame) -> float:
    """Return how much the badge takes that says how often a frame repeats."""
    return width(f"×{frame.repeats:,}", 11) + 12


def head_port(box: Box, wire: Wire) -> str | None:
    """Return the port at the head of a wire: one for all where the layout may choose their order."""
    if not box.ports:
        return None
    return "in:w" if box.free or box.ports == 1 else f"in{wire.port}:w"


def joined(first: Curve, second: Curve) -> Curve:
    """Return two curves, from top to bottom, as one without a kink: plumb where they meet."""
    (x0, y0), (x1, y1) = first[-1], second[0]
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    above, below = (y - 0.4 * (y - first[-4][1])), y + 0.4 * (second[3][1] - y)
    return routes.smooth([*first[:-2], (x, above), (x, y), (x, below), *second[2:]])


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
        elif not name.startswith(VIA):
            layout.boxes[name] = point(thing["pos"])
    # Wires come back in an order of Graphviz's own: those between the same two boxes and ports keep theirs.
    names = {thing["_gvid"]: thing["name"] for thing in answer["objects"]}
    drawn: dict[tuple[str, str, str | None], list[dict[str, str]]] = {}
    for edge in answer.get("edges", ()):
        port = edge.get("headport")
        drawn.setdefault((names[edge["tail"]], names[edge["head"]], port), []).append(edge)
    boxes = {box.key: box for box in scene.boxes}

    def found(tail: str, head: str, port: str | None) -> tuple[Curve, Point | None, Point | None]:
        edge = drawn[tail, head, port].pop(0)
        tip = None
        curve = []
        for part in edge["pos"].split():
            if part.startswith("e,"):
                tip = point(part[2:])
            elif not part.startswith("s,"):
                curve.append(point(part))
        return curve, tip, point(edge["lp"]) if "lp" in edge else None

    for i, wire in enumerate(scene.wires):
        port = head_port(boxes[wire.head], wire)
        if wire.via is None:
            layout.wires.append(found(wire.tail, wire.head, port))
        else:
            before, _, _ = found(wire.tail, f"{VIA}{i}", None)
            after, tip, note = found(f"{VIA}{i}", wire.head, port)
            layout.wires.append((joined(before, after), tip, note))
    if scene.sideways:
        curves = routes.routed(scene, layout.boxes, [curve for curve, _, _ in layout.wires])
        layout.wires = [(curve, None, place) for curve, place in curves]
        trim(layout, scene)
    return layout


def trim(layout: Layout, scene: Scene) -> None:
    """Cut off the room that Graphviz kept for wires which now run elsewhere."""
    points = [(float(x), float(y)) for curve, _, _ in layout.wires for x, y in routes.sampled(curve)]
    for box in scene.boxes:
        x, y = layout.boxes[box.key]
        points += [(x - box.width / 2, y - box.height / 2), (x + box.width / 2, y + box.height / 2)]
    left, top = min(x for x, _ in points), min(y for _, y in points)
    layout.width, layout.height = max(x for x, _ in points) - left, max(y for _, y in points) - top

    def moved(place: Point | None) -> Point | None:
        return None if place is None else (place[0] - left, place[1] - top)

    layout.boxes = {key: (x - left, y - top) for key, (x, y) in layout.boxes.items()}
    layout.wires = [
        ([(x - left, y - top) for x, y in curve], moved(tip), moved(place)) for curve, tip, place in layout.wires
    ]
