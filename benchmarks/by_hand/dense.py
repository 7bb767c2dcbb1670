"""Dense layers, embeddings, and the losses with their gradients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from benchmarks.by_hand.flat import Flat

CACHED: Final = 1 << 16  # scores at a time
Array = Any


def rectify(x: Array, zeros: Array) -> None:
    """Take the maximum with 0 in place. NumPy is five times as quick about it with an array of zeros as with 0."""
    np.maximum(x, zeros, out=x)


def keep_positive(gradient: Array, x: Array, mask: Array) -> None:
    """Zero a gradient where `x`, which came through a ReLU, is not positive.

    A product with the mask: choosing by it (`where`, `copyto`) takes twenty times as long, for branches that no
    processor can predict.
    """
    np.greater(x, 0, out=mask)
    np.multiply(gradient, mask, out=gradient)


class Dense:
    """A dense layer on rows, with ReLU behind it or without.

    As everywhere here, whoever takes what came through a ReLU (`rectified`) sends back a gradient that is zero where
    that was zero.
    """

    def __init__(
        self,
        flat: Flat,
        name: str,
        rows: int,
        relu: bool = False,
        rectified: bool = False,
        root: bool = False,
        images: tuple[int, ...] | None = None,
    ) -> None:
        """Hold the parameters. A `root` has an input that needs no gradient; `images` (C, H, W) have channels last."""
        out, inputs = flat.state[f"{name}.weight"].shape
        layout = ((0, 2, 3, 1), (out, *images)) if images else (None, None)
        self.weight, self.to_weight = (a.reshape(out, inputs) for a in flat.hold(f"{name}.weight", *layout))
        self.bias, self.to_bias = flat.hold(f"{name}.bias")
        self.out = np.empty((rows, out), np.float32)
        self.zeros = np.zeros_like(self.out) if relu else None
        self.ones = np.ones(rows, np.float32)
        self.to_x = None if root else np.empty((rows, inputs), np.float32)
        self.mask = np.empty((rows, inputs), bool) if rectified else None
        self.x: Array = None

    def forward(self, x: Array) -> Array:
        self.x = x
        np.matmul(x, self.weight.T, out=self.out)
        self.out += self.bias
        if self.zeros is not None:
            rectify(self.out, self.zeros)
        return self.out

    def backward(self, g: Array) -> Array:
        np.matmul(g.T, self.x, out=self.to_weight)
        np.matmul(self.ones, g, out=self.to_bias)
        if self.to_x is not None:
            np.matmul(g, self.weight, out=self.to_x)
            if self.mask is not None:
                keep_positive(self.to_x, self.x, self.mask)
        return self.to_x


class SoftmaxCrossEntropy:
    """The mean cross-entropy of rows of scores with their labels."""

    def __init__(self, labels: Array, classes: int) -> None:
        self.labels, self.rows, self.ones = labels, np.arange(len(labels)), np.ones(classes, np.float32)
        self.step = max(1, CACHED // classes)
        self.losses = np.empty(len(labels), np.float32)

    def turn(self, scores: Array) -> float:
        """Return the loss, and turn the scores into their gradient."""
        share = np.float32(1 / len(scores))
        for a in range(0, len(scores), self.step):
            b = min(a + self.step, len(scores))
            part, right = scores[a:b], (self.rows[: b - a], self.labels[a:b])
            part -= part.max(axis=1, keepdims=True)
            picked = part[right]
            np.exp(part, out=part)
            total = part @ self.ones
            np.subtract(np.log(total), picked, out=self.losses[a:b])
            part *= (share / total)[:, None]
            part[right] -= share
        return float(self.losses.mean())


class SquaredError:
    """The mean of the squared differences from targets."""

    def __init__(self, target: Array) -> None:
        self.target = target.reshape(-1, target.shape[-1])
        self.difference = np.empty_like(self.target)

    def turn(self, predicted: Array) -> tuple[float, Array]:
        """Return the loss and the gradient of what was predicted."""
        np.subtract(predicted, self.target, out=self.difference)
        flat = self.difference.ravel()
        loss = float(np.vecdot(flat, flat)) / flat.size
        self.difference *= np.float32(2 / flat.size)
        return loss, self.difference
