"""Optimisers that evaluate the loss themselves: line searches, steepest descent, Newton, L-BFGS."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

import optim
from autograd import Tensor
from optim.line_search import Point, backtracking, cubic_minimum, exact, strong_wolfe
from tests.optim.problems import closure_of, leaves, make, rosenbrock, train, values


def ray_of(f, slope, log=None):
    def ray(step):
        if log is not None:
            log.append(step)
        return Point(step, f(step), slope(step), np.zeros(1))

    return ray


HILLS = {
    "parabola": (lambda a: (a - 3) ** 2, lambda a: 2 * (a - 3), 3.0),
    "quartic": (lambda a: (a - 0.01) ** 4 + a * 0, lambda a: 4 * (a - 0.01) ** 3, 0.01),
    "cosh": (lambda a: math.cosh(a - 4), lambda a: math.sinh(a - 4), 4.0),
    "kink": (lambda a: abs(a - 2.5), lambda a: math.copysign(1, a - 2.5), 2.5),
    "sine": (lambda a: -math.sin(a), lambda a: -math.cos(a), math.pi / 2),
}


@pytest.mark.parametrize("name", HILLS)
def test_exact_search_finds_the_minimum(name):
    f, slope, minimum = HILLS[name]
    ray = ray_of(f, slope)
    point = exact(ray, ray(0.0), 1.0, tolerance=1e-9)
    assert point.step == pytest.approx(minimum, rel=1e-2 if name == "quartic" else 1e-6)


def test_exact_search_needs_one_secant_on_a_parabola():
    log = []
    ray = ray_of(*HILLS["parabola"][:2], log)
    exact(ray, ray(0.0), 1.0)
    assert log == [0.0, 1.0, 2.0, 4.0, 3.0]


def test_exact_search_on_a_slope_without_end_stops():
    ray = ray_of(lambda a: -a, lambda a: -1.0)
    assert exact(ray, ray(0.0), 1.0).step >= 2**90


def test_exact_search_survives_nan():
    ray = ray_of(lambda a: (a - 1) ** 2 if a < 2 else math.nan, lambda a: 2 * (a - 1) if a < 2 else math.nan)
    assert exact(ray, ray(0.0), 8.0).step == pytest.approx(1.0)


@pytest.mark.parametrize("name", HILLS)
def test_strong_wolfe_keeps_both_conditions(name):
    f, slope, _ = HILLS[name]
    ray = ray_of(f, slope)
    start = ray(0.0)
    for first in (1e-3, 1.0, 30.0):
        point = strong_wolfe(ray, start, first, c2=0.1)
        assert point.value <= start.value + 1e-4 * point.step * start.slope
        if name != "kink":  # whose slope is never less steep
            assert abs(point.slope) <= 0.1 * abs(start.slope)


def test_strong_wolfe_survives_nan():
    ray = ray_of(lambda a: (a - 1) ** 2 if a < 2 else math.nan, lambda a: 2 * (a - 1) if a < 2 else math.nan)
    assert strong_wolfe(ray, ray(0.0), 64.0, c2=0.1).step == pytest.approx(1.0, abs=0.1)


def test_backtracking_halves():
    log = []
    ray = ray_of(*HILLS["parabola"][:2], log)
    assert backtracking(ray, ray(0.0), 16.0).step == 4.0
    assert log == [0.0, 16.0, 8.0, 4.0]


def test_backtracking_upwards_stays():
    ray = ray_of(lambda a: a, lambda a: 1.0)
    assert backtracking(ray, ray(0.0), 1.0).step == 0.0


def test_the_minimum_of_a_cubic():
    # x³ − 3x has its minimum at 1
    points = [Point(a, a**3 - 3 * a, 3 * a * a - 3, np.zeros(1)) for a in (0.0, 3.0)]
    assert cubic_minimum(*points, 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(*reversed(points), 0.0, 3.0) == pytest.approx(1.0)
    assert cubic_minimum(*points, 0.0, 0.5) == 0.5
    line = [Point(a, -a, -1.0, np.zeros(1)) for a in (0.0, 1.0)]  # which has none
    assert cubic_minimum(*line, 0.0, 3.0) == 1.5


# Steepest descent


def valley(x):
    return 0.5 * x[0] ** 2 + 5.0 * x[1] ** 2


def test_exact_steepest_descent_zigzags_at_right_angles():
    x = Tensor([10.0, 1.0], requires_grad=True)
    optimizer = optim.GradientDescent([x], line_search="exact")
    closure = closure_of(optimizer, x, valley)
    gradients = []
    for _ in range(5):
        gradients.append(np.array([x.data[0], 10 * x.data[1]]))
        optimizer.step(closure)
    for one, other in pairwise(gradients):
        assert one @ other == pytest.approx(0.0, abs=1e-4 * (one @ one))
    # From (κ, 1) with curvatures 1 and κ the error falls by (κ − 1)/(κ + 1) a step: the worst case.
    assert x.data[0] == pytest.approx(10 * (9 / 11) ** 5, rel=1e-6)


@pytest.mark.parametrize("line_search", ["exact", "backtracking", "wolfe"])
def test_searches_go_down_where_fixed_steps_diverge(line_search):
    x = Tensor([-1.2, 1.0], requires_grad=True)
    losses = train(optim.GradientDescent([x], lr=1.0, line_search=line_search), x, 100, rosenbrock)
    assert all(after < before for before, after in pairwise(losses))


def test_diminishing_steps():
    x = Tensor([1.0], requires_grad=True)
    optimizer = optim.GradientDescent([x], lr=0.6, line_search="diminishing")
    closure = closure_of(optimizer, x, lambda x: x.sum())
    found = []
    for _ in range(4):
        optimizer.step(closure)
        found.append(x.item())
    np.testing.assert_allclose(found, 1.0 - np.cumsum([0.6, 0.3, 0.2, 0.15]))


def test_diminishing_steps_average_noise_out():
    # With steps 1/k on ½(x − noise)² the iterate is the mean of what was seen.
    seen = iter(np.random.default_rng(0).standard_normal(50))
    told = []
    x = Tensor([7.0], requires_grad=True)
    optimizer = optim.GradientDescent([x], lr=1.0, line_search="diminishing")

    def loss_of(x):
        told.append(next(seen))
        return 0.5 * ((x - told[-1]) ** 2).sum()

    train(optimizer, x, 50, loss_of)
    assert x.item() == pytest.approx(np.mean(told))


def test_at_the_minimum_nothing_moves():
    for line_search in ("exact", "backtracking", "wolfe"):
        x = Tensor([0.0, 0.0], requires_grad=True)
        train(optim.GradientDescent([x], line_search=line_search), x, 2, valley)
        np.testing.assert_array_equal(x.data, [0.0, 0.0])


# Newton


def test_newton_solves_a_quadratic_function_in_one_step():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((7, 7))
    a = a @ a.T + np.eye(7)
    b = rng.standard_normal(7)
    x = Tensor(np.zeros((2, 2)), requires_grad=True)
    y = Tensor(np.zeros(3), requires_grad=True)

    def closure():
        z = np.concatenate([x.reshape(4), y])
        return 0.5 * (z @ (a @ z)) - b @ z

    optim.Newton([x, y]).step(closure)
    np.testing.assert_allclose(np.concatenate([x.data.ravel(), y.data]), np.linalg.solve(a, b), rtol=1e-9)


def saddle(x):
    return 2.0 * x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4


def after_a_newton_step(**options):
    x = Tensor([1.0, 0.1], requires_grad=True)
    optim.Newton([x], **options).step(lambda: saddle(x))
    return x.data


def test_newton_with_negative_eigenvalues():
    curvature = -2 + 3 * 0.1**2
    slope = -2 * 0.1 + 0.1**3
    np.testing.assert_allclose(after_a_newton_step(), [0.0, 0.1], atol=1e-15)
    np.testing.assert_allclose(after_a_newton_step(negative="keep"), [0.0, 0.1 - slope / curvature], atol=1e-15)
    np.testing.assert_allclose(after_a_newton_step(negative="flip"), [0.0, 0.1 + slope / curvature], atol=1e-15)
    damped = [1 - 4 / (4 + 0.5), 0.1 - slope / 0.5]
    np.testing.assert_allclose(after_a_newton_step(damping=0.5), damped, atol=1e-15)


def test_newton_flips_its_way_past_a_saddle():
    x = Tensor([1.0, 0.1], requires_grad=True)
    train(optim.Newton([x], negative="flip"), x, 12, saddle)
    np.testing.assert_allclose(x.data, [0.0, math.sqrt(2)], atol=1e-6)
    x = Tensor([1.0, 0.1], requires_grad=True)
    train(optim.Newton([x], negative="keep"), x, 12, saddle)
    np.testing.assert_allclose(x.data, [0.0, 0.0], atol=1e-6)


def test_newton_leaves_flat_directions_alone():
    x, y, z = (Tensor(np.full(n, 2.0), requires_grad=True) for n in (2, 1, 1))
    z.requires_grad_(False)
    optim.Newton([x, y, z]).step(lambda: (x[0] + x[1] - 1) ** 2 + y.sum())
    np.testing.assert_allclose(x.data, [0.5, 0.5])
    assert (y.item(), z.item()) == (2.0, 2.0)


def test_newton_needs_the_graph_of_a_real_loss():
    x = Tensor([1.0, 2.0], requires_grad=True)

    def closure():
        loss = (x * x).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="second time"):
        optim.Newton([x]).step(closure)
    with pytest.raises(TypeError, match="returns the loss"):
        optim.Newton([x]).step(lambda: 3.0)
    with pytest.raises(TypeError, match="complex128"):
        optim.Newton([Tensor([1j], requires_grad=True)])


# L-BFGS


def test_lbfgs_counts_and_stops():
    x = Tensor([3.0, -4.0], requires_grad=True)
    optimizer = optim.LBFGS([x], line_search_fn="strong_wolfe")
    train(optimizer, x, 3, lambda x: (x * x).sum())
    np.testing.assert_allclose(x.data, 0.0, atol=1e-7)
    assert optimizer.memory["func_evals"] < 12


def test_lbfgs_keeps_no_more_than_its_history():
    x = Tensor([-1.2, 1.0], requires_grad=True)
    optimizer = optim.LBFGS([x], history_size=3, max_iter=10, line_search_fn="strong_wolfe")
    train(optimizer, x, 1, rosenbrock)
    assert optimizer.state[x]["old_dirs"].shape == (3, 2)


@pytest.mark.parametrize("name", ["prev_flat_grad", "t", "H_diag", "old_dirs"])
def test_a_truncated_state_of_lbfgs_is_refused(name):
    x = Tensor([-1.2, 1.0], requires_grad=True)
    optimizer = optim.LBFGS([x], max_iter=10, line_search_fn="strong_wolfe")
    train(optimizer, x, 1, rosenbrock)
    saved = optimizer.state_dict()
    saved["state"][0].pop(name)
    with pytest.raises(ValueError, match=r"of LBFGS lacks"):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize("name", ["LBFGS", "GradientDescent"])
def test_complex_parameters(name):
    z = Tensor([3.0 + 4j, -1j], requires_grad=True)
    train(getattr(optim, name)([z]), z, 20, lambda z: ((z - (1 + 2j)) * (z - (1 + 2j)).conj()).real.sum())
    np.testing.assert_allclose(z.data, 1 + 2j, atol=1e-5)


@pytest.mark.parametrize("name", ["LBFGS", "GradientDescent", "Newton"])
def test_scalars_and_shared_arrays(name):
    x = Tensor(3.0, requires_grad=True)
    y = Tensor([[1.0, 2.0]], requires_grad=True)
    array = y.data
    train(getattr(optim, name)([x, y]), (x, y), 20, lambda p: p[0] * p[0] + (p[1] * p[1]).sum())
    assert x.item() == pytest.approx(0.0, abs=1e-5)
    assert y.data is array
    np.testing.assert_allclose(array, 0.0, atol=1e-5)


@pytest.mark.parametrize(
    "case", [("GradientDescent", {"line_search": "wolfe"}), ("LBFGS", {"line_search_fn": "strong_wolfe"})]
)
def test_a_rate_of_0_moves_nothing(case):
    params = leaves()
    before = values(params)
    train(make(case, params, lr=0.0), params, 2)
    for x, y in zip(values(params), before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_closure_that_forgets_its_loss():
    x = Tensor([1.0], requires_grad=True)
    for kind in (optim.LBFGS, optim.Newton, optim.GradientDescent):
        with pytest.raises(TypeError, match=r"closure (returned None|of Newton returns the loss)"):
            kind([x]).step(lambda: None)
