"""Where our own time goes in a work, by file of the house: what to look at when a ratio is too large."""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 10

Function = tuple[str, int, str]  # file, line and name, as the profiler has them


def spent(run: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    """Return the seconds of one run by file, most first; those of NumPy's functions count for whoever called them.

    It is this thread's time alone: where work is shared, what it waits for the others counts for `threads.py`. The
    profiler makes Python itself look two to three times as slow as it is.
    """
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(repeats):
        run()
    profile.disable()
    stats: dict[Function, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    found: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in stats.items():
        parts = {caller: part[2] for caller, part in callers.items()} or {function: own}
        for caller, seconds in parts.items():
            found[place(function) or owner(caller, stats)] += seconds / repeats
    return dict(found.most_common())


def place(function: Function) -> str | None:
    """Return the file of a function of ours, None for any other."""
    path = Path(function[0])
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) and ".venv" not in path.parts else None


def owner(function: Function, stats: dict[Function, Any]) -> str:
    """Return the file of ours that called a function: by way of the caller for which it took most time."""
    seen: set[Function] = set()
    while place(function) is None:
        seen.add(function)
        callers = {caller: part[3] for caller, part in stats[function][4].items() if caller not in seen}
        if not callers:
            return "elsewhere"
        function = max(callers, key=lambda caller: callers[caller])
    return str(place(function))
