"""Joining and taking apart: what NumPy's functions take and return, and errors."""

from typing import Any

import numpy as np
import pytest

from autograd import Tensor, ops
from autograd.functional import gradients


def leaf(*shape):
    return Tensor(np.arange(1.0, 1 + np.prod(shape)).reshape(shape), requires_grad=True)


def test_lists_arrays_and_numbers_are_joined_with_tensors():
    x = leaf(2)
    assert np.concatenate([x, [5.0], np.zeros(1)]).tolist() == [1.0, 2.0, 5.0, 0.0]
    assert np.concatenate((x, x), 0).tolist() == [1.0, 2.0, 1.0, 2.0]
    assert np.hstack([x, 3.0]).tolist() == [1.0, 2.0, 3.0]
    assert np.append(x, 3.0).tolist() == [1.0, 2.0, 3.0]
    assert np.block([[x], [np.array([3.0, 4.0])]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_arrays_alone_stay_arrays():
    assert isinstance(ops.concatenate([np.ones(2), np.ones(1)]), np.ndarray)
    assert isinstance(ops.stack([np.ones(2), np.zeros(2)], axis=1), np.ndarray)


def test_a_tensor_joined_with_itself_gets_both_gradients():
    x = leaf(2)
    (np.concatenate([x, x]) * [1.0, 2.0, 10.0, 20.0]).sum().backward()
    assert x.grad.tolist() == [11.0, 22.0]


def test_only_inputs_that_need_a_gradient_get_one():
    x, y = leaf(2), Tensor([3.0])
    np.concatenate([x, y]).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    assert y.grad is None


def test_a_tensor_is_a_sequence_of_its_rows():
    x = leaf(2, 2)
    np.concatenate(x).sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_thousand_inputs_are_one_node():
    parts = [leaf(1) for _ in range(1000)]
    joined = np.concatenate(parts)
    assert len(joined._node.parents) == 1000
    (joined * np.arange(1000.0)).sum().backward()
    assert [p.grad.item() for p in parts] == list(range(1000))


def test_parts_that_are_not_used_have_a_gradient_of_zero():
    x = leaf(6)
    first, _, last = np.split(x, 3)
    (first.sum() + 2 * last.sum()).backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0, 0.0, 2.0, 2.0]


def test_splits_are_what_numpy_s_are():
    a = np.arange(24.0).reshape(4, 3, 2)
    x = Tensor(a, requires_grad=True)
    for found, expected in [
        (np.split(x, [1, 3]), np.split(a, [1, 3])),
        (np.split(x, [3, 9]), np.split(a, [3, 9])),
        (np.split(x, [-1], axis=1), np.split(a, [-1], axis=1)),
        (np.array_split(x, 3), np.array_split(a, 3)),
        (np.array_split(x, 5, axis=1), np.array_split(a, 5, axis=1)),
        (np.hsplit(x, 3), np.hsplit(a, 3)),
        (np.vsplit(x, 2), np.vsplit(a, 2)),
        (np.dsplit(x, 2), np.dsplit(a, 2)),
    ]:
        assert isinstance(found, list)
        assert [p.shape for p in found] == [p.shape for p in expected]
        assert all(np.array_equal(p.numpy(), q) for p, q in zip(found, expected, strict=True))


@pytest.mark.parametrize("options", [{}, {"indexing": "ij"}, {"sparse": True}, {"indexing": "ij", "sparse": True}])
def test_meshgrid_is_numpy_s(options: dict[str, Any]):
    arrays = [np.arange(3.0), np.arange(2.0), np.array(5.0)]
    found = np.meshgrid(*(Tensor(a, requires_grad=True) for a in arrays), **options)
    expected = np.meshgrid(*arrays, **options)
    assert isinstance(found, tuple)
    assert all(np.array_equal(g.numpy(), e) for g, e in zip(found, expected, strict=True))


def test_the_gradient_of_a_grid_is_counted():
    x, y = leaf(3), leaf(2)
    a, b = np.meshgrid(x, y)
    found = gradients((a * b).sum(), [x, y])
    assert [g.tolist() for g in found] == [[3.0, 3.0, 3.0], [6.0, 6.0]]


def test_unstack_returns_the_layers():
    x = leaf(2, 3)
    layers = ops.COMPOSED["unstack"](x, axis=1)
    assert [layer.tolist() for layer in layers] == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda: np.concatenate([leaf(2), leaf(2, 2)]),
            r"concatenate: .*xs\[0\] is \(2,\) float64; xs\[1\] is \(2, 2\)",
        ),
        (lambda: np.stack([leaf(2), leaf(3)]), "stack: all input arrays must have the same shape"),
        (lambda: ops.concatenate([]), "concatenate"),
        (lambda: np.split(leaf(5), 2), "split: 5 along axis 0 is no multiple of 2; array_split"),
        (lambda: np.array_split(leaf(5), 0), "number of sections must be at least 1, not 0"),
        (lambda: np.hsplit(leaf()[()], 1), "hsplit takes at least one axis"),
        (lambda: np.vsplit(leaf(3), 3), "vsplit takes at least two axes"),
        (lambda: np.dsplit(leaf(3, 3), 3), "dsplit takes at least three axes"),
        (lambda: ops.COMPOSED["unstack"](Tensor(1.0)), "unstack takes at least one axis"),
        (lambda: np.block([[leaf(2)], leaf(2)]), "block: lists nested to one depth are needed"),
        (lambda: ops.COMPOSED["meshgrid"](leaf(2), indexing="yx"), "indexing is 'xy' or 'ij', not 'yx'"),
    ],
)
def test_bad_input_raises_a_value_error(function, message):
    with pytest.raises(ValueError, match=message):
        function()
