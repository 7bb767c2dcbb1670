"""What `make demo` shows."""

from __future__ import annotations

import pytest

from autograd import Tensor
from notebooks import demo


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The accuracy, and the folder of pictures."""
    folder = tmp_path_factory.mktemp("demo") / "pictures"
    return demo.main(["--output", str(folder)]), folder


def test_the_net_reads_96_of_100_digits_that_it_has_not_seen(shown):
    accuracy, _ = shown
    assert accuracy >= 0.96


@pytest.mark.parametrize("name", ["loss", "confusion", "mistakes"])
def test_pictures_are_written(shown, name):
    _, folder = shown
    assert "<svg" in (folder / f"{name}.svg").read_text()


def test_the_circuit_is_that_of_the_lectures(tmp_path, capsys):
    demo.circuit(tmp_path)
    assert "<svg" in (tmp_path / "circuit.svg").read_text()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for gate in ("x -2 -4", "y 5 -4", "q = x + y 3 -4", "z -4 3", "f = q * z -12 1"):
        assert gate.split() in lines


def test_the_loss_is_what_its_name_says():
    scores = Tensor([[0.0, 0.0], [0.0, 0.0]])
    assert demo.cross_entropy(scores, [0, 1]).item() == pytest.approx(0.6931471805599453)
