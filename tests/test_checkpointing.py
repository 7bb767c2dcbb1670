"""`checkpoint`: the same gradients, less memory."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import autograd
from autograd import Tensor, checkpoint, grad, gradients, no_grad


def leaf(value, **kwargs):
    return Tensor(value, requires_grad=True, **kwargs)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


class TestCheckpoint:
    def setup_method(self):
        self.w = leaf(normal(3, 3), name="w")
        self.x = leaf(normal(2, 3, seed=1))
        self.runs = 0

    def segment(self, x):
        self.runs += 1
        return np.tanh(x @ self.w)

    def both(self, f, create_graph=False):
        inputs = [self.w, self.x]
        kept = gradients(f(lambda g, *args: g(*args)), inputs, create_graph=create_graph)
        recomputed = gradients(f(checkpoint), inputs, create_graph=create_graph)
        for ours, theirs in zip(recomputed, kept, strict=True):
            close(ours.numpy(), theirs.numpy())
        return kept, recomputed

    def test_the_same_gradients_also_of_parameters_that_are_no_arguments(self):
        self.both(lambda run: (run(self.segment, self.x @ self.w) ** 2).sum())
        assert self.runs == 3
        out = checkpoint(self.segment, self.x).sum()
        out.backward()
        expected = gradients(self.segment(self.x).sum(), [self.w, self.x])
        close(self.w.grad.numpy(), expected[0].numpy())
        close(self.x.grad.numpy(), expected[1].numpy())

    def test_several_results_in_a_structure(self):
        def several(x):
            return {"a": self.segment(x), "rest": [(x * x).sum(), 5, Tensor(1.0)]}

        def loss(run):
            found = run(several, self.x)
            assert found["rest"][1] == 5
            assert not found["rest"][2].requires_grad
            return (found["a"] ** 2).sum() * found["rest"][0]

        self.both(loss)
        assert gradients(checkpoint(several, self.x)["rest"][0], self.x).shape == (2, 3)

    def test_nested(self):
        self.both(lambda run: run(lambda y: run(self.segment, y * 2) * y, self.x @ self.w).sum())

    def test_higher_derivatives(self):
        def loss(run):
            return (run(lambda y: run(self.segment, y @ self.w) * y, self.x @ self.w) ** 2).sum()

        kept, recomputed = self.both(loss, create_graph=True)
        second = [gradients(sum((g**2).sum() for g in found), [self.w, self.x]) for found in (kept, recomputed)]
        for ours, theirs in zip(*second, strict=True):
            close(ours.numpy(), theirs.numpy())

    def test_inside_grad(self):
        def f(x):
            return checkpoint(lambda y: np.sin(y) * x, x * x).sum()

        assert grad(grad(f))(1.3) == pytest.approx(grad(grad(lambda x: np.sin(x * x) * x))(1.3))

    def test_nothing_is_kept_between(self):
        kept = []

        def segment(x):
            hidden = np.exp(x)
            kept.append(weakref.ref(hidden.data))
            return hidden * hidden

        gc.disable()
        try:
            out = checkpoint(segment, self.x)
            assert kept[0]() is None
            out.sum().backward()
            assert len(kept) == 2
            assert kept[1]() is None
            data = weakref.ref(out.data)
            del out
            assert data() is None
        finally:
            gc.enable()

    def test_the_second_run_draws_the_same_random_numbers_and_leaves_the_generator_alone(self):
        autograd.manual_seed(3)
        out = checkpoint(lambda x: x * autograd.rand(2, 3), self.x)
        following = [autograd.rand().item() for _ in range(2)]
        autograd.manual_seed(3)
        again = checkpoint(lambda x: x * autograd.rand(2, 3), self.x)
        assert autograd.rand().item() == following[0]
        again.sum().backward()
        assert autograd.rand().item() == following[1]
        close(self.x.grad.numpy(), out.numpy() / self.x.data)

    def test_hooks_see_the_whole_gradient_once(self):
        seen = []
        self.w.register_hook(lambda g: seen.append(g.numpy().copy()))
        out = checkpoint(self.segment, self.x) + self.x @ self.w
        out.sum().backward()
        assert len(seen) == 1
        close(seen[0], self.w.grad.numpy())

    def test_arguments_assigned_to_later(self):
        y = self.x * 1.0
        out = checkpoint(self.segment, y)
        y += 100.0
        expected = gradients(self.segment(self.x).sum(), self.x)
        close(gradients(out.sum(), self.x).numpy(), expected.numpy())

    def test_a_second_pass_needs_retain_graph(self):
        out = checkpoint(self.segment, self.x).sum()
        first = gradients(out, self.x, retain_graph=True)
        close(gradients(out, self.x).numpy(), first.numpy())
        with pytest.raises(RuntimeError, match="a second time"):
            gradients(out, self.x)

    def test_without_gradients_it_is_a_call(self):
        with no_grad():
            assert not checkpoint(self.segment, self.x).requires_grad
        assert not checkpoint(lambda x: x * 2, Tensor(1.0)).requires_grad
        assert checkpoint(lambda: "text") == "text"

    def test_single_precision(self):
        x = leaf(np.ones(3, np.float32))
        out = checkpoint(lambda x: x * x, x)
        assert gradients(out, x, np.ones(3)).dtype == np.float32

    def test_a_stale_parameter_is_refused(self):
        out = checkpoint(self.segment, self.x).sum()
        with no_grad():
            self.w.data -= 0.1
        with pytest.raises(RuntimeError, match="overwritten since the forward pass"):
            out.backward()

    def test_another_result_at_the_second_run_is_refused(self):
        def fickle(x):
            self.runs += 1
            return x[: self.runs]

        out = checkpoint(fickle, self.x)
        with pytest.raises(RuntimeError, match="returned other shapes"):
            out.sum().backward()


class TestWhatItReadsIsChanged:
    @pytest.mark.parametrize("change", ["in place", "a part", "replaced"])
    def test_a_parameter(self, change):
        w, x = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
        y = checkpoint(lambda x: (x * w * w).sum(), x)
        with no_grad():
            if change == "in place":
                w -= np.ones(2)
            elif change == "a part":
                w[0] = 7.0
            else:
                w.data = np.zeros(2)
        with pytest.raises(RuntimeError, match="overwritten since the forward pass"):
            y.backward()

    def test_another_tensor_from_outside(self):
        x = Tensor([1.0, 2.0], requires_grad=True)
        h = x * 2
        y = checkpoint(lambda a: (a * h).sum(), x)
        h += 1
        with pytest.raises(RuntimeError, match="read other tensors"):
            y.backward()

    def test_an_array_that_was_given_stays_as_it_was(self):
        buffer, x = np.array([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
        y = checkpoint(lambda x, b: (x * b).sum(), x, buffer)
        buffer[:] = 100
        y.backward()
        assert x.grad.tolist() == [1.0, 2.0]


class TestLeavesThatTheFunctionMakes:
    def test_for_itself(self):
        w, x = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)

        def penalty(x):
            z = x.detach().requires_grad_()
            (g,) = gradients((z * z * w).sum(), [z], create_graph=True)
            return (g * g * x).sum()

        checkpoint(penalty, x).backward()
        found = w.grad.tolist(), x.grad.tolist()
        w.grad = x.grad = None
        penalty(x).backward()
        assert found == (w.grad.tolist(), x.grad.tolist())

    def test_and_keeps(self):
        kept = {}

        def lazy(x):
            if "w" not in kept:
                kept["w"] = Tensor(np.full(2, 3.0), requires_grad=True)
            return (x * kept["w"]).sum()

        x = Tensor([1.0, 2.0], requires_grad=True)
        checkpoint(lazy, x).backward()
        assert (x.grad.tolist(), kept["w"].grad.tolist()) == ([3.0, 3.0], [1.0, 2.0])


def test_a_view_that_keeps_its_values_is_not_refused():
    w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    v = w[1:]
    y = checkpoint(lambda v: (v * v).sum(), v)
    with no_grad():
        w -= 1.0
    y.backward()
    assert w.grad.tolist() == [0.0, 4.0, 6.0]


def test_arrays_are_the_callers_own_at_first():
    seen, buffer, x = [], np.ones(2), Tensor([1.0, 2.0], requires_grad=True)
    y = checkpoint(lambda x, b: seen.append(b) or (x * b).sum(), x, buffer)
    assert seen[0] is buffer
    y.backward()
    assert seen[1] is not buffer
