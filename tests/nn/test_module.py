"""Modules: what they consist of, their state, hooks and text, and what their errors say."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.scope import Scope


class Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(size)
        self.linear = nn.Linear(size, size, bias=False)
        self.scale = nn.Parameter(1.0)
        self.register_buffer("seen", Tensor(np.zeros(2, np.float32)))
        self.register_buffer("scratch", Tensor(np.zeros(3, np.float32)), persistent=False)

    def forward(self, x):
        return x + self.linear(self.norm(x)).relu() * self.scale


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.blocks = nn.ModuleList([Block(4), Block(4)])
        self.last = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


# What is in it


def test_parameters_buffers_and_modules_are_found_among_attributes():
    block = Block(4)
    assert [n for n, _ in block.named_parameters()] == ["scale", "norm.weight", "norm.bias", "linear.weight"]
    assert [n for n, _ in block.named_buffers()] == [
        "seen",
        "scratch",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert [n for n, _ in block.named_modules()] == ["", "norm", "linear"]
    assert [n for n, _ in block.named_children()] == ["norm", "linear"]
    assert [n for n, _ in block.named_parameters(recurse=False)] == ["scale"]
    assert next(n for n, _ in block.named_parameters(prefix="a")) == "a.scale"


def test_nested_modules_have_paths():
    net = Net()
    assert [n for n, _ in net.named_modules()][:5] == ["", "first", "blocks", "blocks.0", "blocks.0.norm"]
    assert net.get_submodule("blocks.1.linear") is net.blocks[1].linear
    assert net.get_parameter("last.2.bias") is net.last[2].bias
    with pytest.raises(AttributeError, match="'nothing'"):
        net.get_submodule("blocks.nothing")
    with pytest.raises(AttributeError, match=r"last\.1\.bias"):
        net.get_parameter("last.1.bias")


def test_a_shared_parameter_counts_once_and_is_saved_under_both_names():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert len(net.state_dict()) == 4
    twin = copy.deepcopy(net)
    assert twin[0].weight is twin[1].weight
    assert twin[0].weight is not net[0].weight


def test_a_shared_module_counts_once():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(net.modules())) == 3
    assert len(list(net.children())) == 2
    assert len(net) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_a_parameter_is_float32_unless_asked():
    assert nn.Parameter([1, 2]).dtype == np.float32
    assert nn.Parameter(np.ones(2)).dtype == np.float32
    assert nn.Parameter(np.ones(2), dtype=float).dtype == np.float64
    assert nn.Parameter([1j]).dtype == np.complex64
    assert nn.Parameter(Tensor([1.0])).requires_grad
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="int"):
        nn.Parameter([1], dtype=int)


def test_a_parameter_of_no_axes_holds_an_array():
    p = nn.Parameter(2.0)
    for twin in (p, copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert isinstance(twin.data, np.ndarray)
        assert type(twin) is nn.Parameter
        assert twin.requires_grad
    (p * 3).backward()
    assert p.grad.item() == 3


def test_attributes_that_would_silently_lose_a_parameter_are_refused():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="'weight' is a parameter"):
        layer.weight = np.zeros((2, 2))
    norm = nn.BatchNorm1d(2)
    with pytest.raises(TypeError, match="'running_mean' is a buffer"):
        norm.running_mean = np.zeros(2)
    layer.bias = None
    assert layer([[1.0, 2.0]]).shape == (1, 2)
    assert [n for n, _ in layer.named_parameters()] == ["weight"]
    for name in ("", "a.b"):
        with pytest.raises(KeyError):
            layer.register_buffer(name, Tensor([1.0]))
    with pytest.raises(KeyError, match="forward"):
        layer.add_module("forward", nn.ReLU())
    with pytest.raises(KeyError, match="training"):
        layer.add_module("training", nn.ReLU())


def test_a_deleted_attribute_is_no_longer_part():
    block = Block(4)
    del block.linear, block.seen
    assert [n for n, _ in block.named_modules()] == ["", "norm"]
    assert "seen" not in block.state_dict()


def test_a_module_works_without_super_init():
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.linear = nn.Linear(2, 1)

        def forward(self, x):
            return self.linear(x)

    assert Forgetful()([[1.0, 2.0]]).shape == (1, 1)


# Containers


def test_sequential_is_a_list():
    a, b, c = nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)
    net = nn.Sequential(a, b).append(c)
    assert list(net) == [a, b, c]
    assert net[-1] is c
    assert list(net[1:]) == [b, c]
    net.insert(1, nn.Tanh())
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "ReLU", "Linear"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    del net[1]
    assert list(net) == [a, b, c]
    net[1] = nn.Sigmoid()
    net.extend([nn.Identity()])
    assert [n for n, _ in net.named_children()] == ["0", "1", "2", "3"]
    with pytest.raises(IndexError, match="4 modules"):
        net[4]
    with pytest.raises(TypeError, match="pass an instance"):
        nn.Sequential(nn.ReLU)
    with pytest.raises(TypeError, match=r"one by one, with \*"):
        nn.Sequential([nn.ReLU()])
    with pytest.raises(TypeError, match=r"nn.ReLU\(\) for F.relu"):
        nn.Sequential(nn.Linear(2, 2), nn.functional.relu)
    with pytest.raises(TypeError, match=r"^3 is not a module$"):
        net.append(3)


def test_what_is_appended_takes_no_other_modules_name():
    tail = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))[1:].append(nn.Tanh())
    assert [type(m).__name__ for m in tail] == ["ReLU", "Linear", "Tanh"]
    assert [name for name, _ in tail.named_children()] == ["1", "2", "3"]
    assert len(nn.Sequential({"1": nn.ReLU()}).append(nn.Tanh())) == 2


def test_sequential_of_names():
    net = nn.Sequential({"hidden": nn.Linear(2, 3), "out": nn.Linear(3, 1)})
    assert [n for n, _ in net.named_parameters()] == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert net.hidden is net[0]
    assert [n for n, _ in net[1:].named_children()] == ["out"]


def test_module_lists_and_dicts():
    layers = nn.ModuleList([nn.Linear(2, 2)]) + nn.ModuleList([nn.ReLU()])
    assert len(layers) == 2
    assert isinstance(layers[:1], nn.ModuleList)
    with pytest.raises(NotImplementedError, match="ModuleList"):
        layers(1)
    named = nn.ModuleDict({"a": nn.ReLU()})
    named["b"] = nn.Tanh()
    assert list(named.keys()) == ["a", "b"]
    assert "b" in named
    assert type(named.pop("a")).__name__ == "ReLU"
    assert [type(m).__name__ for m in named.values()] == ["Tanh"]
    assert len(dict(named.items())) == 1
    with pytest.raises(KeyError):
        del named["a"]
    with pytest.raises(KeyError, match="keys"):
        named["keys"] = nn.ReLU()


# All of it at once


def test_train_and_eval_reach_every_part():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert all(m.training for m in net.train().modules())
    with pytest.raises(TypeError, match="bool"):
        net.train("eval")


def test_apply_goes_inside_out_and_requires_grad_and_zero_grad_reach_all():
    net = Net()
    order = []
    assert net.apply(lambda m: order.append(type(m).__name__)) is net
    assert order[-1] == "Net"
    net(images(5, 3)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(images(5, 3)).requires_grad


def test_to_changes_parameters_gradients_and_floating_buffers():
    net = Net()
    net(images(5, 3)).sum().backward()
    assert net.to("float64") is net
    for p in net.parameters():
        assert p.dtype == p.grad.dtype == np.float64
        assert isinstance(p.data, np.ndarray)
    assert net.blocks[0].norm.running_mean.dtype == np.float64
    assert net.blocks[0].norm.num_batches_tracked.dtype == np.int64
    assert net(images(5, 3).astype(np.float32)).dtype == np.float64
    assert net.float()(images(5, 3)).dtype == np.float32
    assert next(net.double().parameters()).dtype == np.float64
    with pytest.raises(TypeError, match="a dtype, not 'cpu'; all is computed on the CPU"):
        net.to("cpu")
    with pytest.raises(TypeError, match="int32"):
        net.to(np.int32)


def test_copies_and_pickles_are_equal_and_apart():
    net = Net()
    x = images(5, 3)
    net(x).sum().backward()
    net.eval()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin(x).numpy(), net(x).numpy())
        assert not twin.training
        twin.first.weight.data[...] = 0
        assert net.first.weight.data.any()
        assert [n for n, _ in twin.named_parameters()] == [n for n, _ in net.named_parameters()]
    assert copy.deepcopy(net).first.weight.grad is not net.first.weight.grad


# State


def test_state_goes_round():
    net, other = Net(), Net()
    net(images(5, 3))
    state = net.state_dict()
    assert "blocks.0.scratch" not in state
    assert state["blocks.1.norm.num_batches_tracked"] == 1
    assert other.load_state_dict(state) == ([], [])
    np.testing.assert_array_equal(other.eval()(images(5, 3)).numpy(), net.eval()(images(5, 3)).numpy())
    assert other.blocks[0].norm.num_batches_tracked.item() == 1


def test_the_state_is_a_copy():
    net = Net()
    state = net.state_dict()
    state["first.weight"][...] = 7
    assert not (net.first.weight.data == 7).any()


def test_loading_writes_into_the_arrays_that_are_there():
    layer = nn.Linear(2, 2)
    array = layer.weight.data
    layer.load_state_dict({"weight": Tensor(np.ones((2, 2))), "bias": np.zeros(2)})
    assert layer.weight.data is array
    assert (array == 1).all()
    assert layer.weight.dtype == np.float32


def test_a_graph_from_before_loading_refuses_to_go_on():
    layer = nn.Linear(2, 2)
    y = layer(Tensor([[1.0, 2.0]], requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="overwritten"):
        y.backward()


def test_what_does_not_fit_is_reported_whole_and_nothing_is_changed():
    net = Net()
    before = net.state_dict()
    state = {k: v + 1 for k, v in before.items()}
    del state["first.bias"]
    state["extra"] = np.zeros(2)
    state["last.0.weight"] = np.zeros((4, 5))
    state["last.2.bias"] = np.zeros(2, complex)
    with pytest.raises(ValueError, match="does not fit Net") as caught:
        net.load_state_dict(state)
    for line in (
        "missing: first.bias (4,)",
        "unexpected: extra",
        "misshapen: last.0.weight is (4, 4), the state has (4, 5)",
        "misshapen: last.2.bias is float32, the state has complex128",
    ):
        assert line in str(caught.value)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    with pytest.raises(ValueError, match="misshapen"):
        net.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(net.state_dict()["blocks.0.scale"], before["blocks.0.scale"])


def test_what_is_missing_or_unexpected_is_returned_where_that_is_allowed():
    layer = nn.Linear(2, 1)
    found = layer.load_state_dict({"weight": np.ones((1, 2)), "other": np.ones(1)}, strict=False)
    assert found.missing_keys == ["bias"]
    assert found.unexpected_keys == ["other"]
    assert (layer.weight.data == 1).all()


@pytest.mark.parametrize("bad", ["text", None, np.array(["a", "b"]), [[1.0], [2.0, 3.0]]])
def test_a_value_that_is_no_array_of_numbers_is_refused(bad):
    layer = nn.Linear(2, 1)
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"weight|inhomogeneous"):
        layer.load_state_dict({"weight": bad, "bias": np.ones(1)})
    np.testing.assert_array_equal(layer.bias.data, before["bias"])


# Hooks


def test_hooks_run_and_may_replace():
    layer = nn.Linear(2, 2)
    seen = []
    with (
        layer.register_forward_pre_hook(lambda module, args: (args[0] * 0,)),
        layer.register_forward_hook(lambda module, args, result: seen.append((module, args[0], result))),
    ):
        y = layer(Tensor([[1.0, 2.0]]))
    assert seen[0][0] is layer
    assert (seen[0][1] == 0).all()
    assert seen[0][2] is y
    np.testing.assert_array_equal(y.numpy()[0], layer.bias.numpy())
    handle = layer.register_forward_hook(lambda module, args, result: result * 2)
    np.testing.assert_allclose(layer([[0.0, 0.0]]).numpy()[0], 2 * layer.bias.numpy())
    handle.remove()
    handle.remove()
    np.testing.assert_array_equal(layer([[0.0, 0.0]]).numpy()[0], layer.bias.numpy())
    with layer.register_forward_pre_hook(lambda module, args: args[0] + 1):
        assert layer(Tensor([[0.0, 0.0]])).shape == (1, 2)


# Errors


def test_an_error_names_the_path_of_the_module():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Identity(), nn.Identity(), nn.ReLU(), nn.Conv2d(64, 8, 3))

        def forward(self, x):
            return self.features(x)

    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the whole message is compared
        Model()(np.zeros((8, 32, 16, 16)))
    assert str(caught.value) == "features.3: expected 64 channels, got 32, input (8, 32, 16, 16)"
    with pytest.raises(ValueError, match=r"^Conv2d: expected 64 channels, got 32, input \(8, 32, 16, 16\)$"):
        nn.Conv2d(64, 8, 3)(np.zeros((8, 32, 16, 16)))


def test_paths_follow_changes_of_the_model():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 2))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^1: expected 3 features"):
            net(np.zeros((1, 2)))
    net.insert(0, nn.ReLU())
    with pytest.raises(ValueError, match=r"^2: expected 3 features"):
        net(np.zeros((1, 2)))
    outer = nn.Sequential({"inner": net})
    with pytest.raises(ValueError, match=r"^inner\.2: expected 3 features"):
        outer(np.zeros((1, 2)))


def test_errors_of_an_own_forward_name_the_module_and_keep_their_kind():
    class Odd(Exception):
        def __init__(self, a, b) -> None:
            super().__init__(a, b)

    class Model(nn.Module):
        def forward(self, x):
            if x.ndim == 1:
                raise Odd(1, 2)
            return x @ Tensor(np.ones((5, 5)))

    net = nn.Sequential(Model())
    with pytest.raises(ValueError, match=r"^0: matmul: .*input \(2, 3\)$"):
        net(Tensor(np.ones((2, 3))))
    with pytest.raises(Odd) as caught:
        net(Tensor(np.ones(3)))
    assert caught.value.__notes__ == ["in 0, input (3,)"]


class Touching(nn.Module):
    """Does something to an error on its way out."""

    def __init__(self, inner, touch):
        super().__init__()
        self.inner = inner
        self.touch = touch

    def forward(self, x):
        try:
            return self.inner(x)
        except Exception as error:
            self.touch(error)
            raise


@pytest.mark.parametrize("recording", [True, False])
def test_what_others_make_of_an_error_stays(recording):
    def hint(error):
        error.args = (error.args[0] + " (a hint)",)

    with autograd.set_grad_enabled(recording):
        with pytest.raises(ValueError, match=r"^0\.inner: expected 3 features, got 2, input \(1, 2\) \(a hint\)$"):
            nn.Sequential(Touching(nn.Linear(3, 2), hint))(np.ones((1, 2)))
        net = nn.Sequential(Touching(nn.Embedding(2, 2), lambda error: error.__notes__.clear()))
        net[0].inner.forward = lambda x: {}["missing"]
        with pytest.raises(KeyError) as caught:
            net(np.ones(2))
        assert caught.value.__notes__ == []


def test_a_module_that_calls_itself_is_named_by_its_class():
    class Again(nn.Module):
        def forward(self, x, times=2):
            if not times:
                raise ValueError("deep")
            return self(x, times - 1)

    with pytest.raises(ValueError, match=r"^Again: deep, input \(5,\)$"):
        Again()(np.ones(5))


def test_an_error_can_be_pickled_and_keeps_no_module():
    net = nn.Sequential(nn.Linear(3, 2))
    net[0].hook = lambda: None
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the copy is compared
        net(np.ones((1, 2)))
    assert str(pickle.loads(pickle.dumps(caught.value))) == "0: expected 3 features, got 2, input (1, 2)"


# Text, marks and the summary


def test_the_repr_is_a_tree_with_repeats_folded():
    assert repr(nn.ModuleList([nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU()), nn.Tanh()])) == (
        "ModuleList(\n  (0-1): 2 x Sequential(\n    (0): ReLU()\n  )\n  (2): Tanh()\n)"
    )
    assert repr(nn.Sequential()) == "Sequential()"
    assert "  (blocks): ModuleList(\n    (0-1): 2 x Block(\n      (norm): BatchNorm1d(4," in repr(Net())


def test_calls_leave_marks_for_pictures():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    y = net([[1.0, 2.0]])
    marks = y._node.notes.scopes
    assert [(m.path, m.kind, m.parameters) for m in marks] == [("1", "ReLU", 0), ("", "Sequential", 9)]
    assert isinstance(marks[0], Scope)


def test_a_picture_draws_modules_as_boxes():
    dot = autograd.draw(Net()(images(5, 3)).sum(), collapse="module").dot
    assert "BatchNorm1d" in dot
    assert "Tanh" in dot


def test_nothing_is_recorded_under_no_grad():
    with autograd.no_grad():
        assert not Net()(images(5, 3)).requires_grad


def test_the_summary_counts_parameters_and_multiply_adds_and_leaves_the_model_alone():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 16, 10),
    )
    net[1].eval()
    net[5].bias.requires_grad_(False)
    before = net.state_dict()
    table = nn.summary(net, (2, 3, 8, 8))
    assert table.parameters == 8 * 27 + 16 + 1290
    assert table.trainable == table.parameters - 10
    assert table.cost == 2 * 8 * 64 * 27 + 2 * 10 * 128
    assert [row.shapes[0] for row in table.rows[1:4]] == [(2, 8, 8, 8)] * 3
    assert [row.path for row in table.rows] == ["", "0", "1", "2", "3", "4", "5"]
    text = str(table)
    assert "1,522 parameters, 10 of them frozen, 30,208 multiply-adds" in text
    assert "5: Linear" in text
    assert net[0].training
    assert not net[1].training
    assert not net[0]._forward_hooks
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_the_summary_of_every_kind_of_cost():
    assert nn.summary(nn.ConvTranspose2d(2, 3, 4), (1, 2, 5, 5)).cost == 50 * 48
    assert nn.summary(nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)]).cost == 5 * 4 * 3 * 3
    assert nn.summary(nn.LSTM(3, 4), (7, 2, 3)).cost == 14 * 16 * 7
    assert nn.summary(nn.GRUCell(3, 4), (2, 3)).cost == 2 * 12 * 7
    assert nn.summary(nn.RadialBasis(3, 4), (2, 3)).cost == 24
    assert nn.summary(nn.Maxout(3, 4), (2, 3)).cost == 48
    attention = nn.summary(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (3, 5, 8))
    assert attention.cost == 15 * 8 * 8 * 4 + 2 * 15 * 5 * 8 + 2 * 15 * 8 * 16
    assert nn.summary(nn.Embedding(5, 3), (2, 4), dtype=int).rows[0].shapes == ((2, 4, 3),)
    example = nn.summary(nn.Embedding(5, 3), np.ones((2, 4), int))
    assert example.rows[0].shapes == ((2, 4, 3),)
    assert nn.summary(nn.Bilinear(2, 3, 4), [np.ones((5, 2)), Tensor(np.ones((5, 3)))]).cost == 5 * 4 * 3 * 3
    lstm = nn.summary(nn.LSTM(3, 4), (7, 2, 3)).rows[0]
    assert lstm.shapes == ((7, 2, 4), (1, 2, 4), (1, 2, 4))


def test_the_summary_shows_a_module_that_is_called_twice():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x))

    table = nn.summary(Twice(), (1, 3))
    assert table.parameters == 12
    assert table.cost == 18
    assert "again" in str(table)


def test_the_summary_removes_its_hooks_when_the_model_fails():
    net = nn.Sequential(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="expected 3 features"):
        nn.summary(net, (1, 4))
    assert not net[0]._forward_hooks
    assert net.training


class TestModulesInAList:
    @pytest.mark.parametrize("group", [list, tuple, lambda modules: dict(enumerate(modules))])
    def test_that_are_no_part_of_the_module_are_named(self, group):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers, self.head = group([nn.Linear(2, 2)]), nn.Linear(2, 1)

            def forward(self, x):
                return self.head(x)

        net = nn.Sequential(Net())
        with pytest.warns(UserWarning, match=r"Net\.layers is a .* with modules in it.*nn\.ModuleList"):
            net(np.ones((1, 2)))
        net(np.ones((1, 2)))  # once is enough

    def test_that_are_parts_as_well_are_fine(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(2, 1)
                self.all = [self.head]

            def forward(self, x):
                return self.all[0](x)

        assert Net()(np.ones((1, 2))).shape == (1, 1)


class TestWhatIsRegistered:
    def test_a_parameter_takes_a_buffers_place(self):
        module = nn.Module()
        module.register_buffer("scale", np.ones(3))
        module.scale = nn.Parameter(np.ones(3))
        assert [name for name, _ in module.named_parameters()] == list(module.state_dict()) == ["scale"]
        assert not list(module.buffers())

    def test_is_what_it_is_said_to_be(self):
        with pytest.raises(TypeError, match=r"nn\.Parameter or None, not Tensor"):
            nn.Module().register_parameter("w", Tensor([1.0], requires_grad=True))
        with pytest.raises(TypeError, match="a module or None, not int"):
            nn.Module().add_module("part", 3)
        net = nn.Sequential(nn.Linear(1, 1))
        with pytest.raises(TypeError, match="is a module, and int is none"):
            setattr(net, "0", 5)
        assert len(net) == 1


def test_a_part_that_refers_back_to_the_whole():
    net = nn.Sequential(nn.Linear(1, 1))
    net[0].parent = net
    assert list(net.state_dict()) == ["0.weight", "0.bias"]


def test_apply_goes_through_parts_in_order_and_ends_with_the_whole():
    seen = []
    net = nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.Tanh(), nn.ReLU()), nn.Linear(2, 1))
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Tanh", "ReLU", "Sequential", "Linear", "Sequential"]


def test_a_list_of_modules_grows_in_place():
    layers = same = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.Linear(1, 1)]
    assert same is layers
    assert len(same) == 2


def test_none_is_no_dtype():
    with pytest.raises(TypeError, match="takes a dtype, not None"):
        nn.Linear(1, 1).to(None)


def test_the_summary_of_parts_that_are_called_by_keyword():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.up = nn.MultiheadAttention(4, 2), nn.ConvTranspose2d(2, 3, 2, stride=2)

        def forward(self, x, image):
            self.up(input=image)
            return self.attention(query=x, key=x, value=x)[0]

    net = Net()
    attention = nn.summary(net.attention, [(5, 2, 4)] * 3).cost
    up = nn.summary(net.up, (1, 2, 5, 5)).cost
    assert nn.summary(net, [(5, 2, 4), (1, 2, 5, 5)]).cost == attention + up


def test_what_numpy_has_no_dtype_for_is_named():
    class Strange:
        def __array__(self, *args, **kwargs):
            raise TypeError("no such dtype")

    with pytest.raises(ValueError, match=r"no array: weight: no such dtype"):
        nn.Linear(1, 1).load_state_dict({"weight": Strange(), "bias": np.zeros(1)})


class TestParameterList:
    def test_is_a_list_that_is_learned(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.scales = nn.ParameterList([np.ones(2)]).append(nn.Parameter([3.0]))

            def forward(self, x):
                for scale in self.scales:
                    x = x * scale
                return x

        net = Net()
        assert list(net.state_dict()) == ["scales.0", "scales.1"]
        net(np.ones((1, 2))).sum().backward()
        assert [p.grad.tolist() for p in net.parameters()] == [[3.0, 3.0], [2.0]]
        assert [p.shape for p in net.scales[:1]] == [(2,)]
        net.scales[-1] = np.zeros(4)
        assert [len(net.scales), net.scales[1].shape] == [2, (4,)]
        assert repr(net.scales) == "ParameterList(0: (2,) float32, 1: (4,) float32)"
        with pytest.raises(IndexError):
            net.scales[2]


class TestParameterDict:
    def test_is_a_dict_that_is_learned(self):
        scales = nn.ParameterDict({"mean": np.ones(2)})
        scales["spread"] = [1.0, 2.0, 3.0]
        assert [(name, p.shape) for name, p in scales.named_parameters()] == [("mean", (2,)), ("spread", (3,))]
        assert list(scales) == list(scales.keys()) == ["mean", "spread"]
        assert [p.requires_grad for p in scales.values()] == [True, True]
        assert dict(scales.items())["mean"] is scales["mean"]
        del scales["mean"]
        assert "mean" not in scales
        assert len(scales) == 1
        with pytest.raises(KeyError):
            del scales["mean"]
        with pytest.raises(KeyError, match="no dot"):
            scales["a.b"] = [1.0]


def test_apply_calls_a_shared_part_before_what_contains_it():
    class Around(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

    whole, inner = nn.Module(), nn.ReLU()
    whole.first, whole.second = Around(inner), inner
    seen = []
    whole.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["ReLU", "Around", "Module"]


@pytest.mark.parametrize(
    "make", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.Softmax, nn.LogSoftmax, nn.Flatten, nn.SiLU, nn.Step]
)
def test_data_given_to_a_layer_that_is_yet_to_be_made(make):
    for data in (np.ones((2, 3)), autograd.Tensor(1.0)):
        with pytest.raises(TypeError, match=r"data go to the module itself"):
            make(data)


def test_there_is_but_the_cpu():
    for word in ("cuda", "cpu"):
        with pytest.raises(AttributeError, match="leave it out: all is computed on the CPU"):
            getattr(nn.Linear(2, 3), word)


def test_containers_reserve_no_common_word():
    assert list(nn.ModuleDict({"kind": nn.ReLU()})) == list(nn.ParameterDict({"kind": np.ones(2)})) == ["kind"]
    assert len(nn.Sequential({"kind": nn.ReLU(), "of": nn.Tanh()})[:1]) == 1


def test_a_parameter_appended_takes_no_other_ones_name():
    weights = nn.ParameterList([np.ones(1), np.zeros(1)])
    delattr(weights, "0")
    assert [p.tolist() for p in weights.append(np.full(1, 2.0))] == [[0.0], [2.0]]
