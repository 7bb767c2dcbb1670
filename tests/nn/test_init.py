"""Initialisation: distributions and their bounds, in place, in the parameter's dtype, from the one seed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor
from nn import Parameter, init

DRAWING = [name for name in init.__all__ if name.endswith("_") and name not in {"constant_", "zeros_", "ones_", "eye_"}]


def weight(*shape, dtype=np.float32):
    return Parameter(np.zeros(shape), dtype=dtype)


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_drawn_in_place_in_its_own_dtype_from_the_one_seed(name, dtype):
    w = weight(6, 4, dtype=dtype)
    array, fill = w.data, getattr(init, name)
    autograd.manual_seed(5)
    assert fill(w) is w
    assert w.data is array
    assert w.dtype == dtype
    first = w.numpy().copy()
    assert len(np.unique(first)) > 12
    assert (fill(w) != first).any()
    autograd.manual_seed(5)
    assert (fill(w) == first).all()
    fill(w, generator=np.random.default_rng(1))
    second = w.numpy().copy()
    assert (fill(w, generator=np.random.default_rng(1)) == second).all()


def test_a_graph_recorded_before_refuses_to_go_on():
    w = weight(2, 2)
    loss = (w * w).sum()
    init.ones_(w)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        loss.backward()


def test_constants():
    assert init.constant_(weight(2, 2), 3.0).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert init.zeros_(init.ones_(weight(2))).tolist() == [0.0, 0.0]
    assert init.eye_(weight(2, 3)).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    assert init.constant_(Tensor(1.0), 4.0).item() == 4.0
    assert init.constant_(Parameter(1.0), 4.0).item() == 4.0


FAN_IN, FAN_OUT = 30 * 4, 50 * 4
BOUNDS = {
    "uniform_": (lambda w: init.uniform_(w, -0.3, 0.3), 0.3),
    "xavier_uniform_": (lambda w: init.xavier_uniform_(w, 2.0), 2 * math.sqrt(6 / (FAN_IN + FAN_OUT))),
    "kaiming_uniform_": (init.kaiming_uniform_, math.sqrt(6 / FAN_IN)),
    "kaiming_uniform_ out": (lambda w: init.kaiming_uniform_(w, mode="fan_out"), math.sqrt(6 / FAN_OUT)),
    "lecun_uniform_": (init.lecun_uniform_, math.sqrt(3 / FAN_IN)),
}
SPREADS = {
    "normal_": (lambda w: init.normal_(w, 0.0, 0.02), 0.02),
    "xavier_normal_": (init.xavier_normal_, math.sqrt(2 / (FAN_IN + FAN_OUT))),
    "kaiming_normal_": (lambda w: init.kaiming_normal_(w, nonlinearity="relu"), math.sqrt(2 / FAN_IN)),
    "kaiming_normal_ slope": (lambda w: init.kaiming_normal_(w, 0.1), math.sqrt(2 / 1.01 / FAN_IN)),
    "kaiming_normal_ out": (lambda w: init.kaiming_normal_(w, mode="fan_out"), math.sqrt(2 / FAN_OUT)),
    "lecun_normal_": (init.lecun_normal_, math.sqrt(1 / FAN_IN)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_uniform_fills_its_bounds(name):
    autograd.manual_seed(0)
    fill, bound = BOUNDS[name]
    values = fill(weight(50, 30, 2, 2)).numpy()
    assert 0.99 * bound < abs(values).max() <= bound * (1 + 1e-6)
    assert abs(values.std() / (bound / math.sqrt(3)) - 1) < 0.02


@pytest.mark.parametrize("name", SPREADS)
def test_normal_has_its_deviation(name):
    autograd.manual_seed(0)
    fill, deviation = SPREADS[name]
    values = fill(weight(50, 30, 2, 2)).numpy()
    assert abs(values.std() / deviation - 1) < 0.03
    assert abs(values.mean()) < 0.05 * deviation


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (4, 2, 3)])
def test_orthogonal_rows_or_columns(shape):
    w = init.orthogonal_(weight(*shape, dtype=np.float64), gain=2.0).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, 0, 0.1), (0, 1, 5, 6), (0, 1, -100, -8), (3, 1, -9, 0)],
)
def test_truncated_normal_is_the_normal_within_its_bounds(mean, std, a, b):
    stats = pytest.importorskip("scipy.stats")
    autograd.manual_seed(0)
    values = init.trunc_normal_(weight(20_000, dtype=np.float64), mean, std, a, b).numpy()
    assert a <= values.min() <= values.max() <= b
    expected = stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert stats.kstest(values, expected.cdf).pvalue > 1e-3


def test_gains_are_those_of_pytorch():
    gains = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": 2**0.5, "selu": 0.75}
    assert {name: init.calculate_gain(name) for name in gains} == pytest.approx(gains)
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(math.sqrt(2 / 1.04))
    assert init.calculate_gain("leaky_relu") == pytest.approx(math.sqrt(2 / 1.0001))


def test_what_does_not_fit_is_refused():
    for message, call in {
        "two or more axes": lambda: init.xavier_uniform_(weight(3)),
        "orthogonal_: expected two": lambda: init.orthogonal_(weight(3)),
        "eye_: expected a matrix": lambda: init.eye_(weight(3)),
        "mode is 'fan_in'": lambda: init.kaiming_normal_(weight(3, 3), mode="fan"),
        "got 'swish'": lambda: init.calculate_gain("swish"),
        "slope of leaky_relu": lambda: init.calculate_gain("leaky_relu", "a"),
        "std is not negative": lambda: init.normal_(weight(3), std=-1.0),
        "expected std > 0 and a < b": lambda: init.trunc_normal_(weight(3), a=1.0, b=0.0),
        "the result of an operation": lambda: init.zeros_(weight(3) * 2),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="zeros_: expected a tensor or parameter, got ndarray"):
        init.zeros_(np.zeros(3))


def test_a_frozen_parameter_keeps_its_shape():
    net = nn.Linear(3, 2)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net(np.ones((1, 3))).sum().backward()
    optimizer.step()  # from now on their arrays are parts of a buffer
    net.requires_grad_(False)
    nn.init.zeros_(net.bias)
    nn.init.constant_(net.weight, 1.0)
    assert (net.bias.tolist(), net.weight.tolist()) == ([0.0, 0.0], [[1.0] * 3] * 2)
