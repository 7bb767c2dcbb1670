"""What every optimiser does: groups, state, resuming, and what it refuses."""

from __future__ import annotations

import copy
import io
import pickle
from fractions import Fraction

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor, from_numpy
from tests.optim.problems import (
    CLOSURES,
    STEPPING,
    assert_identical,
    bowl,
    closure_of,
    leaves,
    make,
    titles,
    train,
    values,
)

EVERY = STEPPING + CLOSURES
every = pytest.mark.parametrize("case", EVERY, ids=titles(EVERY))
stepping = pytest.mark.parametrize("case", STEPPING, ids=titles(STEPPING))


def arrays_in(state):
    for value in state.values() if isinstance(state, dict) else state:
        if isinstance(value, (dict, list, tuple)):
            yield from arrays_in(value)
        elif isinstance(value, np.ndarray):
            yield value


def test_every_optimizer_is_tried():
    rest = {"EarlyStopping", "ExponentialMovingAverage", "Optimizer", "SWA", "lr_scheduler"}
    optimizers = {name for name in optim.__all__ if not name.startswith("clip")} - rest
    assert optimizers == {name for name, _ in EVERY}


@every
def test_it_converges_on_a_quadratic_function(case):
    params = leaves()
    losses = train(make(case, params), params, 400)
    assert losses[-1] < 1e-3 * losses[0]


WITH_MAXIMIZE = [case for case in EVERY if case[0] != "LBFGS"]  # which has no such option in PyTorch either


@pytest.mark.parametrize("case", WITH_MAXIMIZE, ids=titles(WITH_MAXIMIZE))
def test_maximize_goes_up(case):
    up, down = leaves(), leaves()
    train(make(case, up, maximize=True), up, 30, lambda params: -bowl(params))
    train(make(case, down), down, 30)
    for x, y in zip(values(up), values(down), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_gradients_and_state_keep_their_dtype(case, dtype):
    params = leaves(dtype)
    optimizer = make(case, params)
    train(optimizer, params, 4)
    assert all(p.dtype == dtype for p in params)
    assert all(p.grad is None or p.grad.dtype == dtype for p in params)
    assert {array.dtype for array in arrays_in(optimizer.state_dict()["state"])} <= {np.dtype(dtype)}


@stepping
def test_a_rate_that_is_a_numpy_number_keeps_float32(case):
    one, two = leaves("float32"), leaves("float32")
    train(make(case, one, lr=np.float64(0.05)), one, 3)
    train(make(case, two, lr=0.05), two, 3)
    assert_identical(values(one), values(two))


@every
def test_saved_in_the_middle_it_goes_on_bit_for_bit(case):
    whole, first = leaves(), leaves()
    train(make(case, whole), whole, 9)
    optimizer = make(case, first)
    train(optimizer, first, 5)
    saved = pickle.loads(pickle.dumps(optimizer.state_dict()))

    rest = [Tensor(p.data, requires_grad=True) for p in first]
    resumed = make(case, rest, lr=123.0)  # the saved options win
    resumed.load_state_dict(saved)
    train(resumed, rest, 4)
    assert_identical(values(rest), values(whole))


@every
def test_state_dict_is_a_copy(case):
    params = leaves()
    optimizer = make(case, params)
    train(optimizer, params, 3)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved)
    train(optimizer, params, 3)
    assert_identical(list(arrays_in(saved)), list(arrays_in(before)))
    loaded = make(case, params)
    loaded.load_state_dict(saved)
    train(loaded, params, 3)
    assert_identical(list(arrays_in(saved)), list(arrays_in(before)))


@every
def test_a_copy_of_model_and_optimizer_trains_by_itself(case):
    params = leaves()
    optimizer = make(case, params)
    train(optimizer, params, 3)
    others, copied = copy.deepcopy((params, optimizer))
    before = values(params)
    train(copied, others, 4)
    assert_identical(values(params), before)
    train(optimizer, params, 4)
    assert_identical(values(params), values(others))


def test_it_pickles_with_its_parameters():
    params = leaves()
    optimizer = optim.Adam(params)
    train(optimizer, params, 3)
    others, loaded = pickle.load(io.BytesIO(pickle.dumps((params, optimizer))))
    train(loaded, others, 3)
    train(optimizer, params, 3)
    assert_identical(values(params), values(others))


@stepping
def test_parameters_without_a_gradient_are_left_alone(case):
    params, alone = leaves(), leaves()
    optimizer = make(case, params)
    train(optimizer, params, 2)
    train(make(case, alone[:1]), alone[:1], 2)
    before = values(params)
    optimizer.zero_grad()
    bowl(params[:1]).backward()
    optimizer.step()
    assert_identical(values(params[1:]), before[1:])
    assert (params[0].data != before[0]).all()
    # ... and their count of steps stands still.
    assert all(state.get("step", 0) in (0, 2) for p, state in optimizer.state.items() if p is not params[0])


@stepping
def test_without_any_gradient_nothing_happens(case):
    params = leaves()
    before = values(params)
    optimizer = make(case, params)
    optimizer.step()
    assert_identical(values(params), before)
    assert optimizer.state == {}


def test_zero_grad():
    params = leaves()
    optimizer = optim.SGD(params, lr=0.1)
    bowl(params).backward()
    optimizer.zero_grad(set_to_none=False)
    assert all(not p.grad.numpy().any() for p in params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


@every
def test_a_graph_recorded_before_the_step_is_refused(case):
    params = [Tensor([1.0, 2.0], requires_grad=True)]
    stale = (params[0] * params[0]).sum()
    optimizer = make(case, params)
    train(optimizer, params, 1)
    with pytest.raises(RuntimeError, match=r"overwritten|in place|changed"):
        stale.backward()


@every
def test_the_closure_records_under_no_grad_and_its_loss_is_returned(case):
    import autograd

    params = leaves()
    optimizer = make(case, params)
    expected = bowl(params).item()
    with autograd.no_grad():
        loss = optimizer.step(closure_of(optimizer, params, bowl))
    assert loss.item() == expected


def test_options_of_groups():
    x, y, z = (Tensor([1.0], requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": x}, {"params": [y], "lr": 0.5, "name": "late"}], lr=0.1)
    optimizer.add_param_group({"params": [z], "lr": 0.25})
    (x + y + z).sum().backward()
    optimizer.step()
    assert [x.item(), y.item(), z.item()] == [0.9, 0.5, 0.75]
    optimizer.param_groups[1]["lr"] = 0.0
    optimizer.step()
    assert [x.item(), y.item(), z.item()] == [0.8, 0.5, 0.5]
    assert "lr: 0.25" in repr(optimizer)
    assert "late" in repr(optimizer)


def test_parameters_appended_to_a_group_by_hand_are_stepped():
    x, y = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([x], lr=0.1, momentum=0.9)
    (x + y).sum().backward()
    optimizer.step()
    optimizer.param_groups[0]["params"].append(y)
    optimizer.step()
    assert (x.item(), y.item()) == pytest.approx((0.71, 0.9))


def test_named_parameters():
    x, y = (Tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([("first", x), ("second", y)], lr=0.1)
    assert optimizer.param_groups[0]["params"][1] is y
    assert list(optimizer.state_dict()["param_groups"][0]["param_names"]) == ["first", "second"]
    with pytest.raises(TypeError, match="second"):
        optim.SGD([("first", x), ("second", 3.0)])


def test_a_scalar_is_stepped():
    x = Tensor(1.0, requires_grad=True)
    optimizer = optim.SGD([x], lr=0.25)
    (x * x).backward()
    optimizer.step()
    assert x.item() == 0.5
    assert x.requires_grad


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ValueError, "empty parameter list"),
        ([{"params": []}], ValueError, "empty parameter list"),
        (Tensor([1.0], requires_grad=True), TypeError, "iterable of Tensors"),
        (5, TypeError, "iterable of Tensors or dicts, but got int$"),
        (nn.Linear(1, 1), TypeError, r"got Linear: write parameters\(\), of the module"),
        (nn.Sequential(nn.Linear(1, 1)), TypeError, r"got Sequential: write parameters\(\)"),
        (nn.Linear(1, 1).parameters, TypeError, r"got method: write parameters\(\)"),
        ([np.zeros(2)], TypeError, "can only optimize Tensors.*ndarray"),
        ([{"lr": 0.1}], TypeError, "'params'"),
        ([{"params": {Tensor([1.0])}}], TypeError, "ordered"),
        ([Tensor([1, 2])], TypeError, "int64"),
        ([Tensor([1.0], requires_grad=True) * 2], ValueError, "non-leaf"),
        ([{"params": [Tensor([1.0])], "weight_decy": 0.1}], ValueError, "'weight_decy'.*weight_decay"),
        ([("x", Tensor([1.0])), Tensor([2.0])], ValueError, "names"),
    ],
)
def test_bad_parameters(params, error, message):
    with pytest.raises(error, match=message):
        optim.SGD(params, lr=0.1)


def test_parameters_given_twice():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="duplicate"):
        optim.SGD([x, x])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [x]}, {"params": [x]}])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("SGD", {"lr": -1.0}, "Invalid learning rate: -1.0"),
        ("SGD", {"lr": float("nan")}, "Invalid learning rate: nan"),
        ("SGD", {"momentum": -0.1}, "Invalid momentum value: -0.1"),
        ("SGD", {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "zero dampening"),
        ("Adagrad", {"lr_decay": -1.0}, "Invalid lr_decay value: -1.0"),
        ("Adadelta", {"rho": 1.5}, "Invalid rho value: 1.5"),
        ("RMSprop", {"eps": -1e-8}, "Invalid epsilon value"),
        ("Adam", {"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        ("AdamW", {"betas": (-0.1, 0.9)}, "Invalid beta parameter at index 0: -0.1"),
        ("Adam", {"betas": 0.9}, "Invalid betas: 0.9; they are two numbers"),
        ("NAdam", {"betas": (0.9, 0.9, 0.9)}, "Invalid betas: .*; they are two numbers"),
        ("RAdam", {"betas": ("0.9", 0.9)}, "Invalid beta parameter at index 0: '0.9'"),
        ("Adam", {"lr": None}, "Invalid learning rate: None"),
        ("SGD", {"lr": "0.1"}, "Invalid learning rate: '0.1'"),
        ("Adamax", {"lr": -1.0}, "Invalid learning rate"),
        ("NAdam", {"momentum_decay": -1.0}, "Invalid momentum_decay value"),
        ("RAdam", {"weight_decay": -1.0}, "Invalid weight_decay value"),
        ("LBFGS", {"line_search_fn": "golden"}, "strong_wolfe"),
        ("LBFGS", {"max_iter": 2.5}, "max_iter and history_size are whole"),
        ("Newton", {"negative": "ignore"}, "remove, flip, keep"),
        ("Newton", {"damping": -1.0}, "Invalid damping value"),
        ("GradientDescent", {"line_search": "none"}, "exact, backtracking, wolfe, diminishing"),
        ("GradientDescent", {"c1": 0.5, "c2": 0.1}, "0 < c1 < c2 < 1"),
    ],
)
def test_options_out_of_range(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, name)([Tensor([1.0], requires_grad=True)], **options)


@pytest.mark.parametrize("case", CLOSURES, ids=titles(CLOSURES))
def test_closures_are_needed_and_one_group_is_all(case):
    x, y = (Tensor([1.0], requires_grad=True) for _ in range(2))
    with pytest.raises(TypeError, match="closure"):
        make(case, [x]).step()
    with pytest.raises(ValueError, match="one parameter group"):
        make(case, [{"params": [x]}, {"params": [y]}])


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    params = leaves()
    optimizer = optim.Adam(params, lr=0.1)
    train(optimizer, params, 2)
    good = optimizer.state_dict()

    def refused(message, change):
        bad = copy.deepcopy(good)
        change(bad)
        with pytest.raises(ValueError, match=message):
            optimizer.load_state_dict(bad)

    refused("'state' and 'param_groups'", lambda bad: bad.pop("state"))
    refused("different number of parameter groups: 0, not 1", lambda bad: bad["param_groups"].clear())
    refused("doesn't match the size", lambda bad: bad["param_groups"][0]["params"].pop())
    refused("has shape", lambda bad: bad["state"][0].update(exp_avg=np.zeros(7)))
    refused("lacks 'exp_avg_sq'", lambda bad: bad["state"][1].pop("exp_avg_sq"))
    refused("lacks 'step'", lambda bad: bad["state"][1].pop("step"))
    refused("'step' is neither", lambda bad: bad["state"][1].update(step="two"))
    refused("'exp_avg' is neither", lambda bad: bad["state"][1].update(exp_avg=np.array(["x"] * 4)))
    refused("a parameter 99", lambda bad: bad["state"].update({99: {}}))
    refused("learning rate", lambda bad: bad["param_groups"][0].update(lr=-1.0))
    after = optimizer.state_dict()
    assert after["param_groups"] == good["param_groups"]
    assert_identical(list(arrays_in(after)), list(arrays_in(good)))


@pytest.mark.parametrize("case", CLOSURES, ids=titles(CLOSURES))
def test_the_state_of_a_closure_optimizer_that_does_not_fit(case):
    params = leaves()
    optimizer = make(case, params)
    train(optimizer, params, 2)
    bad = optimizer.state_dict()
    bad["state"][0]["step"] = "two"
    with pytest.raises(ValueError, match="neither"):
        optimizer.load_state_dict(bad)
    bad["state"][0]["step"] = np.zeros(3)
    with pytest.raises(ValueError, match="the parameters are"):
        optimizer.load_state_dict(bad)


def test_lists_that_a_file_made_of_tuples_and_string_keys_load():
    params = leaves()
    optimizer = optim.Adam(params, betas=(0.8, 0.9))
    train(optimizer, params, 2)
    saved = optimizer.state_dict()
    saved["param_groups"][0]["betas"] = [0.8, 0.9]
    saved["state"] = {
        str(key): {name: np.asarray(value) for name, value in state.items()} for key, state in saved["state"].items()
    }
    others = [Tensor(p.data, requires_grad=True) for p in params]
    loaded = optim.Adam(others)
    loaded.load_state_dict(saved)
    train(loaded, others, 2)
    train(optimizer, params, 2)
    assert_identical(values(params), values(others))


def test_state_can_be_read_and_changed_in_place():
    params = leaves()
    optimizer = optim.SGD(params, lr=0.1, momentum=0.9)
    train(optimizer, params, 1)
    state = optimizer.state[params[0]]
    assert state["momentum_buffer"].shape == params[0].shape
    state["momentum_buffer"][...] = 0.0
    assert not optimizer.state_dict()["state"][0]["momentum_buffer"].any()


def test_an_optimizer_of_ones_own_needs_an_update():
    optimizer = optim.Optimizer([Tensor([1.0], requires_grad=True)], {"lr": 0.1})
    optimizer.param_groups[0]["params"][0].grad = [1.0]
    with pytest.raises(NotImplementedError, match="defines no update"):
        optimizer.step()


def test_divergence_is_silent_as_in_backward():
    x = Tensor(np.array([1e30], "float32"), requires_grad=True)
    optimizer = optim.SGD([x], lr=1e30)
    x.grad = np.array([1e30], "float32")
    optimizer.step()
    assert x.item() == -np.inf


def test_memory_shared_by_from_numpy_stays_shared():
    array = np.array([1.0, 2.0])
    x = from_numpy(array, requires_grad=True)
    optimizer = optim.SGD([x], lr=0.5)
    (x * x).sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(array, [0.0, 0.0])


@pytest.mark.parametrize("lr", [np.array(0.1), np.float32(0.1), Fraction(1, 10), Tensor(0.1)])
def test_rates_may_be_numbers_of_many_kinds(lr):
    x = Tensor(np.array([1.0], np.float32), requires_grad=True)
    optimizer = optim.SGD([x], lr=lr)
    x.grad = np.array([1.0], np.float32)
    optimizer.step()
    assert x.numpy() == pytest.approx(0.9)
    assert x.dtype == np.float32
