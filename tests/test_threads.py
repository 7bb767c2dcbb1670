"""How many threads matrix products take."""

import os
import subprocess
import sys

import pytest

import autograd
from autograd import get_num_threads, set_num_threads, threads

needs_openblas = pytest.mark.skipif(threads.openblas("set") is None, reason="NumPy has another BLAS")


@needs_openblas
def test_they_are_openblas_s():
    before = get_num_threads()
    try:
        for number in (2, 1):
            set_num_threads(number)
            assert get_num_threads() == number
    finally:
        set_num_threads(before)


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
    monkeypatch.setattr(threads, "NAMES", ())
    assert autograd.get_num_threads() == threads.available_cores()
    with pytest.raises(RuntimeError, match="not OpenBLAS"):
        set_num_threads(1)
