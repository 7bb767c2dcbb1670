"""The most memory a training step ever held, each engine in a fresh process: `python -m benchmarks.memory torch 2`."""

from __future__ import annotations

import importlib.util
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.fresh import fresh, resident

LAYERS, ROWS, WIDTH = 50, 8000, 125
MEGABYTES = LAYERS * ROWS * WIDTH * 4 // 10**6  # 4 a layer
ROUNDS = 3
GOAL = 1.1


def arrays() -> tuple[Any, list[Any]]:
    """Return a batch and the weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
    return x, [rng.standard_normal((WIDTH, WIDTH), dtype=np.float32) * 0.1 for _ in range(LAYERS)]


def gategrad(threads: int) -> dict[str, float]:
    """Return what a step of ours took: before, at most, and the gradient's norm."""
    from autograd import Tensor

    before = resident()
    x, weights = arrays()
    h, ws = Tensor(x), [Tensor(w, requires_grad=True) for w in weights]
    for w in ws:
        h = (h @ w).tanh()
    h.sum().backward()
    assert ws[0].grad is not None
    return {"before": before, "peak": resident("VmHWM"), "norm": float(np.linalg.norm(ws[0].grad.numpy()))}


def torch(threads: int) -> dict[str, float]:
    """Return what a step of PyTorch's took: before, at most, and the gradient's norm."""
    import torch

    torch.set_num_threads(threads)
    before = resident()
    x, weights = arrays()
    h, ws = torch.tensor(x), [torch.tensor(w, requires_grad=True) for w in weights]
    for w in ws:
        h = torch.tanh(h @ w)
    h.sum().backward()
    return {"before": before, "peak": resident("VmHWM"), "norm": float(ws[0].grad.norm())}


@dataclass(frozen=True)
class Memory:
    """The peak of both engines."""

    what: str = f"Peak memory of a {LAYERS}-layer tanh net, forward and backward, {MEGABYTES} MB of activations"
    rivals: tuple[str, ...] = ("torch",)

    def run(self, rivals: Sequence[str], rounds: int, threads: int) -> dict[str, Any]:
        """Measure, print and return the peaks."""
        print(f"\n{self.what}", flush=True)
        present = ["gategrad", *(r for r in rivals if importlib.util.find_spec(r) is not None)]
        rounds = min(rounds, ROUNDS)
        found = [{name: fresh("memory", name, threads) for name in present} for _ in range(rounds)]
        figures: dict[str, Any] = {"agree": True}
        for name in present:
            entry = {key: statistics.median(f[name][key] for f in found) for key in ("before", "peak", "norm")}
            entry["above"] = entry["peak"] - entry["before"]
            figures[name] = entry
            line = f"   {name:14} {entry['peak'] / 1e6:5.0f} MB, {entry['above'] / 1e6:4.0f} MB above the imports"
            if name != "gategrad":
                ours = figures["gategrad"]
                figures["agree"] = bool(np.isclose(ours["norm"], entry["norm"], rtol=1e-3))
                entry["ratio"], entry["total_ratio"] = ours["above"] / entry["above"], ours["peak"] / entry["peak"]
                line += f"   ours is {entry['ratio']:.2f} of it ({entry['total_ratio']:.2f} in all), goal {GOAL}"
                line += "" if entry["ratio"] <= GOAL else ": MISSED"
                line += "" if figures["agree"] else "   DISAGREES"
            print(line)
        return figures


if __name__ == "__main__":
    measured = {"gategrad": gategrad, "torch": torch}[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps(measured))
