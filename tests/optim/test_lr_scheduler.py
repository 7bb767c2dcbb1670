"""Schedules: their formulas, their combination, resuming, and what they refuse."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import optim
from autograd import Tensor
from optim import lr_scheduler
from optim.lr_scheduler import rates
from optim.lr_scheduler.schedule import AbsoluteLR


def sgd(lr=0.8, **options):
    x, y = (Tensor([1.0], requires_grad=True) for _ in range(2))
    return optim.SGD([{"params": [x]}, {"params": [y], "lr": lr / 2}], lr=lr, momentum=0.9, **options)


FORMULAS = {
    "StepLR": ({"step_size": 3, "gamma": 0.5}, lambda t: 0.5 ** (t // 3)),
    "MultiStepLR": ({"milestones": [5, 2, 5], "gamma": 0.5}, lambda t: 0.5 ** ((t >= 2) + 2 * (t >= 5))),
    "ExponentialLR": ({"gamma": math.exp(-0.3)}, lambda t: math.exp(-0.3 * t)),
    "InverseTimeLR": ({"k": 0.7}, lambda t: 1 / (1 + 0.7 * t)),
    "LambdaLR": ({"lr_lambda": lambda t: 1 / (t + 1)}, lambda t: 1 / (t + 1)),
    "ConstantLR": ({"factor": 0.25, "total_iters": 4}, lambda t: 0.25 if t < 4 else 1),
    "LinearLR": ({"start_factor": 0.2, "total_iters": 8}, lambda t: min(0.2 + 0.1 * t, 1)),
    "PolynomialLR": ({"total_iters": 10, "power": 2}, lambda t: (1 - min(t, 10) / 10) ** 2),
    "CosineAnnealingLR": ({"T_max": 10}, lambda t: (1 + math.cos(math.pi * t / 10)) / 2),
    "CosineAnnealingWarmRestarts": ({"T_0": 4}, lambda t: (1 + math.cos(math.pi * (t % 4) / 4)) / 2),
}
OTHERS = {"OneCycleLR", "ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"}


def every_schedule():
    """Yield (name, function of an optimiser that makes the schedule) for every schedule that needs no metric."""
    for name, (options, _) in FORMULAS.items():
        yield name, lambda o, name=name, options=options: getattr(lr_scheduler, name)(o, **options)
    yield "OneCycleLR", lambda o: lr_scheduler.OneCycleLR(o, max_lr=1.0, total_steps=30)
    yield (
        "SequentialLR",
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2)], [3]
        ),
    )
    yield (
        "ChainedScheduler",
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.9)]),
    )


EVERY = list(every_schedule())
every = pytest.mark.parametrize("make", [make for _, make in EVERY], ids=[name for name, _ in EVERY])


def test_every_schedule_is_tried():
    public = set(lr_scheduler.__all__) - {"AbsoluteLR", "LRScheduler", "rates"}
    assert public == FORMULAS.keys() | OTHERS
    assert public - {"ReduceLROnPlateau"} == {name for name, _ in EVERY}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    options, factor = FORMULAS[name]
    optimizer = sgd()
    schedule = getattr(lr_scheduler, name)(optimizer, **options)
    for t in range(25):
        expected = [0.8 * factor(t), 0.4 * factor(t)]
        np.testing.assert_allclose(schedule.get_last_lr(), expected, rtol=1e-12, atol=1e-15)
        assert [group["lr"] for group in optimizer.param_groups] == schedule.get_last_lr()
        schedule.step()


def test_cosine_annealing_comes_up_again():
    found = rates(lr_scheduler.CosineAnnealingLR(sgd(), T_max=5, eta_min=0.1), 21)
    expected = [0.1 + 0.7 * (1 + math.cos(math.pi * t / 5)) / 2 for t in range(21)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_warm_restarts_grow_longer_and_take_fractions():
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(sgd(), T_0=2, T_mult=3, eta_min=0.0)
    found = rates(schedule, 28)
    assert [t for t, rate in enumerate(found) if rate == 0.8] == [0, 2, 8, 26]
    schedule.step(0.5)
    assert schedule.get_last_lr()[0] == pytest.approx(0.8 * (1 + math.cos(math.pi / 4)) / 2)
    schedule.step()
    assert schedule.get_last_lr()[0] == pytest.approx(0.8 * (1 + math.cos(math.pi * 0.75)) / 2)
    with pytest.raises(ValueError, match="non-negative"):
        schedule.step(-1)


def test_one_cycle_peaks_where_momentum_is_least():
    optimizer = sgd()
    schedule = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=100)
    found, momenta = [], []
    for _ in range(99):
        found.append(schedule.get_last_lr()[0])
        momenta.append(optimizer.param_groups[0]["momentum"])
        schedule.step()
    assert np.argmax(found) == np.argmin(momenta) == 29
    assert (max(found), found[0]) == pytest.approx((1.0, 1 / 25))
    assert (min(momenta), momenta[0]) == pytest.approx((0.85, 0.95))
    assert schedule.get_last_lr()[0] == pytest.approx(1 / 25 / 1e4)
    schedule.step()
    with pytest.raises(ValueError, match="Tried to step 101 times"):
        schedule.step()


def test_one_cycle_changes_the_first_beta():
    optimizer = optim.Adam([Tensor([1.0], requires_grad=True)])
    lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    assert optimizer.param_groups[0]["betas"] == (0.95, 0.999)


def test_plateau():
    optimizer = sgd()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2, min_lr=0.15)
    found = []
    for loss in [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3.0, 3.0, 3.0]:
        schedule.step(Tensor(loss))
        found.append(schedule.get_last_lr())
    assert [first for first, _ in found] == [0.8] * 3 + [0.4] * 4 + [0.2] * 4
    assert found[-1] == [0.2, 0.15]


def test_plateau_of_a_metric_that_rises_and_falls_below_zero():
    for mode, metrics in (("max", [-3.0, -2.0, -1.0]), ("min", [3.0, -1.0, -2.0])):
        schedule = lr_scheduler.ReduceLROnPlateau(sgd(), mode, patience=0)
        for metric in metrics:
            schedule.step(metric)
        assert schedule.get_last_lr() == [0.8, 0.4]
        schedule.step(metrics[-1])
        assert schedule.get_last_lr() == pytest.approx([0.08, 0.04])
    schedule.step(math.nan)
    assert schedule.get_last_lr() == pytest.approx([0.008, 0.004])


def test_two_schedules_multiply():
    optimizer = sgd()
    one, two = lr_scheduler.ExponentialLR(optimizer, 0.5), lr_scheduler.StepLR(optimizer, 2, 0.1)
    for _ in range(3):
        one.step()
        two.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.8 * 0.5**3 * 0.1)


def test_sequential_in_sequential():
    optimizer = sgd()
    parts = [lr_scheduler.ConstantLR(optimizer, f, total_iters=99) for f in (0.5, 0.25, 0.125)]
    inner = lr_scheduler.SequentialLR(optimizer, parts[1:], [2])
    outer = lr_scheduler.SequentialLR(optimizer, [parts[0], inner], [2])
    np.testing.assert_allclose(rates(outer, 7), [0.4, 0.4, 0.2, 0.2, 0.1, 0.1, 0.1])


@every
def test_resumed_in_the_middle(make):
    optimizer = sgd()
    schedule = make(optimizer)
    for _ in range(4):
        schedule.step()
    saved = pickle.loads(pickle.dumps((optimizer.state_dict(), schedule.state_dict())))
    expected = rates(schedule, 12)

    other = sgd(lr=0.123)
    resumed = make(other)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert rates(resumed, 12) == expected


def test_plateau_resumed_in_the_middle():
    def run(schedule, losses):
        for loss in losses:
            schedule.step(loss)
        return schedule.get_last_lr()

    losses = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    expected = run(lr_scheduler.ReduceLROnPlateau(sgd(), patience=1), losses)
    first = sgd()
    schedule = lr_scheduler.ReduceLROnPlateau(first, patience=1)
    run(schedule, losses[:3])
    second = sgd()
    resumed = lr_scheduler.ReduceLROnPlateau(second, patience=1)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert run(resumed, losses[3:]) == expected


def test_resumed_by_the_number_of_the_epoch():
    optimizer = sgd()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    schedule.step()
    schedule.step()
    again = lr_scheduler.ExponentialLR(optimizer, 0.5, last_epoch=1)
    assert again.last_epoch == 2
    assert again.get_last_lr() == [0.2, 0.1]
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.ExponentialLR(sgd(), 0.5, last_epoch=1)


@every
def test_the_state_of_another_schedule_is_refused(make):
    schedule = make(sgd())
    before = schedule.state_dict()
    with pytest.raises(ValueError, match="no state of"):
        schedule.load_state_dict({"last_epoch": 3})
    assert schedule.state_dict().keys() == before.keys()
    assert schedule.last_epoch == 0


@pytest.mark.parametrize(
    "make", [lambda o: lr_scheduler.PolynomialLR(o, 3), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 3)]
)
def test_a_schedule_that_has_come_to_zero_leaves_the_rate_alone(make):
    optimizer = sgd()
    schedule = make(optimizer)
    for _ in range(4):
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0
    optimizer.param_groups[0]["lr"] = 0.01
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_the_rate_that_a_schedule_set_is_used():
    x = Tensor(np.array([1.0], "float32"), requires_grad=True)
    optimizer = optim.SGD([x], lr=1.0)
    schedule = lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    schedule.step()
    x.grad = np.array([1.0], "float32")
    optimizer.step()
    assert x.item() == pytest.approx(0.5)
    assert x.dtype == "float32"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda o: lr_scheduler.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (lambda o: lr_scheduler.StepLR(o, 0), ValueError, "positive integer step_size"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=2.5), ValueError, "positive integer T_max"),
        (lambda o: lr_scheduler.InverseTimeLR(o, k=-1), ValueError, "k is"),
        (lambda o: lr_scheduler.LambdaLR(o, [abs]), ValueError, "Expected 2 lr_lambdas, but got 1"),
        (lambda o: lr_scheduler.LinearLR(o, start_factor=0), ValueError, "start_factor"),
        (lambda o: lr_scheduler.LinearLR(o, end_factor=2), ValueError, "end_factor"),
        (lambda o: lr_scheduler.ConstantLR(o, factor=2), ValueError, "factor"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0), ValueError, "total_steps OR"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, pct_start=2.0), ValueError, "pct_start"),
        (lambda o: lr_scheduler.OneCycleLR(o, [1.0], 10), ValueError, "2 values for max_lr"),
        (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, anneal_strategy="up"), ValueError, "anneal_strategy"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="up"), ValueError, "mode up"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o).step(), TypeError, "needs the metric"),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 1)], [3]), ValueError, "one more than"),
        (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(sgd(), 1)], []), ValueError, "same optimizer"),
        (lambda o: lr_scheduler.ChainedScheduler([]), ValueError, "at least one"),
        (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]), ValueError, "metric"),
        (lambda o: lr_scheduler.LRScheduler(o), NotImplementedError, "neither rate nor factor"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(sgd())


def test_a_group_added_behind_a_schedules_back():
    optimizer = sgd()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.add_param_group({"params": [Tensor([1.0], requires_grad=True)]})
    with pytest.raises(RuntimeError, match="made for 2 parameter groups, but the optimizer has 3"):
        schedule.step()


@pytest.mark.parametrize("base", [lr_scheduler.LRScheduler, AbsoluteLR])
def test_a_schedule_of_ones_own_may_define_the_rate_alone(base):
    class Harmonic(base):
        def rate(self, base, group, epoch):
            return base / (1 + epoch)

    assert np.allclose(rates(Harmonic(sgd(0.5)), 4), [0.5, 0.25, 0.5 / 3, 0.125])


@pytest.mark.parametrize("first", [True, False])
def test_schedules_at_once_can_be_one_of_several_in_turn(first):
    optimizer = sgd(1.0)
    both = lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    )
    one = lr_scheduler.ExponentialLR(optimizer, 0.5)
    found = rates(lr_scheduler.SequentialLR(optimizer, [both, one] if first else [one, both], [3]), 6)
    halves, chained = [1.0, 0.5, 0.25], [0.5, 0.45, 0.81]
    assert np.allclose(found, [*chained, *halves] if first else [*halves, *chained])
