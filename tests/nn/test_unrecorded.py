"""Calls under no_grad, which layers may make without tensors, return what recorded ones do, and fail alike."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, no_grad
from autograd.modes import current


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng([9, *shape]).normal(size=shape).astype(dtype)


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(),
        nn.Sequential(nn.Conv2d(4, 3, (3, 2), padding="same", groups=1, bias=False), nn.Tanh()),
        nn.BatchNorm2d(3),
        nn.Flatten(),
        nn.Linear(27, 5),
        nn.Sigmoid(),
    ).eval()


# A module, and the shape that it is made for.
MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 3), (4, 6)),
    "linear without a bias": (lambda: nn.Linear(6, 3, bias=False), (4, 6)),
    "linear in float64": (lambda: nn.Linear(6, 3, dtype=np.float64), (4, 6)),
    "relu": (lambda: nn.ReLU(), (5, 7)),
    "tanh": (lambda: nn.Tanh(), (5, 7)),
    "sigmoid": (lambda: nn.Sigmoid(), (5, 7)),
    "flatten": (lambda: nn.Flatten(), (2, 6, 6)),
    "flatten of some": (lambda: nn.Flatten(0, 1), (2, 6, 6)),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3, stride=2, padding=1), (3, 2, 6)),
    "conv2d": (lambda: nn.Conv2d(2, 4, 3, groups=2, dilation=2, padding=(2, 1)), (3, 2, 6, 6)),
    "conv2d by reflection": (lambda: nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), (3, 2, 6, 6)),
    "max_pool1d": (lambda: nn.MaxPool1d(3, 2, 1), (3, 2, 6)),
    "max_pool2d": (lambda: nn.MaxPool2d(2, padding=1, ceil_mode=True), (3, 2, 6, 6)),
    "dropout": (lambda: nn.Dropout().eval(), (5, 7)),
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 6), nn.Tanh()), (4, 6)),
    "cnn": (convolutional, (2, 2, 6, 6)),
    "nothing": (lambda: nn.Sequential(), (2, 3)),
}
INPUTS: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "as it should be": lambda shape: normal(*shape),
    "float64": lambda shape: normal(*shape, dtype=np.float64),
    "integers": lambda shape: np.arange(np.prod(shape)).reshape(shape),
    "complex": lambda shape: normal(*shape) * 1j,
    "an axis less": lambda shape: normal(*shape[1:]),
    "an axis more": lambda shape: normal(3, *shape),
    "one feature more": lambda shape: normal(*shape[:-1], shape[-1] + 1),
    "one channel more": lambda shape: normal(shape[0], shape[1] + 1, *shape[2:]),
    "no examples": lambda shape: normal(0, *shape[1:]),
    "a number": lambda shape: np.float32(2),
    "not contiguous": lambda shape: normal(*shape, 2)[..., 0],
    "channels last": lambda shape: np.moveaxis(normal(shape[0], *shape[2:], shape[1]), -1, 1),
    "not a number": lambda shape: np.full(shape, np.nan, np.float32),
    "large": lambda shape: normal((1 << 18) // int(np.prod(shape[1:])) + 1, *shape[1:]),
}


def outcome(module: nn.Module, x: Tensor) -> Any:
    try:
        return module(x)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", MODULES)
def test_results_and_errors_are_those_of_recorded_calls(name, kind):
    autograd.manual_seed(0)
    make, shape = MODULES[name]
    module, array = make(), INPUTS[kind](shape)
    before = np.copy(array)
    recorded = outcome(module, Tensor(array))
    with no_grad():
        found = outcome(module, Tensor(array))
    assert type(found) is type(recorded)
    if isinstance(found, tuple):
        assert found == recorded
        return
    assert not found.requires_grad
    assert (found.dtype, found.shape) == (recorded.dtype, recorded.shape)
    np.testing.assert_array_equal(found.data, recorded.data)
    np.testing.assert_array_equal(array, before)


def test_what_comes_in_is_not_changed_and_what_comes_out_is_new():
    x = Tensor(normal(3, 4))
    net = nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
    with no_grad():
        y = net(x)
        assert not np.shares_memory(y.data, x.data)
    np.testing.assert_array_equal(x.data, normal(3, 4))


def test_a_module_that_only_hands_on_hands_on_the_tensor_itself():
    x = Tensor(normal(3, 4))
    with no_grad():
        assert nn.Dropout().eval()(x) is x
        assert nn.Sequential(nn.Dropout()).eval()(x) is x


def test_a_single_number_that_comes_out_is_new():
    x = Tensor(2.0)
    with no_grad():
        y = nn.ReLU()(x)
        y += 1
    assert (x.item(), y.item()) == (2.0, 3.0)


def test_in_training_dropout_drops():
    with no_grad():
        assert not nn.Sequential(nn.Dropout(1.0))(Tensor(np.ones((2, 3)))).data.any()


def test_pooling_returns_places_where_they_are_asked_for():
    x = Tensor(normal(1, 2, 4, 4))
    with no_grad():
        largest, places = nn.MaxPool2d(2, return_indices=True)(x)
    found = np.take_along_axis(x.data.reshape(2, 16), places.data.reshape(2, 4), axis=1)
    np.testing.assert_array_equal(found, largest.data.reshape(2, 4))


def test_more_arguments_than_one_are_refused():
    x = Tensor(normal(3, 4))
    with no_grad(), pytest.raises(TypeError, match="positional"):
        nn.Linear(4, 4)(x, x)
    with no_grad(), pytest.raises(TypeError, match="unexpected keyword"):
        nn.Linear(4, 4)(x, out=x)


class Doubled(nn.Linear):
    def forward(self, input: Any) -> Tensor:
        return super().forward(input) * 2


class Backwards(nn.Sequential):
    def forward(self, input: Any) -> Any:
        for module in reversed(list(self)):
            input = module(input)
        return input


class Plain(nn.Module):
    """A module of the user's, that returns an array."""

    def forward(self, input: Any) -> Any:
        return input.numpy() + 1


def agree(module: nn.Module, x: Any) -> Any:
    recorded = module(x)
    with no_grad():
        found = module(x)
    assert type(found) is type(recorded)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(recorded.data))
    return found


def test_a_subclass_has_its_own_forward():
    agree(Doubled(4, 4), Tensor(normal(3, 4)))
    agree(nn.Sequential(nn.Linear(4, 4), Doubled(4, 4), nn.ReLU()), Tensor(normal(3, 4)))
    agree(Backwards(nn.Linear(4, 3), nn.Linear(5, 4)), Tensor(normal(2, 5)))


def quadrupled(layer: nn.Module, x: Tensor) -> Tensor:
    return x * 4


REPLACED: dict[str, Callable[[nn.Module, pytest.MonkeyPatch], None]] = {
    "on the module": lambda module, patch: patch.setattr(module, "forward", lambda x: x * 4),
    "on its class": lambda module, patch: patch.setattr(type(module), "forward", quadrupled),
    "by what wraps it": lambda module, patch: patch.setattr(
        type(module), "forward", functools.wraps(type(module).forward)(quadrupled)
    ),
    "by a mock": lambda module, patch: patch.setattr(module, "forward", Mock(side_effect=lambda x: x * 4)),
    "by a partial": lambda module, patch: patch.setattr(module, "forward", functools.partial(quadrupled, module)),
}


@pytest.mark.parametrize("make", [lambda: nn.Linear(4, 4), nn.ReLU, lambda: nn.Sequential(nn.ReLU())])
@pytest.mark.parametrize("way", REPLACED)
def test_a_forward_that_was_put_in_its_place_is_called(monkeypatch, way, make):
    module = make()
    REPLACED[way](module, monkeypatch)
    x = Tensor(normal(3, 4))
    np.testing.assert_array_equal(agree(module, x), normal(3, 4) * 4)
    if not isinstance(module, nn.Sequential):
        np.testing.assert_array_equal(agree(nn.Sequential(module, module), x), normal(3, 4) * 16)


def test_the_forward_of_another_module_is_that_of_the_other():
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    one.forward = other.forward
    np.testing.assert_array_equal(agree(one, Tensor(normal(3, 4))), other(normal(3, 4)).data)


class Called(nn.ReLU):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs) * 4


def test_a_call_of_a_subclass_or_a_tracer_is_made(monkeypatch):
    x = Tensor(np.abs(normal(3, 4)))
    np.testing.assert_array_equal(agree(nn.Sequential(nn.ReLU(), Called()), x), x.data * 4)
    seen: list[str] = []
    call = nn.Module.__call__

    def traced(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        seen.append(type(module).__name__)
        return call(module, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", traced)
    with no_grad():
        nn.Sequential(nn.ReLU(), nn.Tanh())(x)
    assert seen == ["Sequential", "ReLU", "Tanh"]


def test_weights_that_are_not_of_the_size_said_are_refused():
    layer = nn.Linear(3, 2)
    layer.weight = nn.Parameter(np.ones((2, 4)))
    with no_grad(), pytest.raises(ValueError, match="expected 3 features"):
        layer(Tensor(normal(1, 4)))


def test_arrays_between_modules_stay_arrays():
    agree(nn.Sequential(nn.ReLU(), Plain(), nn.ReLU()), Tensor(normal(3, 4)))
    x = Tensor(normal(3, 4))
    with no_grad():
        found = nn.Sequential(nn.ReLU(), Plain())(x)
    assert isinstance(found, np.ndarray)


def test_hooks_see_every_call_and_may_change_it():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    x = Tensor(normal(5, 4))
    with no_grad():
        plain = net(x)
        seen: list[Any] = []
        with net[1].register_forward_hook(lambda m, args, result: seen.append(result)):
            net(x)
        with net[1].register_forward_pre_hook(lambda m, args: seen.append(args[0])):
            net(x)
        with net.register_forward_pre_hook(lambda m, args: args[0] * 0):
            np.testing.assert_allclose(net(x).data, np.broadcast_to(net(x * 0).data, (5, 2)))
        with net.register_forward_hook(lambda m, args, result: result + 1):
            np.testing.assert_array_equal(net(x).data, plain.data + 1)
        np.testing.assert_array_equal(net(x).data, plain.data)
    assert [type(x) for x in seen] == [Tensor, Tensor]


def test_errors_name_the_place():
    net = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))
    with no_grad(), pytest.raises(ValueError, match=re.escape("1.1: expected 4 features, got 3")):
        net(Tensor(normal(5, 4)))


def test_anomaly_mode_names_the_operation():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with no_grad(), autograd.anomaly_mode(), pytest.raises(ArithmeticError, match="linear"):
        net(Tensor(np.full((2, 4), np.nan, np.float32)))


def test_a_bias_of_another_dtype_is_added_as_it_is():
    layer = nn.Linear(4, 3)
    layer.bias = nn.Parameter(normal(3, dtype=np.float64), dtype=np.float64)
    assert agree(layer, Tensor(normal(5, 4))).dtype == np.float64


def test_no_grad_within_no_grad_is_the_same():
    net = convolutional()
    with no_grad():
        outer = current.get()
        with no_grad():
            assert current.get() is outer
        with autograd.enable_grad():
            assert current.get() is None
        with autograd.anomaly_mode(), autograd.enable_grad(), no_grad():
            assert net(Tensor(normal(2, 2, 6, 6))).shape == (2, 5)
