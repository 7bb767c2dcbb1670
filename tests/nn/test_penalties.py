"""Penalties: the lectures' forms and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, gradcheck
from nn.penalties import elastic_net, l1, l2
from tests.cases import normal

W, V = normal(3, 4), normal(4, seed=1)


def gradients(penalty):
    tensors = [Tensor(a, requires_grad=True) for a in (W, V)]
    penalty(tensors).backward()
    return [t.grad.numpy() for t in tensors]


def test_values():
    np.testing.assert_allclose(l1([Tensor(W), Tensor(V)]).item(), abs(W).sum() + abs(V).sum())
    np.testing.assert_allclose(l2([Tensor(W), Tensor(V)]).item(), 0.5 * ((W**2).sum() + (V**2).sum()))
    np.testing.assert_allclose(elastic_net(Tensor(W), 0.3).item(), 0.3 * (W**2).sum() + abs(W).sum())


def test_gradient_of_l2_is_the_weights_themselves():
    for found, expected in zip(gradients(l2), (W, V), strict=True):
        np.testing.assert_allclose(found, expected)


def test_gradient_of_l1_is_the_sign_and_0_at_0():
    for found, expected in zip(gradients(l1), (W, V), strict=True):
        np.testing.assert_allclose(found, np.sign(expected))
    zero = Tensor([0.0], requires_grad=True)
    l1(zero).backward()
    assert zero.grad.tolist() == [0.0]


def test_gradient_of_the_elastic_net():
    for found, expected in zip(gradients(lambda p: elastic_net(p, 0.3)), (W, V), strict=True):
        np.testing.assert_allclose(found, 0.6 * expected + np.sign(expected))
    assert gradcheck(elastic_net, W)


def test_a_module_a_tensor_or_a_generator_of_parameters():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    everything = l2(model).item()
    assert everything == pytest.approx(sum(l2(p).item() for p in model.parameters()))
    weights = l2(p for name, p in model.named_parameters() if name.endswith("weight")).item()
    assert 0 < weights < everything
    assert l2(model).dtype == l1(model).dtype == elastic_net(model, 0.1).dtype == np.float32


def test_nothing_to_penalise_is_refused():
    with pytest.raises(ValueError, match="l1: there are no parameters"):
        l1([])
    with pytest.raises(TypeError, match="l2: expected tensors or a module, got ndarray"):
        l2([W])


def test_squares_of_complex_numbers_are_those_of_their_size():
    w = Tensor([3 + 4j, 1j])
    assert (l2(w).item(), elastic_net(w, beta=1.0).item()) == (13.0, 32.0)
