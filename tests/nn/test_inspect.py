"""Diagnostics: they say what NumPy says, and change nothing of the training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed, no_grad
from nn.inspect import dead_units, gradient_flow, saturation, watch
from tests.cases import normal

X, LABELS = normal(16, 4), np.arange(16) % 3


def network(*activations):
    manual_seed(0)
    sizes = [4, *(6 for _ in activations)]
    layers = []
    for a, b, kind in zip(sizes, sizes[1:], activations, strict=False):
        layers += [nn.Linear(a, b), kind()]
    return nn.Sequential(*layers, nn.Linear(6, 3))


def step(model, rate=0.5):
    model.zero_grad()
    loss = nn.CrossEntropyLoss()(model(X), LABELS)
    loss.backward()
    with no_grad():
        for p in model.parameters():
            p -= rate * p.grad
    return loss.item()


def test_gradient_flow_is_the_mean_absolute_gradient_of_each_layers_weights():
    model = network(nn.Sigmoid, nn.Tanh)
    nn.CrossEntropyLoss()(model(X), LABELS).backward()
    flow = gradient_flow(model)
    assert [row.layer for row in flow] == ["0", "2", "4"]
    for row in flow:
        gradient = abs(model[int(row.layer)].weight.grad.numpy())
        assert row.mean == pytest.approx(gradient.mean(), rel=1e-5)
        assert row.largest == gradient.max()
    lines = str(flow).splitlines()
    assert lines[0].split() == ["layer", "mean", "|gradient|", "largest"]
    assert len(lines) == 4


def test_gradients_vanish_through_sigmoids():
    """Lecture E: about a factor of ten a layer."""
    manual_seed(0)
    layers = [part for _ in range(4) for part in (nn.Linear(100, 100), nn.Sigmoid())]
    model = nn.Sequential(nn.Linear(841, 100), nn.Sigmoid(), *layers, nn.Linear(100, 26))
    nn.CrossEntropyLoss()(model(normal(8, 841)), np.arange(8)).backward()
    means = [row.mean for row in gradient_flow(model)]
    assert all(4 < b / a < 40 for a, b in pairwise(means[1:]))


def test_layers_without_matrices_count_by_all_they_have_and_frozen_ones_not_at_all():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
    model[0].requires_grad_(False)
    nn.CrossEntropyLoss()(model(X), LABELS).backward()
    assert [row.layer for row in gradient_flow(model)] == ["1", "2"]
    model.zero_grad()
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        gradient_flow(model)


def test_a_layer_by_itself_is_named_by_its_kind():
    layer = nn.Linear(4, 3)
    layer(X).sum().backward()
    assert [row.layer for row in gradient_flow(layer)] == ["Linear"]


def test_saturation_is_the_share_at_the_bounds():
    assert saturation([0.0, 0.009, 0.5, 0.995], 0.0, 1.0) == 0.75
    assert saturation(Tensor([-1.0, -0.9, 0.0, 0.99]), -1.0, 1.0) == 0.5
    assert saturation([0.05, 0.5], 0.0, 1.0, within=0.1) == 0.5
    assert saturation(np.zeros(0), 0.0, 1.0) == 0.0


def test_dead_units_are_features_or_channels():
    assert dead_units(np.array([[0.0, 1.0], [0.0, 0.0]])).tolist() == [True, False]
    images = np.zeros((2, 3, 2, 2))
    images[1, 2, 0, 1] = 0.1
    assert dead_units(images).tolist() == [True, True, False]
    assert dead_units(np.zeros((2, 5, 3))).tolist() == [True] * 3


# Over a loop


def test_watching_changes_nothing_of_the_training():
    plain, watched = network(nn.ReLU, nn.Sigmoid), network(nn.ReLU, nn.Sigmoid)
    expected = [step(plain) for _ in range(4)]
    with watch(watched):
        assert [step(watched) for _ in range(4)] == expected
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        assert (a == b.numpy()).all()


def test_each_step_has_its_gradients_updates_and_shares():
    model = network(nn.ReLU, nn.Tanh)
    means, ratios = [], []
    with watch(model) as seen:
        for _ in range(3):
            before = model[0].weight.numpy().copy()
            step(model)
            means.append(abs(model[0].weight.grad.numpy()).mean())
            ratios.append(np.linalg.norm(model[0].weight.numpy() - before) / np.linalg.norm(before))
    assert seen.steps == [0, 1, 2]
    assert seen.gradients["0"] == pytest.approx(means, rel=1e-5)
    assert seen.updates["0"] == pytest.approx(ratios, rel=1e-4)
    assert set(seen.gradients) == set(seen.updates) == {"0", "2", "4"}
    assert set(seen.dead) == {"1"}
    assert set(seen.saturated) == {"3"}
    assert len(seen.dead["1"]) == len(seen.saturated["3"]) == 3


def test_dead_and_saturated_units_are_found():
    model = network(nn.ReLU, nn.Sigmoid)
    with no_grad():
        model[0].bias[:3] = -100.0
        model[2].bias[...] = 50.0
    with watch(model) as seen:
        step(model, 0.0)
    assert seen.dead["1"][0] >= 0.5
    assert seen.saturated["3"] == [1.0]


def test_every_nth_step_is_looked_at():
    model = network(nn.ReLU)
    with watch(model, every=3) as seen:
        for _ in range(7):
            step(model)
    assert seen.steps == [0, 3, 6]
    assert len(seen.gradients["0"]) == 3


def test_evaluation_between_steps_is_not_seen():
    model = network(nn.ReLU)
    with watch(model) as seen:
        for _ in range(2):
            step(model)
            model.eval()
            model(X)
            model.train()
            with no_grad():
                model(X)
    assert seen.steps == [0, 1]
    assert len(seen.dead["1"]) == 2


def test_two_forward_passes_of_one_step_count_once():
    model = network(nn.ReLU)
    with watch(model) as seen:
        for _ in range(2):
            (model(X).sum() + model(-X).sum()).backward()
    assert seen.steps == [0, 1]
    assert len(seen.dead["1"]) == 2


def test_hooks_are_gone_after_the_block_also_if_it_raised():
    model = network(nn.ReLU)
    with pytest.raises(KeyError), watch(model) as seen:
        raise KeyError
    step(model)
    assert seen.steps == []


def test_the_table_shows_the_last_step():
    model = network(nn.ReLU, nn.Sigmoid)
    with watch(model) as seen:
        step(model)
    lines = str(seen).splitlines()
    assert lines[0].startswith("layer")
    assert [line.split()[0] for line in lines[1:]] == ["0", "1", "2", "3", "4"]
    assert f"{seen.gradients['4'][-1]:.2e}" in lines[-1]
    assert str(watch(model)).splitlines() == [lines[0]]


def test_plots_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    model = network(nn.ReLU, nn.Sigmoid)
    with watch(model) as seen:
        for _ in range(3):
            step(model)
    seen.plot(tmp_path / "watch.png")
    gradient_flow(model).plot(tmp_path / "flow.svg")
    assert (tmp_path / "watch.png").stat().st_size > 1000
    assert (tmp_path / "flow.svg").stat().st_size > 1000


def test_wrong_use_is_refused():
    model = network(nn.ReLU)
    with pytest.raises(ValueError, match="every is a positive integer"):
        watch(model, every=0)
    seen = watch(model)
    with seen, pytest.raises(RuntimeError, match="in use"):
        seen.__enter__()
