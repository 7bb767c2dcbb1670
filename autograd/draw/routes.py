"""The wires of a circuit: each is one smooth curve, from the piece of wire at its source to the outline of a gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from autograd.draw.scene import Box, Scene, Wire

CLEAR: Final = 4.0  # so far from a wire stays what it does not belong to
SHORTEST: Final = 34.0  # a bend takes at least so much of the way
SAMPLES: Final = np.linspace(0.0, 1.0, 25)[:, None]
WEIGHTS: Final = np.hstack(
    [(1 - SAMPLES) ** 3, 3 * SAMPLES * (1 - SAMPLES) ** 2, 3 * SAMPLES**2 * (1 - SAMPLES), SAMPLES**3]
)
Point = tuple[float, float]
Curve = list[Point]  # the points of cubic Béziers, one after the other: 1 + 3n


@dataclass(slots=True)
class Ends:
    """Where a wire starts, until where and from where on it runs level, and where it ends."""

    first: Point
    start: Point
    arrival: Point
    last: Point

    def whole(self, curve: Curve) -> Curve:
        """Return the wire, given the curve between its level ends."""
        before = [self.first, *level(self.first, self.start[0])] if self.first[0] < self.start[0] else [self.start]
        after = level(self.arrival, self.last[0]) if self.arrival[0] < self.last[0] else []
        return before + curve[1:] + after


def bend(start: Point, end: Point) -> Curve:
    """Return a curve that leaves and arrives level; without its first point."""
    middle = (start[0] + end[0]) / 2
    return [(middle, start[1]), (middle, end[1]), end]


def level(start: Point, x: float) -> Curve:
    """Return a level line to `x`, without its first point."""
    (x0, y), step = start, (x - start[0]) / 3
    return [(x0 + step, y), (x - step, y), (x, y)]


def proposals(ends: Ends) -> list[Curve]:
    """Return ways to lead a wire, the best looking first: one bend, over all the way or at either end of it."""
    start, arrival = ends.start, ends.arrival
    way = arrival[0] - start[0]
    found = [[start, *bend(start, arrival)]]
    reach = max(SHORTEST, abs(arrival[1] - start[1]) * 0.8)
    if reach < way:
        turned = (start[0] + reach, arrival[1])
        found.append([start, *bend(start, turned), *level(turned, arrival[0])])
        turned = (arrival[0] - reach, start[1])
        found.append([start, *level(start, turned[0]), *bend(turned, arrival)])
    return found


def around(ends: Ends, guide: Curve) -> Curve:
    """Return the way that Graphviz found past everything, fitted to where the wire starts and ends."""
    curve = smooth(guide)
    curve[0], curve[-1] = ends.start, ends.arrival
    curve[1] = (max(curve[1][0], ends.start[0] + 4), ends.start[1])
    curve[-2] = (min(curve[-2][0], ends.arrival[0] - 4), ends.arrival[1])
    return curve


def smooth(curve: Curve) -> Curve:
    """Return a curve without the kinks where its pieces meet: Graphviz rounds its points."""
    curve = list(curve)
    for i in range(3, len(curve) - 1, 3):
        (x0, y0), (x, y), (x1, y1) = curve[i - 1 : i + 2]
        along = np.array((x1 - x0, y1 - y0))
        size = float(np.hypot(*along)) or 1.0
        before, after = float(np.hypot(x - x0, y - y0)), float(np.hypot(x1 - x, y1 - y))
        ux, uy = (float(v) / size for v in along)
        curve[i - 1] = (x - ux * before, y - uy * before)
        curve[i + 1] = (x + ux * after, y + uy * after)
    return curve


def sampled(curve: Curve) -> Any:
    """Return points on a curve, an array of pairs."""
    pieces = [WEIGHTS @ np.array(curve[i : i + 4]) for i in range(0, len(curve) - 1, 3)]
    return np.concatenate(pieces)


class Routes:
    """Leads the wires of one picture past its boxes."""

    def __init__(self, scene: Scene, places: dict[str, Point]) -> None:
        self.boxes = {box.key: box for box in scene.boxes}
        self.number = {box.key: i for i, box in enumerate(scene.boxes)}
        self.corner = {
            key: (places[key][0] - box.width / 2, places[key][1] - box.height / 2) for key, box in self.boxes.items()
        }
        corners = np.array([self.corner[key] for key in self.boxes])
        sizes = np.array([(box.width, box.height) for box in scene.boxes])
        self.low, self.high = corners - CLEAR, corners + sizes + CLEAR

    def ends(self, wire: Wire, port: float) -> Ends:
        """Return the ends of a wire to a port; halfway between two ports is the middle of the gate."""
        tail, head = self.boxes[wire.tail], self.boxes[wire.head]
        (x, y), (u, v) = self.corner[wire.tail], self.corner[wire.head]
        out, into = tail.outlet(), head.inlet(port)
        start, arrival = x + tail.width, u + min(head.level_from(), into[0])
        height, depth = y + out[1], v + into[1]
        return Ends((x + out[0], height), (start, height), (arrival, depth), (u + into[0], depth))

    def blocked(self, curve: Curve, wire: Wire) -> bool:
        points = sampled(curve)[:, None, :]
        inside = ((points > self.low) & (points < self.high)).all(axis=2).any(axis=0)
        inside[[self.number[wire.tail], self.number[wire.head]]] = False
        return bool(inside.any())

    def route(self, wire: Wire, port: float, guide: Curve) -> Curve:
        ends = self.ends(wire, port)
        for curve in proposals(ends):
            if not self.blocked(curve, wire):
                return ends.whole(curve)
        return ends.whole(around(ends, guide))

    def ports(self, wires: Sequence[Wire], guides: Sequence[Curve]) -> list[int]:
        """Return the port of each of the wires to one gate: those that come from above on top, if it lets us choose."""
        box: Box = self.boxes[wires[0].head]
        if not box.free or len(wires) < 2:
            return [wire.port or 0 for wire in wires]
        middle = (len(wires) - 1) / 2
        heights = []
        for wire, guide in zip(wires, guides, strict=True):
            points = sampled(self.route(wire, middle, guide))
            before = points[points[:, 0] < self.corner[wire.head][0] - SHORTEST / 2]
            heights.append(float(before[-1, 1]) if len(before) else float(points[0, 1]))
        order = sorted(range(len(wires)), key=lambda i: (heights[i], i))
        return [order.index(i) for i in range(len(wires))]


def routed(scene: Scene, places: dict[str, Point], guides: Sequence[Curve]) -> list[tuple[Curve, Point]]:
    """Return the curve of each wire, and where what is written at its end starts."""
    routes = Routes(scene, places)
    of_head: dict[str, list[int]] = {}
    for i, wire in enumerate(scene.wires):
        of_head.setdefault(wire.head, []).append(i)
    found: dict[int, tuple[Curve, Point]] = {}
    for key, numbers in of_head.items():
        wires = [scene.wires[i] for i in numbers]
        ports = routes.ports(wires, [guides[i] for i in numbers])
        for i, wire, port in zip(numbers, wires, ports, strict=True):
            curve = routes.route(wire, port, guides[i])
            found[i] = curve, (routes.corner[key][0] + 1, curve[-1][1])
    return [found[i] for i in range(len(scene.wires))]
