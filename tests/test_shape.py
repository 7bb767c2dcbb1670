"""Moving elements about: views, errors, and where the gradients of copies go."""

import numpy as np
import pytest

from autograd import Tensor, no_grad, ops

VIEWS = {
    "reshape": lambda x: x.reshape(-1),
    "ravel": lambda x: x.ravel(),
    "transpose": lambda x: x.T,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "squeeze": lambda x: np.squeeze(x),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 3)),
    "flip": lambda x: np.flip(x),
    "rot90": lambda x: np.rot90(x),
    "diagonal": lambda x: np.diagonal(x),
}


def leaf(*shape):
    return Tensor(np.arange(1.0, 1 + np.prod(shape)).reshape(shape), requires_grad=True)


@pytest.mark.parametrize("name", VIEWS)
def test_a_graph_that_reads_a_view_of_an_overwritten_weight_is_stale(name):
    w = leaf(3, 3)
    y = VIEWS[name](w)
    loss = (y * y).sum()
    with no_grad():
        w.data -= 0.1
    w.mark_overwritten()
    with pytest.raises(RuntimeError, match="overwritten in place"):
        loss.backward()


@pytest.mark.parametrize(
    "function", [np.tril, np.triu, np.copy, lambda x: np.roll(x, 1), lambda x: np.tile(x, 1), lambda x: np.pad(x, 0)]
)
def test_a_copy_shares_nothing_with_its_source(function):
    x = leaf(3, 3)
    assert not np.may_share_memory(function(x).numpy(), x.numpy())


def test_numpy_s_aliases_are_served():
    x = leaf(2, 3)
    assert np.permute_dims(x, (1, 0)).shape == (3, 2)
    assert np.matrix_transpose(x).shape == (3, 2)
    assert np.atleast_2d(leaf(3), x)[0].shape == (1, 3)
    assert x.transpose(1, 0).shape == x.transpose((1, 0)).shape == x.T.shape


def test_integers_are_moved_too():
    x = Tensor([[1, 2], [3, 4]])
    assert np.trace(x).item() == 5
    assert np.tile(x, 2).shape == (2, 4)
    assert not np.flip(x).requires_grad


def test_operations_on_arrays_return_arrays():
    assert isinstance(ops.reshape(np.ones((2, 3)), (3, 2)), np.ndarray)
    assert isinstance(ops.pad(np.ones(3), 1), np.ndarray)


@pytest.mark.parametrize(
    ("mode", "gradient"),
    [
        ("constant", [1.0, 1.0, 1.0]),
        ("edge", [3.0, 1.0, 3.0]),  # both ends repeat the elements at the edge
        ("reflect", [2.0, 3.0, 2.0]),  # the edge is a mirror: it is not repeated
        ("symmetric", [2.0, 3.0, 2.0]),
        ("wrap", [2.0, 3.0, 2.0]),
    ],
)
def test_a_frame_sends_its_gradient_where_its_values_came_from(mode, gradient):
    x = leaf(3)
    np.pad(x, 2, mode).sum().backward()
    counted = np.zeros(3)
    if mode != "constant":
        np.add.at(counted, np.pad(np.arange(3), 2, mode), 1.0)
        assert counted.tolist() == x.grad.tolist()
    assert x.grad.tolist() == gradient


def test_pad_takes_a_width_for_some_axes():
    x = leaf(2, 3)
    y = ops.pad(x, ((0, 0), (1, 2)), constant_values=((0.0, 0.0), (7.0, 8.0)))
    assert y.numpy()[0].tolist() == [7.0, 1.0, 2.0, 3.0, 8.0, 8.0]
    y.sum().backward()
    assert x.grad.tolist() == np.ones((2, 3)).tolist()


def test_pad_names_the_modes_that_it_has():
    with pytest.raises(ValueError, match="'linear_ramp' is not differentiable here; use one of constant, edge"):
        np.pad(leaf(3), 1, mode="linear_ramp")


def test_elements_repeated_no_times_get_no_gradient():
    x = leaf(3)
    np.repeat(x, [0, 1, 2]).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 2.0]


def test_the_gradient_of_a_broadcast_is_summed():
    x = Tensor(2.0, requires_grad=True)
    np.broadcast_to(x, (3, 4)).sum().backward()
    assert x.grad.item() == 12.0


def test_the_imaginary_part_that_a_cast_drops_gets_no_gradient():
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.astype(complex).sum().backward(1j)
    assert x.grad.tolist() == [0.0, 0.0]


def test_errors_name_the_operation_and_the_shapes():
    x = Tensor(np.ones((2, 3)), requires_grad=True, name="weight")
    with pytest.raises(ValueError, match=r"reshape: .*x is \(2, 3\) float64 'weight'"):
        x.reshape(4, 2)
    with pytest.raises(ValueError, match="transpose: "):
        x.transpose(0, 1, 2)
    with pytest.raises(np.exceptions.AxisError, match="swapaxes: "):
        x.swapaxes(0, 5)
    with pytest.raises(ValueError, match="diag takes a vector or a matrix, not shape"):
        np.diag(leaf(1, 1, 1))
    assert (x * 1).sum().item() == 6.0


def test_options_of_few_bits_count_as_numbers():
    x = Tensor(np.arange(5.0), requires_grad=True)
    for shift in (np.uint8(1), np.array([1], np.int8)):
        x.grad = None
        (np.roll(x, shift) * np.arange(5)).sum().backward()
        assert x.grad.tolist() == [1.0, 2.0, 3.0, 4.0, 0.0]
    matrix = Tensor(np.ones((3, 5)), requires_grad=True)
    np.diagonal(matrix, np.uint8(3)).sum().backward()
    assert np.array_equal(matrix.grad, np.eye(3, 5, 3))
    matrix.grad = None
    np.tile(matrix, np.array([2, 3])).sum().backward()
    assert np.array_equal(matrix.grad, np.full((3, 5), 6.0))


def test_a_transpose_of_two_axes_says_what_swaps_them():
    x = Tensor(np.zeros((2, 3, 4)), requires_grad=True)
    with pytest.raises(ValueError, match=r"t.swapaxes\(1, 2\) swaps two"):
        x.transpose(1, 2)
    assert x.transpose((0, 2, 1)).shape == x.swapaxes(1, 2).shape == (2, 4, 3)
