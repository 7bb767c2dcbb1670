"""What tests of several subjects need."""

import pytest

from autograd import get_num_threads, openblas, set_num_threads


@pytest.fixture
def two_threads():
    """Let large work take two threads; tests otherwise take one."""
    if openblas.function("set_num_threads") is None:
        pytest.skip("NumPy has another BLAS")
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)
