"""The update of each optimiser: its first steps by hand, and the forms in which the lectures write them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import optim
from autograd import Tensor
from tests.optim.problems import rosenbrock, train

G1, G2 = 3.0, -2.0  # the gradients of the two steps
X = 5.0


def two_steps(name, **options):
    """Return x after each of two steps from X with the gradients G1 and G2."""
    x = Tensor([X], requires_grad=True)
    optimizer = getattr(optim, name)([x], **options)
    found = []
    for g in (G1, G2):
        x.grad = [g]
        optimizer.step()
        found.append(x.item())
    return found


def test_sgd():
    assert two_steps("SGD", lr=0.1) == pytest.approx([X - 0.3, X - 0.3 + 0.2])


def test_weight_decay_adds_its_gradient():
    # E: R = ½Σw², whose gradient is w
    assert two_steps("SGD", lr=0.1, weight_decay=0.5)[0] == pytest.approx(X - 0.1 * (G1 + 0.5 * X))


def test_momentum():
    # v ← ρv + ∇f, x ← x − αv
    v1 = G1
    v2 = 0.9 * v1 + G2
    assert two_steps("SGD", lr=0.1, momentum=0.9) == pytest.approx([X - 0.1 * v1, X - 0.1 * v1 - 0.1 * v2])


def test_dampening_spares_the_first_gradient():
    v2 = 0.9 * G1 + 0.75 * G2
    found = two_steps("SGD", lr=0.1, momentum=0.9, dampening=0.25)
    assert found == pytest.approx([X - 0.1 * G1, X - 0.1 * G1 - 0.1 * v2])


def test_nesterov_is_the_form_after_the_change_of_variables():
    # v ← ρv − α∇f(x̃), x̃ ← x̃ − ρv_old + (1 + ρ)v
    alpha, rho, v, y = 0.02, 0.9, 0.0, 1.5
    x = Tensor([y], requires_grad=True)
    optimizer = optim.SGD([x], lr=alpha, momentum=rho, nesterov=True)
    for _ in range(30):
        optimizer.zero_grad()
        (x**4).sum().backward()
        optimizer.step()
        old = v
        v = rho * v - alpha * 4 * y**3
        y = y - rho * old + (1 + rho) * v
        assert x.item() == pytest.approx(y, rel=1e-12)


def test_momentum_switched_on_later_starts_with_the_gradient():
    x = Tensor([X], requires_grad=True)
    optimizer = optim.SGD([x], lr=0.1, dampening=0.5)
    x.grad = [G1]
    optimizer.step()
    assert optimizer.state == {}
    optimizer.param_groups[0]["momentum"] = 0.9
    optimizer.step()
    assert x.item() == pytest.approx(X - 0.2 * G1)


def test_adagrad():
    # s ← s + g², x ← x − α g / √s
    x1 = X - 0.1 * G1 / abs(G1)
    assert two_steps("Adagrad", lr=0.1) == pytest.approx([x1, x1 - 0.1 * G2 / math.sqrt(G1**2 + G2**2)])
    x2 = x1 - 0.1 / 1.5 * G2 / math.sqrt(G1**2 + G2**2)
    assert two_steps("Adagrad", lr=0.1, lr_decay=0.5) == pytest.approx([x1, x2])


def test_adadelta():
    rho, eps = 0.9, 1e-6
    s, u, x, expected = 0.0, 0.0, X, []
    for g in (G1, G2):
        s = rho * s + (1 - rho) * g * g
        delta = g * math.sqrt(u + eps) / math.sqrt(s + eps)
        u = rho * u + (1 - rho) * delta**2
        x -= delta
        expected.append(x)
    assert two_steps("Adadelta") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_rmsprop(momentum, centered):
    rho, alpha, eps = 0.75, 0.1, 1e-8
    s, m, v, x, expected = 0.0, 0.0, 0.0, X, []
    for g in (G1, G2):
        s = rho * s + (1 - rho) * g * g
        m = rho * m + (1 - rho) * g
        v = momentum * v + g / (math.sqrt(s - m * m * centered) + eps)
        x -= alpha * v
        expected.append(x)
    found = two_steps("RMSprop", lr=alpha, alpha=rho, momentum=momentum, centered=centered)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad):
    b1, b2, alpha, eps = 0.6, 0.7, 0.1, 1e-8
    m, v, most, x, expected = 0.0, 0.0, 0.0, X, []
    for t, g in enumerate((G1, G2), 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        most = max(most, v) if amsgrad else v
        x -= alpha * (m / (1 - b1**t)) / (math.sqrt(most / (1 - b2**t)) + eps)
        expected.append(x)
    assert two_steps("Adam", lr=alpha, betas=(b1, b2), amsgrad=amsgrad) == pytest.approx(expected, rel=1e-12)


def test_adamw_shrinks_the_parameter_first():
    assert two_steps("AdamW", lr=0.1, weight_decay=0.5)[0] == pytest.approx(X * (1 - 0.05) - 0.1)
    assert two_steps("AdamW", lr=0.1, weight_decay=0.0) == two_steps("Adam", lr=0.1)
    assert two_steps("AdamW", lr=0.1, weight_decay=0.3) == two_steps(
        "Adam", lr=0.1, weight_decay=0.3, decoupled_weight_decay=True
    )


def test_adamax():
    b1, b2 = 0.9, 0.6
    m2 = b1 * (1 - b1) * G1 + (1 - b1) * G2
    x2 = X - 0.1 - 0.1 / (1 - b1**2) * m2 / max(b2 * abs(G1), abs(G2))
    assert two_steps("Adamax", lr=0.1, betas=(b1, b2)) == pytest.approx([X - 0.1, x2], rel=1e-7)


def test_nadam():
    mu1, mu2 = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (1, 2))
    # m = (1 − β₁)g, v̂ = g²
    step = (1 - mu1) / (1 - mu1) * 1 + mu2 / (1 - mu1 * mu2) * 0.1
    assert two_steps("NAdam", lr=0.1)[0] == pytest.approx(X - 0.1 * step, rel=1e-7)


def test_radam_is_momentum_at_first_and_adam_in_the_end():
    m2 = 0.9 * 0.1 * G1 + 0.1 * G2
    expected = [X - 0.1 * G1, X - 0.1 * G1 - 0.1 * m2 / (1 - 0.9**2)]
    assert two_steps("RAdam", lr=0.1) == pytest.approx(expected)
    x, y = (Tensor([X], requires_grad=True) for _ in range(2))
    slow, quick = optim.RAdam([x], lr=1e-3, betas=(0.9, 0.99)), optim.Adam([y], lr=1e-3, betas=(0.9, 0.99))
    rng = np.random.default_rng(0)
    for _ in range(3000):
        g = rng.standard_normal(1)
        before = x.item(), y.item()
        for p, optimizer in ((x, slow), (y, quick)):
            p.grad = g
            optimizer.step()
    assert x.item() - before[0] == pytest.approx(y.item() - before[1], rel=0.01)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"])
def test_a_gradient_of_zero_moves_nothing(name):
    x = Tensor([0.0, 1.0], requires_grad=True)
    optimizer = getattr(optim, name)([x], weight_decay=0.0)
    x.grad = [0.0, 0.0]
    optimizer.step()
    np.testing.assert_array_equal(x.data, [0.0, 1.0])


@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("SGD", {"lr": 1e-3, "momentum": 0.95, "nesterov": True}, 3000),
        ("Adam", {"lr": 0.05}, 2000),
        ("Adamax", {"lr": 0.2}, 3000),
        ("LBFGS", {"line_search_fn": "strong_wolfe"}, 4),
        ("Newton", {}, 8),
    ],
)
def test_rosenbrock(name, options, steps):
    x = Tensor([-1.2, 1.0], requires_grad=True)
    train(getattr(optim, name)([x], **options), x, steps, rosenbrock)
    np.testing.assert_allclose(x.data, [1.0, 1.0], atol=1e-2)
