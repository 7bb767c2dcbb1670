"""The OpenBLAS that NumPy brings along: what it has beyond matrix products."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any, Final

NAMES: Final = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")


@functools.cache
def library() -> Any:
    """Return the library in which NumPy finds its matrix products, with what it is linked to."""
    module = sys.modules.get("numpy.linalg._umath_linalg")
    try:
        return ctypes.CDLL(getattr(module, "__file__", None) or "")
    except (OSError, TypeError):
        return None


@functools.cache
def function(name: str) -> Any:
    """Return a function of OpenBLAS, "get_num_threads" say; None if NumPy has another BLAS."""
    return next((found for n in NAMES if (found := getattr(library(), n.format(name), None)) is not None), None)


@functools.cache
def processor() -> str:
    """Return for which processor its kernels were chosen, "" if that is not known."""
    ask = function("get_corename")
    if ask is None:
        return ""
    ask.restype = ctypes.c_char_p
    return str((ask() or b"").decode())
