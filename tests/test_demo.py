"""What `make demo` shows."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from autograd.draw import engine
from notebooks import demo

PICTURES = ["circuit", "steps", "loss", "cnn", "confusion", "mistakes"]


def texts(path):
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One run: the accuracies, what was printed, and the folder of pictures."""
    folder = tmp_path_factory.mktemp("demo") / "pictures"
    with redirect_stdout(io.StringIO()) as printed:
        accuracies = demo.main(["--output", str(folder)])
    return SimpleNamespace(accuracies=accuracies, printed=printed.getvalue(), folder=folder)


@pytest.mark.parametrize(("net", "least"), [("MLP", 0.97), ("CNN", 0.98)])
def test_the_nets_read_digits_that_they_have_not_seen(shown, net, least):
    assert shown.accuracies[net] >= least


def test_accuracies_are_printed(shown):
    for accuracy in shown.accuracies.values():
        assert f"accuracy on 450 held out: {accuracy:.1%} " in shown.printed


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_well_formed_and_named_in_what_is_printed(shown, name):
    path = shown.folder / f"{name}.svg"
    assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert str(path) in shown.printed


def test_nothing_else_is_written(shown):
    assert {path.name for path in shown.folder.iterdir()} == {f"{name}.svg" for name in PICTURES}


def test_the_circuit_is_that_of_the_lectures(shown):
    lines = [line.split() for line in shown.printed.splitlines()]
    for gate in ("x -2 -4", "y 5 -4", "q = x + y 3 -4", "z -4 3", "f = q * z -12 1"):
        assert gate.split() in lines


def test_the_picture_of_the_cnn_has_a_box_for_each_module(shown):
    titles = texts(shown.folder / "cnn.svg")
    expected = [type(module).__name__ for module in demo.convolutional().children()]
    assert len(expected) == 10
    for name in set(expected):
        assert sum(title == name for title in titles) == expected.count(name), name


def test_a_quarter_is_held_out_with_as_many_of_each_digit():
    known, unseen = demo.load()
    assert (len(known.images), len(unseen.images)) == (1347, 450)
    for digit in range(10):
        assert abs((known.labels == digit).mean() - (unseen.labels == digit).mean()) < 0.005


def test_without_graphviz_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    engine.render.cache_clear()
    with pytest.raises(SystemExit, match="apt install graphviz"):
        demo.main(["--output", str(tmp_path / "pictures")])
