"""How many threads large work takes, and that sharing it changes nothing."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import autograd
import nn
from autograd import get_num_threads, openblas, ops, set_num_threads, threads
from autograd.threads import WORTH, follow, share, team
from nn.layers.sequences import gru_sequence, lstm_sequence
from tests.conftest import needs_openblas

needs_team = pytest.mark.skipif(team().start is None, reason="the threads of NumPy's BLAS cannot be had")


@needs_openblas
def test_they_are_openblas_s(two_threads):
    for number in (2, 1):
        set_num_threads(number)
        assert get_num_threads() == number == openblas.function("get_num_threads")()


@needs_openblas
def test_the_environment_says_how_many_there_are_to_begin_with():
    command = [sys.executable, "-c", "import autograd; print(autograd.get_num_threads())"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", None])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="positive integer"):
        set_num_threads(wrong)


def test_another_blas_is_left_alone(monkeypatch):
    monkeypatch.setattr(openblas, "function", lambda name: None)
    assert autograd.get_num_threads() == threads.available_cores()
    with pytest.raises(RuntimeError, match="not OpenBLAS"):
        set_num_threads(1)


class TestSharing:
    def test_the_parts_make_up_the_whole(self, two_threads):
        assert share(lambda a, b: (a, b), 7) == [(0, 3), (3, 7)]
        assert share(lambda a, b: (a, b), 0) == [(0, 0)]

    def test_what_is_small_stays_whole(self, two_threads):
        assert share(lambda a, b: (a, b), 7, least=4) == [(0, 7)]
        assert share(lambda a, b: (a, b), 8, least=4) == [(0, 4), (4, 8)]

    @needs_team
    def test_the_parts_go_on_at_once(self, two_threads):
        meeting = threading.Barrier(2, timeout=30)  # which nobody passes alone
        found = share(lambda a, b: (meeting.wait(), threading.get_ident()), 2)
        assert len({ident for _, ident in found}) == 2
        assert found[0][1] == threading.get_ident()

    @needs_team
    def test_products_inside_take_one_thread_each(self, two_threads):
        counted = openblas.function("get_num_threads")
        assert share(lambda a, b: (counted(), get_num_threads()), 2) == [(1, 2), (1, 2)]
        assert counted() == 2

    @pytest.mark.parametrize("failing", [0, 1])
    def test_an_error_comes_out_and_nothing_stays_behind(self, two_threads, failing):
        def work(a, b):
            if a == failing:
                raise KeyError("this part")

        with pytest.raises(KeyError, match="this part"):
            share(work, 2)
        assert get_num_threads() == 2
        assert share(lambda a, b: a, 2) == [0, 1]

    @needs_team
    def test_a_part_that_was_interrupted_before_it_began_is_no_result(self, two_threads, monkeypatch):
        monkeypatch.setattr(team(), "entry", threads.ENTRY(lambda i: team().part(i) if i == 0 else None))
        with pytest.raises(KeyboardInterrupt):
            share(lambda a, b: a, 2)
        monkeypatch.undo()
        assert share(lambda a, b: a, 2) == [0, 1]

    def test_modes_hold_in_all_parts(self, two_threads):
        def work(a, b):
            np.float32(3e38) * np.full(2, 1e38, np.float32)  # a warning would be an error
            return autograd.is_grad_enabled()

        with np.errstate(over="ignore"), autograd.no_grad():
            assert share(work, 2) == [False, False]

    def test_sharing_in_a_part_is_sharing_by_itself(self, two_threads):
        assert share(lambda a, b: share(lambda c, d: (a, c), 2), 2) == [[(0, 0), (0, 1)], [(1, 0), (1, 1)]]

    def test_callers_in_several_threads_do_not_meet(self, two_threads):
        right = []

        def caller(offset):
            found = [share(lambda a, b, i=i: a + offset + i, 2) for i in range(200)]
            right.append(found == [[offset + i, offset + i + 1] for i in range(200)])

        callers = [threading.Thread(target=caller, args=(1000 * n,)) for n in range(4)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        assert right == [True] * 4
        assert get_num_threads() == 2

    @needs_team
    def test_python_remembers_the_threads(self, two_threads):
        local = threading.local()

        def count(a, b):
            local.calls = getattr(local, "calls", 0) + 1
            return local.calls

        assert [share(count, 2) for _ in range(3)] == [[1, 1], [2, 2], [3, 3]]

    @needs_openblas
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    def test_a_forked_process_has_threads_of_its_own(self):
        program = (
            "import os, autograd\n"
            "from autograd.threads import WORTH, follow, share, team\n"
            "autograd.set_num_threads(2)\n"
            "assert share(lambda a, b: a, 2) == [0, 1]\n"
            "team().free.acquire()\n"  # as another thread would hold it at this moment
            "team().number = 2\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    assert team().free.acquire(blocking=False); team().free.release()\n"
            "    os._exit(0 if share(lambda a, b: a, 2) == [0, 1] and autograd.get_num_threads() == 2 else 1)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
        )
        subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)

    def test_where_the_threads_cannot_be_had_parts_follow_each_other(self, two_threads, monkeypatch):
        monkeypatch.setattr(team(), "start", None)
        assert share(lambda a, b: (a, threading.get_ident()), 2) == [(i, threading.get_ident()) for i in (0, 1)]


class TestFollowing:
    """`follow`: work on things in another thread as they come."""

    @pytest.mark.parametrize("size", [0, WORTH])
    def test_all_is_worked_on_in_order(self, two_threads, size):
        found = []
        follow(iter(range(100)), found.append, size)
        assert found == list(range(100))

    @needs_team
    def test_the_lead_goes_on_meanwhile(self, two_threads):
        meeting, idents = threading.Barrier(2, timeout=30), set()

        def lead():
            yield 0
            meeting.wait()
            idents.add(threading.get_ident())

        def work(item):
            meeting.wait()
            idents.add(threading.get_ident())

        follow(lead(), work, WORTH)
        assert len(idents) == 2
        assert threading.get_ident() in idents

    @pytest.mark.parametrize("failing", ["lead", "work"])
    @pytest.mark.parametrize("size", [0, WORTH])
    def test_an_error_comes_out_and_nothing_stays_behind(self, two_threads, failing, size):
        def lead():
            yield 0
            if failing == "lead":
                raise KeyError("lead")

        def work(item):
            if failing == "work":
                raise KeyError("work")

        with pytest.raises(KeyError, match=failing):
            follow(lead(), work, size)
        assert get_num_threads() == 2
        assert team().free.acquire(blocking=False)
        team().free.release()

    @needs_team
    def test_a_lead_that_was_interrupted_before_it_began_is_an_interrupt(self, two_threads, monkeypatch):
        monkeypatch.setattr(threads, "PATIENCE", 0.05)
        monkeypatch.setattr(team(), "entry", threads.ENTRY(lambda i: team().part(i) if i == 1 else None))
        with pytest.raises(KeyboardInterrupt):
            follow([0], id, WORTH)
        assert team().free.acquire(blocking=False)
        team().free.release()

    @needs_team
    def test_what_the_other_thread_leaves_is_worked_on_here(self, two_threads, monkeypatch):
        monkeypatch.setattr(team(), "entry", threads.ENTRY(lambda i: team().part(i) if i == 0 else None))
        found = []
        follow(range(3), found.append, WORTH)
        assert found == [0, 1, 2]

    @needs_team
    def test_a_slow_lead_is_waited_for(self, two_threads, monkeypatch):
        monkeypatch.setattr(threads, "PATIENCE", 0.01)

        def lead():
            for i in range(3):
                time.sleep(0.05)
                yield i

        found = []
        follow(lead(), found.append, WORTH)
        assert found == [0, 1, 2]

    @needs_team
    def test_of_two_errors_the_interrupt_comes_out_and_none_is_kept(self, two_threads):
        def lead():
            yield 0
            time.sleep(0.05)
            raise KeyboardInterrupt

        def work(item):
            raise ValueError("work")

        with pytest.raises(KeyboardInterrupt):
            follow(lead(), work, WORTH)
        assert not team().errors

    def test_modes_hold_there(self, two_threads):
        found = []

        def work(item):
            np.float32(3e38) * np.full(2, 1e38, np.float32)  # a warning would be an error
            found.append(autograd.is_grad_enabled())

        with np.errstate(over="ignore"), autograd.no_grad():
            follow([0], work, WORTH)
        assert found == [False]


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


LARGE = {
    "few channels": lambda x: ops.convolution(x(48, 1, 64, 64), x(6, 1, 5, 5), padding=2),
    "many channels": lambda x: ops.convolution(x(32, 32, 16, 16), x(32, 32, 3, 3), x(32), padding=1),
    "strided": lambda x: ops.convolution(x(32, 32, 16, 16), x(48, 32, 3, 3), stride=2, padding=1),
    "transposed": lambda x: ops.convolution_transpose(x(32, 32, 8, 8), x(32, 32, 3, 3), stride=2),
    "max pooling": lambda x: ops.max_pool(x(64, 16, 32, 32), 2),
    "overlapping pooling": lambda x: ops.max_pool(x(64, 16, 32, 32), 3, 2, 1),
    "average pooling": lambda x: ops.avg_pool(x(64, 16, 32, 32), 3, 1, 1),
    "batch norm": lambda x: ops.normalize(nn.Conv2d(16, 32, 3)(x(32, 16, 34, 34)), axes=(0, 2, 3)).out,
    "relu": lambda x: ops.relu(x(40, 100, 100)),
    "product": lambda x: x(1000, 1000) * x(1000),
    "tanh": lambda x: np.tanh(x(600_000)),
    "matrix product": lambda x: x(8, 64, 128) @ x(128, 512),
    "cross-entropy": lambda x: nn.functional.cross_entropy(x(256, 4000), np.arange(256) * 7),
    # Weights as small as those that layers begin with: larger ones would let what is rounded grow from step to step.
    "LSTM": lambda x: lstm_sequence(
        x(20, 64, 32), x(512, 32) / 11, x(512, 128) / 11, x(512), x(512), x(64, 128), x(64, 128)
    )[0],
    "GRU": lambda x: gru_sequence(x(20, 64, 132), x(384, 132) / 11, x(384, 128) / 11, x(384), x(384), x(64, 128)),
}
OURS = {"max pooling", "overlapping pooling", "average pooling", "relu", "tanh"}  # without OpenBLAS


def derived(make):
    """Return a result and the gradients of what it was made of."""
    leaves = []

    def leaf(*shape):
        leaves.append(autograd.Tensor(numbers(*shape, seed=len(leaves)), requires_grad=True))
        return leaves[-1]

    autograd.manual_seed(0)
    out = make(leaf)
    out.backward(autograd.Tensor(numbers(*out.shape, seed=9)) if out.shape else None)
    return [out.detach().numpy(), *(x.grad.numpy() for x in leaves)]


@needs_openblas
@pytest.mark.parametrize("name", LARGE)
def test_results_are_those_of_one_thread(name, two_threads):
    shared = derived(LARGE[name])
    set_num_threads(1)
    for found, expected in zip(shared, derived(LARGE[name]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", LARGE)
def test_bits_are_the_same_each_time(name, two_threads):
    first = derived(LARGE[name])
    for found, expected in zip(derived(LARGE[name]), first, strict=True):
        np.testing.assert_array_equal(found, expected)


@needs_team
@pytest.mark.parametrize("name", LARGE)
def test_where_another_thread_has_the_team_results_are_the_same(name, two_threads):
    alone = derived(LARGE[name])
    meeting = threading.Barrier(3, timeout=30)

    def stay(a, b):
        meeting.wait()  # the team is taken
        meeting.wait()  # and may go

    other = threading.Thread(target=share, args=(stay, 2))
    other.start()
    meeting.wait()
    try:
        beside = derived(LARGE[name])
    finally:
        meeting.wait()
        other.join()
    for found, expected in zip(beside, alone, strict=True):
        if name in OURS:
            np.testing.assert_array_equal(found, expected)
        else:  # OpenBLAS takes one thread then, and some of its kernels round otherwise
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())
