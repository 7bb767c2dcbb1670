import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import autograd
from autograd import Tensor
from autograd.draw import draw


def leaf(value, name=None):
    return Tensor(float(value), requires_grad=True, name=name)


@pytest.fixture
def result():
    x, y, z = leaf(-2, "x"), leaf(5, "y"), leaf(-4, "z")
    q = x + y
    q.name = "q"
    f = np.tanh(q * z / 10) + q
    f.backward()
    return f


def test_frames_are_in_the_order_of_the_backward_pass():
    x, y = leaf(2, "x"), leaf(3, "y")
    visited = []
    a = x * y
    b = np.exp(x)
    c = a + b
    d = c * a
    for name, t in (("a", a), ("b", b), ("c", c), ("d", d)):
        t.name = name
        t.register_hook(lambda g, name=name: visited.append(name))
    d.backward()
    assert [frame.step.name for frame in draw(d, steps=True).frames] == visited == ["d", "c", "b", "a"]


def test_each_frame_says_what_arrives_and_what_is_sent_on():
    x, y, z = leaf(-2, "x"), leaf(5, "y"), leaf(-4, "z")
    q = x + y
    f = q * z
    f.backward()
    first, second = [frame.step for frame in draw(f, steps=True, names={"q": q}).frames]
    assert (first.gate, first.arrived, first.local, first.sent) == ("multiply", 1, (-4, 3), (-4, 3))
    assert (second.gate, second.name, second.arrived, second.local, second.sent) == ("add", "q", -4, (1, 1), (-4, -4))
    assert str(first).endswith("arrives 1   ·   local derivative −4, 3   ·   sends −4 to q, 3 to z")


def test_gradients_appear_frame_by_frame(result):
    seen = [frame.svg.count('class="gradient middle"') for frame in draw(result, steps=True).frames]
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] == draw(result).svg.count('class="gradient middle"')


def test_a_branch_is_complete_only_after_its_last_user(result):
    frames = draw(result, steps=True).frames
    assert [">= " in frame.svg for frame in frames] == [False, False, False, True, True]


def test_animation_is_one_file_without_script(result, tmp_path):
    path = draw(result, steps=True).save(tmp_path / "backward.svg")
    root = ET.parse(path).getroot()
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    style = next(e for e in root.iter() if e.tag.endswith("style")).text
    assert "@media (prefers-reduced-motion:no-preference)" in style
    still, moving = style.split("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in re.sub(r"@keyframes \w+", "", still), "nothing moves where it is not wished"
    for step in range(5):
        assert f"during{step}{{animation-name" in moving
        assert re.search(rf"@keyframes \w+at{step}\{{", still)
    assert [p.name for p in tmp_path.iterdir()] == ["backward.svg"]


def test_two_animations_on_one_page_do_not_mix(result):
    x = leaf(3, "x")
    other = np.exp(x)
    other.backward()
    scopes = [ET.fromstring(draw(f, steps=True).svg).get("class") for f in (result, other)]
    assert scopes[0] != scopes[1]


def test_a_notebook_gets_the_animation(result):
    bundle = draw(result, steps=True)._repr_mimebundle_()
    assert "@keyframes" in bundle["image/svg+xml"]
    frame = draw(result, steps=True).frames[0]
    assert "@keyframes" not in frame._repr_mimebundle_()["image/svg+xml"]
    assert repr(frame).startswith("<Drawing: Step 1 of 5:")


def test_steps_of_tensors_have_norms():
    w = Tensor(np.ones((3, 40)), requires_grad=True, name="w")
    x = Tensor(np.ones((20, 3)), name="x")
    with autograd.record():
        f = np.sum(np.tanh(x @ w))
        f.backward()
    drawing = draw(f, steps=True)
    assert [frame.step.gate for frame in drawing.frames] == ["sum", "tanh", "matmul"]
    assert "arrives ‖28.3‖ (20×40)" in str(drawing.frames[1].step)


def test_steps_without_a_backward_pass_are_refused():
    x = leaf(2)
    with pytest.raises(ValueError, match=r"call \.backward\(\) first"):
        draw(x * x, steps=True)
    with pytest.raises(ValueError, match="leaf"):
        draw(x, steps=True)
    with pytest.raises(ValueError, match="one tensor"):
        draw(x * 2, x * 3, steps=True)


def test_steps_of_a_large_graph_are_refused():
    y = x = leaf(1)
    for _ in range(400):
        y = y + x
    y.backward()
    with pytest.raises(ValueError, match="collapse='none'"):
        draw(y, steps=True)


def test_captions_say_where_a_nameless_gate_is_and_count_gradients():
    x, y = leaf(2, "x"), leaf(3, "y")
    f = (x * y) + x
    f.backward()
    first = draw(f, steps=True).frames[0]
    assert str(first.step).endswith("sends 1 to ×, 1 to x")
    x.grad = None
    assert "1 leaf with a gradient" in draw(f, steps=True).svg
