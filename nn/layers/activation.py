"""Activation functions as modules; the functions themselves are operations of the engine, stable for any input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor, ops
from autograd.deferred import LARGE
from nn import functional as F
from nn.casting import given
from nn.layers.entry import check_last, entered, full, positive, uniform
from nn.module import Module, refused
from nn.unrecorded import Array, unrecorded

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def elementwise(activation: Any) -> Callable[[Any, Array], Array]:
    """Return what does to an array of some axes what an operation of the engine does to a tensor.

    Large ones are left to tensors, with which it goes in blocks.
    """
    forward = activation.operation.forward
    return lambda _, x: forward(x) if x.ndim and x.size < LARGE else NotImplemented


class InPlace(Module):
    """One that takes PyTorch's `inplace`, which has no effect here: results are always new."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        if not isinstance(inplace, (bool, np.bool_)):
            raise refused(self, f"inplace is True or False, not {inplace!r:.60}")
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    >>> import nn
    >>> nn.Sigmoid()([0.0, 2.0]).tolist()
    [0.5, 0.8808]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.sigmoid(given(input))


unrecorded(Sigmoid.forward)(elementwise(ops.sigmoid))


class Tanh(Module):
    """The hyperbolic tangent.

    >>> import nn
    >>> nn.Tanh()([0.0, 1.0]).tolist()
    [0.0, 0.7616]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.tanh(given(input))


unrecorded(Tanh.forward)(elementwise(ops.tanh))


class ReLU(InPlace):
    """max(x, 0). Its derivative at 0 is 0.

    >>> import nn
    >>> nn.ReLU()([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.relu(given(input))


unrecorded(ReLU.forward)(elementwise(ops.relu))


class LeakyReLU(InPlace):
    """x where it is positive, negative_slope * x elsewhere.

    >>> import nn
    >>> nn.LeakyReLU(0.1)([-1.0, 2.0]).tolist()
    [-0.1, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Tensor:
        return ops.leaky_relu(given(input), self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """x where it is positive, weight * x elsewhere, with a learned weight: one, or one a channel (axis 1).

    >>> import nn
    >>> nn.PReLU()([-4.0, 2.0]).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: DTypeLike | None = None) -> None:
        super().__init__()
        self.num_parameters = positive(num_parameters, "num_parameters")
        self.weight = full((num_parameters,), init, dtype)

    def forward(self, input: Any) -> Tensor:
        x = entered(input, self.weight)
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(InPlace):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere.

    >>> import nn
    >>> nn.ELU()([-1.0, 2.0]).tolist()
    [-0.6321, 2.0]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Any) -> Tensor:
        return ops.elu(given(input), self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(InPlace):
    """The self-normalising ELU, with its fixed scale and alpha.

    >>> import nn
    >>> nn.SELU()([-1.0, 1.0]).tolist()
    [-1.1113, 1.0507]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.selu(given(input))


class SiLU(InPlace):
    """x * sigmoid(x), also called swish.

    >>> import nn
    >>> nn.SiLU()([-1.0, 2.0]).tolist()
    [-0.2689, 1.7616]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.silu(given(input))


class Mish(InPlace):
    """x * tanh(softplus(x)) (Misra 2019, https://arxiv.org/abs/1908.08681).

    >>> import nn
    >>> nn.Mish()([-1.0, 2.0]).tolist()
    [-0.3034, 1.944]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.mish(given(input))


class GELU(Module):
    """x times the probability that a normal number is below x; approximate="tanh" is quicker, within 0.0005 of it.

    >>> import nn
    >>> nn.GELU()([-1.0, 2.0]).tolist()
    [-0.1587, 1.9545]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f'approximate is "none" or "tanh", not {approximate!r}')
        self.approximate = approximate

    def forward(self, input: Any) -> Tensor:
        return ops.gelu(given(input), self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, a smooth rectifier; x itself where beta * x exceeds `threshold`.

    >>> import nn
    >>> nn.Softplus()([0.0, 30.0]).tolist()
    [0.6931, 30.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Tensor:
        return ops.softplus(given(input), self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + |x|).

    >>> import nn
    >>> nn.Softsign()([-1.0, 3.0]).tolist()
    [-0.5, 0.75]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.softsign(given(input))


class AlongAxis(Module):
    """What `Softmax` and `LogSoftmax` share."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        if dim is not None and not isinstance(dim, (int, np.integer)):
            raise refused(self, f"dim is the number of an axis, not {dim!r:.60}")
        self.dim = dim

    def axis(self, x: Tensor) -> int:
        """Return the axis: PyTorch's own choice where none was given."""
        if self.dim is None:
            return 0 if x.ndim in (0, 1, 3) else 1
        if not -max(1, x.ndim) <= self.dim < max(1, x.ndim):
            raise ValueError(f"no axis {self.dim}")
        return self.dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(AlongAxis):
    """Exponentials divided by their sum along the axis `dim`.

    Left out, `dim` is axis 0 of one or three axes and axis 1 of others, as in PyTorch: better say it.

    >>> import nn
    >>> nn.Softmax(-1)([1e4, 1e4]).tolist()
    [0.5, 0.5]
    """

    def forward(self, input: Any) -> Tensor:
        x = given(input)
        axis = self.axis(x)
        return ops.softmax(x, axis) if x.ndim else ops.softmax(x, None)


class LogSoftmax(AlongAxis):
    """The logarithm of `Softmax`, accurate also where that is 0 in floating point.

    >>> import nn
    >>> nn.LogSoftmax(-1)([0.0, 1.0]).tolist()
    [-1.3133, -0.3133]
    """

    def forward(self, input: Any) -> Tensor:
        x = given(input)
        axis = self.axis(x)
        return ops.log_softmax(x, axis) if x.ndim else ops.log_softmax(x, None)


class LogSigmoid(Module):
    """log(sigmoid(x)), accurate also where the sigmoid is 0 in floating point.

    >>> import nn
    >>> nn.LogSigmoid()([0.0, -800.0]).tolist()
    [-0.6931, -800.0]
    """

    def forward(self, input: Any) -> Tensor:
        return ops.log_sigmoid(given(input))


class Hardtanh(InPlace):
    """x limited to [min_val, max_val]. The derivative at the bounds is 0.

    >>> import nn
    >>> nn.Hardtanh()([-3.0, 0.5, 3.0]).tolist()
    [-1.0, 0.5, 1.0]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        if not min_val < max_val:
            raise ValueError(f"min_val {min_val} is not below max_val {max_val}")
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, input: Any) -> Tensor:
        return ops.hardtanh(given(input), self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class Threshold(InPlace):
    """x where it is above `threshold`, `value` elsewhere: PyTorch's module of this name.

    >>> import nn
    >>> nn.Threshold(0.5, -1.0)([0.0, 0.5, 1.0]).tolist()
    [-1.0, -1.0, 1.0]
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def forward(self, input: Any) -> Tensor:
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


# Ours: the lectures' activations that PyTorch does not have.


class Step(Module):
    """1 where x > 0, else 0: the lectures' threshold unit. PyTorch has no such module.

    Its gradient is 0 everywhere, so nothing before it learns.

    >>> import nn
    >>> nn.Step()([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 1.0]
    """

    def forward(self, input: Any) -> Tensor:
        return F.step(given(input))


class Maxout(Module):
    """The largest of several dense layers: max over j of x @ w_j + b_j. PyTorch has no such module.

    Parameters
    ----------
    in_features, out_features : the sizes of the last axis of input and result.
    pieces : how many layers the maximum is taken of.
    bias : whether they have one.
    dtype : of the parameters, float32 if left out.

    `weight` is (out_features * pieces, in_features), the pieces of one unit after each other, and `bias`
    (out_features * pieces,); they begin as those of `Linear`. Equal largest ones share the gradient.

    Examples
    --------
    >>> import nn
    >>> nn.Maxout(3, 4, pieces=2)([[1.0, 2.0, 3.0]]).shape
    (1, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pieces: int = 2,
        bias: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in_features = positive(in_features, "in_features")
        self.out_features = positive(out_features, "out_features")
        self.pieces = positive(pieces, "pieces")
        bound = 1 / math.sqrt(in_features)
        self.weight = uniform((out_features * pieces, in_features), bound, dtype)
        self.bias = uniform((out_features * pieces,), bound, dtype) if bias else None

    def forward(self, input: Any) -> Tensor:
        x = entered(input, self.weight)
        check_last(x, self.in_features)
        return F.maxout(F.linear(x, self.weight, self.bias), self.pieces)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, pieces={self.pieces}, "
            f"bias={self.bias is not None}"
        )

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        return int(result.size) * self.pieces * self.in_features


class RadialBasis(Module):
    """Squared distances to learned centres: z_j = Σ_i (x_i - w_ji)². PyTorch has no such module.

    Parameters
    ----------
    in_features, out_features : the sizes of the last axis of input and result.
    dtype : of the parameter, float32 if left out.

    `weight` is (out_features, in_features), a centre a row, drawn from U[-1, 1].

    Examples
    --------
    >>> import nn
    >>> layer = nn.RadialBasis(2, 1)
    >>> layer.weight.data[...] = [[1.0, 2.0]]
    >>> layer([[1.0, 4.0]]).tolist()
    [[4.0]]
    """

    def __init__(self, in_features: int, out_features: int, *, dtype: DTypeLike | None = None) -> None:
        super().__init__()
        self.in_features = positive(in_features, "in_features")
        self.out_features = positive(out_features, "out_features")
        self.weight = uniform((out_features, in_features), 1.0, dtype)

    def forward(self, input: Any) -> Tensor:
        x = entered(input, self.weight)
        check_last(x, self.in_features)
        return F.radial_basis(x, self.weight)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        return int(result.size) * self.in_features
