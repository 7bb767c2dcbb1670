"""Where memory comes from: that of freed arrays stays in the process, and room for work begins at a line of the cache.

The C library of Linux (glibc) takes blocks of more than 128 kB from the kernel and hands them back when they are freed,
or when enough is free at the end of its heap. Each new array then faults in again, page by page: a training step
spends a third of its time there (with the memory kept, an LSTM takes 0.68 of the time, a transformer block 0.65, a
softmax over 10,000 words 0.66). So importing `autograd` tells it to keep what is freed, up to a limit. This is all that
is done to the process; where the C library is another one, nothing is.

It is left as it is where the environment says otherwise: GATEGRAD_KEEP_FREED=0, or a MALLOC_MMAP_THRESHOLD_,
MALLOC_TRIM_THRESHOLD_ or GLIBC_TUNABLES of the user's own.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from typing import Any, Final

import numpy as np

__all__ = ["aligned", "keep_freed"]

TRIM_THRESHOLD: Final = -1  # the names of malloc.h
MMAP_THRESHOLD: Final = -3
DEFAULT: Final = 128 << 10
LARGEST: Final = 1 << 30  # the parameters are C integers
LARGEST_OF_OLD: Final = 32 << 20  # what glibc takes before 2.35
LINE: Final = 64  # bytes of a line of the processor's cache
SETTINGS: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def glibc() -> Any:
    """Return the C library if it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def keep_freed(size: int) -> bool:
    """Keep up to `size` bytes of freed memory in the process, from 128 kB to 1 GB; 0 hands back what is free.

    Returns whether that could be done: it takes glibc. Arrays larger than `size` go back to the kernel as they are
    freed.

    Examples
    --------
    >>> from autograd.memory import keep_freed
    >>> done = keep_freed(0)  # from now on
    >>> done = keep_freed(1 << 30)  # what importing autograd does
    """
    library = glibc()
    if library is None:
        return False
    bounded = min(max(int(size), DEFAULT), LARGEST)
    if not library.mallopt(MMAP_THRESHOLD, bounded):
        library.mallopt(MMAP_THRESHOLD, min(bounded, LARGEST_OF_OLD))
    kept = bool(library.mallopt(TRIM_THRESHOLD, bounded))
    if size == 0:
        library.malloc_trim(0)
    return kept


def keep_freed_by_default() -> None:
    """Keep freed memory unless the environment says otherwise."""
    if os.environ.get("GATEGRAD_KEEP_FREED") != "0" and not any(name in os.environ for name in SETTINGS):
        keep_freed(LARGEST)


def aligned(shape: int | tuple[int, ...], dtype: Any) -> Any:
    """Return a new array, not yet filled, that begins where a line of the processor's cache does.

    NumPy's begin at a multiple of 16 bytes. Its loops with AVX-512 read 64 at a time: from two lines then, all along. A
    ResNet-20 takes 0.94 of the time with its convolutions' room so, Adam 0.92.

    It is a view of a few bytes more, and so for room inside an operation, not for results, which own their memory.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
    room = np.empty(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype).reshape(shape)
