"""Discrete Fourier transforms.

They are linear, and their matrices symmetric: the gradient of a transform is the same transform of the gradient, cut or
padded to the length of the input. Real inputs get the real part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd.operation import Array, operation

__all__ = [
    "fft",
    "ifft",
    "rfft",
    "irfft",
    "fftn",
    "ifftn",
    "fft2",
    "fftshift",
    "ifft2",
    "ifftshift",
    "irfft2",
    "irfftn",
    "rfft2",
    "rfftn",
]

OPPOSITE = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
Axes = Sequence[int] | None


def resized(x: Array, n: int, axis: int) -> Array:
    """Return `x` cut or padded with zeros at the end of an axis to length `n`."""
    length = x.shape[axis]
    if length == n:
        return x
    axis %= len(x.shape)
    if length > n:
        return x[(slice(None),) * axis + (slice(n),)]
    return np.pad(x, [(0, n - length if i == axis else 0) for i in range(len(x.shape))])


# The transform is a symmetric matrix, so its rule, which transposes, is the transform again.


def fft_rule(g: Array, x_shape: tuple[int, ...], axis: int, norm: str | None) -> Array:
    return resized(fft(g, None, axis, norm), x_shape[axis], axis)


@operation(x=fft_rule)
def fft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return np.fft.fft(x, n, axis, norm)  # type: ignore[arg-type]


def ifft_rule(g: Array, x_shape: tuple[int, ...], axis: int, norm: str | None) -> Array:
    return resized(ifft(g, None, axis, norm), x_shape[axis], axis)


@operation(x=ifft_rule)
def ifft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return np.fft.ifft(x, n, axis, norm)  # type: ignore[arg-type]


def rfft_rule(g: Array, x_shape: tuple[int, ...], n: int | None, axis: int, norm: str | None) -> Array:
    length = x_shape[axis]
    return resized(np.real(fft(g, length if n is None else n, axis, norm)), length, axis)


@operation(x=rfft_rule)
def rfft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    return np.fft.rfft(x, n, axis, norm)  # type: ignore[arg-type]


def irfft_rule(g: Array, x_shape: tuple[int, ...], axis: int, norm: str | None) -> Array:
    n = g.shape[axis]
    found = np.conjugate(rfft(g, None, axis, OPPOSITE[norm]))
    # All but the first coefficient, and the last of an even length, stand for two that are conjugates of each other.
    twice = np.full(n // 2 + 1, 2, g.dtype)
    twice[0] = 1
    if n % 2 == 0:
        twice[-1] = 1
    found = found * twice.reshape((-1,) + (1,) * (len(x_shape) - 1 - axis % len(x_shape)))
    return resized(found, x_shape[axis], axis)


@operation(x=irfft_rule)
def irfft(x: Array, n: int | None = None, axis: int = -1, norm: str | None = None) -> Array:
    """Return the real signal whose Fourier transform begins with `x`.

    The imaginary part of the first coefficient, and of the last of an even length, is ignored: its gradient is 0.
    """
    return np.fft.irfft(x, n, axis, norm)  # type: ignore[arg-type]


def transformed(ndim: int, s: Axes, axes: Axes) -> list[int]:
    """Return the axes that a transform in several dimensions runs over."""
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    return [normalize_axis_index(axis, ndim) for axis in axes]


def fftn_rule(g: Array, x_shape: tuple[int, ...], s: Axes, axes: Axes, norm: str | None) -> Array:
    over = transformed(len(x_shape), s, axes)
    return resized_to(fftn(g, None, over, norm), x_shape, over)


def ifftn_rule(g: Array, x_shape: tuple[int, ...], s: Axes, axes: Axes, norm: str | None) -> Array:
    over = transformed(len(x_shape), s, axes)
    return resized_to(ifftn(g, None, over, norm), x_shape, over)


def resized_to(x: Array, shape: tuple[int, ...], axes: Sequence[int]) -> Array:
    for axis in axes:
        x = resized(x, shape[axis], axis)
    return x


@operation(x=fftn_rule)
def fftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = None) -> Array:
    return np.fft.fftn(x, s, axes, norm)  # type: ignore[arg-type]


@operation(x=ifftn_rule)
def ifftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = None) -> Array:
    return np.fft.ifftn(x, s, axes, norm)  # type: ignore[arg-type]


def fft2(x: Array, s: Axes = None, axes: Axes = (-2, -1), norm: str | None = None) -> Array:
    """Transform two axes."""
    return fftn(x, s, axes, norm)


def ifft2(x: Array, s: Axes = None, axes: Axes = (-2, -1), norm: str | None = None) -> Array:
    """Transform two axes back."""
    return ifftn(x, s, axes, norm)


def rfftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = None) -> Array:
    """Transform real signals: the last of the axes holds just the coefficients that determine the others."""
    over = transformed(np.ndim(x), s, axes)
    lengths = [np.shape(x)[axis] for axis in over] if s is None else list(s)
    half = rfft(x, lengths[-1], over[-1], norm)
    return fftn(half, lengths[:-1], over[:-1], norm) if len(over) > 1 else half


def irfftn(x: Array, s: Axes = None, axes: Axes = None, norm: str | None = None) -> Array:
    """Transform back to real signals."""
    over = transformed(np.ndim(x), s, axes)
    lengths = [np.shape(x)[axis] for axis in over] if s is None else list(s)
    last = None if s is None else lengths[-1]
    half = ifftn(x, lengths[:-1], over[:-1], norm) if len(over) > 1 else x
    return irfft(half, last, over[-1], norm)


def rfft2(x: Array, s: Axes = None, axes: Axes = (-2, -1), norm: str | None = None) -> Array:
    """Transform two axes of real signals."""
    return rfftn(x, s, axes, norm)


def irfft2(x: Array, s: Axes = None, axes: Axes = (-2, -1), norm: str | None = None) -> Array:
    """Transform two axes back to real signals."""
    return irfftn(x, s, axes, norm)


def shifted(x: Array, axes: int | Sequence[int] | None, back: bool) -> Array:
    over = range(np.ndim(x)) if axes is None else (axes,) if isinstance(axes, (int, np.integer)) else axes
    lengths = [np.shape(x)[axis] for axis in over]
    return np.roll(x, tuple(-(n // 2) if back else n // 2 for n in lengths), tuple(over))


def fftshift(x: Array, axes: int | Sequence[int] | None = None) -> Array:
    """Roll the coefficient of frequency 0 to the middle."""
    return shifted(x, axes, back=False)


def ifftshift(x: Array, axes: int | Sequence[int] | None = None) -> Array:
    """Undo `fftshift`."""
    return shifted(x, axes, back=True)
