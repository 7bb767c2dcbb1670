"""That the benchmarks run and check the numbers. What they measure is nobody's assertion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import growth
from benchmarks.race import Race, Work
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parent.parent


def bench(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_one_race_from_the_command_line(tmp_path):
    done = bench("two-layer-net-float64", "--vs", "numpy", "--rounds", 1, "--threads", 1, "--results", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ours is" in done.stdout
    [path] = tmp_path.glob("*.json")
    result = json.loads(path.read_text())
    assert result["threads"] == 1
    race = result["benchmarks"]["two-layer-net-float64"]
    assert race["agree"]
    assert race["contestants"]["numpy"]["difference"] <= 1e-5


def test_an_unknown_name_lists_those_there_are():
    done = bench("no-such-benchmark")
    assert done.returncode == 2
    for name in WORKLOADS:
        assert name in done.stderr


def test_contestants_that_disagree_are_reported(capsys):
    def work(number):
        return lambda: Work(run=lambda: None, numbers=lambda: [np.array([1.0, number])])

    race = Race("Nothing", lambda: (), {"gategrad": work(1.0), "numpy": work(1.5)}, unit="a run")
    figures = race.run(["numpy"], rounds=1, threads=1)
    assert not figures["agree"]
    assert figures["contestants"]["numpy"]["difference"] == 0.5
    assert "DISAGREES" in capsys.readouterr().out


def test_rivals_that_are_not_installed_are_left_out(capsys):
    nothing = Work(run=lambda: None, numbers=lambda: [np.zeros(1)])
    race = Race("Nothing", lambda: (), {"gategrad": lambda: nothing, "no_such_engine": lambda: nothing}, unit="a run")
    assert race.run(["no_such_engine"], rounds=1, threads=1)["absent"] == ["no_such_engine"]
    assert "not installed" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["chain", "diamond"])
def test_a_growing_graph_is_measured(kind):
    measured = growth.measure(kind, 2 * growth.WIDTH)
    assert set(measured) == {"forward", "backward", "deletion", "seconds", "bytes"}


def test_the_gradient_of_the_diamond():
    x, end = growth.diamond(4 * growth.WIDTH)
    end.backward()
    # Halving the sum of two equal neighbours changes nothing: the end is the sum of WIDTH copies of the start.
    assert end.item() == growth.WIDTH * 0.5
    assert x.grad.item() == growth.WIDTH
