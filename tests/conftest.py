"""What tests of several subjects need."""

import pytest

from autograd import get_num_threads, openblas, set_num_threads

ANOTHER_BLAS = "NumPy has another BLAS"
HAS_OPENBLAS = openblas.function("set_num_threads") is not None
needs_openblas = pytest.mark.skipif(not HAS_OPENBLAS, reason=ANOTHER_BLAS)


def pytest_collection_modifyitems(items):
    """Mark the example that needs OpenBLAS: a docstring cannot."""
    for item in items:
        if item.name == "autograd.threads.set_num_threads":
            item.add_marker(needs_openblas)


@pytest.fixture
def two_threads():
    """Let large work take two threads; tests otherwise take one."""
    if not HAS_OPENBLAS:
        pytest.skip(ANOTHER_BLAS)
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)
