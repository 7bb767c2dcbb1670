"""What `nn` and `optim` ask first: whether the `autograd` that Python finds is the one beside them, and that alone.

HIPS autograd has the same import name. Installed in the same environment, either it is found instead, and there is no
module like this in it; or its files lie among ours, and nothing is told apart by then but by looking.
"""

from __future__ import annotations

import os
import sys

OF_HIPS = "differential_operators.py"  # a file of HIPS autograd's that we never have


def check(sibling: str) -> None:
    """Raise ImportError if `autograd` is not of gategrad alone, or not beside the package whose `__init__.py` it is."""
    ours = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(sibling))), "autograd")
    file = sys.modules["autograd"].__file__
    if file is None:  # a folder without __init__.py: what is left when the other package was uninstalled
        raise ImportError("it has lost its __init__.py")
    found = os.path.dirname(os.path.realpath(file))
    if found != ours:
        raise ImportError(f"it is found in {found}, not in {ours}")
    if os.path.exists(os.path.join(ours, OF_HIPS)):
        raise ImportError(f"it is mixed with files of HIPS autograd in {ours}")
