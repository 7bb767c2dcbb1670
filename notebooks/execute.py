"""Run notebooks, in place, with what they print: `make notebooks`, `python -m notebooks.execute quickstart.ipynb`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

HERE: Final = Path(__file__).resolve().parent
ERRORS_ONLY: Final = ["--log-level=ERROR"]
# One thread, since sums depend on how they are shared out; and plots go into the page, whatever the shell says.
ENVIRONMENT: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}


def run(path: Path) -> Any:
    """Run every cell of a notebook from the top, and return it so; a cell that raises ends it with that error."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(HERE)}}
    client = NotebookClient(notebook, timeout=600, record_timing=False, resources=where, extra_arguments=ERRORS_ONLY)
    client.execute(env=os.environ | ENVIRONMENT)
    # Versions of the machine that ran it would make every run a change.
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main(names: Sequence[str]) -> None:
    """Run the notebooks named, or all of them, and write them back."""
    for path in [HERE / name for name in names] or sorted(HERE.glob("*.ipynb")):
        started = time.perf_counter()
        print(f"{path.name} ...", end=" ", flush=True)
        nbformat.write(run(path), path)
        print(f"{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
