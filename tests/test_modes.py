"""Modes: no_grad and its kin, anomaly mode."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

import autograd
from autograd import Tensor, anomaly_mode, enable_grad, is_grad_enabled, no_grad, set_grad_enabled


def leaf(value):
    return Tensor(value, requires_grad=True)


def test_no_grad_and_enable_grad_nest():
    x = leaf(1.0)
    with no_grad():
        assert not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
        assert not is_grad_enabled()
    assert is_grad_enabled()


def test_they_are_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert is_grad_enabled()


def test_as_decorators():
    x = leaf(1.0)

    @no_grad()
    def outside(n):
        """Doc."""
        assert not is_grad_enabled()
        return x * 2 if n == 0 else outside(n - 1)

    assert not outside(3).requires_grad
    assert outside.__doc__ == "Doc."
    assert is_grad_enabled()

    @enable_grad()
    def inside():
        return x * 2

    with no_grad():
        assert inside().requires_grad


def test_a_generator_cannot_be_decorated():
    with pytest.raises(TypeError, match="generator"):

        @no_grad()
        def numbers():
            yield 1


def test_set_grad_enabled_as_function_context_and_decorator():
    set_grad_enabled(False)
    assert not is_grad_enabled()
    set_grad_enabled(True)
    with set_grad_enabled(False):
        assert not is_grad_enabled()
    assert is_grad_enabled()

    @set_grad_enabled(False)
    def off():
        return is_grad_enabled()

    assert is_grad_enabled()
    assert not off()


def test_modes_hold_for_one_thread():
    seen = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


class TestAnomaly:
    def test_forward(self):
        x = leaf([1.0, 0.0])
        with anomaly_mode(), np.errstate(divide="ignore"), pytest.raises(ArithmeticError) as caught:
            np.log(x)
        assert "log made Inf at index (1,)" in str(caught.value)
        assert "test_modes.py" in str(caught.value)
        assert "np.log(x)" in str(caught.value)

    def test_forward_of_what_needs_no_gradient(self):
        with anomaly_mode(), np.errstate(invalid="ignore"), pytest.raises(ArithmeticError, match="sqrt made NaN"):
            np.sqrt(Tensor([-1.0]))

    def test_backward_names_the_line_that_recorded(self):
        x = leaf([0.0, 1.0])
        with anomaly_mode():
            y = np.sqrt(x)  # the culprit
            z = (y * 2).sum()
            with pytest.raises(ArithmeticError) as caught:
                z.backward()
        assert "the gradient of sqrt made Inf at index (0,)" in str(caught.value)
        assert "# the culprit" in str(caught.value)

    def test_operations_with_several_results(self):
        x = leaf([[2.0, 1.0], [1.0, 3.0]])
        with anomaly_mode():
            u, s, _ = np.linalg.svd(x)
            (s.sum() + u.sum()).backward()
        assert x.grad.shape == (2, 2)

    def test_no_finding_no_error(self):
        x = leaf([1.0, 2.0])
        with anomaly_mode():
            (np.log(x) * x)[0].backward()
        assert x.grad.tolist() == [1.0, 0.0]

    def test_nan_in_a_scalar(self):
        with anomaly_mode(), pytest.raises(ArithmeticError, match="multiply made NaN\n"):
            leaf(np.nan) * autograd.tensor(1.0)


def test_threads_that_share_a_switch_keep_modes_of_their_own():
    shared, inside, out = autograd.no_grad(), threading.Event(), threading.Event()
    seen = []

    def work():
        with autograd.enable_grad():
            with shared:
                inside.set()
                out.wait(10)
            seen.append(autograd.is_grad_enabled())

    thread = threading.Thread(target=work)
    with autograd.no_grad():
        thread.start()
        inside.wait(10)
        with shared:
            pass
        seen.append(autograd.is_grad_enabled())
        out.set()
        thread.join()
    assert seen == [False, True]


def test_a_switch_that_is_in_force_at_once_can_be_used_again():
    switch = autograd.set_grad_enabled(False)
    for _ in range(2):
        with switch:
            assert not autograd.is_grad_enabled()
        assert autograd.is_grad_enabled()


def test_a_switch_that_is_in_force_at_once_nests_and_decorates_twice():
    switch = set_grad_enabled(False)
    set_grad_enabled(True)
    with switch:
        assert not is_grad_enabled()
        with switch:
            assert not is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()
    switch = set_grad_enabled(False)
    switch.__exit__(None, None, None)
    with switch:
        assert not is_grad_enabled()
    assert is_grad_enabled()
    switch = set_grad_enabled(False)
    first, second = switch(is_grad_enabled), switch(is_grad_enabled)
    assert is_grad_enabled()
    assert (first(), second()) == (False, False)


def test_threads_do_not_take_one_anothers_modes():
    shared, failed = autograd.no_grad(), []

    def work():
        try:
            for _ in range(2_000):
                with shared:
                    assert not autograd.is_grad_enabled()
                assert autograd.is_grad_enabled()
        except Exception as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failed


@pytest.mark.parametrize("mode", [no_grad, enable_grad, anomaly_mode, autograd.record])
def test_parentheses_are_asked_for(mode):
    with pytest.raises(TypeError, match=rf"@{mode.__name__}\(\), with parentheses"):

        @mode
        def function():
            pass
