"""What importing costs beyond NumPy, in fresh processes, and what an installation takes on disk."""

from __future__ import annotations

import importlib.metadata
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fresh import fresh
from benchmarks.race import spread

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 21
GOAL = 0.030
PACKAGES = ("autograd", "nn", "optim")
OTHERS = {"numpy": ("numpy",), "torch": ("torch",), "jax": ("jax", "jaxlib")}  # what else they need is not counted


def own_size() -> int:
    """Return the bytes of what our wheel installs, byte code left out."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*"))
    return sum(path.stat().st_size for path in files if path.is_file() and "__pycache__" not in path.parts)


def size_of(distributions: Sequence[str]) -> int:
    """Return the bytes that other distributions have installed, byte code left out."""
    files = (path for name in distributions for path in importlib.metadata.files(name) or ())
    located = (Path(str(path.locate())) for path in files if path.suffix != ".pyc")
    return sum(path.stat().st_size for path in located if path.is_file())


@dataclass(frozen=True)
class Importing:
    """The time of `import autograd` after `import numpy`, and of `import nn, optim` after that; and the sizes."""

    what: str = "Import time, in fresh processes, and size on disk"

    def against(self, wanted: Sequence[str]) -> list[str]:
        """Return nothing: it is measured alone."""
        return []

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure, print and return the times and sizes."""
        print(f"\n{self.what}", flush=True)
        fresh("import_times")  # writes the byte code and warms the disk's cache
        found = [fresh("import_times") for _ in range(rounds or ROUNDS)]
        figures: dict[str, Any] = {}
        for name in found[0]:
            seconds = [f[name] for f in found]
            low, high = figures[f"{name}-spread"] = spread(seconds)
            figures[name] = statistics.median(seconds)
            line = f"   {name:28} {figures[name] * 1e3:6.1f} ms ({low * 1e3:.1f} to {high * 1e3:.1f})"
            if name == "autograd beyond it":
                line += f", goal {GOAL * 1e3:.0f} ms{'' if figures[name] <= GOAL else ': MISSED'}"
            print(line)
        figures["bytes"] = {"gategrad": own_size()}
        for name, distributions in OTHERS.items():
            try:
                figures["bytes"][name] = size_of(distributions)
            except importlib.metadata.PackageNotFoundError:
                continue
        for name, size in figures["bytes"].items():
            print(f"   {name:28} {size / 1e6:6.1f} MB installed")
        return figures
