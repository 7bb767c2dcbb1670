"""The figures of one run of the benchmarks, as a file."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

DISTRIBUTIONS = ("numpy", "torch", "micrograd", "mygrad")


class Results:
    """What was measured, where, and with which versions.

    Parameters
    ----------
    threads : how many each contestant had.
    """

    def __init__(self, threads: int) -> None:
        self.started = datetime.now().astimezone()
        self.threads = threads
        self.figures: dict[str, Any] = {}
        self.agree = True

    def add(self, name: str, figures: dict[str, Any]) -> None:
        """Take the figures of one benchmark."""
        self.figures[name] = figures
        self.agree &= figures.get("agree", True)

    def write(self, folder: Path) -> Path:
        """Write all figures into a new file of `folder`, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.started:%Y-%m-%d-%H%M%S}.json"
        path.write_text(json.dumps(self.machine() | {"benchmarks": self.figures}, indent=2) + "\n")
        return path

    def machine(self) -> dict[str, Any]:
        """Return what the figures depend on."""
        versions = {}
        for name in DISTRIBUTIONS:
            try:
                versions[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
        return {
            "started": self.started.isoformat(timespec="seconds"),
            "machine": platform.machine(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "threads": self.threads,
            "versions": versions,
        }
