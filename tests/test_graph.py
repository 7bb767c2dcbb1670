"""The graph and the backward pass: order, accumulation, release, hooks, threads, memory."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
import weakref
from unittest import mock

import numpy as np
import pytest

import autograd
import nn
import optim
from autograd import Tensor, graph, ops


def leaf(value, **kwargs):
    return Tensor(value, requires_grad=True, **kwargs)


class TestGates:
    def test_the_lectures_circuit(self):
        x, y, z = leaf(-2.0), leaf(5.0), leaf(-4.0)
        f = (x + y) * z
        f.backward()
        assert f.item() == -12.0
        assert (x.grad.item(), y.grad.item(), z.grad.item()) == (-4.0, -4.0, 3.0)

    def test_gradients_add_at_branches(self):
        a = leaf(2.0)
        b = a * 3 + a**2
        b.backward()
        assert a.grad.item() == 7.0

    def test_loops_and_branches_of_python(self):
        x = leaf(1.5)
        y = x
        for i in range(5):
            y = y * x if i % 2 else y + x
        y.backward()
        # ((x + x) * x + x) * x + x
        assert y.item() == ((1.5 + 1.5) * 1.5 + 1.5) * 1.5 + 1.5
        assert x.grad.item() == 6 * 1.5**2 + 2 * 1.5 + 1

    def test_one_tensor_on_both_sides(self):
        a = leaf([1.0, 2.0])
        (a * a).sum().backward()
        assert a.grad.tolist() == [2.0, 4.0]

    def test_size_one_axes_broadcast_both_ways(self):
        a, b = leaf(np.ones((3, 1))), leaf(np.ones((1, 4)))
        (a * b).sum().backward()
        assert a.grad.tolist() == [[4.0]] * 3
        assert b.grad.tolist() == [[3.0] * 4]

    def test_empty_arrays(self):
        a = leaf(np.ones((0, 3)))
        (a * 2).sum().backward()
        assert a.grad.shape == (0, 3)

    def test_the_order_of_a_diamond_of_diamonds(self):
        x = leaf(1.0)
        y = x
        for _ in range(200):
            y = y + y * 0.01 + y * 0.02
        y.backward()
        assert x.grad.item() == pytest.approx(1.03**200)


class TestAccumulation:
    def test_backward_twice_accumulates(self):
        a = leaf([1.0, 2.0])
        (a * 2).sum().backward()
        (a * 3).sum().backward()
        assert a.grad.tolist() == [5.0, 5.0]
        a.zero_grad()
        assert a.grad is None

    def test_add_gives_each_parent_its_own_array(self):
        a, b = leaf(np.ones(3)), leaf(np.ones(3))
        (a + b).backward(np.ones(3))
        a.grad.data[:] = 7
        assert b.grad.tolist() == [1.0] * 3

    def test_an_array_that_nothing_else_holds_becomes_the_gradient_without_a_copy(self):
        addresses = []

        def rule(g):
            sent = g * 2
            addresses.append(sent.__array_interface__["data"])
            return sent

        a = leaf(np.ones(1000))
        autograd.operation(lambda x: x * 2, name="double", x=rule)(a).sum().backward()
        assert a.grad.data.__array_interface__["data"] == addresses[0]

    def test_the_seed_is_not_the_gradient(self):
        a, seed = leaf(np.ones(3)), np.ones(3)
        (a + 0.0).backward(seed)
        a.grad.data[:] = 7
        assert seed.tolist() == [1.0] * 3

    def test_a_sum_gives_a_writable_gradient(self):
        a = leaf(np.ones((2, 3)))
        a.sum().backward()
        a.grad.data *= 2
        assert a.grad.tolist() == [[2.0] * 3] * 2

    def test_a_gradient_read_by_a_graph_is_not_overwritten(self):
        a, w = leaf(np.ones(3)), leaf(np.ones(3))
        (a * 2).sum().backward()
        read = a.grad * w
        (a * 5).sum().backward()
        read.sum().backward()
        assert w.grad.tolist() == [2.0] * 3
        assert a.grad.tolist() == [7.0] * 3

    def test_three_branches_into_an_intermediate(self):
        a = leaf(np.ones(3))
        h = a * 1.0
        (h * 2 + h * 3 + h * 4).sum().backward()
        assert a.grad.tolist() == [9.0] * 3

    def test_many_sums_into_a_number(self):
        x, y = leaf(2.0), np.ones(3)
        ((x + y) + (x + y) + (x + y) + (x * y)).sum().backward()
        assert x.grad.item() == 12.0

    def test_gradients_have_the_leafs_dtype(self):
        a, b = leaf(np.ones(3, np.float32)), leaf(np.ones(3))
        (a * b).sum().backward()
        assert (a.grad.dtype, b.grad.dtype) == (np.float32, np.float64)

    def test_a_failing_backward_changes_no_gradient(self):
        a, b = leaf(np.ones(2)), leaf(np.ones(2))
        shared = a * b
        (shared * 1.0).sum().backward()
        a.zero_grad(), b.zero_grad()
        mixed = (b * 3).sum() + shared.sum()
        with pytest.raises(RuntimeError, match="second time"):
            mixed.backward()
        assert a.grad is None
        assert b.grad is None


class TestRelease:
    def test_a_second_backward_says_what_to_do(self):
        a = leaf([1.0, 2.0])
        y = (a * a).sum()
        y.backward()
        with pytest.raises(RuntimeError, match=r"a second time.*retain_graph=True"):
            y.backward()

    def test_retain_graph(self):
        a = leaf([1.0, 2.0])
        y = (a * a).sum()
        y.backward(retain_graph=True)
        y.backward()
        assert a.grad.tolist() == [4.0, 8.0]

    def test_the_skeleton_stays_for_pictures(self):
        a = leaf(2.0)
        y = a * a + 1.0
        y.backward()
        node = y._node
        assert node.op.name == "add"
        assert (node.value, node.grad) == (5.0, 1.0)
        assert node.constants[1][0] == 1.0
        assert node.parents[0].op.name == "multiply"
        assert (node.parents[0].value, node.parents[0].grad) == (4.0, 1.0)

    def test_larger_tensors_keep_values_inside_record_only(self):
        a = leaf(np.ones(3))
        y = a * 2
        assert y._node.value is None
        with autograd.record():
            z = a * 2
        z.sum().backward()
        assert z._node.value.tolist() == [2.0] * 3
        assert z._node.grad.tolist() == [1.0] * 3

    def test_recording_values_changes_no_gradient(self):
        with autograd.record():
            x = leaf(np.ones((3, 1)))
            (x[0:3] * np.ones((3, 4))).sum().backward()
        assert x.grad.tolist() == [[4.0]] * 3

    def test_what_a_rule_reads_is_kept_and_nothing_else(self):
        arrays = [np.full(4, 2.0) for _ in range(2)]
        refs = [weakref.ref(a) for a in arrays]
        x = leaf(np.ones(4))
        summed = x + autograd.from_numpy(arrays[0])
        product = x * autograd.from_numpy(arrays[1])
        arrays.clear()
        assert refs[0]() is None, "add reads nothing"
        assert refs[1]() is not None, "multiply reads the other operand"
        product.sum().backward()
        assert refs[1]() is None, "released by backward"
        assert summed.requires_grad

    def test_inputs_that_need_no_gradient_cost_nothing(self):
        calls = []
        spy = autograd.operation(
            lambda x, y: x + y,
            name="spy",
            x=lambda g: calls.append("x") or g * 1,
            y=lambda g: calls.append("y") or g * 1,
        )
        spy(leaf(1.0), Tensor(2.0)).backward()
        assert calls == ["x"]


class TestFreedByReferenceCounting:
    @pytest.fixture(autouse=True)
    def collector_off(self):
        gc.collect()
        gc.disable()
        yield
        gc.enable()

    @pytest.mark.parametrize("create_graph", [False, True])
    def test_every_node_and_array_goes_with_the_result(self, create_graph):
        watched = []
        watch = autograd.operation(
            lambda x: watched.append(weakref.ref(y := np.array(x))) or y,
            name="watch",
            x=lambda g, out: g * 1.0 + 0.0 * out,
        )
        x, w = leaf(np.ones((4, 4))), leaf(np.full((4, 4), 0.1))
        h = x
        for _ in range(5):
            h = watch(np.tanh(h @ w))
        loss = (h * h).sum()
        loss.backward(create_graph=create_graph)
        node = weakref.ref(h)
        if create_graph:  # the documented exception: a leaf's gradient that itself carries a graph
            x.zero_grad(), w.zero_grad()
        del h, loss
        assert node() is None
        assert [r() for r in watched] == [None] * 5
        assert gc.collect() == 0

    @pytest.mark.parametrize(
        "accumulate",
        [
            lambda t, w: t.__iadd__(w * 3),
            lambda t, w: t.__imul__(w),
            lambda t, w: t.__setitem__((), w),
            lambda t, w: t.__iadd__(t + w),
        ],
    )
    @pytest.mark.parametrize("size", [(), (2,)])
    def test_a_total_that_becomes_a_result(self, accumulate, size):
        w, total = leaf(np.full(size, 2.0)), Tensor(np.zeros(size))
        with autograd.record():
            accumulate(total, w)
        total.backward(np.ones(size))
        gone = weakref.ref(total)
        del total
        assert gone() is None
        assert gc.collect() == 0

    def test_a_number_keeps_no_large_operands(self):
        data = np.ones(1000)
        gone = weakref.ref(data)
        w = leaf(np.ones(1000))
        out = np.dot(autograd.from_numpy(data), w)
        out.backward()
        del data
        assert gone() is None
        assert out._node.value == 1000.0

    def test_without_backward_too(self):
        x = leaf(np.ones(3))
        kept = []
        y = (np.exp(x) * x).max()
        for tensor in (y,):
            kept.append(weakref.ref(tensor))
        del y, tensor
        assert kept[0]() is None
        assert gc.collect() == 0

    def test_a_chain_of_a_million_and_a_wide_diamond(self):
        x = leaf(1.0)
        y = x
        for _ in range(500_000):
            y = y * 1.0 + 0.0
        y.backward()
        assert x.grad.item() == 1.0
        del y
        x.zero_grad()
        layer = [x] * 100
        for _ in range(100):
            layer = [a + b for a, b in zip(layer, layer[1:] + layer[:1], strict=True)]
        total = layer[0]
        for item in layer[1:]:
            total = total + item
        total.backward()
        assert x.grad.item() == 100 * 2.0**100


class TestStale:
    def test_a_step_between_forward_and_backward_raises(self):
        w, x = leaf(np.ones(3), name="w"), leaf(np.ones(3))
        y = (w * x).sum()
        w.data -= 0.1
        with pytest.raises(RuntimeError, match=r"'w'.*overwritten in place"):
            y.backward()

    def test_it_is_seen_through_views(self):
        w = leaf(np.ones((2, 3)))
        x = leaf(np.ones((4, 3)))
        y = (x @ w.T).sum()
        w.data -= 0.1
        with pytest.raises(RuntimeError, match="overwritten in place"):
            y.backward()

    def test_what_no_rule_reads_may_change(self):
        w, x = leaf(np.ones(3)), leaf(np.ones(3))
        y = (w + x).sum()
        w.data -= 0.1
        y.backward()
        assert w.grad.tolist() == [1.0] * 3

    def test_only_rules_that_run_count(self):
        w, x = leaf(np.ones(3)), Tensor(np.ones(3))
        y = (w * x).sum()  # the gradient of w reads x alone
        w.data -= 0.1
        y.backward()
        assert w.grad.tolist() == [1.0] * 3

    def test_a_forward_after_the_step_is_fine(self):
        w = leaf(np.ones(3))
        (w * w).sum().backward()
        w.data -= 0.5
        w.zero_grad()
        (w * w).sum().backward()
        assert w.grad.tolist() == [1.0] * 3

    def test_rebinding_under_no_grad_leaves_the_graph_as_it_was(self):
        w = leaf(np.ones(3))
        y = (w * w).sum()
        with autograd.no_grad():
            w -= 0.5
        y.backward()
        assert w.tolist() == [0.5] * 3
        assert w.grad.tolist() == [2.0] * 3

    def test_detach_keeps_its_values(self):
        w = leaf(np.ones(3))
        before = w.detach()
        w.data -= 0.5
        assert before.tolist() == [1.0] * 3


class TestHooks:
    def test_a_hook_sees_the_whole_gradient_and_may_replace_it(self):
        seen = []
        a = leaf([1.0, 2.0])
        h = a * 2
        h.register_hook(lambda g: seen.append(g.tolist()))
        remove = a.register_hook(lambda g: g * 10)
        (h * 3 + h).sum().backward()
        assert seen == [[4.0, 4.0]]
        assert a.grad.tolist() == [80.0, 80.0]
        remove()
        a.zero_grad()
        (a * 2).sum().backward()
        assert a.grad.tolist() == [2.0, 2.0]

    def test_a_hook_of_the_wrong_shape_raises(self):
        a = leaf([1.0, 2.0])
        a.register_hook(lambda g: g.sum())
        with pytest.raises(ValueError, match="a hook returned shape"):
            a.sum().backward()

    def test_a_hook_keeps_the_dtype(self):
        a = leaf(np.ones(2, np.float32))
        a.register_hook(lambda g: Tensor([1.0, 2.0]))
        a.sum().backward()
        assert a.grad.dtype == np.float32
        b = leaf([1.0, 2.0])
        b.register_hook(lambda g: g * 1j)
        with pytest.raises(TypeError, match="a hook returned complex128 for a gradient of float64"):
            b.sum().backward()
        with pytest.raises(TypeError, match="a hook is a function"):
            b.register_hook(None)

    def test_a_hook_on_a_tensor_without_gradient_raises(self):
        with pytest.raises(RuntimeError, match="never run"):
            Tensor(1.0).register_hook(print)

    def test_retain_grad(self):
        a = leaf([1.0, 2.0])
        h = a * 2
        h.retain_grad()
        (h * h).sum().backward()
        assert h.grad.tolist() == [4.0, 8.0]

    def test_the_gradient_of_a_result_warns_where_none_is_kept(self):
        h = leaf([1.0]) * 2
        with pytest.warns(UserWarning, match="retain_grad"):
            assert h.grad is None


class TestHigherOrder:
    def test_third_derivative(self):
        x = leaf(2.0)
        y = x**4
        for expected in (32.0, 48.0, 48.0):
            x.zero_grad()
            y.backward(create_graph=True)
            y = x.grad
            assert y.item() == pytest.approx(expected)

    def test_a_joint_rule_goes_through_its_composed_form(self):
        rng = np.random.default_rng(0)
        x, w = leaf(rng.normal(size=(2, 3, 5, 5))), leaf(rng.normal(size=(4, 3, 3, 3)))
        assert ops.convolution.operation.composed is not None
        y = np.tanh(ops.convolution(x, w)).sum()
        y.backward(create_graph=True)
        assert x.grad.requires_grad
        assert w.grad.requires_grad

    def test_under_no_grad(self):
        x = leaf(3.0)
        y = x**3
        with autograd.no_grad():
            y.backward(create_graph=True)
        assert x.grad.requires_grad


class TestThreads:
    def test_each_thread_has_its_own_graph(self):
        w = leaf(np.ones(50))
        results = {}

        def work(i):
            x = leaf(np.full(50, float(i)))
            for _ in range(50):
                x.zero_grad()
                (np.tanh(x * w) * x).sum().backward()
            results[i] = x.grad.numpy()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        for i, got in results.items():
            t = np.tanh(float(i))
            assert got == pytest.approx(t + i * (1 - t * t))


class TestSeveralRoots:
    def test_roots_below_one_another(self):
        a = leaf(2.0)
        b = a * 3
        c = b * b
        graph.backward([c._node, b._node], [np.float64(1), np.float64(10)])
        assert a.grad.item() == 3 * (2 * 6 + 10)

    def test_a_leaf_as_root(self):
        a = leaf(2.0)
        a.backward()
        assert a.grad.item() == 1.0


class TestTargets:
    def test_a_target_below_another_one_releases_no_more_than_it_walks(self):
        x = leaf(2.0)
        a = x * x
        b = a * a
        c = b * b
        by_b, by_a = autograd.gradients(c, [b, a])
        assert (by_b.item(), by_a.item()) == (2 * 16.0, 4 * 4.0**3)
        assert autograd.gradients(a, x).item() == 4.0


class TestBadInput:
    def test_no_gradient_needed(self):
        with pytest.raises(RuntimeError, match="needs no gradient"):
            (Tensor(1.0) * 2).backward()

    def test_not_a_scalar(self):
        y = leaf([1.0, 2.0], name="w") * 2
        y.name = "scores"
        with pytest.raises(ValueError, match=r"'scores'.*gradient= of shape \(2,\)"):
            y.backward()
        y.backward([1.0, 1.0])

    def test_gradient_of_the_wrong_shape_leaves_the_graph_usable(self):
        a = leaf([1.0, 2.0])
        y = a * 2
        with pytest.raises(ValueError, match=r"shape \(3,\), not \(2,\)"):
            y.backward(np.ones(3))
        y.backward(np.ones(2))
        assert a.grad.tolist() == [2.0, 2.0]

    def test_shapes_that_do_not_broadcast(self):
        a, b = leaf(np.ones((2, 3)), name="inputs"), leaf(np.ones(4))
        with pytest.raises(ValueError, match=r"add: .*\(2, 3\) float64 'inputs'.*\(4,\)"):
            a + b
        with pytest.raises(ValueError, match="matmul"):
            a @ b

    def test_an_axis_out_of_range(self):
        with pytest.raises(ValueError, match=r"sum: .*axis 5.*\(2, 3\)"):
            leaf(np.ones((2, 3))).sum(axis=5)

    def test_operands_that_are_no_numbers(self):
        with pytest.raises(TypeError, match="add"):
            leaf(np.ones(2)) + "text"
        with pytest.raises(TypeError, match="multiply"):
            leaf(2.0) * None

    def test_a_forward_that_returns_no_array(self):
        floats = autograd.operation(lambda x: float(x), name="floats", x=lambda g: g)
        with pytest.raises(TypeError, match="floats: the forward is to return an array"):
            floats(leaf(1.0))

    def test_a_rule_that_returns_nothing(self):
        silent = autograd.operation(lambda x: x * 2, name="silent", x=lambda g: None)
        with pytest.raises(TypeError, match="a rule of silent returned None"):
            silent(leaf(1.0)).backward()

    def test_a_rule_that_returns_another_shape(self):
        wrong = autograd.operation(lambda x: x.sum(axis=0), name="wrong", x=lambda g: g)
        with pytest.raises(ValueError, match=r"rule of wrong returned a gradient of shape \(3,\) .* \(2, 3\)"):
            wrong(leaf(np.ones((2, 3)))).sum().backward()


def test_a_dtype_that_was_unpickled_is_no_other_dtype():
    array = pickle.loads(pickle.dumps(np.array([1.0, 2.0])))
    assert array.dtype is not np.dtype(float), "what this test is about"
    x, y = Tensor(array, requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    with mock.patch.object(graph, "fit", side_effect=AssertionError("a cast for nothing")):
        (np.tanh(x * y) + y - x).sum().backward()
    assert x.grad.dtype == y.grad.dtype == float


class TestOverwrittenByAnOptimiser:
    def step(self, w):
        w.grad = Tensor(np.ones(w.shape))
        optim.SGD([w], lr=1.0).step()
        w.grad = None

    @pytest.mark.parametrize("make", [lambda w: w.T.detach(), lambda w: np.diff(w, 0).detach()])
    def test_what_was_detached_from_a_view_stays(self, make):
        w, x = Tensor([[2.0, 3.0]], requires_grad=True), Tensor([[1.0, 1.0]], requires_grad=True)
        y = (x * make(w).reshape(1, 2)).sum()
        self.step(w)
        y.backward()
        assert x.grad.tolist() == [[2.0, 3.0]]

    @pytest.mark.parametrize("number", [lambda w: w.reshape(()), lambda w: w.squeeze(), lambda w: w[0, ...]])
    def test_a_number_taken_from_a_leaf_stays(self, number):
        w = Tensor([2.0], requires_grad=True)
        s = number(w)
        y = s * s
        self.step(w)
        y.backward()
        assert w.grad.tolist() == [4.0]

    def test_a_pullback_refuses(self):
        w = Tensor([2.0, 3.0], requires_grad=True)
        _, pull = autograd.vjp(lambda a: a**2 * 3, w)
        self.step(w)
        with pytest.raises(RuntimeError, match="overwritten in place"):
            pull(np.ones(2))


def test_a_frozen_parameter_that_is_loaded_leaves_older_graphs_alone():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data = np.array([[1.0, 2.0]], np.float32)
    layer.weight.requires_grad_(False)
    x = Tensor(np.ones((1, 2), np.float32), requires_grad=True)
    y = layer(x).sum()
    layer.load_state_dict({"weight": np.array([[7.0, 8.0]], np.float32)})
    y.backward()
    assert x.grad.tolist() == [[1.0, 2.0]]
    assert layer.weight.tolist() == [[7.0, 8.0]]


def test_gradients_from_two_threads_add_up():
    w = Tensor(np.zeros(50_000), requires_grad=True)

    def work():
        for _ in range(100):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(w.grad.tolist()) == {300.0}


def test_recorded_gradients_of_two_leaves_are_two_tensors():
    a, b = (Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    (a + b).sum().backward(create_graph=True)
    with autograd.no_grad():
        a.grad *= 10
    assert (a.grad.tolist(), b.grad.tolist()) == ([10.0, 10.0], [1.0, 1.0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process.* is multi-threaded:DeprecationWarning")
def test_a_child_does_not_wait_for_a_gradient_of_its_parents():
    big, gradient = Tensor(np.zeros(2_000_000), requires_grad=True), np.ones(2_000_000)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            big.backward(gradient=gradient)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if not child:
                x = Tensor(3.0, requires_grad=True)
                (x * x).backward()
                os._exit(int(x.grad.item() != 6.0))
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_backward_pass_that_comes_in_while_a_leaf_gets_its_gradient_counts(monkeypatch, shape):
    y = Tensor(np.full(shape, 2.0), requires_grad=True)
    called = []

    def interrupted(gradient):  # as by a signal, whose handler does the same
        called.append(1)
        if len(called) == 1:
            (y * y).sum().backward()
        return gradient

    monkeypatch.setattr(sys.modules["autograd.tensor"], "conjugate", interrupted)
    (y * y).sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), np.full(shape, 8.0))


def test_a_signal_may_run_a_backward_pass_of_its_own():
    x, y = Tensor(np.zeros(200_000), requires_grad=True), Tensor(2.0, requires_grad=True)
    handled = []

    def handle(*_):
        (y * y).backward()
        handled.append(1)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        while len(handled) < 20:
            x.backward(gradient=np.ones(200_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert y.grad.item() == 4.0 * len(handled)
