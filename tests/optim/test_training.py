"""Whole training runs: float32 from end to end, the same numbers from the same seed and after a break, and learning."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from nn.data import DataLoader, TensorDataset
from nn.layers.sequences import Steps
from tests.optim.problems import CLOSURES, STEPPING, make, titles

OPTIMIZERS = STEPPING + CLOSURES
optimizers = pytest.mark.parametrize("case", OPTIMIZERS, ids=titles(OPTIMIZERS))


class Last(nn.Module):
    """The result of a recurrent layer at the last step."""

    def forward(self, result):
        return result[0][:, -1]


def mlp():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 2))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 2, 2),
        nn.GELU(),
        nn.Dropout2d(0.2),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(2, 2),
    )


def lstm():
    return nn.Sequential(nn.LSTM(3, 2, 2, batch_first=True, dropout=0.2), Last(), nn.Linear(2, 2))


MODELS = {"mlp": (mlp, (6, 3)), "cnn": (cnn, (6, 1, 6, 6)), "lstm": (lstm, (6, 4, 3))}


# float32


def arrays_in(kept):
    """Return all arrays and NumPy numbers in what a node keeps, which is nothing else but options."""
    if isinstance(kept, (tuple, list)):
        return [a for part in kept for a in arrays_in(part)]
    if isinstance(kept, dict):
        return arrays_in(list(kept.values()))
    if isinstance(kept, Tensor):
        return [kept.data]
    if isinstance(kept, (np.ndarray, np.generic)):
        return [kept]
    if isinstance(kept, Steps):
        return arrays_in(vars(kept))
    assert kept is None or callable(kept) or isinstance(kept, (int, float, str, slice, np.dtype)), type(kept)
    return []


def nodes_below(result):
    found, stack = {}, [result._node]
    while stack:
        node = stack.pop()
        if node is not None and node.op is not None and id(node) not in found:
            found[id(node)] = node
            stack.extend(node.parents)
    return list(found.values())


def assert_single(arrays, what):
    for array in arrays:
        assert array.dtype == np.float32 or array.dtype.kind in "iub", f"{what} is {array.dtype}"


def watch_rules(ops, monkeypatch):
    """Make every rule of these operations note what it returns, before the engine brings that into shape and dtype."""
    returned = {}

    def noting(op, rule):
        def watched(*args):
            sent = rule(*args)
            kept = sent if isinstance(sent, (tuple, list)) else [sent]
            # Of a part of an array, like the rows of an embedding, the gradient is inside.
            returned.setdefault(op.name, []).extend(getattr(g, "gradient", g) for g in kept if g is not None)
            return sent

        return watched

    for op in ops:
        if op.joint is not None:
            monkeypatch.setattr(op, "joint", noting(op, op.joint))
        monkeypatch.setattr(op, "rules", tuple(rule and noting(op, rule) for rule in op.rules))
    return returned


def losses(model, shape, dtype):
    """Yield losses of both kinds, of data and targets in `dtype`, plain arrays and tensors."""
    rng = np.random.default_rng(0)
    x, y, weight = (
        rng.normal(size=shape).astype(dtype),
        rng.normal(size=(shape[0], 2)).astype(dtype),
        np.array([1.0, 3]),
    )
    labels = rng.integers(0, 2, shape[0])
    yield nn.MSELoss()(model(x), y)
    yield nn.CrossEntropyLoss(weight.astype(dtype), label_smoothing=0.1)(model(Tensor(x)), labels)
    yield nn.HuberLoss()(model(x), Tensor(y)) + 0.1 * nn.l2(model)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_what_nodes_keep_and_rules_return_is_float32(name, dtype, monkeypatch):
    make_model, shape = MODELS[name]
    model = make_model()
    for loss in losses(model, shape, dtype):
        assert loss.dtype == np.float32
        nodes = nodes_below(loss)
        for node in nodes:
            assert_single(arrays_in(node.saved), f"something that {node.op.name} keeps")
            assert_single(arrays_in(node.value), f"the value of {node.op.name}")
            constants = [constant[0] for constant in node.constants or () if constant is not None]
            assert_single(arrays_in(constants), f"a constant of {node.op.name}")
            for place in np.atleast_1d(np.array(node.dtype, dtype=object)):
                assert place == np.float32, node.op.name
        with monkeypatch.context() as patch:
            returned = watch_rules({node.op for node in nodes}, patch)
            model.zero_grad()
            loss.backward()
        assert len(returned) >= 5
        for op, gradients in returned.items():
            assert_single(arrays_in(gradients), f"a gradient of {op}")
        for _, p in model.named_parameters():
            assert p.dtype == p.grad.dtype == np.float32
    for key, array in model.state_dict().items():
        assert array.dtype == (np.int64 if key.endswith("num_batches_tracked") else np.float32)


def test_a_rule_that_returns_float64_is_found(monkeypatch):
    widened = autograd.operation(lambda x: x * 1, name="widened", x=lambda g: g.astype(np.float64))
    keeping = autograd.operation(
        lambda x, y: x * 1,
        name="keeping",
        x=lambda g, y: g,
        y=lambda g, x_shape: g,  # a constant of float64 is kept
    )
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    loss = widened(x).sum()
    returned = watch_rules({node.op for node in nodes_below(loss)}, monkeypatch)
    loss.backward()
    with pytest.raises(AssertionError, match="a gradient of widened is float64"):
        assert_single(arrays_in(returned["widened"]), "a gradient of widened")
    kept = [arrays_in(node.saved) for node in nodes_below(keeping(x, np.ones(2)).sum())]
    with pytest.raises(AssertionError, match="is float64"):
        assert_single([a for arrays in kept for a in arrays], "something")


def step_of(model, optimizer, x, labels):
    """Return a step of training, with a closure, whatever the optimiser."""
    state = autograd.get_rng_state()

    def closure():
        autograd.set_rng_state(state)  # a line search needs one function: the same dropout at each evaluation
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), labels)
        if not isinstance(optimizer, optim.Newton):
            loss.backward()
        return loss

    return optimizer.step(closure).item()


def numbers_in(value):
    """Return the numbers and arrays of a nested state, in an order that does not depend on that of its keys."""
    if isinstance(value, dict):
        return [n for key in sorted(value, key=str) for n in numbers_in(value[key])]
    return [n for part in value for n in numbers_in(part)] if isinstance(value, (list, tuple)) else [value]


@pytest.mark.parametrize("name", MODELS)
@optimizers
def test_optimizers_keep_parameters_gradients_and_state_float32(case, name):
    autograd.manual_seed(0)
    make_model, shape = MODELS[name]
    model = make_model()
    optimizer = make(case, model.parameters())
    rng = np.random.default_rng(0)
    for _ in range(2):
        step_of(model, optimizer, rng.normal(size=shape), rng.integers(0, 2, shape[0]))  # float64 data
    assert {p.dtype.name for p in model.parameters()} == {"float32"}
    assert {p.grad.dtype.name for p in model.parameters() if p.grad is not None} <= {"float32"}
    assert optimizer.state or case == ("SGD", {"lr": 0.1})
    for number in numbers_in([optimizer.state_dict(), list(optimizer.state.values())]):
        if isinstance(number, (np.ndarray, np.generic)):
            assert number.dtype == np.float32
        else:
            assert isinstance(number, (bool, int, float, str, type(None)))
    # What it works in, too: a scratch array of float64 would take twice the memory and the time.
    for flats in optimizer._flats:
        for flat in flats:
            assert_single([flat.values, flat.gradients, *chain(*flat.scratch), *flat.arrays.values()], "a buffer")


# The same numbers


def parts(case):
    """Return all that a run consists of, freshly made from the seed."""
    autograd.manual_seed(7)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Dropout2d(0.3),
        nn.Flatten(),
        nn.Linear(48, 5),
        nn.Dropout(0.3),
        nn.Linear(5, 2),
    )
    rng = np.random.default_rng(3)
    data = TensorDataset(rng.normal(size=(14, 1, 6, 6)), rng.integers(0, 2, 14))
    optimizer = make(case, model.parameters())
    found = {
        "model": model,
        "optimizer": optimizer,
        "schedule": optim.lr_scheduler.SequentialLR(
            optimizer,
            [
                optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2),
                optim.lr_scheduler.ExponentialLR(optimizer, 0.9),
            ],
            [2],
        ),
        "average": optim.ExponentialMovingAverage([*model.parameters(), *model.buffers()], 0.8),
        "stopping": optim.EarlyStopping(model),
    }
    return found, DataLoader(data, batch_size=4, shuffle=True)


def batch_step(run, batch):
    loss = step_of(run["model"], run["optimizer"], *batch)
    run["average"].update()
    return loss


def epochs(run, loader, count):
    found = []
    for _ in range(count):
        found += [batch_step(run, batch) for batch in loader]
        run["schedule"].step()
        run["stopping"].step(found[-1])
    return found


def state_of(run):
    return {name: part.state_dict() for name, part in run.items()} | {"random": autograd.get_rng_state()}


def restored(case, checkpoint):
    run, loader = parts(case)
    for name, part in run.items():
        part.load_state_dict(checkpoint[name])
    autograd.set_rng_state(checkpoint["random"])
    return run, loader


def bits(state):
    return [(n.dtype.str, n.tobytes()) if isinstance(n, np.ndarray) else n for n in numbers_in(state)]


# Newton's Hessian has a row for each parameter, too many for such a model; the MLP above is its size.
RESUMED = [case for case in OPTIMIZERS if case[0] != "Newton"]
SUFFIXES = [".npz", ".safetensors"]


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return tmp_path / f"run{request.param}"


@pytest.mark.parametrize("case", RESUMED, ids=titles(RESUMED))
def test_the_same_seed_and_a_break_between_epochs_give_the_same_numbers(case, path):
    run, loader = parts(case)
    expected = epochs(run, loader, 4)
    final = bits(state_of(run))

    again, loader = parts(case)
    first = epochs(again, loader, 2)
    nn.save({**again, "random": autograd.get_rng_state()}, path)
    assert first + epochs(again, loader, 2) == expected
    assert bits(state_of(again)) == final

    autograd.manual_seed(99)
    autograd.rand(5)
    resumed, loader = restored(case, nn.load(path))
    assert epochs(resumed, loader, 2) == expected[len(first) :]
    assert bits(state_of(resumed)) == final


@pytest.mark.parametrize("case", [("SGD", {"lr": 0.1, "momentum": 0.9}), ("AdamW", {"lr": 0.02})], ids=["SGD", "AdamW"])
def test_a_break_in_the_middle_of_an_epoch_too(case, path):
    run, loader = parts(case)
    expected = epochs(run, loader, 3)
    final = bits(state_of(run))

    begun, loader = parts(case)
    found = epochs(begun, loader, 1)
    order = autograd.get_rng_state()  # from which the loader shuffles this epoch
    batches = iter(loader)
    found += [batch_step(begun, next(batches)) for _ in range(2)]
    nn.save({**state_of(begun), "order": order, "done": 2}, path)

    checkpoint = nn.load(path)
    resumed, loader = restored(case, checkpoint)
    autograd.set_rng_state(checkpoint["order"])
    batches = iter(loader)
    for _ in range(checkpoint["done"]):
        next(batches)
    autograd.set_rng_state(checkpoint["random"])
    found += [batch_step(resumed, batch) for batch in batches]
    resumed["schedule"].step()
    resumed["stopping"].step(found[-1])
    found += epochs(resumed, loader, 1)
    assert found == expected
    assert bits(state_of(resumed)) == final


def test_another_seed_gives_other_numbers():
    run, loader = parts(("SGD", {"lr": 0.1}))
    first = epochs(run, loader, 1)
    run, loader = parts(("SGD", {"lr": 0.1}))
    autograd.manual_seed(8)  # other dropout, another order, of the same model
    assert epochs(run, loader, 1) != first


# Learning


def symbols(rng, size):
    """Return sequences of four symbols; the label is the first."""
    found = rng.integers(0, 4, (size, 5))
    return np.eye(4)[found], found[:, 0]


def bars(rng, size):
    """Return noisy images of a bar; the label says whether it stands or lies."""
    images, labels = 0.3 * rng.normal(size=(size, 1, 8, 8)), rng.integers(0, 2, size)
    for image, label, place in zip(images[:, 0], labels, rng.integers(0, 8, size), strict=True):
        image[(slice(None), place) if label else place] += 1
    return images, labels


def checkerboard(rng, size):
    """Return points in a square, whose quarters are of two classes in turn."""
    points = rng.uniform(-1, 1, (size, 2))
    return points, (points[:, 0] * points[:, 1] > 0).astype(int)


def recurrent(kind):
    return lambda: nn.Sequential(kind(4, 24, batch_first=True), Last(), nn.Linear(24, 4))


LEARNED = {
    "mlp": (lambda: nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2)), checkerboard, 0.95),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(96, 2),
        ),
        bars,
        0.95,
    ),
    "rnn": (recurrent(nn.RNN), symbols, 0.99),
    "lstm": (recurrent(nn.LSTM), symbols, 0.99),
    "gru": (recurrent(nn.GRU), symbols, 0.99),
}


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_learns_what_holds_for_data_it_has_not_seen(name):
    make_model, draw, expected = LEARNED[name]
    autograd.manual_seed(0)
    rng = np.random.default_rng(0)
    model = make_model()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        x, labels = draw(rng, 64)
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(x), labels).backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    x, labels = draw(rng, 400)
    model.eval()
    with autograd.no_grad():
        assert (model(x).numpy().argmax(axis=1) == labels).mean() >= expected


def test_optim_does_not_import_nn():
    import subprocess
    import sys

    code = "import sys, optim; print('nn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
