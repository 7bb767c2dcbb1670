"""Reductions at their awkward points, and against NumPy on random axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograd import Tensor, ops
from autograd.functional import gradients

inf, nan = math.inf, math.nan


def gradient(function: Any, x: Any) -> Any:
    t = Tensor(x, requires_grad=True)
    function(t).sum().backward()
    assert t.grad is not None
    return t.grad.numpy()


def second(function: Any, x: Any) -> Any:
    """Return the gradient of a weighted sum of the gradient."""
    t = Tensor(x, requires_grad=True)
    (first,) = gradients(function(t).sum(), [t], create_graph=True)
    weights = np.arange(1.0, 1 + t.size).reshape(t.shape)
    return gradients((first * weights).sum(), [t])[0].numpy()


# Against NumPy

NAMES = ["sum", "mean", "prod", "var", "std", "max", "min", "ptp", "median", "nansum", "nanmean", "nanmax", "nanmin"]


@st.composite
def arrays_and_axes(draw: Any) -> tuple[Any, Any, bool]:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    x = draw(hnp.arrays(np.float64, shape, elements=st.floats(-3, 3, width=16)))
    axes = st.sampled_from(range(-len(shape), len(shape)))
    several = st.lists(axes, unique_by=lambda a: a % len(shape), min_size=1, max_size=len(shape)).map(tuple)
    return x, draw(st.none() | axes | several), draw(st.booleans())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(drawn=arrays_and_axes())
def test_any_axes_give_numpys_result_and_a_gradient_of_the_inputs_shape(name: str, drawn: Any) -> None:
    x, axis, keepdims = drawn
    t = Tensor(x, requires_grad=True)
    result = getattr(np, name)(t, axis=axis, keepdims=keepdims)
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12, atol=1e-12)
    assert result.shape == np.shape(expected)
    result.sum().backward()
    assert t.grad is not None
    assert t.grad.shape == x.shape
    total = t.grad.numpy().sum()
    if name in ("mean", "max", "min", "median", "nanmean", "nanmax", "nanmin"):
        assert total == pytest.approx(result.size)  # moved by 1, all of them move by 1
    elif name in ("var", "std", "ptp"):
        assert total == pytest.approx(0, abs=1e-8)  # these do not move
    elif name in ("sum", "nansum"):
        assert (t.grad.numpy() == 1).all()


@settings(max_examples=25, deadline=None)
@given(drawn=arrays_and_axes())
def test_the_gradient_of_logsumexp_is_a_softmax(drawn: Any) -> None:
    x, axis, keepdims = drawn
    t: Any = Tensor(x, requires_grad=True)
    result = ops.logsumexp(t, axis, keepdims)
    np.testing.assert_allclose(result.numpy(), np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)), atol=1e-12)
    result.sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 0.5, 0, inf, -inf])
@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_vector_norms_are_numpys(ord: Any, axis: int, keepdims: bool) -> None:
    x = np.arange(1.0, 7).reshape(2, 3)
    result = np.linalg.norm(Tensor(x), ord, axis, keepdims)
    np.testing.assert_array_equal(result.numpy(), np.linalg.norm(x, ord, axis, keepdims))


def test_a_norm_scales_with_its_input() -> None:
    x = np.arange(1.0, 7).reshape(2, 3)
    for ord in ("fro", "nuc", 1, -1, inf, -inf, 2, -2):
        value = np.linalg.norm(x, ord)
        assert (gradient(lambda t, ord=ord: np.linalg.norm(t, ord), x) * x).sum() == pytest.approx(value)  # Euler


def test_methods_and_ufunc_reduce_are_the_same():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    for method, ufunc in (("sum", np.add), ("prod", np.multiply), ("max", np.maximum), ("min", np.minimum)):
        np.testing.assert_array_equal(getattr(x, method)(axis=1).numpy(), ufunc.reduce(x, axis=1).numpy())
    assert x.mean().requires_grad


def test_integers_are_reduced_untracked() -> None:
    x = Tensor([[1, 2], [3, 5]])
    assert x.sum().dtype == np.int64
    assert x.mean().item() == 2.75
    assert np.linalg.norm(x, 1).item() == 7
    assert ops.logsumexp(x).dtype == np.float64
    assert Tensor([True, True]).sum().item() == 2


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "var", "logsumexp"])
def test_scalars_and_empty_tuples_of_axes(name: str) -> None:
    t = Tensor(2.0, requires_grad=True)
    result = getattr(ops, name)(t)
    result.backward()
    assert result.shape == ()
    assert t.grad is not None
    assert t.grad.item() == (0 if name == "var" else 1)


def test_float32_stays() -> None:
    x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    for name in ("sum", "mean", "prod", "max", "ptp", "var", "std", "logsumexp", "nanmean", "average", "norm"):
        result = getattr(ops, name)(x, axis=1) if name != "norm" else ops.norm(x, None, 1)
        assert result.dtype == np.float32
        (first,) = gradients(result.sum(), [x], create_graph=True)
        assert first.dtype == np.float32


# Nothing to reduce


def test_empty_arrays_sum_to_zero_and_have_no_greatest() -> None:
    x = Tensor(np.zeros((0, 3)), requires_grad=True)
    x.sum(axis=0).backward(np.ones(3))
    assert x.grad is not None
    assert x.grad.shape == (0, 3)
    assert x.sum().item() == 0
    assert x.prod().item() == 1
    assert ops.logsumexp(x).item() == -inf
    with pytest.raises(ValueError, match=r"^max: zero-size array.*\(0, 3\) float64"):
        x.max()
    with np.errstate(invalid="ignore"), pytest.warns(RuntimeWarning, match="Mean of empty slice"):  # NumPy's own
        empty, lanes = x.mean(), x.mean(axis=0)
    assert math.isnan(empty.item())
    assert np.isnan(lanes.numpy()).all()


def test_a_bad_axis_names_operation_and_shape() -> None:
    x = Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(np.exceptions.AxisError, match=r"sum: axis 2 is out of bounds"):
        x.sum(axis=2)
    with pytest.raises(ValueError, match=r"norm: .*\(2, 3\) float64"):
        np.linalg.norm(x, 3)


# Products with zeros: the gradient is the product of the other factors


def test_prod_with_one_zero_has_a_gradient_there_alone() -> None:
    assert gradient(np.prod, [0.0, 2.0, 3.0]).tolist() == [6, 0, 0]


def test_prod_with_two_zeros_has_no_gradient_but_second_derivatives_between_them() -> None:
    x = [0.0, 2.0, 0.0, 3.0]
    assert gradient(np.prod, x).tolist() == [0, 0, 0, 0]
    assert second(np.prod, x).tolist() == [18, 0, 6, 0]  # d2/dx0dx2 = 2 * 3, weighted by 3 and 1


def test_prod_that_overflows_or_underflows_still_has_the_product_of_the_others() -> None:
    with np.errstate(over="ignore", under="ignore"):
        assert gradient(np.prod, [1e200, 1e200]).tolist() == [1e200, 1e200]
        assert gradient(np.prod, [1e-200, 1e-200]).tolist() == [1e-200, 1e-200]


# Ties and kinks


def test_max_and_min_share_among_ties() -> None:
    assert gradient(np.max, [1.0, 3.0, 3.0]).tolist() == [0, 0.5, 0.5]
    assert gradient(np.min, [3.0, 1.0, 1.0, 1.0]).tolist() == [0, *[1 / 3] * 3]
    assert gradient(lambda t: t.max(axis=1), [[2.0, 2.0], [1.0, 4.0]]).tolist() == [[0.5, 0.5], [0, 1]]
    assert gradient(np.ptp, [1.0, 1.0, 2.0]).tolist() == [-0.5, -0.5, 1]
    assert gradient(np.ptp, [2.0, 2.0]).tolist() == [0, 0]  # greatest and least at once


def test_a_nan_is_the_greatest_and_spoils_its_lane_alone() -> None:
    found = gradient(lambda t: t.max(axis=1), [[nan, 1.0], [2.0, 1.0]])
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [1, 0]


def test_the_nan_blind_give_nan_no_gradient() -> None:
    x = [nan, 1.0, 4.0]
    assert gradient(np.nansum, x).tolist() == [0, 1, 1]
    assert gradient(np.nanmean, x).tolist() == [0, 0.5, 0.5]
    assert gradient(np.nanmax, x).tolist() == [0, 0, 1]
    assert gradient(np.nanmin, x).tolist() == [0, 1, 0]


def test_std_at_zero_variance_has_gradient_zero_as_in_pytorch_and_no_nan_beyond() -> None:
    assert gradient(np.std, [2.0, 2.0, 2.0]).tolist() == [0, 0, 0]
    assert second(np.std, [2.0, 2.0, 2.0]).tolist() == [0, 0, 0]
    assert gradient(lambda t: t.std(axis=1), [[2.0, 2.0], [0.0, 2.0]]).tolist() == [[0, 0], [-0.5, 0.5]]


def test_var_without_a_degree_of_freedom_has_gradient_nan_as_in_pytorch() -> None:
    with pytest.warns(RuntimeWarning):  # NumPy's own
        assert np.isnan(gradient(lambda t: t.var(ddof=1), [2.0])).all()


def test_norms_at_zero_have_gradient_zero_and_no_nan_beyond() -> None:
    for ord in (None, 2, 3, 1.5):
        assert gradient(lambda t, ord=ord: np.linalg.norm(t, ord), [0.0, 0.0]).tolist() == [0, 0]
        assert second(lambda t, ord=ord: np.linalg.norm(t, ord), [0.0, 0.0]).tolist() == [0, 0]
    for ord in (1, inf, -inf):
        assert gradient(lambda t, ord=ord: np.linalg.norm(t, ord), [0.0, 0.0]).tolist() == [0, 0]
    assert second(lambda t: np.linalg.norm(t, "fro"), np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    rows = gradient(lambda t: np.linalg.norm(t, axis=1), [[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(rows, [[0.0, 0.0], [0.6, 0.8]], rtol=1e-15)


def test_an_element_of_zero_in_a_norm_has_gradient_zero() -> None:
    for ord in (1, 1.5, 0.5):
        found = gradient(lambda t, ord=ord: np.linalg.norm(t, ord), [0.0, 3.0, -4.0])
        assert found[0] == 0
        assert np.isfinite(found).all()


def test_norms_that_take_the_greatest_share_among_ties() -> None:
    assert gradient(lambda t: np.linalg.norm(t, inf), [3.0, -4.0, 4.0]).tolist() == [0, -0.5, 0.5]
    assert gradient(lambda t: np.linalg.norm(t, 1), np.eye(2)).tolist() == [[0.5, 0], [0, 0.5]]
    np.testing.assert_allclose(gradient(lambda t: np.linalg.norm(t, 2), np.eye(2)), np.eye(2) / 2, atol=1e-12)
    assert gradient(lambda t: np.linalg.norm(t, 0), [0.0, 2.0]).tolist() == [0, 0]


def test_the_norm_of_complex_numbers_points_along_them() -> None:
    for ord in (None, 1, 3):
        found = gradient(lambda t, ord=ord: np.linalg.norm(t, ord), [3 + 4j, 0j])
        np.testing.assert_allclose(found, [0.6 + 0.8j, 0], rtol=1e-15)


# logsumexp


def test_logsumexp_is_stable_in_float32() -> None:
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4]], np.float32)
    result = ops.logsumexp(Tensor(x), axis=1)
    np.testing.assert_allclose(result.numpy(), [1e4 + math.log(2), -1e4 + math.log(2), 1e4], rtol=1e-6)
    assert gradient(lambda t: ops.logsumexp(t, 1), x).tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 0]]


def test_logsumexp_of_infinities() -> None:
    x = Tensor([[-inf, -inf], [inf, 1e4], [-inf, 0.0], [inf, -inf]], requires_grad=True)
    result = ops.logsumexp(x, axis=1)
    assert result.tolist() == [-inf, inf, 0, inf]
    result.backward(np.ones(4))
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [[nan, nan], [nan, 0], [0, 1], [nan, 0]])  # NaN: inf - inf


def test_logsumexp_refuses_complex_numbers() -> None:
    with pytest.raises(TypeError, match=r"logsumexp: complex.*\(1,\) complex128"):
        ops.logsumexp(Tensor([1j]))


# The gradient of a sum is a view until it lands


def test_the_gradients_of_leaves_are_their_own() -> None:
    x, y = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones((2, 3)), requires_grad=True)
    (x + y).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    x.grad.data[:] = 7
    assert (y.grad.numpy() == 1).all()
    x.grad = None
    x.sum(axis=0).backward(np.arange(3.0))
    assert x.grad is not None
    x.grad.data[0] = 7
    assert x.grad.numpy()[1].tolist() == [0, 1, 2]


def test_a_sum_over_an_axis_takes_a_gradient_that_is_not_contiguous() -> None:
    x = Tensor(np.ones((2, 3, 4)), requires_grad=True)
    (x.sum(axis=0).T * np.arange(12.0).reshape(4, 3)).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), np.broadcast_to(np.arange(12.0).reshape(4, 3).T, (2, 3, 4)))


def test_average_refuses_weights_that_cancel() -> None:
    with pytest.raises(ZeroDivisionError, match="average: "):
        np.average(Tensor([1.0, 2.0]), weights=[1.0, -1.0])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1), (1, 2)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.int32])
@pytest.mark.parametrize("shape", [(40001,), (9000, 5), (7, 6000), (37, 31, 33)])
def test_large_sums_are_numpys(shape: tuple[int, ...], dtype: Any, axis: Any) -> None:
    """Some are matrix products with ones: to the same accuracy, in the same shape and dtype."""
    x = (np.random.default_rng(0).normal(size=shape) * 5).astype(dtype)
    for array in (x, np.asfortranarray(x), x[::-1], x[..., ::2]):
        if len(shape) <= (max(axis) if isinstance(axis, tuple) else axis or 0):
            with pytest.raises(IndexError):
                ops.sum(array, axis)
            continue
        exact = np.sum(array, axis, dtype=np.clongdouble if array.dtype.kind == "c" else np.longdouble)
        for keepdims in (False, True):
            found, plain = ops.sum(array, axis, keepdims), np.sum(array, axis, keepdims=keepdims)
            assert type(found) is type(plain)
            assert (found.shape, found.dtype) == (plain.shape, plain.dtype)
            error = abs(plain - exact.reshape(plain.shape)).max()
            rounded = 0.0  # where NumPy was lucky; one number after the other leaves errors of up to 70 times this
            if plain.dtype.kind in "fc":
                rounded = float(np.finfo(plain.dtype).eps * np.sqrt((abs(array.astype("G")) ** 2).sum(axis)).max())
            np.testing.assert_allclose(found, plain, rtol=0, atol=10 * (error + rounded) + np.finfo(float).eps)
            mean = ops.mean(array, axis, keepdims)
            np.testing.assert_allclose(mean, np.mean(array, axis, keepdims=keepdims), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_infinity_spoils_its_sum_alone(value: float) -> None:
    x = np.ones((9000, 5))
    x[3, 4] = value
    assert not np.isfinite(ops.sum(x))
    assert np.isfinite(ops.sum(x, -1)).sum() == 8999
    assert np.isfinite(ops.sum(x, 0)).sum() == 4


@pytest.mark.parametrize("reduce", [np.mean, np.nanmean, np.max, np.nanmax])
def test_gradients_of_half_precision_survive_many_numbers(reduce):
    x = Tensor(np.full(70_000, 0.01, np.float16), requires_grad=True)
    reduce(x).backward()
    assert x.grad.dtype == np.float16
    assert np.allclose(x.grad, 1 / 70_000, rtol=0.01)


@pytest.mark.parametrize("ord", [1, 3, np.inf, -np.inf, 2])
def test_the_gradient_of_a_norm_of_another_byte_order(ord):
    for order in "<>":
        x = Tensor(np.array([1.0, -2.0], f"{order}f4"), requires_grad=True)
        np.linalg.norm(x, ord).backward()
        y = Tensor(np.array([1.0, -2.0], np.float32), requires_grad=True)
        np.linalg.norm(y, ord).backward()
        assert x.grad.tolist() == y.grad.tolist()
