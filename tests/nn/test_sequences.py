"""Recurrences over whole sequences, where layers do not show what they do."""

import numpy as np
import pytest

import nn
from nn.layers.sequences import gru_by_steps, gru_sequence


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
