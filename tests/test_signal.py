"""Convolution and correlation against NumPy's, and interpolation at its kinks."""

import numpy as np
import pytest

from autograd import Tensor, ops


def leaf(array):
    return Tensor(np.asarray(array, dtype=float), requires_grad=True)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("m", "n"), [(5, 3), (3, 5), (4, 2), (2, 4), (4, 4), (1, 3)])
def test_correlation_is_numpy_s(mode, m, n):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=m) + 1j * rng.normal(size=m), rng.normal(size=n) + 1j * rng.normal(size=n)
    assert np.allclose(np.correlate(Tensor(x), y, mode).numpy(), np.correlate(x, y, mode))


def test_a_filter_s_gradient_is_the_signal_around_it():
    x, kernel = Tensor([1.0, 2.0, 3.0]), leaf([0.0, 1.0])
    np.convolve(x, kernel, "valid").sum().backward()
    assert kernel.grad.tolist() == [5.0, 3.0]


@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_an_unknown_mode_is_named(name):
    with pytest.raises(ValueError, match=f"{name}: mode is 'full', 'same', 'valid', not 'half'"):
        getattr(np, name)(leaf([1.0, 2.0]), leaf([1.0]), "half")


def test_empty_signals_raise():
    with pytest.raises(ValueError, match="convolve: "):
        np.convolve(leaf([]), leaf([1.0]))


def test_matrices_are_no_signals():
    with pytest.raises(ValueError, match="convolve: "):
        np.convolve(leaf(np.ones((2, 2))), leaf([1.0]))


def slope(x, left=None, right=None):
    """Return the derivative at `x` of 0, 10, 40 at the knots 0, 1, 2."""
    x = leaf(x)
    np.interp(x, [0.0, 1.0, 2.0], [0.0, 10.0, 40.0], left, right).backward()
    return x.grad.item()


def test_at_a_knot_the_slope_is_that_of_the_right():
    assert slope(1.0) == 30.0
    assert slope(0.0) == 10.0


def test_at_the_last_knot_the_slope_is_that_of_the_left():
    assert slope(2.0) == 30.0


def test_beyond_the_knots_nothing_changes_with_x():
    assert slope(-0.1) == slope(2.1) == slope(-0.1, left=5.0) == slope(2.1, right=5.0) == 0.0


@pytest.mark.parametrize(("left", "right", "expected"), [(None, None, [1.0, 1.0]), (5.0, 6.0, [0.0, 0.0])])
def test_values_beyond_the_knots_are_those_at_the_end_unless_given(left, right, expected):
    fp = leaf([1.0, 2.0])
    np.interp([-1.0, 9.0], [0.0, 1.0], fp, left, right).sum().backward()
    assert fp.grad.tolist() == expected


def test_a_jump_has_no_slope_of_its_own():
    x, fp = leaf([0.5, 1.0, 1.5]), leaf([0.0, 0.0, 1.0, 1.0])
    out = np.interp(x, [0.0, 1.0, 1.0, 2.0], fp)
    out.sum().backward()
    assert out.tolist() == [0.0, 1.0, 1.0]
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    assert fp.grad.tolist() == [0.5, 0.5, 1.5, 0.5]


def test_interpolation_keeps_single_precision():
    x = Tensor(np.float32([0.5]), requires_grad=True)
    out = np.interp(x, [0.0, 1.0], np.float32([0.0, 1.0]))
    out.sum().backward()
    assert out.dtype == x.grad.dtype == np.float32
    assert ops.interp(1, np.array([0, 2]), np.array([0, 1])).dtype == np.float64


def test_changing_the_knots_after_the_call_changes_no_gradient():
    x, xp = leaf([0.5]), np.array([0.0, 1.0])
    out = np.interp(x, xp, [0.0, 1.0])
    xp[1] = 100.0
    out.sum().backward()
    assert x.grad.tolist() == [1.0]


def test_knots_have_no_gradient():
    with pytest.raises(TypeError, match="interp has no gradient with respect to 'xp'"):
        np.interp(leaf([0.5]), leaf([0.0, 1.0]), [0.0, 1.0])
    with pytest.raises(TypeError, match=r"period=1\.0 is not supported"):
        np.interp(leaf([0.5]), [0.0, 1.0], [0.0, 1.0], period=1.0)


def test_interpolation_between_bytes_has_their_slope():
    t = Tensor([50.0, 150.0], requires_grad=True)
    np.interp(t, np.array([0, 100, 200], np.uint8), np.array([100, 0, 250], np.uint8)).sum().backward()
    assert np.allclose(t.grad, [-1.0, 2.5])
