"""That the benchmarks run and check the numbers. What they measure is nobody's assertion.

The gradients that `benchmarks.by_hand` derives are also an oracle: here our engine is held to them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import autograd
from autograd import get_num_threads, threads
from benchmarks import by_hand, elementwise, growth, limits, models, report, scaling, training, two_layer_net, where
from benchmarks.memory import Memory
from benchmarks.race import OURS, ContestantError, Race, Runner, Work, difference, installed
from benchmarks.workloads import RACES, WORKLOADS

ROOT = Path(__file__).resolve().parent.parent
BY_HAND = {
    name: next(race for race in RACES.values() if name in (race.name, race.called) and "numpy" not in race.contestants)
    for name in by_hand.WORKS
}


def bench(*arguments):
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    environment = os.environ | {"OPENBLAS_VERBOSE": "0"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def numbers_of(work):
    return [np.asarray(n) for n in work.numbers()]


class Fake:
    """A contestant that needs no process."""

    def __init__(self, *numbers, seconds=0.01):
        self.found, self.time = [np.asarray(n) for n in numbers], seconds

    def numbers(self):
        return self.found

    def seconds(self, repeats):
        return self.time


def nothing(**options):
    return Race(name="nothing", what="Nothing", inputs=lambda: (), contestants={}, unit="a run", **options)


class TestTheCommandLine:
    def test_one_race(self, tmp_path):
        name = "two-layer-net-float64"
        done = bench(name, "--vs", "numpy", "--rounds", 1, "--threads", 1, "--results", tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ours is" in done.stdout
        [path] = tmp_path.glob("*.json")
        result = json.loads(path.read_text())
        assert result["threads"] == 1
        assert result["settings"]["OMP_NUM_THREADS"] == "1"
        assert result["settings"]["OPENBLAS_VERBOSE"] == "0"
        race = result["benchmarks"][name]
        assert race["agree"]
        assert race["contestants"]["numpy"]["difference"] <= 1e-5
        [table] = tmp_path.glob("*.md")
        assert table.read_text().strip() in done.stdout
        assert f"| {name} " in table.read_text()
        [plot] = tmp_path.glob("*.svg")
        assert "<svg" in plot.read_text()

    def test_a_profile_names_files_of_the_house(self):
        done = bench("two-layer-net-float64", "--profile", "--threads", 1)
        assert done.returncode == 0, done.stdout + done.stderr
        places = [line.split()[-1] for line in done.stdout.splitlines() if " %  " in line]
        assert "autograd/recording.py" in places
        assert all((ROOT / place).exists() for place in places)

    def test_only_what_is_raced_has_a_profile(self):
        done = bench("memory", "--profile")
        assert done.returncode == 2
        assert "no profile of memory" in done.stderr

    @pytest.mark.parametrize("arguments", [["no-such-benchmark"], ["scalar-chain", "--vs", "no-such-engine"]])
    def test_an_unknown_name_lists_those_there_are(self, arguments):
        done = bench(*arguments)
        assert done.returncode == 2
        for name in WORKLOADS if len(arguments) == 1 else ("torch", "hips-autograd"):
            assert name in done.stderr


class TestRaces:
    def test_contestants_that_disagree_are_reported_and_not_timed(self, capsys):
        figures = nothing().held({OURS: Fake([1.0, 2.0]), "torch": Fake([1.0, 1.0]), "jax": Fake([1.0, 2.0])}, 1)
        assert not figures["agree"]
        assert figures["contestants"]["torch"] == {"difference": 0.5}
        assert figures["contestants"]["jax"]["ratio"] == 1.0
        assert "DISAGREES" in capsys.readouterr().out

    def test_a_missed_goal_is_reported(self, capsys):
        runners = {OURS: Fake(1.0, seconds=0.02), "torch": Fake(1.0), "numpy": Fake(1.0)}
        figures = nothing(goals={"torch": 2.0}).held(runners, 3)
        assert figures["contestants"]["torch"]["ratio"] == 2.0
        assert figures["contestants"]["numpy"]["goal"] == 1.15
        assert capsys.readouterr().out.count("MISSED") == 1

    def test_next_to_numpy_short_works_have_no_goal(self):
        runners = {OURS: Fake(1.0), "numpy": Fake(1.0, seconds=1e-4)}
        assert "goal" not in nothing().held(runners, 1)["contestants"]["numpy"]

    def test_differences_are_relative_to_the_largest_element(self):
        assert difference([np.array([200.0, 1.0])], [np.array([200.0, 2.0])]) == 0.005
        assert difference([np.zeros(2)], [np.zeros(2)]) == 0.0
        assert difference([np.zeros(2)], [np.zeros(3)]) == float("inf")
        assert difference([np.zeros(2)], []) == float("inf")
        assert np.isnan(difference([np.zeros(2), np.zeros(1)], [np.array([0.0, np.nan]), np.zeros(1)]))

    def test_engines_that_are_not_installed_take_no_part(self):
        assert not installed("no_such_engine")
        race = Race("x", "", lambda: (), {"no_such_engine": lambda: Work(list, list)}, unit="a run")
        assert race.against(["no_such_engine"]) == []

    def test_a_contestant_that_fails_says_so(self):
        with Runner(OURS, 1) as contestant, pytest.raises(ContestantError, match="gategrad failed at 'enter'"):
            contestant.enter("no-such-work", ())

    def test_a_contestant_answers_from_its_process(self):
        race = two_layer_net.FLOAT32
        inputs = race.inputs()
        with Runner(OURS, get_num_threads()) as contestant:
            contestant.enter(race.name, inputs)
            assert contestant.seconds(1) > 0
            assert difference(contestant.numbers(), numbers_of(race.contestants[OURS](*inputs))) == 0.0


class TestNumbers:
    @pytest.mark.parametrize("name", BY_HAND)
    def test_ours_are_those_derived_by_hand(self, name):
        race = BY_HAND[name]
        inputs = race.inputs()
        ours = numbers_of(race.contestants[OURS](*inputs))
        theirs = numbers_of(by_hand.WORKS[name](*inputs))
        assert difference(ours, theirs) <= race.tolerance

    def test_training_starts_again_where_it_began(self):
        work = training.training(training.MLP, training.gategrad, *training.MLP.inputs())
        first = numbers_of(work)
        work.run()
        assert difference(first, numbers_of(work)) == 0.0

    def test_a_resnet_of_20_layers_with_projections_has_272_474_parameters(self):
        state = training.state_of(models.resnet20)
        assert sum(v.size for name, v in state.items() if "running" not in name and "tracked" not in name) == 272_474

    def test_training_lowers_the_loss(self):
        numbers = training.training(training.MLP, training.gategrad, *training.MLP.inputs()).numbers()
        assert numbers[-1] < numbers[0]

    def test_the_gradient_of_the_elementwise_work(self):
        [a] = elementwise.inputs()
        [gradient] = elementwise.with_gategrad(a).numbers()
        t = np.tanh(2 * a.astype(np.float64) + 1)
        assert difference([t + 2 * a * (1 - t * t)], [gradient]) < 1e-6


class TestMemory:
    def test_a_peak_is_above_what_there_was_before(self):
        race = two_layer_net.FLOAT32
        entry = Memory({}).measured(race, [OURS], 1, 1)
        assert entry["agree"]
        assert entry[OURS]["peak"] == entry[OURS]["before"] + entry[OURS]["above"]
        assert entry[OURS]["above"] > 0


class TestLimits:
    @pytest.mark.parametrize("name", limits.PRODUCTS)
    def test_products_are_what_they_say(self, name):
        for product in limits.PRODUCTS[name]:
            x, y, out = product.arrays()
            stack = (product.stack,) if product.stack > 1 else ()
            assert x.shape == (*stack, product.rows, product.inner)
            assert y.shape == (*stack, product.inner, product.columns)
            assert out.shape == (x @ y).shape
            assert x.flags.c_contiguous != ("x" in product.turned) or 1 in x.shape
            assert y.flags.c_contiguous != ("y" in product.turned) or 1 in y.shape

    @pytest.mark.parametrize(("name", "model"), [("mlp-adam", models.mlp), ("word2vec", models.word2vec)])
    def test_a_linear_layer_multiplies_forward_and_for_each_gradient(self, name, model):
        weights = [w.size for key, w in training.state_of(model).items() if key.endswith("weight") and w.ndim == 2]
        if name == "word2vec":  # the first is looked up
            del weights[0]
        unsent = weights[0] if name == "mlp-adam" else 0  # images get no gradient
        rows = {"mlp-adam": 64, "word2vec": 256}[name]
        counted = sum(p.times * p.stack * p.rows * p.inner * p.columns for p in limits.PRODUCTS[name])
        assert counted == rows * (3 * sum(weights) - unsent)

    @pytest.mark.parametrize(("name", "model"), [("lstm", models.lstm), ("gru", models.gru)])
    def test_a_recurrent_layer_does_so_at_each_step(self, name, model):
        steps, n, _ = training.SEQUENCES
        state = training.state_of(model)
        matrices = {key: w.size * (n if key.startswith("fc") else steps * n) for key, w in state.items() if w.ndim == 2}
        counted = sum(p.times * p.stack * p.rows * p.inner * p.columns for p in limits.PRODUCTS[name])
        assert counted == 3 * sum(matrices.values()) - matrices["rnn.weight_ih_l0"]

    @pytest.mark.parametrize(
        ("name", "net"), [("lenet", training.LENET), ("vgg", training.VGG), ("resnet20", training.RESNET20)]
    )
    def test_convolutions_are_those_of_the_net(self, name, net):
        found = []

        def note(layer, args, result):
            kernel, stride, padding = (int(n[0]) for n in (layer.kernel_size, layer.stride, layer.padding))
            found.append((*args[0].shape, layer.out_channels, kernel, padding, stride))

        model = net.model(training.gategrad().nn)
        for module in model.modules():
            if type(module).__name__ == "Conv2d":
                module.register_forward_hook(note)
        model(net.batch()[0])
        said = [
            (c.batch, c.channels, c.side, c.side, c.out, c.kernel, c.padding, c.stride)
            for c in limits.CONVOLUTIONS[name]
            for _ in range(c.times)
        ]
        assert sorted(said) == sorted(found)

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_each_thread_has_loops_of_its_own(self, number, monkeypatch):
        monkeypatch.setattr(threads, "get_num_threads", lambda: number)
        monkeypatch.setattr(autograd, "get_num_threads", lambda: number)
        monkeypatch.setattr(threads.Team, "run", lambda team, part, count: [part(i) for i in range(count)])
        rooms = []
        monkeypatch.setattr(limits.np, "add", lambda x, y, out: rooms.append(id(out)))
        limits.looping(16, shared=True).run()
        assert len(rooms) == limits.LOOPS
        assert len(set(rooms)) == number

    def test_gradients_of_convolutions(self):
        work = limits.convolved(limits.CONVOLUTIONS["lenet"], training.gategrad)
        numbers = work.numbers()
        assert [n.shape for n in numbers] == [(6, 1, 5, 5), (64, 6, 14, 14), (16, 6, 5, 5)]
        work.run()
        assert difference(numbers, work.numbers()) == 0.0

    def test_activations(self):
        work = limits.activated_by_numpy(limits.Activations(5, 7, times=3))
        sigmoids, tanhs = work.numbers()
        z = training.numbers_of(7)
        np.testing.assert_allclose(sigmoids, 1 / (1 + np.exp(-z[:5])), rtol=1e-6)
        np.testing.assert_allclose(tanhs, np.tanh(z), rtol=1e-6)
        work.run()
        assert not np.array_equal(tanhs, np.tanh(z))

    def test_parts_are_measured_and_reported(self, monkeypatch):
        names = "mlp-inference-1-products", "gru-activations", "lenet-convolutions"
        monkeypatch.setattr(limits, "PARTS", [part for part in limits.PARTS if part.race.name in names])
        figures = limits.Limits({}).run([], 1, 1)
        assert figures["agree"]
        results = report.Results(1)
        results.add("limits", figures)
        table = results.table()
        for name in names:
            assert figures["parts"][name]["what"] in table
        assert "16,384 numbers" in table


class TestWhere:
    def test_what_numpy_takes_counts_for_its_caller(self):
        a = np.ones((300, 300))
        found = where.spent(lambda: np.linalg.matrix_power(a, 3), 2)
        assert next(iter(found)) == "tests/test_benchmarks.py"
        assert set(found) <= {"tests/test_benchmarks.py", "benchmarks/where.py", "elsewhere"}


class TestGrowth:
    @pytest.mark.parametrize("kind", ["chain", "diamond"])
    def test_a_growing_graph_is_measured(self, kind):
        measured = growth.measure(kind, 2 * growth.WIDTH)
        assert set(measured) == {"forward", "backward", "deletion", "seconds", "bytes"}

    def test_the_gradient_of_the_diamond(self):
        x, end = growth.diamond(4 * growth.WIDTH)
        end.backward()
        # Halving the sum of two equal neighbours changes nothing: the end is the sum of WIDTH copies of the start.
        assert end.item() == growth.WIDTH * 0.5
        assert x.grad.item() == growth.WIDTH

    def test_the_slope_of_a_power(self):
        sizes = [1, 2, 4, 8]
        assert scaling.slope(sizes, [3 * n**1.5 for n in sizes]) == pytest.approx(1.5)

    @pytest.mark.parametrize("curve", scaling.SIZES)
    def test_the_smallest_point_of_each_curve(self, curve):
        size = scaling.SIZES[curve][0]
        net = scaling.net(curve, size)
        x, _, state = net.inputs()
        numbers = training.training(net, training.gategrad, *net.inputs()).numbers()
        assert len(numbers) == 2 + len(state)
        assert {"batch": len(x), "width": len(state["0.weight"]), "depth": len(state) // 2 - 1}.get(curve, size) == size
        assert curve != "pixels" or x.shape[2] * x.shape[3] == size
