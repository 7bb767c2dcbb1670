"""Dropout: while training, numbers are zeroed at random and the others scaled up by 1 / (1 - p)."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from nn import functional as F
from nn.casting import given
from nn.layers.entry import probability
from nn.module import Module
from nn.unrecorded import Array, unrecorded


class Dropout(Module):
    """Zero each number with probability `p` while training, and scale the others up by 1 / (1 - p).

    In evaluation it does nothing. The shared generator draws: see `autograd.manual_seed`.

    Parameters
    ----------
    p : the probability.
    inplace : has no effect here; results are always new.

    Examples
    --------
    >>> import autograd, nn
    >>> _ = autograd.manual_seed(0)
    >>> nn.Dropout(0.5)([1.0, 2.0, 3.0, 4.0]).tolist()
    [2.0, 4.0, 6.0, 0.0]
    >>> nn.Dropout(0.5).eval()([1.0, 2.0]).tolist()
    [1.0, 2.0]
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = probability(p)
        self.inplace = inplace

    def forward(self, input: Any) -> Tensor:
        return F.dropout(given(input), self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


@unrecorded(Dropout.forward)
def dropout_of_array(layer: Dropout, x: Array) -> Array:
    return NotImplemented if layer.training else x


class Dropout2d(Dropout):
    """Zero each channel of images (N, C, H, W) or (C, H, W) with probability `p` while training; scale up the others.

    >>> import nn, numpy as np
    >>> channels = nn.Dropout2d()(np.ones((4, 3, 5, 5))).numpy()
    >>> sorted({float(channel.mean()) for image in channels for channel in image} | {0.0, 2.0})
    [0.0, 2.0]
    """

    def forward(self, input: Any) -> Tensor:
        return F.dropout2d(given(input), self.p, self.training)
