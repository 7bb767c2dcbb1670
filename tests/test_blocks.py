"""Large arrays go through elementwise operations a block at a time: with the same numbers as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from autograd import Tensor, operation, ops
from autograd.blocks import LARGE, in_blocks
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
