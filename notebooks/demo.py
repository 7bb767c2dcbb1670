"""What `make demo` runs: the gradients of a circuit, and a net that learns to read handwritten digits.

First the circuit of the lectures, f = (x + y) * z. Then a net with two layers, written out by hand, on the 1,797 digits
of scikit-learn: three quarters to train on, a quarter held out. Pictures go to a folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import autograd
from autograd import Tensor, no_grad
from autograd.draw import draw

HIDDEN = 128
BATCH = 32
RATE = 0.05
MOMENTUM = 0.9
DECAY = 1e-4


def circuit(output: Path) -> None:
    """Print the values and gradients of f = (x + y) * z at (-2, 5, -4), and draw the circuit."""
    x = Tensor(-2.0, requires_grad=True, name="x")
    y = Tensor(5.0, requires_grad=True, name="y")
    z = Tensor(-4.0, requires_grad=True, name="z")
    q = x + y
    f = q * z
    q.name, f.name = "q", "f"
    q.retain_grad()
    f.retain_grad()
    f.backward()

    print("1. The circuit of the lectures: f = (x + y) * z\n")
    print("   gate             value   gradient df/d(gate)")
    gates = {"x": x, "y": y, "q = x + y": q, "z": z, "f = q * z": f}
    for gate, tensor in gates.items():
        assert tensor.grad is not None
        print(f"   {gate:12} {tensor.item():9g} {tensor.grad.item():10g}")
    print("\n   The add gate distributes its gradient; the multiply gate switches it with the other value.")
    draw(f).save(output / "circuit.svg")
    print(f"   Its picture: {output / 'circuit.svg'}\n")


class TwoLayers:
    """A net with one hidden layer of tanh units; it returns the logarithms of probabilities, up to a constant.

    Parameters
    ----------
    inputs, hidden, outputs : the numbers of units.
    generator : draws the weights, uniformly within Glorot's bounds.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: np.random.Generator) -> None:
        def weight(rows: int, columns: int) -> Tensor:
            bound = (6 / (rows + columns)) ** 0.5
            return Tensor(generator.uniform(-bound, bound, (rows, columns)), requires_grad=True, dtype=np.float32)

        self.w1 = weight(inputs, hidden)
        self.b1 = autograd.zeros(hidden, dtype=np.float32, requires_grad=True)
        self.w2 = weight(hidden, outputs)
        self.b2 = autograd.zeros(outputs, dtype=np.float32, requires_grad=True)
        self.parameters = (self.w1, self.b1, self.w2, self.b2)

    def __call__(self, x: Any) -> Tensor:
        hidden: Tensor = (x @ self.w1 + self.b1).tanh()
        return hidden @ self.w2 + self.b2


def cross_entropy(scores: Tensor, labels: Any) -> Tensor:
    """Return the mean of -log p(label), where p is the softmax of a row of scores."""
    return (scores.logsumexp(axis=1) - scores[np.arange(len(labels)), labels]).mean()


def train(net: TwoLayers, images: Any, labels: Any, epochs: int, generator: np.random.Generator) -> list[float]:
    """Train by mini-batches with momentum, the rate falling to zero along a cosine; return the loss of each step."""
    velocities = [np.zeros_like(p.data) for p in net.parameters]
    losses = []
    batches = len(images) // BATCH
    steps = epochs * batches
    with tqdm(total=steps, desc="   training", unit="step", leave=False) as bar:
        for step in range(steps):
            if step % batches == 0:
                order = generator.permutation(len(images))
            chosen = order[step % batches * BATCH :][:BATCH]
            loss = cross_entropy(net(images[chosen]), labels[chosen])
            loss.backward()
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            with no_grad():
                for parameter, velocity in zip(net.parameters, velocities, strict=True):
                    assert parameter.grad is not None
                    velocity *= MOMENTUM
                    velocity += parameter.grad.numpy() + DECAY * parameter.numpy()
                    parameter -= float(rate) * velocity  # in place: the net's own tensor
                    parameter.zero_grad()
            losses.append(loss.item())
            bar.update()
            if step % 10 == 0:
                bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return losses


def draw_losses(losses: Sequence[float], path: Path) -> None:
    """Draw the loss of each step, and its mean over the fifty around it."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axes.semilogy(losses, color="0.8", label="each mini-batch")
    window = min(50, len(losses))
    middle = np.arange(len(losses) - window + 1) + window / 2
    axes.semilogy(middle, np.convolve(losses, np.full(window, 1 / window), "valid"), label=f"mean of {window}")
    axes.set(xlabel="step", ylabel="cross-entropy", title="Training on handwritten digits")
    axes.legend()
    figure.savefig(path)
    plt.close(figure)


def draw_confusion(labels: Any, predicted: Any, path: Path) -> None:
    """Draw how often each digit was read as each."""
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(labels, predicted, ax=axes, colorbar=False, cmap="Blues")
    axes.set(title="The held-out quarter", xlabel="read as", ylabel="digit")
    figure.savefig(path)
    plt.close(figure)


def draw_mistakes(images: Any, labels: Any, predicted: Any, path: Path) -> None:
    """Draw the images that were read wrongly, two rows of eight at most."""
    wrong = np.flatnonzero(labels != predicted)[:16]
    figure, grid = plt.subplots(2, 8, figsize=(8, 2.6), layout="constrained")
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, i in zip(grid.flat, wrong, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r")
        axes.set_title(f"{labels[i]} as {predicted[i]}", fontsize=9)
    figure.savefig(path)
    plt.close(figure)


def digits(output: Path, epochs: int) -> float:
    """Train on three quarters of the digits, print and draw how it went, and return the accuracy on the rest."""
    print("2. Handwritten digits, 8 x 8 pixels: a net of two layers, written by hand\n")
    data = load_digits()
    images, labels = (data.data / 16).astype(np.float32), data.target
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.25, stratify=labels, random_state=0
    )
    generator = np.random.default_rng(0)
    net = TwoLayers(64, HIDDEN, 10, generator)

    started = time.perf_counter()
    losses = train(net, train_images, train_labels, epochs, generator)
    seconds = time.perf_counter() - started
    with no_grad():
        predicted = net(test_images).argmax(axis=1)
    right = int((predicted == test_labels).sum())
    accuracy = right / len(test_labels)

    print(f"   trained on {len(train_labels)} digits: {len(losses)} steps of {BATCH} in {seconds:.1f} s")
    print(f"   loss {np.mean(losses[:20]):.3f} over the first 20 steps, {np.mean(losses[-20:]):.4f} over the last")
    print(f"   accuracy on {len(test_labels)} held out: {accuracy:.1%} ({len(test_labels) - right} read wrongly)\n")
    draw_losses(losses, output / "loss.svg")
    draw_confusion(test_labels, predicted, output / "confusion.svg")
    draw_mistakes(test_images, test_labels, predicted, output / "mistakes.svg")
    for name, what in (("loss", "The loss"), ("confusion", "Digits taken for others"), ("mistakes", "The mistakes")):
        print(f"   {what}: {output / name}.svg")
    return accuracy


def main(arguments: Sequence[str] | None = None) -> float:
    """Run the demo, and return the accuracy on the digits held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="where pictures go")
    parser.add_argument("--epochs", type=int, default=60, help="how often the net sees each digit")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    circuit(options.output)
    return digits(options.output, options.epochs)


if __name__ == "__main__":
    main()
