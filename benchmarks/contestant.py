"""One contestant, in a process of its own: it answers on standard output what it is asked on standard input.

So no engine's threads, allocator or garbage touch another's times. A message is a pickled tuple: the name of a method
of `Contestant` and its arguments. HIPS autograd has our import name and runs this file in an environment of its own,
where neither we nor `benchmarks` can be imported: hence nothing but the standard library at the top.
"""

import gc
import importlib
import importlib.util
import os
import pickle
import runpy
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HIPS = "hips-autograd"
WARM_SECONDS = 0.05  # for which a core that was idle is slower: a step of word2vec takes 1.3 times as long at first
# Where contestants keep their works: what is not said by the race itself.
MODULES = {"numpy": "benchmarks.by_hand", "jax": "benchmarks.with_jax"}


class Contestant:
    """What one engine does when it is asked.

    Parameters
    ----------
    name : of the engine.
    threads : how many it may use.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.prepare(threads)
        self.before = 0
        self.work: Any = None
        self.warm = False

    def prepare(self, threads: int) -> None:
        """Load the engine and tell it its threads."""
        if self.name == HIPS:
            return
        from benchmarks import workloads

        self.works = workloads.WORKS
        if self.name == "gategrad":
            import autograd

            with suppress(RuntimeError):  # another BLAS than OpenBLAS has read its environment variable
                autograd.set_num_threads(threads)
        elif self.name == "torch":
            import torch

            torch.set_num_threads(threads)

    def own(self) -> dict[str, Any]:
        """Return the works that a contestant keeps in a module of its own, by name."""
        if self.name == HIPS:
            found: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("hips.py")))["WORKS"]
            return found
        module = MODULES.get(self.name)
        if module is None or importlib.util.find_spec(module) is None:
            return {}
        return dict(importlib.import_module(module).WORKS)

    def names(self) -> list[str]:
        """Return what those works are called."""
        return list(self.own())

    def enter(self, name: str, inputs: tuple[Any, ...]) -> None:
        """Make ready for a work."""
        self.work = None
        race = None if self.name == HIPS else self.works.get(name)
        make = self.own()[name] if race is None or self.name not in race.contestants else race.contestants[self.name]
        self.work = make(*inputs)
        self.warm = False

    def numbers(self) -> list[Any]:
        """Return what all contestants must agree on, as arrays."""
        import numpy as np

        _, numbers, _ = self.work
        return [np.asarray(n) for n in numbers()]

    def seconds(self, repeats: int) -> float:
        """Return how long one run takes, on average over `repeats`, once the core has come back from its rest."""
        run, _, start = self.work
        start()
        resting = time.perf_counter()
        run()
        while time.perf_counter() - resting < WARM_SECONDS:
            run()
        if not self.warm:
            # What imports and preparations left behind would make every full collection slower.
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self.warm = True
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        return (time.perf_counter() - started) / repeats

    def profile(self) -> dict[str, float]:
        """Return the seconds of a run by file of the house, most first."""
        from benchmarks.where import spent

        run, _, _ = self.work
        return spent(run)

    def settle(self) -> None:
        """Load whatever the engine loads at first use, and note how much memory is held before the work comes."""
        from benchmarks.fresh import resident
        from benchmarks.training import ENGINES, small_step

        small_step(ENGINES[self.name])  # PyTorch loads its compiler with the first optimiser: that is not the work's
        self.before = resident("VmRSS")

    def memory(self, repeats: int) -> dict[str, int]:
        """Return the bytes held before the work came, and the most ever held after so many runs."""
        from benchmarks.fresh import resident

        run, _, start = self.work
        start()
        for _ in range(repeats):
            run()
        return {"before": self.before, "peak": resident("VmHWM")}


def main() -> None:
    """Answer until standard input ends."""
    # What anyone prints goes to standard error: standard output is for answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    contestant = Contestant(sys.argv[1], int(sys.argv[2]))
    while True:
        try:
            method, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(getattr(contestant, method)(*arguments), answers)
        answers.flush()


if __name__ == "__main__":
    main()
