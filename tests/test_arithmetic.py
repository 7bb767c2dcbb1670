"""Arithmetic: gradients at awkward points, dtypes, constants, and broadcasting over random shapes."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autograd
from autograd import Tensor, ops
from tests.cases.arithmetic import TWO, pair

INF, NAN = math.inf, math.nan


def leaf(value, dtype=np.float64):
    return Tensor(value, requires_grad=True, dtype=dtype)


def gradients_at(function, *values):
    """Return the result and the gradient of its sum in each of the tensors made of `values`."""
    tensors = [leaf(value) for value in values]
    with np.errstate(all="ignore"):
        out = function(*tensors)
    out.backward(np.ones(out.shape))
    return out.detach().tolist(), *(x.grad.tolist() for x in tensors)


def second_at(function, x):
    """Return the second derivative of a function of one number."""
    x = leaf(x)
    with np.errstate(all="ignore"):
        function(x).backward(create_graph=True)
    first, x.grad = x.grad, None
    if not first.requires_grad:  # a constant
        return 0.0
    first.backward()
    return x.grad.item()


def check(found, *expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


class TestPower:
    def test_zero_to_the_zero_has_gradient_zero_in_both(self):
        # d/dx of x**0 = 1 is 0 everywhere, and PyTorch takes 0 for d/dy of 0**y as well.
        check(gradients_at(ops.power, 0.0, 0.0), 1.0, 0.0, 0.0)

    @pytest.mark.parametrize("exponent", [0, 0.0, np.array([0.0, 0.0, 0.0]), np.array([0, 0, 0])])
    def test_an_exponent_of_zero_gives_zero_and_never_nan(self, exponent):
        check(gradients_at(lambda x: x**exponent, [0.0, -2.0, INF]), [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])

    def test_zero_to_a_positive_power_has_gradient_zero_in_the_exponent(self):
        # x**y * log(x) goes to 0 with x.
        check(gradients_at(ops.power, 0.0, 2.0), 0.0, 0.0, 0.0)
        check(gradients_at(lambda y: 0**y, [2.0, 0.0]), [0.0, 1.0], [0.0, 0.0])

    def test_zero_to_the_one(self):
        check(gradients_at(ops.power, 0.0, 1.0), 0.0, 1.0, 0.0)

    def test_a_root_of_zero_is_infinitely_steep(self):
        check(gradients_at(lambda x: x**0.5, 0.0), 0.0, INF)

    def test_a_negative_power_of_zero_is_infinite(self):
        check(gradients_at(ops.power, 0.0, -1.0), INF, -INF, -INF)

    @pytest.mark.parametrize("exponent", [3, 3.0, np.array(3), np.array(3.0), np.float32(3)])
    def test_a_negative_base_with_a_whole_exponent_has_a_finite_gradient(self, exponent):
        check(gradients_at(lambda x: x**exponent, [-2.0, -1.0]), [-8.0, -1.0], [12.0, 3.0])

    def test_a_negative_base_has_no_gradient_in_the_exponent(self):
        # It is out * log(base), and real numbers have no logarithm of -2.
        check(gradients_at(ops.power, -2.0, 3.0), -8.0, 12.0, NAN)

    def test_a_negative_base_is_only_harmful_where_the_exponent_needs_a_gradient(self):
        x = leaf([-2.0, 3.0])
        (x ** Tensor([2.0, 2.0])).sum().backward()
        assert x.grad.tolist() == [-4.0, 6.0]

    @pytest.mark.parametrize(("exponent", "expected"), [(0, 0.0), (1, 0.0), (2, 2.0), (3, 0.0), (4, 0.0)])
    def test_second_derivatives_at_zero(self, exponent, expected):
        assert second_at(lambda x: x**exponent, 0.0) == expected
        assert second_at(lambda x: x ** np.array(float(exponent)), 0.0) == expected

    @pytest.mark.parametrize("exponent", [3, 4, 3.0])
    def test_small_whole_powers_of_arrays_are_products(self, exponent):
        x = np.random.default_rng(0).normal(size=50)
        np.testing.assert_allclose(ops.power(x, exponent), x**exponent, rtol=1e-15)
        np.testing.assert_array_equal(ops.power(np.arange(5), exponent), np.arange(5) ** exponent)
        assert ops.power(np.ones(3, np.float32), exponent).dtype == np.float32
        assert ops.power(np.ones(3, bool), 3).dtype == (np.ones(3, bool) ** 3).dtype

    def test_of_integer_tensors(self):
        result = Tensor([1, 2, 3]) ** 2
        assert result.tolist() == [1, 4, 9]
        assert result.dtype == np.int64
        assert not result.requires_grad

    def test_a_power_of_a_negative_real_number_to_a_complex_one(self):
        y = leaf(1.0 + 0.5j, complex)
        (ops.power(-2.0, y)).real.backward()
        # d Re(b**y) / dy, as users see it, is the conjugate of b**y log(b).
        expected = np.conj((-2.0 + 0j) ** (1.0 + 0.5j) * np.log(-2.0 + 0j))
        np.testing.assert_allclose(y.grad.item(), expected, rtol=1e-12)

    def test_float_power_of_float32_is_float64_and_its_gradient_float32(self):
        x = leaf([2.0, 3.0], np.float32)
        y = np.float_power(x, 2)
        y.sum().backward()
        assert y.dtype == np.float64
        assert x.grad.dtype == np.float32
        assert x.grad.tolist() == [4.0, 6.0]


class TestMaximumAndItsKin:
    @pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
    @pytest.mark.parametrize("value", [2.0, 0.0, INF, -INF])
    def test_a_tie_is_shared_equally(self, name, value):
        # One half each is the middle of all that the kink allows, and the same from either side.
        check(gradients_at(getattr(ops, name), value, value), value, 0.5, 0.5)

    @pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
    def test_a_tie_with_a_number_passes_one_half(self, name):
        check(gradients_at(lambda x: getattr(ops, name)(x, 1), [1.0, 1.0]), [1.0, 1.0], [0.5, 0.5])

    def test_the_winner_takes_it_all(self):
        check(gradients_at(np.maximum, [1.0, 5.0], [2.0, 3.0]), [2.0, 5.0], [0.0, 1.0], [1.0, 0.0])
        check(gradients_at(np.minimum, [1.0, 5.0], [2.0, 3.0]), [1.0, 3.0], [1.0, 0.0], [0.0, 1.0])

    @pytest.mark.parametrize("name", ["maximum", "minimum"])
    def test_a_nan_result_passes_the_gradient_to_both(self, name):
        both = [1.0, 1.0, 1.0]
        check(gradients_at(getattr(ops, name), [NAN, 1.0, NAN], [1.0, NAN, NAN]), [NAN] * 3, both, both)

    @pytest.mark.parametrize("name", ["fmax", "fmin"])
    def test_a_nan_beside_a_number_gets_nothing(self, name):
        found = gradients_at(getattr(ops, name), [NAN, 1.0, NAN], [1.0, NAN, NAN])
        check(found, [1.0, 1.0, NAN], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0])

    @pytest.mark.parametrize("size", [3, 10_000])
    def test_an_infinite_gradient_reaches_only_the_winner(self, size):
        x, y = leaf(np.full(size, -1.0)), leaf(np.zeros(size))
        np.sqrt(np.maximum(x, y)).sum().backward()
        assert set(x.grad.tolist()) == {0.0}
        assert set(y.grad.tolist()) == {INF}


class TestWhere:
    def test_what_was_not_chosen_gets_exactly_zero(self):
        x, y = leaf([NAN, 2.0]), leaf([1.0, INF])
        out = np.where(np.array([False, True]), x, y)
        out.sum().backward()
        assert out.tolist() == [1.0, 2.0]
        assert x.grad.tolist() == [0.0, 1.0]
        assert y.grad.tolist() == [1.0, 0.0]

    @pytest.mark.parametrize("size", [2, 10_000])
    def test_an_infinite_or_nan_gradient_does_not_cross(self, size):
        x, y = leaf(np.ones(size)), leaf(np.ones(size))
        mask = np.arange(size) % 2 == 0
        np.where(mask, x, y).backward(np.where(mask, INF, NAN))
        np.testing.assert_equal(x.grad.numpy(), np.where(mask, INF, 0.0))
        np.testing.assert_equal(y.grad.numpy(), np.where(mask, 0.0, NAN))

    def test_it_does_not_rescue_a_branch_whose_derivative_is_infinite(self):
        # sqrt gets the gradient 0 at x = 0 and multiplies it by its slope Inf: NaN, as in PyTorch.
        check(gradients_at(lambda x: np.where(x > 0, np.sqrt(x), 0), 0.0), 0.0, NAN)

    def test_a_second_where_inside_the_function_does(self):
        def root(x):
            return np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0)

        check(gradients_at(root, [-1.0, 0.0, 4.0]), [0.0, 0.0, 2.0], [0.0, 0.0, 0.25])
        assert second_at(root, 0.0) == 0.0

    def test_the_condition_is_remembered_as_it_was(self):
        x, mask = leaf([1.0, 2.0]), np.array([True, False])
        out = np.where(mask, x, 0.0)
        mask[:] = [False, True]
        out.sum().backward()
        assert x.grad.tolist() == [1.0, 0.0]

    def test_a_condition_that_needs_a_gradient_is_refused(self):
        x = leaf([1.0, 2.0])
        with pytest.raises(TypeError, match="no gradient with respect to 'condition'"):
            np.where(x, x, 0.0)

    def test_shapes_that_do_not_fit(self):
        with pytest.raises(ValueError, match=r"where: .*x is \(2,\) float64"):
            np.where(np.ones(3, bool), leaf([1.0, 2.0]), 0.0)


class TestClip:
    def test_the_gradient_passes_at_the_bounds(self):
        check(gradients_at(lambda x: np.clip(x, 0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0])[1:], [0.0, 1.0, 1.0, 1.0, 0.0])

    def test_beyond_a_bound_it_goes_to_the_bound(self):
        found = gradients_at(np.clip, [-1.0, 0.0, 0.5, 1.0, 2.0], 0.0, 1.0)
        check(found, [0.0, 0.0, 0.5, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0, 0.0], 1.0, 1.0)

    def test_bounds_that_cross(self):
        # NumPy gives the upper bound wherever the lower one exceeds it, and there goes the gradient.
        found = gradients_at(np.clip, [-1.0, 0.5, 2.0], 1.0, 0.0)
        check(found, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0, 3.0)

    def test_equal_bounds(self):
        # Below two equal bounds nothing gets a gradient: PyTorch's rule for `min` asks for min < max.
        check(gradients_at(np.clip, [-1.0, 0.0, 1.0], 0.0, 0.0), [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], 0.0, 1.0)

    def test_one_bound_or_none(self):
        x = [-1.0, 0.0, 2.0]
        check(gradients_at(lambda x, low: np.clip(x, low, None), x, 0.0), [0.0, 0.0, 2.0], [0.0, 1.0, 1.0], 1.0)
        check(gradients_at(lambda x, high: np.clip(x, None, high), x, 0.0), [-1.0, 0.0, 0.0], [1.0, 1.0, 0.0], 1.0)
        check(gradients_at(lambda x: ops.clip(x), x), x, [1.0, 1.0, 1.0])

    def test_every_spelling(self):
        x = leaf([-1.0, 0.5, 2.0])
        expected = [0.0, 0.5, 1.0]
        for out in (
            np.clip(x, 0, 1),
            np.clip(x, a_min=0, a_max=1),
            x.clip(0, 1),
            x.clip(min=0, max=1),
            ops.clip(x, min=Tensor(0.0), max=np.ones(3)),
        ):
            assert out.tolist() == expected

    def test_nan_gets_nothing(self):
        check(gradients_at(lambda x: np.clip(x, 0, 1), NAN), NAN, 0.0)

    def test_no_bounds_give_a_copy(self):
        x = np.ones(3)
        assert ops.clip(x) is not x


class TestOthers:
    def test_hypot_at_the_origin_is_flat(self):
        # The length of a vector has a kink there; 0 is what norm takes too.
        check(gradients_at(np.hypot, [0.0, 3.0], [0.0, -0.0]), [0.0, 3.0], [0.0, 1.0], [0.0, 0.0])
        assert second_at(lambda x: np.hypot(x, 0.0), 0.0) == 0.0

    def test_hypot_does_not_overflow(self):
        _, x, y = gradients_at(np.hypot, 3e200, 4e200)
        np.testing.assert_allclose([x, y], [0.6, 0.8])

    def test_arctan2_at_the_origin(self):
        check(gradients_at(np.arctan2, [0.0, 0.0], [0.0, -1.0])[1:], [0.0, -1.0], [0.0, 0.0])

    @pytest.mark.parametrize("scale", [1e-200, 1e200])
    def test_arctan2_neither_overflows_nor_underflows(self, scale):
        _, x, y = gradients_at(np.arctan2, scale, scale)
        np.testing.assert_allclose([x, y], [0.5 / scale, -0.5 / scale])

    def test_remainder_at_a_jump(self):
        # x % y = x - y floor(x / y): at x = 6, y = 3 the quotient is 2 already.
        check(gradients_at(np.remainder, [5.0, -5.0, 6.0], 3.0), [2.0, 1.0, 0.0], [1.0, 1.0, 1.0], -1.0)

    def test_fmod_cuts_towards_zero(self):
        check(gradients_at(np.fmod, [5.0, -5.0], [3.0, 3.0]), [2.0, -2.0], [1.0, 1.0], [-1.0, 1.0])

    def test_floor_division_has_no_gradient_and_gives_an_array(self):
        assert type(leaf([5.0]) // 2) is np.ndarray
        quotient, rest = divmod(leaf(5.0), 2)
        assert quotient == 2
        assert rest.requires_grad

    def test_copysign(self):
        # The size of x has a kink at 0; the sign of y is flat, so that its gradient is 0 but never missing.
        found = gradients_at(np.copysign, [0.0, -2.0, 2.0], [1.0, 3.0, -0.0])
        check(found, [0.0, 2.0, -2.0], [0.0, -1.0, -1.0], [0.0, 0.0, 0.0])

    @pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
    def test_sums_of_exponentials_with_infinities(self, name):
        # Two impossible events share the gradient; one that is certain, or impossible, takes all of it or nothing.
        found = gradients_at(getattr(ops, name), [-INF, -INF, INF, 1e4], [-INF, 1.0, 1.0, -1e4])
        check(found, [-INF, 1.0, INF, 1e4], [0.5, 0.0, 1.0, 1.0], [0.5, 1.0, 0.0, 0.0])
        assert np.isfinite(second_at(lambda x: getattr(ops, name)(x, -1e4), 1e4))
        assert second_at(lambda x: getattr(ops, name)(x, -INF), -INF) == 0.0

    def test_dividing_by_zero(self):
        check(gradients_at(np.divide, [1.0, 0.0], [0.0, 0.0]), [INF, NAN], [INF, INF], [-INF, NAN])

    def test_a_number_added_to_many_sums_up(self):
        x = leaf(2.0)
        y = np.ones(3)
        ((x + y) * (x - y) + x * y + x / y).sum().backward()
        assert x.grad.item() == 3 * (2 * 2.0 + 1 + 1)


class TestDtypes:
    @pytest.mark.parametrize("name", [name for name in TWO if name != "float_power"])
    def test_python_numbers_are_weak(self, name):
        operation = getattr(ops, name)
        for call in (lambda x: operation(x, 2.5), lambda x: operation(2.5, x), lambda x: operation(x, 2)):
            x = leaf([1.2, 0.7], np.float32)
            out = call(x)
            out.sum().backward()
            assert out.dtype == x.grad.dtype == np.float32

    @pytest.mark.parametrize("name", TWO)
    def test_float32_with_float64_is_float64_with_gradients_of_their_own(self, name):
        x, y = leaf([1.2, 0.7], np.float32), leaf([[0.4], [2.1]])
        out = getattr(ops, name)(x, y)
        out.sum().backward()
        assert out.dtype == np.float64
        assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
        assert (x.grad.shape, y.grad.shape) == ((2,), (2, 1))

    @pytest.mark.parametrize("name", TWO)
    @pytest.mark.parametrize("swapped", [False, True])
    def test_integer_arrays_beside_tracked_floats(self, name, swapped):
        integers, x = np.array([1, 2, 3]), leaf([1.3, 0.4, 2.6])
        out = getattr(ops, name)(*((integers, x) if swapped else (x, integers)))
        out.sum().backward()
        assert out.dtype == x.grad.dtype == np.float64
        assert np.isfinite(x.grad.numpy()).all()

    @pytest.mark.parametrize("name", TWO)
    def test_integer_tensors_are_computed_and_not_tracked(self, name):
        operation = getattr(ops, name)
        found = operation(Tensor([1, 2, 3]), Tensor([3, 2, 1]))
        expected = operation(np.array([1, 2, 3]), np.array([3, 2, 1]))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected)
        assert not found.requires_grad

    def test_complex_gradients_are_conjugates(self):
        # L = Re(z w): dL/d(Re z) + i dL/d(Im z) = conj(w).
        z, w = leaf(1 + 2j, complex), leaf(3 - 1j, complex)
        (z * w).real.backward()
        assert z.grad.item() == 3 + 1j
        assert w.grad.item() == 1 - 2j

    def test_a_real_operand_beside_a_complex_one_gets_a_real_gradient(self):
        x = leaf(2.0)
        (x * (3 - 1j)).imag.backward()
        assert x.grad.dtype == np.float64
        assert x.grad.item() == -1.0


def test_no_operation_warns_where_numpy_does_not():
    x = leaf(np.linspace(-3.0, 3.0, 7), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for out in (
            np.maximum(x, 0),
            np.hypot(x, 0),
            np.arctan2(x, 0),
            np.logaddexp(x, 1e4),
            x**2,
            x**3,
            x**0,
            2.0**x,
            x % 2,
            np.clip(x, 0, 1),
            np.copysign(x, x),
        ):
            out.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"multiply: .*x is \(2,\) float64; y is \(3,\) float64"):
        leaf([1.0, 2.0]) * leaf([1.0, 2.0, 3.0])


def broadcast_shapes(number):
    return hnp.mutually_broadcastable_shapes(num_shapes=number, max_dims=3, max_side=3, min_side=0)


@pytest.mark.parametrize("name", TWO)
@settings(deadline=None, max_examples=15)
@given(shapes=broadcast_shapes(2))
def test_gradients_of_broadcast_operands_have_their_shapes(name, shapes):
    x, y = (leaf(value) for value in pair(name, *shapes.input_shapes))
    out = getattr(ops, name)(x, y)
    assert out.shape == shapes.result_shape
    seed = np.arange(out.size, dtype=float).reshape(out.shape) + 1
    out.backward(seed)
    assert (x.grad.shape, y.grad.shape) == shapes.input_shapes
    # What was broadcast beforehand, so that nothing has to be summed, has the same gradients in all.
    wide_x, wide_y = (leaf(np.broadcast_to(t.numpy(), out.shape)) for t in (x.detach(), y.detach()))
    getattr(ops, name)(wide_x, wide_y).backward(seed)
    np.testing.assert_allclose(x.grad.numpy().sum(), wide_x.grad.numpy().sum(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(y.grad.numpy().sum(), wide_y.grad.numpy().sum(), rtol=1e-10, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(shapes=broadcast_shapes(2))
def test_a_sum_hands_each_element_the_number_of_times_it_was_used(shapes):
    x, y = (leaf(np.zeros(shape)) for shape in shapes.input_shapes)
    (x - y).sum().backward()
    count = math.prod(shapes.result_shape)
    for operand, sign in ((x, 1), (y, -1)):
        gradient = operand.grad.numpy()
        assert gradient.sum() == sign * count
        assert np.all(gradient == gradient.ravel()[0]) if gradient.size else count == 0


@settings(deadline=None, max_examples=30)
@given(shapes=broadcast_shapes(3), data=st.data())
def test_where_divides_the_gradient_between_its_inputs(shapes, data):
    condition = data.draw(hnp.arrays(bool, shapes.input_shapes[0]))
    x, y = (leaf(np.zeros(shape)) for shape in shapes.input_shapes[1:])
    np.where(condition, x, y).sum().backward()
    chosen = np.broadcast_to(condition, shapes.result_shape).sum()
    assert x.grad.numpy().sum() == chosen
    assert y.grad.numpy().sum() == math.prod(shapes.result_shape) - chosen


@settings(deadline=None, max_examples=30)
@given(shapes=broadcast_shapes(3), data=st.data())
def test_clip_divides_the_gradient_between_number_and_bounds(shapes, data):
    numbers = st.integers(-2, 2).map(float)
    x, low, high = (leaf(data.draw(hnp.arrays(float, shape, elements=numbers))) for shape in shapes.input_shapes)
    out = np.clip(x, low, high)
    assert out.shape == shapes.result_shape
    out.sum().backward()
    below_equal_bounds = (x < low.numpy()) & (low == high.numpy())
    lost = np.broadcast_to(below_equal_bounds, out.shape).sum()
    assert sum(t.grad.numpy().sum() for t in (x, low, high)) == out.size - lost


def test_every_binary_operation_is_known_by_numpys_name():
    x = leaf([1.2, 0.7])
    for name in TWO:
        assert isinstance(getattr(np, name)(x, 0.4), autograd.Tensor)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
def test_powers_without_a_sign_are_powers(dtype):
    x = Tensor([3.0, 0.5, 0.0], requires_grad=True)
    (x[:, None] ** np.arange(4, dtype=dtype)).sum().backward()
    assert x.grad.tolist() == [34.0, 2.75, 1.0]


def test_the_power_0_of_nan_has_no_gradient():
    x = Tensor([np.nan, np.inf, 0.0, 2.0], requires_grad=True)
    (x ** np.zeros(4)).sum().backward()
    assert x.grad.tolist() == [0.0] * 4


def test_the_logarithm_of_a_base_of_bytes_is_exact():
    t = Tensor([1.5, 2.5], requires_grad=True)
    (np.array([100, 3], np.int8) ** t).sum().backward()
    assert np.allclose(t.grad, [100**1.5 * np.log(100), 3**2.5 * np.log(3)], rtol=1e-14)
