"""The figures of one run of the benchmarks: a file of them all, a table, and plots."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plots
from benchmarks.limits import LARGE, LOOP_LENGTHS, SHIFT
from benchmarks.race import HIPS, HIPS_PYTHON, OURS, RIVALS, readable
from benchmarks.workloads import RACES

DISTRIBUTIONS = ("numpy", "torch", "jax", "jaxlib", "mygrad", "micrograd")
NAMES = {"numpy": "NumPy by hand", "torch": "PyTorch", "jax": "JAX", "mygrad": "MyGrad", HIPS: "HIPS autograd"}
# Settings of matrix libraries and allocators change their speed.
SETTINGS = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "VECLIB_", "MALLOC_", "GLIBC_TUNABLES", "XLA_", "JAX_")
GROUPS = {"overhead": ("bound by overhead", 0.65), "compute": ("bound by arithmetic", 1.0)}


class Results:
    """What was measured, where, and with which versions.

    Parameters
    ----------
    threads : how many each contestant had.
    """

    def __init__(self, threads: int) -> None:
        self.started = datetime.now().astimezone()
        self.threads = threads
        self.figures: dict[str, Any] = {}
        self.agree = True

    def add(self, name: str, figures: dict[str, Any]) -> None:
        """Take the figures of one benchmark."""
        self.figures[name] = figures
        self.agree &= figures.get("agree", True)

    def write(self, folder: Path) -> list[Path]:
        """Write the figures, the table and the plots into new files of `folder`, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.started:%Y-%m-%d-%H%M%S}"
        data, table = folder / f"{stem}.json", folder / f"{stem}.md"
        everything = self.machine() | {"groups": self.groups(), "benchmarks": self.figures}
        data.write_text(json.dumps(everything, indent=2) + "\n")
        table.write_text(self.table() + "\n")
        paths = [data, table]
        if self.races():
            plots.ratios(self.races(), NAMES, folder / f"{stem}-ratios.svg")
            paths.append(folder / f"{stem}-ratios.svg")
        if "scaling" in self.figures:
            plots.curves(self.figures["scaling"]["curves"], folder / f"{stem}-scaling.svg")
            paths.append(folder / f"{stem}-scaling.svg")
        return paths

    def races(self) -> dict[str, Any]:
        """Return the figures of the races."""
        return {name: figures for name, figures in self.figures.items() if "contestants" in figures}

    def groups(self) -> dict[str, Any]:
        """Return, for each group of workloads, the geometric mean of our times relative to PyTorch's."""
        found = {}
        for group, (what, goal) in GROUPS.items():
            members = [name for name, race in RACES.items() if race.group == group]
            entries = {name: self.figures.get(name, {}).get("contestants", {}).get("torch", {}) for name in members}
            ratios = {name: entry["ratio"] for name, entry in entries.items() if "ratio" in entry}
            if ratios:
                mean = float(np.exp(np.mean(np.log(list(ratios.values())))))
                found[group] = {"what": what, "mean": mean, "goal": goal, "of": list(ratios), "all": members}
        return found

    def table(self) -> str:
        """Return the figures as Markdown."""
        parts = [self.times(), self.means(), self.limits(), self.memory(), self.growth(), self.imports()]
        return "\n\n".join(part for part in parts if part)

    def times(self) -> str:
        """Return the table of the races: our time, and its ratio to each rival's with its spread."""
        races = self.races()
        rivals = [n for n in RIVALS if any(n in figures["contestants"] for figures in races.values())]
        if not rivals:
            return ""
        versions = self.versions()
        heads = [f"{NAMES.get(n, n)} {'' if n == 'numpy' else versions.get(n, '')}".strip() for n in rivals]
        rows = [["our time, and its ratio to that of", "", *heads], ["---"] * (2 + len(heads))]
        for name, figures in races.items():
            entries = figures["contestants"]
            rows.append([name, per_unit(entries[OURS], figures["unit"]), *(ratio(entries.get(n)) for n in rivals)])
        return markdown(rows)

    def means(self) -> str:
        """Return the lines of the groups."""
        lines = []
        for entry in self.groups().values():
            line = f"Workloads {entry['what']}: {entry['mean']:.2f} of PyTorch's time, the geometric mean of "
            if entry["of"] != entry["all"]:
                lines.append(f"{line}{len(entry['of'])} of {len(entry['all'])}.")
            else:
                verdict = "" if entry["mean"] <= entry["goal"] else ": MISSED"
                lines.append(f"{line}all {len(entry['all'])} (goal {entry['goal']:.2f}{verdict}).")
        return "\n".join(lines)

    def limits(self) -> str:
        """Return the table of what takes its time in any engine, and what loops take."""
        figures = self.figures.get("limits")
        if figures is None:
            return ""
        rows = [["by themselves, in a step", "NumPy, or ours", "PyTorch", "of PyTorch's whole step"], ["---"] * 4]
        for entry in figures["parts"].values():
            first, *others = entry["seconds"].values()
            theirs = readable(others[0]) if others else ""
            rows.append([entry["what"], readable(first), theirs, ratio(entry if others else None)])
        loops = figures["machine"]
        sentences = []
        for name, length in LOOP_LENGTHS.items():
            apart, shared = (loops[f"{name}-{kind}"] / loops[name] for kind in ("unaligned", "shared"))
            sentences.append(
                f"A loop over {length:,} numbers in cache takes {readable(loops[name])}; {apart:.2f} of that "
                f"{SHIFT} bytes behind a line of the cache, {shared:.2f} where {self.threads} threads share such loops."
            )
        copies = [f"{readable(loops[f'copy by {n}'])} by {n}" for n in ("numpy", "torch") if f"copy by {n}" in loops]
        sentences.append(f"A copy of {LARGE * 4 / 1e6:.0f} MB takes {', '.join(copies)}.")
        return markdown(rows) + "\n\n" + "\n".join(sentences)

    def memory(self) -> str:
        """Return the table of the peaks, if both engines' are there."""
        works = self.figures.get("memory", {}).get("works", {})
        if not any("ratio" in entry for entry in works.values()):
            return ""
        rows = [["peak memory in MB, in all and above the imports", "ours", "PyTorch", "ratio"], ["---"] * 4]
        for name, entry in works.items():
            ours, theirs = (f"{entry[n]['peak'] / 1e6:.0f}, {entry[n]['above'] / 1e6:.0f}" for n in (OURS, "torch"))
            rows.append([name, ours, theirs, f"{entry['total_ratio']:.2f}, {entry['ratio']:.2f}"])
        return markdown(rows)

    def growth(self) -> str:
        """Return what is said of growing works."""
        lines = []
        for curve in self.figures.get("scaling", {}).get("curves", {}).values():
            slopes = {name: f"{entry['slope']:.2f}" for name, entry in curve["contestants"].items()}
            theirs = f" (PyTorch: {slopes['torch']})" if "torch" in slopes else ""
            lines.append(f"The time of {curve['what']} grows with exponent {slopes[OURS]}{theirs}.")
        if "growth" in self.figures:
            figures = self.figures["growth"]
            large = figures["chain-1000000"]
            lines.append(
                f"A node of a graph of a million takes {readable(large['seconds'])}, {figures['ratio']:.2f} times that "
                f"of one of ten thousand, and {large['bytes']:.0f} bytes."
            )
        return "\n".join(lines)

    def imports(self) -> str:
        """Return what is said of importing and of sizes."""
        figures = self.figures.get("import")
        if figures is None:
            return ""
        times = f"{figures['autograd beyond it'] * 1e3:.0f} ms beyond NumPy's {figures['numpy'] * 1e3:.0f} ms"
        sizes = ", ".join(
            f"{NAMES.get(n, n) if n != 'numpy' else 'NumPy'} {size / 1e6:.1f} MB"
            for n, size in figures["bytes"].items()
            if n != OURS
        )
        return (
            f"`import autograd` takes {times}, `import nn, optim` {figures['nn and optim beyond that'] * 1e3:.0f} ms "
            f"more. Installed: {figures['bytes'][OURS] / 1e6:.1f} MB ({sizes})."
        )

    def machine(self) -> dict[str, Any]:
        """Return what the figures depend on."""
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "machine": platform.machine(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "threads": self.threads,
            "settings": {name: value for name, value in sorted(os.environ.items()) if name.startswith(SETTINGS)},
            "blas": blas(),
            "versions": self.versions(),
        }

    def versions(self) -> dict[str, str]:
        """Return the versions of all contestants that are installed."""
        found = {}
        for name in DISTRIBUTIONS:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        theirs = [str(path) for path in HIPS_PYTHON.parent.parent.glob("lib/python*/site-packages")]
        for distribution in importlib.metadata.distributions(name="autograd", path=theirs):
            found[HIPS] = distribution.version
        return found


def processor() -> str:
    """Return what the processor calls itself, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def blas() -> str:
    """Return the matrix library that NumPy was built with."""
    found: Any = np.show_config(mode="dicts")
    entry = found.get("Build Dependencies", {}).get("blas", {})
    return f"{entry.get('name', '')} {entry.get('version', '')}".strip()


def per_unit(entry: dict[str, Any], unit: str) -> str:
    """Return a time and what it is the time of."""
    return f"{readable(entry['seconds'])} {unit}"


def ratio(entry: dict[str, Any] | None) -> str:
    """Return a ratio with its spread."""
    if entry is None:
        return ""
    if "ratio" not in entry:
        return "disagrees"
    low, high = entry["spread"]
    return f"{entry['ratio']:.2f} ({low:.2f}–{high:.2f})"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table, its columns lined up."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = ("-" * width if cell == "---" else cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
