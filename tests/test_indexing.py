"""Reading and writing parts: where gradients land, and what writing leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograd import Tensor, no_grad, ops
from autograd.functional import gradients

# Reading


def expected_gradient(shape: tuple[int, ...], index: Any, weights: Any) -> Any:
    found = np.zeros(shape)
    np.add.at(found, index, weights)
    return found


def check_getitem(shape: tuple[int, ...], index: Any) -> None:
    """Compare value and gradients of `t[index]`, first and recorded, with NumPy's own scattered addition."""
    x = np.arange(float(np.prod(shape))).reshape(shape)
    t = Tensor(x, requires_grad=True)
    result = t[index]
    np.testing.assert_array_equal(result.numpy(), x[index])
    assert result.shape == np.shape(x[index])
    weights = np.arange(1.0, 1 + result.size).reshape(result.shape)
    (recorded,) = gradients((result * weights).sum(), [t], create_graph=True)
    (t[index] * weights).sum().backward()
    assert t.grad is not None
    np.testing.assert_array_equal(t.grad.numpy(), expected_gradient(shape, index, weights))
    np.testing.assert_array_equal(recorded.numpy(), t.grad.numpy())


SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_any_basic_index(data: Any, shape: tuple[int, ...]) -> None:
    check_getitem(shape, data.draw(hnp.basic_indices(shape, allow_newaxis=True)))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_any_integer_arrays(data: Any, shape: tuple[int, ...]) -> None:
    check_getitem(shape, data.draw(hnp.integer_array_indices(shape)))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_any_mixture_of_slices_arrays_and_masks(data: Any, shape: tuple[int, ...]) -> None:
    rows = data.draw(st.integers(1, 3))
    parts = []
    for n in shape:
        kind = data.draw(st.sampled_from(["slice", "integer", "array", "column", "mask"]))
        if kind == "slice":
            parts.append(data.draw(st.slices(n)))
        elif kind == "integer":
            parts.append(data.draw(st.integers(-n, n - 1)))
        elif kind == "mask":
            parts.append(np.arange(n) == data.draw(st.integers(0, n - 1)))  # one true: broadcasts with any array
        else:
            size = (rows,) if kind == "array" else (2, 1)
            parts.append(data.draw(hnp.arrays(np.int64, size, elements=st.integers(-n, n - 1))))
    check_getitem(shape, tuple(parts[: data.draw(st.integers(1, len(parts)))]))


@pytest.mark.parametrize("shape", [(60, 3), (60,), (7, 3, 2)])
def test_many_repeated_rows_add_up(shape: tuple[int, ...]) -> None:
    index = np.random.default_rng(0).integers(-shape[0], shape[0], (5, 40))
    check_getitem(shape, index)
    check_getitem((2, *shape), (slice(None), index))


def test_repeated_rows_keep_float32() -> None:
    table = Tensor(np.zeros((3, 2), np.float32), requires_grad=True)
    (table[[0, 0, 2]] * np.float32(1.5)).sum().backward()
    assert table.grad is not None
    assert table.grad.dtype == np.float32
    assert table.grad.tolist() == [[3, 3], [0, 0], [1.5, 1.5]]


def test_every_element_read_alone_makes_the_whole_gradient() -> None:
    x = Tensor(np.arange(50.0), requires_grad=True)
    total: Any = 0.0
    for i in range(50):
        total = total + x[i] * i
    total.backward()
    assert x.grad is not None
    assert x.grad.tolist() == list(range(50))


def test_a_part_adds_to_a_gradient_that_arrived_whole() -> None:
    x = Tensor(np.ones(4), requires_grad=True)
    y = x * 1.0
    (y.sum() + y[1:3].sum() + y[[1, 1]].sum()).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 4, 2, 1]


def test_a_gradient_in_another_memory_order_takes_repeated_rows() -> None:
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    y = x * 1.0
    ((y.T * np.ones((2, 3))).sum() + (y.T * np.ones((2, 3))).sum() + y[[0, 0]].sum()).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[4, 4], [2, 2], [2, 2]]


def test_tensors_index_tensors() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[Tensor([2, 2, 0])].sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 0, 2]
    assert x[x > 1.5].tolist() == [2, 3]
    assert x[Tensor(1)].item() == 2


def test_an_empty_list_selects_nothing() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    nothing = x[[]]
    assert nothing.shape == (0,)
    nothing.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0]


def test_an_index_that_changes_later_has_been_read() -> None:
    x, index = Tensor([1.0, 2.0], requires_grad=True), np.array([0, 0])
    y = x[index]
    index[:] = 1
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2, 0]


def test_a_scalar_takes_none_ellipsis_and_the_empty_tuple() -> None:
    for index in (None, ..., (), (None, None)):
        x = Tensor(3.0, requires_grad=True)
        x[index].sum().backward()
        assert x.grad is not None
        assert x.grad.item() == 1


def test_a_real_part_of_a_complex_computation_is_read_out_of_it() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    (x[[0, 0]] * 1j * 1j).real.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-2, 0]
    assert x.grad.dtype == np.float64


@pytest.mark.parametrize("index", [5, (0, 0, 0), [0, 7], 1.5, np.array([True, False])])
def test_a_bad_index_names_operation_and_shape(index: Any) -> None:
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    with pytest.raises(IndexError, match=r"getitem: .*\(3, 2\) float64"):
        x[index]
    x.sum().backward()  # the graph is none the worse


def test_taking_out_of_bounds_names_operation_and_shape() -> None:
    with pytest.raises(IndexError, match=r"take: .*\(3,\) float64"):
        np.take(Tensor([1.0, 2.0, 3.0]), [3])


@settings(max_examples=40, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_take_and_take_along_axis_scatter_what_they_took(data: Any, shape: tuple[int, ...]) -> None:
    x = np.arange(float(np.prod(shape))).reshape(shape)
    axis = data.draw(st.sampled_from(range(-len(shape), len(shape))))
    n = shape[axis]
    some = data.draw(hnp.arrays(np.int64, hnp.array_shapes(max_dims=2, max_side=4), elements=st.integers(-n, n - 1)))
    lanes = data.draw(hnp.arrays(np.int64, shape, elements=st.integers(-n, n - 1)))
    numbers = np.arange(x.size).reshape(shape)
    for name, indices in (("take", some), ("take_along_axis", lanes)):
        t = Tensor(x, requires_grad=True)
        result = getattr(np, name)(t, indices, axis=axis)
        np.testing.assert_array_equal(result.numpy(), getattr(np, name)(x, indices, axis=axis))
        result.sum().backward()
        assert t.grad is not None
        taken = np.bincount(getattr(np, name)(numbers, indices, axis=axis).ravel(), minlength=x.size)
        np.testing.assert_array_equal(t.grad.numpy(), taken.reshape(shape))


def test_inserting_and_deleting() -> None:
    x, y = Tensor([1.0, 2.0, 3.0], requires_grad=True), Tensor(5.0, requires_grad=True)
    result = np.insert(x, [1, 3], y)
    assert result.tolist() == [1, 5, 2, 3, 5]
    (result * np.arange(1.0, 6)).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.tolist() == [1, 3, 4]
    assert y.grad.item() == 2 + 5
    assert np.delete(x, 1).tolist() == [1, 3]
    assert np.append(x, y).tolist() == [1, 2, 3, 5]


# Writing


def test_written_elements_send_their_gradient_to_what_was_written() -> None:
    x, y = Tensor(np.ones((2, 3)), requires_grad=True), Tensor([5.0, 6.0], requires_grad=True)
    t = x * 1.0
    t[1, :2] = y
    (t * np.arange(6.0).reshape(2, 3)).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad.tolist() == [[0, 1, 2], [0, 0, 5]]
    assert y.grad.tolist() == [3, 4]


def test_of_repeated_indices_the_last_stays_and_the_others_get_no_gradient() -> None:
    y = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    t = Tensor(np.zeros(2))
    t[[0, 0, 1]] = y
    assert t.tolist() == [2, 3]
    t.sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [0, 1, 1]


def test_a_number_written_to_repeated_places_counts_once_for_each() -> None:
    y = Tensor(1.0, requires_grad=True)
    t = Tensor(np.zeros(3))
    t[[0, 0, 1]] = y
    t.sum().backward()
    assert y.grad is not None
    assert y.grad.item() == 2


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_writing_with_any_integer_arrays_sends_back_what_survives(data: Any, shape: tuple[int, ...]) -> None:
    index = data.draw(hnp.integer_array_indices(shape))
    written = np.zeros(shape)[index].shape
    values = np.arange(1.0, 1 + np.prod(written)).reshape(written)
    t, y = Tensor(np.zeros(shape)), Tensor(values, requires_grad=True)
    t[index] = y
    expected = np.zeros(shape)
    expected[index] = values
    np.testing.assert_array_equal(t.numpy(), expected)
    t.sum().backward()
    assert y.grad is not None
    assert (y.grad.numpy() * values).sum() == expected.sum()
    assert set(np.unique(y.grad.numpy())) <= {0, 1}


def test_writing_rebinds_that_tensor_only() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    t = x * 2
    other, view = t, t[1:]
    same_values = t.detach()
    t[1] = 10.0
    assert other is t
    assert t.tolist() == [2, 10, 6]
    assert view.tolist() == [4, 6]
    assert same_values.tolist() == [2, 4, 6]
    (t.sum() + view.sum()).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2, 2, 4]  # the overwritten element counts through the view alone


def test_what_an_earlier_rule_reads_is_not_overwritten() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    t: Any = np.exp(x)  # its rule reads its result
    before = t.numpy().copy()
    y = t.sum()
    t[0] = 100.0
    y.backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), before)
    buffer = Tensor([1.0, 2.0])
    product = x * buffer  # reads the buffer, which needs no gradient
    buffer[0] = 50.0
    x.grad = None
    product.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 2]


def test_a_view_taken_before_keeps_its_values_untracked_too() -> None:
    t = Tensor([1.0, 2.0, 3.0])
    view = t[1:]
    t[1] = 9.0
    assert view.tolist() == [2, 3]
    view[0] = 7.0
    assert t.tolist() == [1, 9, 3]


def test_a_leaf_that_requires_a_gradient_is_written_under_no_grad_alone() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 5.0
    assert x.tolist() == [1, 2]
    with no_grad():
        x[0] = 5.0
    assert x.tolist() == [5, 2]
    assert x.is_leaf
    (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [10, 4]


def test_filling_a_buffer_is_in_place_when_nothing_else_sees_it() -> None:
    buffer = Tensor(np.zeros(100))
    where = id(buffer.data)
    for i in range(100):
        buffer[i] = float(i)
    assert id(buffer.data) == where
    assert buffer.tolist() == list(range(100))


def test_filling_a_buffer_with_results_is_differentiable() -> None:
    x = Tensor(np.arange(1.0, 6), requires_grad=True)
    buffer = Tensor(np.zeros(5))
    for i in range(5):
        buffer[i] = x[i] * x[i]
    buffer.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2, 4, 6, 8, 10]


def test_writing_a_scalar_tensor() -> None:
    x = Tensor(3.0, requires_grad=True)
    t = Tensor(1.0)
    t[...] = x * 2
    t.backward()
    assert x.grad is not None
    assert x.grad.item() == 2


def test_what_does_not_fit_is_refused() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    t = x * 1.0
    with pytest.raises(ValueError, match=r"setitem: .*x is \(2,\) float64; y is \(3,\)"):
        t[:] = np.ones(3)
    with pytest.raises(IndexError, match=r"setitem: .*\(2,\)"):
        t[4] = 1.0
    with pytest.raises(TypeError, match="setitem: float64 does not fit into int64"):
        Tensor([1, 2])[0] = x[0]
    with pytest.raises(TypeError, match="setitem: complex128 does not fit into float64"):
        t[0] = Tensor(1j, requires_grad=True)
    assert t.tolist() == [1, 2]


def test_scatter_adds_and_getitem_is_its_gradient() -> None:
    x = Tensor([1.0, 2.0, 4.0], requires_grad=True)
    result = ops.scatter(x, [0, 2, 0], (3,))
    assert result.tolist() == [5, 0, 2]
    (result * np.array([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1, 3, 1]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.uint32])
@pytest.mark.parametrize("width", [16, 300])
def test_indices_of_few_bits_send_gradients_to_the_same_places(dtype, width):
    tokens = np.array([104, 101, 108, 108, 111], dtype)
    expected = np.zeros((128, width))
    np.add.at(expected, tokens.astype(int), 1.0)
    for read in (
        lambda w: w[tokens],
        lambda w: np.take(w, tokens, axis=0),
        lambda w: np.take_along_axis(w, np.repeat(tokens[:, None], width, 1), 0),
    ):
        w = Tensor(np.zeros((128, width)), requires_grad=True)
        read(w).sum().backward()
        assert np.array_equal(w.grad, expected)
    flat = Tensor(np.zeros(1000), requires_grad=True)
    (np.take(flat, tokens) + np.take_along_axis(flat, tokens, None)).sum().backward()
    assert np.array_equal(flat.grad.numpy().nonzero()[0], [101, 104, 108, 111])


def test_indices_that_count_far_without_a_sign():
    w = Tensor(np.zeros((4, 2)), requires_grad=True)
    w[np.array([3, 1, 3], np.uint64)].sum().backward()
    assert w.grad.tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]
