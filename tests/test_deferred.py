"""Elementwise functions of large arrays, by blocks and put off: with the same numbers as in one piece."""

from __future__ import annotations

import functools
import sys
import tracemalloc
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import autograd
from autograd import Tensor, operation, ops
from autograd.deferred import LARGE, in_blocks, writes_down
from autograd.functional import gradients

ELEMENTWISE = {name: f.operation for name, f in ops.TABLE.items() if f.operation.elementwise}
SHAPE = (6, 5, LARGE // 25)  # more than large; blocks do not divide it
ABOVE_ONE = {"arccosh"}
CONTIGUOUS, LAST_FIRST, STRIDED = "C", "channels last", "every second"


def numbers(shape, seed, name="", layout=CONTIGUOUS):
    drawn = np.random.default_rng(seed).uniform(0.1, 0.9, (*shape[:-1], 2 * shape[-1])) + (name in ABOVE_ONE)
    if layout == STRIDED:
        return drawn[..., ::2]
    drawn = np.ascontiguousarray(drawn[..., ::2])
    return drawn if layout == CONTIGUOUS else np.moveaxis(np.ascontiguousarray(np.moveaxis(drawn, 1, -1)), -1, 1)


def test_there_are_many():
    assert {"add", "exp", "relu", "sigmoid", "gelu", "power"} <= set(ELEMENTWISE)
    assert not {"matmul", "softmax", "sum"} & set(ELEMENTWISE)


@pytest.mark.parametrize("layout", [CONTIGUOUS, LAST_FIRST, STRIDED])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_blocks_change_nothing(name, layout):
    op, function = ELEMENTWISE[name], ops.TABLE[name]
    arrays = [numbers(SHAPE, seed, name, layout) for seed in range(len(op.inputs))]
    inputs = [Tensor(array, requires_grad=True) for array in arrays]
    out = function(*inputs)
    whole = function(*arrays)
    np.testing.assert_array_equal(out.detach().numpy(), whole)
    g = numbers(out.shape, 9, layout=layout).astype(out.dtype)
    found = gradients(out, inputs, Tensor(g))
    recorded = gradients(function(*inputs), inputs, Tensor(g), create_graph=True)  # rules on tensors go in one piece
    for gradient, other in zip(found, recorded, strict=True):
        np.testing.assert_allclose(gradient.numpy(), other.detach().numpy(), rtol=1e-13)


@pytest.mark.parametrize("shape", [(), (1,), SHAPE[-1:], (5, 1), (1, 5, 1), (6, 1, 1), (1, 1, SHAPE[-1])])
@pytest.mark.parametrize("swapped", [False, True])
def test_operands_that_are_stretched(shape, swapped):
    large, small = numbers(SHAPE, 1), np.asarray(np.random.default_rng(2).uniform(1, 2, shape))
    arrays = (small, large) if swapped else (large, small)
    inputs = [Tensor(array, requires_grad=True) for array in arrays]
    out = ops.divide(*inputs)
    np.testing.assert_array_equal(out.detach().numpy(), arrays[0] / arrays[1])
    g = numbers(SHAPE, 3)
    to_x, to_y = (gradient.numpy() for gradient in gradients(out, inputs, Tensor(g)))
    expected = g / arrays[1], -g * arrays[0] / arrays[1] ** 2
    for gradient, full, array in zip((to_x, to_y), expected, arrays, strict=True):
        axes = tuple(range(3 - array.ndim)) + tuple(3 - array.ndim + i for i, n in enumerate(array.shape) if n == 1)
        summed = full.sum(axis=axes, keepdims=True).reshape(array.shape) if array.shape != SHAPE else full
        np.testing.assert_allclose(gradient, summed, rtol=1e-11)


def test_both_operands_may_be_stretched():
    column, row = numbers((LARGE // 512, 1), 1), numbers((1, 1024), 2)
    np.testing.assert_array_equal(in_blocks(np.add, (column, row)), column + row)
    x, y = Tensor(column, requires_grad=True), Tensor(row, requires_grad=True)
    (x * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full(column.shape, row.sum()), rtol=1e-12)


def test_results_keep_dtype_and_order_in_memory():
    x = numbers(SHAPE, 1, layout=LAST_FIRST).astype(np.float32)
    out = ops.tanh(Tensor(x)).numpy()
    assert out.dtype == np.float32
    assert out.strides == x.strides


def test_warnings_and_errors_come_as_from_one_piece():
    x = Tensor(numbers(SHAPE, 1) - 0.5)
    with pytest.warns(RuntimeWarning, match="invalid value"):
        ops.log(x)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="invalid value"):
        ops.log(x)


class TestOperationsOfUsers:
    def test_a_rule_that_adds_up_sees_the_whole(self):
        scale = operation(np.multiply, name="scale", x=lambda g, y: g * y, y=lambda g, x: (g * x).sum())
        x, y = Tensor(np.ones(LARGE), requires_grad=True), Tensor(np.array(1.0), requires_grad=True)
        scale(x, y).sum().backward()
        assert y.grad.item() == LARGE

    def test_options_may_be_tuples(self):
        @operation(x=lambda g, x, factors: g * factors[0], elementwise=True)
        def first(x, factors):
            return x * factors[0]

        x = Tensor(np.ones((2, LARGE // 2)), requires_grad=True)
        first(x, (2.0, 3.0, 4.0)).sum().backward()
        assert (x.grad.numpy() == 2).all()

    @pytest.mark.parametrize(
        "rule",
        [
            lambda g, x: g * 2 * x,
            lambda g, x: g.copy() * (x + x),
            lambda g, x: np.where(x > 0, g, g) * 2 * np.asarray(x),
            lambda g, x: g * x * np.full(len(x), 2.0),
            lambda g, x: g * x * (2 if x.any() else 3),
            lambda g, x: np.multiply(g, x, out=np.empty_like(x)) * 2,
            lambda g, x: np.multiply(g, x, dtype=np.float64) * np.float64(2),
            lambda g, x: np.modf(g * x * 2)[0] + np.modf(g * x * 2)[1],
            lambda g, x: g * x * [2.0],
        ],
    )
    def test_what_rules_may_ask_for(self, rule):
        square = operation(np.square, name="square", elementwise=True, x=rule)
        x = Tensor(numbers((LARGE, 1), 1), requires_grad=True)
        for _ in range(2):
            x.grad = None
            np.exp(square(np.sin(x))).sum().backward()
            expected = np.exp(np.sin(x.data) ** 2) * np.sin(x.data) * 2 * np.cos(x.data)
            np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-13)

    def test_rules_of_users_get_arrays(self):
        given = []

        def rule(g, x, c):
            given.extend([g, x])
            return np.where(x > 0, g * c[0], g * c[2]) if isinstance(x, np.ndarray) else g * 7

        scaled = operation(lambda x, c: x * c[0], name="scaled", elementwise=True, x=rule)
        x = Tensor(numbers((LARGE, 3), 1), requires_grad=True)
        np.exp(scaled(x, np.array([2.0, 3.0, 4.0]))).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2 * x.data), rtol=1e-13)
        assert all(isinstance(array, np.ndarray) for array in given)

    def test_an_error_of_a_rule_is_told(self):
        def rule(g, x):
            raise KeyError("of mine")

        square = operation(np.square, name="square", elementwise=True, x=rule)
        with pytest.raises(KeyError, match="of mine"):
            square(Tensor(np.ones(LARGE), requires_grad=True)).sum().backward()

    def test_several_results_are_not_elementwise(self):
        fraction = operation(np.modf, outputs=(True, False), x=lambda g: g[0])
        x = Tensor(np.full(LARGE, 1.5), requires_grad=True)
        fraction(x)[0].sum().backward()
        assert (x.grad.numpy() == 1).all()
        with pytest.raises(TypeError, match="one result"):
            operation(lambda x: (x, 1), name="f", x=lambda g: g, aux=True, elementwise=True)


def test_an_empty_result_of_a_large_operand():
    x, y = Tensor(np.ones((LARGE, 1)), requires_grad=True), Tensor(np.ones((1, 0)), requires_grad=True)
    (x * y / y).sum().backward()
    assert not x.grad.numpy().any()
    assert y.grad.shape == (1, 0)


def test_results_are_no_views():
    assert ops.tanh(Tensor(np.ones((512, LARGE // 256)))).data.base is None


class TestRulesThatArePutOff:
    """Rules of large arrays hand on what they are to compute, and several are computed at once."""

    @staticmethod
    def parts(function, *arrays):
        """Return the gradients of a sum of `function`, from arrays too small for blocks."""
        found = []
        for some in zip(*(np.array_split(array, 8, axis=-1) for array in arrays), strict=True):
            inputs = [Tensor(part, requires_grad=True) for part in some]
            assert all(x.size < LARGE for x in inputs)
            found.append([g.numpy() for g in gradients(function(*inputs).sum(), inputs)])
        return [np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True)]

    def check(self, function, *arrays):
        inputs = [Tensor(array, requires_grad=True) for array in arrays]
        function(*inputs).sum().backward()
        for x, expected in zip(inputs, self.parts(function, *arrays), strict=True):
            if x.grad is None:
                assert not expected.any()
                continue
            np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12, atol=1e-12 * abs(expected).max())
            assert x.grad.numpy().flags.owndata
            assert x.grad.numpy().flags.writeable

    def test_against_the_derivative_on_paper(self):
        a = Tensor(numbers(SHAPE, 1), requires_grad=True)
        (np.tanh(a * 2 + 1) * a).sum().backward()
        t = np.tanh(2 * a.data + 1)
        np.testing.assert_allclose(a.grad.numpy(), t + 2 * a.data * (1 - t * t), rtol=1e-13)

    FUNCTIONS: ClassVar = {
        "a chain": lambda x, y: np.exp(np.sin(np.tanh(x))) * 3,
        "longer than what is put off": lambda x, y: functools.reduce(lambda z, _: np.sin(z) + 1, range(40), x),
        "both operands": lambda x, y: np.exp(x * y) / y,
        "a tensor used often": lambda x, y: sum((x * k + y) ** 2 for k in range(20)),
        "rules that return what they are given": lambda x, y: np.exp(
            np.conjugate(np.sin(np.conjugate(np.tanh(np.conjugate(x * y)) * y) * 2)) * np.conjugate(y)
        ),
        "powers": lambda x, y: ((x**2 + y**3) ** 0.5 + x**y) ** -1 * 2**x,
        "one operand twice": lambda x, y: (x * x + x) * np.log(y + y),
        "a residual": lambda x, y: ops.relu(x - 0.5 + np.tanh(ops.relu(x - 0.4) * y)),
        "a sum in between": lambda x, y: np.tanh(x) * np.tanh(y).sum(axis=0) + np.exp(y),
        "parts": lambda x, y: np.exp(x) * y + ops.pad(np.tanh(x[1:] * y[:-1]), ((0, 1), (0, 0), (0, 0))),
        "parts before the whole": lambda x, y: ops.pad(np.tanh(x[1:]), ((1, 0), (0, 0), (0, 0))) * np.exp(x) * y,
        "parts on both sides": lambda x, y: x[:1] * np.exp(x) * x[:2].sum(axis=0) + np.sin(x) * x[1:2] * y,
        "parts first": lambda x, y: np.tanh(np.exp(x)[2:] * y[2:]).sum(axis=0) + np.exp(np.exp(x)).sum(axis=0) * y[0],
        "layouts": lambda x, y: np.tanh(x.swapaxes(0, 1)) * np.exp(y).swapaxes(0, 1),
        "stretched": lambda x, y: np.exp(x * y[:1]) * np.tanh(y[:1]) + x[0],
        "a choice": lambda x, y: ops.where(x.data > 0.5, np.exp(x), np.sin(y)) * np.maximum(x, y),
    }

    @pytest.mark.parametrize("layout", [CONTIGUOUS, LAST_FIRST, STRIDED])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_as_in_small_arrays(self, name, layout):
        self.check(self.FUNCTIONS[name], numbers(SHAPE, 1, layout=layout), numbers(SHAPE, 2, layout=layout))

    @given(
        st.lists(
            st.tuples(st.sampled_from("+*/tesrmcp"), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25
        )
    )
    @settings(max_examples=40, deadline=None)
    def test_expressions_of_any_shape(self, steps):
        def function(x, y):
            made = [x, y]
            for what, i, j in steps:
                a, b = made[i % len(made)], made[j % len(made)]
                made.append(
                    {
                        "+": lambda a, b: a + b,
                        "*": lambda a, b: a * b * 0.5,
                        "/": lambda a, b: a / (b * b + 1),
                        "t": lambda a, b: np.tanh(a),
                        "e": lambda a, b: np.exp(-a * a),
                        "s": lambda a, b: np.sin(a) + 1,
                        "r": lambda a, b: ops.relu(a - b),
                        "c": lambda a, b: np.conjugate(a),
                        "p": lambda a, b: (a * a + 1) ** 0.5 - b**2,
                        "m": lambda a, b: a - a.mean(axis=0) * b,
                    }[what](a, b)
                )
            return made[-1] + sum(made) * 0.1

        self.check(function, numbers(SHAPE, 1), numbers(SHAPE, 2))

    def test_a_chain_longer_than_python_recurses(self):
        x = Tensor(np.full(LARGE, 0.5, np.float32), requires_grad=True)
        y = x
        for _ in range(sys.getrecursionlimit()):
            y = y * 1.0
        y.sum().backward()
        assert (x.grad.numpy() == 1).all()

    def test_a_tensor_used_more_often_than_python_recurses(self):
        x = Tensor(np.ones(LARGE, np.float32), requires_grad=True)
        total = 0.0
        for k in range(sys.getrecursionlimit() + 100):
            total = total + (x * float(k % 2)).sum()
        total.backward()
        assert (x.grad.numpy() == sys.getrecursionlimit() // 2 + 50).all()

    MEMORY: ClassVar = {  # how many arrays there may be in the backward pass beside what the forward pass has kept
        "a tensor used often": (lambda x, ws: sum((x * float(k)).sum() for k in range(60)), 8),
        "gradients that meet": (lambda x, ws: sum((x * 2.0).reshape(512, -1)[:, :9].sum() * k for k in range(60)), 16),
        "a weight for each layer": (lambda x, ws: functools.reduce(lambda y, w: np.tanh(y * w), ws, x), 8),
    }

    @pytest.mark.parametrize("name", MEMORY)
    def test_not_much_is_put_off_at_a_time(self, name):
        function, most = self.MEMORY[name]
        x, *ws = (Tensor(np.full(LARGE, 0.5, np.float32), requires_grad=True) for _ in range(31))
        tracemalloc.start()
        out = function(x, ws).sum()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        out.backward()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (peak - kept) / x.data.nbytes < most

    @pytest.mark.parametrize("name", ["relu", "hardtanh", "elu", "tanh", "gelu", "absolute"])
    def test_jacobians(self, name):
        function = ops.TABLE[name]
        x = Tensor(numbers((LARGE,), 1) - 0.5, requires_grad=True)
        both = autograd.jacobian(lambda x: ops.stack([function(x).sum(), (function(x) * 2).sum()]))
        found = both(x.detach()).numpy()
        (expected,) = gradients(function(x).sum(), [x])
        np.testing.assert_allclose(found, [expected.numpy(), 2 * expected.numpy()], rtol=1e-13)

    def test_a_rule_that_did_not_go_once_goes_again(self):
        x = Tensor(numbers(SHAPE, 1), requires_grad=True)
        (x * numbers((SHAPE[0], 1, 1), 2)).sum().backward()
        assert all(map(writes_down, ops.TABLE["multiply"].operation.written))

    def test_dtypes(self):
        x = Tensor(numbers(SHAPE, 1).astype(np.float32), requires_grad=True)
        y = Tensor(numbers(SHAPE, 2), requires_grad=True)
        (np.tanh(np.exp(x)) * y).sum().backward()
        assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
        z = numbers(SHAPE, 1) + 1j * numbers(SHAPE, 2)
        x = Tensor(numbers(SHAPE, 3), requires_grad=True)
        (np.exp(x * z) * z).real.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), (np.exp(x.data * z) * z * z).real, rtol=1e-12, atol=1e-14)

    def test_hooks_and_retained_gradients_see_arrays(self):
        seen = []
        x = Tensor(numbers(SHAPE, 1), requires_grad=True)
        y = np.tanh(x)
        z = np.exp(y)
        y.register_hook(lambda g: seen.append(g.numpy().copy()))
        z.retain_grad()
        (np.sin(z) * 2).sum().backward()
        to_z = 2 * np.cos(z.data)
        np.testing.assert_allclose(z.grad.numpy(), to_z, rtol=1e-13)
        np.testing.assert_allclose(seen[0], to_z * z.data, rtol=1e-13)
        np.testing.assert_allclose(x.grad.numpy(), seen[0] * (1 - y.data**2), rtol=1e-13)

    def test_a_hook_that_changes_what_a_rule_has_read(self):
        x, v, w = (Tensor(numbers(SHAPE, seed), requires_grad=True) for seed in (1, 2, 3))
        before = w.data.copy()
        early = np.exp(x)
        early.register_hook(lambda g: w.data.fill(0))  # by then the rules of both products have been called
        (early * w + v * w).sum().backward()
        np.testing.assert_array_equal(v.grad.numpy(), before)
        np.testing.assert_allclose(x.grad.numpy(), before * early.data, rtol=1e-13)

    def test_a_checkpoint_that_changes_what_a_rule_has_read(self):
        x, v, w = (Tensor(numbers(SHAPE, seed), requires_grad=True) for seed in (1, 2, 3))
        before, calls = w.data.copy(), []

        def function(x):
            calls.append(1)
            if len(calls) > 1:  # in the backward pass
                w.data.fill(0)
            return np.sin(x)

        (autograd.checkpoint(function, x) * 1 + v * w).sum().backward()
        np.testing.assert_array_equal(v.grad.numpy(), before)

    def test_a_gradient_that_was_passed_in_and_is_added_to(self):
        x, w = (Tensor(numbers(SHAPE, seed), requires_grad=True) for seed in (1, 2))
        x.grad = Tensor(numbers(SHAPE, 3))
        start = x.grad.data.copy()
        (x * 1 + np.exp(w)).backward(x.grad)
        np.testing.assert_allclose(x.grad.numpy(), 2 * start, rtol=1e-13)
        np.testing.assert_allclose(w.grad.numpy(), start * np.exp(w.data), rtol=1e-13)

    def test_gradients_of_what_is_in_between(self):
        x = Tensor(numbers(SHAPE, 1), requires_grad=True)
        y = np.tanh(x)
        z = np.exp(y)
        to_y, to_x = gradients(np.sin(z).sum(), [y, x])
        np.testing.assert_allclose(to_y.numpy(), np.cos(z.data) * z.data, rtol=1e-13)
        np.testing.assert_allclose(to_x.numpy(), to_y.numpy() * (1 - y.data**2), rtol=1e-13)

    def test_recorded_values_and_anomalies(self):
        x = Tensor(numbers(SHAPE, 1), requires_grad=True)
        with autograd.record():
            y = np.tanh(x)
            z = np.exp(y)
            z.sum().backward()
        np.testing.assert_allclose(y._node.grad, z.data, rtol=1e-13)
        x.data.flat[7] = 0
        with autograd.anomaly_mode(), pytest.raises(ArithmeticError, match="the gradient of sqrt"):
            (np.sqrt(x * 1) * 2).sum().backward()

    def test_the_graph_can_be_walked_again(self):
        x = Tensor(numbers(SHAPE, 1), requires_grad=True)
        out = np.exp(np.tanh(x)).sum()
        out.backward(retain_graph=True)
        first = x.grad.numpy().copy()
        out.backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * first, rtol=1e-13)
        with pytest.raises(RuntimeError, match="a second time"):
            out.backward()
