"""Graphviz: `dot` where it is on the PATH, else the one that comes inside the pygraphviz wheel."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from typing import Final

MISSING: Final = "drawing needs the layout engine of Graphviz, and no `dot` is on the PATH"
BY_WHEEL: Final = "    pip install pygraphviz          (carries the engine in its wheel)\n"
BY_PACKAGE: Final = (
    "    apt install graphviz            (Debian, Ubuntu)\n"
    "    brew install graphviz           (macOS)\n"
    "    conda install graphviz"
)
ANY: Final = ". Any one of these brings it:\n"
# In a process of its own: a crash of the C library there would end a notebook's kernel here.
CHILD: Final = (
    "import sys, pygraphviz;"
    "graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode('utf-8'));"
    "sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog='dot'))"
)
PATIENCE: Final = 120  # seconds


class GraphvizMissing(RuntimeError):
    """No layout engine is installed."""


def command(target: str) -> list[str]:
    """Return the command that reads a graph in the DOT language and writes it as `target`."""
    dot = shutil.which("dot")
    if dot is not None:
        return [dot, f"-T{target}"]
    if importlib.util.find_spec("pygraphviz") is not None:
        return [sys.executable, "-c", CHILD, target]
    raise GraphvizMissing(f"{MISSING}{ANY}{BY_WHEEL}{BY_PACKAGE}")


@functools.lru_cache(maxsize=8)
def render(source: str, target: str) -> bytes:
    """Return the graph `source`, in the DOT language, laid out by Graphviz and written as `target`."""
    run, plain = command(target), {**os.environ, "PYTHON_COLORS": "0"}
    try:
        done = subprocess.run(run, input=source.encode(), capture_output=True, timeout=PATIENCE, check=False, env=plain)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            f"Graphviz found no layout within {PATIENCE} s: draw less, with collapse= or depth="
        ) from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip()
        unloaded = re.search(r"^(ImportError|ModuleNotFoundError): .*", said, re.MULTILINE)
        if unloaded:  # the wheel needs libraries of a desktop
            raise GraphvizMissing(f"{MISSING}; that of pygraphviz does not load here ({unloaded[0]}){ANY}{BY_PACKAGE}")
        raise RuntimeError(f"Graphviz failed ({run[0]}): {said[-500:]}")
    return done.stdout
