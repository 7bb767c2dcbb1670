"""Run notebooks, in place, with what they print: `make notebooks`, `python -m notebooks.execute first_steps.ipynb`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
ERRORS_ONLY = ["--log-level=ERROR"]


def execute(path: Path) -> None:
    """Run every cell of a notebook from the top, and write it back; a cell that raises ends it with that error."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(HERE)}}
    client = NotebookClient(notebook, timeout=600, record_timing=False, resources=where, extra_arguments=ERRORS_ONLY)
    client.execute()
    # Versions of the machine that ran it would make every run a change.
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def main(names: Sequence[str]) -> None:
    """Run the notebooks named, or all of them."""
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        started = time.perf_counter()
        print(f"{path.name} ...", end=" ", flush=True)
        execute(path)
        print(f"{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
