"""Normalisation: batch, layer and group norm, and AlexNet's local response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from autograd import Tensor
from nn import functional as F
from nn.casting import given
from nn.layers.entry import check_channels, entered, full, positive
from nn.module import Module

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class BatchNorm(Module):
    """What `BatchNorm1d` and `BatchNorm2d` share."""

    ndims: ClassVar[tuple[int, ...]]
    layouts: ClassVar[str]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_features = positive(num_features, "num_features")
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = full((num_features,), 1.0, dtype) if affine else None
        self.bias = full((num_features,), 0.0, dtype) if affine and bias else None
        dtype = np.float32 if dtype is None else dtype
        tracked = track_running_stats
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, dtype)) if tracked else None)
        self.register_buffer("running_var", Tensor(np.ones(num_features, dtype)) if tracked else None)
        self.register_buffer("num_batches_tracked", Tensor(np.int64(0)) if tracked else None)

    def forward(self, input: Any) -> Tensor:
        like = self.weight if self.weight is not None else self.running_mean
        x = given(input) if like is None else entered(input, like)
        if x.ndim not in self.ndims:
            raise ValueError(f"expected {self.layouts}, got {x.ndim} axes")
        check_channels(x, self.num_features)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.data = self.num_batches_tracked.data + np.int64(1)
            if self.momentum is None:
                momentum = 1 / int(self.num_batches_tracked.data)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, momentum, self.eps
        )

    def reset_running_stats(self) -> None:
        """Forget what was seen: mean 0, variance 1, no batches."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.data[...] = 0
            self.running_var.data[...] = 1
            self.num_batches_tracked.data = np.int64(0)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm):
    """Normalise each feature of (N, C), or channel of (N, C, L), over the batch; see `BatchNorm2d`.

    >>> import nn
    >>> nn.BatchNorm1d(2, eps=0.0)([[1.0, 10.0], [3.0, 20.0]]).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    ndims = (2, 3)
    layouts = "(N, C) or (N, C, L)"


class BatchNorm2d(BatchNorm):
    """Normalise each channel of images (N, C, H, W) over the batch, then scale by `weight` and add `bias`.

    While training, mean and variance are those of the batch, and the gradient takes into account that they depend on
    the input. In evaluation they are running averages: running = (1 - momentum) * running + momentum * that of the
    batch, with the variance divided by the count less one.

    Parameters
    ----------
    num_features : C.
    eps : added to the variance.
    momentum : of the running averages; None for the mean over all batches.
    affine : whether there are a weight (1 at first) and a bias (0).
    track_running_stats : whether there are running averages; without, evaluation too uses the batch.
    bias : with `affine`, whether there is a bias.
    dtype : of parameters and averages, float32 if left out.

    Raises
    ------
    ValueError : another number of axes or channels; one number a channel while training.

    Examples
    --------
    >>> import nn, numpy as np
    >>> norm = nn.BatchNorm2d(3)
    >>> y = norm(np.random.default_rng(0).normal(5, 2, (8, 3, 4, 4))).numpy()
    >>> bool(abs(y.mean()) < 1e-5), bool(abs(y.std() - 1) < 1e-3), norm.num_batches_tracked.item()
    (True, True, 1)
    """

    ndims = (4,)
    layouts = "(N, C, H, W)"


class LayerNorm(Module):
    """Normalise each example over its last axes, then scale by `weight` and add `bias`.

    Parameters
    ----------
    normalized_shape : the sizes of these axes, or of the last one.
    eps : added to the variance.
    elementwise_affine : whether there are a weight (1 at first) and a bias (0), both of `normalized_shape`.
    bias : with `elementwise_affine`, whether there is a bias.
    dtype : of the parameters, float32 if left out.

    Examples
    --------
    >>> import nn
    >>> nn.LayerNorm(2, eps=0.0)([[1.0, 3.0], [2.0, 6.0]]).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        shape = normalized_shape if isinstance(normalized_shape, Sequence) else (normalized_shape,)
        self.normalized_shape = tuple(positive(n, "normalized_shape") for n in shape)
        if not self.normalized_shape:
            raise ValueError("normalized_shape has at least one axis")
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = full(self.normalized_shape, 1.0, dtype) if elementwise_affine else None
        self.bias = full(self.normalized_shape, 0.0, dtype) if elementwise_affine and bias else None

    def forward(self, input: Any) -> Tensor:
        x = given(input) if self.weight is None else entered(input, self.weight)
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalise each example over groups of its channels, then scale each channel by `weight` and add `bias`.

    Parameters
    ----------
    num_groups, num_channels : (N, num_channels, ...) is normalised in that many groups of neighbouring channels: 1 is
        layer norm over all, `num_channels` instance norm.
    eps : added to the variance.
    affine : whether there are a weight (1 at first) and a bias (0), one number a channel.
    bias : with `affine`, whether there is a bias.
    dtype : of the parameters, float32 if left out.

    Examples
    --------
    >>> import nn, numpy as np
    >>> nn.GroupNorm(2, 4)(np.zeros((3, 4, 8, 8))).shape
    (3, 4, 8, 8)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_groups = positive(num_groups, "num_groups")
        self.num_channels = positive(num_channels, "num_channels")
        if num_channels % num_groups:
            raise ValueError(f"{num_groups} groups do not divide {num_channels} channels")
        self.eps = eps
        self.affine = affine
        self.weight = full((num_channels,), 1.0, dtype) if affine else None
        self.bias = full((num_channels,), 0.0, dtype) if affine and bias else None

    def forward(self, input: Any) -> Tensor:
        x = given(input) if self.weight is None else entered(input, self.weight)
        if x.ndim < 2:
            raise ValueError(f"expected (N, C, ...), got {x.ndim} axes")
        check_channels(x, self.num_channels)
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divide each number by a power of the mean square of its neighbours in the channels around it, as AlexNet does.

    x / (k + alpha * mean(x²))^beta, where the mean is over `size` channels and beyond the first and last one are zeros.

    Parameters
    ----------
    size : how many channels: size // 2 before the channel itself, the others from it on.
    alpha, beta, k : the constants of the formula.

    Examples
    --------
    >>> import nn
    >>> nn.LocalResponseNorm(1, alpha=3.0, beta=1.0)([[[1.0], [2.0]]]).tolist()
    [[[0.25], [0.1538...]]]
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = positive(size, "size")
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Any) -> Tensor:
        return F.local_response_norm(given(input), self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
