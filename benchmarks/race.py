"""Contestants in turns: the same work done by several engines, compared round by round."""

from __future__ import annotations

import functools
import importlib.util
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
OURS = "gategrad"
HIPS = "hips-autograd"
HIPS_PYTHON = HERE.parent / ".venv" / "hips" / "bin" / "python"
RIVALS = ("numpy", "torch", "jax", "mygrad", "micrograd", HIPS)
ROUND_SECONDS = 0.03  # a turn repeats the work until it takes about this long
SETTLE_SECONDS = 0.2  # idle threads of OpenBLAS spin for 2^28 cycles, 130 ms at 2.1 GHz, at the next one's cost
ROUNDS, FEWEST_ROUNDS, RACE_SECONDS = 31, 11, 10.0  # a race that takes long has fewer rounds, unless they are asked for
GOALS = {"mygrad": 1.0, HIPS: 1.0}  # the same for every work; a race adds its own
LEAST_SHARE = 0.01  # of the time, to be named in a profile
BY_HAND_GOAL, BY_HAND_SECONDS = 1.15, 3e-4  # below that, an engine's overhead is most of what it does


class Work(NamedTuple):
    """What a contestant does.

    `run` is what is timed. `numbers` returns what all must agree on. `start`, untimed, begins each round.
    """

    run: Callable[[], object]
    numbers: Callable[[], list[Any]]
    start: Callable[[], object] = lambda: None


class Runner:
    """An engine in a process of its own, which waits between its turns (see contestant.py).

    Parameters
    ----------
    name : of the engine.
    threads : how many it may use.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        if name == HIPS:
            # -I: nothing of ours on its path, where it would find our `autograd`.
            command = [str(HIPS_PYTHON), "-I", str(HERE / "contestant.py")]
        else:
            command = [sys.executable, "-m", "benchmarks.contestant"]
        self.process = subprocess.Popen(
            [*command, name, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE.parent
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()

    def ask(self, *message: Any) -> Any:
        """Return the answer to a message: the name of what is asked, and its arguments."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump(message, self.process.stdin)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (BrokenPipeError, EOFError):
            raise ContestantError(f"{self.name} failed at {message[0]!r}; its message is above") from None

    def enter(self, name: str, inputs: tuple[Any, ...]) -> None:
        """Make it ready for a work."""
        self.ask("enter", name, inputs)

    def numbers(self) -> list[Any]:
        """Return what all contestants must agree on."""
        return list(self.ask("numbers"))

    def seconds(self, repeats: int) -> float:
        """Return how long one run takes, on average over `repeats`."""
        return float(self.ask("seconds", repeats))

    def profile(self) -> dict[str, float]:
        """Return the seconds of a run by file of the house, most first."""
        return dict(self.ask("profile"))

    def settle(self) -> None:
        """Have it load what it loads at first use, and note its memory."""
        self.ask("settle")

    def memory(self, repeats: int) -> dict[str, int]:
        """Return the bytes held when it was settled, and the most ever held after so many runs."""
        return dict(self.ask("memory", repeats))


class ContestantError(RuntimeError):
    """A contestant's process ended before it answered."""


def installed(name: str) -> bool:
    """Return whether a contestant is there to be asked."""
    return HIPS_PYTHON.exists() if name == HIPS else name == OURS or importlib.util.find_spec(name) is not None


class BesideTorch:
    """What the benchmarks that are no races share: they measure PyTorch beside us."""

    def against(self, wanted: Sequence[str]) -> list[str]:
        """Return PyTorch, if it is wanted and there."""
        return [name for name in wanted if name == "torch" and installed(name)]


@functools.cache
def names_of(name: str) -> tuple[str, ...]:
    """Return the names of the works that a contestant keeps in a module of its own."""
    with Runner(name, 1) as contestant:
        return tuple(contestant.ask("names"))


@dataclass(frozen=True)
class Race:
    """The same work for several engines.

    `contestants` has, by name, a function of the inputs that returns the `Work`; ours is the first. A name is also
    that of the module it needs. `by_hand`, `with_jax` and `hips` add more, under the race's name or as it is `called`
    there. `units` is how many of `unit` one run has, `tolerance` how far an array may be from ours, relative to the
    largest element, and `goals` what the ratio of our time to a rival's shall be at most. Of each `group`, the report
    has the geometric mean.
    """

    name: str
    what: str
    inputs: Callable[[], tuple[Any, ...]]
    contestants: Mapping[str, Callable[..., Work]]
    unit: str
    units: int = 1
    tolerance: float = 1e-9
    goals: Mapping[str, float] = field(default_factory=dict)
    group: str = ""
    called: str = ""

    def known_as(self, contestant: str) -> str | None:
        """Return what a contestant calls this work, or None if it has no such work."""
        if contestant in self.contestants:
            return self.name
        if contestant not in ("numpy", "jax", HIPS):
            return None
        return next((name for name in (self.name, self.called) if name in names_of(contestant)), None)

    def against(self, wanted: Sequence[str]) -> list[str]:
        """Return those of the wanted rivals that are installed and have this work."""
        return [name for name in wanted if installed(name) and self.known_as(name) is not None]

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Hold the race against those of the wanted that can take part, print it and return its figures."""
        print(f"\n{self.name}: {self.what}", flush=True)
        inputs = self.inputs()
        with ExitStack() as stack:
            # All start before the first is asked: their imports take longest, and go on side by side.
            names = (OURS, *self.against(wanted))
            runners = {name: stack.enter_context(Runner(name, threads)) for name in names}
            for name in names:
                runners[name].enter(self.known_as(name) or self.name, inputs)
            return self.held(runners, rounds)

    def profile(self, threads: int) -> None:
        """Print where our own time goes."""
        with Runner(OURS, threads) as runner:
            runner.enter(self.name, self.inputs())
            seconds = runner.seconds(3)
            found = runner.profile()
        total = sum(found.values())
        times = [readable(t / self.units) for t in (seconds, total)]
        print(f"\n{self.name}: {times[0]} {self.unit}, under the profiler {times[1]}")
        for place, part in found.items():
            if part > LEAST_SHARE * total:
                print(f"   {100 * part / total:5.1f} %  {place}", flush=True)

    def held(self, runners: Mapping[str, Any], rounds: int | None) -> dict[str, Any]:
        """Compare the numbers, then the times of those that agree; print and return the figures."""
        ours = runners[OURS].numbers()
        differences = {name: difference(ours, runner.numbers()) for name, runner in runners.items()}
        agreeing = [name for name, d in differences.items() if d <= self.tolerance]  # NaN does not
        times = take_turns({name: runners[name] for name in agreeing}, rounds)
        contestants: dict[str, Any] = {}
        for name in runners:
            entry: dict[str, Any] = {"difference": differences[name]}
            contestants[name] = entry
            if name not in agreeing:
                print(f"   {name:14} DISAGREES by {differences[name]:.1e}: not timed", flush=True)
                continue
            entry["seconds"] = statistics.median(times[name]) / self.units
            entry["rounds"] = len(times[name])
            line = f"   {name:14} {readable(entry['seconds']):>9} {self.unit}"
            if name != OURS:
                ratios = [a / b for a, b in zip(times[OURS], times[name], strict=True)]
                low, high = spread(ratios)
                entry |= {"ratio": statistics.median(ratios), "spread": (low, high)}
                line += f"   ours is {entry['ratio']:.2f} of it ({low:.2f} to {high:.2f})"
                goal = self.goal(name, entry["seconds"] * self.units)
                if goal is not None:
                    entry["goal"] = goal
                    line += f", goal {goal:.2f}{'' if entry['ratio'] <= goal else ': MISSED'}"
            print(line, flush=True)
        return {
            "agree": len(agreeing) == len(runners),
            "group": self.group,
            "unit": self.unit,
            "contestants": contestants,
        }

    def goal(self, rival: str, seconds: float) -> float | None:
        """Return what the ratio of our time to that of a rival, which took so long, shall be at most."""
        if rival == "numpy":
            return BY_HAND_GOAL if seconds > BY_HAND_SECONDS else None
        return self.goals.get(rival, GOALS.get(rival))


def difference(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """Return how far the arrays of two lists are apart at most, each relative to its largest element."""
    if [a.shape for a in ours] != [b.shape for b in theirs]:
        return float("inf")
    found = 0.0
    for a, b in zip(ours, theirs, strict=True):
        apart, largest = float(np.abs(a - b).max()), float(max(np.abs(a).max(), np.abs(b).max()))
        if not np.isfinite(apart):
            return apart
        found = max(found, apart / largest if apart else 0.0)
    return found


def take_turns(runners: Mapping[str, Any], rounds: int | None) -> dict[str, list[float]]:
    """Return the seconds of every contestant in every round; each round begins with another one."""
    for runner in runners.values():
        runner.seconds(1)
    repeats = {name: max(1, round(ROUND_SECONDS / runner.seconds(3))) for name, runner in runners.items()}
    names = list(runners)
    times: dict[str, list[float]] = {name: [] for name in names}
    started = time.perf_counter()
    for i in range(rounds or ROUNDS):
        if rounds is None and i >= FEWEST_ROUNDS and time.perf_counter() - started > RACE_SECONDS:
            break
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            time.sleep(SETTLE_SECONDS)
            times[name].append(runners[name].seconds(repeats[name]))
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
