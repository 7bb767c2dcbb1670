"""Recurrences over whole sequences, where layers do not show what they do."""

import sys
import types

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, openblas
from autograd.kernels import products, sigmoids
from nn.layers import sequences
from nn.layers.sequences import gru_by_steps, gru_sequence, lstm_by_steps, lstm_sequence

RECURRENCES = pytest.mark.parametrize(
    ("whole", "by_steps", "gates"), [(lstm_sequence, lstm_by_steps, 4), (gru_sequence, gru_by_steps, 3)]
)


def shapes_of(gates, count, n, features, size):
    """Return the shapes of inputs, weights, biases and first states."""
    rows = gates * size
    states = [(n, size)] * (2 if gates == 4 else 1)
    return [(count, n, features), (rows, features), (rows, size), (rows,), (rows,), *states]


def assert_same_gradients(whole, by_steps, inputs, loss):
    """Hold the gradients of a loss of the states against each other."""
    found, expected = (
        autograd.gradients(loss(out[0] if isinstance(out, tuple) else out), inputs)
        for out in (whole(*inputs), by_steps(*inputs))
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_an_empty_batch(layer):
    model = layer(3, 4)
    states, _ = model(np.zeros((2, 0, 3), np.float32))
    assert states.shape == (2, 0, 4)
    states.sum().backward()
    assert not model.weight_hh_l0.grad.numpy().any()


def test_a_gru_has_the_dtype_of_all_that_it_computes_with():
    x, weight_ih, weight_hh, bias, h = (np.ones(s, np.float32) for s in ((2, 3, 5), (12, 5), (12, 4), (12,), (3, 4)))
    given = x, weight_ih, weight_hh, bias, bias.astype(np.float64), h
    assert gru_sequence(*given).dtype == gru_by_steps(*given).dtype == np.float64


@pytest.mark.parametrize("direct", [True, False])
@RECURRENCES
def test_what_goes_back_through_a_wide_state_comes_some_rows_at_a_time(monkeypatch, whole, by_steps, gates, direct):
    monkeypatch.setattr(products, "DIRECT", {openblas.processor()} if direct else set())
    n, size, features = 64, 96, 5
    assert gates * size * size * n > products.MOST
    rng = np.random.default_rng(0)
    inputs = [
        Tensor(rng.normal(size=shape) * 0.1, requires_grad=True) for shape in shapes_of(gates, 3, n, features, size)
    ]
    assert_same_gradients(whole, by_steps, inputs, lambda states: states.square().sum())


@RECURRENCES
@pytest.mark.parametrize("read", [[-1], [2], [0, 4], [0, 1, 2, 3, 4]])
def test_of_some_states_only(monkeypatch, whole, by_steps, gates, read):
    monkeypatch.setattr(sequences, "BLOCK", 1)  # a step at a time
    rng = np.random.default_rng(0)
    inputs = [Tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes_of(gates, 5, 2, 3, 4)]
    assert_same_gradients(whole, by_steps, inputs, lambda states: states[read].square().sum())


@pytest.mark.parametrize("by_exp", [True, False])
@RECURRENCES
def test_sigmoids_by_either_function_are_the_same(monkeypatch, whole, by_steps, gates, by_exp):
    monkeypatch.setattr(sigmoids, "by_exp", lambda: by_exp)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=shape) for shape in shapes_of(gates, 3, 2, 4, 5)]
    for size in (1.0, 1e3):  # with large weights gates are open or shut, and exp overflows
        inputs[1] *= size
        found, expected = (out[0] if gates == 4 else out for out in (whole(*inputs), by_steps(*inputs)))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("found", ["X86_V3", "X86_V4", "FMA3__AVX2", "baseline(NEON)"])
def test_sigmoids_go_by_exp_where_that_is_quicker(monkeypatch, found):
    kernels = {"exp": {"ff": {"current": found}}}
    introspect = types.SimpleNamespace(opt_func_info=lambda func_name, signature: kernels)
    monkeypatch.setitem(sys.modules, "numpy.lib.introspect", introspect)
    assert sigmoids.by_exp.__wrapped__() == (found in ("X86_V3", "FMA3__AVX2"))
