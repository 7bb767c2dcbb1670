"""Measurements in fresh processes, where nothing else has left its mark on memory or collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def fresh(module: str, *arguments: object) -> Any:
    """Return what `python -m benchmarks.<module> ...` prints as JSON, run in a new process."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    # Byte code is kept, as wherever a package is used: compiling takes longer than all else in an import.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def resident(which: str = "VmRSS") -> int:
    """Return the memory of this process in bytes: what it holds now (`VmRSS`) or the most it ever held (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {which} in /proc/self/status")
