"""Training steps and inference of the nets in `models`, with code that is the same for our engine and PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks import models
from benchmarks.race import Race, Work

STEPS = 3  # after which the losses are compared


class Engine(NamedTuple):
    """The three namespaces that our engine and PyTorch have in common."""

    tensors: Any
    nn: Any
    optim: Any


def gategrad() -> Engine:
    """Return ours."""
    import autograd
    import nn
    import optim

    return Engine(autograd, nn, optim)


def torch() -> Engine:
    """Return PyTorch's."""
    import torch

    return Engine(torch, torch.nn, torch.optim)


ENGINES: dict[str, Callable[[], Engine]] = {"gategrad": gategrad, "torch": torch}


def adam(optim: Any, parameters: Any) -> Any:
    return optim.Adam(parameters, lr=1e-3)


def momentum(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=0.01, momentum=0.9)


def plain(optim: Any, parameters: Any) -> Any:
    return optim.SGD(parameters, lr=0.1)


def numbers_of(*shape: int, seed: int = 0) -> Any:
    """Return pseudo-random numbers, the same for the same seed and shape."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def classes(count: int, length: int) -> Any:
    """Return pseudo-random targets, or indices."""
    return np.random.default_rng(count).integers(0, count, length)


def state_of(model: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the parameters and buffers that our seed gives to a net."""
    engine = gategrad()
    engine.tensors.manual_seed(0)
    return {name: np.asarray(value) for name, value in model(engine.nn).state_dict().items()}


@dataclass(frozen=True)
class Net:
    """What a net is trained with: a batch, an optimiser and a loss."""

    model: Callable[[Any], Any]
    batch: Callable[[], tuple[Any, Any]]
    optimizer: Callable[[Any, Any], Any] = momentum
    loss: str = "CrossEntropyLoss"

    def inputs(self) -> tuple[Any, ...]:
        """Return the batch, its targets and the state to start from."""
        return (*self.batch(), state_of(self.model))

    def contestants(self) -> dict[str, Callable[..., Work]]:
        """Return what trains the net with either engine."""
        return {name: partial(training, self, engine) for name, engine in ENGINES.items()}


def training(net: Net, engine: Callable[[], Engine], x: Any, y: Any, state: dict[str, Any]) -> Work:
    """Return the work of a training step: forward, loss, backward and the optimiser's step."""
    tensors, nn, optim = engine()
    model, criterion = net.model(nn), getattr(nn, net.loss)()
    x, y = tensors.from_numpy(x), tensors.from_numpy(y)
    first = {name: tensors.from_numpy(value) for name, value in state.items()}
    optimizer: Any = None

    def start() -> None:
        nonlocal optimizer
        model.load_state_dict(first)
        optimizer = net.optimizer(optim, model.parameters())

    def gradients() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        return loss

    def step() -> None:
        gradients()
        optimizer.step()

    def numbers() -> list[Any]:
        start()
        found = [gradients().item()]
        parameters = dict(model.named_parameters())
        found += [parameters[name].grad.numpy().copy() for name in state if name in parameters]
        for _ in range(STEPS):
            step()
        return [*found, criterion(model(x), y).item()]

    start()
    return Work(step, numbers, start)


def inference(model: Callable[[Any], Any], engine: Callable[[], Engine], x: Any, state: dict[str, Any]) -> Work:
    """Return the work of a forward pass alone."""
    tensors, nn, _ = engine()
    net = model(nn)
    net.load_state_dict({name: tensors.from_numpy(value) for name, value in state.items()})
    net.eval()
    x = tensors.from_numpy(x)

    def run() -> Any:
        with tensors.no_grad():
            return net(x)

    return Work(run, lambda: [run().numpy()])


def small_step(engine: Callable[[], Engine]) -> None:
    """Train next to nothing, so that an engine loads whatever it loads at first use."""
    tensors, nn, optim = engine()
    for optimizer_of in (momentum, adam):
        model = models.perceptron(nn, (2, 2, 2))
        optimizer = optimizer_of(optim, model.parameters())
        nn.CrossEntropyLoss()(model(tensors.from_numpy(numbers_of(2, 2))), tensors.from_numpy(classes(2, 2))).backward()
        optimizer.step()


def images(batch: int, *shape: int) -> Callable[[], tuple[Any, Any]]:
    """Return what makes a batch of inputs with targets of ten classes."""
    return lambda: (numbers_of(batch, *shape), classes(10, batch))


MLP = Net(models.mlp, images(64, 784), adam)
LENET = Net(models.lenet, images(64, 1, 28, 28))
VGG = Net(models.vgg, images(64, 3, 32, 32))
RESNET20 = Net(models.resnet20, images(32, 3, 32, 32))
SEQUENCES = (50, 64, 32)
LSTM = Net(models.lstm, lambda: (numbers_of(*SEQUENCES), classes(10, SEQUENCES[1])))
GRU = Net(models.gru, lambda: (numbers_of(*SEQUENCES), classes(10, SEQUENCES[1])))
WORD2VEC = Net(models.word2vec, lambda: (classes(10_000, 256), classes(9_999, 256)), plain)
TOKENS = (16, 64, 128)
TRANSFORMER = Net(models.transformer, lambda: (numbers_of(*TOKENS), numbers_of(*TOKENS, seed=1)), loss="MSELoss")


def race(name: str, what: str, net: Net, goal: float | None = None, group: str = "", tolerance: float = 1e-4) -> Race:
    """Return the race of a net's training step."""
    return Race(
        name=name,
        what=f"A training step of {what}, float32",
        inputs=net.inputs,
        contestants=net.contestants(),
        unit="a step",
        tolerance=tolerance,
        goals={} if goal is None else {"torch": goal},
        group=group,
    )


def inference_race(name: str, what: str, model: Callable[[Any], Any], batch: int, *shape: int) -> Race:
    """Return the race of a net's forward pass."""
    return Race(
        name=f"{name}-inference-{batch}",
        what=f"Inference with {what} at batch {batch}, float32",
        inputs=lambda: (numbers_of(batch, *shape), state_of(model)),
        contestants={n: partial(inference, model, engine) for n, engine in ENGINES.items()},
        unit="a batch",
        tolerance=1e-5,
        goals={"torch": 0.6} if batch == 1 else {},
        group="overhead" if batch == 1 else "",
    )


# Of millions of numbers that come to a ReLU or a maximum, a few are so near the kink that rounding decides; each moves
# the gradients of all layers before it, by up to some hundredths. Hence the last argument.
TRAINING = (
    race("mlp-adam", "an MLP 784-256-128-10 at batch 64 with Adam", MLP, 0.8, "overhead"),
    race("word2vec", "skip-gram over 10,000 words with 256 pairs", WORD2VEC, 1.0, "overhead"),
    race("lenet", "LeNet at batch 64 with momentum", LENET, 0.9, "compute", 1e-2),
    race("vgg", "four convolutions after VGG at batch 64 with momentum", VGG, 1.05, "compute", 2e-2),
    race("resnet20", "ResNet-20 at batch 32 with momentum", RESNET20, 1.1, "compute", 5e-2),
    race("lstm", "an LSTM over 50 steps at batch 64 with momentum", LSTM, 1.1, "compute"),
    race("gru", "a GRU over 50 steps at batch 64 with momentum", GRU, 1.1, "compute"),
    race(
        "transformer",
        "a transformer's encoder layer on 16 x 64 tokens with momentum",
        TRANSFORMER,
        1.1,
        "compute",
        1e-3,
    ),
)
INFERENCE = tuple(
    inference_race(name, what, model, batch, *shape)
    for name, what, model, shape in (
        ("mlp", "an MLP 784-256-128-10", models.mlp, (784,)),
        ("lenet", "LeNet", models.lenet, (1, 28, 28)),
    )
    for batch in (1, 256)
)
