"""What only shows in the finished layout: nothing overlaps, and text stays in its box."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.draw import draw
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


@pytest.mark.parametrize("made", [neuron, branches, network])
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
