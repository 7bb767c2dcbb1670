"""Every optimiser, schedule and clipping beside its twin in PyTorch: 50 steps, the same parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import autograd
import optim
from autograd import Tensor

STEPS = 50
OURS = {  # what PyTorch has not; tests/optim shows that they are right
    "EarlyStopping",
    "ExponentialMovingAverage",
    "GradientDescent",
    "Newton",
    "SWA",
    "clip_grad_norm_per_tensor_",
}
CLIPS = {"clip_grad_norm_", "clip_grad_value_"}

OPTIMIZERS = {
    "SGD": [
        {"lr": 0.05},
        {"lr": 0.05, "weight_decay": 0.1},
        {"lr": 0.02, "momentum": 0.9},
        {"lr": 0.02, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 1e-5, "momentum": 0.5, "maximize": True},
        {"lr": 1e-5, "momentum": 0.5, "weight_decay": 10.0, "maximize": True},
    ],
    "Adagrad": [
        {},
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1},
        {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
        {"lr": 0.1, "maximize": True},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-4}, {"weight_decay": 0.1}, {"maximize": True}],
    "RMSprop": [
        {},
        {"lr": 0.05, "alpha": 0.9, "eps": 1e-4},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.5, "weight_decay": 0.1},
        {"maximize": True},
    ],
    "Adam": [
        {"lr": 0.05},
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3},
        {"lr": 0.05, "weight_decay": 0.1},
        {"lr": 0.05, "amsgrad": True, "betas": (0.5, 0.6)},
        {"lr": 0.05, "maximize": True, "weight_decay": 0.1},
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [
        {"lr": 0.05},
        {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True},
        {"lr": 0.05, "betas": (0.8, 0.95), "maximize": True},
    ],
    "Adamax": [{}, {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1}, {"lr": 0.05, "maximize": True}],
    "NAdam": [
        {},
        {"lr": 0.05, "momentum_decay": 0.05, "weight_decay": 0.1},
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 0.05, "maximize": True},
    ],
    "RAdam": [
        {},
        {"lr": 0.05, "weight_decay": 0.1},
        {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": 1e-4, "maximize": True},
    ],
    "LBFGS": [
        {"lr": 0.3, "max_iter": 1},
        {"lr": 0.5, "max_iter": 4, "history_size": 3},
        {"max_iter": 2, "line_search_fn": "strong_wolfe"},
        {"lr": 0.1, "max_iter": 5, "max_eval": 4, "history_size": 2, "line_search_fn": "strong_wolfe"},
        {"lr": 50.0, "max_iter": 3, "line_search_fn": "strong_wolfe"},
    ],
}

STARTS = [[-1.2, 1.0, 0.5], [[0.3, -0.4], [0.8, 1.5]], [0.7]]


def valley(x, y, z):
    """A curved valley with noise-free gradients of very different sizes, in operators that both libraries have."""
    return (
        (1 - x[0]) ** 2
        + 5 * (x[1] - x[0] ** 2) ** 2
        + 0.5 * x[2] ** 2 * z[0] ** 2
        + (y * y).sum()
        + 0.3 * (y[0, 0] * y[1, 1] - 1) ** 2
        + 20 * (z[0] - 1) ** 2
    )


def twins(dtype="float64"):
    ours = [Tensor(np.array(start, dtype), requires_grad=True) for start in STARTS]
    theirs = [torch.tensor(start, dtype=getattr(torch, dtype), requires_grad=True) for start in STARTS]
    return ours, theirs


def closure_of(optimizer, params):
    def closure():
        optimizer.zero_grad()
        loss = valley(*params)
        loss.backward()
        return loss

    return closure


def run(optimizer, params, schedule=None, metric=False, steps=STEPS):
    closure = closure_of(optimizer, params)
    for _ in range(steps):
        loss = optimizer.step(closure)
        if schedule is not None:
            schedule.step(round(loss.item(), 3)) if metric else schedule.step()


def assert_same(ours, theirs, tolerance=1e-6):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=tolerance, atol=tolerance)


def cases(table):
    return [
        pytest.param(name, options, id=f"{name}-{i}") for name, all_ in table.items() for i, options in enumerate(all_)
    ]


def test_every_optimizer_has_a_case():
    assert set(optim.__all__) - OURS - CLIPS - {"Optimizer", "lr_scheduler"} == OPTIMIZERS.keys()
    assert not any(hasattr(torch.optim, name) or hasattr(torch.nn.utils, name) for name in OURS)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "options"), cases(OPTIMIZERS))
def test_optimizer(name, options, dtype):
    ours, theirs = twins(dtype)
    run(getattr(optim, name)(ours, **options), ours)
    run(getattr(torch.optim, name)(theirs, **options), theirs)
    # Rounding in float32, 6e-8 a step, is amplified by 50 steps down a curved valley; a line search on losses cannot
    # tell points apart whose losses round to the same number, which leaves the square root of that.
    single = 1e-3 if name == "LBFGS" else 2e-5
    assert_same(ours, theirs, 1e-6 if dtype == "float64" else single)
    assert all(p.dtype == dtype for p in ours)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults_are_theirs(name):
    ours, theirs = twins()
    mine = getattr(optim, name)(ours).defaults
    other = getattr(torch.optim, name)(theirs).defaults
    assert {key: other[key] for key in mine} == mine


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - {"LBFGS"}))
def test_groups_and_missing_gradients(name):
    ours, theirs = twins()
    for params, library in ((ours, optim), (theirs, torch.optim)):
        groups = [{"params": params[:1], "lr": 0.03}, {"params": params[1:], "weight_decay": 0.2}]
        optimizer = getattr(library, name)(groups, lr=0.01)
        for step in range(20):
            optimizer.zero_grad()
            valley(*params).backward()
            if step % 3 == 1:
                params[1].grad = None
            optimizer.step()
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - {"LBFGS"}))
def test_complex_parameters(name):
    start = np.array([1 + 2j, -0.5 + 0.1j, 3.0 - 1j])
    ours, theirs = Tensor(start, requires_grad=True), torch.tensor(start, requires_grad=True)
    mine, other = getattr(optim, name)([ours], lr=0.05), getattr(torch.optim, name)([theirs], lr=0.05)
    for _ in range(20):
        for x, optimizer in ((ours, mine), (theirs, other)):
            optimizer.zero_grad()
            z = (x - (1 + 1j)) * (x.conj() - (1 - 1j))
            (z.real.sum() + x.imag.sum()).backward()
            optimizer.step()
    assert_same([ours], [theirs])


SCHEDULES = {
    "StepLR": [{"step_size": 7}, {"step_size": 3, "gamma": 0.7}],
    "MultiStepLR": [{"milestones": [4, 20, 30], "gamma": 0.5}],
    "ExponentialLR": [{"gamma": 0.93}],
    "LambdaLR": [{"lr_lambda": lambda t: 1 / (1 + t)}, {"lr_lambda": [lambda t: 0.9**t, lambda t: 1 / (1 + 2 * t)]}],
    "ConstantLR": [{}, {"factor": 0.2, "total_iters": 12}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.6, "total_iters": 20}],
    "PolynomialLR": [{"total_iters": 60}, {"total_iters": 20, "power": 2.0}],
    "CosineAnnealingLR": [{"T_max": 50}, {"T_max": 11, "eta_min": 0.004}],
    "CosineAnnealingWarmRestarts": [{"T_0": 6}, {"T_0": 5, "T_mult": 2, "eta_min": 0.001}],
    "OneCycleLR": [
        {"max_lr": 0.05, "total_steps": 50},
        {"max_lr": [0.05, 0.02], "epochs": 5, "steps_per_epoch": 12, "anneal_strategy": "linear", "pct_start": 0.4},
        {"max_lr": 0.05, "total_steps": 55, "three_phase": True, "div_factor": 10.0},
        {"max_lr": 0.05, "total_steps": 50, "cycle_momentum": False},
    ],
    "ReduceLROnPlateau": [
        {"patience": 2, "factor": 0.5, "threshold": 0.05},
        {"patience": 0, "factor": 0.8, "cooldown": 3, "threshold": 0.01, "threshold_mode": "abs", "min_lr": 0.001},
        {"mode": "max", "patience": 3, "factor": 0.9, "threshold": 0.1, "min_lr": [0.001, 0.015]},
    ],
}
COMBINED = {"SequentialLR", "ChainedScheduler"}
OUR_SCHEDULES = {"InverseTimeLR"}
NO_SCHEDULES = {"AbsoluteLR", "LRScheduler", "rates"}


def test_every_schedule_has_a_case():
    names = set(optim.lr_scheduler.__all__) - NO_SCHEDULES
    assert names == SCHEDULES.keys() | COMBINED | OUR_SCHEDULES
    assert not any(hasattr(torch.optim.lr_scheduler, name) for name in OUR_SCHEDULES)


def scheduled(library, params, kind="SGD", **options):
    options = options or {"momentum": 0.9}
    return getattr(library, kind)([{"params": params[:2]}, {"params": params[2:], "lr": 0.02}], lr=0.03, **options)


def compare_schedules(make, kind="SGD", metric=False, **options):
    found = []
    twin = twins()
    for params, library, schedules in zip(
        twin, (optim, torch.optim), (optim.lr_scheduler, torch.optim.lr_scheduler), strict=True
    ):
        optimizer = scheduled(library, params, kind, **options)
        schedule = make(schedules, optimizer)
        closure, rates = closure_of(optimizer, params), [schedule.get_last_lr()]
        for _ in range(STEPS):
            loss = optimizer.step(closure)
            schedule.step(round(loss.item(), 3)) if metric else schedule.step()
            rates.append(schedule.get_last_lr())
            momenta = [group.get("momentum", group.get("betas")) for group in optimizer.param_groups]
            rates.append(np.ravel(momenta).tolist())
        found.append(rates)
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-15)
    assert_same(*twin)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "options"), cases(SCHEDULES))
def test_schedule(name, options, kind):
    compare_schedules(
        lambda schedules, optimizer: getattr(schedules, name)(optimizer, **options),
        kind,
        metric=name == "ReduceLROnPlateau",
        **({"momentum": 0.9} if kind == "SGD" else {"betas": (0.9, 0.99)}),
    )


def test_inverse_time_is_a_lambda():
    def make(schedules, optimizer):
        if schedules is optim.lr_scheduler:
            return schedules.InverseTimeLR(optimizer, k=0.3)
        return schedules.LambdaLR(optimizer, lambda t: 1 / (1 + 0.3 * t))

    compare_schedules(make)


@pytest.mark.parametrize("last", ["ExponentialLR", "CosineAnnealingLR", "StepLR", "CosineAnnealingWarmRestarts"])
def test_sequential(last):
    options = dict(SCHEDULES[last][0])

    def make(schedules, optimizer):
        warmup = schedules.LinearLR(optimizer, start_factor=0.1, total_iters=6)
        middle = schedules.ConstantLR(optimizer, factor=0.5, total_iters=4)
        return schedules.SequentialLR(
            optimizer, [warmup, middle, getattr(schedules, last)(optimizer, **options)], [6, 15]
        )

    compare_schedules(make)


def test_chained():
    def make(schedules, optimizer):
        return schedules.ChainedScheduler(
            [
                schedules.ConstantLR(optimizer, factor=0.1, total_iters=4),
                schedules.ExponentialLR(optimizer, gamma=0.95),
                schedules.CosineAnnealingLR(optimizer, T_max=9, eta_min=0.001),
            ]
        )

    compare_schedules(make)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip_grad_norm_", {"max_norm": 0.5}),
        ("clip_grad_norm_", {"max_norm": 1e3}),
        ("clip_grad_norm_", {"max_norm": 0.5, "norm_type": 1.0}),
        ("clip_grad_norm_", {"max_norm": 0.5, "norm_type": 3.0}),
        ("clip_grad_norm_", {"max_norm": 0.5, "norm_type": math.inf}),
        ("clip_grad_value_", {"clip_value": 0.2}),
    ],
)
def test_clipping(name, options):
    assert name in CLIPS
    ours, theirs = twins()
    for params, clip in ((ours, getattr(optim, name)), (theirs, getattr(torch.nn.utils, name))):
        valley(*params).backward()
        before = clip(params, **options)
        if params is ours:
            norm = before
    if norm is not None:
        assert norm.item() == pytest.approx(before.item(), rel=1e-12)
    assert_same([p.grad for p in ours], [p.grad for p in theirs], 1e-12)


def test_averages():
    ours, theirs = twins()
    container = torch.nn.ParameterList([torch.nn.Parameter(p.detach().clone()) for p in theirs])
    params = list(container)
    mine, other = optim.SGD(ours, lr=0.02), torch.optim.SGD(params, lr=0.02)
    ema = optim.ExponentialMovingAverage(ours, decay=0.8)
    swa = optim.SWA(ours)
    average = torch.optim.swa_utils.AveragedModel(container)
    closures = closure_of(mine, ours), closure_of(other, params)
    slow = [p.detach().clone() for p in params]
    for _ in range(10):
        mine.step(closures[0])
        other.step(closures[1])
        ema.update()
        swa.update()
        average.update_parameters(container)
        slow = [0.8 * a + 0.2 * p.detach() for a, p in zip(slow, params, strict=True)]
    with swa.averaged():
        assert_same(ours, list(average.module), 1e-12)
    with ema.averaged():
        assert_same(ours, slow, 1e-12)
    assert_same(ours, params, 1e-12)


def test_the_seed_is_not_used():
    autograd.manual_seed(1)
    before = autograd.rand(3).numpy()
    autograd.manual_seed(1)
    ours, _ = twins()
    run(optim.Adam(ours), ours, steps=3)
    np.testing.assert_array_equal(autograd.rand(3).numpy(), before)
