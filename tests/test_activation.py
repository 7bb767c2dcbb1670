"""Activation functions: their kinks, stability far from 0, and dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autograd import Tensor, ops
from tests.cases import normal
from tests.cases.activation import NAMES, inputs_for

INF, NAN = math.inf, math.nan
FAR = [-1e4, -300.0, -104.0, -88.8, -50.0, -20.0, -1.0, 0.0, 1.0, 20.0, 50.0, 88.8, 104.0, 300.0, 1e4]


def gradient_at(function, value, seed=None):
    x = Tensor(value, requires_grad=True)
    out = function(x)
    out.backward(np.ones(out.shape) if seed is None else seed)
    return x.grad.tolist()


def first_and_second(function, x):
    """Return the result, and the first and second derivatives of its sum, of float32 numbers."""
    x = Tensor(x, requires_grad=True, dtype=np.float32)
    y = function(x)
    y.sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    second = np.zeros(x.shape, np.float32)
    if first.requires_grad:
        first.backward(np.ones(x.shape))
        second = x.grad.numpy()
    return y.detach().numpy(), first.detach().numpy(), second


class TestKinks:
    def test_relu_is_flat_at_zero(self):
        # The derivative from the left, as PyTorch has it.
        assert gradient_at(ops.relu, [-1.0, 0.0, -0.0, 2.0]) == [0.0, 0.0, 0.0, 1.0]
        assert [gradient_at(ops.relu, x) for x in (-1.0, 0.0, 2.0)] == [0.0, 0.0, 1.0]

    @pytest.mark.parametrize("size", [1, 10_000])
    def test_relu_stops_an_infinite_gradient(self, size):
        # The square root is infinitely steep at relu(-1) = 0: still nothing reaches x, exactly.
        assert set(gradient_at(lambda x: np.sqrt(ops.relu(x)), np.full(size, -1.0))) == {0.0}

    def test_relu_lets_nan_through(self):
        x = Tensor([NAN, 1.0], requires_grad=True)
        y = ops.relu(x)
        y.backward(np.ones(2))
        np.testing.assert_equal(y.tolist(), [NAN, 1.0])
        assert x.grad.tolist() == [1.0, 1.0]
        assert np.isnan(ops.relu(Tensor(NAN)).item())

    def test_leaky_relu_has_the_slope_of_the_left_at_zero(self):
        assert gradient_at(ops.leaky_relu, [-1.0, 0.0, 2.0]) == [0.01, 0.01, 1.0]

    @pytest.mark.parametrize("slope", [0.2, 1.0, 3.0, -0.5])
    def test_leaky_relu_takes_any_slope(self, slope):
        x = np.array([-2.0, 0.0, 3.0])
        assert ops.leaky_relu(x, slope).tolist() == [-2 * slope, 0.0, 3.0]
        assert gradient_at(lambda x: ops.leaky_relu(x, slope), x) == [slope, slope, 1.0]

    def test_prelu_at_zero(self):
        # The weight multiplies 0 there.
        x, weight = Tensor([-2.0, 0.0, 3.0], requires_grad=True), Tensor(0.25, requires_grad=True)
        ops.prelu(x, weight).sum().backward()
        assert x.grad.tolist() == [0.25, 0.25, 1.0]
        assert weight.grad.item() == -2.0

    def test_prelu_with_a_weight_a_channel(self):
        x, weight = Tensor(-np.ones((2, 3, 4, 4)), requires_grad=True), Tensor(np.ones((3, 1, 1)), requires_grad=True)
        ops.prelu(x, weight).sum().backward()
        assert weight.grad.tolist() == [[[-32.0]]] * 3

    def test_elu_and_selu_at_zero(self):
        assert gradient_at(ops.elu, 0.0) == 1.0
        assert gradient_at(lambda x: ops.elu(x, alpha=0.5), [0.0, 1.0]) == [0.5, 1.0]
        np.testing.assert_allclose(gradient_at(ops.selu, [0.0, 1.0]), [1.7580993408473766, 1.0507009873554805])

    def test_hardtanh_is_flat_at_its_bounds(self):
        # Unlike clip, which passes the gradient there; both as in PyTorch.
        assert gradient_at(ops.hardtanh, [-2.0, -1.0, 0.5, 1.0, 2.0]) == [0.0, 0.0, 1.0, 0.0, 0.0]
        assert gradient_at(lambda x: ops.hardtanh(x, 0.0, 6.0), [0.0, 3.0, 6.0]) == [0.0, 1.0, 0.0]

    def test_softsign_is_smooth_at_zero(self):
        assert gradient_at(ops.softsign, [0.0, 1.0, -1.0]) == [1.0, 0.25, 0.25]

    def test_softplus_is_linear_beyond_the_threshold(self):
        x = Tensor([1.9, 2.1], requires_grad=True)
        y = ops.softplus(x, beta=2.0, threshold=4.0)
        y.sum().backward()
        np.testing.assert_allclose(y.tolist(), [math.log1p(math.exp(3.8)) / 2, 2.1])
        np.testing.assert_allclose(x.grad.tolist(), [1 / (1 + math.exp(-3.8)), 1.0])


class TestFarFromZero:
    @pytest.mark.parametrize("name", NAMES)
    def test_values_and_derivatives_stay_finite_in_float32(self, name):
        for found in first_and_second(getattr(ops, name), FAR):
            assert np.isfinite(found).all()
            assert found.dtype == np.float32

    @pytest.mark.parametrize("name", NAMES)
    def test_single_numbers_are_as_stable_as_arrays(self, name):
        function = getattr(ops, name)
        for dtype in (np.float32, np.float64):
            for value in FAR:
                x = Tensor(dtype(value), requires_grad=True)
                y = function(x)
                y.backward()
                together = function(np.array([[value]], dtype))
                np.testing.assert_allclose(
                    y.item(), together.item(), rtol=1e-6 if dtype is np.float32 else 1e-14, atol=1e-300
                )
                assert np.isfinite(x.grad.item())
                assert y.dtype == x.grad.dtype == dtype

    def test_gelu_by_tanh_stays_finite(self):
        for found in first_and_second(lambda x: ops.gelu(x, approximate="tanh"), FAR):
            assert np.isfinite(found).all()

    @pytest.mark.parametrize("name", ["relu", "silu", "gelu", "mish", "softplus"])
    def test_rectifiers_become_the_identity_and_zero(self, name):
        value, first, second = first_and_second(getattr(ops, name), [-1e4, 1e4])
        np.testing.assert_allclose(value, [0.0, 1e4], atol=1e-30)
        np.testing.assert_allclose(first, [0.0, 1.0], atol=1e-30)
        np.testing.assert_allclose(second, [0.0, 0.0], atol=1e-30)

    def test_a_small_sigmoid_keeps_its_digits(self):
        x = np.array([-700.0, -40.0, -1.0, 40.0])
        exact = [math.exp(v) / (1 + math.exp(v)) for v in x]
        np.testing.assert_allclose(ops.sigmoid(x), exact, rtol=1e-13)
        np.testing.assert_allclose(gradient_at(ops.sigmoid, x), [p * (1 - p) for p in exact], rtol=1e-13)

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_a_sigmoid_too_small_for_the_dtype_is_zero(self, dtype):
        x = np.array([-1e4, -800.0], dtype)
        assert not ops.sigmoid(x).any()
        assert ops.sigmoid(x[0]) == 0
        assert not np.any(gradient_at(ops.sigmoid, x))

    def test_log_sigmoid_keeps_its_digits_on_both_sides(self):
        # -log(1 + exp(-x)) is -exp(-x) for large x, and x for a very negative one.
        np.testing.assert_allclose(
            ops.log_sigmoid(np.array([-1e4, 30.0, 700.0])), [-1e4, -math.exp(-30), -math.exp(-700)]
        )
        np.testing.assert_allclose(gradient_at(ops.log_sigmoid, [-1e4, 30.0]), [1.0, math.exp(-30)], rtol=1e-12)

    def test_softmax_of_large_numbers(self):
        x = Tensor([[1e4, 1e4], [0.0, -1e4]], requires_grad=True, dtype=np.float32)
        assert ops.softmax(x).tolist() == [[0.5, 0.5], [1.0, 0.0]]
        ops.log_softmax(x)[1, 1].backward()
        assert x.grad.tolist() == [[0.0, 0.0], [-1.0, 1.0]]

    def test_softmax_of_a_masked_element(self):
        x = Tensor([0.0, -INF, 0.0], requires_grad=True)
        p = ops.softmax(x)
        p[0].backward()
        assert p.tolist() == [0.5, 0.0, 0.5]
        assert x.grad.tolist() == [0.25, 0.0, -0.25]


class TestValues:
    def test_known_ones(self):
        x = np.array([-1.0, 0.5, 2.0])
        s = 1 / (1 + np.exp(-x))
        np.testing.assert_allclose(ops.sigmoid(x), s)
        np.testing.assert_allclose(ops.silu(x), x * s)
        np.testing.assert_allclose(ops.log_sigmoid(x), np.log(s))
        np.testing.assert_allclose(ops.softplus(x), np.log1p(np.exp(x)))
        np.testing.assert_allclose(ops.mish(x), x * np.tanh(np.log1p(np.exp(x))))
        np.testing.assert_allclose(ops.gelu(x), [x_ * (1 + math.erf(x_ / math.sqrt(2))) / 2 for x_ in x])
        np.testing.assert_allclose(ops.gelu(x, "tanh"), ops.gelu(x), atol=5e-4)
        np.testing.assert_allclose(ops.elu(x, 2.0), [2 * math.expm1(-1), 0.5, 2.0])
        np.testing.assert_allclose(ops.softsign(x), [-0.5, 1 / 3, 2 / 3])

    def test_gelu_knows_two_forms(self):
        with pytest.raises(ValueError, match='gelu: approximate is "none" or "tanh", not \'fast\''):
            ops.gelu(Tensor([1.0]), approximate="fast")

    def test_softmax_of_nothing(self):
        assert ops.softmax(np.zeros((0, 3)), axis=0).shape == (0, 3)
        assert ops.log_softmax(np.zeros((3, 0))).shape == (3, 0)

    def test_softmax_over_several_axes(self):
        p = ops.softmax(np.arange(24.0).reshape(2, 3, 4), axis=(0, 2))
        np.testing.assert_allclose(p.sum(axis=(0, 2)), [1.0, 1.0, 1.0])

    @pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
    @pytest.mark.parametrize("axis", [-1, 0, 1, (1, 2), None])
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_softmax_of_large_arrays(self, two_threads, dtype, axis, scale):
        """They go piece by piece, without a maximum where all numbers of a piece are small."""
        if dtype is np.float16 and axis is None:
            pytest.skip("the sum is beyond float16")
        x = (normal(600, 30, 20, seed=1) / 3).astype(dtype)
        x[300] *= dtype(scale)
        x[0, 0, :3] = -np.inf
        g = normal(*x.shape, seed=2).astype(dtype)
        given = Tensor(x, requires_grad=True)
        out = ops.softmax(given, axis=axis)
        out.backward(g)
        exact = x.astype(float)
        exact = np.exp(exact - exact.max(axis=axis, keepdims=True))
        exact /= exact.sum(axis=axis, keepdims=True)
        to_x = exact * (g - (g * exact).sum(axis=axis, keepdims=True))
        eps = np.finfo(dtype).eps * max(1.0, abs(x[np.isfinite(x)]).max() / 4)
        np.testing.assert_allclose(out.detach().numpy(), exact, rtol=20 * eps, atol=20 * eps * exact.max())
        np.testing.assert_allclose(given.grad.numpy(), to_x, rtol=20 * eps, atol=40 * eps * abs(to_x).max())
        assert out.dtype == given.grad.dtype == dtype

    def test_axes_of_a_large_softmax_in_any_order(self):
        x = normal(8, 16, 16, 16)
        for axes in ((2, 1), (-1, -2), (3, 1), (0, 2)):
            given = [Tensor(x, requires_grad=True) for _ in range(2)]
            found = [ops.softmax(t, axis=a) for t, a in zip(given, (axes, tuple(sorted(axes))), strict=True)]
            for out in found:
                out.backward(x)
            np.testing.assert_allclose(found[0].sum(axis=axes).detach().numpy(), 1)
            np.testing.assert_array_equal(found[0].detach().numpy(), found[1].detach().numpy())
            np.testing.assert_array_equal(given[0].grad.numpy(), given[1].grad.numpy())

    def test_a_large_softmax_of_complex_numbers(self):
        x, g = (normal(300, 64, seed=i) + 1j * normal(300, 64, seed=i + 1) for i in (1, 3))
        whole, parts = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        ops.softmax(whole).backward(g)
        for i in range(0, 300, 100):  # few enough to go another way
            ops.softmax(parts[i : i + 100]).backward(g[i : i + 100])
        np.testing.assert_allclose(whole.grad.numpy(), parts.grad.numpy(), rtol=1e-12, atol=1e-14)

    def test_softmax_of_an_axis_that_is_not_there(self):
        for size in (3, 30000):
            with pytest.raises(IndexError):
                ops.softmax(np.zeros(size), axis=1)

    @pytest.mark.parametrize("name", NAMES)
    def test_the_input_is_left_alone(self, name):
        x = inputs_for(name, 2, 3)
        before = x.copy()
        getattr(ops, name)(x)
        getattr(ops, name)(Tensor(x))
        np.testing.assert_array_equal(x, before)


class TestDtypes:
    @pytest.mark.parametrize("name", [name for name in NAMES if name not in ("relu", "hardtanh")])
    @pytest.mark.parametrize("dtype", [np.int64, bool])
    def test_integers_and_booleans_become_float64(self, name, dtype):
        array = np.array([1, 0, 1], dtype)
        found = getattr(ops, name)(Tensor(array))
        assert found.dtype == np.float64
        assert not found.requires_grad
        np.testing.assert_array_equal(found.numpy(), getattr(ops, name)(array.astype(np.float64)))

    def test_relu_and_hardtanh_of_integers_are_integers(self):
        assert ops.relu(np.array([-1, 2])).tolist() == [0, 2]
        assert ops.hardtanh(np.array([-5, 0, 5]), -1, 1).tolist() == [-1, 0, 1]

    @pytest.mark.parametrize("name", NAMES)
    def test_python_numbers(self, name):
        np.testing.assert_allclose(getattr(ops, name)(0.5), getattr(ops, name)(np.array([0.5]))[0])

    def test_prelu_with_mixed_precision(self):
        x = Tensor([-2.0, 3.0], requires_grad=True, dtype=np.float32)
        weight = Tensor([0.25], requires_grad=True)
        ops.prelu(x, weight).sum().backward()
        assert x.grad.dtype == np.float32
        assert weight.grad.dtype == np.float64
        out = ops.prelu(x, 0.25)
        assert out.dtype == np.float32


def test_relu_of_numbers_lists_and_booleans():
    assert ops.relu(-1.5) == 0
    assert ops.relu(3) == 3
    assert ops.relu([1.0, -2.0]).tolist() == [1, 0]
    assert ops.relu(np.ones(600, bool)).dtype == ops.relu(np.ones(6, bool)).dtype
