"""Functions of functions, and `gradients`."""

from __future__ import annotations

import gc
import math
import weakref
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, functional, no_grad, ops
from autograd.functional import (
    elementwise_grad,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)


class Affine(NamedTuple):
    weight: object
    bias: object


def leaf(value, **kwargs):
    return Tensor(value, requires_grad=True, **kwargs)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def wave(x):
    return np.sin(x) * x


W, X = normal(4, 3), normal(3, seed=1)


def layer(w, x):
    return np.tanh(w @ x)


def energy(w, x):
    return (np.tanh(w @ x) ** 2).sum() * x[0]


class TestGradients:
    def test_of_leaves_and_results_without_touching_grad(self):
        x, y = leaf(3.0), leaf(2.0)
        z = x * y
        out = z * z
        assert [g.item() for g in gradients(out, [x, z, y], retain_graph=True)] == [24.0, 12.0, 36.0]
        assert gradients(out, z).item() == 12.0
        assert x.grad is None
        assert y.grad is None

    def test_a_tensor_for_a_tensor_and_a_list_for_a_sequence(self):
        x = leaf(3.0)
        assert isinstance(gradients(x * x, x), Tensor)
        assert isinstance(gradients(x * x, (x,)), list)

    def test_what_lies_beyond_a_result_is_not_released(self):
        x = leaf(3.0)
        y = x * x
        w = leaf(2.0)
        assert gradients(y * y, y).item() == 18.0
        assert gradients(y * w, [y, w]) == [2.0, 9.0]
        assert gradients(y, x).item() == 6.0

    def test_several_outputs_add_up(self):
        x = leaf([1.0, 2.0])
        found = gradients([x * x, (x * 3).sum()], x, [np.array([1.0, 10.0]), None])
        assert found.numpy().tolist() == [5.0, 43.0]

    def test_zeros_where_nothing_depends(self):
        x, y = leaf([1.0, 2.0]), leaf(np.ones((2, 2), np.float32))
        found = gradients((x * x).sum(), [y, x])
        assert found[0].numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert found[0].dtype == np.float32
        assert gradients((x * x).sum(), [y, x], create_graph=True)[0].numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]

    def test_an_input_that_is_the_output(self):
        x = leaf(3.0)
        y = x * x
        assert gradients(y, [y, x, y]) == [1.0, 6.0, 1.0]
        assert gradients(x, x).item() == 1.0

    def test_each_result_is_its_own_array(self):
        x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        seed = np.ones(2)
        for create_graph in (False, True):
            a, b, c = gradients(x + y, [x, y, x], autograd.from_numpy(seed), create_graph=create_graph)
            with no_grad():
                a += 1.0
                b *= 3.0
            assert (a.tolist(), b.tolist(), c.tolist(), seed.tolist()) == ([2.0] * 2, [3.0] * 2, [1.0] * 2, [1.0] * 2)

    def test_create_graph_to_any_order(self):
        x = leaf(2.0)
        y = x**5
        for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
            y = gradients(y, x, create_graph=True)
            assert y.item() == pytest.approx(expected)

    def test_retain_graph(self):
        x = leaf(2.0)
        y = x * x
        assert gradients(y, x, retain_graph=True).item() == 4.0
        assert gradients(y, x).item() == 4.0
        with pytest.raises(RuntimeError, match="retain_graph=True"):
            gradients(y, x)

    def test_under_no_grad(self):
        x = leaf(2.0)
        y = x * x * x
        with no_grad():
            first = gradients(y, x, create_graph=True)
            assert first.requires_grad
            assert gradients(first, x).item() == 12.0

    def test_complex_gradients_are_those_that_backward_gives(self):
        z = leaf([1.0 + 2.0j, 0.5 - 1.0j])
        out = (z * z * (2 - 1j)).imag.sum()
        found = gradients(out, z, retain_graph=True)
        out.backward()
        close(found.numpy(), z.grad.numpy())
        close(found.numpy(), (1j * 2 * z.data.conj() * (2 + 1j)))

    def test_a_contribution_to_a_number_from_each_of_many_uses(self):
        x = leaf(1.5)
        array = np.array([1.0, 2.0])
        out = (x * array + x * array + x * array + x * array).sum()
        assert gradients(out, x).item() == 12.0

    def test_errors_name_what_is_wrong(self):
        x, c = leaf([1.0, 2.0]), Tensor(1.0, name="c")
        out = (x * c).sum()
        with pytest.raises(RuntimeError, match="input 1, 'c', needs no gradient"):
            gradients(out, [x, c])
        with pytest.raises(RuntimeError, match="needs no gradient"):
            gradients(c, x)
        with pytest.raises(ValueError, match="only a tensor of one element"):
            gradients(x * c, x)
        with pytest.raises(ValueError, match=r"the gradient has shape \(3,\), not \(2,\)"):
            gradients(x * c, x, np.ones(3))
        with pytest.raises(ValueError, match="1 gradients for 2 outputs"):
            gradients([x, x], x, [np.ones(2)])
        with pytest.raises(TypeError, match="an input is a tensor, not ndarray"):
            gradients(out, [np.ones(2)])
        assert gradients(out, x).tolist() == [1.0, 1.0]


class TestGrad:
    def test_of_numbers_to_any_order(self):
        f = wave
        expected = [
            math.sin(1),
            math.sin(1) + math.cos(1),
            2 * math.cos(1) - math.sin(1),
            -3 * math.sin(1) - math.cos(1),
        ]
        for value in expected:
            assert float(f(1.0)) == pytest.approx(value, rel=1e-12)
            f = grad(f)

    def test_what_goes_in_comes_out(self):
        square = grad(lambda x: (x * x).sum())
        number = square(3.0)
        array = square(np.array([1.0, 2.0]))
        tensor = square(Tensor([1.0, 2.0]))
        assert (type(number), number) == (np.float64, 6.0)
        assert (type(array), array.tolist()) == (np.ndarray, [2.0, 4.0])
        assert (type(tensor), tensor.tolist(), tensor.requires_grad) == (Tensor, [2.0, 4.0], False)
        assert square(np.ones(2, np.float32)).dtype == np.float32
        assert square(np.ones((0, 2))).shape == (0, 2)

    def test_results_are_the_callers_own(self):
        x = np.array([1.0, 2.0])
        g = grad(lambda x: x.sum())(x)
        g += 1.0
        assert x.tolist() == [1.0, 2.0]

    def test_structures(self):
        model = OrderedDict(b=[1.0, (np.array([2.0]),)], a=Affine(Tensor(3.0), None))

        def f(model):
            return model["b"][0] * model["b"][1][0].sum() * model["a"].weight

        value, found = value_and_grad(f)(model)
        assert type(found) is OrderedDict
        assert list(found) == ["b", "a"]
        assert found["b"][0] == 6.0
        assert found["b"][1][0].tolist() == [3.0]
        assert type(found["a"]) is Affine
        assert type(found["a"].weight) is Tensor
        assert found["a"].weight.item() == 2.0
        assert found["a"].bias is None
        assert value.item() == 6.0

    def test_argnum(self):
        def f(x, y, scale=1.0):
            return x * y * y * scale

        assert grad(f, 1)(2.0, 3.0) == 12.0
        assert grad(f, -1)(2.0, 3.0) == 12.0
        assert grad(f, (1, 0))(2.0, 3.0, scale=2.0) == (24.0, 18.0)
        assert grad(f, (0,))(2.0, 3) == (9.0,)

    def test_arguments_that_are_not_differentiated_in_pass_through(self):
        seen = []

        def f(x, *rest, **options):
            seen.append((rest, options))
            return x * rest[0]

        assert grad(f)(2.0, 3, "text", None, flag=True) == 3.0
        assert seen == [((3, "text", None), {"flag": True})]

    def test_zeros_where_nothing_depends(self):
        assert grad(lambda x, y: x, 1)(2.0, np.ones(3)).tolist() == [0.0, 0.0, 0.0]
        assert grad(lambda x: 5.0)(2.0) == 0.0
        assert grad(lambda x: Tensor(5.0))(np.ones(2)).tolist() == [0.0, 0.0]
        assert hessian(lambda x: x.sum())(np.ones(2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert jacobian(lambda x: np.array([1.0, 2.0]))(np.ones(3)).tolist() == [[0.0] * 3] * 2

    def test_in_place_changes_stay_inside(self):
        def f(x):
            x[0] = 3.0
            x += 1.0
            return (x * x).sum()

        x = np.array([1.0, 2.0])
        assert grad(f)(x).tolist() == [0.0, 6.0]
        assert x.tolist() == [1.0, 2.0]

    def test_under_no_grad(self):
        with no_grad():
            assert grad(grad(lambda x: x**3))(2.0) == pytest.approx(12.0)
            found = grad(lambda x: x**3)(leaf(2.0))
        assert (found.item(), found.requires_grad) == (12.0, False)

    def test_elementwise(self):
        x = normal(2, 3)
        close(elementwise_grad(np.tanh)(x), 1 - np.tanh(x) ** 2)
        close(elementwise_grad(elementwise_grad(np.sin))(x), -np.sin(x))

    def test_it_minimises_in_scipy(self):
        optimize = pytest.importorskip("scipy.optimize")
        f = value_and_grad(lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)
        value, gradient = f(np.array([-1.2, 1.0]))
        assert isinstance(value, float)
        assert (type(gradient), gradient.dtype) == (np.ndarray, np.float64)
        found = optimize.minimize(f, np.array([-1.2, 1.0]), jac=True)
        assert found.success
        np.testing.assert_allclose(found.x, [1.0, 1.0], atol=1e-5)

    def test_names(self):
        assert grad(wave).__name__ == "grad(wave)"
        assert hessian(wave).__name__ == "hessian(wave)"

    def test_complex_arguments(self):
        z = np.array([1.0 + 2.0j, -1.0 + 0.5j])
        close(grad(lambda z: (z * z.conj()).real.sum())(z), 2 * z)

    def test_integers_are_refused(self):
        with pytest.raises(TypeError, match=r"differentiated in floats, not 2: write 2\.0"):
            grad(wave)(2)
        with pytest.raises(TypeError, match=r"not ndarray of int64: write 2\.0"):
            jacobian(wave)(np.arange(3))
        with pytest.raises(TypeError, match=r"not a tensor of int64: write 2\.0"):
            grad(wave)(Tensor([1, 2]))
        with pytest.raises(TypeError, match="not 'text'"):
            grad(wave)({"a": 1.0, "b": "text"})

    def test_results_that_are_not_one_number_are_refused(self):
        with pytest.raises(
            ValueError, match=r"grad: wave returned shape \(2,\), not one number.*jacobian.*elementwise_grad"
        ):
            grad(wave)(np.ones(2))
        with pytest.raises(TypeError, match="returned a tuple, not one number"):
            value_and_grad(lambda x: (x, x))(2.0)
        with pytest.raises(TypeError, match="returned a NoneType"):
            grad(lambda x: None)(2.0)
        with pytest.raises(TypeError, match="returned complex numbers"):
            grad(lambda x: x * 1j)(2.0)

    def test_argnum_out_of_range(self):
        with pytest.raises(TypeError, match="argnum is 1, but wave was given 1 positional"):
            grad(wave, 1)(2.0)
        with pytest.raises(TypeError, match="argnum is 0, but wave was given 0 positional"):
            grad(wave)(x=2.0)

    @pytest.mark.parametrize("derivative", [grad, value_and_grad, elementwise_grad, jacobian, hessian, hvp])
    def test_what_belongs_to_the_function_that_is_returned(self, derivative):
        x, name = leaf([1.0, 2.0]), derivative.__name__
        with pytest.raises(TypeError, match=rf"{name} takes a function .* is Tensor.* gradients\(outputs, inputs\)"):
            derivative(x.sum(), x)
        with pytest.raises(TypeError, match=rf"not Tensor: write {name}\(f\)\(x\)"):
            derivative(wave, x)
        with pytest.raises(TypeError, match="not ndarray"):
            derivative(wave, (0, np.ones(2)))


@pytest.mark.parametrize("twice", [(0, 0), (0, -2), (1, 0, 1)])
def test_an_argument_is_chosen_once(twice):
    for derivative in (grad, jacobian, autograd.value_and_grad, autograd.hessian):
        with pytest.raises(ValueError, match="argnum names an argument twice"):
            derivative(lambda x, y: x * y, twice)(2.0, 3.0)


def test_what_a_call_recorded_is_freed_without_the_collector():
    made = []

    def f(x):
        hidden = np.exp(x)
        made.append(weakref.ref(hidden.data))
        return (hidden * hidden).sum()

    x = np.ones(3)
    gc.disable()
    try:
        for run in (
            grad(f),
            jacobian(f),
            hessian(f),
            lambda x: hvp(f)(x, x),
            lambda x: jvp(f, (x,), (x,)),
            grad(lambda x: grad(f)(x).sum()),
        ):
            run(x)
        pulled = vjp(f, x)[1](1.0)
        assert pulled.shape == (3,)
        assert [array() for array in made] == [None] * len(made)
    finally:
        gc.enable()


class TestNesting:
    def test_the_inner_argument_is_the_outer_one(self):
        assert grad(lambda x: x * grad(lambda y: x * y**2)(x))(3.0) == pytest.approx(54.0)

    def test_the_inner_function_reaches_the_outer_argument_by_itself(self):
        assert grad(lambda x: grad(lambda y: x * y**2)(3.0))(2.0) == pytest.approx(6.0)
        assert grad(lambda x: grad(lambda y: x + y)(1.0))(2.0) == 0.0

    def test_inner_and_outer_variables_are_not_confused(self):
        assert grad(lambda x: x * grad(lambda y: x + y)(2.0))(1.0) == 1.0

    def test_inner_results_that_depend_on_nothing_outer_are_plain(self):
        def f(x):
            inner = grad(lambda y: y * y)(2.0)
            assert type(inner) is np.float64
            return x * math.exp(inner)

        assert grad(f)(1.0) == math.exp(4.0)

    @pytest.mark.parametrize(
        "inner",
        [
            lambda s: grad(lambda y: (np.sin(s * y) * y).sum())(np.array([0.3, 0.4])).sum(),
            lambda s: elementwise_grad(lambda y: np.sin(s * y) * y)(np.array([0.3, 0.4])).sum(),
            lambda s: jacobian(lambda y: np.sin(s * y) * y)(np.array([0.3, 0.4])).sum(),
            lambda s: hessian(lambda y: (np.sin(s * y) * y).sum())(np.array([0.3, 0.4])).sum(),
            lambda s: hvp(lambda y: (np.sin(s * y) * y).sum())(np.array([0.3, 0.4]), np.ones(2)).sum(),
            lambda s: hvp(lambda y: y**3)(0.7, s),
            lambda s: vjp(lambda y: np.sin(s * y) * y, np.array([0.3, 0.4]))[1](np.ones(2)).sum(),
            lambda s: vjp(np.sin, 0.3)[1](s),
            lambda s: jvp(lambda y: np.sin(s * y), (0.7,), (s,))[1],
            lambda s: jvp(np.sin, (s,), (2.0,))[1],
            lambda s: value_and_grad(lambda y: s * y**3)(2.0)[0],
        ],
    )
    def test_every_transform_inside_grad(self, inner):
        eps = 1e-6
        difference = (float(inner(1.3 + eps)) - float(inner(1.3 - eps))) / (2 * eps)
        assert float(grad(inner)(1.3)) == pytest.approx(difference, rel=1e-6)

    def test_tensors_with_a_history_stay_connected(self):
        x = leaf([1.0, 2.0])
        found = grad(lambda y: (y**3).sum())(x)
        found.sum().backward()
        close(x.grad.numpy(), 6 * x.data)

    def test_a_parameter_in_the_function_does_not_make_results_tensors(self):
        w = leaf(3.0)
        found = grad(lambda x: w * x * x)(2.0)
        assert (type(found), found) == (np.float64, 12.0)
        assert w.grad is None

    def test_no_grad_inside_stops_the_outer_derivative(self):
        def f(x):
            with no_grad():
                constant = grad(lambda y: y**2)(x)
            return x * constant

        assert grad(f)(3.0) == 6.0


class TestJacobianAndHessian:
    def test_shapes(self):
        assert jacobian(layer)(W, X).shape == (4, 4, 3)
        assert jacobian(wave)(2.0).shape == ()
        assert jacobian(lambda x: x.sum())(X).shape == (3,)
        assert jacobian(lambda x: x * X)(2.0).shape == (3,)
        assert jacobian(lambda x: x[:0])(X).shape == (0, 3)
        assert hessian(energy)(W, X).shape == (4, 3, 4, 3)

    def test_structures_of_structures(self):
        found = jacobian(lambda p: {"sum": p["a"] + p["b"], "parts": (p["a"] * 2, 5.0)})({"a": 1.0, "b": 2.0})
        assert found == {"sum": {"a": 1.0, "b": 1.0}, "parts": ({"a": 2.0, "b": 0.0}, {"a": 0.0, "b": 0.0})}
        blocks = hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 3.0, "b": 5.0})
        assert blocks["a"]["a"] == pytest.approx(10.0)
        assert blocks["a"]["b"] == blocks["b"]["a"] == pytest.approx(6.0)
        assert blocks["b"]["b"] == 0.0

    @pytest.mark.parametrize("most", [1, 30, 1 << 22])
    def test_however_many_rows_go_at_once(self, monkeypatch, most):
        monkeypatch.setattr(functional, "MOST_AT_ONCE", most)
        slope = 1 - np.tanh(W @ X) ** 2
        close(jacobian(layer, 1)(W, X), slope[:, None] * W)
        first, second = jacobian(layer, (0, 1))(W, X)
        close(first, slope[:, None, None] * np.eye(4)[:, :, None] * X)
        close(second, slope[:, None] * W)
        close(jacobian(lambda x: np.stack([x, x[::-1]]))(X), np.stack([np.eye(3), np.eye(3)[::-1]]))
        assert not jacobian(lambda x: np.stack([X, X]))(X).any()

    def test_a_net_of_all_kinds_of_rules(self):
        images, kernels = normal(1, 2, 6, 6), normal(3, 2, 3, 3, seed=4)

        def net(w):
            y = ops.max_pool(ops.relu(ops.convolution(images, w, padding=1)), 2)
            y = ops.normalize(y, axes=(0, 2, 3)).out
            return ops.softmax(y.reshape(3, -1)[[0, 2, 0]]) @ y.reshape(-1)[5:14]

        found, pulled = jacobian(net)(kernels), vjp(net, kernels)[1]
        assert found.shape == (3, 3, 2, 3, 3)
        close(found, [pulled(row) for row in np.eye(3)])

    def test_rules_that_write_into_arrays_of_their_own(self):
        def into(g, x):
            found = 2 * x
            found *= g
            return found

        def added(g, x):
            found = np.zeros_like(x)
            found += g
            return found * 2 * x

        def at(g, x):
            found = np.zeros_like(x)
            np.add.at(found, np.arange(x.size), g)
            return found * 2 * x

        def copied(g, x):
            found = np.empty_like(x)
            np.copyto(found, g)
            return found * 2 * x

        for rule in (into, added, at, copied, lambda g, x: np.multiply(g, 2 * x, out=np.empty_like(x))):
            square = autograd.operation(lambda x: x * x, name="square", x=rule)
            close(jacobian(square)(X), np.diag(2 * X))

    def test_hooks_see_one_gradient_at_a_time(self):
        seen = []

        def f(x):
            y = x * 2.0
            y.register_hook(lambda g: seen.append(g.shape))
            return y * y

        close(jacobian(f)(X), np.diag(8 * X))
        assert seen == [(3,)] * 3

    def test_anomaly_mode_names_the_operation(self):
        with (
            autograd.anomaly_mode(),
            pytest.raises(ArithmeticError, match="gradient of sqrt"),
            np.errstate(all="ignore"),
        ):
            jacobian(np.sqrt)(np.array([1.0, 0.0]))

    def test_the_hessian_is_symmetric(self):
        h = hessian(energy)(W, X).reshape(12, 12)
        close(h, h.T)

    def test_products_are_those_with_the_whole_matrix(self):
        v, u = normal(3, seed=2), normal(4, seed=3)
        j = jacobian(layer, 1)(W, X)
        value, along = jvp(lambda x: layer(W, x), (X,), (v,))
        close(value, np.tanh(W @ X))
        close(along, j @ v)
        close(vjp(lambda x: layer(W, x), X)[1](u), u @ j)
        close(hvp(energy, 1)(W, X, v), hessian(energy, 1)(W, X) @ v)

    def test_vjp_pulls_any_number_of_times(self):
        value, pull = vjp(lambda x, y: {"product": x * y, "sum": x + y}, 2.0, 3.0)
        assert value == {"product": 6.0, "sum": 5.0}
        assert pull({"product": 1.0, "sum": 10.0}) == (13.0, 12.0)
        assert pull({"product": 0.0, "sum": 1.0}) == (1.0, 1.0)

    def test_jvp_of_structures_and_of_what_does_not_depend(self):
        value, along = jvp(lambda p, x: (p["w"] * x, 7.0), ({"w": 2.0}, 3.0), ({"w": 1.0}, 10.0))
        assert (value, along) == ((6.0, 7.0), (23.0, 0.0))

    def test_complex_products(self):
        z, v = np.array([1.0 + 2.0j]), np.array([0.5 - 1.0j])
        close(jvp(lambda z: z * z * 1j, (z,), (v,))[1], 2j * z * v)

    def test_hvp_does_not_form_the_matrix(self):
        x = normal(50_000)
        close(hvp(lambda x: (x**3).sum())(x, np.ones_like(x)), 6 * x)

    def test_vectors_that_do_not_fit_are_refused(self):
        with pytest.raises(ValueError, match=r"hvp: the vector has shape \(2,\) where energy has \(3,\)"):
            hvp(energy, 1)(W, X, np.ones(2))
        with pytest.raises(ValueError, match="jvp: the tangent has 1 parts where layer has 2"):
            jvp(layer, (W, X), (W,))
        with pytest.raises(ValueError, match=r"vjp: the gradient has shape \(3,\) where layer has \(4,\)"):
            vjp(layer, W, X)[1](np.ones(3))
        with pytest.raises(TypeError, match="are tuples"):
            jvp(wave, 2.0, 1.0)
        with pytest.raises(TypeError, match="the last argument is the vector"):
            hvp(wave)()
        with pytest.raises(TypeError, match="returned complex numbers"):
            jacobian(lambda x: x * 1j)(X)


def test_the_jacobian_of_nothing_is_empty():
    assert jacobian(lambda x: x * 2)(np.zeros((0, 2))).shape == (0, 2, 0, 2)


def test_a_function_that_reaches_its_tensor_by_another_way_is_refused():
    layer = nn.Linear(3, 2)
    x, w = np.ones((4, 3), np.float32), layer.weight
    for derivative in (grad, autograd.value_and_grad, jacobian, autograd.hessian):
        with pytest.raises(ValueError, match="reached by another way"):
            derivative(lambda w: (layer(x) ** 2).sum())(w)
    assert grad(lambda w: (layer(x) ** 2).sum() * 0 + (w * w).sum())(w).numpy() == pytest.approx(2 * w.numpy())
    assert not grad(lambda w: (layer.bias**2).sum())(w).numpy().any()
    assert grad(lambda x: x * grad(lambda y: x)(1.0))(2.0) == 0.0
    with pytest.raises(TypeError, match=r"hvp\(f\)\(x, v\)"):
        autograd.hvp(lambda x: (x * x).sum())(np.ones(2))


def test_a_gradient_without_a_graph_says_how_it_gets_one():
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="create_graph=True"):
        gradients(gradients(x**3, x), x)
