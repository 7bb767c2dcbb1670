"""The most memory a training step ever held, each engine in a fresh process."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.race import OURS, BesideTorch, Race, Runner, Work, difference

LAYERS, ROWS, WIDTH = 50, 8000, 125
MEGABYTES = LAYERS * ROWS * WIDTH * 4 // 10**6  # 4 a layer
STEPS = 3
ROUNDS = 3
GOAL, LIVE = 1.0, 50e6  # with less than that, it is the libraries' own memory that counts
NEARLY = 0.8  # PyTorch's peak varies by a tenth: what is far below is measured once


def arrays() -> tuple[Any, ...]:
    """Return a batch and the weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
    return x, [rng.standard_normal((WIDTH, WIDTH), dtype=np.float32) * 0.1 for _ in range(LAYERS)]


def with_gategrad(x: Any, weights: list[Any]) -> Work:
    from autograd import Tensor

    x, ws = Tensor(x), [Tensor(w, requires_grad=True) for w in weights]

    def run() -> list[Any]:
        h = x
        for w in ws:
            w.zero_grad()
            h = (h @ w).tanh()
        h.sum().backward()
        return [w.grad.numpy() for w in ws if w.grad is not None]

    return Work(run, run)


def with_torch(x: Any, weights: list[Any]) -> Work:
    import torch

    x, ws = torch.tensor(x), [torch.tensor(w, requires_grad=True) for w in weights]

    def run() -> list[Any]:
        h = x
        for w in ws:
            w.grad = None
            h = torch.tanh(h @ w)
        h.sum().backward()
        return [w.grad.numpy() for w in ws]

    return Work(run, run)


DEEP_NET = Race(
    name="deep-net",
    what=f"Forward and backward through {LAYERS} layers of tanh, {MEGABYTES} MB of activations",
    inputs=arrays,
    contestants={"gategrad": with_gategrad, "torch": with_torch},
    unit="a pass",
    tolerance=1e-3,
)


@dataclass(frozen=True)
class Memory(BesideTorch):
    """The peaks of both engines over a few steps of each of `works`."""

    works: Mapping[str, Race]
    what: str = "Peak memory of training steps, in fresh processes"

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure, print and return the peaks."""
        print(f"\n{self.what}: all in all, and above the imports", flush=True)
        present = [OURS, *self.against(wanted)]
        figures: dict[str, Any] = {"agree": True, "works": {}}
        for name, race in self.works.items():
            figures["works"][name] = entry = self.measured(race, present, min(rounds or ROUNDS, ROUNDS), threads)
            figures["agree"] &= entry["agree"]
            line = f"   {name:14}"
            for contestant in present:
                found = entry[contestant]
                line += f" {contestant} {found['peak'] / 1e6:4.0f} MB, {found['above'] / 1e6:4.0f} above;"
            if "ratio" in entry:
                line += f" ours is {entry['total_ratio']:.2f} of it, {entry['ratio']:.2f} above"
                if "goal" in entry:
                    line += f", goal {entry['goal']:.2f}{'' if entry['ratio'] <= entry['goal'] else ': MISSED'}"
            print(line + ("" if entry["agree"] else "   DISAGREES"), flush=True)
        return figures

    def measured(self, race: Race, present: Sequence[str], rounds: int, threads: int) -> dict[str, Any]:
        """Return the peaks of one work, and whether the contestants agree on its numbers."""
        inputs = race.inputs()
        found: dict[str, list[dict[str, int]]] = {name: [] for name in present}
        numbers = {}
        for _ in range(rounds):
            for name in present:
                with Runner(name, threads) as contestant:
                    contestant.settle()
                    contestant.enter(race.name, inputs)
                    found[name].append(contestant.memory(STEPS))
                    numbers[name] = contestant.numbers()
            if all(f["peak"] - f["before"] < NEARLY * LIVE for f in found[present[-1]]):
                break
        entry: dict[str, Any] = {"rounds": len(found[OURS])}
        for name in present:
            before, peak = (statistics.median(f[key] for f in found[name]) for key in ("before", "peak"))
            entry[name] = {"before": before, "peak": peak, "above": peak - before}
        entry["agree"] = all(difference(numbers[OURS], n) <= race.tolerance for n in numbers.values())
        if "torch" in entry:
            ours, theirs = entry[OURS], entry["torch"]
            entry["ratio"], entry["total_ratio"] = ours["above"] / theirs["above"], ours["peak"] / theirs["peak"]
            if theirs["above"] > LIVE:
                entry["goal"] = GOAL
        return entry
