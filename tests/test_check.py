"""gradcheck and gradgradcheck: what they find, and what they leave alone."""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import numpy as np
import pytest

import autograd
from autograd import Tensor, from_numpy, operation
from autograd.check import GradcheckError, gradcheck, gradgradcheck


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Negative:
    def __call__(self, x):
        return -x


def product(x, y):
    return x * y


def wrong_at(index, by=0.01):
    """Return a product whose gradient by `y` is wrong at one index."""

    def rule(g, x):
        error = np.zeros(x.shape)
        error[index] = by
        return g * (x + error)

    return operation(product, x=lambda g, y: g * y, y=rule)


def message_of(*args, **kwargs):
    with pytest.raises(GradcheckError) as caught:
        gradcheck(*args, **kwargs)
    return str(caught.value)


SQUARE = np.arange(1.0, 7.0).reshape(2, 3)


class TestRight:
    @pytest.mark.parametrize("directions", [None, "all", "random", 2])
    def test_a_right_gradient_passes(self, directions):
        assert gradcheck(product, SQUARE, SQUARE[0], directions=directions)
        assert gradgradcheck(product, SQUARE, SQUARE[0], directions=directions)

    @pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (300, 2)])
    def test_shapes(self, shape):
        x = np.random.default_rng(0).normal(size=shape)
        assert gradcheck(lambda x: x * x * 2, x)
        assert gradgradcheck(lambda x: x * x * 2, x)

    def test_numbers(self):
        assert gradcheck(product, 2.0, np.float64(3.0))
        assert gradgradcheck(product, 2.0, 3.0 + 1j)

    def test_complex_in_and_out(self):
        z = np.array([1.0 + 2.0j, -0.5 + 1.0j])
        assert gradcheck(product, z, z[:1])
        assert gradgradcheck(product, z, np.array([1.0, 2.0]))
        assert gradgradcheck(lambda z: z.conj() * z * (1 + 2j), z)
        assert gradgradcheck(lambda x: x * x * (1 + 2j), np.array([1.0, 2.0]))
        assert gradgradcheck(lambda z: (z * z).real, z)

    def test_tuples_and_namedtuples_and_results_without_a_gradient(self):
        assert gradcheck(lambda x: (x * 2, x.argmax(), x * x), SQUARE)
        assert gradgradcheck(lambda x: (x * 2, x.argmax(), x * x), SQUARE)
        assert gradcheck(lambda x: Pair(x * 2, x * x), SQUARE)
        assert gradgradcheck(lambda x: [x * 2, x * x], SQUARE)

    def test_what_is_not_differentiated_in_is_passed_on(self):
        constant = np.array([0, 2])
        assert gradcheck(
            lambda x, index, axis, tensor: x[:, index].sum(axis=axis) * tensor, SQUARE, constant, 0, Tensor(2.0)
        )

    def test_results_that_are_an_input_or_a_view_of_one(self):
        assert gradcheck(lambda x: x, SQUARE)
        assert gradcheck(lambda x: x[1:], SQUARE)
        assert gradgradcheck(lambda x: x.T, SQUARE)

    def test_layouts(self):
        weights = np.random.default_rng(0).normal(size=(2, 3))
        for x in (SQUARE[::-1, ::-1], np.asfortranarray(SQUARE), np.repeat(SQUARE, 2, 1)[:, ::2]):
            assert gradgradcheck(lambda x: x * x * weights, from_numpy(x, requires_grad=True))
            assert gradcheck(lambda x: x * x * weights, x)
        assert gradcheck(lambda x: x * weights, np.broadcast_to(2.0, (2, 3)))

    def test_a_constant_function(self):
        assert gradcheck(lambda x: Tensor(1.0), SQUARE)
        assert gradgradcheck(lambda x: Tensor(1.0), SQUARE)

    def test_a_function_piecewise_constant(self):
        assert gradcheck(lambda x: np.floor(x), SQUARE + 0.5)

    def test_a_parameter_that_the_function_reaches_by_itself(self):
        w = Tensor(SQUARE, requires_grad=True)
        assert gradcheck(lambda _: w * w, w)
        assert gradgradcheck(lambda _: w * w, w)

    def test_results_of_operations_as_inputs(self):
        x = Tensor(SQUARE, requires_grad=True) * 2
        assert gradcheck(lambda x: x * x, x)

    @pytest.mark.parametrize("mode", [autograd.no_grad, autograd.enable_grad, autograd.record, autograd.anomaly_mode])
    def test_under_any_mode(self, mode):
        with mode():
            assert gradcheck(product, SQUARE, SQUARE)
            assert gradgradcheck(product, SQUARE, SQUARE)

    def test_tensors_are_left_as_they_were(self):
        x = Tensor(SQUARE, requires_grad=True)
        scalar = Tensor(2.0, requires_grad=True)
        x.grad = np.ones((2, 3))
        data = x.data
        assert gradcheck(product, x, scalar)
        assert gradgradcheck(product, x, scalar)
        assert x.data is data
        assert np.array_equal(data, SQUARE)
        assert np.array_equal(x.grad.numpy(), np.ones((2, 3)))
        assert (scalar.item(), scalar.grad) == (2.0, None)

    def test_single_precision_with_a_step_that_fits(self):
        x = SQUARE.astype(np.float32)
        assert gradcheck(product, x, x, eps=1e-2, atol=1e-2, rtol=1e-2)


class TestWrong:
    @pytest.mark.parametrize("directions", [None, "random", "all", 5])
    def test_the_message_names_output_input_index_and_both_numbers(self, directions):
        w = Tensor(SQUARE, requires_grad=True, name="w")
        message = message_of(wrong_at((1, 2)), SQUARE, w, directions=directions)
        assert message.startswith(
            "output 0 at (1, 2) by input 1 'w' at (1, 2): the gradient is 6.01, the finite difference 6"
        )
        assert "differ by 0.01" in message

    def test_one_wrong_element_of_many_is_found(self):
        x = np.random.default_rng(0).normal(size=(100, 100))
        message = message_of(wrong_at((40, 7), by=10.0), x, x)
        assert "output 0 at (40, 7) by input 1 at (40, 7)" in message

    def test_the_wrong_output_is_named(self):
        wrong = wrong_at((0, 0))
        assert message_of(lambda x: (x * 2, wrong(x, x)), SQUARE).startswith("output 1 at (0, 0) by input 0 at (0, 0)")
        assert message_of(lambda x: Pair(wrong(x, x), x), SQUARE).startswith("output 0 'first' at")

    def test_a_gradient_that_is_off_the_diagonal(self):
        shifted = operation(lambda x: x * 1.0, name="shifted", x=lambda g: np.roll(g, 1))
        assert "at (0,) by input 0 at" in message_of(shifted, SQUARE[0])

    def test_parts_of_complex_numbers_are_named(self):
        conjugated = operation(product, x=lambda g, y: g * y.conj(), y=lambda g, x: g * x)
        z = np.array([1.0 + 1.0j])
        assert "(imaginary part) by input 0 at (0,) (real part)" in message_of(conjugated, z, z)

    def test_nan_is_wrong(self):
        nan = operation(lambda x: x * 1.0, name="nan", x=lambda g: g * np.nan)
        assert "the gradient is nan" in message_of(nan, SQUARE)
        assert "the gradient is nan" in message_of(nan, SQUARE, directions="random")

    def test_a_lost_gradient_is_wrong(self):
        assert "the gradient is 0" in message_of(lambda x: x.detach() * 2, SQUARE)
        assert "the gradient is 0" in message_of(lambda x: x.numpy() * 2, SQUARE)

    def test_a_rule_that_returns_nothing(self):
        nothing = operation(lambda x: x * 2, name="nothing", x=lambda g: None)
        assert "returned None" in message_of(nothing, SQUARE)

    def test_a_rule_that_returns_another_shape(self):
        other = operation(lambda x: x * 2, name="other", x=lambda g: (2 * g)[:1])
        assert "the backward pass of output 0 raised" in message_of(other, SQUARE)

    def test_a_rule_that_overwrites_its_gradient(self):
        def rule(g):
            g *= 2
            return g

        overwriting = operation(lambda x: x * 2, name="overwriting", x=rule)
        assert "changed the gradient that it was given" in message_of(overwriting, SQUARE)

    def test_a_function_that_changes_its_input(self):
        def changing(x):
            x.data[0] = 0.0
            return x * 2

        assert message_of(changing, SQUARE.copy()) == "the function changed input 0"

    def test_a_rule_that_changes_its_input(self):
        def rule(g, x):
            x[0] = 0.0
            return 2 * g * x

        changing = operation(lambda x: x * x, name="changing", x=rule)
        assert "the backward pass of output 0 changed input 0" in message_of(changing, SQUARE.copy())

    def test_chance(self):
        assert "not deterministic" in message_of(lambda x: x * autograd.rand(), SQUARE)

    def test_a_wrong_second_derivative(self):
        # The rule is right, but the array that it makes of the input has no history.
        lost = operation(
            lambda x: x * x, name="lost", x=lambda g, x: g * 2 * (x.numpy() if isinstance(x, Tensor) else x)
        )
        assert gradcheck(lost, SQUARE)
        with pytest.raises((GradcheckError, TypeError)):
            gradgradcheck(lost, SQUARE)
        detached = operation(lambda x: x * x, name="detached", x=lambda g, x: g * 2 * getattr(x, "detach", lambda: x)())
        with pytest.raises(GradcheckError, match=r"the gradient of input 0 at \(0, 1\) by input 0 at \(0, 1\)"):
            gradgradcheck(detached, SQUARE)

    def test_false_instead_of_an_error(self):
        assert gradcheck(wrong_at((0, 0)), SQUARE, SQUARE, raise_exception=False) is False
        assert gradgradcheck(lambda x: x.detach() * x, SQUARE, raise_exception=False) is False

    def test_the_error_is_an_assertion(self):
        assert issubclass(GradcheckError, AssertionError)

    def test_data_is_put_back_after_an_error(self):
        x = Tensor(SQUARE, requires_grad=True)
        runs = []

        def fails_later(x):
            runs.append(1)
            if len(runs) == 4:
                raise KeyError("later")
            return x * 2

        with pytest.raises(KeyError):
            gradcheck(fails_later, x)
        assert np.array_equal(x.data, SQUARE)


class TestFunctionsOfManyKinds:
    """What may be given as forward and rules."""

    @pytest.mark.parametrize(
        "rule",
        [operator.neg, np.negative, functools.partial(lambda k, g: g * k, -1.0), Negative(), Negative().__call__],
    )
    def test_rules(self, rule):
        negated = operation(lambda x: -x, name="negated", x=rule)
        assert gradcheck(negated, np.array([1.0, 2.0]))
        assert gradgradcheck(negated, np.array([1.0, 2.0]))

    def test_forwards(self):
        scaled = operation(functools.partial(lambda x, k: x * k, k=3.0), x=lambda g, k: g * k)
        assert scaled(np.float64(2.0)) == 6.0
        assert gradcheck(scaled, np.array([1.0, 2.0]))
        assert scaled.operation.name == "partial"
        assert gradcheck(operation(Negative(), x=lambda g: -g), np.array([1.0, 2.0]))

    def test_options_by_keyword_alone(self):
        scaled = operation(lambda x, *, k=2.0: x * k, name="scaled", x=lambda g, k: g * k)
        assert scaled(2.0) == 4.0
        assert scaled(2.0, k=3.0) == 6.0
        assert gradcheck(lambda x: scaled(x, k=3.0), np.array([1.0, 2.0]))
        both = operation(
            lambda x, y, *, k=2.0: x * y * k, name="b", x=lambda g, y, k: g * k * y, y=lambda g, x, k: g * k * x
        )
        assert gradcheck(lambda x, y: both(x, y, k=3.0), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
        with pytest.raises(TypeError, match="a rule takes what it reads by position, not 'k' by keyword"):
            operation(lambda x, k: x * k, name="scaled", x=lambda g, *, k: g * k)


class TestWhatRulesReturn:
    def backward(self, **how):
        product = operation(lambda x, y: x * y, name="product", **how)
        product(Tensor([2.0], requires_grad=True), Tensor([3.0], requires_grad=True)).sum().backward()

    @pytest.mark.parametrize("returned", [2.0, [2.0], "2", 3])
    def test_no_array(self, returned):
        with pytest.raises(TypeError, match=f"a rule of product returned {type(returned).__name__}, not an array"):
            self.backward(x=lambda g: returned, y=lambda g: g)

    @pytest.mark.parametrize("count", [1, 3])
    def test_too_few_or_too_many(self, count):
        with pytest.raises(TypeError, match=f"the joint rule of product returned {count} for 2 inputs"):
            self.backward(inputs=("x", "y"), joint=lambda g, needs: [g] * count)

    @pytest.mark.parametrize("count", [1, 3])
    def test_too_few_or_too_many_for_a_jacobian(self, count):
        product = operation(lambda x, y: x * y, inputs=("x", "y"), joint=lambda g, needs: [g] * count, name="product")
        with pytest.raises(TypeError, match=f"the joint rule of product returned {count} for 2 inputs"):
            autograd.jacobian(lambda x: product(x, 2 * x))(np.ones(2))

    def test_options_by_keyword_alone_go_everywhere(self):
        how = {"composed": lambda x, y, *, k=2.0: x * y * k, "aux": lambda out, x, y, *, k=2.0: k}
        product = operation(
            lambda x, y, *, k=2.0: x * y * k,
            name="product",
            inputs=("x", "y"),
            joint=lambda g, needs, x, y, aux: (g * y * aux, g * x * aux),
            **how,
        )
        assert gradcheck(lambda x, y: product(x, y, k=5.0), np.ones(2), np.ones(2))
        assert gradgradcheck(lambda x, y: product(x, y, k=5.0), np.ones(2), np.ones(2))

    def test_results_that_outputs_do_not_count(self):
        both = operation(lambda x: (x, x * 2), name="both", x=lambda g: g[0], outputs=(True,))
        with pytest.raises(TypeError, match="both returned 2 results, of which outputs counts 1"):
            both(Tensor([1.0], requires_grad=True))


class TestBadArguments:
    @pytest.mark.parametrize("directions", [0, -1, "foo", 1.5, True])
    def test_directions(self, directions):
        with pytest.raises(ValueError, match="directions is"):
            gradcheck(np.exp, np.array([1.0]), directions=directions)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.complex64])
    def test_single_precision_is_refused(self, dtype):
        with pytest.raises(ValueError, match=r"input 0 is .*use float64"):
            gradcheck(product, np.ones(2, dtype), np.ones(2))
        with pytest.raises(ValueError, match="scale eps"):
            gradcheck(product, np.ones(2, dtype), np.ones(2))

    def test_nothing_to_differentiate(self):
        with pytest.raises(ValueError, match="no input is a tensor that requires a gradient"):
            gradcheck(product, 1, np.arange(3))

    def test_nothing_floating_returned(self):
        with pytest.raises(ValueError, match="nothing floating"):
            gradcheck(lambda x: x.argmax(), SQUARE)
