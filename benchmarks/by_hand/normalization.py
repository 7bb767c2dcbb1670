"""Batch norm behind a convolution, and layer norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.by_hand.convolution import Convolution, FirstConvolution, StridedConvolution, for_each, scratch
from benchmarks.by_hand.dense import keep_positive, rectify
from benchmarks.by_hand.flat import Flat

EPS, MOMENTUM = 1e-5, 0.1
Array = Any


class Normalized:
    """A convolution, batch norm over its result, and if wanted a shortcut to add and ReLU behind that.

    The statistics of a block are taken as soon as it is convolved, and its gradient goes from the norm to the
    convolution while it is in cache. Sums over rows are products with ones: a tenth of the time of `sum`.
    """

    def __init__(
        self, flat: Flat, name: str, convolution: Convolution | FirstConvolution | StridedConvolution, relu: bool = True
    ) -> None:
        self.convolution = convolution
        self.weight, self.to_weight = flat.hold(f"{name}.weight")
        self.bias, self.to_bias = flat.hold(f"{name}.bias")
        self.channels = len(self.weight)
        self.z = convolution.out.reshape(convolution.blocks, -1, self.channels)
        self.blocks, self.places, _ = self.z.shape
        self.count = self.blocks * self.places
        self.out = np.empty(convolution.shape_out, np.float32)
        self.relu = relu
        self.zeros, self.ones = np.zeros(self.z.shape[1:], np.float32), np.ones(self.places, np.float32)
        self.sums, self.squares = (np.empty((self.blocks, self.channels), np.float32) for _ in range(2))
        self.mean, self.deviation = (np.empty(self.channels, np.float32) for _ in range(2))
        self.running_mean, self.running_var = np.zeros_like(self.mean), np.ones_like(self.mean)
        self.wide = convolution.shape_out[3] * self.channels  # a row of an image
        self.x: Array = None

    def row(self, name: str, numbers: Array) -> Array:
        """Return a number for each channel, repeated along a row of an image: loops over that are not short."""
        row = scratch.array(name, self.wide)
        row.reshape(-1, self.channels)[...] = numbers
        return row

    def rows(self, block: Array) -> Array:
        return block.reshape(-1, self.wide)

    def forward(self, x: Array, shortcut: Array = None) -> Array:
        self.x = x
        self.convolution.prepare()
        for_each(self.convolve, self.blocks)
        means = self.sums / np.float32(self.places)
        np.mean(means, axis=0, out=self.mean)
        means -= self.mean
        var = self.squares.sum(axis=0) + np.float32(self.places) * np.square(means).sum(axis=0)
        self.running_mean += np.float32(MOMENTUM) * (self.mean - self.running_mean)
        self.running_var += np.float32(MOMENTUM) * (var / np.float32(self.count - 1) - self.running_var)
        np.sqrt(var / np.float32(self.count) + np.float32(EPS), out=self.deviation)
        scale = self.weight / self.deviation
        shift = self.bias - scale * self.mean
        for_each(lambda block: self.normalize(block, scale, shift, shortcut), self.blocks)
        return self.out

    def convolve(self, block: int) -> None:
        """Convolve a block; sum its numbers, and the squares of what they differ from their own mean."""
        self.convolution.forward_block(self.x, block)
        z = self.z[block]
        np.matmul(self.ones, z, out=self.sums[block])
        centered = scratch.array("centered", *z.shape)
        row = self.row("means", self.sums[block] / np.float32(self.places))
        np.subtract(self.rows(z), row, out=self.rows(centered))
        np.square(centered, out=centered)
        np.matmul(self.ones, centered, out=self.squares[block])

    def normalize(self, block: int, scale: Array, shift: Array, shortcut: Array) -> None:
        out = self.rows(self.out[block])
        np.multiply(self.rows(self.z[block]), self.row("scale", scale), out=out)
        out += self.row("shift", shift)
        if shortcut is not None:
            out += self.rows(shortcut[block])
        if self.relu:
            rectify(out, self.rows(self.zeros))

    def backward(self, g: Array, more: Array = None) -> Array:
        """Return the gradient of the input, with `more` added to it. The gradient is cut where the ReLU did so."""
        for_each(lambda block: self.gather(g, block), self.blocks)
        self.sums.sum(axis=0, out=self.to_bias)
        np.divide(self.squares.sum(axis=0), self.deviation, out=self.to_weight)
        by_g = self.weight / self.deviation
        by_z = -by_g * self.to_weight / (self.deviation * np.float32(self.count))
        constant = -by_g * self.to_bias / np.float32(self.count)
        self.convolution.turn()
        for_each(lambda block: self.send(g, block, by_g, by_z, constant, more), self.blocks)
        self.convolution.settle()
        return self.convolution.to_x

    def gather(self, g: Array, block: int) -> None:
        """Centre a block in place, and sum its gradient and the product of both."""
        sent, z = g[block].reshape(self.places, -1), self.z[block]
        product = scratch.array("centered", *z.shape)
        if self.relu:
            keep_positive(sent, self.out[block].reshape(sent.shape), scratch.array("mask", *sent.shape, dtype=bool))
        rows = self.rows(z)
        rows -= self.row("means", self.mean)
        np.multiply(sent, z, out=product)
        np.matmul(self.ones, sent, out=self.sums[block])
        np.matmul(self.ones, product, out=self.squares[block])

    def send(self, g: Array, block: int, by_g: Array, by_z: Array, constant: Array, more: Array) -> None:
        """Turn a block into its gradient, and send that through the convolution."""
        z = self.rows(self.z[block])
        term = self.rows(scratch.array("centered", *self.z.shape[1:]))
        z *= self.row("scale", by_z)
        z += self.row("shift", constant)
        np.multiply(self.rows(g[block]), self.row("means", by_g), out=term)
        z += term
        self.convolution.backward_block(self.convolution.out, self.x, block)
        if more is not None:
            self.convolution.to_x[block] += more[block]


class LayerNorm:
    """Layer norm of rows."""

    def __init__(self, flat: Flat, name: str, rows: int) -> None:
        self.weight, self.to_weight = flat.hold(f"{name}.weight")
        self.bias, self.to_bias = flat.hold(f"{name}.bias")
        width = len(self.weight)
        self.hat, self.out, self.to_x, self.term = (np.empty((rows, width), np.float32) for _ in range(4))
        self.deviation = np.empty((rows, 1), np.float32)
        self.average = np.full((width, 1), 1 / width, np.float32)
        self.ones = np.ones(rows, np.float32)

    def forward(self, x: Array) -> Array:
        np.subtract(x, x @ self.average, out=self.hat)
        var = np.vecdot(self.hat, self.hat)[:, None] / np.float32(self.hat.shape[1])
        np.sqrt(var + np.float32(EPS), out=self.deviation)
        self.hat *= 1 / self.deviation
        np.multiply(self.hat, self.weight, out=self.out)
        self.out += self.bias
        return self.out

    def backward(self, g: Array) -> Array:
        np.matmul(self.ones, g, out=self.to_bias)
        np.multiply(g, self.hat, out=self.term)
        np.matmul(self.ones, self.term, out=self.to_weight)
        np.multiply(g, self.weight, out=self.to_x)
        shared = np.vecdot(self.to_x, self.hat)[:, None] / np.float32(self.hat.shape[1])
        self.to_x -= self.to_x @ self.average
        np.multiply(self.hat, shared, out=self.term)
        self.to_x -= self.term
        self.to_x *= 1 / self.deviation
        return self.to_x
