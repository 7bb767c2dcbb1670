"""Functions of one number: derivatives at awkward points, complex conventions, dtypes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autograd import Tensor, ops
from tests.cases.elementwise import NAMES, inputs_for

INF, NAN = math.inf, math.nan


def gradient_at(function, value, seed=None):
    """Return the gradient of the sum of a function of one tensor, or with `seed` as the gradient of the result."""
    x = Tensor(value, requires_grad=True)
    with np.errstate(all="ignore"):
        out = function(x)
    out.backward(np.ones(out.shape) if seed is None else seed)
    return x.grad.tolist()


def derivatives_at(function, value, count):
    """Return the function at a number and its first `count` derivatives, each the gradient of the one before."""
    x = Tensor(value, requires_grad=True)
    found = [function(x)]
    for _ in range(count):
        found[-1].backward(create_graph=True)
        found.append(x.grad)
        x.grad = None
    return [d.item() for d in found]


class TestKinksAndPoles:
    @pytest.mark.parametrize("name", ["absolute", "fabs"])
    def test_the_absolute_value_is_flat_at_zero(self, name):
        # Between the slopes -1 and 1 on either side PyTorch takes 0, the one in the middle.
        assert gradient_at(getattr(ops, name), [-2.0, 0.0, -0.0, 3.0]) == [-1.0, 0.0, 0.0, 1.0]

    def test_the_modulus_is_flat_at_zero(self):
        # d|z|/d(Re z) + i d|z|/d(Im z) = z / |z| elsewhere.
        np.testing.assert_allclose(gradient_at(np.abs, [0j, 3 + 4j]), [0j, 0.6 + 0.8j], rtol=1e-15)

    def test_the_second_derivative_of_the_modulus_at_zero_is_no_nan(self):
        x = Tensor([0j, 3 + 4j], requires_grad=True)
        np.abs(x).sum().backward(create_graph=True)
        first, x.grad = x.grad, None
        first.real.sum().backward()
        # The gradient of Re z / |z| is 16/125 - 12i/125 at 3 + 4i.
        np.testing.assert_allclose(x.grad.numpy(), [0, (16 - 12j) / 125], atol=1e-15)

    def test_roots_are_infinitely_steep_at_zero(self):
        assert gradient_at(np.sqrt, [0.0, 4.0]) == [INF, 0.25]
        np.testing.assert_allclose(gradient_at(np.cbrt, [0.0, -8.0, 8.0]), [INF, 1 / 12, 1 / 12])

    def test_the_gradient_of_a_root_at_zero_times_zero_is_nan(self):
        # As in PyTorch: what comes is 0 and the slope is Inf.
        np.testing.assert_equal(gradient_at(lambda x: np.sqrt(x) * 0.0, 0.0), NAN)

    def test_poles(self):
        assert gradient_at(np.reciprocal, 0.0) == -INF
        assert gradient_at(np.log, [0.0, 0.5]) == [INF, 2.0]
        assert gradient_at(np.log1p, [-1.0, 0.0]) == [INF, 1.0]
        assert gradient_at(np.arcsin, [-1.0, 1.0]) == [INF, INF]
        assert gradient_at(np.arccos, [-1.0, 1.0]) == [-INF, -INF]
        assert gradient_at(np.arctanh, [-1.0, 1.0]) == [INF, INF]
        assert gradient_at(np.arccosh, 1.0) == INF

    @pytest.mark.parametrize("function", [np.arcsin, np.arccos, np.arccosh, np.sqrt, np.log])
    def test_outside_the_domain_value_and_gradient_are_nan(self, function):
        x = Tensor(-2.0, requires_grad=True)
        with np.errstate(invalid="ignore"):
            y = function(x)
        y.backward()
        assert np.isnan(y.item())
        assert np.isnan(x.grad.item()) or function is np.log  # 1/x, which knows no domain

    def test_digits_near_one_are_kept(self):
        # 1 - x*x would lose half of them.
        x = 1 - 1e-9
        exact = 1 / math.sqrt((1 - x) * (1 + x))
        np.testing.assert_allclose(gradient_at(np.arcsin, x), exact, rtol=1e-15)
        np.testing.assert_allclose(gradient_at(np.arctanh, x), exact**2, rtol=1e-15)

    def test_flat_ends(self):
        assert gradient_at(np.tanh, [-1e4, 0.0, 1e4]) == [0.0, 1.0, 0.0]
        assert gradient_at(np.exp, -1e4) == 0.0

    def test_nan_to_num_passes_nothing_where_it_replaced(self):
        x = [NAN, INF, -INF, 1.5]
        assert gradient_at(np.nan_to_num, x) == [0.0, 0.0, 0.0, 1.0]
        assert gradient_at(np.nan_to_num, x, seed=[NAN, INF, INF, 1.0]) == [0.0, 0.0, 0.0, 1.0]
        found = np.nan_to_num(Tensor(x), nan=1.0, posinf=2.0, neginf=3.0)
        assert found.tolist() == [1.0, 2.0, 3.0, 1.5]

    def test_nan_to_num_in_place_is_refused(self):
        with pytest.raises(TypeError, match="copy=False is not supported"):
            np.nan_to_num(Tensor([NAN]), copy=False)


class TestSinc:
    def test_derivatives_at_zero(self):
        # sinc(x) = 1 - (πx)²/6 + (πx)⁴/120 - ...: the even derivatives are 1, -π²/3, π⁴/5, the odd ones 0.
        found = derivatives_at(np.sinc, 0.0, 4)
        np.testing.assert_allclose(found, [1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5], rtol=1e-15)

    @pytest.mark.parametrize("x", [1e-300, 1e-12, 1e-8, 1e-5, 1e-3])
    def test_near_zero_no_digits_cancel(self, x):
        # (cos πx - sinc x) / x would leave none at 1e-8.
        _, first, second = derivatives_at(np.sinc, x, 2)
        np.testing.assert_allclose(first, -(math.pi**2) / 3 * x * (1 - (math.pi * x) ** 2 / 10), rtol=1e-10)
        np.testing.assert_allclose(second, -(math.pi**2) / 3 * (1 - 0.3 * (math.pi * x) ** 2), rtol=1e-10)

    def test_series_and_recurrence_meet(self):
        # They change over at |πx| = 3; sinc'' = -π² sinc - 2 sinc' / x on either side.
        for x in (3 / math.pi - 1e-9, 3 / math.pi + 1e-9, -5.3):
            value, first, second = derivatives_at(np.sinc, x, 2)
            np.testing.assert_allclose(second, -(math.pi**2) * value - 2 * first / x, rtol=1e-12)

    def test_float32_stays(self):
        x = Tensor(np.float32([0.0, 1e-4, 2.5]), requires_grad=True)
        np.sinc(x).sum().backward(create_graph=True)
        assert x.grad.dtype == np.float32
        np.testing.assert_allclose(x.grad.tolist(), [0.0, -3.2898681e-4, 1 / (math.pi * 2.5) / -2.5], rtol=1e-5)


class TestErf:
    def test_values(self):
        x = np.concatenate([np.linspace(-7, 7, 2001), np.geomspace(1e-300, 1, 500)])
        expected = np.array([math.erf(v) for v in x])
        np.testing.assert_allclose(ops.erf(x), expected, rtol=1e-15)
        np.testing.assert_allclose(ops.erf(x[:2001].astype(np.float32)), expected[:2001], rtol=1e-6)

    def test_infinities_and_nan(self):
        np.testing.assert_array_equal(ops.erf(np.array([INF, -INF, NAN, 0.0])), [1.0, -1.0, NAN, 0.0])
        np.testing.assert_array_equal(ops.erf(np.float32([INF, -9, 9])), [1.0, -1.0, 1.0])

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_dtypes_stay(self, dtype):
        assert ops.erf(np.ones(3, dtype)).dtype == ops.erf(dtype(1)).dtype == dtype

    def test_integers_shapes_and_layouts(self):
        assert ops.erf(np.arange(3)).dtype == np.float64
        assert ops.erf(np.zeros((0, 2))).shape == (0, 2)
        x = np.linspace(-2, 2, 12).reshape(3, 4)
        np.testing.assert_array_equal(ops.erf(x.T[::-1]), ops.erf(x).T[::-1])

    def test_complex_numbers_are_refused(self):
        with pytest.raises(TypeError, match="erf: the error function of complex numbers"):
            ops.erf(Tensor([1j]))

    def test_the_gradient_is_the_bell_curve(self):
        assert gradient_at(ops.erf, 0.0) == 2 / math.sqrt(math.pi)
        assert gradient_at(ops.erf, [-1e4, 1e4]) == [0.0, 0.0]


class TestComplex:
    # Users see dL/d(Re z) + i dL/d(Im z), as in PyTorch.

    def test_parts(self):
        assert gradient_at(np.real, 1 + 2j) == 1
        assert gradient_at(np.imag, 1 + 2j) == 1j
        assert gradient_at(np.conjugate, 1 + 2j, seed=3 + 4j) == 3 - 4j

    def test_parts_of_real_numbers(self):
        assert gradient_at(np.real, [1.0, 2.0]) == [1.0, 1.0]
        assert gradient_at(np.imag, [1.0, 2.0]) == [0.0, 0.0]
        assert np.imag(Tensor([1.0, 2.0])).tolist() == [0.0, 0.0]

    def test_parts_do_not_alias_the_gradient(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        x.real.sum().backward()
        x.grad.data[0] = 5.0
        assert x.tolist() == [1.0, 2.0]

    def test_angle(self):
        # atan2(b, a) has the gradient (-b + ia) / |z|²; at 0 there is no angle.
        np.testing.assert_allclose(gradient_at(np.angle, [1 + 2j, 0j]), [-0.4 + 0.2j, 0])
        degrees = gradient_at(lambda x: np.angle(x, deg=True), 1 + 2j)
        np.testing.assert_allclose(degrees, (-0.4 + 0.2j) * 180 / math.pi)

    def test_the_angle_of_real_numbers_is_flat(self):
        assert gradient_at(np.angle, [-1.0, 0.0, 2.0]) == [0.0, 0.0, 0.0]

    def test_a_holomorphic_function_gets_the_conjugate_of_its_derivative(self):
        np.testing.assert_allclose(gradient_at(lambda z: np.exp(z).real, 1 + 2j), np.conj(np.exp(1 + 2j)))

    def test_arccosh_left_of_the_imaginary_axis(self):
        # sqrt(z² - 1) would have the wrong sign there.
        z, h = -0.7 + 0.4j, 1e-6
        slope = (np.arccosh(z + h) - np.arccosh(z - h)) / (2 * h)
        np.testing.assert_allclose(gradient_at(lambda x: np.arccosh(x).real, z), np.conj(slope), rtol=1e-8)


class TestDtypes:
    @pytest.mark.parametrize("name", NAMES)
    def test_float32_stays(self, name):
        x = Tensor(inputs_for(name, 3).astype(np.float32), requires_grad=True)
        y = getattr(ops, name)(x)
        y.backward(np.ones(3, np.float32), create_graph=True)
        assert y.dtype == x.grad.dtype == np.float32

    @pytest.mark.parametrize("name", NAMES)
    def test_integers_are_computed_and_not_tracked(self, name):
        array = np.array([1, 1, 1])
        with np.errstate(divide="ignore"):  # the inverse hyperbolic tangent of 1
            found, expected = getattr(ops, name)(Tensor(array)), getattr(ops, name)(array)
        assert not found.requires_grad
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected)

    @pytest.mark.parametrize("name", [name for name in NAMES if name != "erf"])
    def test_numpy_serves_it_by_name(self, name):
        x = inputs_for(name, 3)
        found = getattr(np, name)(Tensor(x, requires_grad=True))
        assert isinstance(found, Tensor)
        np.testing.assert_array_equal(found.detach().numpy(), getattr(np, name)(x))

    def test_the_sign_is_a_plain_array(self):
        assert type(np.sign(Tensor([-2.0, 3.0], requires_grad=True))) is np.ndarray
