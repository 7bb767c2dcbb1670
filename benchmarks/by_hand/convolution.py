"""Convolution and max pooling.

A batch is held in blocks of images, and within a block the rows are outermost: (blocks, height, n, width, channels), or
(blocks, channels, height, n, width) where channels are few. Seen from a kernel of 3 rows, its three taps in one column
are then the same matrix some rows later: its input is unrolled 3 times, not 9, and a convolution is a sum of three
matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from benchmarks.by_hand.dense import keep_positive, rectify
from benchmarks.by_hand.flat import Flat

Array = Any
Sizes = tuple[int, ...]


class Scratch:
    """Arrays to work in, one of each kind. They begin as zeros."""

    def __init__(self) -> None:
        self.arrays: dict[Any, Array] = {}

    def array(self, *kind: Any, dtype: Any = np.float32) -> Array:
        """Return the array of this kind: any words, and behind them its shape."""
        found = self.arrays.get(kind)
        if found is None:
            found = self.arrays[kind] = np.zeros([size for size in kind if not isinstance(size, str)], dtype)
        return found


scratch = Scratch()


def for_each(work: Callable[[int], None], blocks: int) -> None:
    """Do the work of each block."""
    for block in range(blocks):
        work(block)


def block_shape(count: int, size: int) -> tuple[int, int]:
    """Return in how many blocks of how many images a batch is held: blocks of `size` if it can be divided so."""
    return (count // size, size) if count % size == 0 else (1, count)


class FirstConvolution:
    """A convolution of images as they come, (N, C, H, W), with few channels: all of each window is unrolled.

    The result has channels last, or first; its size is that of the images.
    """

    def __init__(
        self,
        flat: Flat,
        name: str,
        shape: Sizes,
        blocks: tuple[int, int],
        padding: int,
        last: bool,
        relu: bool = True,
        bias: bool = True,
    ) -> None:
        count, channels, height, width = shape
        self.blocks, n = blocks
        self.last = last
        _, _, k, _ = flat.state[f"{name}.weight"].shape
        weight, to_weight = flat.hold(f"{name}.weight", (1, 2, 3, 0) if last else None)
        numbers = channels * k * k
        out = len(flat.state[f"{name}.weight"])
        matrix = (numbers, out) if last else (out, numbers)
        self.weight, self.to_weight = weight.reshape(matrix), to_weight.reshape(matrix)
        self.bias: Array = None
        self.to_bias: Array = None
        if bias:
            self.bias, self.to_bias = flat.hold(f"{name}.bias")
        places = height * n * width
        padded = np.zeros((count, channels, height + 2 * padding, width + 2 * padding), np.float32)
        inside = padded[:, :, padding : padding + height, padding : padding + width]
        self.inside = inside.reshape(self.blocks, n, channels, height, width)
        strides = padded.strides
        self.windows = as_strided(
            padded,
            (self.blocks, channels, k, k, height, n, width),
            (n * strides[0], strides[1], *strides[2:], strides[2], strides[0], strides[3]),
        )
        self.columns = np.empty((self.blocks, numbers, places), np.float32)
        self.out = np.empty((self.blocks, places, out) if last else (self.blocks, out, places), np.float32)
        self.shape_out = (self.blocks, height, n, width, out) if last else (self.blocks, out, height, n, width)
        self.zeros = np.zeros(self.out.shape[1:], np.float32) if relu else None
        self.row = np.empty(width * out, np.float32)
        self.ones = np.ones(places, np.float32)
        self.to_weights = np.empty((self.blocks, *matrix), np.float32)
        self.to_biases = np.empty((self.blocks, out), np.float32)
        self.to_x: Array = None  # nothing is asked of it

    def prepare(self) -> None:
        """Spread the bias over a row of an image."""
        if self.bias is not None and self.last:
            self.row.reshape(-1, len(self.bias))[...] = self.bias

    def forward(self, x: Array) -> Array:
        self.prepare()
        for_each(lambda block: self.forward_block(x, block), self.blocks)
        return self.out.reshape(self.shape_out)

    def forward_block(self, x: Array, block: int) -> None:
        windows, columns, out = self.windows[block], self.columns[block], self.out[block]
        self.inside[block] = x.reshape(self.inside.shape)[block]
        np.copyto(columns.reshape(windows.shape), windows)
        if self.last:
            np.matmul(columns.T, self.weight, out=out)
        else:
            np.matmul(self.weight, columns, out=out)
        if self.bias is not None:
            if self.last:
                rows = out.reshape(-1, self.row.size)
                rows += self.row
            else:
                out += self.bias[:, None]
        if self.zeros is not None:
            rectify(out, self.zeros)

    def turn(self) -> None:
        """There is no kernel to turn: the gradient goes no further."""

    def backward(self, g: Array) -> None:
        g = g.reshape(self.out.shape)
        for_each(lambda block: self.backward_block(g, None, block), self.blocks)
        self.settle()

    def backward_block(self, g: Array, x: Array, block: int) -> None:
        columns, sent = self.columns[block], g[block]
        if self.last:
            np.matmul(columns, sent, out=self.to_weights[block])
        else:
            np.matmul(sent, columns.T, out=self.to_weights[block])
        if self.bias is not None:
            np.matmul(self.ones, sent if self.last else sent.T, out=self.to_biases[block])

    def settle(self) -> None:
        """Add up the gradients of the blocks."""
        np.sum(self.to_weights, axis=0, out=self.to_weight)
        if self.bias is not None:
            np.sum(self.to_biases, axis=0, out=self.to_bias)


class ConvolutionOfRows:
    """A convolution without padding, with ReLU behind it, of few channels: they come first.

    The input is unrolled along its columns only, and a convolution is a product for each row of the kernel.
    """

    def __init__(self, flat: Flat, name: str, shape: Sizes) -> None:
        self.blocks, channels, height, n, width = shape
        out, _, k, _ = flat.state[f"{name}.weight"].shape
        weight, to_weight = flat.hold(f"{name}.weight", (2, 0, 1, 3))
        self.weight, self.to_weight = (array.reshape(k, out, channels * k) for array in (weight, to_weight))
        self.bias, self.to_bias = flat.hold(f"{name}.bias")
        self.k, self.n, self.rows, self.width = k, n, height - k + 1, width - k + 1
        self.places = self.rows * n * self.width
        self.columns = np.empty((self.blocks, channels, k, height, n, self.width), np.float32)
        self.out = np.empty((self.blocks, out, self.places), np.float32)
        self.shape_out = (self.blocks, out, self.rows, n, self.width)
        self.zeros = np.zeros(self.out.shape[1:], np.float32)
        self.ones = np.ones(self.places, np.float32)
        self.to_x = np.empty(shape, np.float32)
        self.to_weights = np.empty((self.blocks, *self.weight.shape), np.float32)
        self.to_biases = np.empty((self.blocks, out), np.float32)

    def taps(self, columns: Array) -> list[Array]:
        """Return what lies under each row of the kernel."""
        matrix = columns.reshape(self.weight.shape[2], -1)
        line = self.n * self.width
        return [matrix[:, i * line : i * line + self.places] for i in range(self.k)]

    def forward(self, x: Array) -> Array:
        for_each(lambda block: self.forward_block(x, block), self.blocks)
        return self.out.reshape(self.shape_out)

    def forward_block(self, x: Array, block: int) -> None:
        columns, out = self.columns[block], self.out[block]
        for j in range(self.k):
            columns[:, j] = x[block, ..., j : j + self.width]
        term = scratch.array("term", *out.shape)
        for i, tap in enumerate(self.taps(columns)):
            np.matmul(self.weight[i], tap, out=term if i else out)
            if i:
                out += term
        out += self.bias[:, None]
        rectify(out, self.zeros)

    def backward(self, g: Array) -> Array:
        g = g.reshape(self.out.shape)
        for_each(lambda block: self.backward_block(g[block], block), self.blocks)
        np.sum(self.to_weights, axis=0, out=self.to_weight)
        np.sum(self.to_biases, axis=0, out=self.to_bias)
        return self.to_x

    def backward_block(self, g: Array, block: int) -> None:
        columns = self.columns[block]
        term = scratch.array("sent", self.weight.shape[2], self.places)
        taps = self.taps(columns)
        for i, tap in enumerate(taps):
            np.matmul(g, tap.T, out=self.to_weights[block, i])
        np.matmul(g, self.ones, out=self.to_biases[block])
        columns[...] = 0  # from here on it is its own gradient
        for i, tap in enumerate(taps):
            np.matmul(self.weight[i].T, g, out=term)
            tap += term
        to_x = self.to_x[block]
        to_x[...] = 0
        for j in range(self.k):
            to_x[..., j : j + self.width] += columns[:, j]


class Convolution:
    """A 3x3 convolution with padding 1 of many channels, which come last."""

    def __init__(
        self, flat: Flat, name: str, shape: Sizes, relu: bool = True, bias: bool = True, rectified: bool = False
    ) -> None:
        """Hold the parameters. `rectified` is an input that came through a ReLU, and whose gradient is cut here."""
        self.blocks, height, n, width, channels = shape
        out = len(flat.state[f"{name}.weight"])
        self.kernel, self.to_kernel = flat.hold(f"{name}.weight", (2, 3, 1, 0))  # (3, 3, channels, out)
        self.weight = self.kernel.reshape(3, 3 * channels, out)
        self.turned = np.empty((3, 3, out, channels), np.float32)
        self.bias: Array = None
        self.to_bias: Array = None
        if bias:
            self.bias, self.to_bias = flat.hold(f"{name}.bias")
        self.places = height * n * width
        self.unrolled = (height + 2, n, width, 3, channels)
        self.unrolled_back = (height + 2, n, width, 3, out)
        self.shape_out = (*shape[:4], out)
        self.out = np.empty(self.shape_out, np.float32)
        self.x: Array = None
        self.zeros = np.zeros((self.places, out), np.float32) if relu else None
        self.rectified = rectified
        self.row = np.empty(width * out, np.float32)
        self.ones = np.ones(self.places, np.float32)
        self.to_x = np.empty(shape, np.float32)
        self.to_weights = np.empty((self.blocks, 3, channels, 3, out), np.float32)
        self.to_biases = np.empty((self.blocks, out), np.float32)

    def taps(self, x: Array, shape: Sizes) -> list[Array]:
        """Unroll a block along its columns, and return what lies under each row of the kernel.

        Three neighbours lie together, so all but the edges is one copy of overlapping pieces. What lies under the
        padding stays zero from the start.
        """
        height, n, width, channels = x.shape
        columns = scratch.array("columns", *shape)
        middle = columns[1:-1]
        neighbours = as_strided(x, (height, n, width - 2, 3, channels), (*x.strides[:3], *x.strides[2:]))
        np.copyto(middle[:, :, 1:-1], neighbours)
        middle[:, :, 0, 1:] = x[:, :, :2]
        middle[:, :, -1, :2] = x[:, :, -2:]
        return [columns[i : i + height].reshape(self.places, 3 * channels) for i in range(3)]

    def prepare(self) -> None:
        """Spread the bias over a row of an image."""
        if self.bias is not None:
            self.row.reshape(-1, len(self.bias))[...] = self.bias

    def forward(self, x: Array) -> Array:
        self.x = x
        self.prepare()
        for_each(lambda block: self.forward_block(x, block), self.blocks)
        return self.out

    def forward_block(self, x: Array, block: int) -> None:
        out = self.out[block].reshape(self.places, -1)
        add_products(self.taps(x[block], self.unrolled), self.weight, out)
        if self.bias is not None:
            rows = out.reshape(-1, self.row.size)
            rows += self.row
        if self.zeros is not None:
            rectify(out, self.zeros)

    def backward(self, g: Array) -> Array:
        self.turn()
        for_each(lambda block: self.backward_block(g, self.x, block), self.blocks)
        self.settle()
        return self.to_x

    def turn(self) -> None:
        """Turn the kernel round: what takes the gradient back is a convolution with that."""
        self.turned[...] = self.kernel[::-1, ::-1].swapaxes(2, 3)

    def backward_block(self, g: Array, x: Array, block: int) -> None:
        """Send the gradient of a block back. The unrolled gradient serves both the input's and the weight's."""
        taps = self.taps(g[block], self.unrolled_back)
        images = x[block].reshape(self.places, -1)
        for i, tap in enumerate(taps):
            np.matmul(images.T, tap, out=self.to_weights[block, i].reshape(images.shape[1], -1))
        if self.bias is not None:
            np.matmul(self.ones, g[block].reshape(self.places, -1), out=self.to_biases[block])
        to_x = self.to_x[block].reshape(self.places, -1)
        add_products(taps, self.turned.reshape(3, -1, images.shape[1]), to_x)
        if self.rectified:
            keep_positive(to_x, images, scratch.array("mask", *to_x.shape, dtype=bool))

    def settle(self) -> None:
        """Add up the gradients of the blocks, and turn them round as well."""
        self.to_kernel[...] = self.to_weights.sum(axis=0).transpose(0, 2, 1, 3)[::-1, ::-1]
        if self.bias is not None:
            np.sum(self.to_biases, axis=0, out=self.to_bias)


def add_products(taps: list[Array], weight: Array, out: Array) -> None:
    """Write the sum of the products of taps and the rows of a kernel."""
    term = scratch.array("term", *out.shape)
    for i, tap in enumerate(taps):
        np.matmul(tap, weight[i], out=term if i else out)
        if i:
            out += term


class StridedConvolution:
    """A convolution with stride 2, without bias, of many channels, which come last: 3x3 with padding 1, or 1x1."""

    def __init__(self, flat: Flat, name: str, shape: Sizes) -> None:
        self.blocks, height, n, width, _ = shape
        out, _, self.k, _ = flat.state[f"{name}.weight"].shape
        weight, to_weight = flat.hold(f"{name}.weight", (2, 3, 1, 0))
        self.weight, self.to_weight = (array.reshape(-1, out) for array in (weight, to_weight))
        self.half = (height // 2, n, width // 2)
        self.shape_out = (self.blocks, *self.half, out)
        self.out = np.empty(self.shape_out, np.float32)
        self.to_x = np.empty(shape, np.float32)
        self.to_weights = np.empty((self.blocks, *self.weight.shape), np.float32)

    def prepare(self) -> None:
        """There is no bias to spread."""

    def turn(self) -> None:
        """There is nothing to turn: gradients are added in where the windows lay."""

    def pairs(self, x: Array, columns: Array) -> list[tuple[Array, Array]]:
        """Return, for each place in the kernel, the part of a block under it and where that lies in the columns."""
        if self.k == 1:
            return [(x[::2, :, ::2], columns[..., 0, 0, :])]
        # The windows that have a place on the image, and there: above and left of the first window is padding.
        spans = [(slice(1, None), slice(1, -1, 2)), (slice(None), slice(0, None, 2)), (slice(None), slice(1, None, 2))]
        return [
            (x[rows, :, places], columns[windows, :, along, i, j])
            for i, (windows, rows) in enumerate(spans)
            for j, (along, places) in enumerate(spans)
        ]

    def columns(self, x: Array) -> Array:
        columns = scratch.array("strided", *self.half, self.k, self.k, x.shape[-1])
        for under, column in self.pairs(x, columns):
            np.copyto(column, under)
        return columns.reshape(-1, len(self.weight))

    def forward_block(self, x: Array, block: int) -> None:
        np.matmul(self.columns(x[block]), self.weight, out=self.out[block].reshape(-1, self.out.shape[-1]))

    def backward_block(self, g: Array, x: Array, block: int) -> None:
        sent = g[block].reshape(-1, g.shape[-1])
        np.matmul(self.columns(x[block]).T, sent, out=self.to_weights[block])
        spread = scratch.array("spread", *self.half, self.k, self.k, x.shape[-1])
        np.matmul(sent, self.weight.T, out=spread.reshape(len(sent), -1))
        to_x = self.to_x[block]
        to_x[...] = 0
        for under, column in self.pairs(to_x, spread):
            under += column

    def settle(self) -> None:
        np.sum(self.to_weights, axis=0, out=self.to_weight)


class MaxPool:
    """The largest of each 2x2 window of what came through a ReLU; of equal ones the first gets the gradient.

    Neighbours in a row are compared first, then rows, so that "first" is as one reads.
    """

    def __init__(self, shape: Sizes, last: bool) -> None:
        """Take the layout: channels last, or first."""
        if last:
            blocks, height, n, width, inner = shape
            outer = height // 2
            self.shape_out: Sizes = (blocks, height // 2, n, width // 2, inner)
        else:
            blocks, channels, height, n, width = shape
            outer, inner = channels * height // 2, 1
            self.shape_out = (blocks, channels, height // 2, n, width // 2)
        self.blocks = blocks
        self.windows = (blocks, outer, 2, n * width // 2, 2, inner)
        self.rows = np.empty((blocks, outer, 2, n * width // 2, inner), np.float32)
        self.to_rows = np.empty_like(self.rows)
        self.out = np.empty((blocks, outer, n * width // 2, inner), np.float32)
        self.mask = np.empty(self.rows.shape, bool)
        self.to_x = np.empty(shape, np.float32)
        self.x: Array = None

    def forward(self, x: Array) -> Array:
        self.x = x.reshape(self.windows)
        for_each(self.forward_block, self.blocks)
        return self.out.reshape(self.shape_out)

    def forward_block(self, block: int) -> None:
        x, rows = self.x[block], self.rows[block]
        np.maximum(x[..., 0, :], x[..., 1, :], out=rows)
        np.maximum(rows[:, 0], rows[:, 1], out=self.out[block])

    def backward(self, g: Array) -> Array:
        """Send back a gradient, which is cut where the ReLU did so: a quarter of the work it would be before."""
        g = g.reshape(self.out.shape)
        for_each(lambda block: self.backward_block(g[block], block), self.blocks)
        return self.to_x

    def backward_block(self, g: Array, block: int) -> None:
        x, rows, top = self.x[block], self.rows[block], self.out[block]
        sent, mask = self.to_rows[block], self.mask[block]
        to_x = self.to_x[block].reshape(x.shape)
        keep_positive(g, top, mask[:, 0])
        np.equal(rows[:, 0], top, out=mask[:, 0])
        np.multiply(g, mask[:, 0], out=sent[:, 0])
        np.subtract(g, sent[:, 0], out=sent[:, 1])
        np.equal(x[..., 0, :], rows, out=mask)
        np.multiply(sent, mask, out=to_x[..., 0, :])
        np.subtract(sent, to_x[..., 0, :], out=to_x[..., 1, :])


class Rows:
    """Images as rows for a dense layer: one image after another, and in each the axes in the order they had."""

    def __init__(self, shape: Sizes, last: bool) -> None:
        self.axes = (0, 2, 1, 3, 4) if last else (0, 3, 1, 2, 4)
        split = [shape[axis] for axis in self.axes]
        self.split = np.empty(split, np.float32)
        self.out = self.split.reshape(split[0] * split[1], -1)
        self.to_x = np.empty(shape, np.float32)

    def forward(self, x: Array) -> Array:
        self.split[...] = x.transpose(self.axes)
        return self.out

    def backward(self, g: Array) -> Array:
        self.to_x.transpose(self.axes)[...] = g.reshape(self.split.shape)
        return self.to_x


class Average:
    """The average of each channel of an image, channels last."""

    def __init__(self, shape: Sizes) -> None:
        self.blocks, self.height, self.n, self.width, self.channels = shape
        self.to_x = np.empty(shape, np.float32)

    def forward(self, x: Array) -> Array:
        return x.mean(axis=(1, 3)).reshape(-1, self.channels)

    def backward(self, g: Array) -> Array:
        share = g.reshape(self.blocks, 1, self.n, 1, self.channels) / np.float32(self.height * self.width)
        self.to_x[...] = share
        return self.to_x
