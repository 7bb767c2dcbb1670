"""What OpenBLAS does beside matrix products, and what NumPy does where it is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd import openblas
from tests.cases import normal


@pytest.fixture(params=[True, False], ids=["as it is", "without OpenBLAS"])
def _library(request: Any, monkeypatch: Any) -> None:
    if not request.param:
        monkeypatch.setattr(openblas, "update_of", lambda char: None)


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("n", [0, 1, 7, openblas.FEW - 1, openblas.FEW, openblas.FEW + 5, 100_003])
@pytest.mark.parametrize("beta", [0.9, 1, np.float32(0.5), 0.0])
def test_axpby_adds_multiples(n: int, beta: Any, dtype: Any) -> None:
    x, y = normal(n, seed=1).astype(dtype), normal(n, seed=2).astype(dtype)
    expected = np.float64(-0.3) * x + float(beta) * y
    before, room = x.copy(), np.empty_like(x)
    openblas.axpby(-0.3, x, beta, y, room)
    eps = max(np.finfo(dtype).eps, np.finfo(float).eps)
    np.testing.assert_allclose(y.astype(float), expected.astype(float), rtol=4 * eps, atol=8 * eps)
    np.testing.assert_array_equal(x, before)


@pytest.mark.usefixtures("_library")
def test_axpby_of_arrays_with_gaps_and_of_two_dtypes() -> None:
    whole, x = np.ones(2 * openblas.FEW), np.arange(openblas.FEW, dtype=np.float32)
    openblas.axpby(2.0, x, 3.0, whole[::2], np.empty(openblas.FEW))
    np.testing.assert_array_equal(whole[::2], 2 * x + 3)
    assert (whole[1::2] == 1).all()


def test_axpby_of_an_array_that_must_not_be_written() -> None:
    x, y = np.ones(openblas.FEW), np.ones(openblas.FEW)
    x.flags.writeable = False
    openblas.axpby(2.0, x, 3.0, y, np.empty_like(x))
    assert (y == 5).all()


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("n", [10, 2 * openblas.FEW])
def test_axpby_is_numpys_for_zeros_and_foreign_bytes(n: int) -> None:
    y = np.ones(n)
    openblas.axpby(0.0, np.full(n, np.nan), 1, y, np.empty(n))
    assert np.isnan(y).all()
    openblas.axpby(1.0, np.ones(n), 0.0, y, np.empty(n))
    assert np.isnan(y).all()
    x, y = np.arange(n, dtype=">f4"), np.ones(n, ">f4")
    openblas.axpby(2.0, x, 3.0, y, np.empty_like(x))
    np.testing.assert_array_equal(y, 2 * x + 3)
