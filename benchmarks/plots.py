"""Plots of the figures: ratios with their spread, and curves of growth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.race import OURS, RIVALS


def ratios(races: Mapping[str, Any], names: Mapping[str, str], path: Path) -> None:
    """Plot, for each race, the ratio of our time to each rival's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.5 + 0.35 * len(races)), layout="constrained")
    axes = figure.add_subplot()
    rivals = [r for r in RIVALS if any("ratio" in f["contestants"].get(r, {}) for f in races.values())]
    for i, rival in enumerate(rivals):
        rows, values, lows, highs = [], [], [], []
        for row, figures in enumerate(races.values()):
            entry = figures["contestants"].get(rival, {})
            if "ratio" in entry:
                rows.append(row + 0.6 * ((i + 0.5) / len(rivals) - 0.5))  # side by side
                values.append(entry["ratio"])
                lows.append(max(0.0, entry["ratio"] - entry["spread"][0]))
                highs.append(max(0.0, entry["spread"][1] - entry["ratio"]))
        axes.errorbar(values, rows, xerr=(lows, highs), fmt="o", markersize=4, label=names.get(rival, rival))
    axes.axvline(1.0, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("our time relative to theirs: left of the line we are quicker (median, middle four fifths)")
    axes.set_yticks(range(len(races)), list(races))
    axes.invert_yaxis()
    if rivals:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path)


def curves(curves: Mapping[str, Any], path: Path) -> None:
    """Plot the time of a training step against what grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    for i, entry in enumerate(curves.values()):
        axes = figure.add_subplot(2, 2, i + 1)
        for name, found in entry["contestants"].items():
            label = f"{'ours' if name == OURS else 'PyTorch'}, exponent {found['slope']:.2f}"
            axes.plot(entry["sizes"], [1e3 * s for s in found["seconds"]], "o-", label=label)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_title(entry["what"], fontsize=10)
        axes.set_ylabel("ms a step")
        axes.legend()
    figure.savefig(path)
