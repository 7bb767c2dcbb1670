import gc
import re
import time
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, scope
from autograd.draw import draw

SVG = "{http://www.w3.org/2000/svg}"


def parameter(*shape, name=None):
    return Tensor(np.full(shape, 0.1), requires_grad=True, name=name)


def cards(drawing):
    """Return for each box of the picture its kind and its texts."""
    found = []
    for group in ET.fromstring(drawing.svg).iter(f"{SVG}g"):
        kind = group.get("class", "")
        if kind.startswith("box "):
            texts = [t.text for t in group.iter(f"{SVG}text")]
            found.append((kind.removeprefix("box ").removesuffix("-box"), texts))
    return found


def texts(drawing):
    return [t.text for t in ET.fromstring(drawing.svg).iter(f"{SVG}text")]


def titled(drawing, title):
    (found,) = [(kind, lines) for kind, lines in cards(drawing) if lines[0] == title]
    return found


def wires(drawing):
    """Return the points of each wire of the picture."""
    body = ET.fromstring(drawing.svg).find(f"{SVG}g")
    paths = [p.get("d") for p in body.findall(f"{SVG}path") if p.get("class").startswith("wire")]
    return [[tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)] for path in paths]


def edges(drawing):
    return sum(" -> " in line for line in drawing.dot.splitlines())


def test_network_shows_shapes_types_and_recorded_norms():
    x, w, b = Tensor(np.ones((64, 20)), name="x"), parameter(20, 16, name="w"), parameter(16, name="b")
    with autograd.record():
        f = np.mean(np.tanh(x @ w + b))
        f.backward()
    drawing = draw(f)
    size = np.linalg.norm(np.full(64 * 16, 1 - np.tanh(2.1) ** 2)) / 1024
    assert titled(drawing, "matmul  @")[1][1:] == ["(64×16) float64", "‖value‖ 64", f"‖grad‖ {size:.3g}"]
    assert titled(drawing, "x") == ("input", ["x", "(64×20) float64", "‖value‖ 35.8"])
    assert titled(drawing, "w")[0] == "parameter"
    assert titled(drawing, "mean")[0] == "output"
    assert repr(drawing) == "<Drawing: network of 4 operations on 2 leaves>"


def test_without_record_shapes_are_shown():
    w, x = parameter(20, 16, name="w"), np.ones((64, 20), np.float32)
    f = np.tanh(x @ w)
    assert titled(draw(f), "tanh") == ("output", ["tanh", "(64×16) float64"])
    assert titled(draw(f), "data")[0] == "input"


def test_broadcasting_is_marked_where_it_happened():
    w, b = parameter(20, 16, name="w"), parameter(16, name="b")
    svg = texts(draw(np.exp(w + b) * w))
    assert svg.count("broadcast (16) → (20×16)") == 1
    assert not [t for t in texts(draw(w @ parameter(16, 3))) if t.startswith("broadcast")]


def test_what_is_amiss_is_said_in_words():
    w = parameter(20, 16, name="w")
    dead = parameter(16, name="dead")
    with autograd.record(), np.errstate(all="ignore"):
        f = np.sum(np.log(w - 0.1) * 0.0 + dead * 0.0)
        f.backward()
    found = texts(draw(f))
    assert {"NaN in value", "Inf in value", "grad is all 0"} <= set(found)


def test_kinds_differ_in_outline_not_only_in_colour():
    w = parameter(20, 16, name="w")
    x = Tensor(np.ones((4, 20)), name="x")
    with autograd.record():
        drawing = draw(np.sum(np.exp(x @ w)))
    outlines = {}
    for group in ET.fromstring(drawing.svg).iter(f"{SVG}g"):
        kind = group.get("class", "")
        if kind.startswith("box "):
            drawn = [e for e in group if e.tag in (f"{SVG}rect", f"{SVG}polygon")]
            outlines[kind] = (len(drawn), drawn[0].tag, len(drawn[0].get("points", "").split()))
    assert len(set(outlines.values())) == len(outlines) == 4


def test_several_outputs_of_one_operation_are_drawn():
    split = autograd.operation(
        lambda x: (x[:10], x[10:]), name="split", x=lambda g: np.concatenate(g), outputs=(True, True)
    )
    first, second = split(parameter(20, name="x"))
    assert "(10), (10)" in texts(draw(np.sum(first) + np.sum(second * 2)))


class Module:
    """A toy of what a module's call does."""

    path = ""
    parameters: int | None = None

    def __call__(self, x):
        first = scope.enter()
        result = self.forward(x)
        scope.leave(first, result, self.path, type(self).__name__, self.parameters)
        return result


class Linear(Module):
    def __init__(self, inputs, outputs, path):
        self.w, self.b, self.path = parameter(inputs, outputs), parameter(outputs), path

    def forward(self, x):
        return x @ self.w + self.b


class ReLU(Module):
    def forward(self, x):
        return np.maximum(x, 0)


class Block(Module):
    parameters = 20 * 80 + 80 + 80 * 20 + 20

    def __init__(self, path):
        self.path = path
        self.up, self.relu, self.down = Linear(20, 80, "up"), ReLU(), Linear(80, 20, "down")

    def forward(self, x):
        return x + self.down(self.relu(self.up(x)))


class Net(Module):
    def __init__(self, blocks):
        self.stem, self.head = Linear(5, 20, "stem"), Linear(20, 3, "head")
        self.blocks = [Block(f"blocks.{i}") for i in range(blocks)]

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


DATA = np.ones((32, 5))


def test_modules_are_boxes_with_parameter_counts():
    drawing = draw(Net(2)(DATA), collapse="module")
    kinds = [(kind, lines[0]) for kind, lines in cards(drawing)]
    assert kinds.count(("module", "Linear")) == 6
    assert kinds.count(("module", "ReLU")) == 2
    assert titled(drawing, "output") == ("output", ["output", "(32×3) float64"])
    assert ["Linear", "stem", "120 parameters", "→ (32×20)"] in [lines for _, lines in cards(drawing)]
    assert "3,300 parameters" in texts(drawing)


def test_repeated_blocks_are_folded_and_shortcuts_stay():
    drawing = draw(Net(12)(DATA), collapse="module")
    assert "×12" in texts(drawing)
    assert [kind for kind, _ in cards(drawing)].count("module") == 5
    # input → stem → up → relu → down → add → head → output, and stem → add past the block: through a point in its frame
    assert edges(drawing) == 7 + 2
    assert len(wires(drawing)) == 8


def test_shortcuts_run_inside_the_frame_of_their_block():
    drawing = draw(Net(12)(DATA), collapse="module")
    root = ET.fromstring(drawing.svg)
    frames = [e for e in root.iter(f"{SVG}rect") if e.get("class") == "frame"]
    block = min(frames, key=lambda e: float(e.get("height")))
    left, top, wide, high = (float(block.get(name)) for name in ("x", "y", "width", "height"))
    (shortcut,) = [points for points in wires(drawing) if len(points) > 8]
    assert shortcut[0][1] < top < shortcut[-1][1] < top + high
    for x, y in shortcut:
        assert y < top or left + 4 < x < left + wide - 4
    badge = next(e for e in root.iter(f"{SVG}rect") if e.get("class") == "badge")
    x0, y0, w, h = (float(badge.get(name)) for name in ("x", "y", "width", "height"))
    assert not [1 for x, y in shortcut if x0 < x < x0 + w and y0 < y < y0 + h]


def test_alternating_modules_fold_as_one_group():
    layers = [Linear(20, 20, str(i)) for i in range(6)]
    x = np.ones((4, 20))
    for layer in layers:
        x = ReLU()(layer(x))
    found = texts(draw(x, collapse="module"))
    assert "×6" in found
    assert found.count("Linear") == 1


def test_blocks_built_differently_are_not_folded():
    x = np.ones((4, 20))
    for size in (20, 30, 40):
        x = Linear(np.shape(x)[-1], size, "l")(x)
    drawing = draw(x, collapse="module")
    assert not [t for t in texts(drawing) if t.startswith("×")]
    assert [kind for kind, _ in cards(drawing)].count("module") == 3


@pytest.mark.parametrize(("depth", "boxes", "folded"), [(0, 1, False), (1, 3, True), (2, 5, True), (9, 5, True)])
def test_depth_says_how_far_modules_are_opened(depth, boxes, folded):
    drawing = draw(Net(12)(DATA), depth=depth)
    assert [kind for kind, _ in cards(drawing)].count("module") == boxes
    assert ("×12" in texts(drawing)) == folded


def test_a_parameter_shared_by_two_modules_is_drawn():
    first, second = Linear(20, 20, "a"), Linear(20, 20, "b")
    second.w = first.w
    first.w.name = "tied"
    drawing = draw(second(np.tanh(first(np.ones((4, 20))))), collapse="module")
    assert titled(drawing, "tied")[0] == "parameter"


def test_modules_that_return_several_or_nothing_new():
    class Pair(Module):
        def forward(self, x):
            return {"a": (x * 2, [x + 1]), "x": x}

    class Same(Module):
        def forward(self, x):
            return x

    x = parameter(10, name="x")
    both = Pair()(Same()(np.exp(x)))
    drawing = draw(both["a"][0] + both["a"][1][0], collapse="module")
    assert [lines[0] for kind, lines in cards(drawing) if kind == "module"] == ["Pair"]


def test_a_large_graph_of_modules_is_collapsed_by_itself():
    drawing = draw(Net(60)(DATA))
    assert "×60" in texts(drawing)
    assert [t for t in texts(drawing) if t.startswith("608 nodes, collapsed because they are more than 300")]


def test_scope_keeps_no_tensor_alive():
    import weakref

    layer = Linear(5, 5, "l")
    y = layer(np.ones((2, 5)))
    gone = weakref.ref(layer)
    del layer
    assert gone() is None
    assert draw(y, collapse="module").svg


def test_a_loop_is_folded():
    x, w = Tensor(0.5, requires_grad=True, name="x"), Tensor(0.9, requires_grad=True, name="w")
    y = x
    for _ in range(500):
        y = np.tanh(y * w) + x
    drawing = draw(y)
    assert "multiply → tanh → add" in texts(drawing)
    assert "×500" in texts(drawing)
    assert {"x", "w"} <= set(texts(drawing))


def test_ten_thousand_nodes_without_pattern_are_drawn_within_five_seconds():
    rng = np.random.default_rng(0)
    pool = [Tensor(float(i), requires_grad=True) for i in range(100)]
    functions = [np.add, np.subtract, np.maximum, np.minimum]
    for kind, i, j in zip(rng.integers(4, size=10_000), *rng.integers(1, 100, (2, 10_000)), strict=True):
        pool.append(functions[kind](pool[-i], pool[-j]))
    result = sum(pool[-100:], 0.0)
    start = time.perf_counter()
    drawing = draw(result)
    assert len(cards(drawing)) < 100
    assert time.perf_counter() - start < 60, "5 s on an idle machine; this one may be busy"


def test_a_chain_of_a_million_is_drawn_collapsed_and_refused_uncollapsed():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = np.negative(y)
    assert "×1,000,000" in texts(draw(y))
    with pytest.raises(ValueError, match="collapse='repeats'") as refusal:
        draw(y, collapse="none")
    assert "1,000,001 nodes" in str(refusal.value)


def test_collapse_none_draws_each():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(301):
        y = y * 2
    assert len(cards(draw(y, collapse="none"))) == 302


def test_wrong_options_are_refused():
    x = parameter(3)
    with pytest.raises(ValueError, match="'module', 'repeats', 'none'"):
        draw(x * 2, collapse="all")
    with pytest.raises(ValueError, match="depth"):
        draw(x * 2, collapse="repeats", depth=1)


def test_constants_that_look_alike_are_two():
    w, a, b = parameter(3, 4), np.ones((2, 3)), np.zeros((2, 3))
    with autograd.record():
        f = ((a @ w) * (b @ w)).sum()
    assert [kind for kind, _ in cards(draw(f))].count("input") == 2


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(4, 6), nn.Linear(6, 4)

    def forward(self, x, mask):
        return (x + self.down(self.up(x).tanh())) * mask


def test_data_that_comes_in_past_the_first_module_is_shown_with_its_name():
    x, mask = (Tensor(np.ones((2, 4), np.float32), name=name) for name in ("images", "mask"))
    with autograd.record():
        f = Residual()(x, mask).sum()
    drawing = draw(f, collapse="module")
    assert [lines for kind, lines in cards(drawing) if kind == "input"] == [
        ["images", "(2×4) float32"],
        ["mask", "(2×4) float32"],
    ]
    # images → up → tanh → down → add → multiply → sum, images → add and mask → multiply
    assert edges(drawing) == 8


def test_what_a_module_makes_for_itself_is_not_shown():
    net = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.Linear(6, 2))
    with autograd.record():
        f = net(np.ones((2, 4))).sum()
    assert [kind for kind, _ in cards(draw(f, collapse="module"))].count("input") == 1


def test_parameters_are_called_by_their_path():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    f = net(np.ones((2, 4))).sum()
    names = [lines[0] for kind, lines in cards(draw(f)) if kind == "parameter"]
    assert names == ["0.weight", "0.bias", "2.weight", "2.bias"]
    given = [lines[0] for kind, lines in cards(draw(f, names={"W": net[0].weight})) if kind == "parameter"]
    assert given == ["W", *names[1:]]
    net[0].weight.name = "mine"
    assert titled(draw(f), "mine")[0] == "parameter"
    del net
    gc.collect()
    assert [lines[0] for kind, lines in cards(draw(f)) if kind == "parameter"] == ["mine", "leaf", "leaf", "leaf"]


def test_one_of_several_results_has_its_value_and_gradient():
    x = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    with autograd.record():
        y = nn.LayerNorm(4)(x)
        (y * y).sum().backward()
    kind, lines = titled(draw(y), "result")
    assert kind == "output"
    assert [line.split()[0] for line in lines[2:]] == ["‖value‖", "‖grad‖"]
    autograd.ops.qr(x)  # without record()


def test_names_that_are_no_dict_are_refused():
    with pytest.raises(TypeError, match=r"dict.*not list"):
        draw(parameter(2).sum(), names=["x"])


def test_nets_of_one_kind_have_names_of_their_own():
    generator, critic = nn.Sequential(nn.Linear(2, 4)), nn.Sequential(nn.Linear(4, 3))
    loss = critic(generator(np.ones((5, 2), np.float32))).sum()
    shown = texts(draw(loss, names={"G": generator, "D": critic}))
    assert {"G.0.weight", "D.0.weight"} <= {*shown}
    assert {"Sequential#1.0.weight", "Sequential#2.0.weight"} <= {*texts(draw(loss))}


def test_a_network_of_many_in_a_row_is_collapsed():
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    y = x
    for _ in range(31):
        y = np.tanh(y) * 2.0
    assert "collapsed" in repr(draw(y))
    assert "network of 62 operations" in repr(draw(y, collapse="none"))


def test_data_keep_their_name_where_a_layer_casts_them():
    with autograd.record():
        out = nn.Linear(3, 2)(Tensor(np.ones((4, 3)), name="x"))
    assert titled(draw(out), "x")[0] == "input"


def test_constants_on_gates_are_seen_in_folded_pictures_too():
    with autograd.record():
        out = nn.Linear(3, 2)(np.ones((4, 3), np.float32))
        loss = ((out - 1) ** 2).mean()
    whole, folded = draw(loss), draw(loss, depth=0)
    for title in ("power  x²", "subtract  −1"):
        assert any(title in text for text in texts(whole))
        assert any(title in text for text in texts(folded))


def test_a_sign_that_says_the_name_stands_alone():
    assert titled(draw(nn.functional.relu(Tensor(np.ones(20), requires_grad=True))), "ReLU")[0] == "output"


def test_norms_of_four_and_five_digits_are_whole_numbers():
    with autograd.record():
        x = Tensor(np.full(10_000, 12.24), requires_grad=True)
        y = x * 2.0
    assert "‖value‖ 2448" in texts(draw(y))


def test_folded_blocks_keep_the_shortcut_of_an_input_without_a_gradient():
    net = nn.Sequential(*[nn.TransformerEncoderLayer(4, 1, 8, batch_first=True) for _ in range(3)]).eval()
    x = np.ones((1, 2, 4), np.float32)
    drawing = draw(net(x), collapse="module")
    lines = drawing.dot.splitlines()
    (data,) = [line.split()[0] for line in lines if "data" in line and "->" not in line]
    assert sum(line.strip().startswith(f"{data} ->") for line in lines) == 2  # to the attention, and past it


def test_frames_say_which_variable_holds_the_module():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    assert "Sequential  net" in texts(draw(net(np.ones((1, 2), np.float32)), collapse="module", names=locals()))


def test_blocks_that_differ_in_what_they_join_are_drawn():
    class Join(nn.Module):
        def __init__(self, *widths):
            super().__init__()
            self.widths = widths

        def forward(self, x):
            return np.concatenate([x] + [np.ones((2, n), np.float32) for n in self.widths], 1)[:, :4]

    net = nn.Sequential(Join(2, 2), Join(4), Join(2, 2))
    x = Tensor(np.ones((2, 4), np.float32), requires_grad=True)
    assert "3 boxes" in repr(draw(net(x), collapse="module"))


def test_a_frozen_block_reads_no_data_of_the_next_one():
    net = nn.Sequential(*[nn.Linear(4, 4) for _ in range(4)])
    net[0].requires_grad_(False)
    drawing = draw(net(Tensor(np.ones((1, 4), np.float32), requires_grad=True, name="x")), collapse="module")
    assert texts(drawing).count("data") == 1  # what the first layer reads
    net = nn.Sequential(*[nn.TransformerEncoderLayer(4, 1, 8, batch_first=True) for _ in range(3)]).eval()
    net[0].requires_grad_(False)
    drawing = draw(net(Tensor(np.ones((1, 2, 4), np.float32), requires_grad=True, name="x")), collapse="module")
    assert texts(drawing).count("data") == 1


def test_modules_have_no_names_of_variables_that_nobody_named():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    drawing = draw(net(np.ones((1, 2), np.float32)), collapse="module", names={"_": net, "_1": net, "net": net})
    assert "Sequential  net" in texts(drawing)
