"""Arithmetic of two numbers: add distributes the gradient, multiply switches it, maximum routes it to the winner."""

from __future__ import annotations

import math
import operator
from typing import Final

import numpy as np

from autograd.operation import Array, operation, pointwise
from autograd.recording import PYTHON_NUMBERS
from autograd.tensor import Tensor, plain

__all__ = [
    "add",
    "arctan2",
    "clip",
    "copysign",
    "divide",
    "float_power",
    "fmax",
    "fmin",
    "fmod",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "positive",
    "power",
    "remainder",
    "subtract",
    "where",
]

SMALL: Final = 2048  # elements up to which np.where is as quick as what follows
BITS: Final = {np.dtype(f"f{size}"): np.dtype(f"i{size}") for size in (2, 4, 8)}

# What rules share. Masks are plain arrays: nothing flows through a comparison.


def keep(g: Array, mask: Array) -> Array:
    """Return `g` where `mask` holds and exactly 0 elsewhere, even where `g` is Inf or NaN."""
    if isinstance(g, Tensor):
        return where(mask, g, 0.0)
    if not g.shape:
        return g if mask else g.dtype.type(0)
    if g.size > SMALL and (bits := BITS.get(g.dtype)):
        # The bits of a number as an integer, times 0 or 1: a tenth of the time of a choice that cannot be foreseen.
        kept = np.asarray(mask).astype(bits)
        kept = np.multiply(kept, g.view(bits), out=kept if kept.shape == g.shape else None)
        return kept.view(g.dtype)
    return np.where(mask, g, 0)


def keep_into(g: Array, mask: Array, out: Array) -> Array:
    """Write to `out` what `keep` returns, for arrays."""
    bits = BITS.get(g.dtype)
    if bits is None:
        out[...] = np.where(mask, g, 0)
    else:
        np.multiply(np.asarray(mask).astype(bits), g.view(bits), out=out.view(bits))
    return out


def somewhere(mask: Array) -> bool:
    """Whether `mask` holds for any element: 2 µs quicker than its method where it is a scalar."""
    return bool(mask.any() if mask.shape else mask)


def over_nonzero(g: Array, x: Array) -> Array:
    """Return `g / x`, and 0 where `x` is 0; the zeros stay zeros when it is differentiated again."""
    zero = x == 0
    if not somewhere(zero):
        return g / x
    return where(zero, 0.0, g / where(zero, 1.0, x))


def share(g: Array, x: Array, y: Array, lost: Array) -> Array:
    """Return the part of `g` that goes to an input: none where it `lost`, half where `x` equals `y`."""
    kept = keep(g, ~lost)
    tie = x == y
    return where(tie, kept * 0.5, kept) if somewhere(tie) else kept


@operation(
    x=lambda g, aux: keep(g, aux),
    y=lambda g, aux: keep(g, ~aux),
    aux=True,
)
def where(condition: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Choose from `x` where `condition` holds and from `y` elsewhere.

    `condition`, `x` and `y` are broadcast against each other. The gradient goes to what was chosen, and
    exactly 0 goes to the rest. That does not rescue a branch whose own derivative is infinite, since 0 times Inf is NaN
    (as in PyTorch): put a harmless number in before the function as well, as below.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> x = Tensor([0.0, 4.0], requires_grad=True)
    >>> np.where(x > 0, np.sqrt(x), 0).sum().backward()
    >>> x.grad.tolist()
    [nan, 0.25]
    >>> x.grad = None
    >>> np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0).sum().backward()
    >>> x.grad.tolist()
    [0.0, 0.25]
    """
    chosen = np.array(condition, dtype=bool)  # a copy, since the user may change theirs before the backward pass
    out: Array = np.where(chosen, x, y)
    return out[()], chosen


# Python's operators, not NumPy's functions: on two NumPy scalars they take a tenth of the time.
add = pointwise(operator.add, name="add", x=lambda g: g, y=lambda g: g)
subtract = pointwise(operator.sub, name="subtract", x=lambda g: g, y=lambda g: -g)
multiply = pointwise(operator.mul, name="multiply", x=lambda g, y: g * y, y=lambda g, x: g * x)
divide = pointwise(operator.truediv, name="divide", x=lambda g, y: g / y, y=lambda g, y, out: -g * out / y)
negative = pointwise(operator.neg, name="negative", x=lambda g: -g)
positive = pointwise(np.positive, x=lambda g: g)


def power_base(g: Array, x: Array, y: Array) -> Array:
    if type(y) in PYTHON_NUMBERS:
        if y == 2:
            return g * (x + x)
        return g * (y * power(x, y - 1)) if y else keep(g, False)
    if y.dtype.kind == "u":  # one less than 0 is much
        y = y.astype(np.result_type(x.dtype, y.dtype))
    zero = y == 0
    if somewhere(zero):  # 0 * x**-1 is 0, but NaN where x is 0, or NaN itself
        zero = zero & ~(abs(plain(x)) >= np.finfo(x.dtype).tiny)
        return keep(g, ~zero) * (y * power(x, where(zero, 1, y) - 1))
    return g * (y * power(x, y - 1))


def power_exponent(g: Array, x: Array, y: Array, out: Array) -> Array:
    if x.__class__ in (int, float) and x > 0:
        return g * out * math.log(x)
    if out.dtype.kind == "c":
        x = x + 0j  # the logarithm of a negative number is a complex one
    zero = (x == 0) & (plain(y).real >= 0)
    some = somewhere(zero)
    if some:
        x = where(zero, 1.0, x)
    whole = type(x) not in PYTHON_NUMBERS and x.dtype.kind in "iub"
    logarithm = np.log(x.astype(out.dtype) if whole else x)  # of bytes NumPy would make float16
    return where(zero, 0.0, g * (out * logarithm)) if some else g * (out * logarithm)


@operation(x=power_base, y=power_exponent, elementwise=True)
def power(x: Array, y: Array) -> Array:
    """Raise `x` to the power `y`, element by element.

    The gradient of `y` is `out * log(x)`: 0 where `x` is 0 and `y` is not negative, NaN where `x` is negative, as in
    PyTorch. The gradient of `x` is 0 where `y` is 0, also at `0 ** 0`. With whole exponents it is finite for negative
    `x` too.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad.tolist()
    [-4.0, 0.0, 6.0]
    """
    if isinstance(x, np.ndarray) and y.__class__ in PYTHON_NUMBERS and y in (3, 4) and x.dtype.kind in "fc":
        squared = x * x  # NumPy's power takes a hundred times as long
        squared *= x if y == 3 else squared
        return squared
    return x**y


float_power = pointwise(np.float_power, x=power_base, y=power_exponent)
float_power.__doc__ = """NumPy's `float_power`: `power` in float64 at least, with its gradients."""

remainder = pointwise(operator.mod, name="remainder", x=lambda g: g, y=lambda g, x, y: -g * (plain(x) // plain(y)))
remainder.__doc__ = """The remainder `x - y * floor(x / y)`, as `%` has it.

The gradient of `y` is `-floor(x / y)`, also where `x` is a multiple of `y` and the result jumps.
"""

fmod = pointwise(np.fmod, x=lambda g: g, y=lambda g, x, y, out: -g * np.rint((plain(x) - plain(out)) / plain(y)))
fmod.__doc__ = """The remainder `x - y * trunc(x / y)`, with the sign of `x`.

The gradient of `y` is `-trunc(x / y)`.
"""

maximum = pointwise(np.maximum, x=lambda g, x, y: share(g, x, y, x < y), y=lambda g, x, y: share(g, x, y, y < x))
maximum.__doc__ = """The larger of two numbers; NaN where either is.

The gradient goes to the larger; a tie is shared equally. Where the result is NaN both get all of it, as in PyTorch.
"""

minimum = pointwise(np.minimum, x=lambda g, x, y: share(g, x, y, x > y), y=lambda g, x, y: share(g, x, y, y > x))
minimum.__doc__ = """The smaller of two numbers; NaN where either is. Gradients are as those of `maximum`."""

# A comparison with NaN is False, and only NaN differs from itself.
fmax = pointwise(
    np.fmax,
    x=lambda g, x, y: share(g, x, y, ~((x >= y) | (y != y))),
    y=lambda g, x, y: share(g, x, y, ~((y >= x) | (x != x))),
)
fmax.__doc__ = """The larger of two numbers, and of a number and NaN the number.

The gradient goes to the larger and never to a NaN beside a number. A tie is shared equally, so that on numbers `fmax`
is `maximum` in its gradients too (PyTorch's `fmax` gives a tie to `x`); of two NaN both get all of it.
"""

fmin = pointwise(
    np.fmin,
    x=lambda g, x, y: share(g, x, y, ~((x <= y) | (y != y))),
    y=lambda g, x, y: share(g, x, y, ~((y <= x) | (x != x))),
)
fmin.__doc__ = """The smaller of two numbers, and of a number and NaN the number. Gradients are as those of `fmax`."""

hypot = pointwise(np.hypot, x=lambda g, x, out: x * over_nonzero(g, out), y=lambda g, y, out: y * over_nonzero(g, out))
hypot.__doc__ = """The hypotenuse `sqrt(x**2 + y**2)`, without overflow.

At the origin, a kink, the gradients are 0, as those of `norm` (PyTorch's `hypot` has NaN there).
"""


def arctan2_x(g: Array, x: Array, y: Array) -> Array:
    radius = hypot(x, y)
    return over_nonzero(g * over_nonzero(y, radius), radius)


def arctan2_y(g: Array, x: Array, y: Array) -> Array:
    radius = hypot(x, y)
    return over_nonzero(-g * over_nonzero(x, radius), radius)


arctan2 = pointwise(np.arctan2, x=arctan2_x, y=arctan2_y)
arctan2.__doc__ = """The angle of the point with ordinate `x` and abscissa `y`, in NumPy's order of the two.

At the origin, where there is no angle, the gradients are 0, as in PyTorch.
"""


def part_of_sum(x: Array, out: Array, exp: np.ufunc) -> Array:
    """Return `exp(x - out)`, the part of `x` in a sum whose logarithm is `out`."""
    infinite = np.isinf(plain(out))
    if not somewhere(infinite):
        return exp(x - out)
    limit = np.where(plain(out) < 0, 0.5, plain(x) == plain(out))
    return where(infinite, limit, exp(where(infinite, 0.0, x) - where(infinite, 0.0, out)))


def logaddexp_x(g: Array, x: Array, out: Array) -> Array:
    return g * part_of_sum(x, out, np.exp)


def logaddexp_y(g: Array, y: Array, out: Array) -> Array:
    return g * part_of_sum(y, out, np.exp)


logaddexp = pointwise(np.logaddexp, x=logaddexp_x, y=logaddexp_y)
logaddexp.__doc__ = """The logarithm of `exp(x) + exp(y)`, without overflow.

The gradient is shared as the two exponentials are. Two of -Inf (two impossible events) share it equally, where PyTorch
has NaN, so that one impossible case does not spoil a sum; an input of +Inf gets all of it.
"""

logaddexp2 = pointwise(
    np.logaddexp2,
    x=lambda g, x, out: g * part_of_sum(x, out, np.exp2),
    y=lambda g, y, out: g * part_of_sum(y, out, np.exp2),
)
logaddexp2.__doc__ = (
    """The base-2 logarithm of `2**x + 2**y`, without overflow, with gradients as `logaddexp` has them."""
)

copysign = pointwise(
    np.copysign,
    x=lambda g, x, out: g * (np.sign(plain(x)) * np.sign(plain(out))),
    y=lambda g: keep(g, False),
)
copysign.__doc__ = """The magnitude of `x` with the sign of `y`.

The gradient of `x` is 1 or -1, and 0 where `x` is 0; that of `y` is 0 everywhere.
"""


def clip_x(g: Array, x: Array, min: Array, max: Array) -> Array:
    if min is None and max is None:
        return g
    if min is None:
        return keep(g, x <= max)
    return keep(g, x >= min if max is None else (x >= min) & (x <= max))


def clip_min(g: Array, x: Array, min: Array, max: Array) -> Array:
    return keep(g, x < min if max is None else (x < min) & (min < max))


def clip_max(g: Array, x: Array, min: Array, max: Array) -> Array:
    return keep(g, x > max if min is None else (x > max) | (max < min))


@operation(x=clip_x, min=clip_min, max=clip_max, elementwise=True)
def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """Limit `x` to the interval [`min`, `max`].

    Bounds are None (no bound), numbers, arrays or tensors, broadcast against `x`. The gradient goes to `x` inside the
    interval and at its bounds, and to a bound where `x` lies beyond it. Where `min` exceeds `max` the result is `max`,
    and there the gradient goes. Below two equal bounds it goes nowhere, as in PyTorch.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> x, top = Tensor([-1.0, 0.0, 2.0, 5.0], requires_grad=True), Tensor(2.0, requires_grad=True)
    >>> np.clip(x, 0, top).sum().backward()
    >>> x.grad.tolist(), top.grad.item()
    ([0.0, 1.0, 1.0, 0.0], 1.0)
    """
    return np.array(x)[()] if min is None and max is None else np.clip(x, min, max)
