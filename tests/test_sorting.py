"""Sorting and quantiles where elements tie, are NaN, or fall between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograd import Tensor

nan = np.nan


def gradient(function: Any, x: Any, weights: Any = 1.0) -> Any:
    t = Tensor(x, requires_grad=True)
    (function(t) * weights).sum().backward()
    assert t.grad is not None
    return t.grad.numpy()


def test_sorting_sends_the_gradient_back_to_where_elements_came_from() -> None:
    assert gradient(np.sort, [3.0, 1.0, 2.0], [10.0, 20.0, 30.0]).tolist() == [30, 10, 20]
    flat = gradient(lambda t: np.sort(t, axis=None), [[3.0, 1.0], [2.0, 0.0]], [1.0, 2.0, 3.0, 4.0])
    assert flat.tolist() == [[4, 2], [3, 1]]


def test_equal_elements_count_as_ordered_by_place() -> None:
    assert gradient(np.sort, [2.0, 1.0, 2.0], [1.0, 2.0, 3.0]).tolist() == [2, 1, 3]
    assert gradient(np.median, [2.0, 2.0, 1.0, 3.0, 2.0, 2.0]).tolist() == [0, 0.5, 0, 0, 0.5, 0]


def test_sorting_by_argsort_is_sorting() -> None:
    x = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    weights = np.arange(6.0).reshape(2, 3)
    by_hand = gradient(lambda t: np.take_along_axis(t, np.argsort(t, axis=1), axis=1), x, weights)
    np.testing.assert_array_equal(by_hand, gradient(lambda t: t.sort(axis=1), x, weights))


@settings(max_examples=40, deadline=None)
@given(
    x=hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=6), elements=st.floats(-4, 4, width=16)),
    data=st.data(),
)
def test_sorted_and_partitioned_elements_get_the_gradient_of_their_place(x: Any, data: Any) -> None:
    axis = data.draw(st.sampled_from(range(-x.ndim, x.ndim)))
    kth = data.draw(st.integers(0, x.shape[axis] - 1))
    for function in (lambda t: np.sort(t, axis=axis), lambda t: np.partition(t, kth, axis=axis)):
        t = Tensor(x, requires_grad=True)
        result: Any = function(t)
        (result * result.numpy()).sum().backward()  # each element's gradient is its own value
        assert t.grad is not None
        np.testing.assert_array_equal(t.grad.numpy(), x)


def test_a_partition_has_its_element_in_place() -> None:
    result: Any = np.partition(Tensor([5.0, 1.0, 4.0, 2.0, 3.0]), 2)
    result = result.numpy()
    assert result[2] == 3
    assert sorted(result[:2]) == [1, 2]


def test_the_median_of_an_even_count_is_the_mean_of_the_middles() -> None:
    assert gradient(np.median, [4.0, 1.0, 3.0, 2.0]).tolist() == [0, 0, 0.5, 0.5]
    assert gradient(np.median, [4.0, 1.0, 3.0]).tolist() == [0, 0, 1]


def test_a_quantile_takes_from_its_neighbours() -> None:
    assert gradient(lambda t: np.quantile(t, 0.25), [3.0, 1.0, 2.0, 5.0]).tolist() == [0, 0.25, 0.75, 0]
    assert gradient(lambda t: np.percentile(t, 100), [3.0, 1.0, 2.0, 5.0]).tolist() == [0, 0, 0, 1]


def test_quantiles_given_twice_add_up() -> None:
    assert gradient(lambda t: np.quantile(t, [0.0, 0.0, 1.0]), [3.0, 1.0]).tolist() == [1, 2]


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
@settings(max_examples=30, deadline=None)
@given(x=st.lists(st.integers(-9, 9), min_size=1, max_size=7), q=st.integers(0, 8).map(lambda n: n / 8))
def test_a_quantile_is_the_sum_of_what_it_takes(method: str, x: list[int], q: float) -> None:
    t: Any = Tensor(np.array(x, float), requires_grad=True)
    result = np.quantile(t, q, method=method)  # type: ignore[call-overload]
    assert result.item() == pytest.approx(np.quantile(np.array(x, float), q, method=method))  # type: ignore[call-overload]
    result.backward()
    assert t.grad is not None
    assert (t.grad.numpy() * x).sum() == pytest.approx(result.item())


def test_other_methods_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"quantile: method 'hazen' is not implemented; use one of linear.*\(2,\)"):
        np.quantile(Tensor([1.0, 2.0]), 0.5, method="hazen")


def test_a_quantile_outside_is_refused() -> None:
    with pytest.raises(ValueError, match=r"quantile: .*range"):
        np.quantile(Tensor([1.0, 2.0]), 1.5)


def test_nan_takes_the_gradient_of_its_lane() -> None:
    found = gradient(lambda t: np.quantile(t, 0.5, axis=1), [[2.0, nan, 1.0], [3.0, 1.0, 2.0]])
    assert found.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_quantiles_stay_float32() -> None:
    t = Tensor(np.arange(4, dtype=np.float32), requires_grad=True)
    result = np.quantile(t, [0.3, 0.6])
    result.sum().backward()
    assert t.grad is not None
    assert result.dtype == t.grad.dtype == np.float32


def test_integers_are_sorted_untracked() -> None:
    assert np.sort(Tensor([3, 1, 2])).tolist() == [1, 2, 3]
    assert np.median(Tensor([3, 1])).item() == 2
