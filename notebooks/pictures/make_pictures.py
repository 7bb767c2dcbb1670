"""Draw the pictures that the README shows: `python notebooks/pictures/make_pictures.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import autograd
from autograd import Tensor, scope
from autograd.draw import Drawing, draw

HERE = Path(__file__).parent


def leaf(value: float, name: str) -> Tensor:
    return Tensor(value, requires_grad=True, name=name)


def sigmoid_circuit() -> Drawing:
    """The lectures' neuron, playing its backward pass."""
    w0, x0, w1, x1, w2 = leaf(2.0, "w0"), leaf(-1.0, "x0"), leaf(-3.0, "w1"), leaf(-2.0, "x1"), leaf(-3.0, "w2")
    f = 1 / (1 + (-1 * (w0 * x0 + w1 * x1 + w2)).exp())
    f.name = "f"
    f.backward()
    return draw(f, steps=True)


def gates() -> Drawing:
    """A branch whose gradients add up, and a max gate that routes."""
    x, y = leaf(3.0, "x"), leaf(-4.0, "y")
    q = x * y
    winner: Any = np.maximum(q, x)
    f = winner + q * 2
    f.backward()
    return draw(f, names={"q": q, "f": f})


def residual_network() -> Drawing:
    """Modules as boxes: blocks with a shortcut, folded."""
    rng = np.random.default_rng(0)

    def linear(x: Tensor, inputs: int, outputs: int, path: str) -> Tensor:
        first = scope.enter()
        weight = Tensor(rng.normal(size=(inputs, outputs)) * inputs**-0.5, requires_grad=True)
        bias = Tensor(np.zeros(outputs), requires_grad=True)
        y = x @ weight + bias
        scope.leave(first, y, path, "Linear")
        return y

    def block(x: Tensor, path: str) -> Tensor:
        first = scope.enter()
        y = x + linear(linear(x, 64, 256, f"{path}.up").tanh(), 256, 64, f"{path}.down")
        scope.leave(first, y, path, "Block")
        return y

    images = Tensor(rng.normal(size=(32, 784)))
    with autograd.record():
        first = scope.enter()
        hidden = linear(images, 784, 64, "stem")
        for i in range(6):
            hidden = block(hidden, f"blocks.{i}")
        scores = linear(hidden, 64, 10, "head")
        scope.leave(first, scores, "", "ResidualNet")
        loss = scores.square().mean()
        loss.name = "loss"
        loss.backward()
    return draw(loss, collapse="module")


if __name__ == "__main__":
    for name, picture in (("sigmoid", sigmoid_circuit()), ("gates", gates()), ("residual", residual_network())):
        print(picture.save(HERE / f"{name}.svg"))
