"""Layers of matrix products, and those that only change shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from autograd import Tensor, ops
from nn import functional as F
from nn.casting import given
from nn.layers.entry import check_last, entered, positive, uniform
from nn.module import Module, refused
from nn.unrecorded import Array, unrecorded

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

PRODUCT: Final = F.product.operation.forward


class Linear(Module):
    """A dense layer: x @ weight.T + bias.

    Parameters
    ----------
    in_features, out_features : the sizes of the last axis of input and result; others may precede it.
    bias : whether there is one.
    dtype : of the parameters, float32 if left out.

    `weight` is (out_features, in_features) and `bias` (out_features,), both drawn from U[-1/√n, 1/√n], n = in_features.

    Examples
    --------
    >>> import nn
    >>> nn.Linear(3, 2)([[1.0, 2.0, 3.0]]).shape
    (1, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__()
        self.in_features = positive(in_features, "in_features")
        self.out_features = positive(out_features, "out_features")
        bound = 1 / math.sqrt(in_features)
        self.weight = uniform((out_features, in_features), bound, dtype)
        self.bias = uniform((out_features,), bound, dtype) if bias else None

    def forward(self, input: Any) -> Tensor:
        weight = self.weight
        x = entered(input, weight)
        check_last(x, self.in_features)
        result: Tensor = F.product(x, weight, self.bias)
        return result

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        return int(result.size) * self.in_features


@unrecorded(Linear.forward)
def linear_of_array(layer: Linear, x: Array) -> Array:
    weight, bias = layer.weight._array, layer.bias
    if x.shape[-1:] != (layer.in_features,) or x.dtype != weight.dtype:
        return NotImplemented
    return PRODUCT(x, weight, None if bias is None else bias._array)


class Bilinear(Module):
    """A form in two inputs: result[o] = x1 @ weight[o] @ x2 + bias[o].

    Parameters
    ----------
    in1_features, in2_features, out_features : the sizes of the last axes of the inputs and the result.
    bias : whether there is one.
    dtype : of the parameters, float32 if left out.

    `weight` is (out_features, in1_features, in2_features).

    Examples
    --------
    >>> import nn
    >>> nn.Bilinear(2, 3, 4)([[1.0, 2.0]], [[1.0, 2.0, 3.0]]).shape
    (1, 4)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.in1_features = positive(in1_features, "in1_features")
        self.in2_features = positive(in2_features, "in2_features")
        self.out_features = positive(out_features, "out_features")
        bound = 1 / math.sqrt(in1_features)
        self.weight = uniform((out_features, in1_features, in2_features), bound, dtype)
        self.bias = uniform((out_features,), bound, dtype) if bias else None

    def forward(self, input1: Any, input2: Any) -> Tensor:
        x, y = entered(input1, self.weight), entered(input2, self.weight)
        check_last(x, self.in1_features)
        check_last(y, self.in2_features)
        if x.shape[:-1] != y.shape[:-1]:
            raise ValueError(f"expected inputs that differ in their last axis only, got {x.shape} and {y.shape}")
        return F.bilinear(x, y, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        return int(result.size) * (self.in1_features + 1) * self.in2_features


class Identity(Module):
    """Returns its input. It takes any arguments, so that it can stand for any layer.

    >>> import nn
    >>> nn.Identity()([1.0, 2.0])
    [1.0, 2.0]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return given(input) if isinstance(input, np.ndarray) else input


class Flatten(Module):
    """Make one axis of those from `start_dim` to `end_dim`: all but the first, if left out.

    >>> import nn, numpy as np
    >>> nn.Flatten()(np.zeros((2, 3, 4, 4))).shape
    (2, 48)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        if not isinstance(start_dim, (int, np.integer)):
            raise refused(self, f"start_dim is the number of an axis, not {start_dim!r:.60}")
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Tensor:
        x = given(input)
        ndim = max(1, x.ndim)
        if not (-ndim <= self.start_dim < ndim and -ndim <= self.end_dim < ndim):
            raise ValueError(f"no axes from {self.start_dim} to {self.end_dim}")
        start, end = self.start_dim % ndim, self.end_dim % ndim
        if start > end:
            raise ValueError(f"axis {self.start_dim} comes after axis {self.end_dim}")
        return ops.reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


@unrecorded(Flatten.forward)
def flatten_of_array(layer: Flatten, x: Array) -> Array:
    if (layer.start_dim, layer.end_dim) != (1, -1) or x.ndim < 2:
        return NotImplemented
    return x.reshape(len(x), math.prod(x.shape[1:]))


class Unflatten(Module):
    """Make several axes of the axis `dim`; one of their sizes may be -1.

    >>> import nn, numpy as np
    >>> nn.Unflatten(1, (3, -1))(np.zeros((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(int(n) for n in unflattened_size)

    def forward(self, input: Any) -> Tensor:
        x = given(input)
        if not -x.ndim <= self.dim < x.ndim:
            raise ValueError(f"no axis {self.dim}")
        axis, sizes = self.dim % x.ndim, list(self.unflattened_size)
        if sizes.count(-1) == 1:
            known = -math.prod(sizes)
            sizes[sizes.index(-1)] = x.shape[axis] // known if known else 0
        if min(sizes, default=1) < 0 or math.prod(sizes) != x.shape[axis]:
            raise ValueError(f"axis {self.dim} of size {x.shape[axis]} cannot become {self.unflattened_size}")
        return ops.reshape(x, (*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
