"""The nets of the benchmarks, each written once, with the names that our `nn` and PyTorch's share.

A net is a function of that namespace. What is given to both engines is data: weights travel as a `state_dict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any


def mlp(nn: Any) -> Any:
    """Return a net of three layers for images of 28 x 28, as vectors."""
    return perceptron(nn, (784, 256, 128, 10))


def perceptron(nn: Any, widths: Sequence[int]) -> Any:
    """Return linear layers of these widths, with ReLU between."""
    layers = [nn.Linear(widths[0], widths[1])]
    for inputs, outputs in pairwise(widths[1:]):
        layers += [nn.ReLU(), nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def lenet(nn: Any) -> Any:
    """Return LeNet-5 in its present form: ReLU and maxima, for images of 28 x 28."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def vgg(nn: Any) -> Any:
    """Return pairs of convolutions in the manner of VGG, for images of 32 x 32 in colour."""
    layers = []
    for inputs, outputs in ((3, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 10))


def small_convnet(nn: Any) -> Any:
    """Return two convolutions and a linear layer, for images of any size in colour."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def resnet20(nn: Any) -> Any:
    """Return the residual net of 20 layers that He et al. (2016) give for CIFAR, with projections as shortcuts."""

    class Block(nn.Module):  # type: ignore[misc]  # of whichever namespace
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.downsample = None
            if stride != 1:
                shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            return self.relu(y + (x if self.downsample is None else self.downsample(x)))

    class ResNet(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            self.relu = nn.ReLU()
            self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
            self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
            self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.flatten = nn.Flatten()
            self.fc = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.fc(self.flatten(self.avgpool(x)))

    return ResNet()


def last_step(nn: Any, recurrent: Any) -> Any:
    """Return a net that classifies a sequence by the last output of `recurrent`, of width 128."""

    class LastStep(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rnn = recurrent
            self.fc = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            outputs, _ = self.rnn(x)
            return self.fc(outputs[-1])

    return LastStep()


def lstm(nn: Any) -> Any:
    """Return a classifier of sequences by LSTM."""
    return last_step(nn, nn.LSTM(32, 128))


def gru(nn: Any) -> Any:
    """Return a classifier of sequences by GRU."""
    return last_step(nn, nn.GRU(32, 128))


def word2vec(nn: Any) -> Any:
    """Return skip-gram with a full softmax: which of 10,000 words is near the one given."""
    return nn.Sequential(nn.Embedding(10_000, 64), nn.Linear(64, 10_000, bias=False))


def transformer(nn: Any) -> Any:
    """Return one encoder layer."""
    return nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
