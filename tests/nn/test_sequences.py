"""Recurrences over whole sequences, where layers do not show what they do."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, openblas
from autograd.kernels import products
from nn.layers.sequences import gru_by_steps, gru_sequence, lstm_by_steps, lstm_sequence


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
@pytest.mark.parametrize(
    ("whole", "by_steps", "gates"), [(lstm_sequence, lstm_by_steps, 4), (gru_sequence, gru_by_steps, 3)]
)
def test_what_goes_back_through_a_wide_state_comes_some_rows_at_a_time(monkeypatch, whole, by_steps, gates, direct):
    monkeypatch.setattr(products, "DIRECT", {openblas.processor()} if direct else set())
    n, size, features = 64, 96, 5
    assert gates * size * size * n > products.MOST
    rng = np.random.default_rng(0)
    shapes = [(3, n, features), (gates * size, features), (gates * size, size), (gates * size,), (gates * size,)]
    shapes += [(n, size)] * (2 if gates == 4 else 1)
    inputs = [Tensor(rng.normal(size=shape) * 0.1, requires_grad=True) for shape in shapes]
    found, expected = (
        autograd.gradients((out[0] if gates == 4 else out).square().sum(), inputs)
        for out in (whole(*inputs), by_steps(*inputs))
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-9, atol=1e-12)
