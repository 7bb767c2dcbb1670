"""Products: options, errors, and results of every dimension."""

import numpy as np
import pytest

from autograd import Tensor, openblas, ops
from autograd.kernels import products
from tests.cases import normal


def leaf(*shape):
    return Tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True)


def test_products_with_lists_and_arrays_on_either_side():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert ([[1.0, 0.0], [0.0, 3.0]] @ x).tolist() == [1.0, 6.0]
    assert (np.eye(2) @ x).tolist() == [1.0, 2.0]
    assert np.dot(2.0, x).tolist() == [2.0, 4.0]
    assert np.outer([1.0, 10.0], x).tolist() == [[1.0, 2.0], [10.0, 20.0]]
    assert np.inner(x, 3.0).tolist() == [3.0, 6.0]


def test_the_gradient_of_a_product_with_a_number():
    x = Tensor([1.0, 2.0], requires_grad=True)
    np.dot(3.0, x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_weight_shared_by_a_batch_gets_the_sum():
    x, w = leaf(4, 5, 3), leaf(3, 2)
    (x @ w).sum().backward()
    assert np.allclose(w.grad.numpy(), np.broadcast_to(x.numpy().sum((0, 1))[:, None], (3, 2)))


def test_vdot_conjugates_the_first():
    x, y = Tensor([1j], requires_grad=True), Tensor([2.0 + 0j], requires_grad=True)
    out = np.vdot(x, y)
    assert out.item() == -2j
    out.backward(1.0 + 0j)
    assert x.grad.tolist() == [2.0]
    assert y.grad.tolist() == [1j]


def test_a_transpose_by_einsum_shares_nothing_with_its_source():
    x = leaf(2, 3)
    assert not np.may_share_memory(np.einsum("ij->ji", x).numpy(), x.numpy())


def test_einsum_of_a_diagonal_leaves_the_rest_without_gradient():
    x = leaf(3, 3)
    np.einsum("ii->i", x).sum().backward()
    assert x.grad.tolist() == np.eye(3).tolist()


def test_einsum_through_numpy_and_directly():
    x, y = leaf(2, 3), leaf(3, 4)
    expected = x.numpy() @ y.numpy()
    assert np.allclose(np.einsum("ij,jk->ik", x, y, optimize=True).numpy(), expected)
    assert np.allclose(ops.einsum("ij, jk -> ik", x, y).numpy(), expected)


@pytest.mark.parametrize("x_is_2d", [True, False])
def test_multi_dot_takes_the_cheapest_order(x_is_2d):
    x, y, z = leaf(*((1, 30) if x_is_2d else (30,))), leaf(30, 30), leaf(30, 1)
    out = np.linalg.multi_dot([x, y, z])
    assert np.allclose(out.numpy(), np.linalg.multi_dot([x.numpy(), y.numpy(), z.numpy()]))
    x, y, z = leaf(2, 50), leaf(50, 2), leaf(2, 50)
    assert np.linalg.multi_dot([x, y, z])._node.parents[0].shape == (2, 2)
    x, y, z = leaf(50, 2), leaf(2, 50), leaf(50, 2)
    assert np.linalg.multi_dot([x, y, z])._node.parents[1].shape == (2, 2)


def test_products_of_nothing_are_zero():
    x = Tensor(np.zeros(0), requires_grad=True)
    out = x @ x
    out.backward()
    assert out.item() == 0.0
    assert x.grad.shape == (0,)


def test_integer_products_need_no_gradient():
    x = Tensor([[1, 2], [3, 4]])
    assert (x @ x).tolist() == [[7, 10], [15, 22]]
    assert np.kron(x, x).shape == (4, 4)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: leaf(2, 3) @ leaf(2, 3), r"matmul: .*x is \(2, 3\) float64; y is \(2, 3\) float64"),
        (lambda: Tensor(1.0, requires_grad=True) @ leaf(2), "matmul: "),
        (lambda: np.dot(leaf(2, 3), leaf(2)), "dot: "),
        (lambda: np.tensordot(leaf(2, 3), leaf(2, 3), 1), "tensordot: "),
        (lambda: np.einsum("ij,jk", leaf(2, 3), leaf(2, 3)), "einsum: "),
        (lambda: np.cross(leaf(2), leaf(2)), "cross: vectors of three components are needed, not of 2 and 2"),
        (lambda: np.linalg.multi_dot([leaf(2, 2)]), "multi_dot takes at least two matrices, not 1"),
        (lambda: np.linalg.multi_dot([leaf(2, 2), leaf(2), leaf(2)]), "multi_dot takes matrices, and vectors at the"),
    ],
)
def test_shapes_that_do_not_fit_raise_a_value_error(function, message):
    with pytest.raises(ValueError, match=message):
        function()


def test_einsum_takes_subscripts_as_a_string():
    with pytest.raises(TypeError, match="write the subscripts as a string"):
        np.einsum(leaf(2, 2), [0, 1])


@pytest.mark.parametrize("processor", [True, False], ids=["without copies", "with copies"])
@pytest.mark.parametrize("stacked", [1, products.STACKED])
@pytest.mark.parametrize(("x", "y"), [((9, 4, 5), (9, 5, 3)), ((2, 7, 6, 4), (2, 7, 4, 8)), ((5, 0, 2), (5, 2, 3))])
def test_stacks_of_small_matrices(two_threads, monkeypatch, processor, stacked, x, y):
    monkeypatch.setattr(products, "STACKED", stacked)
    monkeypatch.setattr(products, "DIRECT", {openblas.processor()} if processor else set())
    x, y = normal(*x, seed=1), normal(*y, seed=2)
    for left, right in ((x, y), (x, y.mT.copy().mT), (x.mT.copy().mT, y), (x[::-1], y[:, ::-1][:, ::-1])):
        inputs = [Tensor(left, requires_grad=True), Tensor(right, requires_grad=True)]
        out = ops.matmul(*inputs)
        np.testing.assert_allclose(out.detach().numpy(), np.einsum("...ij,...jk->...ik", left, right), atol=1e-12)
        g = normal(*out.shape, seed=3)
        out.backward(g)
        np.testing.assert_allclose(inputs[0].grad.numpy(), np.einsum("...ik,...jk->...ij", g, right), atol=1e-12)
        np.testing.assert_allclose(inputs[1].grad.numpy(), np.einsum("...ij,...ik->...jk", left, g), atol=1e-12)


def test_matrices_that_do_not_fit_are_named_once():
    with pytest.raises(
        ValueError, match=r"^matmul: the last axis of x .* x is \(2, 3\) float64; y is \(4, 5\) float64$"
    ):
        Tensor(np.ones((2, 3))) @ np.ones((4, 5))
