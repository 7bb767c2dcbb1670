"""Contestants in turns: the same work done by several engines, compared round by round."""

from __future__ import annotations

import gc
import importlib.util
import pickle
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
OURS = "gategrad"
HIPS = "hips-autograd"
HIPS_PYTHON = HERE.parent / ".venv" / "hips" / "bin" / "python"
ROUND_SECONDS = 0.03  # the work of a round is repeated until ours takes about this long
SETTLE_SECONDS = 0.05  # idle threads of a matrix library spin for up to 30 ms, at the cost of whoever runs next


class Work(NamedTuple):
    """What a contestant does.

    `run` is what is timed. `numbers` returns what all must agree on. `start`, untimed, begins each round.
    """

    run: Callable[[], object]
    numbers: Callable[[], list[Any]]
    start: Callable[[], object] = lambda: None


class Here:
    """A contestant of this process."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def numbers(self) -> list[Any]:
        """Return what all contestants must agree on."""
        return [np.asarray(n) for n in self.work.numbers()]

    def seconds(self, repeats: int) -> float:
        """Return how long one run takes, on average over `repeats`."""
        self.work.start()
        run = self.work.run
        run()
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        return (time.perf_counter() - started) / repeats

    def close(self) -> None:
        """Nothing is held."""


class Elsewhere:
    """A contestant in a process of its own, which waits between its turns: HIPS autograd, whose import name is ours."""

    def __init__(self, name: str, inputs: tuple[Any, ...]) -> None:
        # -P: no folder of ours on its path, where it would find our `autograd`.
        command = [str(HIPS_PYTHON), "-P", str(HERE / "hips.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send((name, inputs))

    def send(self, message: Any) -> None:
        """Write a message to the process."""
        assert self.process.stdin is not None
        pickle.dump(message, self.process.stdin)
        self.process.stdin.flush()

    def ask(self, message: Any) -> Any:
        """Return the answer to a message."""
        assert self.process.stdout is not None
        self.send(message)
        return pickle.load(self.process.stdout)

    def numbers(self) -> list[Any]:
        """Return what all contestants must agree on."""
        return [np.asarray(n) for n in self.ask("numbers")]

    def seconds(self, repeats: int) -> float:
        """Return how long one run takes, on average over `repeats`."""
        return float(self.ask(repeats))

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass(frozen=True)
class Race:
    """The same work for several engines.

    `contestants` has, by name, a function of the inputs that returns the `Work`; ours is the first. A name is also
    that of the module it needs. `units` is how many of `unit` one run has, and `goals` what the ratio of our time
    to a rival's shall be at most.
    """

    what: str
    inputs: Callable[[], tuple[Any, ...]]
    contestants: Mapping[str, Callable[..., Work]]
    unit: str
    units: int = 1
    tolerance: float = 1e-9
    goals: Mapping[str, float] = field(default_factory=dict)
    hips: str = ""  # what hips.py calls this work, if it has it

    @property
    def rivals(self) -> tuple[str, ...]:
        """All but ourselves."""
        return (*(name for name in self.contestants if name != OURS), *((HIPS,) if self.hips else ()))

    def run(self, rivals: Sequence[str], rounds: int, threads: int) -> dict[str, Any]:
        """Hold the race, print it and return its figures."""
        print(f"\n{self.what}", flush=True)
        inputs = self.inputs()
        runners, absent = self.enter(inputs, rivals, threads)
        try:
            differences = disagreement(runners)
            disagreeing = {name for name, d in differences.items() if not d <= self.tolerance}  # NaN disagrees
            times = take_turns(runners, rounds)
        finally:
            for runner in runners.values():
                runner.close()
        figures: dict[str, Any] = {"agree": not disagreeing, "absent": absent, "contestants": {}}
        for name, seconds in times.items():
            entry: dict[str, Any] = {"seconds": statistics.median(seconds) / self.units}
            line = f"   {name:14} {readable(entry['seconds']):>9} {self.unit}"
            if name != OURS:
                ratios = [a / b for a, b in zip(times[OURS], seconds, strict=True)]
                entry |= {"ratio": statistics.median(ratios), "spread": spread(ratios), "difference": differences[name]}
                low, high = entry["spread"]
                line += f"   ours is {entry['ratio']:.2f} of it ({low:.2f} to {high:.2f})"
                if name in self.goals:
                    entry["goal"] = self.goals[name]
                    line += f", goal {self.goals[name]:.2f}{'' if entry['ratio'] <= self.goals[name] else ': MISSED'}"
                if name in disagreeing:
                    line += f"   DISAGREES by {differences[name]:.1e}"
            figures["contestants"][name] = entry
            print(line, flush=True)
        for name in absent:
            print(f"   {name:14} not installed")
        return figures

    def enter(self, inputs: Any, rivals: Sequence[str], threads: int) -> tuple[dict[str, Any], list[str]]:
        """Return the contestants that are there, ready to run, and the names of those that are not."""
        runners: dict[str, Any] = {OURS: Here(self.contestants[OURS](*inputs))}
        absent = []
        for name in rivals:
            if name == HIPS:
                if HIPS_PYTHON.exists():
                    runners[name] = Elsewhere(self.hips, inputs)
                    continue
            elif importlib.util.find_spec(name) is not None:
                if name == "torch":
                    import torch

                    torch.set_num_threads(threads)
                runners[name] = Here(self.contestants[name](*inputs))
                continue
            absent.append(name)
        return runners, absent


def disagreement(runners: Mapping[str, Any]) -> dict[str, float]:
    """Return, for each contestant, how far its numbers are from ours, at most."""
    ours = runners[OURS].numbers()
    found = {}
    for name, runner in runners.items():
        theirs = runner.numbers()
        found[name] = max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))
    return found


def take_turns(runners: Mapping[str, Any], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every contestant in every round; each round begins with another one."""
    for runner in runners.values():
        runner.seconds(1)
    repeats = max(1, round(ROUND_SECONDS / runners[OURS].seconds(3)))
    # What the imports left behind would make every full collection slower, in our runs for their imports.
    gc.collect()
    gc.freeze()
    names = list(runners)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            time.sleep(SETTLE_SECONDS)
            times[name].append(runners[name].seconds(repeats))
    gc.unfreeze()
    return times


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the range that holds the middle four fifths."""
    low, high = np.quantile(values, [0.1, 0.9])
    return float(low), float(high)


def readable(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
