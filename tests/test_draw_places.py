"""What only shows in the finished layout: nothing overlaps, text stays in its box, wires are whole and smooth."""

import itertools
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.draw import draw, engine
from autograd.draw.text import width

SVG = "{http://www.w3.org/2000/svg}"


def leaf(value, name):
    return Tensor(float(value), requires_grad=True, name=name)


def neuron():
    w0, x0, w1, x1, w2 = leaf(2, "w0"), leaf(-1, "x0"), leaf(-3, "w1"), leaf(-2, "x1"), leaf(-3, "w2")
    return 1 / (1 + np.exp(-1 * (w0 * x0 + w1 * x1 + w2)))


def branches():
    a, b = leaf(3e9, "a" * 40), leaf(-1.2345e-7, "👩‍🚀")
    s = a * b
    return np.maximum(s, a) * s + np.tanh(s) / b + np.logaddexp(a, b)


def network():
    w, b = (
        Tensor(np.ones((3, 40)), requires_grad=True, name="W" * 60),
        Tensor(np.zeros(40), requires_grad=True, name="b"),
    )
    with autograd.record():
        return np.sum(np.tanh(np.ones((20, 3)) @ w + b) * 0.0)


def several():
    a, b, c, d = (leaf(i + 1, name) for i, name in enumerate("abcd"))
    e = np.stack([a, b - c, a, d])
    return np.sum(np.where([True, False, True, False], e, e * e)) / a - b + (a * c - Tensor(2.0, name="k"))


def tangle():
    rng = np.random.default_rng(3)
    pool = [leaf(i + 1, f"v{i}") for i in range(4)]
    for _ in range(20):
        i, j = rng.integers(0, len(pool), 2)
        pool.append([np.add, np.subtract, np.maximum, np.multiply][rng.integers(4)](pool[i], pool[j]) * 0.5)
    return sum(pool[-4:], 0.0)


@pytest.mark.parametrize("made", [neuron, branches, several, tangle, network])
def test_boxes_do_not_overlap_and_hold_their_text(made):
    with autograd.record():
        result = made()
        result.backward()
    drawing = draw(result, steps=True)
    sizes = {}
    for line in drawing.dot.splitlines():
        if found := re.match(r"\s*(n\d+) \[.*height=([\d.]+).* width=([\d.]+)", line):
            sizes[found[1]] = (72 * float(found[3]), 72 * float(found[2]))
    root = ET.fromstring(drawing.svg)
    groups = [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("box ")]
    assert len(groups) == len(sizes)
    places = []
    for group, (w, h) in zip(groups, sizes.values(), strict=True):
        x, y = map(float, re.findall(r"-?[\d.]+", group.get("transform")))
        places.append((x, y, x + w, y + h))
        for text in group.iter(f"{SVG}text"):
            kinds = text.get("class").split()
            content = "".join(text.itertext())
            size = 11 if {"terms", "small", "badgetext", "zerotext"} & set(kinds) else 10 if "role" in kinds else 13
            long = width(content, size)
            middle = {"middle", "sign", "role", "badgetext", "zerotext", "sigmatext"} & set(kinds)
            start = float(text.get("x")) - (long / 2 if middle else 0)
            assert start >= -1, content
            assert start + long <= w + 1, content
            assert 0 <= float(text.get("y")) <= h, content
    for i, (x0, y0, x1, y1) in enumerate(places):
        for u0, v0, u1, v1 in places[:i]:
            assert x1 <= u0 + 1 or u1 <= x0 + 1 or y1 <= v0 + 1 or v1 <= y0 + 1
    wide, high = float(root.get("width")), float(root.get("height"))
    assert all(x >= 0 and y >= 0 and right <= wide and bottom <= high for x, y, right, bottom in places)


def wires(root):
    """Return the wires of a circuit, each as the points of its cubic Béziers."""
    (body,) = [g for g in root.findall(f"{SVG}g") if g.get("transform")]
    found = []
    for path in body.findall(f"{SVG}path"):
        start, _, rest = path.get("d").removeprefix("M").partition("C")
        assert not set("MLHVQAZ") & set(rest), "one piece, without corners"
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", f"{start} {rest}")]
        points = np.array(numbers).reshape(-1, 2)
        assert len(points) % 3 == 1
        found.append(points)
    return found


def along(points, samples=20):
    t = np.linspace(0, 1, samples)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
    pieces = [sum(w * p for w, p in zip(weights, points[i : i + 4], strict=True)) for i in range(0, len(points) - 1, 3)]
    return np.concatenate(pieces)


def outlines(root):
    """Return of each box its place, the rounded rectangles that wires may touch, and its Σ."""
    for group in root.iter(f"{SVG}g"):
        if not group.get("class", "").startswith("box "):
            continue
        x, y = map(float, re.findall(r"-?[\d.]+", group.get("transform")))
        bodies, circles = [], []
        for e in group.iter():
            kind = (e.get("class") or "").split()
            if e.tag == f"{SVG}rect" and {"gate", "leaf", "constant"} & set(kind):
                left, top, w, h, r = (float(e.get(k, 0)) for k in ("x", "y", "width", "height", "rx"))
                bodies.append((kind[0], x + left, y + top, w, h, r))
            elif e.tag == f"{SVG}circle":
                circles.append((kind[0], x + float(e.get("cx")), y + float(e.get("cy")), float(e.get("r"))))
        yield bodies, circles


def off_outline(point, body):
    """Return how far a point lies from a rounded rectangle, negative inside."""
    _, left, top, w, h, r = body
    dx = abs(point[0] - left - w / 2) - (w / 2 - r)
    dy = abs(point[1] - top - h / 2) - (h / 2 - r)
    return math.hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - r


def circuit(result):
    result.backward()
    drawing = draw(result)
    assert "circuit" in repr(drawing)
    return drawing, ET.fromstring(drawing.svg)


@pytest.mark.parametrize("made", [neuron, branches, several, tangle])
def test_a_wire_goes_in_one_smooth_curve_from_outline_to_outline(made):
    with autograd.record():
        result = made()
        drawing, root = circuit(result)
    found = wires(root)
    assert len(found) == drawing.dot.count(" -> ")
    shapes = list(outlines(root))
    gates = [body for bodies, _ in shapes for body in bodies if body[0] == "gate"]
    bodies = [body for bodies, _ in shapes for body in bodies]
    circles = [circle for _, circles in shapes for circle in circles]
    for points in found:
        assert min(abs(off_outline(points[-1], gate)) for gate in gates) < 0.5, "ends on the outline of a gate"
        starts = [abs(off_outline(points[0], body)) for body in bodies]
        starts += [max(0.0, math.hypot(points[0][0] - x, points[0][1] - y) - r) for _, x, y, r in circles]
        assert min(starts) < 0.5, "starts at a source, a gate or the Σ of a branch"
        assert abs(points[0][1] - points[1][1]) < 0.2, "leaves level"
        assert abs(points[-2][1] - points[-1][1]) < 0.2, "arrives level"
        for i in range(3, len(points) - 1, 3):
            before, after = points[i] - points[i - 1], points[i + 1] - points[i]
            turn = math.atan2(before[0] * after[1] - before[1] * after[0], float(before @ after))
            assert abs(turn) < math.radians(3), "no kink"
        assert (np.diff(along(points)[:, 0]) > -0.2).all(), "no hook"


@pytest.mark.parametrize("made", [neuron, branches, several, tangle])
def test_pieces_of_wire_in_boxes_join_without_gaps(made):
    with autograd.record():
        _, root = circuit(made())
    for group in root.iter(f"{SVG}g"):
        if not group.get("class", "").startswith("box "):
            continue
        pieces = [e.get("d") for e in group.iter(f"{SVG}path") if e.get("class") == "wire"]
        tips = [e.get("d") for e in group.iter(f"{SVG}path") if e.get("class") == "tip"]
        sums = [e for e in group.iter(f"{SVG}circle") if e.get("class") == "sigma"]
        assert len(pieces) == len(tips) + len(sums)
        for piece in pieces:
            x0, y0, x1, y1 = map(float, re.findall(r"-?[\d.]+", piece))
            assert y0 == y1
            bodies = [e for e in group.iter(f"{SVG}rect") if e.get("class").split()[0] in ("gate", "leaf")]
            assert abs(float(bodies[0].get("x", 0)) + float(bodies[0].get("width")) - x0) < 0.5
            reached = float(sums[0].get("cx")) if sums else float(re.findall(r"-?[\d.]+", tips[0])[2]) - 6
            assert abs(x1 - reached) < 0.5


@pytest.mark.parametrize("made", [neuron, branches, several, tangle])
def test_wires_pass_by_boxes_that_they_do_not_belong_to(made):
    with autograd.record():
        _, root = circuit(made())
    bodies = [body for bodies, _ in outlines(root) for body in bodies]
    for points in wires(root):
        inner = along(points)
        for body in bodies:
            inside = [point for point in inner if off_outline(point, body) < -1]
            assert not inside


def crossings(first, second):
    """Return how often two curves swap sides: both run from left to right."""
    a, b = along(first, 60), along(second, 60)
    x = np.linspace(max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0]), 200)
    apart = np.interp(x, a[:, 0], a[:, 1]) - np.interp(x, b[:, 0], b[:, 1])
    sides = np.sign(apart[np.abs(apart) > 0.5])
    return int((np.diff(sides) != 0).sum())


def test_operands_that_may_change_places_do_not_cross():
    x, y = leaf(3, "x"), leaf(-4, "y")
    q = x * y
    _, root = circuit(np.maximum(q, x) + q * 2)
    for first, second in itertools.combinations(wires(root), 2):
        assert crossings(first, second) == 0


@pytest.mark.parametrize("swapped", [False, True])
def test_operands_of_a_difference_keep_their_order(swapped):
    x, y = leaf(3, "x"), leaf(-4, "y")
    _, root = circuit(y - x if swapped else x - y)
    heights = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class", "").startswith("box "):
            heights[group.find(f"{SVG}title").text.splitlines()[0]] = float(group.get("transform").split(",")[1][:-1])
    assert (heights["leaf x"] < heights["leaf y"]) != swapped


def test_what_is_sent_along_a_wire_stands_below_its_end():
    x, y = leaf(3, "x"), leaf(-4, "y")
    _, root = circuit(x * y + x)
    (body,) = [g for g in root.findall(f"{SVG}g") if g.get("transform")]
    ends = wires(root)
    labels = [t for t in body.findall(f"{SVG}text") if t.get("class") == "terms"]
    assert sorted(t.text for t in labels) == ["1", "−4"]
    for label in labels:
        left, foot = float(label.get("x")), float(label.get("y"))
        above = [points for points in ends if abs(points[-1][1] + 13 - foot) < 0.2 and 0 < points[-1][0] - left < 60]
        assert len(above) == 1


def test_the_same_graph_gives_the_same_picture():
    pictures = []
    for _ in range(2):
        engine.render.cache_clear()
        with autograd.record():
            _, root = circuit(tangle())
        pictures.append(ET.tostring(root))
    assert pictures[0] == pictures[1]


def test_pictures_of_the_readme_are_small():
    pictures = list((Path(__file__).parent.parent / "notebooks" / "pictures").glob("*.svg"))
    assert len(pictures) >= 3
    assert max(path.stat().st_size for path in pictures) < 60_000
