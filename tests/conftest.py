"""What tests of several subjects need."""

import pytest

from autograd import get_num_threads, openblas, set_num_threads

HAS_OPENBLAS = openblas.function("set_num_threads") is not None


def pytest_collection_modifyitems(items):
    """Leave out an example that needs OpenBLAS where NumPy has another BLAS."""
    for item in items:
        if item.name == "autograd.threads.set_num_threads" and not HAS_OPENBLAS:
            item.add_marker(pytest.mark.skip(reason="NumPy has another BLAS"))


@pytest.fixture
def two_threads():
    """Let large work take two threads; tests otherwise take one."""
    if not HAS_OPENBLAS:
        pytest.skip("NumPy has another BLAS")
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)
