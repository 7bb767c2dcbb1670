"""What `make demo` runs: the gradients of a circuit, and two nets that learn to read handwritten digits.

First the circuit of the lectures, f = (x + y) * z, and its backward pass in steps. Then a multilayer perceptron and a
small convolutional net on the 1,797 digits of scikit-learn: three quarters to train on, a quarter held out. Pictures go
to a folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import autograd
import nn
import optim
from autograd import Tensor, draw, no_grad
from autograd.draw.engine import GraphvizMissing
from nn.data import DataLoader, TensorDataset

BATCH = 64
RATE = 0.01
DECAY = 0.01


class Digits(NamedTuple):
    """Images of 8 x 8 pixels between 0 and 1, in one channel, and what they show."""

    images: Any
    labels: Any


def circuit(output: Path) -> None:
    """Print the values and gradients of f = (x + y) * z at (-2, 5, -4); draw the circuit, and its backward pass."""
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
    print(f"   Its picture: {draw(f).save(output / 'circuit.svg')}")
    print(f"   The backward pass, step by step: {draw(f, steps=True).save(output / 'steps.svg')}\n")


def perceptron() -> nn.Module:
    """Return a multilayer perceptron: two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 10),
    )


def convolutional() -> nn.Module:
    """Return a small convolutional net: two convolutions, then one layer that reads what they found."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(32 * 4 * 4, 10),
    )


def load() -> tuple[Digits, Digits]:
    """Return three quarters of the digits to train on and a quarter to hold out, as many of each digit in both."""
    data = load_digits()
    images = (data.images[:, None] / 16).astype(np.float32)
    parts = train_test_split(images, data.target, test_size=0.25, stratify=data.target, random_state=0)
    return Digits(parts[0], parts[2]), Digits(parts[1], parts[3])


def train(model: nn.Module, digits: Digits, epochs: int) -> list[float]:
    """Train by AdamW, the rate rising and falling in one cycle; return the loss of each step."""
    loader = DataLoader(TensorDataset(*digits), batch_size=BATCH, shuffle=True)
    optimizer = optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, epochs=epochs, steps_per_epoch=len(loader))
    criterion = nn.CrossEntropyLoss()
    losses = []
    model.train()
    with tqdm(total=epochs * len(loader), desc="   training", unit="step", leave=False) as bar:
        for _ in range(epochs):
            for images, labels in loader:
                loss = criterion(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                bar.update()
                if len(losses) % 10 == 0:
                    bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return losses


def predict(model: nn.Module, images: Any) -> Any:
    """Return the digit that each image most likely shows."""
    model.eval()
    with no_grad():
        return model(Tensor(images)).numpy().argmax(axis=1)


def draw_losses(histories: Mapping[str, Sequence[float]], path: Path) -> None:
    """Draw the loss of each step of each training, and its mean over the fifty around it."""
    figure, grid = plt.subplots(1, len(histories), figsize=(9, 3.5), layout="constrained", sharey=True, squeeze=False)
    for axes, (name, losses) in zip(grid[0], histories.items(), strict=True):
        axes.semilogy(losses, color="0.8", label="each mini-batch")
        window = min(50, len(losses))
        middle = np.arange(len(losses) - window + 1) + window / 2
        axes.semilogy(middle, np.convolve(losses, np.full(window, 1 / window), "valid"), label=f"mean of {window}")
        axes.set(xlabel="step", title=name)
        axes.legend()
    grid[0, 0].set_ylabel("cross-entropy")
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
    """Draw the images that were read wrongly, eight at most."""
    wrong = np.flatnonzero(labels != predicted)[:8]
    figure, grid = plt.subplots(1, 8, figsize=(8, 1.4), layout="constrained")
    for axes in grid:
        axes.set_axis_off()
    for axes, i in zip(grid, wrong, strict=False):
        axes.imshow(images[i].reshape(8, 8), cmap="gray_r")
        axes.set_title(f"{labels[i]} as {predicted[i]}", fontsize=9)
    figure.savefig(path)
    plt.close(figure)


def draw_model(model: nn.Module, digits: Digits, path: Path) -> None:
    """Draw what one mini-batch goes through, every module a box."""
    model.train()
    images = Tensor(digits.images[:BATCH], name="images")
    with autograd.record():
        loss = nn.CrossEntropyLoss()(model(images), digits.labels[:BATCH])
        loss.name = "loss"
        loss.backward()
    draw(loss, collapse="module").save(path)
    model.zero_grad()


def read(output: Path) -> dict[str, float]:
    """Train both nets, print and draw how it went, and return how accurately each reads the held-out quarter."""
    print("2. Handwritten digits, 8 x 8 pixels: a multilayer perceptron (MLP) and a convolutional net (CNN)\n")
    known, unseen = load()
    histories: dict[str, list[float]] = {}
    accuracies: dict[str, float] = {}
    predicted: Any = None
    for name, make, epochs in (("MLP", perceptron, 40), ("CNN", convolutional, 15)):
        autograd.manual_seed(0)
        model = make()
        started = time.perf_counter()
        losses = train(model, known, epochs)
        seconds = time.perf_counter() - started
        predicted = predict(model, unseen.images)
        right = int((predicted == unseen.labels).sum())
        histories[name], accuracies[name] = losses, right / len(predicted)

        parameters = sum(parameter.size for parameter in model.parameters())
        print(f"   {name}: {parameters:,} parameters")
        print(f"   trained on {len(known.labels)} digits: {len(losses)} steps of {BATCH} in {seconds:.1f} s")
        print(f"   loss {np.mean(losses[:20]):.3f} over the first 20 steps, {np.mean(losses[-20:]):.4f} over the last")
        print(f"   accuracy on {len(predicted)} held out: {right / len(predicted):.1%}", end=" ")
        print(f"({len(predicted) - right} read wrongly)\n")

    draw_losses(histories, output / "loss.svg")
    draw_confusion(unseen.labels, predicted, output / "confusion.svg")
    draw_mistakes(unseen.images, unseen.labels, predicted, output / "mistakes.svg")
    draw_model(model, known, output / "cnn.svg")
    print(f"   The losses of both: {output / 'loss.svg'}")
    print(f"   The CNN, module by module: {output / 'cnn.svg'}")
    print(f"   Digits that it took for others: {output / 'confusion.svg'}")
    print(f"   Its mistakes: {output / 'mistakes.svg'}")
    return accuracies


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Run the demo, and return the accuracy of each net on the digits held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="where pictures go")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        circuit(options.output)
        return read(options.output)
    except GraphvizMissing as error:
        raise SystemExit(f"\n{error}") from None


if __name__ == "__main__":
    main()
