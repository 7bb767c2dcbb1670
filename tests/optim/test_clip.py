"""Gradient clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor


def with_gradients(*gradients):
    params = []
    for gradient in gradients:
        gradient = np.asarray(gradient)
        params.append(Tensor(np.zeros_like(gradient), requires_grad=True))
        params[-1].grad = Tensor(gradient)
    return params


def found(params):
    return [p.grad.data for p in params]


def test_the_global_norm():
    params = with_gradients([3.0, 0.0], [[0.0], [4.0]])
    norm = optim.clip_grad_norm_(params, 1.0)
    assert norm.item() == 5.0
    np.testing.assert_allclose(found(params)[0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(found(params)[1], [[0.0], [0.8]], rtol=1e-6)


def test_a_small_gradient_stays_bit_for_bit():
    params = with_gradients([0.1, 0.2])
    optim.clip_grad_norm_(params, 1.0)
    np.testing.assert_array_equal(found(params)[0], [0.1, 0.2])


@pytest.mark.parametrize(("order", "norm"), [(1.0, 7.0), (2.0, 5.0), (math.inf, 4.0)])
def test_orders_of_the_norm(order, norm):
    assert optim.clip_grad_norm_(with_gradients([3.0], [-4.0]), 100.0, order).item() == pytest.approx(norm)


def test_it_is_in_place_and_keeps_float32():
    params = with_gradients(np.array([3e20, 4e20], "float32"))  # whose squares overflow
    array = params[0].grad.data
    norm = optim.clip_grad_norm_(params, 1.0)
    assert norm.item() == pytest.approx(5e20)
    assert params[0].grad.data is array
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, [0.6, 0.8], rtol=1e-5)


def test_one_tensor_and_those_without_gradients():
    x = with_gradients([3.0, 4.0])[0]
    bare = Tensor([1.0], requires_grad=True)
    assert optim.clip_grad_norm_(x, 1.0).item() == 5.0
    optim.clip_grad_norm_([bare, x], 0.5)
    assert np.linalg.norm(x.grad.data) == pytest.approx(0.5, rel=1e-5)
    assert optim.clip_grad_norm_([bare], 0.5).item() == 0.0
    optim.clip_grad_value_([bare], 0.5)
    assert optim.clip_grad_norm_per_tensor_([bare], 0.5) == []
    assert bare.grad is None


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_, optim.clip_grad_norm_per_tensor_])
def test_a_module_has_parameters(clip):
    model = nn.Sequential(nn.Linear(1, 1))
    with pytest.raises(TypeError, match=r"tensors, not Sequential: write parameters\(\), of the module"):
        clip(model, 1.0)
    with pytest.raises(TypeError, match=r"tensors, not float$"):
        clip(1.0, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nonfinite_gradients(bad):
    params = with_gradients([1.0, bad])
    with pytest.raises(RuntimeError, match="non-finite"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(found(params)[0], [1.0, bad])
    assert not np.isfinite(optim.clip_grad_norm_(with_gradients([1.0, bad]), 1.0).item())


def test_by_value():
    params = with_gradients([3.0, -0.5, -4.0])
    optim.clip_grad_value_(params, 1.0)
    np.testing.assert_array_equal(found(params)[0], [1.0, -0.5, -1.0])


def test_each_tensor_by_itself():
    params = with_gradients([30.0, 40.0], [0.3, 0.4], [[0.0]])
    assert optim.clip_grad_norm_per_tensor_(params, 5.0) == pytest.approx([50.0, 0.5, 0.0])
    np.testing.assert_allclose(found(params)[0], [3.0, 4.0], rtol=1e-6)
    np.testing.assert_array_equal(found(params)[1], [0.3, 0.4])


def test_scalars_and_complex_gradients():
    x = Tensor(2.0, requires_grad=True)
    (x * 5).backward()
    optim.clip_grad_value_([x], 1.0)
    assert x.grad.item() == 1.0
    optim.clip_grad_norm_([x], 0.5)
    assert x.grad.item() == pytest.approx(0.5, rel=1e-5)
    params = with_gradients([3.0 + 4j])
    assert optim.clip_grad_norm_(params, 100.0).item() == 5.0
    optim.clip_grad_value_(params, 3.5)
    np.testing.assert_array_equal(found(params)[0], [3.0 + 3.5j])


def test_a_gradient_with_a_graph_keeps_what_the_graph_reads():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    graph = x.grad
    optim.clip_grad_norm_([x], 1.0)
    assert np.linalg.norm(x.grad.data) == pytest.approx(1.0, rel=1e-5)
    x.grad = None
    graph.sum().backward()
    np.testing.assert_allclose(x.grad.data, [6.0, 12.0])
    x.grad = None


@pytest.mark.parametrize("order", [0, -1, -np.inf, np.nan])
def test_norms_are_of_a_positive_order(order):
    x = Tensor([1.0], requires_grad=True)
    x.grad = Tensor([2.0])
    with pytest.raises(ValueError, match="norm_type is positive"):
        optim.clip_grad_norm_(x, 1.0, order)
    assert optim.clip_grad_norm_(x, 1.0, "inf").item() == 2.0
