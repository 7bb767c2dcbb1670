"""Normalisation against its definition written out in loops, and what is refused."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from autograd import Tensor, no_grad, ops
from autograd.functional import gradients
from autograd.kernels import rows
from autograd.ops import normalization
from autograd.ops.normalization import recorded_rule
from tests.cases import normal
from tests.cases.normalization import GIVEN


@pytest.fixture(autouse=True, params=[True, False], ids=["by rows", "as sizes have it"])
def _ways(request, monkeypatch):
    """Take the rows of the smallest arrays the way of large ones too."""
    if request.param:
        monkeypatch.setattr(rows, "LEAST", 0)


def plain_normalize(x, weight, bias, axes, eps):
    """Normalise each slice of `x` over the axes by itself, a number at a time."""
    axes = [axis % x.ndim for axis in (axes if isinstance(axes, tuple) else (axes,))]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    weight = np.ones(x.shape) if weight is None else np.broadcast_to(weight, x.shape)
    bias = np.zeros(x.shape) if bias is None else np.broadcast_to(bias, x.shape)
    groups: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for at in np.ndindex(*x.shape):
        groups.setdefault(tuple(at[axis] for axis in kept), []).append(at)
    shape = tuple(x.shape[axis] for axis in kept)
    out, means, variances = np.zeros(x.shape), np.zeros(shape), np.zeros(shape)
    for key, places in groups.items():
        mean = sum(float(x[at]) for at in places) / len(places)
        variance = sum((float(x[at]) - mean) ** 2 for at in places) / len(places)
        means[key], variances[key] = mean, variance
        for at in places:
            out[at] = (x[at] - mean) / math.sqrt(variance + eps) * weight[at] + bias[at]
    return out, means, variances


def arrays(x, weight, bias):
    shapes = ((x, 1), (weight, 2), (bias, 3))
    return [None if shape is None else normal(*shape, seed=seed) for shape, seed in shapes]


@pytest.mark.parametrize(("x", "weight", "bias", "axes"), GIVEN)
def test_normalize_is_its_definition(x, weight, bias, axes):
    x, weight, bias = arrays(x, weight, bias)
    expected = plain_normalize(x, weight, bias, axes, 1e-3)
    if x.size == 0:
        assert ops.normalize(x, weight, bias, axes, 1e-3).out.shape == x.shape
        return
    for ours, theirs in zip(ops.normalize(x, weight, bias, axes, 1e-3), expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("x", "weight", "bias", "axes"), [given for given in GIVEN if 0 not in given[0]])
def test_the_joint_rule_equals_its_recorded_form_and_the_table(x, weight, bias, axes):
    given = arrays(x, weight, bias)
    inputs = [None if array is None else Tensor(array, requires_grad=True) for array in given]
    needed = [tensor for tensor in inputs if tensor is not None]
    g = Tensor(normal(*x, seed=4))
    joint = gradients(ops.normalize(*inputs, axes=axes, eps=1e-3).out, needed, g)
    recorded = gradients(ops.normalize(*inputs, axes=axes, eps=1e-3).out, needed, g, create_graph=True)
    of_x, of_weight, of_bias = inputs
    centered = of_x - of_x.mean(axis=axes, keepdims=True)
    composed = centered / np.sqrt((centered * centered).mean(axis=axes, keepdims=True) + 1e-3)
    composed = composed if of_weight is None else composed * of_weight
    composed = composed if of_bias is None else composed + of_bias
    through_table = gradients(composed, needed, g)
    for one, two, three in zip(joint, recorded, through_table, strict=True):
        np.testing.assert_allclose(one.numpy(), two.detach().numpy(), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(one.numpy(), three.numpy(), rtol=1e-9, atol=1e-11)


ALONG = [((5, 3), (0,), 1), ((5, 3), (1,), 1), ((5, 3), (1,), 0), ((4, 3, 5), (0, 2), 1), ((4, 3, 5), (1, 2), 0)]


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
@pytest.mark.parametrize(("has_weight", "has_bias"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("shape", "axes", "along"), [*ALONG, ((2, 3, 2, 4), (0, 2, 3), 1), ((2, 3, 2, 4), (1, 3), 1)])
def test_vectors_along_an_axis_are_weights_of_its_shape(shape, axes, along, has_weight, has_bias, last):
    x = normal(*shape, seed=1)
    if last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, along, -1)), -1, along)
    vectors = [normal(shape[along], seed=2) if has_weight else None, normal(shape[along], seed=3) if has_bias else None]
    wide = (shape[along], *(1,) * (len(shape) - 1 - along))

    def by_vectors(x, *vectors):
        return ops.normalize(x, *vectors, axes=axes, along=along).out

    def by_shape(x, *vectors):
        return ops.normalize(x, *(None if v is None else v.reshape(wide) for v in vectors), axes=axes).out

    g, found = Tensor(normal(*shape, seed=4)), []
    for function in (by_vectors, by_shape):
        inputs = [None if a is None else Tensor(a, requires_grad=True) for a in (x, *vectors)]
        needed = [tensor for tensor in inputs if tensor is not None]
        first = gradients(out := function(*inputs), needed, g)
        recorded = gradients(function(*inputs), needed, g, create_graph=True)
        second = gradients(sum((f * f).sum() for f in recorded), needed)
        found.append([out, *first, *recorded, *second])
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_second_derivatives_equal_those_of_the_table():
    x, weight = (Tensor(a, requires_grad=True) for a in (normal(4, 3, 2, seed=1), normal(3, 1, seed=2)))
    axes = (0, 2)

    def by_table(x, weight):
        centered = x - x.mean(axis=axes, keepdims=True)
        return centered / np.sqrt((centered * centered).mean(axis=axes, keepdims=True) + 1e-5) * weight

    found = []
    for function in (lambda *given: ops.normalize(*given, axes=axes).out, by_table):
        first = gradients((function(x, weight) ** 3).sum(), [x, weight], create_graph=True)
        found.append(gradients(sum((f * f).sum() for f in first), [x, weight]))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axes", [(0, 2, 3), (1, 2, 3), (3,), (0,)])
def test_large_arrays_in_parts_equal_one_part(dtype, axes, monkeypatch):
    x = normal(6, 12, 40, 50).astype(dtype)
    weight = np.ones([1 if axis in axes else n for axis, n in enumerate(x.shape)], dtype)
    found = []
    for size in (1 << 16, 1 << 30):
        monkeypatch.setattr(normalization, "CACHED", size)
        inputs = [Tensor(x, requires_grad=True), Tensor(weight, requires_grad=True)]
        out = ops.normalize(*inputs, axes=axes).out
        out.backward(np.sin(x))
        found.append([out.detach().numpy(), *(t.grad.numpy() for t in inputs)])
    mean, var = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    np.testing.assert_allclose(found[0][0], (x - mean) / np.sqrt(var + 1e-5), rtol=1e-3, atol=1e-4)
    for one, two in zip(*found, strict=True):
        assert one.dtype == two.dtype == dtype
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_the_variance_is_of_centered_numbers():
    x = (normal(1000, 3) + 1e4).astype(np.float32)  # its squares would leave no digit of the variance
    np.testing.assert_allclose(ops.normalize(x, axes=0).var, x.astype(float).var(axis=0), rtol=1e-3)


def test_mean_and_variance_are_plain_results():
    x = Tensor(normal(4, 3), requires_grad=True)
    result = ops.normalize(x, axes=0)
    assert result.out.requires_grad
    assert not result.mean.requires_grad
    assert not result.var.requires_grad
    assert result.mean.shape == result.var.shape == (3,)
    with no_grad():
        assert not ops.normalize(x, axes=0).out.requires_grad


@pytest.mark.parametrize(
    "needed", [(True, False, False), (False, True, False), (False, False, True), (False, True, True)]
)
def test_only_the_gradients_that_are_needed_are_computed(needed):
    given = arrays((4, 3), (3,), (3,))
    inputs = [Tensor(array, requires_grad=needs) for array, needs in zip(given, needed, strict=True)]
    ops.normalize(*inputs, axes=0).out.sum().backward()
    assert [tensor.grad is not None for tensor in inputs] == list(needed)
    tensors = [Tensor(array) for array in given]
    found = recorded_rule(tensors[0], needed, tensors[0], tensors[1], (0,), 1e-5, None)
    assert [array is not None for array in found] == list(needed)


def test_constant_numbers_have_a_finite_gradient():
    x = Tensor(np.full((3, 4), 7.0), requires_grad=True)
    out = ops.normalize(x, axes=1).out
    assert (out.detach().numpy() == 0).all()
    out.backward(normal(3, 4))
    assert np.isfinite(x.grad.numpy()).all()


def test_integers_are_normalised_as_floats():
    out = ops.normalize(np.array([1, 3]), axes=0, eps=0.0).out
    assert out.tolist() == [-1, 1]


X = np.zeros((2, 3, 4))
REFUSED = [
    (lambda: ops.normalize(X, axes=3), ValueError, r"of the 3 axes of x.*axes=3; x has shape \(2, 3, 4\)"),
    (lambda: ops.normalize(X, axes=(1, -2)), ValueError, r"each once, got axes=\(1, -2\)"),
    (lambda: ops.normalize(X, axes=()), ValueError, "one or more of the 3 axes"),
    (lambda: ops.normalize(X, np.zeros(3)), ValueError, r"weight that broadcasts.*\(2, 3, 4\), got \(3,\)"),
    (lambda: ops.normalize(X, None, np.zeros((1, 2, 3, 4))), ValueError, r"bias that broadcasts.*got \(1, 2, 3, 4\)"),
    (lambda: ops.normalize(X, axes=0, along=3), ValueError, "along to be one of the axes 0 to 2, or None, got 3"),
    (lambda: ops.normalize(X, np.zeros(4), along=1), ValueError, r"weight of shape \(3,\), along axis 1.*got \(4,\)"),
    (lambda: ops.normalize(X * 1j), TypeError, "complex.*got complex128"),
]


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_expected_and_got(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_integers_have_no_gradient_but_their_weight_does():
    x, weight = np.arange(24).reshape(6, 4), Tensor(np.ones(4), requires_grad=True)
    out = ops.normalize(x, weight, None, axes=0).out
    g = normal(6, 4)
    out.backward(g)
    np.testing.assert_allclose(weight.grad.numpy(), (g * out.detach().numpy()).sum(axis=0))


def test_a_large_mean_costs_no_more_digits_than_it_must():
    x = (normal(16, 16, 16, 16, seed=1) + 1e3).astype(np.float32)
    x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    found = []
    for dtype in (np.float32, np.float64):
        given = Tensor(x.astype(dtype), requires_grad=True)
        ops.normalize(given, axes=(0, 2, 3)).out.backward(normal(*x.shape, seed=2).astype(dtype))
        found.append(given.grad.numpy())
    np.testing.assert_allclose(found[0], found[1], atol=1e-4 * abs(found[1]).max())


@pytest.mark.parametrize("far", [0.0, 1.9, 2.1, 1e3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kept", ["channels last", "rows"])
def test_means_and_sizes_side_by_side(kept, dtype, far):
    """One that lies far from zero is centred first; those beside it are not."""
    x = normal(8, 12, 12, 5, seed=1) * [1.0, 1e-3, 1e15, 0.0, 1.0] + [0.0, 0.0, 1e15, 7.0, far]
    if kept == "rows":
        x, axes, small = x.reshape(-1, 5).T.copy(), (1,), (1152,)
    else:
        axes, small = (0, 1, 2), (5,)
    g = normal(*x.shape, seed=2)
    found = []
    for kind in (dtype, np.float64):  # one rounded and one not, of the same numbers
        inputs = [Tensor(a.astype(dtype).astype(kind), requires_grad=True) for a in (x, normal(*small), normal(*small))]
        result = ops.normalize(*inputs, axes=axes)
        result.out.backward(g.astype(dtype).astype(kind))
        found.append([a.numpy() for a in (result.out.detach(), result.mean, result.var, *(t.grad for t in inputs))])
    plain = x.astype(dtype).astype(float)
    np.testing.assert_allclose(found[1][1], plain.mean(axis=axes), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[1][2], plain.var(axis=axes), rtol=1e-10, atol=1e-25)
    tolerance = 1e-12 if dtype == np.float64 else 2e-4
    for one, other in zip(*found, strict=True):
        scale = abs(other).max(axis=axes, keepdims=True) if other.ndim == x.ndim else abs(other)
        if other.shape == small and kept == "rows":
            scale = abs(other).max()
        assert (abs(one - other) <= tolerance * np.maximum(scale, 1e-20)).all()


@pytest.mark.parametrize("value", [4.1, 66540.57, 67169.2265625, 1e6])
@pytest.mark.parametrize("eps", [1e-5, 1e-12])
@pytest.mark.parametrize("changed", [0.0, 1e-3])
def test_the_variance_of_constant_channels_is_not_negative(value, eps, changed):
    x = np.full((129, 16), np.float32(value))
    x[5] += np.float32(changed)
    out, _, var = ops.normalize(x, axes=0, eps=eps)
    assert (var >= 0).all()
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    ("shape", "axes"), [((600, 128), -1), ((4, 8), -1), ((6, 4, 16, 16), (2, 3)), ((6, 4, 16, 16), (0, 2, 3))]
)
def test_numbers_too_large_for_their_variance_do_not_warn(shape, axes):
    x = np.resize(np.array([1e20, -1e20], np.float32), shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out, mean, var = ops.normalize(x, axes=axes)
    assert np.isinf(var).all()
    assert (mean == 0).all()
    assert (out == 0).all()


@pytest.mark.parametrize(("axes", "shape", "kept"), [((0, 2, 3), (3, 1, 1), True), ((1, 2, 3), (3, 5, 6), False)])
def test_images_that_lie_in_strips_are_normalised_as_others(axes, shape, kept):
    x, g = normal(4, 3, 5, 6), normal(4, 3, 5, 6, seed=1)
    weight, bias = normal(*shape), normal(*shape, seed=2)

    def in_strips(a):
        return np.ascontiguousarray(a.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)

    def derived(lying):
        inputs = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
        inputs[0].data = lying(x)
        out = ops.normalize(*inputs, axes=axes).out
        strips = out.data.transpose(2, 1, 3, 0)
        assert (strips if kept and lying is in_strips else out.data).flags.c_contiguous
        return [out.detach().numpy(), *(a.numpy() for a in gradients(out, inputs, Tensor(g)))]

    for found, expected in zip(derived(in_strips), derived(np.copy), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(10, 10), (10, 1), (4, 10, 10), (64, 1, 1, 1), (64, 4, 10, 10), (4, 1, 1)])
def test_the_bias_of_images_in_strips_gets_its_own_gradient(shape):
    """It may be along any axes, also where it is alone."""
    x = ops.convolution(normal(64, 1, 12, 12), normal(4, 1, 3, 3))
    bias = Tensor(np.zeros(shape), requires_grad=True)
    g = normal(*x.shape)
    ops.normalize(Tensor(x, requires_grad=True), None, bias, axes=(0, 2, 3)).out.backward(g)
    stretched = (1,) * (4 - len(shape)) + shape
    expected = g.sum(axis=tuple(i for i, n in enumerate(stretched) if n == 1), keepdims=True)
    np.testing.assert_allclose(bias.grad.numpy(), expected.reshape(shape), atol=1e-12)
