"""Runs that repeat: where a sequence says the same several times over."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

LONGEST_PERIOD: Final = 256
LEAST: Final = 3  # how often something is said before it counts as repeated


class Run(NamedTuple):
    """`times` repetitions, from `start` on, of `period` items."""

    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times


def runs(items: Sequence[Hashable], shortest: int = 0) -> list[Run]:
    """Return repeated runs of at least `shortest` items that do not overlap, the longest first chosen, in order.

    >>> runs("xabababy")
    [Run(start=1, period=2, times=3)]
    """
    numbers: dict[Hashable, int] = {}
    tokens = np.fromiter((numbers.setdefault(item, len(numbers)) for item in items), np.int64, len(items))
    found = []
    for period in range(1, min(LONGEST_PERIOD, len(tokens) // LEAST) + 1):
        same = np.concatenate(([False], tokens[:-period] == tokens[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, lengths = edges[::2], edges[1::2] - edges[::2]
        for start, length in zip(
            starts[lengths >= period * (LEAST - 1)], lengths[lengths >= period * (LEAST - 1)], strict=True
        ):
            run = Run(int(start), period, int(length) // period + 1)
            if run.period * run.times >= shortest:
                found.append(run)
    found.sort(key=lambda run: (-run.period * run.times, run.period, run.start))
    free = np.ones(len(tokens), bool)
    chosen = []
    for run in found:
        if free[run.start : run.stop].all():
            free[run.start : run.stop] = False
            chosen.append(run)
    return sorted(chosen)


def cuts(crossing: Any, pieces: int) -> list[int]:
    """Return places, near to equal spacing, where few wires are cut; `crossing` counts them at each place."""
    total = len(crossing)
    size = total / pieces
    places = [0]
    for k in range(1, pieces):
        low, high = int(size * (k - 0.4)), int(size * (k + 0.4)) + 1
        low = max(low, places[-1] + 1)
        if low < min(high, total):
            places.append(low + int(np.argmin(crossing[low:high])))
    return [*places, total]
