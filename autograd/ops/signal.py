"""One-dimensional signals: convolve, correlate, interpolate."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.operation import Array, operation
from autograd.ops import indexing

__all__ = [
    "convolve",
    "interp",
    "correlate",
]

MODES = ("full", "same", "valid")


def check_mode(name: str, mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"{name}: mode is {', '.join(map(repr, MODES))}, not {mode!r}")


def convolve_rule(g: Array, other: Array, shape: tuple[int, ...], mode: str) -> Array:
    """Return the gradient of the operand of `shape`, from that of its convolution with `other`."""
    (m,), (n,) = np.shape(other), shape
    shorter = min(m, n)
    before = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}[mode]
    if mode != "full":
        g = np.pad(g, (before, m + n - 1 - before - g.shape[0]))
    return convolve(g, other[::-1], "valid")


@operation(
    x=lambda g, x_shape, y, mode: convolve_rule(g, y, x_shape, mode),
    y=lambda g, x, y_shape, mode: convolve_rule(g, x, y_shape, mode),
)
def convolve(x: Array, y: Array, mode: str = "full") -> Array:
    """Return the convolution of two vectors.

    mode : "full", all m + n - 1 of it; "same", the max(m, n) in the middle; "valid", where they overlap completely.
    """
    check_mode("convolve", mode)
    return np.convolve(x, y, mode)  # type: ignore[call-overload]


def correlate(x: Array, y: Array, mode: str = "valid") -> Array:
    """Return the cross-correlation of two vectors, sums of x[n + k] * conj(y[n]); modes as in `convolve`."""
    check_mode("correlate", mode)
    kernel = np.conjugate(y)[::-1]
    m, n = np.shape(x)[0], np.shape(y)[0]
    if mode == "same" and n > m:  # NumPy swaps the two, so that the middle is rounded the other way
        start = m // 2
        return convolve(x, kernel, "full")[start : start + n]
    return convolve(x, kernel, mode)


def segment(x: Array, xp: Array) -> tuple[Array, Array, Array, Array]:
    """Return, for each of `x`, the knots at both ends of its segment, where in it `x` lies from 0 to 1, and its width.

    Beyond the first and the last knot the width is infinite: nothing changes there.
    """
    last = len(xp) - 1
    left = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(last - 1, 0))
    right = np.minimum(left + 1, last)
    width = xp[right] - xp[left]
    outside = (x < xp[0]) | (x > xp[-1])
    width = np.where(outside | (width == 0), np.inf, width)
    share = np.where(outside, x > xp[-1], (x - xp[left]) / width)
    return left, right, share, width


def interp_x(g: Array, x: Array, fp: Array, aux: Array) -> Array:
    left, right, _, width = segment(x, aux)
    return g * (fp[right] - 1.0 * fp[left]) / width


def interp_fp(g: Array, x: Array, fp_shape: tuple[int, ...], left: Any, right: Any, aux: Array) -> Array:
    first, second, share, _ = segment(x, aux)
    if left is not None:
        g = g * (x >= aux[0])
    if right is not None:
        g = g * (x <= aux[-1])
    return indexing.scatter(g * (1 - share), (first,), fp_shape) + indexing.scatter(g * share, (second,), fp_shape)


@operation(x=interp_x, fp=interp_fp, aux=True)
def interp(x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None) -> Any:
    """Return the values at `x` of the function that runs straight between the knots (xp, fp).

    x : any shape.
    xp : (n,), increasing; it has no gradient.
    fp : (n,)
    left, right : the values before the first knot and beyond the last one; those of the knots if left out.

    The gradient of `x` is the slope of its segment: at a knot of the segment on the right, at the last of that on the
    left, and 0 beyond the knots. Unlike NumPy's, results of float32 stay float32.

    >>> from autograd import Tensor
    >>> x = Tensor([0.5, 1.0, 9.0], requires_grad=True)
    >>> np.interp(x, [0.0, 1.0, 2.0], [0.0, 10.0, 0.0]).sum().backward()
    >>> x.grad.tolist()
    [10.0, -10.0, 0.0]
    """
    out = np.interp(x, xp, fp, left, right)
    knots = np.array(xp)
    if knots.dtype.kind != "f":  # of bytes, differences would be bytes
        knots = knots.astype(np.result_type(x, np.float16))
    return out.astype(np.result_type(x, fp, np.float16)), knots
