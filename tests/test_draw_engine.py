import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from autograd import Tensor
from autograd.draw import draw, engine


@pytest.fixture(autouse=True)
def no_memory_of_earlier_layouts():
    engine.render.cache_clear()
    yield
    engine.render.cache_clear()


@pytest.fixture
def drawing():
    x = Tensor(2.0, requires_grad=True, name="x")
    f = x * x
    f.backward()
    return draw(f)


def without_dot(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_dot_the_engine_of_pygraphviz_lays_out(drawing, monkeypatch, tmp_path):
    pytest.importorskip("pygraphviz")
    without_dot(monkeypatch, tmp_path)
    assert engine.command("json0")[0] == sys.executable
    assert ET.fromstring(drawing.svg).tag.endswith("svg")


def test_dot_on_the_path_is_preferred(monkeypatch, tmp_path):
    dot = tmp_path / ("dot.exe" if os.name == "nt" else "dot")
    dot.write_text("#!/bin/sh\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.command("png") == [str(dot), "-Tpng"]


def test_without_any_engine_the_error_names_the_ways_to_get_one(drawing, monkeypatch, tmp_path):
    without_dot(monkeypatch, tmp_path)
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError) as error:
        drawing.save(tmp_path / "x.svg")
    for way in ("pip install pygraphviz", "apt install graphviz", "brew install graphviz", "conda install graphviz"):
        assert way in str(error.value)
    assert drawing.save(tmp_path / "x.dot").exists()


def test_a_wheel_that_does_not_load_is_no_engine(drawing, monkeypatch, tmp_path):
    """That of pygraphviz needs libraries of a desktop, which the images of containers mostly leave out."""
    without_dot(monkeypatch, tmp_path)
    package = tmp_path / "pygraphviz"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('libXrender.so.1: cannot open it\\n  Reason: tried')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(engine.GraphvizMissing, match=r"libXrender\.so\.1") as error:
        drawing.svg  # noqa: B018
    assert "apt install graphviz" in str(error.value)
    assert "pip install pygraphviz" not in str(error.value)


def test_a_notebook_falls_back_to_text(drawing, monkeypatch, tmp_path):
    without_dot(monkeypatch, tmp_path)
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].startswith("<Drawing: circuit of 1 operation on 1 leaf>\n")
    assert "pip install pygraphviz" in bundle["text/plain"]


def test_without_the_graphviz_package_the_error_says_so(drawing, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(RuntimeError, match="pip install graphviz"):
        drawing.dot  # noqa: B018
    assert "text/plain" in drawing._repr_mimebundle_()


def test_an_engine_that_fails_is_reported(drawing, monkeypatch):
    monkeypatch.setattr(engine, "command", lambda target: [sys.executable, "-c", "import sys; sys.exit('bad graph')"])
    with pytest.raises(RuntimeError, match="bad graph"):
        drawing.svg  # noqa: B018


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", b"<?xml"), ("dot", b"digraph"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_files(drawing, tmp_path, suffix, start):
    path = drawing.save(tmp_path / f"graph.{suffix.upper()}")
    assert path.read_bytes().startswith(start)


def test_other_suffixes_are_refused(drawing, tmp_path):
    with pytest.raises(ValueError, match=r"\.svg, \.dot, \.png, \.pdf"):
        drawing.save(tmp_path / "graph.jpeg")


def test_notebook_and_terminal(drawing):
    bundle = drawing._repr_mimebundle_()
    assert bundle["text/plain"] == repr(drawing) == "<Drawing: circuit of 1 operation on 1 leaf>"
    assert bundle["image/svg+xml"].startswith("<?xml")


def test_importing_autograd_loads_no_graphviz():
    code = "import sys, autograd; sys.exit('graphviz' in sys.modules or 'pygraphviz' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
