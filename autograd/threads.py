"""How many threads our own loops use, and the pool that runs them.

NumPy releases the interpreter's lock inside its loops, so plain Python threads over parts of a batch run side by side.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")
WORTH_A_THREAD: Final = 2_000_000  # multiply-adds: some 50 µs of work, where handing it over costs 20


def available_cores() -> int:
    """Return OMP_NUM_THREADS where it is set, else the number of cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """The number of threads, and a pool of one less: the thread that calls does its share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = available_cores()
        self.forget()

    def forget(self) -> None:
        """Drop the pool; the next use makes a new one. A forked child does so, since threads stay with the parent."""
        self.lock = threading.Lock()
        self.pool: ThreadPoolExecutor | None = None

    def resize(self, number: int) -> None:
        with self.lock:
            self.number = number
            pool, self.pool = self.pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    def submit(self, work: Callable[..., Result], *args: Any) -> Any:
        from concurrent.futures import ThreadPoolExecutor  # 5 ms that an import of autograd need not take

        with self.lock:
            if self.pool is None:
                self.pool = ThreadPoolExecutor(max(1, self.number - 1), "autograd")
            return self.pool.submit(work, *args)


class Blas:
    """Keeps NumPy's OpenBLAS to one thread while ours run: both at once fight over the cores.

    Two threads of ours, each over half a batch, convolve 1.2 times as fast so. Another BLAS is left as it is.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.before = 1
        self.get, self.set = self.find()

    def find(self) -> tuple[Any, Any]:
        """Return OpenBLAS's functions that get and set its number of threads, or None."""
        module = sys.modules.get("numpy.linalg._umath_linalg")
        try:
            library = ctypes.CDLL(getattr(module, "__file__", None) or "")
        except (OSError, TypeError):
            return None, None
        for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
        return None, None

    @contextmanager
    def alone(self) -> Iterator[None]:
        if self.set is None:
            yield
            return
        with self.lock:
            self.users += 1
            if self.users == 1:
                self.before = self.get()
                self.set(1)
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if self.users == 0:
                    self.set(self.before)


workers: Final = Workers()
blas: Final = Blas()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=workers.forget)


def get_num_threads() -> int:
    """Return how many threads large operations are split over: OMP_NUM_THREADS or the available cores unless set."""
    return workers.number


def set_num_threads(number: int) -> None:
    """Split large operations (convolution, pooling) over `number` threads; 1 uses the calling thread alone.

    It governs our threads. Those of NumPy's linear algebra follow OMP_NUM_THREADS at start-up.

    Raises
    ------
    ValueError : `number` is no positive integer.

    Examples
    --------
    >>> from autograd.threads import get_num_threads, set_num_threads
    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"the number of threads is a positive integer, not {number!r}")
    workers.resize(number)


def in_parts(work: Callable[[int, int], Result], count: int, cost: float) -> list[Result]:
    """Return what `work(start, stop)` returns for consecutive parts of `range(count)`, one part a thread.

    `cost` is the whole work in multiply-adds; little work is one part.
    """
    threads = min(workers.number, count) if cost >= WORTH_A_THREAD else 1
    if threads <= 1:
        return [work(0, count)]
    ends = [count * i // threads for i in range(threads + 1)]
    with blas.alone():
        # Each part runs in a copy of the context: NumPy's errstate is part of that.
        others = [workers.submit(copy_context().run, work, a, b) for a, b in pairwise(ends[1:])]
        first = work(0, ends[1])
        return [first, *(other.result() for other in others)]
