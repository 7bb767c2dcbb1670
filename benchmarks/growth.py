"""Time and memory a node as graphs grow, each graph in a fresh process: `python -m benchmarks.growth chain 1000000`."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.fresh import fresh, resident

WIDTH = 1000
GRAPHS = (("chain", 10_000), ("chain", 100_000), ("chain", 1_000_000), ("diamond", 1_000_000))
ROUNDS = 3
GOAL = 1.6


def chain(nodes: int) -> tuple[Any, Any]:
    """Return the start and the end of a chain of so many operations."""
    from autograd import Tensor

    x = Tensor(0.5, requires_grad=True)
    y = x
    for _ in range(nodes // 2):
        y = y * 0.5
        y = y + 1.0
    return x, y


def diamond(nodes: int) -> tuple[Any, Any]:
    """Return the start and the end of layers of `WIDTH` nodes: in turn, sums of two neighbours, and their halves."""
    from autograd import Tensor

    x = Tensor(0.5, requires_grad=True)
    row = [x * 1.0 for _ in range(WIDTH)]
    for _ in range(nodes // (2 * WIDTH)):
        row = [row[i] + row[i - 1] for i in range(WIDTH)]
        row = [y * 0.5 for y in row]
    end = row[0]
    for y in row[1:]:
        end = end + y
    return x, end


def measure(kind: str, nodes: int) -> dict[str, float]:
    """Build a graph, go backward and drop it; return the seconds of each and the bytes, by node."""
    build = {"chain": chain, "diamond": diamond}[kind]
    build(2 * WIDTH)[1].backward()  # whatever is done once is done
    before = resident()
    t0 = time.perf_counter()
    x, y = build(nodes)
    t1 = time.perf_counter()
    y.backward()
    t2 = time.perf_counter()
    assert x.grad is not None
    peak = resident("VmHWM")
    t3 = time.perf_counter()
    del y
    t4 = time.perf_counter()
    parts = {"forward": t1 - t0, "backward": t2 - t1, "deletion": t4 - t3}
    return {name: s / nodes for name, s in parts.items()} | {
        "seconds": sum(parts.values()) / nodes,
        "bytes": (peak - before) / nodes,
    }


@dataclass(frozen=True)
class Growth:
    """The curve of time and memory a node."""

    what: str = "Graphs of growing size: time and memory a node, each in a fresh process"

    def against(self, wanted: Sequence[str]) -> list[str]:
        """Return nothing: it is measured alone."""
        return []

    def run(self, wanted: Sequence[str], rounds: int | None, threads: int) -> dict[str, Any]:
        """Measure every graph in turns, print the curve and return it."""
        print(f"\n{self.what}", flush=True)
        rounds = min(rounds or ROUNDS, ROUNDS)
        found: list[list[dict[str, float]]] = [[] for _ in GRAPHS]
        for _ in range(rounds):
            for row, (kind, nodes) in zip(found, GRAPHS, strict=True):
                row.append(fresh("growth", kind, nodes))
        figures: dict[str, Any] = {}
        print(f"   {'':8} {'nodes':>9} {'forward':>9} {'backward':>9} {'deletion':>9} {'all':>9}")
        for row, (kind, nodes) in zip(found, GRAPHS, strict=True):
            entry = {name: statistics.median(m[name] for m in row) for name in row[0]}
            figures[f"{kind}-{nodes}"] = entry
            times = (f"{entry[name] * 1e6:6.2f} µs" for name in ("forward", "backward", "deletion", "seconds"))
            print(f"   {kind:8} {nodes:9,} {' '.join(times)} {entry['bytes']:6.0f} bytes")
        ratios = [large["seconds"] / small["seconds"] for small, large in zip(found[0], found[2], strict=True)]
        figures["ratio"] = ratio = statistics.median(ratios)
        print(f"   time a node at 1,000,000 is {ratio:.2f} of that at 10,000, goal {GOAL}", end="")
        print("" if ratio <= GOAL else ": MISSED")
        return figures


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
