"""What importing costs beyond NumPy, in fresh processes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.fresh import fresh
from benchmarks.race import spread

GOAL = 0.030


@dataclass(frozen=True)
class Importing:
    """The time of `import autograd` after `import numpy`, and of `import nn, optim` after that."""

    what: str = "Import time, in fresh processes"
    rivals: tuple[str, ...] = ()

    def run(self, rivals: Sequence[str], rounds: int, threads: int) -> dict[str, Any]:
        """Measure, print and return the times."""
        print(f"\n{self.what}", flush=True)
        fresh("import_times")  # writes the byte code and warms the disk's cache
        found = [fresh("import_times") for _ in range(rounds)]
        figures: dict[str, Any] = {}
        for name in found[0]:
            seconds = [f[name] for f in found]
            low, high = figures[f"{name}-spread"] = spread(seconds)
            figures[name] = statistics.median(seconds)
            line = f"   {name:28} {figures[name] * 1e3:6.1f} ms ({low * 1e3:.1f} to {high * 1e3:.1f})"
            if name == "autograd beyond it":
                line += f", goal {GOAL * 1e3:.0f} ms{'' if figures[name] <= GOAL else ': MISSED'}"
            print(line)
        return figures
