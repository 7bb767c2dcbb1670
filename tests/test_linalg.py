"""Linear algebra where matrices are singular, values coincide, or NumPy returns more than one thing."""

import numpy as np
import pytest

from autograd import Tensor, no_grad, ops
from autograd.functional import gradients

RANK_ONE = np.array([[1.0, 2.0], [2.0, 4.0]])


def leaf(array):
    return Tensor(np.asarray(array), requires_grad=True)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_the_gradient_of_a_singular_determinant_is_the_matrix_of_cofactors():
    x = leaf(RANK_ONE)
    np.linalg.det(x).backward()
    assert np.allclose(x.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]])


def test_the_determinant_of_rank_two_less_has_no_gradient():
    x = leaf(np.diag([1.0, 0.0, 0.0]))
    np.linalg.det(x).backward()
    assert np.allclose(x.grad.numpy(), 0.0)


def test_the_second_derivative_of_a_determinant_of_zeros():
    x = leaf(np.zeros((2, 2)))
    (first,) = gradients(np.linalg.det(x), [x], create_graph=True)
    (second,) = gradients(first[0, 0], [x])
    assert np.allclose(second.numpy(), [[0.0, 0.0], [0.0, 1.0]])  # det = x00 * x11 - x01 * x10


def test_the_third_derivative_of_a_singular_determinant():
    x = leaf(np.zeros((3, 3)))
    (first,) = gradients(np.linalg.det(x), [x], create_graph=True)
    (second,) = gradients(first[0, 0], [x], create_graph=True)
    (third,) = gradients(second[1, 1], [x])
    assert np.allclose(third.numpy(), np.diag([0.0, 0.0, 1.0]))  # det has the term x00 * x11 * x22


def test_a_determinant_too_small_for_a_float_has_a_finite_gradient():
    x = leaf(np.eye(400) * 1e-2)
    out = np.linalg.det(x)
    out.backward()
    assert out.item() == 0.0
    assert np.isfinite(x.grad.numpy()).all()


def test_the_logarithm_of_that_determinant_keeps_its_gradient():
    x = leaf(np.eye(400) * 1e-2)
    np.linalg.slogdet(x).logabsdet.backward()
    assert np.allclose(x.grad.numpy(), np.eye(400) * 100)


def test_slogdet_of_a_singular_matrix_has_an_infinite_gradient_as_log_at_zero():
    x = leaf(RANK_ONE)
    sign, logabsdet = np.linalg.slogdet(x)
    assert (sign.item(), logabsdet.item()) == (0.0, -np.inf)
    logabsdet.backward()
    assert np.array_equal(x.grad.numpy(), [[np.inf, -np.inf], [-np.inf, np.inf]])


def test_the_sign_of_a_real_determinant_has_no_gradient():
    found = np.linalg.slogdet(leaf(normal(3, 3)))
    assert not found.sign.requires_grad
    assert float(found.sign) in (-1.0, 1.0)
    assert found.logabsdet.requires_grad


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("inv", np.linalg.inv),
        ("solve", lambda x: np.linalg.solve(x, np.ones(2))),
        ("cholesky", lambda x: np.linalg.cholesky(x - 9.0)),
        ("eigh", lambda x: np.linalg.eigh(x[:, :1])),
    ],
)
def test_a_matrix_that_does_not_serve_raises_with_the_name_of_the_operation(name, function):
    with pytest.raises(np.linalg.LinAlgError, match=f"^{name}: "):
        function(leaf(RANK_ONE))


def test_the_gradient_of_cholesky_is_symmetric():
    x = leaf([[2.0, 0.5], [0.5, 1.0]])
    np.linalg.cholesky(x)[1, 0].backward()
    # L10 = a10 / sqrt(a00), and half of its derivative in a10 goes to a01.
    assert np.allclose(x.grad.numpy(), [[-0.125 / 2**0.5, 0.5 / 2**0.5], [0.5 / 2**0.5, 0.0]])


def test_eigenvalues_that_coincide_have_a_gradient_and_their_vectors_none():
    x = leaf(np.eye(2))
    w, v = np.linalg.eigh(x)
    found = gradients((w * [1.0, 2.0]).sum(), [x], retain_graph=True)[0]
    assert np.allclose(found.numpy(), np.diag([1.0, 2.0]))
    found = gradients((v * [[1.0, 2.0], [3.0, 4.0]]).sum(), [x])[0]
    assert not np.isfinite(found.numpy()).all()


def test_eigvalsh_of_coinciding_eigenvalues():
    x = leaf(np.eye(3))
    np.linalg.eigvalsh(x, "U").sum().backward()
    assert np.allclose(x.grad.numpy(), np.eye(3))


def test_singular_values_that_are_zero_or_coincide_have_a_gradient():
    for matrix in (RANK_ONE, np.eye(2)):
        x = leaf(matrix)
        np.linalg.svd(x, full_matrices=False).S.sum().backward()
        u, _, vh = np.linalg.svd(matrix)
        assert np.allclose(x.grad.numpy(), u @ vh)


def test_svd_of_square_matrices_is_full_as_it_is():
    u, s, vh = np.linalg.svd(leaf(normal(2, 3, 3)))
    assert np.allclose((u.numpy() * s.numpy()[..., None, :]) @ vh.numpy(), normal(2, 3, 3))


def test_a_full_svd_of_others_is_for_tensors_without_gradient():
    x = leaf(normal(3, 2))
    with pytest.raises(ValueError, match=r"svd of a tensor of shape .* pass full_matrices=False"):
        np.linalg.svd(x)
    assert np.linalg.svd(x.detach())[0].shape == (3, 3)
    with no_grad():
        assert np.linalg.svd(x)[0].shape == (3, 3)
    assert np.linalg.svd(x, compute_uv=False).shape == (2,)


def test_tensors_without_gradient_give_tensors_too():
    x = Tensor(normal(3, 2))
    square = Tensor(RANK_ONE)
    results = [*np.linalg.svd(x), np.linalg.svdvals(x), *np.linalg.qr(x, mode="complete"), np.linalg.eigvalsh(square)]
    assert {type(result) for result in results} == {Tensor}
    assert isinstance(ops.COMPOSED["svdvals"](normal(3, 2)), np.ndarray)


def test_qr_modes():
    x = leaf(normal(3, 2))
    assert np.linalg.qr(x, mode="r").shape == (2, 2)
    assert np.linalg.qr(leaf(normal(2, 3)), mode="complete").Q.shape == (2, 2)
    with pytest.raises(ValueError, match="mode 'complete' has no gradient; use 'reduced' or 'r'"):
        np.linalg.qr(x, mode="complete")
    assert np.linalg.qr(x.detach(), mode="complete")[0].shape == (3, 3)


def test_the_factorisations_return_numpy_s_named_tuples():
    x = leaf(RANK_ONE + np.eye(2))
    assert np.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert np.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert np.linalg.qr(x)._fields == ("Q", "R")
    assert np.linalg.slogdet(x)._fields == ("sign", "logabsdet")


def test_least_squares_gives_residuals_rank_and_values_without_gradient():
    x, y = leaf(normal(5, 2)), leaf(normal(5))
    solution, residuals, rank, values = np.linalg.lstsq(x, y)
    expected = np.linalg.lstsq(x.numpy(), y.numpy())
    assert np.allclose(solution.numpy(), expected[0])
    assert np.allclose(residuals.numpy(), expected[1])
    assert int(rank) == 2
    assert np.allclose(values.numpy(), expected[3])
    assert [t.requires_grad for t in (solution, residuals, rank, values)] == [True, False, False, False]


def test_solve_reads_one_axis_as_a_vector_and_more_as_matrices():
    x, y = leaf(np.stack([np.eye(2), 2 * np.eye(2)])), leaf([1.0, 2.0])
    assert np.linalg.solve(x, y).tolist() == [[1.0, 2.0], [0.5, 1.0]]
    with pytest.raises(ValueError, match="solve: "):
        np.linalg.solve(x, leaf(normal(2, 3, 1)))


def test_solve_takes_arrays_and_lists():
    x = leaf(2 * np.eye(2))
    np.linalg.solve(x, [2.0, 4.0]).sum().backward()
    assert np.allclose(x.grad.numpy(), [[-0.5, -1.0], [-0.5, -1.0]])


def test_matrix_power_zero_is_the_identity_with_a_gradient_of_zero():
    x = leaf([[np.inf, 1.0], [0.0, 1.0]])
    out = np.linalg.matrix_power(x, 0)
    assert out.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    out.sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    with pytest.raises(np.linalg.LinAlgError, match="matrix_power takes square matrices"):
        np.linalg.matrix_power(leaf(normal(2, 3)), 2)
    with pytest.raises(TypeError, match="integer"):
        np.linalg.matrix_power(x, 0.5)


def test_condition_numbers_are_numpy_s():
    x = leaf(normal(3, 3))
    for p in (None, 2, -2, "fro", 1, np.inf):
        assert np.allclose(np.linalg.cond(x, p).item(), np.linalg.cond(x.numpy(), p))


def test_the_rank_is_a_plain_number():
    assert np.linalg.matrix_rank(leaf(RANK_ONE)) == 1


def test_integers_give_plain_floats():
    x = Tensor([[2, 0], [0, 4]])
    assert np.linalg.inv(x).tolist() == [[0.5, 0.0], [0.0, 0.25]]
    assert round(np.linalg.det(x).item()) == 8


def test_cofactors_of_a_regular_matrix():
    x = normal(4, 4)
    assert np.allclose(ops.cofactors(x), np.linalg.det(x) * np.linalg.inv(x).T)


def test_what_has_no_rule_is_named_as_it_was_called():
    with pytest.raises(TypeError, match=r"^np\.linalg\.eig has no gradient rule"):
        np.linalg.eig(leaf(np.eye(2)))
    with pytest.raises(TypeError, match=r"^np\.unwrap has no gradient rule"):
        np.unwrap(leaf(np.ones(2)))
