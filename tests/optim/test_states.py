"""Loading states that are damaged, foreign or malicious: each is refused with a ValueError, and nothing has changed."""

from __future__ import annotations

import contextlib
import copy
import math

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from optim import lr_scheduler
from tests.optim.problems import CLOSURES, STEPPING, bowl, leaves, make, titles, train, values
from tests.optim.test_lr_scheduler import EVERY as SCHEDULES
from tests.optim.test_lr_scheduler import sgd

OPTIMIZERS = STEPPING + CLOSURES
JUNK = [
    None,
    True,
    0,
    -1,
    2.5,
    10**30,
    math.nan,
    math.inf,
    "",
    "adam",
    [],
    {},
    [math.nan],
    [[1.0], [2.0, 3.0]],
    object(),
    np.zeros(7),
    np.array(["a"]),
    np.array([None]),
    np.array([1j]),
]


def entries(state, path=()):
    """Yield the path of every entry of a nested state."""
    inside = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, (list, tuple)) else ()
    for key, value in inside:
        yield (*path, key)
        yield from entries(value, (*path, key))


def loosened(state):
    """Return a copy of a nested state with lists for tuples, as many a file has them."""
    if isinstance(state, dict):
        return {key: loosened(value) for key, value in state.items()}
    return [loosened(value) for value in state] if isinstance(state, (list, tuple)) else copy.copy(state)


def changed(state, path, change):
    """Return a copy of a nested state in which `change(container, key)` has been made at `path`."""
    container = state = loosened(state)
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return state


def damaged(good):
    """Yield what may become of a good state: entries lost, replaced by others, or under keys that are none."""
    yield from JUNK
    for path in entries(good):
        yield changed(good, path, lambda container, key: container.pop(key))
        for junk in JUNK:
            yield changed(good, path, lambda container, key, junk=junk: container.__setitem__(key, junk))
        for key in (math.nan, 99, "99", "-1", None):
            yield changed(
                good,
                path,
                lambda container, old, key=key: (
                    container.__setitem__(key, container.pop(old)) if isinstance(container, dict) else container.clear()
                ),
            )


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) else a == b


def check(loads, good, go_on):
    """See every damaged state refused without a change, or taken for a state with which one can go on."""
    refused = taken = 0
    for bad in damaged(good):
        try:
            loads.load_state_dict(bad)
        except ValueError:
            assert same(loads.state_dict(), good)
            refused += 1
        else:
            go_on()
            loads.load_state_dict(good)
            assert same(loads.state_dict(), good)
            taken += 1
    assert refused > 2 * taken


@pytest.mark.parametrize("case", OPTIMIZERS, ids=titles(OPTIMIZERS))
def test_an_optimizer_refuses_damaged_states_whole(case):
    params = leaves()
    optimizer = make(case, params)
    train(optimizer, params, 2)
    before = values(params)

    def go_on():
        def closure():
            loss = bowl(params)
            if not isinstance(optimizer, optim.Newton):
                loss.backward()
            return loss

        if optimizer.param_groups[0].get("max_iter", 0) < 1000 and optimizer.param_groups[0].get("lr") != math.inf:
            optimizer.step(closure)
        for p, values_before in zip(params, before, strict=True):
            p.data = values_before.copy()
            p.grad = None

    check(optimizer, optimizer.state_dict(), go_on)
    for x, y in zip(values(params), before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("make", [make for _, make in SCHEDULES], ids=[name for name, _ in SCHEDULES])
def test_a_schedule_refuses_damaged_states_whole(make):
    optimizer = sgd()
    schedule = make(optimizer)
    schedule.step()
    options = copy.deepcopy(optimizer.state_dict())

    def go_on():
        with contextlib.suppress(ValueError):  # of a cycle that is over
            for _ in range(3):
                schedule.step()
        optimizer.load_state_dict(options)

    check(schedule, schedule.state_dict(), go_on)
    assert same(optimizer.state_dict(), options)


def test_the_plateau_refuses_damaged_states_whole():
    optimizer = sgd()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    for loss in (3.0, 2.0, 2.0):
        schedule.step(loss)
    check(schedule, schedule.state_dict(), lambda: [schedule.step(loss) for loss in (2.0, 2.0, 2.0)])


@pytest.mark.parametrize("kind", [optim.SWA, optim.ExponentialMovingAverage])
def test_averages_refuse_damaged_states_whole(kind):
    params = leaves("float32")
    average = kind(params)
    average.update()

    def go_on():
        with np.errstate(all="ignore"):  # an infinite average is one
            average.update()

    check(average, average.state_dict(), go_on)


@pytest.mark.parametrize("of", ["model", "tensors", "nothing"])
def test_early_stopping_refuses_damaged_states_whole(of):
    model = nn.Linear(2, 1)
    stopping = optim.EarlyStopping({"model": model, "tensors": list(model.parameters()), "nothing": None}[of])
    for metric in (2.0, 1.0, 3.0):
        stopping.step(metric)
    check(stopping, stopping.state_dict(), lambda: stopping.step(0.0))


def test_the_random_state_is_taken_whole_or_not_at_all():
    good = autograd.get_rng_state()

    class Generator:
        load_state_dict = staticmethod(autograd.set_rng_state)
        state_dict = staticmethod(autograd.get_rng_state)

    check(Generator, good, lambda: autograd.rand(3))


def test_the_state_of_another_optimizer_is_refused():
    states = {}
    for name, options in (("SGD", {"momentum": 0.9}), ("Adam", {}), ("RMSprop", {}), ("Adagrad", {}), ("LBFGS", {})):
        params = leaves()
        states[name] = make((name, options), params)
        train(states[name], params, 2)
    for name, optimizer in states.items():
        for other, foreign in states.items():
            if other != name:
                with pytest.raises(ValueError, match=f"another optimizer than {name}"):
                    optimizer.load_state_dict(foreign.state_dict())


def test_state_of_another_dtype_becomes_that_of_the_parameters():
    for case in OPTIMIZERS:
        single, double = leaves("float32"), leaves("float64")
        saved = make(case, double)
        train(saved, double, 2)
        optimizer = make(case, single)
        optimizer.load_state_dict(saved.state_dict())
        train(optimizer, single, 2)
        arrays = [a for state in optimizer.state_dict()["state"].values() for a in state.values() if np.ndim(a)]
        assert {a.dtype.name for a in arrays} <= {"float32"}, case


@pytest.mark.parametrize("case", [("Adam", {}), ("LBFGS", {"max_iter": 2})], ids=["Adam", "LBFGS"])
def test_state_too_large_for_the_dtype_does_not_stop_loading_half_way(case):
    params = leaves("float32")
    optimizer = make(case, params)
    train(optimizer, params, 2)
    state = optimizer.state_dict()
    name = "exp_avg" if case[0] == "Adam" else "d"
    state["state"][0][name] = np.full(state["state"][0][name].shape, 1e300)
    optimizer.load_state_dict(state)
    assert np.isinf(optimizer.state_dict()["state"][0][name]).all()


def test_complex_state_of_a_real_parameter_is_refused():
    x = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.Adam([x])
    x.grad = [1.0, 1.0]
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["exp_avg"] = np.array([1j, 1.0])
    with pytest.raises(ValueError, match="'exp_avg' is neither"):
        optimizer.load_state_dict(state)


def test_the_state_of_a_number_survives_a_round_trip_while_it_is_not_used():
    def run(trip):
        p = nn.Parameter(np.float32(1.0))
        optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
        for step in range(4):
            optimizer.param_groups[0]["momentum"] = 0.0 if step == 1 else 0.9
            if step == 2 and trip:
                optimizer.param_groups[0]["momentum"] = 0.0
                optimizer.load_state_dict(optimizer.state_dict())
                optimizer.param_groups[0]["momentum"] = 0.9
            p.grad = Tensor(np.float32(1.0))
            optimizer.step()
        return p.item()

    assert run(trip=True) == run(trip=False)


def test_groups_may_be_taken_out_and_put_in():
    params = [nn.Parameter(np.float32([i])) for i in range(3)]
    optimizer = optim.SGD([{"params": [p]} for p in params], lr=0.1, momentum=0.9)

    def step():
        for p in params:
            p.grad = Tensor(np.float32([1.0]))
        optimizer.step()

    step()
    taken = optimizer.param_groups.pop(1)
    step()
    assert [state["step"] for state in optimizer.state_dict()["state"].values()] == [2, 2]
    optimizer.param_groups.append(taken)
    step()
    assert sorted(state["step"] for state in optimizer.state_dict()["state"].values()) in ([1, 3, 3], [2, 3, 3])
