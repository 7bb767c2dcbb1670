"""What every operation of the table keeps to, on every case of `tests/cases`."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, mutually_broadcastable_shapes

import tests.cases
from autograd import Tensor, from_numpy, graph, ops
from autograd.check import gradcheck, gradgradcheck
from autograd.functional import gradients
from autograd.stacked import Stack
from tests.cases import Case

FAMILIES = sorted(module.name for module in pkgutil.iter_modules(tests.cases.__path__))
CASES: list[Case] = [case for name in FAMILIES for case in importlib.import_module(f"tests.cases.{name}").CASES]

every_case = pytest.mark.parametrize("case", CASES, ids=str)


def leaves_of(case: Case) -> list[Tensor]:
    return [Tensor(x, requires_grad=True) for x in case.inputs]


def several(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, (tuple, list)) else [returned]


def differentiable(returned: Any) -> list[Tensor]:
    return [out for out in several(returned) if isinstance(out, Tensor) and out.requires_grad]


def seeds_for(outputs: list[Tensor]) -> list[np.ndarray]:
    """Return gradients of the outputs: random numbers, the same at every run."""
    rng = np.random.default_rng(5)
    seeds = []
    for out in outputs:
        seed = rng.normal(size=out.shape)
        if out.dtype.kind == "c":
            seed = seed + 1j * rng.normal(size=out.shape)
        seeds.append(np.asarray(seed).astype(out.dtype))
    return seeds


def gradients_of(case: Case, inputs: list[Tensor], create_graph: bool = False) -> list[np.ndarray]:
    outputs = differentiable(case.function(*inputs))
    found = gradients(outputs, inputs, seeds_for(outputs), create_graph=create_graph)
    return [np.array(g.numpy()) for g in found]


def nodes_below(outputs: list[Tensor]) -> list[Any]:
    stack = [out._node for out in outputs]
    seen = set(stack)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return [node for node in seen if node.op is not None]


def close(found: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=atol)


def test_no_name_stands_for_two():
    names = [name for family in ops.FAMILIES for name in family.__all__]
    assert len(names) == len(set(names))


def test_every_operation_has_a_case():
    checked = {case.operation for case in CASES}
    assert sorted(set(ops.TABLE) - checked) == []


def test_every_case_is_of_an_operation():
    assert sorted({case.operation for case in CASES} - set(ops.TABLE) - set(ops.COMPOSED)) == []


@every_case
def test_the_gradient_is_the_finite_difference(case):
    gradcheck(case.function, *case.inputs)


@pytest.mark.parametrize("case", [case for case in CASES if case.second], ids=str)
def test_the_second_derivative_is_the_finite_difference_of_the_gradient(case):
    gradgradcheck(case.function, *case.inputs)


@every_case
def test_tensors_give_what_arrays_give(case):
    arrays = [np.array(x) for x in case.inputs]
    expected = several((case.numpy or case.function)(*arrays))
    found = several(case.function(*leaves_of(case)))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert not isinstance(theirs, Tensor)
        close(ours.numpy() if isinstance(ours, Tensor) else ours, theirs, rtol=1e-12, atol=1e-12)
        assert np.shape(ours) == np.shape(theirs)
        assert ours.dtype == np.asarray(theirs).dtype
    for x, array in zip(case.inputs, arrays, strict=True):
        assert np.array_equal(x, array), "an input was changed"


def sent_back(outputs: list[Tensor], seeds: list[Any], inputs: list[Tensor]) -> list[Any]:
    found: dict[Any, Any] = dict.fromkeys(x._node for x in inputs)
    graph.backward([out._node for out in outputs], seeds, retain_graph=True, targets=found)
    return [found[x._node] for x in inputs]


def check_many_at_once(outputs: list[Tensor], inputs: list[Tensor]) -> None:
    seeds = [np.stack([seed, 0 * seed, seed[::-1] if seed.ndim else -seed]) for seed in seeds_for(outputs)]
    many = sent_back(outputs, [Stack(seed) for seed in seeds], inputs)
    for row in range(3):
        one = sent_back(outputs, [seed[row] for seed in seeds], inputs)
        for at_once, alone in zip(many, one, strict=True):
            assert (at_once is None) == (alone is None)
            if alone is not None:
                close(at_once.data[row], alone)
                assert at_once.dtype == alone.dtype


@every_case
def test_many_gradients_at_once_are_those_one_by_one(case):
    inputs = leaves_of(case)
    check_many_at_once(differentiable(case.function(*inputs)), inputs)


@pytest.mark.parametrize("case", [case for case in CASES if case.second], ids=str)
def test_many_second_derivatives_at_once_are_those_one_by_one(case):
    inputs = leaves_of(case)
    outputs = differentiable(case.function(*inputs))
    first = gradients(outputs, inputs, seeds_for(outputs), create_graph=True)
    check_many_at_once([g for g in first if g.requires_grad], inputs)


@every_case
def test_a_leaf_owns_its_gradient(case):
    inputs = leaves_of(case)
    outputs = differentiable(case.function(*inputs))
    for out in outputs:  # the gradient of a sum is one number, broadcast: read-only
        out.sum().backward(np.ones((), out.dtype), retain_graph=True)
    seeds = [Tensor(seed) for seed in seeds_for(outputs)]
    for x in inputs:
        x.zero_grad()
    for out, seed in zip(outputs, seeds, strict=True):
        out.backward(seed, retain_graph=True)
    others = [x.data for x in (*inputs, *outputs, *seeds)]
    for x in inputs:
        gradient = x.grad
        if gradient is None:
            continue
        assert type(gradient) is Tensor
        assert not gradient.requires_grad
        assert gradient.shape == x.shape
        assert gradient.dtype == x.dtype
        if x.ndim:
            assert isinstance(gradient.data, np.ndarray)
            assert gradient.data.flags.writeable
            assert gradient.data.flags.c_contiguous
            assert not any(np.may_share_memory(gradient.data, other) for other in others)
            others.append(gradient.data)


@every_case
def test_single_precision_stays(case, monkeypatch):
    if not case.single:
        pytest.skip("a constant of the case is in double precision")
    single = {"f": np.float32, "c": np.complex64}
    inputs = [Tensor(np.asarray(x, single[np.asarray(x).dtype.kind]), requires_grad=True) for x in case.inputs]
    outputs = differentiable(case.function(*inputs))
    for out in outputs:
        assert out.dtype == single[out.dtype.kind]
    expected = gradients_of(case, leaves_of(case))
    fit = graph.fit

    def strict(gradient, place, *operation):
        if gradient.shape is not None:
            assert gradient.dtype in single.values(), f"a rule returned {gradient.dtype}"
        return fit(gradient, place, *operation)

    monkeypatch.setattr(graph, "fit", strict)
    found = gradients(outputs, inputs, seeds_for(outputs))
    for ours, x, theirs in zip(found, inputs, expected, strict=True):
        assert ours.dtype == x.dtype
        scale = float(np.abs(theirs).max(initial=1.0))
        close(ours.numpy(), theirs, rtol=1e-2, atol=1e-3 * scale)


def fortran(x: np.ndarray) -> np.ndarray:
    return np.asfortranarray(x)


def strided(x: np.ndarray) -> np.ndarray:
    """Return the same numbers with gaps between them, and the axes in reverse order in memory."""
    wide = np.zeros([2 * n for n in x.shape[::-1]], x.dtype)
    view = wide[(slice(None, None, 2),) * x.ndim].transpose()
    view[...] = x
    return view


def backwards(x: np.ndarray) -> np.ndarray:
    """Return the same numbers, stored from the last to the first."""
    reverse = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[reverse])[reverse]


@every_case
def test_the_layout_in_memory_does_not_matter(case):
    inputs = leaves_of(case)
    straight = differentiable(case.function(*inputs))
    seeds = seeds_for(straight)
    expected = gradients(straight, inputs, seeds)
    for layout in (fortran, strided, backwards):

        def laid_out(x, layout=layout):
            return layout(x) if np.ndim(x) else np.asarray(x)

        others = [from_numpy(laid_out(x), requires_grad=True) for x in case.inputs]
        outputs = differentiable(case.function(*others))
        for ours, theirs in zip(outputs, straight, strict=True):
            close(ours.numpy(), theirs.numpy())
        found = gradients(outputs, others, [from_numpy(laid_out(seed)) for seed in seeds])
        for ours, theirs in zip(found, expected, strict=True):
            close(ours.numpy(), theirs.numpy())


@every_case
def test_a_recorded_gradient_is_the_plain_one(case, monkeypatch):
    composed = []  # (operation, arguments, result) of each composed form that stands in for a joint rule
    for function in ops.TABLE.values():
        op = function.operation
        if op.composed is not None:

            def spy(*args, op=op, form=op.composed):
                composed.append((op, args, form(*args)))
                return composed[-1][2]

            monkeypatch.setattr(op, "composed", spy)
    plain = gradients_of(case, leaves_of(case))
    recorded = gradients_of(case, leaves_of(case), create_graph=True)
    for ours, theirs in zip(recorded, plain, strict=True):
        close(ours, theirs)
    for op, args, result in composed:
        expected = op.forward(*(a.numpy() if isinstance(a, Tensor) else a for a in args))
        for ours, theirs in zip(several(result), several(expected[0] if op.aux else expected), strict=True):
            close(ours.numpy(), theirs)
    function = ops.TABLE.get(case.operation)
    if function is not None and function.operation.composed is not None:
        assert composed, "the composed form was not used"


@every_case
def test_backward_releases_what_the_rules_read(case):
    inputs = leaves_of(case)
    outputs = differentiable(case.function(*inputs))
    seeds = seeds_for(outputs)
    for out, seed in zip(outputs[1:], seeds[1:], strict=True):
        out.backward(seed, retain_graph=True)
    nodes = nodes_below(outputs[:1])
    assert nodes
    outputs[0].backward(seeds[0])
    assert [node.op.name for node in nodes if node.saved is not None] == []


@every_case
def test_everything_is_freed_without_the_collector(case):
    gc.disable()
    try:
        for runs_backward in (True, False):
            inputs = leaves_of(case)
            outputs = differentiable(case.function(*inputs))
            if runs_backward:
                for out, seed in zip(outputs, seeds_for(outputs), strict=True):
                    out.backward(seed, retain_graph=True)
            arrays = [x.data for x in (*inputs, *outputs)] + [x.grad.data for x in inputs if x.grad is not None]
            references = [weakref.ref(a) for a in arrays if isinstance(a, np.ndarray)]
            inputs = outputs = arrays = out = None
            assert [r().shape for r in references if r() is not None] == []
    finally:
        gc.enable()


# Shapes, broadcasts, axes and layouts that nobody thought of.

generated = settings(max_examples=8, deadline=None, derandomize=True, database=None)
layouts = st.sampled_from([np.ascontiguousarray, fortran, strided, backwards])

BROADCASTING = sorted(
    name
    for family in (ops.arithmetic, ops.elementwise, ops.activation)
    for name in family.__all__
    if ops.TABLE[name].operation.names[: len(ops.TABLE[name].operation.inputs)] == ops.TABLE[name].operation.inputs
    and len(ops.TABLE[name].operation.inputs) <= 2
    and "axis" not in ops.TABLE[name].operation.names
)
REDUCING = sorted(name for name in ops.TABLE if {"axis", "keepdims"} <= set(ops.TABLE[name].operation.names))
ALONG_AXIS = ["cumprod", "cumsum", "diff", "fft", "flip", "ifft", "log_softmax", "softmax", "sort", "trapezoid"]
NEEDED = {"percentile": {"q": 30.0}, "quantile": {"q": 0.3}}


def ascending(shape: tuple[int, ...]) -> np.ndarray:
    """Return positive numbers that differ, in random order."""
    n = int(np.prod(shape))
    return (np.random.default_rng(n).permutation(n) * 0.1 + 0.5).reshape(shape)


def axes_of(shape: tuple[int, ...], several: bool) -> st.SearchStrategy[Any]:
    one = st.integers(-len(shape), len(shape) - 1)
    pairs = st.lists(one, min_size=1, max_size=2, unique_by=lambda axis: axis % len(shape)).map(tuple)
    return st.one_of(st.none(), one, pairs) if several else one


@pytest.mark.parametrize("name", BROADCASTING)
@generated
@given(data=st.data())
def test_any_shapes_that_broadcast(name, data):
    # The numbers are those of a case of the operation, which keep clear of its kinks and lie where it is defined.
    pools = next(c.inputs for c in CASES if c.operation == name and all(np.ndim(x) for x in c.inputs))
    shapes = data.draw(mutually_broadcastable_shapes(num_shapes=len(pools), max_dims=3, max_side=3)).input_shapes
    rng = np.random.default_rng(len(shapes[0]))
    inputs = [rng.choice(pool.ravel(), size=shape) for pool, shape in zip(pools, shapes, strict=True)]
    inputs = [data.draw(layouts)(x) if np.ndim(x) else x for x in inputs]
    gradcheck(ops.TABLE[name], *inputs)
    gradgradcheck(ops.TABLE[name], *inputs)


@pytest.mark.parametrize("name", REDUCING)
@generated
@given(data=st.data())
def test_any_axes_of_any_shape(name, data):
    shape = data.draw(array_shapes(max_dims=4, max_side=3))
    options = {
        "axis": data.draw(axes_of(shape, several=True)),
        "keepdims": data.draw(st.booleans()),
        **NEEDED.get(name, {}),
    }
    x = data.draw(layouts)(ascending(shape))
    gradcheck(lambda x: ops.TABLE[name](x, **options), x)
    gradgradcheck(lambda x: ops.TABLE[name](x, **options), x)


@pytest.mark.parametrize("name", ALONG_AXIS)
@generated
@given(data=st.data())
def test_any_axis_of_any_shape(name, data):
    shape = data.draw(array_shapes(max_dims=4, max_side=3))
    axis = data.draw(axes_of(shape, several=False))
    x = data.draw(layouts)(ascending(shape))
    gradcheck(lambda x: ops.TABLE[name](x, axis=axis), x)
    gradgradcheck(lambda x: ops.TABLE[name](x, axis=axis), x)
