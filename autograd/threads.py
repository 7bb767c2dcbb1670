"""How many threads matrix products take: those of OpenBLAS, which NumPy brings along.

There are none of our own. Python threads over halves of a batch, with OpenBLAS kept to one thread, were tried in
convolution, pooling, batch norm and elementwise operations. Between the loops of NumPy, Python runs one of them at a
time, and to hand over takes some 50 µs: a small VGG took 1.3 times as long as with the threads of OpenBLAS, a ResNet-20
1.2 times.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, Final

NAMES: Final = ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads")


def openblas(verb: str) -> Any:
    """Return OpenBLAS's function that can "get" or "set" its number of threads; None if NumPy has another BLAS."""
    module = sys.modules.get("numpy.linalg._umath_linalg")
    try:
        library = ctypes.CDLL(getattr(module, "__file__", None) or "")
    except (OSError, TypeError):
        return None
    for name in NAMES:
        if hasattr(library, name.format(verb)):
            return getattr(library, name.format(verb))
    return None


def get_num_threads() -> int:
    """Return how many threads matrix products take: OMP_NUM_THREADS or the available cores unless set.

    Where NumPy's BLAS is not OpenBLAS, that is how many there may be.
    """
    get = openblas("get")
    return int(get()) if get else available_cores()


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(number: int) -> None:
    """Let matrix products, ours and all others of NumPy in this process, take `number` threads.

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
    setter = openblas("set")
    if setter is None:
        raise RuntimeError(
            "NumPy's BLAS here is not OpenBLAS: set its threads by OMP_NUM_THREADS, MKL_NUM_THREADS or "
            "VECLIB_MAXIMUM_THREADS before NumPy is imported"
        )
    setter(number)
