"""The nets of the benchmarks, put together of layers with their passes written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.by_hand.attention import Attention
from benchmarks.by_hand.convolution import (
    Average,
    Convolution,
    ConvolutionOfRows,
    FirstConvolution,
    MaxPool,
    Rows,
    StridedConvolution,
    block_shape,
)
from benchmarks.by_hand.dense import Dense, SoftmaxCrossEntropy, SquaredError
from benchmarks.by_hand.flat import Adam, Flat, Momentum, training
from benchmarks.by_hand.normalization import LayerNorm, Normalized
from benchmarks.by_hand.recurrent import GRU, LSTM, Recurrent
from benchmarks.race import Work

Array = Any
State = Mapping[str, Array]
RATE, MOMENTUM = 0.01, 0.9
# Images in a block: larger ones are quicker, until their unrolled windows outgrow the caches.
LENET_BLOCK, VGG_BLOCK, RESNET_BLOCK = 32, 8, 16


def chained(layers: Sequence[Any], x: Array) -> Array:
    """Return what layers make of `x`, one after another."""
    for layer in layers:
        x = layer.forward(x)
    return x


def classifier(flat: Flat, layers: Sequence[Any], x: Array, y: Array, optimizer: Any) -> Work:
    """Return the work of training layers, the last of which gives the scores of ten classes."""
    loss = SoftmaxCrossEntropy(y, 10)

    def passes() -> float:
        g = chained(layers, x)
        found = loss.turn(g)
        for layer in reversed(layers):
            g = layer.backward(g)
        return found

    return training(flat, passes, optimizer)


def inference(flat: Flat, layers: Sequence[Any], x: Array) -> Work:
    """Return the work of a forward pass."""
    flat.start()
    return Work(lambda: chained(layers, x), lambda: [chained(layers, x)])


def momentum(flat: Flat) -> Momentum:
    return Momentum(flat, RATE, MOMENTUM)


# An MLP


def mlp_layers(flat: Flat, rows: int) -> list[Any]:
    return [
        Dense(flat, "0", rows, relu=True, root=True),
        Dense(flat, "2", rows, relu=True, rectified=True),
        Dense(flat, "4", rows, rectified=True),
    ]


def mlp(x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    layers = mlp_layers(flat, len(x))
    return classifier(flat, layers, x, y, Adam(flat, 1e-3))


def mlp_inference(x: Array, state: State) -> Work:
    flat = Flat(state)
    return inference(flat, mlp_layers(flat, len(x)), x)


# Convolutional nets


def lenet_layers(flat: Flat, shape: tuple[int, ...]) -> list[Any]:
    first = FirstConvolution(flat, "0", shape, block_shape(shape[0], LENET_BLOCK), padding=2, last=False)
    first_pool = MaxPool(first.shape_out, last=False)
    second = ConvolutionOfRows(flat, "3", first_pool.shape_out)
    second_pool = MaxPool(second.shape_out, last=False)
    return [
        first,
        first_pool,
        second,
        second_pool,
        Rows(second_pool.shape_out, last=False),
        Dense(flat, "7", shape[0], relu=True),
        Dense(flat, "9", shape[0], relu=True, rectified=True),
        Dense(flat, "11", shape[0], rectified=True),
    ]


def lenet(x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    layers = lenet_layers(flat, x.shape)
    return classifier(flat, layers, x, y, momentum(flat))


def lenet_inference(x: Array, state: State) -> Work:
    flat = Flat(state)
    return inference(flat, lenet_layers(flat, x.shape), x)


def vgg(x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    first = FirstConvolution(flat, "0", x.shape, block_shape(len(x), VGG_BLOCK), padding=1, last=True)
    second = Convolution(flat, "2", first.shape_out, rectified=True)
    first_pool = MaxPool(second.shape_out, last=True)
    third = Convolution(flat, "5", first_pool.shape_out)
    fourth = Convolution(flat, "7", third.shape_out, rectified=True)
    second_pool = MaxPool(fourth.shape_out, last=True)
    rows = Rows(second_pool.shape_out, last=True)
    dense = Dense(flat, "11", len(x), images=(64, 8, 8))
    layers = [first, second, first_pool, third, fourth, second_pool, rows, dense]
    return classifier(flat, layers, x, y, momentum(flat))


class ResidualBlock:
    """Two convolutions with norms, and a shortcut around them: the input itself, or its projection."""

    def __init__(self, flat: Flat, name: str, shape: tuple[int, ...]) -> None:
        self.projection: Normalized | None = None
        convolution: Any
        if f"{name}.downsample.0.weight" in flat.state:
            convolution = StridedConvolution(flat, f"{name}.conv1", shape)
            projection = StridedConvolution(flat, f"{name}.downsample.0", shape)
            self.projection = Normalized(flat, f"{name}.downsample.1", projection, relu=False)
        else:
            convolution = Convolution(flat, f"{name}.conv1", shape, relu=False, bias=False)
        self.first = Normalized(flat, f"{name}.bn1", convolution)
        second = Convolution(flat, f"{name}.conv2", convolution.shape_out, relu=False, bias=False)
        self.second = Normalized(flat, f"{name}.bn2", second)
        self.shape_out = second.shape_out

    def forward(self, x: Array) -> Array:
        shortcut = x if self.projection is None else self.projection.forward(x)
        return self.second.forward(self.first.forward(x), shortcut)

    def backward(self, g: Array) -> Array:
        inner = self.second.backward(g)  # which cuts g, where its ReLU did so, for the shortcut too
        return self.first.backward(inner, g if self.projection is None else self.projection.backward(g))


def resnet20(x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    blocks = block_shape(len(x), RESNET_BLOCK)
    first = FirstConvolution(flat, "conv1", x.shape, blocks, padding=1, last=True, relu=False, bias=False)
    layers: list[Any] = [Normalized(flat, "bn1", first)]
    shape = first.shape_out
    for stage in (1, 2, 3):
        for block in range(3):
            layers.append(ResidualBlock(flat, f"layer{stage}.{block}", shape))
            shape = layers[-1].shape_out
    layers += [Average(shape), Dense(flat, "fc", len(x))]
    return classifier(flat, layers, x, y, momentum(flat))


# Recurrent nets


def recurrent(layer: type[Recurrent], x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    steps, batch, _ = x.shape
    layers = [layer(flat, "rnn", steps, batch), Dense(flat, "fc", batch)]
    return classifier(flat, layers, x, y, momentum(flat))


def lstm(x: Array, y: Array, state: State) -> Work:
    return recurrent(LSTM, x, y, state)


def gru(x: Array, y: Array, state: State) -> Work:
    return recurrent(GRU, x, y, state)


# Embedding and attention


class SkipGram:
    """An embedding and a dense layer without bias; it takes its own plain steps.

    The gradient of the embedding is that of the rows that were looked up, and only these are stepped.
    """

    def __init__(self, flat: Flat, indices: Array, labels: Array, rate: float) -> None:
        self.table, self.to_table = flat.hold("0.weight")
        self.weight, self.to_weight = flat.hold("1.weight")
        self.indices, self.rate = indices, np.float32(rate)
        self.h, self.to_h = (np.empty((len(indices), self.table.shape[1]), np.float32) for _ in range(2))
        self.scores = np.empty((len(indices), len(self.weight)), np.float32)
        self.loss = SoftmaxCrossEntropy(labels, len(self.weight))

    def passes(self) -> float:
        np.take(self.table, self.indices, axis=0, out=self.h, mode="clip")  # another mode works on a copy of `out`
        np.matmul(self.h, self.weight.T, out=self.scores)
        loss = self.loss.turn(self.scores)
        np.matmul(self.scores.T, self.h, out=self.to_weight)
        np.matmul(self.scores, self.weight, out=self.to_h)
        return loss

    def passes_for_all(self) -> float:
        """Write out the gradient of the whole embedding too."""
        loss = self.passes()
        self.to_table[...] = 0
        np.add.at(self.to_table, self.indices, self.to_h)
        return loss

    def start(self) -> None:
        """Nothing is remembered between steps."""

    def step(self) -> None:
        self.to_weight *= self.rate
        np.subtract(self.weight, self.to_weight, out=self.weight)
        self.to_h *= self.rate
        np.subtract.at(self.table, self.indices, self.to_h)


def word2vec(x: Array, y: Array, state: State) -> Work:
    flat = Flat(state)
    net = SkipGram(flat, x, y, 0.1)
    _, numbers, start = training(flat, net.passes_for_all, net)

    def run() -> None:
        net.passes()
        net.step()

    return Work(run, numbers, start)


def transformer(x: Array, y: Array, state: State) -> Work:
    """Return the work of an encoder layer: attention and a dense net, each with a shortcut and a norm behind it."""
    flat = Flat(state)
    sequences, length, width = x.shape
    rows = sequences * length
    attention = Attention(flat, "self_attn", sequences, length, heads=4)
    norm1, norm2 = LayerNorm(flat, "norm1", rows), LayerNorm(flat, "norm2", rows)
    widen, narrow = Dense(flat, "linear1", rows, relu=True), Dense(flat, "linear2", rows, rectified=True)
    loss = SquaredError(y)
    tokens = x.reshape(rows, width)

    def passes() -> float:
        attended = attention.forward(tokens)
        attended += tokens
        h = norm1.forward(attended)
        deeper = narrow.forward(widen.forward(h))
        deeper += h
        found, g = loss.turn(norm2.forward(deeper))
        g = norm2.backward(g)
        to_h = widen.backward(narrow.backward(g))
        to_h += g
        attention.backward(norm1.backward(to_h))
        return found

    return training(flat, passes, momentum(flat))
