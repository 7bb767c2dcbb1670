"""Batch normalisation folded into the layer before it, for prediction."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np

from nn.layers.convolution import Conv1d, Conv2d, ConvTransposeNd
from nn.layers.linear import Linear
from nn.layers.normalization import BatchNorm
from nn.module import Module
from nn.parameter import Parameter

__all__ = ["fuse"]

M = TypeVar("M", bound=Module)


def fuse(layer: M, norm: BatchNorm) -> M:
    """Return one layer that computes what `norm(layer(x))` does in evaluation; both are left as they are.

    In evaluation batch norm is y = γ/√(D + ε) · x + (β - γE/√(D + ε)), with E and D the running mean and variance: a
    factor for each row of the layer's weight, and a change of its bias.

    Parameters
    ----------
    layer : a Linear, Conv1d, Conv2d, ConvTranspose1d or ConvTranspose2d.
    norm : the BatchNorm that follows it.

    Raises
    ------
    ValueError : one of them is in training mode; their channels differ; `norm` has no running statistics.
    TypeError : another kind of layer.

    Examples
    --------
    >>> import nn, numpy as np
    >>> conv, norm = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)
    >>> x = np.random.default_rng(0).normal(size=(4, 3, 6, 6))
    >>> _ = norm(conv(x))
    >>> fused = nn.fuse(conv.eval(), norm.eval())
    >>> bool(abs(fused(x).numpy() - norm(conv(x)).numpy()).max() < 1e-6)
    True
    """
    if not isinstance(layer, (Linear, Conv1d, Conv2d, ConvTransposeNd)):
        raise TypeError(f"fuse: expected a Linear or a convolution, got {type(layer).__name__}")
    if not isinstance(norm, BatchNorm):
        raise TypeError(f"fuse: expected a BatchNorm, got {type(norm).__name__}")
    if layer.training or norm.training:
        raise ValueError("fuse: call eval() on both first; in training mode batch norm uses the batch")
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("fuse: the batch norm has no running statistics (track_running_stats=False)")
    weight: Any = layer.weight.data
    # A transposed convolution has its results in the second axis, those of one group of channels at a time.
    groups = layer.groups if isinstance(layer, ConvTransposeNd) else 1
    channels = weight.shape[1] * groups if isinstance(layer, ConvTransposeNd) else weight.shape[0]
    if channels != norm.num_features:
        raise ValueError(f"fuse: the layer has {channels} channels, the batch norm {norm.num_features}")
    scale = 1 / np.sqrt(norm.running_var.data.astype(np.float64) + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.data
    before = 0.0 if layer.bias is None else layer.bias.data
    shift = (before - norm.running_mean.data) * scale + (0.0 if norm.bias is None else norm.bias.data)
    if isinstance(layer, ConvTransposeNd):
        split = weight.reshape(groups, -1, *weight.shape[1:]) * scale.reshape(groups, 1, -1, *(1,) * layer.axes)
        scaled = split.reshape(weight.shape)
    else:
        scaled = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    fused = copy.deepcopy(layer)
    fused.weight = Parameter(scaled, layer.weight.requires_grad, weight.dtype)
    fused.bias = Parameter(shift, layer.weight.requires_grad, weight.dtype)
    return fused
