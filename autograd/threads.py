"""How many threads work takes, and how it is shared: matrix products and what is ours take those of OpenBLAS.

OpenBLAS, which NumPy brings along, keeps a thread for each further core. After a product these spin for a tenth of a
second in wait for the next; threads of our own would get half of a core beside them (a small VGG took 1.2 to 1.4 times
as long as without). So `share` has OpenBLAS's threads call Python, and products inside take one thread each: the VGG
takes 0.7 of the time so. What limits it is that Python runs one thread at a time. To begin, and to go on after a loop
of NumPy's while the other thread is at work, takes some 10 µs; on virtual machines, where an idle core falls asleep,
50. So parts are to take 100 µs or more, in few and long loops.
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Final, TypeVar

from autograd import openblas

Result = TypeVar("Result")
Item = TypeVar("Item")

MOST: Final = 8  # threads that Python can keep busy
WORTH: Final = 1 << 23  # multiply-adds of matrix products for which a thread is worth its start
UNDONE: Final = object()
PATIENCE: Final = 1.0  # seconds after which a thread asks whether what it waits for will come
ENTRY: Final = ctypes.CFUNCTYPE(None, ctypes.c_size_t)
# int gotoblas_pthread(int threads, void *function, void *argument, int step): each thread calls the function, with an
# argument a step further on.
START: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ENTRY, ctypes.c_size_t, ctypes.c_int)


def get_num_threads() -> int:
    """Return how many threads large work takes: OMP_NUM_THREADS or the available cores unless set.

    Where NumPy's BLAS is not OpenBLAS, that is how many there may be.
    """
    get = openblas.function("get_num_threads")
    if get is None:
        return available_cores()
    while True:
        before = team().number
        found = before or int(get())
        if team().number == before:  # else a share of work began or ended meanwhile
            return found


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(number: int) -> None:
    """Let large work, and all matrix products of NumPy in this process, take `number` threads.

    Results may differ in their last digits from those of another number of threads, as OpenBLAS's kernels for some
    processors do, and are else the same each time. While another Python thread shares work, products take one thread.

    Raises
    ------
    ValueError : `number` is no positive integer.
    RuntimeError : NumPy's BLAS is not OpenBLAS; it may read an environment variable of its own when NumPy is imported.

    Examples
    --------
    >>> from autograd import get_num_threads, set_num_threads
    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"the number of threads is a positive integer, not {number!r}")
    setter = openblas.function("set_num_threads")
    if setter is None:
        raise RuntimeError(
            "NumPy's BLAS here is not OpenBLAS: set its threads by OMP_NUM_THREADS, MKL_NUM_THREADS or "
            "VECLIB_MAXIMUM_THREADS before NumPy is imported"
        )
    with team().free:
        setter(number)


def keep_state() -> None:
    """Have Python keep what it knows of this thread, which C made, for when it calls again.

    Else that is made anew at each call, with memory from the kernel: a share of one short loop takes 0.65 of the time
    so, a LeNet and a ResNet-20 0.92.
    """
    ensure = getattr(getattr(ctypes, "pythonapi", None), "PyGILState_Ensure", None)
    if ensure is not None:
        ensure()  # once more than it will be released


class Team:
    """The threads of OpenBLAS, as far as they can be had: one caller at a time has them all call Python."""

    def __init__(self) -> None:
        import threading  # here, since it takes 2 ms, which all would pay who import us

        self.new_lock = threading.Lock
        self.free = self.new_lock()
        self.number: int | None = None  # of OpenBLAS's threads, while its products take one
        self.part: Callable[[int], None]
        self.errors: list[BaseException] = []
        self.known = threading.local()  # whether a thread keeps its state
        self.entry = ENTRY(self.enter)
        self.set = openblas.function("set_num_threads")
        address = openblas.private("gotoblas_pthread") if self.set else None
        self.start = None if address is None else START(address)  # where it is missing, there is no team

    def enter(self, i: int) -> None:
        if i and not hasattr(self.known, "kept"):
            keep_state()
            self.known.kept = True
        try:
            self.part(i)
        except BaseException as error:  # it cannot pass through C
            self.errors.append(error)

    def run(self, part: Callable[[int], None], number: int) -> None:
        """Call `part(i)` for each i below `number`, all at once, the first in this thread; `free` is held."""
        assert self.start is not None
        self.part, self.errors, self.number = part, [], get_num_threads()
        try:
            self.set(1)
            self.start(number, self.entry, 0, 1)
        finally:
            self.set(self.number)
            self.number = None
            del self.part
            errors, self.errors = self.errors, []
        if errors:  # what is to end the program goes before what is wrong with it
            raise next((error for error in errors if not isinstance(error, Exception)), errors[0])

    def forget(self) -> None:
        """Begin anew in a forked process, where whoever had the threads is not."""
        self.free = self.new_lock()
        if self.number is not None:
            self.set(self.number)
            self.number = None


@functools.cache
def team() -> Team:
    made = Team()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=made.forget)
    return made


def crew(parts: int) -> int:
    """Return how many threads to share work among that is worth so many at most."""
    return 1 if parts < 2 else max(1, min(get_num_threads(), MOST, parts))


def share(work: Callable[[int, int], Result], count: int, least: int = 1) -> list[Result]:
    """Return what `work(start, stop)` returns for parts of range(count), one for each thread and all at once.

    A part has `least` of `count` or more, as many as are worth a thread. Which parts there are depends on the numbers
    alone. Where the threads are taken, the parts come one after another.
    """
    number = crew(count // least)
    if number == 1:
        return [work(0, count)]
    bounds = [count * i // number for i in range(number + 1)]
    ours = team()
    results: list[Any] = [UNDONE] * number
    contexts = [contextvars.copy_context() for _ in range(number - 1)]  # np.errstate and modes hold there too

    def part(i: int) -> None:
        if i == 0:
            results[0] = work(0, bounds[1])
        else:
            results[i] = contexts[i - 1].run(work, bounds[i], bounds[i + 1])

    if ours.start is None or not ours.free.acquire(blocking=False):
        return [work(a, b) for a, b in pairwise(bounds)]
    try:
        ours.run(part, number)
    finally:
        ours.free.release()
    if any(result is UNDONE for result in results):  # it came between C and Python, where none can be passed on
        raise KeyboardInterrupt
    return results


def follow(lead: Iterable[Item], work: Callable[[Item], object], size: int) -> None:
    """Call `work` with each item of `lead`, in another thread while `lead` goes on to the next.

    `size` is how many multiply-adds all this work has; few are not worth a thread. Without one, and where the threads
    are taken, items are worked on as they come. Which, and in which order, is the same.
    """
    ours = team()
    if size < WORTH or crew(2) == 1 or ours.start is None or not ours.free.acquire(blocking=False):
        for item in lead:
            work(item)
        return
    from queue import Empty, SimpleQueue

    items: SimpleQueue[Any] = SimpleQueue()
    context = contextvars.copy_context()
    begun = done = False

    def take() -> None:
        nonlocal done
        while True:
            try:
                item = items.get(timeout=PATIENCE)
            except Empty:
                if begun and not ours.errors:
                    continue
                return  # it was interrupted before it could say that it has come to its end
            if item is UNDONE:
                done = True
                return
            work(item)

    def part(i: int) -> None:
        nonlocal begun
        if i == 1:
            context.run(take)
            return
        try:
            begun = True
            for item in lead:
                items.put(item)
        finally:
            items.put(UNDONE)

    try:
        ours.run(part, 2)
    finally:
        ours.free.release()
    if not begun:  # it came between C and Python, where none can be passed on
        raise KeyboardInterrupt
    if not done:  # the other thread did not come, or lost patience too soon
        take()
