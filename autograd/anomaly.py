"""What anomaly mode does: search arrays for NaN and Inf, and find the line of user code to name."""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any

import numpy as np

_HERE = os.path.dirname(os.path.abspath(__file__))
_OURS = tuple(os.path.join(os.path.dirname(_HERE), package) + os.sep for package in ("autograd", "nn", "optim"))


def search(array: Any, what: str, line: str | None) -> None:
    """Raise ArithmeticError if `array` holds NaN or Inf: `what` made it, recorded at `line` (or now)."""
    array = np.asarray(array)
    if array.dtype.kind not in "fc" or np.isfinite(array).all():
        return
    found = "NaN" if np.isnan(array).any() else "Inf"
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    where = f" at index {index}" if index else ""
    raise ArithmeticError(f"{what} made {found}{where}\n{line or user_line()}")


def user_line() -> str:
    """Return file, line and text of the innermost frame outside the project's packages."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, number, frame.f_globals).strip()
    return f'  File "{file}", line {number}, in {frame.f_code.co_name}' + (f"\n    {text}" if text else "")
