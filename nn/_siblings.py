"""The check that the `autograd` which Python finds is the one that came with this package.

HIPS autograd has the same import name. Installed in the same environment, either it is found instead,
or its files lie among ours. Nothing is told apart by then but by looking.
"""

from __future__ import annotations

import importlib
import os

OF_HIPS = "differential_operators.py"  # a file of HIPS autograd's that we never have


def check(name: str) -> None:
    """Raise ImportError, naming the cure, unless package `name` lies beside this one and is of gategrad alone."""
    ours = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), name)
    try:
        file = importlib.import_module(name).__file__
    except ImportError as error:
        raise ImportError(message(name, f"cannot be imported ({error})")) from error
    if file is None:  # a folder without __init__.py: what is left when the other package was uninstalled
        raise ImportError(message(name, "has lost its __init__.py"))
    found = os.path.dirname(os.path.realpath(file))
    if found != ours:
        raise ImportError(message(name, f"is found in {found}, not in {ours}"))
    if os.path.exists(os.path.join(ours, OF_HIPS)):
        raise ImportError(message(name, f"is mixed with files of HIPS autograd in {ours}"))


def message(name: str, fault: str) -> str:
    """Return what is wrong with package `name`, and the cure."""
    return (
        f"the package {name!r} of gategrad {fault}. HIPS autograd uses the same import name, and one environment "
        "cannot hold both. Make a fresh virtual environment for gategrad, or in this one run\n"
        "    pip uninstall autograd gategrad\n"
        "    pip install gategrad"
    )
