"""Fourier transforms: real gradients of real inputs, dtypes, pairs that undo each other, errors."""

import numpy as np
import pytest

from autograd import Tensor
from tests.cases import normal


def leaf(array):
    return Tensor(np.asarray(array), requires_grad=True)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "fftn", "ifft2", "rfftn"])
def test_a_real_input_gets_a_real_gradient(name):
    x = leaf([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    out = getattr(np.fft, name)(x)
    (np.abs(out) ** 2).sum().backward()
    assert x.grad.dtype == np.float64


def test_single_precision_stays():
    x = leaf(np.ones(4, np.float32))
    out = np.fft.rfft(x)
    assert out.dtype == np.complex64
    back = np.fft.irfft(out)
    assert back.dtype == np.float32
    back.sum().backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("fft", "ifft"),
        ("rfft", "irfft"),
        ("fftn", "ifftn"),
        ("fft2", "ifft2"),
        ("rfft2", "irfft2"),
        ("rfftn", "irfftn"),
    ],
)
def test_there_and_back_is_the_identity_for_gradients_too(there, back):
    x = leaf(np.random.default_rng(0).normal(size=(3, 4)))
    out = getattr(np.fft, back)(getattr(np.fft, there)(x))
    g = np.random.default_rng(1).normal(size=(3, 4))
    out.backward(g.astype(out.dtype))
    assert np.allclose(out.numpy(), x.numpy())
    assert np.allclose(x.grad.numpy(), g)


def test_the_gradient_of_the_power_spectrum():
    # Parseval: the sum of |X|^2 is n times that of x^2.
    x = leaf([1.0, -2.0, 3.0])
    (np.abs(np.fft.fft(x)) ** 2).sum().backward()
    assert np.allclose(x.grad.numpy(), 6 * x.numpy())


def test_imaginary_parts_that_irfft_ignores_get_no_gradient():
    x = leaf(np.array([1 + 1j, 2 + 2j, 3 + 3j]))
    np.fft.irfft(x)[1].backward()
    assert x.grad.numpy().imag[[0, 2]].tolist() == [0.0, 0.0]
    assert x.grad.numpy().imag[1] != 0.0


def test_what_is_cut_off_gets_no_gradient():
    x = leaf(np.ones(5))
    np.abs(np.fft.rfft(x, 3)).sum().backward()
    assert x.grad.tolist()[3:] == [0.0, 0.0]


@pytest.mark.parametrize("n", [4, 5])
def test_shifts_undo_each_other(n):
    x = leaf(np.arange(float(n)))
    shifted = np.fft.fftshift(x)
    assert np.array_equal(shifted.numpy(), np.fft.fftshift(x.numpy()))
    assert np.fft.ifftshift(shifted).tolist() == x.tolist()


@pytest.mark.parametrize("name", ["rfftn", "irfftn", "rfft2", "irfft2", "fft2"])
@pytest.mark.parametrize("options", [{}, {"s": (2, 5), "axes": (1, 0)}, {"norm": "forward"}])
def test_transforms_in_several_dimensions_are_numpy_s(name, options):
    a = np.random.default_rng(0).normal(size=(3, 4))
    a = a if name.startswith("rfft") else a + 1j
    transform = getattr(np.fft, name)
    assert np.allclose(transform(leaf(a), **options).numpy(), transform(a, **options))


def test_errors_name_the_transform():
    with pytest.raises(ValueError, match=r"fft: .*x is"):
        np.fft.fft(leaf(np.ones(3)), 0)
    with pytest.raises(ValueError, match="ifft: "):
        np.fft.ifft(leaf(np.ones(3)), norm="half")
    with pytest.raises(TypeError, match="rfft: "):
        np.fft.rfft(leaf(np.ones(3) + 0j))


@pytest.mark.parametrize("name", ["rfftn", "irfftn", "fftn", "ifftn", "rfft2", "irfft2", "fft2", "ifft2"])
@pytest.mark.parametrize(("shape", "axes"), [((2, 3), (0, 2)), ((2, 3), (5, -1)), ((3,), (0, 1)), ((), (0, 1))])
def test_axes_that_are_not_there_are_refused(name, shape, axes):
    function = getattr(np.fft, name)
    with pytest.raises((IndexError, ValueError)):
        function(np.ones(shape), axes=axes)
    with pytest.raises((IndexError, ValueError)):
        function(leaf(np.ones(shape)), axes=axes)


def test_axes_may_be_numbers_of_numpys():
    x = normal(3, 4)
    for function in (np.fft.fftshift, np.fft.ifftshift):
        np.testing.assert_array_equal(function(leaf(x), axes=np.int64(1)).numpy(), function(x, axes=1))
