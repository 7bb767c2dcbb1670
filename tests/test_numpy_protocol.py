"""NumPy's functions on tensors: how their arguments become those of ours."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, numpy_protocol

BUILTINS = [np.concatenate, np.dot, np.inner, np.vdot, np.where]


@pytest.fixture(params=[True, False], ids=["told by NumPy", "not told"])
def _signatures(request: Any, monkeypatch: Any) -> Any:
    """Functions written in C say what they take since NumPy 2.4."""

    def of_python(function: Callable[..., Any], **options: Any) -> inspect.Signature:
        if function in BUILTINS:
            raise ValueError(f"no signature found for builtin {function}")
        return signature(function, **options)

    signature = inspect.signature
    numpy_protocol.translations.cache_clear()
    if not request.param:
        monkeypatch.setattr(inspect, "signature", of_python)
    yield
    numpy_protocol.translations.cache_clear()


@pytest.mark.usefixtures("_signatures")
def test_functions_written_in_c() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert np.concatenate([x[None], x[None]], axis=1).tolist() == [[1.0, 2.0, 1.0, 2.0]]
    assert np.concatenate([x, x], 0).tolist() == [1.0, 2.0, 1.0, 2.0]
    assert np.dot(x, x).item() == np.dot(b=x, a=x).item() == np.inner(x, x).item() == np.vdot(x, x).item() == 5.0
    assert np.where([True, False], x, 0.0).tolist() == [1.0, 0.0]
    np.where(x > 1, np.concatenate([x[:1], x[1:]]), 0.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0]


@pytest.mark.usefixtures("_signatures")
def test_what_they_are_given_too_much_is_named() -> None:
    x = Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=r"np\.concatenate: dtype='f' is not supported"):
        np.concatenate([x, x], dtype="f")
    with pytest.raises(TypeError, match=r"np\.dot: out=.* is not supported"):
        np.dot(x, x, out=np.zeros(()))


@pytest.mark.parametrize("function", BUILTINS)
def test_what_they_take_is_what_numpy_says(function: Any) -> None:
    try:
        told = inspect.signature(function)
    except ValueError:
        pytest.skip("it does not, before NumPy 2.4")
    ours = inspect.signature(numpy_protocol.IN_C[function.__name__])
    assert [(p.name, p.kind) for p in ours.parameters.values()] == [(p.name, p.kind) for p in told.parameters.values()]


@pytest.mark.parametrize(
    "write",
    [
        lambda t: np.fill_diagonal(t, 9.0),
        lambda t: np.copyto(t, 9.0),
        lambda t: np.copyto(dst=t, src=9.0),
        lambda t: np.put(t, [0], 9.0),
        lambda t: np.putmask(t, np.ones((2, 2), bool), 9.0),
        lambda t: np.add.at(t, 0, 9.0),
        lambda t: np.round(np.ones((2, 2)), out=t),
        lambda t: np.exp(np.ones((2, 2)), out=t),
    ],
)
def test_numpy_does_not_write_into_tensors(write):
    t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TypeError, match="a tensor cannot be what it writes into"):
        write(t)
    assert t.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_fill_value_and_a_complex_sign_do_not_lose_their_gradients():
    w = Tensor(3.0, requires_grad=True)
    with pytest.raises(TypeError, match="full_like"):
        np.full_like(Tensor([1.0, 2.0]), w)
    leaf = Tensor([1.0, 2.0], requires_grad=True)
    assert np.full_like(leaf, 3).tolist() == np.full_like(a=leaf, fill_value=3).tolist() == [3.0, 3.0]
    with pytest.raises(TypeError, match="sign"):
        np.sign(Tensor([1 + 2j], requires_grad=True))
    assert np.sign(leaf).tolist() == [1.0, 1.0]


def test_a_tensor_is_copied_into_an_array():
    array = np.zeros(2)
    np.copyto(src=Tensor([1.0, 2.0]), dst=array)
    assert array.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("function", [np.ma.getdata, np.ma.array, np.ma.sqrt, np.ma.sum, lambda x: np.ma.add(x, 1.0)])
def test_masked_arrays_take_no_tensors_that_need_a_gradient(function):
    x = Tensor([1.0, 4.0], requires_grad=True)
    with pytest.raises(TypeError, match="lose its gradient"):
        function(x)
    assert np.array_equal(function(x.detach()), function(x.numpy()))


@pytest.mark.parametrize("axis", [2, -3, (0, 2), (0, 0)])
def test_a_norm_over_axes_that_are_not_there_is_refused(axis):
    for x in (np.ones((2, 3)), Tensor(np.ones((2, 3)))):
        with pytest.raises(ValueError, match=r"axis"):
            np.linalg.vector_norm(x, axis=axis)
    assert np.linalg.vector_norm(Tensor(np.ones((2, 4))), axis=np.int64(1)).tolist() == [2.0, 2.0]


def test_the_outer_product_of_linalg_is_of_vectors():
    x = np.ones((2, 3))
    for a in (x, Tensor(x)):
        with pytest.raises(ValueError, match="one-dimensional"):
            np.linalg.outer(a, x[0])
    assert np.linalg.outer(Tensor(x[0]), x[0]).shape == (3, 3)


def test_a_bound_is_given_once():
    for x in (np.ones(3), Tensor(np.ones(3))):
        with pytest.raises((ValueError, TypeError)):
            np.clip(x, a_min=1, a_max=None, min=2)
