"""Activation functions: values and derivatives stay finite, and no exponential overflows, however large x is."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd.blocks import in_pieces
from autograd.deferred import LARGE, WITH_OUT
from autograd.kernels.exponentials import largest, of_small
from autograd.kernels.moments import summed, total
from autograd.operation import Array, operation
from autograd.ops.arithmetic import keep, keep_into, where
from autograd.ops.elementwise import absolute, erf, exp, expm1, tanh

__all__ = [
    "elu",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
]

ZERO: Final = np.float64(0)
FEW: Final = 512
MANY: Final = 1 << 14  # numbers for which a softmax goes by pieces
MODEST: Final = 16.0  # the largest number of which a softmax takes the exponential as it is
ZEROS: Final = np.zeros(LARGE, np.complex128)
SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946


def floating(x: Any) -> Any:
    """Return an array of floats: `x` itself where it is one, float64 for integers, booleans and Python numbers."""
    dtype = getattr(x, "dtype", None)
    return np.asarray(x, dtype=np.float64)[()] if dtype is None or dtype.kind in "iub" else x


# Rectifiers


def rectify(x: Array, out: Array = None) -> Array:
    """Return `max(x, 0)` of an array; in `out` if not None."""
    # NumPy compares two arrays in a quarter of the time that it takes for an array and a number.
    try:
        return np.maximum(x, np.ndarray(x.shape, x.dtype, ZEROS, 0, x.strides), out=out)
    except (ValueError, TypeError):  # there are gaps between its numbers, or too many of them
        return np.maximum(x, 0, out=out)


@operation(x=lambda g, out: keep(g, out != 0), elementwise=True)
def relu(x: Array) -> Array:
    """Return `max(x, 0)`. The gradient is that of the result where x > 0, and 0 at 0 as below it."""
    if x.__class__ is np.float64:  # a tenth of the time of NumPy's function
        return ZERO if x <= 0 else x
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and FEW <= x.size <= LARGE:
        return rectify(x)
    return np.maximum(x, 0)


# A pass over memory less for each, which is a fifth of the time.
WITH_OUT[relu.operation.forward] = rectify
WITH_OUT[relu.operation.written[0]] = lambda g, y, out: keep_into(g, y != 0, out)


def leaky(g: Array, x: Array, slope: Array) -> Array:
    """Return `g` where x > 0 and `slope * g` elsewhere."""
    positive = x > 0
    return keep(g, positive) + keep(g, ~positive) * slope


@operation(x=lambda g, x, negative_slope: leaky(g, x, negative_slope), elementwise=True)
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return `x` where it is positive and `negative_slope * x` elsewhere. The gradient at 0 is `negative_slope`."""
    if 0 <= negative_slope <= 1:
        return np.maximum(x, x * negative_slope)
    return np.maximum(x, 0) + np.minimum(x, 0) * negative_slope


@operation(x=lambda g, x, weight: leaky(g, x, weight), weight=lambda g, x: keep(g, ~(x > 0)) * x, elementwise=True)
def prelu(x: Array, weight: Array) -> Array:
    """Return `x` where it is positive and `weight * x` elsewhere, with `weight` broadcast against `x`.

    For one weight a channel of images (N, C, H, W) give it the shape (C, 1, 1). At 0 the gradient of `x` is `weight`
    and that of `weight` is 0.
    """
    return np.maximum(x, 0) + np.minimum(x, 0) * weight


def elu_gradient(g: Array, x: Array, alpha: float, scale: float) -> Array:
    positive = x > 0
    return keep(g, positive) * scale + keep(g, ~positive) * (exp(keep(x, x < 0)) * (scale * alpha))


@operation(x=lambda g, x, alpha: elu_gradient(g, x, alpha, 1.0), elementwise=True)
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return `x` where it is positive and `alpha * (exp(x) - 1)` elsewhere. The gradient at 0 is `alpha`."""
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


@operation(x=lambda g, x: elu_gradient(g, x, SELU_ALPHA, SELU_SCALE), elementwise=True)
def selu(x: Array) -> Array:
    """Return the self-normalising `elu`: `scale * elu(x, alpha)` with alpha = 1.6733 and scale = 1.0507.

    The gradient at 0 is scale * alpha.
    """
    return SELU_SCALE * np.maximum(x, 0) + (SELU_SCALE * SELU_ALPHA) * np.expm1(np.minimum(x, 0))


@operation(x=lambda g, x, min_val, max_val: keep(g, ~((x <= min_val) | (x >= max_val))), elementwise=True)
def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Limit `x` to [`min_val`, `max_val`]. The gradient at the bounds is 0, unlike that of `clip`."""
    return np.clip(x, min_val, max_val)


# Sigmoid and its relatives


@operation(x=lambda g, out: g * (out * (1 - out)), elementwise=True)
def sigmoid(x: Array) -> Array:
    """Return `1 / (1 + exp(-x))`."""
    if x.__class__ is np.float64:
        e = math.exp(-abs(x))
        return np.float64((1.0 if x >= 0 else e) / (1.0 + e))
    e = -floating(x)
    # To infinity, of which the reciprocal is 0: a bound on e would leave a subnormal number there, with which matrix
    # products take several times as long.
    with np.errstate(over="ignore"):
        if not e.shape:
            return 1 / (1 + np.exp(e))
        np.exp(e, out=e)
    e += 1
    return np.reciprocal(e, out=e)


@operation(x=lambda g, out: -g * expm1(out), elementwise=True)
def log_sigmoid(x: Array) -> Array:
    """Return `log(sigmoid(x))`, accurate also where the sigmoid itself is 0 or 1 in floating point."""
    x = floating(x)
    return np.minimum(x, 0) - np.log1p(np.exp(-abs(x)))


def softplus_rule(g: Array, x: Array, beta: float, threshold: float) -> Array:
    z = x * beta
    slope = g * sigmoid(z)
    linear = z > threshold
    return where(linear, g, slope) if np.any(linear) else slope


@operation(x=softplus_rule, elementwise=True)
def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """Return `log(1 + exp(beta * x)) / beta`, a smooth rectifier; `x` itself where `beta * x` exceeds `threshold`."""
    x = floating(x)
    z = x * beta
    return np.where(z > threshold, x, (np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))) / beta)[()]


def silu_rule(g: Array, x: Array) -> Array:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@operation(x=silu_rule, elementwise=True)
def silu(x: Array) -> Array:
    """Return `x * sigmoid(x)`, also called swish."""
    return x * sigmoid(x)


def mish_rule(g: Array, x: Array) -> Array:
    t = tanh(softplus(x))
    return g * (t + x * sigmoid(x) * (1 - t * t))


@operation(x=mish_rule, elementwise=True)
def mish(x: Array) -> Array:
    """Return `x * tanh(softplus(x))`."""
    return x * np.tanh(softplus(x))


@operation(x=lambda g, x: g / (1 + absolute(x)) ** 2, elementwise=True)
def softsign(x: Array) -> Array:
    """Return `x / (1 + |x|)`."""
    return x / (1 + abs(x))


# Gaussian error linear units

ROOT_HALF: Final = math.sqrt(0.5)
TANH_SCALE: Final = math.sqrt(2 / math.pi)
TANH_CUBIC: Final = 0.044715


def gelu_rule(g: Array, x: Array, approximate: str) -> Array:
    if approximate == "none":
        density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
        return g * (0.5 * (1 + erf(x * ROOT_HALF)) + x * density)
    squared = x * x
    t = tanh(x * (TANH_SCALE + (TANH_SCALE * TANH_CUBIC) * squared))
    slope = TANH_SCALE + (3 * TANH_SCALE * TANH_CUBIC) * squared
    return g * (0.5 * (1 + t + x * ((1 - t * t) * slope)))


@operation(x=gelu_rule, elementwise=True)
def gelu(x: Array, approximate: str = "none") -> Array:
    """Return `x` times the probability that a standard normal number is below `x`.

    `approximate` is "none", or "tanh" for a formula that takes a third of the time and is within 0.0005 of it.
    """
    x = floating(x)
    if approximate == "none":
        return 0.5 * x * (1 + erf(x * ROOT_HALF))
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(x * (TANH_SCALE + (TANH_SCALE * TANH_CUBIC) * (x * x))))
    raise ValueError(f'approximate is "none" or "tanh", not {approximate!r}')


# Softmax


def shifted(x: Array, axis: Any) -> Array:
    """Return `x` less its maximum along `axis`, so that no exponential of it overflows."""
    x = floating(x)
    return x - np.max(x, axis=axis, keepdims=True) if x.size else x.copy()


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    return tuple(range(ndim)) if axis is None else tuple(sorted(normalize_axis_tuple(axis, ndim)))


def piece_by_piece(work: Any, x: Array, axes: tuple[int, ...]) -> None:
    """Call `work` for the places of some rows of `x` at a time, or of all if the first axis is one of `axes`."""
    if 0 in axes:
        work(slice(None))
    else:
        in_pieces(work, len(x), x.size)


def softmax_rule(g: Array, out: Array, axis: Any) -> Array:
    if g.size < MANY or not g.__class__ is out.__class__ is np.ndarray or g.dtype.kind != "f":
        return out * (g - (g * out).sum(axis=axis, keepdims=True))
    axes = axes_of(axis, g.ndim)
    sent = np.empty_like(out)

    def work(some: slice) -> None:
        place = np.subtract(g[some], summed(out[some], g[some], axes), out=sent[some])
        place *= out[some]

    piece_by_piece(work, g, axes)
    return sent


@operation(x=softmax_rule)
def softmax(x: Array, axis: Any = -1) -> Array:
    """Return exponentials of `x` divided by their sum along `axis`: one axis, several, or None for all.

    Examples
    --------
    >>> from autograd import Tensor, ops
    >>> ops.softmax(Tensor([[1e4, 1e4], [0.0, -1e4]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    if np.size(x) < MANY:
        z = shifted(x, axis)
        if not z.shape:
            return np.exp(z)
        np.exp(z, out=z)
        z /= z.sum(axis=axis, keepdims=True)
        return z
    x = floating(x)
    axes = axes_of(axis, x.ndim)
    out = np.empty_like(x)

    def work(some: slice) -> None:
        part, place = x[some], out[some]
        sums = of_small(part, axes, MODEST, math.exp(-MODEST), place)
        if sums is None:
            np.exp(np.subtract(part, largest(part, axes), out=place), out=place)
            sums = total(place, axes)
        place /= sums

    piece_by_piece(work, x, axes)
    return out


@operation(x=lambda g, out, axis: g - exp(out) * g.sum(axis=axis, keepdims=True))
def log_softmax(x: Array, axis: Any = -1) -> Array:
    """Return `log(softmax(x, axis))`, accurate also where the softmax is 0 in floating point."""
    z = shifted(x, axis)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True)) if z.size else z
