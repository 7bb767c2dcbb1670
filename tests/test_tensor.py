"""Tensor: making one, what it is, in-place operators, leaving the graph, copies."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

import autograd
from autograd import Tensor, no_grad
from autograd.words import IN_NUMPY


def leaf(value, **kwargs):
    return Tensor(value, requires_grad=True, **kwargs)


class TestMaking:
    def test_python_floats_are_float64_and_ints_are_int64(self):
        assert Tensor(2.0).dtype == np.float64
        assert Tensor([1, 2]).dtype == np.int64
        assert Tensor([1, 2], dtype=np.float32).dtype == np.float32
        assert Tensor(True).dtype == bool

    def test_it_copies(self):
        array = np.zeros(3)
        t = Tensor(array)
        array[0] = 1
        assert t.tolist() == [0.0] * 3

    def test_from_numpy_shares(self):
        array = np.zeros(3)
        t = autograd.from_numpy(array)
        array[0] = 1
        assert t.tolist() == [1.0, 0.0, 0.0]
        with pytest.raises(TypeError, match="takes a NumPy array, not list"):
            autograd.from_numpy([1.0])

    @pytest.mark.parametrize("value", [2, [1, 2], np.arange(3), True])
    def test_integers_have_no_gradient(self, value):
        with pytest.raises(TypeError, match=r"write -2\.0"):
            Tensor(value, requires_grad=True)

    @pytest.mark.parametrize("value", ["text", None, object(), [1, "a"], {"a": 1}])
    def test_what_is_not_numeric(self, value):
        with pytest.raises(TypeError, match="numbers"):
            Tensor(value)

    def test_ragged_lists(self):
        with pytest.raises(ValueError, match="cannot make a tensor of list"):
            Tensor([[1.0], [1.0, 2.0]])

    def test_a_list_of_tensors_with_gradients_is_refused(self):
        with pytest.raises(TypeError, match="lose its gradient"):
            Tensor([leaf(1.0), leaf(2.0)])

    def test_makers(self):
        assert autograd.zeros(2, 3).shape == autograd.zeros((2, 3)).shape == (2, 3)
        assert autograd.ones(3, dtype=np.float32).dtype == np.float32
        assert autograd.full((2,), 7.0).tolist() == [7.0, 7.0]
        assert autograd.eye(2, requires_grad=True).requires_grad
        assert autograd.arange(3).dtype == np.int64
        assert autograd.arange(0.0, 1.0, 0.5).tolist() == [0.0, 0.5]
        assert autograd.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
        like = autograd.zeros_like(Tensor(np.ones((2, 2), np.float32)))
        assert (like.shape, like.dtype) == ((2, 2), np.float32)
        assert autograd.ones_like(like).tolist() == [[1.0, 1.0]] * 2
        assert autograd.full_like(like, 3).dtype == np.float32
        assert autograd.tensor(1.0, name="a").name == "a"

    def test_one_seed_governs_random_tensors(self):
        def draw():
            autograd.manual_seed(7)
            return [autograd.rand(3), autograd.randn(2, 2), autograd.randint(0, 9, (4,)), autograd.randperm(5)]

        for first, second in zip(draw(), draw(), strict=True):
            assert (first == second).all()
        own = np.random.default_rng(1)
        before = autograd.manual_seed(7).bit_generator.state
        autograd.rand(3, generator=own)
        assert autograd.random.shared_generator().bit_generator.state == before
        assert (autograd.rand(1000, dtype=np.float32) < 1).all()


class TestWhatItIs:
    def test_attributes(self):
        t = Tensor(np.zeros((2, 3, 4)))
        assert (t.shape, t.ndim, t.size, len(t), t.nbytes, t.itemsize) == ((2, 3, 4), 3, 24, 2, 192, 8)
        assert t.T.shape == (4, 3, 2)
        assert t.mT.shape == (2, 4, 3)
        assert t.is_leaf
        with pytest.raises(TypeError, match="no length"):
            len(Tensor(1.0))

    def test_repr(self):
        assert repr(Tensor(2.0)) == "Tensor(2.0)"
        assert repr(leaf(2.0, name="a")) == "Tensor(2.0, requires_grad=True, name='a')"
        assert repr(leaf(2.0) * 2) == "Tensor(4.0, op=multiply)"
        assert repr(Tensor([1, 2])) == "Tensor([1, 2], shape=(2,), dtype=int64)"
        assert repr(Tensor(np.float32(1))) == "Tensor(1.0, dtype=float32)"
        assert len(repr(Tensor(np.zeros((1000, 1000))))) < 1000

    def test_html_is_small_and_escaped(self):
        html = Tensor(np.zeros((1000, 1000)), name="<script>")._repr_html_()
        assert "<script>" not in html
        assert len(html) < 2000

    def test_formats(self):
        x = leaf(2.5)
        assert f"{x:.2f} {x * 2:>6.1f}" == "2.50    5.0"
        assert f"{x}" == repr(x)
        with pytest.raises(TypeError, match="format"):
            f"{Tensor([1.0, 2.0]):.2f}"

    def test_iteration_keeps_gradients(self):
        t = leaf([1.0, 2.0, 3.0])
        a, b, c = t
        (a * b * c).backward()
        assert t.grad.tolist() == [6.0, 3.0, 2.0]
        assert 2.0 in t
        assert 5.0 not in t

    def test_comparisons_are_plain(self):
        t = leaf([1.0, 2.0])
        assert isinstance(t > 1.5, np.ndarray)
        assert (t == t).all()
        assert ((1.5 < t) == [False, True]).all()  # noqa: SIM300
        assert hash(t) == hash(t)
        assert bool(leaf(1.0) > 0)
        assert ((t > 1) & (t < 3)).tolist() == [False, True]
        assert (Tensor([1, 3]) & 1).tolist() == [1, 1]
        assert (~Tensor([True])).tolist() == [False]
        assert (leaf([5.0]) // 2).tolist() == [2.0]
        with pytest.raises(ValueError, match="ambiguous"):
            bool(t)

    def test_names(self):
        a = Tensor(1.0)
        assert a.name is None
        a.name = "a"
        b = a * 2
        b.name = "b"
        c = leaf(1.0) * 2
        c.name = "c"
        assert (a.name, b.name, c.name) == ("a", "b", "c")

    def test_numpy_arrays_on_the_left(self):
        t = leaf(np.ones(3))
        for y in (np.arange(3.0) * t, np.float64(2.0) * t, np.arange(3.0) + t, 2.0 - t, np.arange(3.0) @ t):
            assert isinstance(y, Tensor)
            assert y.requires_grad

    def test_requires_grad_switches(self):
        a = Tensor(1.0)
        a.requires_grad = True
        (a * 3).backward()
        a.requires_grad_(False)
        assert not (a * 3).requires_grad
        assert a.grad.item() == 3.0, "freezing keeps the gradient"
        with pytest.raises(RuntimeError, match="detach"):
            (leaf(1.0) * 2).requires_grad_(False)

    def test_what_becomes_a_leaf_no_longer_shares_its_array(self):
        x = leaf([1.0, 2.0])
        y = x * 1
        total = (y * y).sum()
        other = y.detach().requires_grad_()
        other.data -= 1.0
        total.backward()
        assert y.tolist() == [1.0, 2.0]
        assert x.grad.tolist() == [2.0, 4.0]
        whole = Tensor([1.0, 2.0, 3.0])
        part = whole[:2].requires_grad_()
        part.data -= 1.0
        assert whole.tolist() == [1.0, 2.0, 3.0]
        array = np.zeros(2)
        shared = autograd.from_numpy(array, requires_grad=True)
        array[0] = 5.0
        assert shared.tolist() == [5.0, 0.0]

    def test_data_of_a_leaf_stays_floating(self):
        p = leaf([1.0, 2.0], name="p")
        with pytest.raises(TypeError, match=r"'p'.*floating or complex, not int64"):
            p.data = np.array([1, 2])

    def test_grad_can_be_set(self):
        a = leaf([1.0, 2.0])
        a.grad = [3.0, 4.0]
        (a * 1).sum().backward()
        assert a.grad.tolist() == [4.0, 5.0]
        a.grad = None
        assert a.grad is None
        with pytest.raises(ValueError, match="not"):
            a.grad = np.zeros(3)


class TestConstantsAreValues:
    def test_an_array_given_as_operand_may_change_afterwards(self):
        x, constant = leaf(np.ones(3)), np.full(3, 2.0)
        y = (x * constant).sum()
        constant[:] = 100
        y.backward()
        assert x.grad.tolist() == [2.0] * 3

    def test_an_index_may_change_afterwards(self):
        x, index = leaf(np.ones(3)), np.array([0, 0])
        y = x[index].sum()
        index[:] = 2
        y.backward()
        assert x.grad.tolist() == [2.0, 0.0, 0.0]

    @pytest.mark.parametrize("make", [np.array, list])
    def test_an_option_may_change_afterwards(self, make):
        x, indices = leaf(np.ones(3)), make([0, 0])
        y = np.take(x, indices).sum()
        indices[0] = indices[1] = 2
        y.backward()
        assert x.grad.tolist() == [2.0, 0.0, 0.0]

    def test_a_nested_option_may_change_afterwards(self):
        x, width = leaf([1.0, 2.0]), [[1, 0]]
        y = np.pad(x, width)
        width[0][0] = 0
        (y * [1.0, 10.0, 100.0]).sum().backward()
        assert x.grad.tolist() == [10.0, 100.0]

    def test_objects_that_are_no_numbers(self):
        for wrong in (lambda: leaf(2.0) + Fraction(1, 2), lambda: Fraction(1, 2) + leaf([1.0])):
            with pytest.raises(TypeError, match="add: an operand is a number, an array or a tensor, not Fraction"):
                wrong()

    def test_float32_stays_with_python_numbers_and_not_with_numpy_scalars(self):
        x = leaf(np.ones(3, np.float32))
        assert (x * 2.0).dtype == np.float32
        assert (x * np.float64(2.0)).dtype == np.float64

    def test_complex_numbers_of_python(self):
        assert (1j * Tensor(2.0)).dtype == np.complex128
        assert (Tensor(2.0) * 1j).dtype == np.complex128
        assert (1j * leaf(np.ones(2, np.float32))).dtype == np.complex64

    def test_numbers_where_a_rule_asks_for_a_shape(self):
        assert np.insert(leaf([1.0, 2.0]), 0, 5.0).tolist() == [5.0, 1.0, 2.0]


class TestNumpyFunctions:
    def test_keywords_of_numpy(self):
        t = leaf([1.0, 2.0])
        assert np.pad(t, 1, constant_values=7.0).tolist() == [7.0, 1.0, 2.0, 7.0]
        assert np.clip(t, a_min=1.5, a_max=None).tolist() == [1.5, 2.0]
        assert np.sum(a=t, axis=0).item() == 3.0
        assert not np.astype(t, int).requires_grad
        assert np.astype(t, np.float32).requires_grad

    def test_functions_written_in_operations(self):
        t = leaf([[1.0, 2.0], [3.0, 4.0]])
        first, second = np.split(t, 2)
        (np.vstack([second, first]) * 2).sum().backward()
        assert t.grad.tolist() == [[2.0, 2.0]] * 2

    def test_norms(self):
        t = leaf(np.arange(8.0).reshape(2, 2, 2) + 1)
        for axis, keepdims in ((None, False), (None, True), (1, False), ((0, 2), True)):
            ours = np.linalg.vector_norm(t, axis=axis, keepdims=keepdims)
            assert ours.numpy() == pytest.approx(np.linalg.vector_norm(t.numpy(), axis=axis, keepdims=keepdims))
            assert ours.requires_grad
        assert np.linalg.matrix_norm(t).numpy() == pytest.approx(np.linalg.matrix_norm(t.numpy()))
        assert np.linalg.trace(t).numpy() == pytest.approx(np.linalg.trace(t.numpy()))
        assert np.linalg.diagonal(t).numpy() == pytest.approx(np.linalg.diagonal(t.numpy()))


class TestNothingIsDisconnected:
    @pytest.mark.parametrize("leave", [np.asarray, np.array, float, int, complex, math.exp])
    def test_leaving_the_graph_raises_and_names_the_ways(self, leave):
        with pytest.raises(TypeError, match=r"\.item\(\).*\.numpy\(\).*\.detach\(\)"):
            leave(leaf(1.0) * 2)
        with no_grad():
            leave(leaf(1.0) * 2)
        leave(Tensor(1.0))

    def test_assigning_into_an_array_raises(self):
        array = np.zeros(1)
        with pytest.raises(ValueError, match="element") as caught:  # NumPy's error, caused by ours
            array[0] = leaf(1.0) * 2
        assert ".detach()" in str(caught.value.__cause__)
        array[0] = Tensor(3.0)
        assert array.tolist() == [3.0]

    def test_the_ways(self):
        t = leaf([2.0]) * 2
        assert t.item() == 4.0
        assert t.numpy().tolist() == [4.0]
        assert not t.detach().requires_grad
        assert t.tolist() == [4.0]

    def test_a_function_without_a_rule_names_itself(self):
        t = leaf([1.0, 2.0])
        with pytest.raises(TypeError, match=r"np\.i0 has no gradient rule"):
            np.i0(t)
        with pytest.raises(TypeError, match=r"np\.ldexp has no gradient rule"):
            np.ldexp(t, 2)
        assert np.i0(t.detach()).shape == (2,)
        with no_grad():
            assert np.i0(t).shape == (2,)

    def test_predicates_always_run(self):
        t = leaf([1.0, np.nan])
        assert np.isnan(t).tolist() == [False, True]
        assert np.argmax(t) == 1
        assert not np.allclose(t, t)
        assert np.floor(t[0]) == 1.0
        assert np.shape(t) == (2,)
        assert (np.greater(t, 0)).tolist() == [True, False]
        assert (t.argmax(), t.argsort().tolist()) == (1, [0, 1])

    def test_arguments_that_tensors_do_not_support(self):
        t = leaf([1.0, 2.0])
        with pytest.raises(TypeError, match=r"np\.sum: dtype="):
            np.sum(t, dtype=np.float32)
        with pytest.raises(TypeError, match="out="):
            np.add(t, 1.0, out=t)
        array = np.zeros(2)
        with pytest.raises(TypeError, match="out="):
            array += t
        with pytest.raises(TypeError, match="where="):
            np.add(t, 1.0, where=[True, False])

    def test_a_constant_argument_that_needs_a_gradient_is_refused(self):
        pick = autograd.operation(lambda x, scale: x * scale, name="pick", x=lambda g, scale: g * scale)
        with pytest.raises(TypeError, match="pick has no gradient with respect to 'scale'"):
            pick(leaf(1.0), leaf(2.0))

    def test_ufunc_methods(self):
        t = leaf([[1.0, 2.0], [3.0, 4.0]])
        assert np.add.reduce(t).tolist() == [4.0, 6.0]
        assert np.multiply.reduce(t, axis=1).tolist() == [2.0, 12.0]
        assert np.add.accumulate(t, axis=1).tolist() == [[1.0, 3.0], [3.0, 7.0]]
        outer = np.multiply.outer(t[0], t[1])
        assert outer.tolist() == [[3.0, 4.0], [6.0, 8.0]]
        assert outer.requires_grad


class TestInPlace:
    def test_it_is_differentiable_and_rebinds_that_tensor_only(self):
        x = leaf([1.0, 2.0])
        h = x * 2
        alias, view = h.detach(), h[:1]
        same = h
        h += x
        h *= 3.0
        assert same is h
        assert h.tolist() == [9.0, 18.0]
        assert (alias.tolist(), view.tolist()) == ([2.0, 4.0], [2.0])
        h.sum().backward()
        assert x.grad.tolist() == [9.0, 9.0]

    def test_what_an_earlier_rule_reads_stays(self):
        x = leaf([1.0, 2.0])
        h = x * 2
        y = h * h
        h += 100.0
        y.sum().backward()
        assert x.grad.tolist() == [8.0, 16.0]

    @pytest.mark.parametrize("change", [lambda t: t.__iadd__(leaf([1.0, 1.0])), lambda t: t.__setitem__(0, 5.0)])
    def test_a_leaf_that_needs_a_gradient_refuses_while_recording(self, change):
        x = leaf([1.0, 2.0], name="w")
        with pytest.raises(RuntimeError, match="'w', a leaf"):
            change(x)
        with no_grad():
            change(x)
        assert x.is_leaf
        assert x.requires_grad

    def test_under_no_grad_a_result_keeps_its_history(self):
        x = leaf([1.0, 2.0])
        h = x * 2
        with no_grad():
            h += 100.0
            h[0] = 7.0
        (h * h).sum().backward()
        assert h.tolist() == [7.0, 104.0]
        assert x.grad.tolist() == [28.0, 416.0]

    def test_names_stay(self):
        t = Tensor([1.0, 2.0], name="t")
        t += leaf([1.0, 1.0])
        assert t.name == "t"
        assert t.requires_grad

    def test_dtype_and_shape_stay(self):
        t = Tensor(np.ones(2, np.float32))
        t += np.ones(2)
        assert t.dtype == np.float32
        with pytest.raises(ValueError, match="shape"):
            t += np.ones((3, 2))
        n = Tensor([1, 2])
        with pytest.raises(TypeError, match="cast"):
            n += 0.5

    def test_all_operators(self):
        t = Tensor(8.0)
        t -= 2
        t *= 3
        t /= 2
        t **= 2
        t %= 7
        assert t.item() == 81.0 % 7
        m = Tensor(np.eye(2))
        m @= np.full((2, 2), 2.0)
        assert m.tolist() == [[2.0, 2.0], [2.0, 2.0]]

    def test_setitem_writes_in_place_where_nothing_else_can_see_it(self):
        t = autograd.zeros(1000)
        where = t.data.__array_interface__["data"]
        for i in range(10):
            t[i] = i
        assert t.data.__array_interface__["data"] == where
        view = t[:3]
        t[0] = 100.0
        assert view.tolist() == [0.0, 1.0, 2.0]
        assert t.data.__array_interface__["data"] != where

    def test_a_step_under_no_grad_overwrites_what_nothing_else_sees(self):
        w = leaf(np.ones(1000))
        (w * w).sum().backward()
        where = w.data.__array_interface__["data"]
        with no_grad():
            w -= 0.5 * w.grad
        assert w.data.__array_interface__["data"] == where
        assert w.tolist() == [0.0] * 1000
        y = (w * w).sum()  # its graph reads the array
        with no_grad():
            w += 1.0
        assert w.data.__array_interface__["data"] != where
        w.zero_grad()
        y.backward()
        assert w.grad.tolist() == [0.0] * 1000

    def test_data_changed_in_place_fools_as_documented_but_not_silently_through_the_setter(self):
        x = leaf(np.ones(2))
        x.data = np.zeros(2)
        assert (x * 1).tolist() == [0.0, 0.0]
        h = x * 2
        with pytest.raises(ValueError, match="data of a result"):
            h.data = np.zeros(3)


class TestCopies:
    def test_leaves_copy_and_pickle(self):
        x = leaf([1.0, 2.0], name="w")
        x.grad = [5.0, 5.0]
        for made in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
            assert made.tolist() == [1.0, 2.0]
            assert made.requires_grad
            assert made.name == "w"
            assert not np.shares_memory(made.data, x.data)
        assert copy.deepcopy(x).grad.tolist() == [5.0, 5.0]
        shared = {"a": x, "b": x}
        twin = copy.deepcopy(shared)
        assert twin["a"] is twin["b"]
        assert pickle.loads(pickle.dumps(Tensor(2.0))).item() == 2.0

    @pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_a_history_is_refused(self, way):
        with pytest.raises(RuntimeError, match=r"multiply.*detach\(\)"):
            way(leaf(1.0) * 2)

    def test_a_deep_copy_has_a_gradient_of_its_own(self):
        x = leaf([1.0, 2.0])
        x.grad = [3.0, 4.0]
        twin = copy.deepcopy(x)
        twin.grad.data *= 0.0
        assert x.grad.tolist() == [3.0, 4.0]

    def test_a_tensor_of_a_tensor_with_history_is_refused(self):
        with pytest.raises(TypeError, match=r"Tensor\(\) of a tensor .* lose its gradient"):
            Tensor(leaf([1.0]) * 2)
        assert Tensor((leaf([1.0]) * 2).detach()).tolist() == [2.0]

    def test_clone_is_differentiable_and_shares_nothing(self):
        x = leaf([1.0, 2.0])
        y = x.clone()
        assert not np.shares_memory(x.data, y.data)
        (y * 3).sum().backward()
        assert x.grad.tolist() == [3.0, 3.0]

    def test_astype(self):
        x = leaf(np.ones(2, np.float32))
        x.astype(np.float64).sum().backward()
        assert x.grad.dtype == np.float32
        assert not x.astype(int).requires_grad


class TestOtherWords:
    """What users of PyTorch type."""

    @pytest.mark.parametrize("word", IN_NUMPY)
    def test_numpys_are_named(self, word):
        with pytest.raises(AttributeError, match=f"no attribute '{word}': in NumPy's words, "):
            getattr(leaf([1.0]), word)
        assert not hasattr(leaf([1.0]), word)
        assert word not in dir(leaf([1.0]))

    def test_those_that_neither_has_are_said_alone(self):
        with pytest.raises(AttributeError, match=r"^'Tensor' object has no attribute 'nothing'$"):
            leaf([1.0]).nothing  # noqa: B018
        assert not hasattr(Tensor(1.0), "__array_interface__")

    def test_axes_of_flatten(self):
        assert Tensor(np.ones((2, 3))).flatten().shape == (6,)
        with pytest.raises(TypeError, match=r"t\.reshape\(len\(t\), -1\)"):
            Tensor(np.ones((2, 3))).flatten(1)

    def test_round(self):
        assert round(Tensor(2.0 / 3), 2) == 0.67
        assert round(Tensor(2.0 / 3)) == 1
        with pytest.raises(TypeError, match=r"round\(\).*item\(\)"):
            round(leaf(2.0) * 1, 2)


@pytest.mark.parametrize("data", [None, [1, None], "3.5", ["1", "2"], np.array([1, None])])
@pytest.mark.parametrize("dtype", [None, float, np.float32])
def test_what_is_no_number_does_not_become_one(data, dtype):
    with pytest.raises(TypeError, match="a tensor holds numbers"):
        Tensor(data, dtype=dtype)


def test_a_span_of_time_is_no_operand():
    with pytest.raises(TypeError, match="an operand is a number"):
        Tensor([1, 2]) + np.timedelta64(1, "D")


def test_other_numbers_become_floats_where_that_is_asked_for():
    assert Tensor([Fraction(1, 4)], dtype=np.float64).tolist() == [0.25]
    assert Tensor([2**70], dtype=np.float64).tolist() == [2.0**70]
    with pytest.raises(OverflowError):
        Tensor([300], dtype=np.uint8)


def test_plus_makes_another_tensor():
    h = leaf([1.0, 2.0]) * 1.0
    y = +h
    y += 10.0
    y[0] = 7.0
    assert h.tolist() == [1.0, 2.0]
    x = leaf([1.0, 2.0])
    h = x * 1.0
    y = +h
    y += 10.0
    (h * h).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]
