"""How the time of a training step grows with the batch, the width and the depth of a net, and the size of images."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import models, training
from benchmarks.race import OURS, BesideTorch, Race, Runner, difference, readable, take_turns

ROUNDS = 7
GOAL = 1.1
SIZES = {
    "batch": (64, 128, 256, 512, 1024, 2048),
    "width": (64, 128, 256, 512, 1024),
    "depth": (2, 4, 8, 16, 32, 64),
    "pixels": (8 * 8, 16 * 16, 32 * 32, 64 * 64),
}
WHAT = {
    "batch": "an MLP 784-256-128-10 by rows of a batch",
    "width": "an MLP of two hidden layers at batch 64 by their width",
    "depth": "an MLP of width 256 at batch 64 by its hidden layers",
    "pixels": "two convolutions at batch 16 by pixels of an image",
}
GOALS = {"batch": GOAL, "depth": GOAL}  # with the width, the work grows by its square


def net(curve: str, size: int) -> training.Net:
    """Return what is trained at one point of a curve."""
    if curve == "batch":
        return training.Net(models.mlp, training.images(size, 784))
    if curve == "pixels":
        side = round(size**0.5)
        return training.Net(models.small_convnet, training.images(16, 3, side, side))
    widths = [size] * 2 if curve == "width" else [256] * size
    return training.Net(partial(models.perceptron, widths=(256, *widths, 10)), training.images(64, 256))


def point(curve: str, size: int) -> Race:
    """Return the race at one point of a curve."""
    return training.race(f"{curve}-{size}", f"{WHAT[curve]}: {size}", net(curve, size), tolerance=1e-3)


POINTS = {curve: {size: point(curve, size) for size in sizes} for curve, sizes in SIZES.items()}


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the exponent with which the time grows, by least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


@dataclass(frozen=True)
class Scaling(BesideTorch):
    """The curves of both engines, and their slopes."""

    what: str = "How a training step's time grows: the exponent, by least squares"

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure, print and return the curves."""
        print(f"\n{self.what}", flush=True)
        figures: dict[str, Any] = {"agree": True, "curves": {}}
        with ExitStack() as stack:
            present = [OURS, *self.against(wanted)]
            runners = {name: stack.enter_context(Runner(name, threads)) for name in present}
            for curve, races in POINTS.items():
                times: dict[str, list[float]] = {name: [] for name in runners}
                for race in races.values():
                    inputs = race.inputs()
                    for runner in runners.values():
                        runner.enter(race.name, inputs)
                    numbers = [runner.numbers() for runner in runners.values()]
                    figures["agree"] &= all(difference(numbers[0], n) <= race.tolerance for n in numbers)
                    for name, seconds in take_turns(runners, min(rounds or ROUNDS, ROUNDS)).items():
                        times[name].append(statistics.median(seconds))
                figures["curves"][curve] = self.curve(curve, list(races), times)
        if not figures["agree"]:
            print("   DISAGREES")
        return figures

    def curve(self, curve: str, sizes: list[int], times: dict[str, list[float]]) -> dict[str, Any]:
        """Print a curve and return its figures."""
        entry: dict[str, Any] = {"what": WHAT[curve], "sizes": sizes, "contestants": {}}
        print(f"   {WHAT[curve]}, from {sizes[0]} to {sizes[-1]}")
        for name, seconds in times.items():
            found = slope(sizes, seconds)
            entry["contestants"][name] = {"seconds": seconds, "slope": found}
            line = f"      {name:14} {readable(seconds[0]):>9} to {readable(seconds[-1]):>9}, exponent {found:.2f}"
            if name == OURS and curve in GOALS:
                entry["goal"] = GOALS[curve]
                line += f", goal {GOALS[curve]:.2f}{'' if found <= GOALS[curve] else ': MISSED'}"
            print(line, flush=True)
        return entry
