"""Self-attention of several heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.by_hand.flat import Flat

Array = Any


class Attention:
    """Queries, keys and values by one product; weights by softmax; and a product that mixes the heads.

    The weights lie with keys in the rows and queries in the columns, so that the maximum of a softmax is that of rows:
    it takes half the time.
    """

    def __init__(self, flat: Flat, name: str, sequences: int, length: int, heads: int) -> None:
        self.in_weight, self.to_in_weight = flat.hold(f"{name}.in_proj_weight")
        self.in_bias, self.to_in_bias = flat.hold(f"{name}.in_proj_bias")
        self.out_weight, self.to_out_weight = flat.hold(f"{name}.out_proj.weight")
        self.out_bias, self.to_out_bias = flat.hold(f"{name}.out_proj.bias")
        width = len(self.out_weight)
        rows, size = sequences * length, width // heads
        self.qkv, self.to_qkv = (np.empty((rows, 3 * width), np.float32) for _ in range(2))
        self.mixed, self.to_mixed, self.out, self.to_x = (np.empty((rows, width), np.float32) for _ in range(4))
        self.q, self.k, self.v = self.by_head(self.qkv, sequences, length, heads)
        self.to_q, self.to_k, self.to_v = self.by_head(self.to_qkv, sequences, length, heads)
        (self.seen,) = self.by_head(self.mixed, sequences, length, heads)
        (self.to_seen,) = self.by_head(self.to_mixed, sequences, length, heads)
        self.weights, self.to_weights, self.term = (
            np.empty((sequences, heads, length, length), np.float32) for _ in range(3)
        )
        self.scale = np.float32(size**-0.5)
        self.length_ones, self.ones = np.ones((1, length), np.float32), np.ones(rows, np.float32)
        self.x: Array = None

    def by_head(self, rows: Array, sequences: int, length: int, heads: int) -> tuple[Array, ...]:
        """Return views (sequences, heads, length, size) of the parts of rows, which are as wide as the layer."""
        parts = rows.shape[1] // len(self.out_weight)
        return tuple(rows.reshape(sequences, length, parts, heads, -1).transpose(2, 0, 3, 1, 4))

    def forward(self, x: Array) -> Array:
        self.x = x
        np.matmul(x, self.in_weight.T, out=self.qkv)
        self.qkv += self.in_bias
        self.attend()
        np.matmul(self.mixed, self.out_weight.T, out=self.out)
        self.out += self.out_bias
        return self.out

    def attend(self) -> None:
        weights = self.weights
        np.matmul(self.k, self.q.swapaxes(-1, -2), out=weights)
        weights *= self.scale
        weights -= weights.max(axis=-2, keepdims=True)
        np.exp(weights, out=weights)
        weights *= 1 / (self.length_ones @ weights)
        np.matmul(weights.swapaxes(-1, -2), self.v, out=self.seen)

    def backward(self, g: Array) -> Array:
        np.matmul(g.T, self.mixed, out=self.to_out_weight)
        np.matmul(self.ones, g, out=self.to_out_bias)
        np.matmul(g, self.out_weight, out=self.to_mixed)
        self.attend_back()
        np.matmul(self.to_qkv.T, self.x, out=self.to_in_weight)
        np.matmul(self.ones, self.to_qkv, out=self.to_in_bias)
        np.matmul(self.to_qkv, self.in_weight, out=self.to_x)
        return self.to_x

    def attend_back(self) -> None:
        weights, sent, term, to_seen = self.weights, self.to_weights, self.term, self.to_seen
        np.matmul(weights, to_seen, out=self.to_v)
        np.matmul(self.v, to_seen.swapaxes(-1, -2), out=sent)
        np.multiply(weights, sent, out=term)
        sent -= self.length_ones @ term
        sent *= weights
        sent *= self.scale
        np.matmul(sent, self.q, out=self.to_k)
        np.matmul(sent.swapaxes(-1, -2), self.k, out=self.to_q)
