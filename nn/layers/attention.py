"""Attention: weighted means of values, with weights from products of queries and keys; and the transformer's layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor, operation, ops
from autograd.operation import Array
from nn import functional as F
from nn import init
from nn.casting import given
from nn.layers.dropout import Dropout
from nn.layers.entry import constant, entered, full, positive, probability
from nn.layers.linear import Linear
from nn.layers.normalization import LayerNorm
from nn.module import Module
from nn.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def split(x: Array, heads: int) -> Array:
    """Return (N, L, E) in heads (N, heads, L, E / heads)."""
    return x.reshape(*x.shape[:2], heads, x.shape[-1] // heads).swapaxes(1, 2)


def in_heads_rule(g: list[Array], needs: tuple[bool, ...]) -> tuple[Array]:
    n, heads, length, size = g[0].shape
    sent = np.empty((n, length, 3, heads, size), g[0].dtype)
    for i, part in enumerate(g):
        sent[:, :, i] = part.swapaxes(1, 2)
    return (sent.reshape(n, length, 3 * heads * size),)


def in_heads_composed(x: Array, heads: int) -> tuple[Array, ...]:
    size = x.shape[-1] // 3
    return tuple(split(x[..., i * size : (i + 1) * size], heads) for i in range(3))


@operation(name="heads", inputs=("x",), joint=in_heads_rule, composed=in_heads_composed, outputs=(True, True, True))
def in_heads(x: Array, heads: int) -> tuple[Array, ...]:
    """Return the three thirds of (N, L, 3E) in heads (N, heads, L, E / heads).

    Their gradients are written side by side. To add each into zeros took a transformer's layer 1.03 times as long.
    """
    return in_heads_composed(x, heads)


class MultiheadAttention(Module):
    """Attention with several heads, each on its own projections of query, key and value.

    Parameters
    ----------
    embed_dim : the size of query and result.
    num_heads : how many heads; each works on embed_dim / num_heads numbers.
    dropout : the probability of dropping each weight while training.
    bias : whether the projections have one.
    add_bias_kv : attend to one more key and value, which are learned.
    add_zero_attn : attend to one more key and value of zeros.
    kdim, vdim : the sizes of key and value, `embed_dim` if left out.
    batch_first : whether the batch is axis 0: (N, L, E) rather than (L, N, E).
    dtype : of the parameters, float32 if left out.

    `in_proj_weight` is (3 * embed_dim, embed_dim): those of query, key and value; where `kdim` or `vdim` differ there
    are `q_proj_weight`, `k_proj_weight` and `v_proj_weight` instead.

    Examples
    --------
    >>> import nn, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(2, 5, 8))
    >>> result, weights = nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> result.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.embed_dim = positive(embed_dim, "embed_dim")
        self.num_heads = positive(num_heads, "num_heads")
        if embed_dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide embed_dim {embed_dim}")
        self.kdim = embed_dim if kdim is None else positive(kdim, "kdim")
        self.vdim = embed_dim if vdim is None else positive(vdim, "vdim")
        self.dropout = probability(dropout, "dropout")
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight: Parameter | None = init.xavier_uniform_(full((3 * embed_dim, embed_dim), 0.0, dtype))
        else:
            self.in_proj_weight = None
            self.q_proj_weight = init.xavier_uniform_(full((embed_dim, embed_dim), 0.0, dtype))
            self.k_proj_weight = init.xavier_uniform_(full((embed_dim, self.kdim), 0.0, dtype))
            self.v_proj_weight = init.xavier_uniform_(full((embed_dim, self.vdim), 0.0, dtype))
        self.in_proj_bias = full((3 * embed_dim,), 0.0, dtype) if bias else None
        more = (1, 1, embed_dim)
        self.bias_k = init.xavier_normal_(full(more, 0.0, dtype)) if add_bias_kv else None
        self.bias_v = init.xavier_normal_(full(more, 0.0, dtype)) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data[...] = 0

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend.

        Parameters
        ----------
        query, key, value : (L, N, E), (S, N, kdim), (S, N, vdim), with `batch_first` (N, L, E)...; or without a batch.
        key_padding_mask : (N, S): booleans, where True is not attended to, or numbers to add.
        need_weights : return the weights too, else None.
        attn_mask : (L, S) or (N * num_heads, L, S): booleans, where True is not attended to (the contrary of
            `scaled_dot_product_attention`, as in PyTorch), or numbers to add.
        average_attn_weights : return the mean of the weights over the heads, (N, L, S), not all (N, num_heads, L, S).
        is_causal : a hint that `attn_mask` is causal, which has no effect; the mask must be given.
        """
        like = self.out_proj.weight
        q, k, v = (entered(x, like) for x in (query, key, value))
        single = q.ndim == 2
        if not (q.ndim == k.ndim == v.ndim) or q.ndim not in (2, 3):
            raise ValueError(f"expected query, key and value of 3 axes (or 2), got {q.ndim}, {k.ndim} and {v.ndim}")
        if is_causal and attn_mask is None:
            raise ValueError("is_causal=True is a hint: pass the mask as attn_mask too")
        for x, size, name in ((q, self.embed_dim, "query"), (k, self.kdim, "key"), (v, self.vdim, "value")):
            if x.shape[-1] != size:
                raise ValueError(f"expected a {name} of {size} features, got {x.shape[-1]}")
        if single:
            q, k, v = (x.reshape(1, *x.shape) for x in (q, k, v))
        elif not self.batch_first:
            same = key is query, value is key
            q = q.swapaxes(0, 1)
            k = q if same[0] else k.swapaxes(0, 1)
            v = k if same[1] else v.swapaxes(0, 1)
        if k.shape[:2] != v.shape[:2] or k.shape[0] != q.shape[0]:
            raise ValueError(f"expected one batch, and as many keys as values, got {q.shape}, {k.shape} and {v.shape}")
        self_attention = (query is key and key is value) or (q is k and k is v)
        mask = self.merged(attn_mask, key_padding_mask, q, k)
        q, k, v = self.projected(q, k, v, self_attention)
        if self.bias_k is not None and self.bias_v is not None:
            k, v = self.with_row(k, self.bias_k), self.with_row(v, self.bias_v)
        if self.add_zero_attn:
            zeros = constant(np.zeros((1, 1, self.embed_dim), k.dtype))
            k, v = self.with_row(k, zeros), self.with_row(v, zeros)
        if mask is not None:
            more = k.shape[2] - mask.shape[-1]
            mask = ops.pad(mask, (*((0, 0),) * (mask.ndim - 1), (0, more)))
        scores = (q * (1 / math.sqrt(self.head_dim))) @ k.mT
        weights = F.softmax(scores) if mask is None else F.masked_softmax(scores, mask, "attn_mask")
        weights = F.dropout(weights, self.dropout, self.training)
        result = weights @ v
        result = self.out_proj(result.swapaxes(1, 2).reshape(len(q), q.shape[2], self.embed_dim))
        if single:
            result = result[0]
        elif not self.batch_first:
            result = result.swapaxes(0, 1)
        if not need_weights:
            return result, None
        if average_attn_weights:
            weights = weights.mean(axis=1)
        return result, weights[0] if single else weights

    def projected(self, q: Tensor, k: Tensor, v: Tensor, same: bool) -> tuple[Tensor, ...]:
        """Return the projections of query, key and value, in heads; of one product where they are the same."""
        e = self.embed_dim
        if same and self.in_proj_weight is not None:
            found: tuple[Tensor, ...] = in_heads(F.linear(q, self.in_proj_weight, self.in_proj_bias), self.num_heads)
            return found
        if self.in_proj_weight is None:
            matrices: Any = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        else:
            matrices = [self.in_proj_weight[i * e : (i + 1) * e] for i in range(3)]
        bias = self.in_proj_bias
        return tuple(
            split(F.linear(x, matrix, None if bias is None else bias[i * e : (i + 1) * e]), self.num_heads)
            for i, (x, matrix) in enumerate(zip((q, k, v), matrices, strict=True))
        )

    def with_row(self, x: Tensor, row: Tensor) -> Tensor:
        """Return keys or values in heads with one more (1, 1, E) behind them."""
        rows = split(ops.broadcast_to(row, (len(x), 1, self.embed_dim)), self.num_heads)
        found: Tensor = ops.concatenate([x, rows], 2)
        return found

    def merged(self, attn_mask: Any, padding: Any, q: Tensor, k: Tensor) -> Tensor | None:
        """Return both masks as one of numbers to add, which broadcasts to (N, num_heads, L, S)."""
        n, length, size = len(q), q.shape[1], k.shape[1]
        found = None
        if attn_mask is not None:
            found = additive(attn_mask, q)
            if found.ndim == 3 and found.shape[0] == n * self.num_heads:
                found = found.reshape(n, self.num_heads, *found.shape[1:])
            if found.shape[-2:] != (length, size) or found.ndim not in (2, 4):
                raise ValueError(
                    f"expected attn_mask {(length, size)} or {(n * self.num_heads, length, size)}, got "
                    f"{given(attn_mask).shape}"
                )
        if padding is None:
            return found
        hidden = additive(padding, q)
        if hidden.ndim == 1 and n == 1:
            hidden = hidden.reshape(1, -1)
        if hidden.shape != (n, size):
            raise ValueError(f"expected key_padding_mask {(n, size)}, got {hidden.shape}")
        hidden = hidden.reshape(n, 1, 1, size)
        return hidden if found is None else found + hidden

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        # The projections of query, key and value, and the two products of attention; out_proj counts itself.
        if not args:  # called by keywords, which are not told
            args = (result[0],)
        query, key, value = (np.shape(x.data if isinstance(x, Tensor) else x) for x in (*args, *args[:1] * 2)[:3])
        n = math.prod(query[:-1])
        m, e = math.prod(key[:-1]), self.embed_dim
        length = key[-2 if self.batch_first or len(key) == 2 else 0]
        return n * e * e + m * e * (key[-1] + value[-1]) + 2 * n * length * e


def additive(mask: Any, like: Tensor) -> Tensor:
    """Return a mask as numbers to add: -inf where a boolean one is True."""
    F.refuse_integers(mask, "attention")
    mask = given(mask)
    if mask.dtype.kind == "b":
        return constant(np.where(mask.data, -np.inf, 0).astype(like.dtype))
    return entered(mask, like)


ACTIVATIONS: dict[str, Callable[[Any], Tensor]] = {"relu": ops.relu, "gelu": ops.gelu}


class TransformerEncoderLayer(Module):
    """Self-attention and a small dense net on each position, each with a shortcut around it and a layer norm.

    Parameters
    ----------
    d_model : the size of input and result.
    nhead : how many heads of attention.
    dim_feedforward : the size of the hidden layer of the dense net.
    dropout : the probability of dropping, while training.
    activation : of the dense net: "relu", "gelu", or a function of a tensor.
    layer_norm_eps : added to the variance.
    batch_first : whether the batch is axis 0: (N, L, E) rather than (L, N, E).
    norm_first : normalise what enters each part, not what comes out of each sum.
    bias : whether all parts have one.
    dtype : of the parameters, float32 if left out.

    Examples
    --------
    >>> import nn, numpy as np
    >>> layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(np.zeros((2, 5, 8))).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Tensor] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ValueError(f"activation is 'relu', 'gelu' or a function, not {activation!r}")
        self.activation = activation

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """Take (L, N, E), with `batch_first` (N, L, E), or (L, E) to that shape; masks as `MultiheadAttention`."""
        x = entered(src, self.linear1.weight)

        def attention(x: Tensor) -> Tensor:
            found, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, True, is_causal)
            return self.dropout1(found)

        def dense(x: Tensor) -> Tensor:
            function = ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation
            return self.dropout2(self.linear2(self.dropout(function(self.linear1(x)))))

        if self.norm_first:
            x = x + attention(self.norm1(x))
            return x + dense(self.norm2(x))
        x = self.norm1(x + attention(x))
        return self.norm2(x + dense(x))
