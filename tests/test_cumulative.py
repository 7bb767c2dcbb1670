"""Running sums and products at zeros and odd lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Tensor
from autograd.functional import gradients


def gradient(function: Any, x: Any) -> Any:
    t = Tensor(x, requires_grad=True)
    function(t).sum().backward()
    assert t.grad is not None
    return t.grad.numpy()


def test_cumprod_with_zeros_has_the_products_of_the_others() -> None:
    # x0 + x0 x1 + x0 x1 x2 + ..., at x1 = x3 = 0
    assert gradient(np.cumprod, [2.0, 0.0, 3.0, 0.0, 5.0]).tolist() == [1, 8, 0, 0, 0]
    assert gradient(np.cumprod, [0.0, 0.0]).tolist() == [1, 0]
    assert gradient(np.cumprod, [0.0]).tolist() == [1]


def test_second_derivatives_of_cumprod_with_zeros() -> None:
    t = Tensor([2.0, 0.0, 3.0, 0.0, 5.0], requires_grad=True)
    (first,) = gradients(np.cumprod(t).sum(), [t], create_graph=True)
    (second,) = gradients((first * np.arange(1.0, 6)).sum(), [t])
    assert second.tolist() == [8, 154, 4, 72, 0]  # by hand: d1d3 = x0 x2 (1 + x4), d0d1 = 1 + x2, d1d2 = x0


@settings(max_examples=50, deadline=None)
@given(x=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), min_size=1, max_size=9))
def test_the_gradient_of_cumprod_is_the_sum_of_the_products_without_each(x: list[float]) -> None:
    expected: Any = [sum(np.prod(x[:j] + x[j + 1 : i + 1]) for i in range(j, len(x))) for j in range(len(x))]
    np.testing.assert_allclose(gradient(np.cumprod, x), expected)


def test_cumprod_that_underflows_still_has_the_products_of_the_others() -> None:
    with np.errstate(under="ignore"):
        assert gradient(np.cumprod, [1e-200, 1e-200]).tolist() == [1, 1e-200]


def test_a_scalar_accumulates_to_one_element() -> None:
    for function in (np.cumsum, np.cumprod):
        t = Tensor(3.0, requires_grad=True)
        result = function(t)
        assert result.shape == (1,)
        result.sum().backward()
        assert t.grad is not None
        assert t.grad.item() == 1


def test_ufunc_accumulate_is_served() -> None:
    t: Any = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    sums: Any = np.add.accumulate(t, axis=1)
    products: Any = np.multiply.accumulate(t)
    assert sums.requires_grad
    assert sums.tolist() == [[1, 3], [3, 7]]
    assert products.requires_grad
    assert products.tolist() == [[1, 2], [3, 8]]


def test_differences_leave_the_gradient_at_the_ends() -> None:
    assert gradient(np.diff, [1.0, 5.0, 2.0]).tolist() == [-1, 0, 1]
    assert gradient(lambda t: np.diff(t, n=2), [1.0, 5.0, 2.0]).tolist() == [1, -2, 1]
    assert gradient(lambda t: np.diff(t, n=5), [1.0, 5.0, 2.0]).tolist() == [0, 0, 0]
    assert gradient(lambda t: np.diff(t, prepend=0), [1.0, 5.0, 2.0]).tolist() == [0, 0, 1]


def test_differences_stay_float32_beside_a_python_number() -> None:
    assert np.diff(Tensor(np.ones(3, np.float32)), prepend=0.0).dtype == np.float32


def test_a_gradient_of_what_is_prepended_is_refused() -> None:
    with pytest.raises(TypeError, match="prepend"):
        np.diff(Tensor([1.0, 2.0]), prepend=Tensor(1.0, requires_grad=True))


def test_the_area_of_no_interval_is_zero() -> None:
    assert gradient(np.trapezoid, [3.0]).tolist() == [0]


def test_heights_weigh_half_at_the_ends() -> None:
    assert gradient(lambda t: np.trapezoid(t, dx=2.0), [1.0, 2.0, 3.0]).tolist() == [1, 2, 1]
    assert gradient(lambda t: np.trapezoid(t, [0.0, 1.0, 3.0]), [1.0, 2.0, 3.0]).tolist() == [0.5, 1.5, 1]
    assert gradient(lambda t: np.trapezoid([1.0, 2.0, 3.0], t), [0.0, 1.0, 3.0]).tolist() == [-1.5, -1, 2.5]
