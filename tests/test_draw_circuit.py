import gc
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from autograd.draw import draw

SVG = "{http://www.w3.org/2000/svg}"


def leaf(value, name=None):
    return Tensor(float(value), requires_grad=True, name=name)


def boxes(drawing):
    """Return the texts of each box of the picture, the first line of its tooltip being its key."""
    root = ET.fromstring(drawing.svg)
    found = {}
    for group in root.iter(f"{SVG}g"):
        if "box" in group.get("class", "").split():
            title = group.find(f"{SVG}title").text.splitlines()[0]
            texts = {}
            for text in group.iter():
                if text.tag in (f"{SVG}text", f"{SVG}tspan") and text.text:
                    for kind in text.get("class", "plain").split():
                        texts.setdefault(kind, []).append(text.text)
            found.setdefault(title, []).append(texts)
    return found


def box(drawing, title):
    (found,) = boxes(drawing)[title]
    return found


def classes(drawing):
    return [kind for element in ET.fromstring(drawing.svg).iter() for kind in element.get("class", "").split()]


@pytest.fixture
def product():
    x, y, z = leaf(-2, "x"), leaf(5, "y"), leaf(-4, "z")
    q = x + y
    q.name = "q"
    f = q * z
    f.name = "f"
    return f


def test_product_of_a_sum_has_values_above_and_gradients_below(product):
    product.backward()
    drawing = draw(product)
    shown = {title: (texts["value"], texts["gradient"]) for title, (texts,) in boxes(drawing).items()}
    assert shown == {
        "leaf x": (["−2"], ["−4"]),
        "leaf y": (["5"], ["−4"]),
        "leaf z": (["−4"], ["3"]),
        "add q": (["3"], ["−4"]),
        "multiply f": (["−12"], ["1"]),
    }
    assert box(drawing, "add q")["role"] == ["distributes"]
    assert box(drawing, "multiply f")["role"] == ["switches"]
    assert box(drawing, "add q")["sign"] == ["+"]


def test_value_lies_above_the_wire_and_gradient_below(product):
    product.backward()
    root = ET.fromstring(draw(product).svg)
    for group in root.iter(f"{SVG}g"):
        if "box" not in group.get("class", "").split():
            continue
        body = next(e for e in group.iter(f"{SVG}rect") if e.get("class").split()[0] in ("leaf", "gate"))
        at = float(body.get("y")) + float(body.get("height")) / 2  # where wires leave: see test_draw_places.py
        above = next(t for t in group.iter(f"{SVG}text") if t.find(f"{SVG}tspan[@class='value']") is not None)
        below = next(t for t in group.iter(f"{SVG}text") if "gradient" in t.get("class"))
        assert float(above.get("y")) < at < float(below.get("y"))


def test_before_backward_gradients_are_absent(product):
    drawing = draw(product)
    assert all("gradient" not in texts for (texts,) in boxes(drawing).values())
    assert "gradient below" not in drawing.svg


def test_sigmoid_circuit_has_the_values_and_gradients_of_the_lectures():
    w0, x0, w1, x1, w2 = leaf(2, "w0"), leaf(-1, "x0"), leaf(-3, "w1"), leaf(-2, "x1"), leaf(-3, "w2")
    f = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + w2)))
    f.backward()
    drawing = draw(f)
    shown = {title: texts[0]["gradient"] for title, texts in boxes(drawing).items() if title.startswith("leaf")}
    assert shown == {
        "leaf w0": ["−0.20"],
        "leaf x0": ["0.39"],
        "leaf w1": ["−0.39"],
        "leaf x1": ["−0.59"],
        "leaf w2": ["0.20"],
    }
    last = box(drawing, "divide")
    assert last["sign"] == ["1/x"]
    assert last["value"] == ["0.73"]
    assert last["gradient"] == ["1.00"]
    assert last["role"] == ["local −0.53"]
    exponential = box(drawing, "exp")
    assert (exponential["value"], exponential["gradient"], exponential["role"]) == (["0.37"], ["−0.53"], ["local 0.37"])
    assert box(drawing, "negative")["role"] == ["local −1.00"]
    assert [texts["sign"] for texts in boxes(drawing)["add"]] == [["+"], ["+"], ["+1"]]


def test_max_gate_routes_along_one_strong_wire():
    a, b = leaf(3, "a"), leaf(-1, "b")
    f = np.maximum(a, b)
    f.backward()
    drawing = draw(f)
    gate = box(drawing, "maximum")
    assert (gate["sign"], gate["role"]) == (["max"], ["routes"])
    edges = {line.split(" -> ")[0].split(":")[0].strip(): line for line in drawing.dot.splitlines() if " -> " in line}
    assert "penwidth" in edges["n0"]
    assert "penwidth" not in edges["n1"]
    assert "the winner" in drawing.svg


def test_branch_shows_the_sum_and_its_terms():
    x, y = leaf(3, "x"), leaf(-4, "y")
    f = x * y + x
    f.backward()
    branch = box(draw(f), "leaf x")
    assert branch["sigmatext"] == ["Σ"]
    assert branch["gradient"] == ["−3"]
    assert branch["terms"] == ["= 1 − 4"]
    assert "sigmatext" not in box(draw(f), "leaf y")


def test_two_backward_passes_are_told_from_one_at_a_branch():
    x = leaf(3, "x")
    for _ in range(2):
        f = x * x
        f.backward()
    assert box(draw(f), "leaf x")["terms"] == ["= 3 + 3 + earlier"]


def test_one_tensor_used_twice_by_one_gate_has_two_wires():
    x = leaf(3, "x")
    f = x * x
    assert draw(f).dot.count(" -> ") == 2


def test_small_recorded_tensors_are_a_circuit():
    v = Tensor([1.0, 2.0, 3.0], requires_grad=True, name="v")
    with autograd.record():
        f = np.sum(v * 2.0)
        f.backward()
    drawing = draw(f, names={"v": v})
    assert repr(drawing) == "<Drawing: circuit of 2 operations on 1 leaf>"
    assert box(drawing, "multiply")["value"] == ["[2 4 6]"]
    assert box(drawing, "leaf v")["gradient"] == ["[2 2 2]"]


def test_names_are_found_in_variables_and_own_names_come_first():
    x = leaf(1)
    y = leaf(2, "own")
    f = x * y
    drawing = draw(f, names={"x": x, "y": y, "f": f, "unrelated": 3})
    assert set(boxes(drawing)) == {"leaf x", "leaf own", "multiply f"}


def test_named_constants_are_drawn_and_nameless_numbers_stand_on_the_gate():
    x = leaf(2, "x")
    data = Tensor(5.0, name="data")
    drawing = draw(x * data + 7)
    assert "constant data" in boxes(drawing)
    assert box(drawing, "add")["sign"] == ["+7"]


@pytest.mark.parametrize(
    ("made", "sign"),
    [
        (lambda x: x - 3, "−3"),
        (lambda x: 3 - x, "3 − x"),
        (lambda x: x / 4, "÷4"),
        (lambda x: x**2, "x²"),
        (lambda x: 2.0**x, "2ˣ"),
        (lambda x: x * -1, "×−1"),
        (lambda x: np.maximum(x, 0.0), "max(x, 0)"),
    ],
)
def test_constants_on_gates(made, sign):
    (texts,) = [t for title, (t,) in boxes(draw(made(leaf(2, "x")))).items() if title != "leaf x"]
    assert texts["sign"] == [sign]


def test_constant_alone_is_drawn():
    assert set(boxes(draw(Tensor(3.0, name="c")))) == {"constant c"}
    assert set(boxes(draw(leaf(3, "x")))) == {"leaf x"}


def test_several_results_share_a_picture():
    x = leaf(2, "x")
    drawing = draw(x * 2, x + 1)
    assert set(boxes(drawing)) == {"leaf x", "multiply", "add"}


def test_infinite_and_missing_values_are_words():
    x = leaf(0, "x")
    with np.errstate(all="ignore"):
        f = np.log(x)
    assert box(draw(f), "log")["value"] == ["−∞"]
    assert box(draw(f * np.nan), "multiply")["value"] == ["NaN"]


NASTY = [
    "<script>alert(1)</script>",
    "a\"b'c",
    "back\\slash\\n \\N \\G",
    "two\nlines\r\nthree",
    "👩‍🚀 rocket 🚀",
    "x" * 500,
    "<b>&amp;",
    "<<table>>",
    "nul\x00bell\x07",
    "\ud800 lone",
    "\u202eright to left",
    "",
    " ",
    "{a|b}",
    "%s %(x)s {0}",
    "]]>",
]


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_labels_are_drawn_as_text(name):
    x = leaf(1, name)
    f = x * 2
    f.name = name
    f.backward()
    drawing = draw(f, steps=True)
    for svg in (drawing.svg, drawing.frames[0].svg):
        root = ET.fromstring(svg.encode())
        assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("script", "foreignObject", "image", "a")]
        assert not [k for e in root.iter() for k in e.attrib if k.lower().startswith("on") or k.endswith("href")]
    shown = [t for (texts,) in boxes(drawing).values() for t in texts.get("name", ())]
    assert all(len(text) <= 28 for text in shown)
    if name == "x" * 500:
        assert any("x" * 500 in title for title in boxes(drawing))
    if name.startswith("<script"):
        assert any(text.startswith("<script>") for text in shown)


def test_nasty_labels_survive_the_dot_language(tmp_path):
    network = sum((np.sum(Tensor(np.ones(50), requires_grad=True, name=name) * 2) for name in NASTY), 0.0)
    assert ET.parse(draw(network).save(tmp_path / "network.svg"))
    circuit = sum((leaf(1, name) * 2 for name in NASTY), 0.0)
    for drawing in (network, circuit):
        assert draw(drawing).save(tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_picture_brings_its_own_ground_and_generic_fonts(product):
    svg = draw(product).svg
    assert "font-family:sans-serif" in svg
    assert "ground" in classes(draw(product))
    assert "http://www.w3.org/2000/svg" in svg
    assert svg.count("http") == 1, "nothing is loaded from elsewhere"


def test_drawing_changes_nothing():
    x, y = leaf(2, "x"), Tensor([1.0, 2.0], requires_grad=True, name="y")
    with autograd.record():
        f = np.sum(x * y * x)
        f.backward(retain_graph=True)
    node = f._node
    product = node.parents[0]
    things = [f, x, x._node, x.grad, y._node, y.grad.data, node, node.saved, product, product.value, product.grad]
    gc.collect()
    before = [sys.getrefcount(thing) for thing in things]
    values = (f.item(), x.grad.item(), y.grad.numpy().copy(), node.seq, node.op)
    drawing = draw(f, steps=True, names={"x": x, "y": y, "f": f})
    assert drawing.svg
    assert drawing.dot
    assert [frame.svg for frame in drawing.frames]
    gc.collect()
    assert [sys.getrefcount(thing) for thing in things] == before
    assert (f.item(), x.grad.item(), node.seq, node.op) == (*values[:2], *values[3:])
    np.testing.assert_array_equal(y.grad.numpy(), values[2])
    f.backward()
    assert x.grad.item() == 2 * values[1]


def test_later_changes_do_not_reach_a_drawing():
    y = Tensor([1.0, 2.0], requires_grad=True, name="y")
    with autograd.record():
        f = np.sum(y * 2)
        f.backward()
    drawing = draw(f)
    y.grad.data[:] = 77
    assert box(drawing, "leaf y")["gradient"] == ["[2 2]"]


def test_complex_gradients_are_those_that_users_see():
    z = Tensor(1 + 2j, requires_grad=True, name="z")
    f = np.real(z * (3 + 1j))
    f.backward()
    assert box(draw(f), "leaf z")["gradient"] == ["3−1i"]
    assert z.grad.item() == 3 - 1j


def test_a_rule_that_fails_leaves_its_number_out():
    def broken(g, x):
        if float(g) == 1.0 and broken.armed:
            raise ZeroDivisionError
        return g * x

    broken.armed = False
    odd = autograd.operation(lambda x: x * x / 2, name="odd", x=broken)
    x = leaf(3, "x")
    f = odd(x)
    f.backward()
    broken.armed = True
    assert "role" not in box(draw(f), "odd")
    assert box(draw(f), "odd")["gradient"] == ["1.00"]


def test_rules_that_read_options_are_answered_for_by_recorded_gradients():
    scale = autograd.operation(lambda x, factor: x * factor, name="scale", x=lambda g, factor: g * factor)
    x = leaf(3, "x")
    f = scale(x * 1.0, 5.0)
    f.backward()
    assert box(draw(f), "scale")["role"] == ["local 5"]


@pytest.mark.parametrize("wrong", [(), (3.0,), ([Tensor(1.0)],)])
def test_only_tensors_are_drawn(wrong):
    with pytest.raises(TypeError, match="draw"):
        draw(*wrong)


def test_constants_that_look_alike_are_drawn_apart():
    g = leaf(3)
    one, two = Tensor(2.0, name="c"), Tensor(2.0, name="c")
    assert len(boxes(draw(g * one + g * two))["constant c"]) == 2


def test_subtraction_turns_the_sign_of_what_it_sends():
    x, y = leaf(5, "x"), leaf(2, "y")
    f = x - y
    f.backward()
    assert box(draw(f), "subtract")["role"] == ["local 1, −1"]


def test_small_numbers_keep_two_digits():
    x = leaf(0.0149, "x")
    texts = boxes(draw(x + leaf(0.0051, "y")))
    assert [texts[name][0]["value"] for name in ("leaf x", "leaf y", "add")] == [["0.015"], ["0.0051"], ["0.020"]]
    y = leaf(0.0951, "y")
    assert box(draw(y * 1.5), "leaf y")["value"] == ["0.095"]
    assert box(draw(leaf(0.0996, "z") * 1.5), "leaf z")["value"] == ["0.10"]


def test_a_gate_shows_which_operand_is_a_constant():
    assert box(draw(np.clip(leaf(0.3, "x"), 0, 0.5)), "clip")["sign"] == ["clip(x, 0, 0.5)"]


def test_a_circuit_that_would_be_too_wide_to_read_is_collapsed():
    x = leaf(1, "x")

    def chain(length):
        y = x
        for i in range(length):
            y = y * x if i % 2 else y + x
        return y

    assert repr(draw(chain(60))) == "<Drawing: circuit of 60 operations on 1 leaf>"
    assert repr(draw(chain(62))) == "<Drawing: 62 operations on 1 leaf, collapsed to 3 boxes>"
    assert "63 nodes, collapsed because more than 60 lie in a row; collapse=" in draw(chain(62)).svg
    assert repr(draw(chain(62), collapse="none")) == "<Drawing: circuit of 62 operations on 1 leaf>"
    wide = sum(leaf(i) * x for i in range(60))  # a tree is wide as well, since its sum is a chain
    assert "collapsed" in repr(draw(wide))


@pytest.mark.parametrize("after", [False, True])
def test_a_choice_routes_along_one_strong_wire(after):
    a, b = leaf(1, "a"), leaf(3, "b")
    f = np.where(a > b, a, b) * 2 + a
    if after:
        f.backward()
    drawing = draw(f)
    assert box(drawing, "where")["role"] == ["routes"]
    assert sum("strong" in kind for kind in classes(drawing)) >= 1
    if after:
        assert box(drawing, "leaf b")["gradient"] == ["2"]
        assert box(drawing, "leaf a")["terms"] == ["= 1 + 0"]


def test_a_choice_between_equals_is_left_open():
    a, b = leaf(2, "a"), leaf(2, "b")
    f = np.where(a > b, a, b)
    assert "strong" in classes(draw(f))  # the graph still knows
    (f * 1).backward()
    assert "strong" not in classes(draw(f * 1))


def terms(drawing, title):
    return box(drawing, title).get("terms", [""])


def test_a_sum_is_written_only_where_it_adds_up():
    x, y = leaf(2, "x"), leaf(3, "y")
    a = x * y
    a.name = "a"
    b, c = a + x, np.sin(a)
    b.backward(retain_graph=True)
    c.backward()
    assert "terms" not in box(draw(b, c), "multiply a")  # of the last pass, to which only one of them belongs
    x = leaf(2, "x")
    (x * x).backward()
    assert terms(draw(x * x), "leaf x") == [""]
    f = x * x
    f.backward()
    assert terms(draw(f), "leaf x") == ["= 2 + 2 + earlier"]
    x = leaf(2, "x")
    x.register_hook(lambda g: g * 10)
    f = x * x
    f.backward()
    assert "terms" not in box(draw(f), "leaf x")
    x = leaf(1, "x")
    y = x * 3
    y.name = "y"
    y.register_hook(lambda g: g * 10)
    (f := y * y).backward()
    assert "terms" not in box(draw(f), "multiply y")


def test_a_parameter_of_a_circuit_has_its_value():
    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.b = nn.Parameter(2.0), nn.Parameter(-1.0)

        def forward(self, x):
            return self.w * x + self.b

    line = Line()
    drawing = draw(line(Tensor(3.0)))
    assert [box(drawing, f"leaf {name}")["value"] for name in "wb"] == [["2"], ["−1"]]


def test_a_leaf_alone_has_its_wire():
    for x in (leaf(2, "x"), Tensor(2.0, name="x")):
        assert {"wire", "tip"} <= set(classes(draw(x)))


def test_the_room_below_a_circuit_is_no_larger_than_its_wires():
    x, y = leaf(2, "x"), leaf(3, "y")
    f = np.tanh(x * y + x) * (x - y) + np.exp(x * y)
    f.backward()
    root = ET.fromstring(draw(f).svg)
    assert float(root.get("height")) < 420


def test_a_parameter_that_has_changed_since_has_no_value():
    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(2.0)

        def forward(self, x):
            return self.w * x

    line = Line()
    out = line(Tensor(3.0))
    out.backward()
    assert box(draw(out), "leaf w")["value"] == ["2"]
    optim.SGD(line.parameters(), lr=1.0).step()
    assert "value" not in box(draw(out), "leaf w")
