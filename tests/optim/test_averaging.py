"""Averages of the parameters, and early stopping."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import optim
from autograd import Tensor
from tests.optim.problems import leaves, train, values


def test_exponential_average():
    x = Tensor([1.0], requires_grad=True)
    ema = optim.ExponentialMovingAverage([x], decay=0.75)
    x.data = [5.0]
    ema.update()
    assert ema.averages[0].item() == 2.0
    ema.update()
    assert ema.averages[0].item() == 2.75


def test_warm_up_forgets_the_start():
    x = Tensor([100.0], requires_grad=True)
    ema = optim.ExponentialMovingAverage([x], decay=0.999, warmup=True)
    x.data = [0.0]
    for _ in range(20):
        ema.update()
    assert ema.averages[0].item() < 1e-3


def test_stochastic_weight_averaging_is_the_mean():
    params = leaves("float32")
    optimizer = optim.SGD(params, lr=0.1)
    swa = optim.SWA(params)
    seen = []
    for _ in range(5):
        train(optimizer, params, 1)
        swa.update()
        seen.append(values(params))
    before = values(params)
    with swa.averaged():
        for i, p in enumerate(params):
            np.testing.assert_allclose(p.data, np.mean([step[i] for step in seen], axis=0), rtol=1e-5)
            assert p.dtype == np.float32
    for p, array in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.data, array)
    train(optimizer, params, 1)  # the views of the optimiser are whole


def test_the_values_come_back_after_an_error():
    x = Tensor([1.0], requires_grad=True)
    ema = optim.ExponentialMovingAverage([x], decay=0.5)
    x.data = [3.0]
    inside = []
    with pytest.raises(ZeroDivisionError), ema.averaged():
        inside.append(x.item()) or 1 / 0
    assert inside == [1.0]
    assert x.item() == 3.0


def test_a_graph_recorded_before_is_refused_under_the_averages():
    x = Tensor([1.0], requires_grad=True)
    loss = (x * x).sum()
    with optim.SWA([x]).averaged(), pytest.raises(RuntimeError, match=r"overwritten|in place|changed"):
        loss.backward()


def test_counters_are_copied():
    counter = Tensor(np.array([3]))
    ema = optim.ExponentialMovingAverage([counter], decay=0.9)
    counter.data = np.array([8])
    ema.update()
    assert ema.averages[0].item() == 8


@pytest.mark.parametrize("kind", [optim.SWA, optim.ExponentialMovingAverage])
def test_averages_are_saved_and_loaded(kind):
    params = leaves()
    average = kind(params)
    train(optim.SGD(params, lr=0.1), params, 2)
    average.update()
    other = kind(params)
    other.load_state_dict(copy.deepcopy(average.state_dict()))
    for one in (average, other):
        one.update()
    for x, y in zip(average.averages, other.averages, strict=True):
        np.testing.assert_array_equal(x, y)
    with pytest.raises(ValueError, match="other shapes"):
        kind(params[:2]).load_state_dict(average.state_dict())
    with pytest.raises(ValueError, match="do not fit"):
        average.copy_to(params[:1])
    with pytest.raises(ValueError, match="empty"):
        kind([])


def test_a_decay_out_of_range():
    with pytest.raises(ValueError, match="decay"):
        optim.ExponentialMovingAverage([Tensor([1.0])], decay=1.5)


def stops(stopping, metrics):
    return [stopping.step(metric) for metric in metrics]


def test_early_stopping():
    stopping = optim.EarlyStopping(patience=2)
    assert stops(stopping, [3.0, 2.0, 2.0, 1.0, 1.0, np.nan]) == [False] * 5 + [True]
    assert (stopping.best, stopping.best_epoch, stopping.bad_epochs) == (1.0, 3, 2)


def test_early_stopping_of_a_metric_that_rises_by_enough():
    stopping = optim.EarlyStopping(patience=1, mode="max", min_delta=0.1)
    assert stops(stopping, [Tensor(0.5), 0.7, 0.75]) == [False, False, True]
    assert stopping.best == 0.7


class Model:
    """What a module looks like from here."""

    def __init__(self):
        self.weight = np.zeros(2)

    def state_dict(self):
        return {"weight": self.weight}

    def load_state_dict(self, state):
        self.weight[...] = state["weight"]


def test_early_stopping_keeps_the_best_model():
    model = Model()
    stopping = optim.EarlyStopping(model, patience=3)
    for loss in [3.0, 1.0, 2.0]:
        model.weight[...] = loss
        stopping.step(loss)
    saved = copy.deepcopy(stopping.state_dict())
    stopping.restore()
    np.testing.assert_array_equal(model.weight, 1.0)

    fresh = Model()
    resumed = optim.EarlyStopping(fresh, patience=3)
    resumed.load_state_dict(saved)
    assert not resumed.step(5.0)
    assert resumed.step(5.0)
    resumed.restore()
    np.testing.assert_array_equal(fresh.weight, 1.0)


def test_early_stopping_without_anything_to_restore():
    with pytest.raises(RuntimeError, match="without `keep`"):
        optim.EarlyStopping().restore()
    with pytest.raises(RuntimeError, match="no epoch"):
        optim.EarlyStopping([Tensor([1.0])]).restore()
    with pytest.raises(ValueError, match="mode"):
        optim.EarlyStopping(mode="up")
    with pytest.raises(ValueError, match="patience"):
        optim.EarlyStopping(patience=0)
    with pytest.raises(TypeError, match="keep"):
        optim.EarlyStopping(5)


@pytest.mark.parametrize("kind", [lambda x: optim.ExponentialMovingAverage(x, decay=0.5), optim.SWA])
def test_a_single_tensor_is_averaged(kind):
    x = Tensor([1.0, 2.0], requires_grad=True)
    average = kind(x)
    assert average.parameters == [x]
    assert [a.shape for a in average.averages] == [(2,)]
