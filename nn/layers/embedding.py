"""Embedding: a learned vector for each of a number of words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor, operation
from autograd.random import shared_generator
from nn import functional as F
from nn.layers.entry import integers, positive
from nn.module import Module
from nn.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


# Nothing happens to the values; the gradient of each row is divided.
by_frequency = operation(
    lambda x, counts: x, name="by_frequency", x=lambda g, counts: g / counts[..., None].astype(g.dtype), views=True
)


class Embedding(Module):
    """A table of learned vectors: the result for an integer i is row i of `weight`.

    The gradient of `weight` is one array, into which those of the rows that were looked up are added.

    Parameters
    ----------
    num_embeddings : how many rows.
    embedding_dim : how many numbers in each.
    padding_idx : a row that begins as 0 and never gets a gradient.
    max_norm, norm_type : where a row that is looked up is longer than `max_norm` in this norm, it is scaled down to it
        in place.
    scale_grad_by_freq : divide the gradient of a row by how often it was looked up.
    dtype : of the parameter, float32 if left out.

    `weight` is (num_embeddings, embedding_dim), drawn from the standard normal distribution.

    Raises
    ------
    TypeError : what is looked up is not integers.
    IndexError : it is not within 0, ..., num_embeddings - 1.

    Examples
    --------
    >>> import nn
    >>> words = nn.Embedding(10, 3)
    >>> words([[1, 2, 4], [4, 3, 9]]).shape
    (2, 3, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = positive(num_embeddings, "num_embeddings")
        self.embedding_dim = positive(embedding_dim, "embedding_dim")
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx {padding_idx} is not one of {num_embeddings} embeddings")
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        values = shared_generator().standard_normal((num_embeddings, embedding_dim))
        if padding_idx is not None:
            values[padding_idx] = 0
        self.weight = Parameter(values, dtype=np.float32 if dtype is None else dtype)

    def forward(self, input: Any) -> Tensor:
        words = integers(input)
        if words.size and not 0 <= words.min() <= words.max() < self.num_embeddings:
            raise IndexError(
                f"expected integers from 0 to {self.num_embeddings - 1}, got {words.min()} to {words.max()}"
            )
        if self.max_norm is not None:
            self._shorten(words)
        found = F.embedding(words, self.weight, self.padding_idx)
        if self.scale_grad_by_freq:
            found = by_frequency(found, np.bincount(words.ravel(), minlength=1)[words])
        return found

    def _shorten(self, words: Any) -> None:
        assert self.max_norm is not None
        rows = np.unique(words)
        values = self.weight.data[rows]
        norms = np.linalg.norm(values, self.norm_type, -1)
        if (norms > self.max_norm).any():
            values *= np.minimum(1, self.max_norm / (norms + 1e-7))[:, None].astype(values.dtype)
            self.weight.data[rows] = values
            self.weight.mark_overwritten()

    def extra_repr(self) -> str:
        options = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            options.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            options.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            options.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            options.append("scale_grad_by_freq=True")
        return ", ".join(options)
