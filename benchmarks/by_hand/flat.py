"""The parameters of a net in one array and their gradients in another, and the optimisers that step over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.race import Work

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
CHUNK: Final = 1 << 15  # numbers of each array to step over at a time, so that all five of Adam's stay in cache
Array = Any


class Place(NamedTuple):
    """Where a parameter lies, and how it is laid out there."""

    start: int
    stop: int
    split: tuple[int, ...]
    axes: tuple[int, ...]


class Flat:
    """Parameters one after another, each laid out as the arithmetic wants it.

    Parameters
    ----------
    state : arrays by name, as in PyTorch's `state_dict`. Those that are no parameters are left out.
    """

    def __init__(self, state: Mapping[str, Array]) -> None:
        self.state = {name: array for name, array in state.items() if not name.endswith(BUFFERS)}
        size = sum(array.size for array in self.state.values())
        self.values, self.gradients = np.empty(size, np.float32), np.zeros(size, np.float32)
        self.places: dict[str, Place] = {}
        self.used = 0

    def hold(
        self, name: str, axes: tuple[int, ...] | None = None, split: tuple[int, ...] | None = None
    ) -> tuple[Array, Array]:
        """Give a parameter its place, and return it and its gradient.

        It is seen in the shape `split`, its own if left out, whose axes are then put into the order `axes`.
        """
        split = split or self.state[name].shape
        axes = axes or tuple(range(len(split)))
        shape = [split[axis] for axis in axes]
        place = Place(self.used, self.used + self.state[name].size, split, axes)
        self.used, self.places[name] = place.stop, place
        here = slice(place.start, place.stop)
        return self.values[here].reshape(shape), self.gradients[here].reshape(shape)

    def start(self) -> None:
        """Put all parameters back to where they began."""
        assert set(self.places) == set(self.state), "every parameter needs a place"
        for name, place in self.places.items():
            laid_out = self.state[name].reshape(place.split).transpose(place.axes)
            self.values[place.start : place.stop] = laid_out.ravel()

    def as_given(self) -> list[Array]:
        """Return the gradients in the order and the layout of the state."""
        found = []
        for name, array in self.state.items():
            start, stop, split, axes = self.places[name]
            gradient = self.gradients[start:stop].reshape([split[axis] for axis in axes])
            found.append(gradient.transpose(np.argsort(axes)).reshape(array.shape).copy())
        return found


class Momentum:
    """Gradient descent with momentum."""

    def __init__(self, flat: Flat, rate: float, momentum: float) -> None:
        self.flat, self.rate, self.momentum = flat, np.float32(rate), np.float32(momentum)
        self.velocity, self.change = np.zeros_like(flat.values), np.empty_like(flat.values)

    def start(self) -> None:
        self.velocity[...] = 0

    def step(self) -> None:
        for a in range(0, self.flat.values.size, CHUNK):
            here = slice(a, a + CHUNK)
            velocity, change = self.velocity[here], self.change[here]
            velocity *= self.momentum
            velocity += self.flat.gradients[here]
            np.multiply(velocity, self.rate, out=change)
            self.flat.values[here] -= change


class Adam:
    """Adam, with what the paper multiplies moments by moved into the constants of a step.

    The moments are kept as sums m = β₁m + g and v = β₂v + g², so that of 13 passes over the parameters 10 are left.
    """

    def __init__(self, flat: Flat, rate: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        self.flat, self.rate, self.betas, self.eps = flat, rate, betas, eps
        self.first, self.second = np.zeros_like(flat.values), np.zeros_like(flat.values)
        self.change = np.empty_like(flat.values)
        self.steps = 0

    def start(self) -> None:
        self.first[...] = self.second[...] = self.steps = 0

    def step(self) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        first_sum, second_sum = ((1 - beta) / (1 - beta**self.steps) for beta in self.betas)
        rate = np.float32(self.rate * first_sum / second_sum**0.5)
        eps = np.float32(self.eps / second_sum**0.5)
        decay1, decay2 = np.float32(beta1), np.float32(beta2)
        for a in range(0, self.flat.values.size, CHUNK):
            here = slice(a, a + CHUNK)
            first, second, change = self.first[here], self.second[here], self.change[here]
            gradient = self.flat.gradients[here]
            first *= decay1
            first += gradient
            second *= decay2
            np.square(gradient, out=change)
            second += change
            np.sqrt(second, out=change)
            change += eps
            np.divide(first, change, out=change)
            change *= rate
            self.flat.values[here] -= change


def training(flat: Flat, passes: Callable[[], float], optimizer: Any) -> Work:
    """Return the work of training: `passes` leaves the gradients in `flat` and returns the loss."""

    def start() -> None:
        flat.start()
        optimizer.start()

    def run() -> None:
        passes()
        optimizer.step()

    def numbers() -> list[Any]:
        start()
        loss = passes()
        gradients = flat.as_given()
        start()
        for _ in range(3):
            run()
        return [loss, *gradients, passes()]

    start()
    return Work(run, numbers, start)
