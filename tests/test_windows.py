"""Convolution and pooling against their definitions written out in loops, and what is refused."""

from __future__ import annotations

import math
from contextlib import nullcontext
from itertools import product
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograd import Tensor, no_grad, openblas, ops
from autograd.functional import gradients
from autograd.kernels import correlation, filtering, lines, phases, products, single, strips, unrolled
from autograd.ops import convolutional, pooling
from tests.cases import distinct, normal
from tests.cases.windows import AVG_POOLS, CONVOLUTIONS, MAX_POOLS, TRANSPOSED

WHOLE = (2, 32, 32, 32), (32, 32, 3, 3)


@pytest.fixture(autouse=True, params=[True, False], ids=["short ways", "long ways"])
def _ways(request):
    """Take few images the short way and products in steps wherever they can be; or never."""
    with (
        mock.patch.object(single, "MOST", single.MOST if request.param else -1),
        mock.patch.object(products, "DIRECT", {openblas.processor()} if request.param else set()),
    ):
        yield


def each(value, axes):
    return value if isinstance(value, tuple) else (value,) * axes


def plain_convolution(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Return S[n, o, i...] = b[o] + sum over c, m... of I[n, c, i s + m d...] K[o, c, m...], one number at a time."""
    axes, kernel = x.ndim - 2, weight.shape[2:]
    stride, dilation = each(stride, axes), each(dilation, axes)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        sides = [(t // 2, t - t // 2) for t in total]
    else:
        sides = [(p, p) for p in each(0 if padding == "valid" else padding, axes)]
    image = np.pad(x, [(0, 0), (0, 0), *sides])
    sizes = [
        (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(image.shape[2:], kernel, stride, dilation, strict=True)
    ]
    out = np.zeros((len(x), len(weight), *sizes))
    for n, o, *place in product(*map(range, out.shape)):
        first = o // (len(weight) // groups) * weight.shape[1]
        total = 0.0 if bias is None else bias[o]
        for c, *tap in product(*map(range, weight.shape[1:])):
            at = tuple(i * s + m * d for i, s, m, d in zip(place, stride, tap, dilation, strict=True))
            total += image[(n, first + c, *at)] * weight[(o, c, *tap)]
        out[(n, o, *place)] = total
    return out


def plain_transpose(x, weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Add every number of `x`, times the kernel, to the places that it spreads to."""
    axes, kernel = x.ndim - 2, weight.shape[2:]
    stride, dilation, padding = each(stride, axes), each(dilation, axes), each(padding, axes)
    extra = each(output_padding, axes)
    spans = zip(x.shape[2:], kernel, stride, dilation, padding, extra, strict=True)
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, d, p, e in spans]
    channels, each_out = weight.shape[:2]
    out = np.zeros((len(x), each_out * groups, *sizes))
    for n, c, *place in product(*map(range, x.shape)):
        first = c // (channels // groups) * each_out
        for o, *tap in product(*map(range, weight.shape[1:])):
            at = tuple(i * s + m * d - p for i, s, m, d, p in zip(place, stride, tap, dilation, padding, strict=True))
            if all(0 <= i < size for i, size in zip(at, sizes, strict=True)):
                out[(n, first + o, *at)] += x[(n, c, *place)] * weight[(c, o, *tap)]
    return out if bias is None else out + bias.reshape(-1, *(1,) * axes)


def windows_of(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Return an array of lists: for each window the indices of `x` that it covers, and how many places it has.

    Places beyond the image and its padding are none.
    """
    axes = x.ndim - 2
    kernel, padding, dilation = each(kernel_size, axes), each(padding, axes), each(dilation, axes)
    stride = kernel if stride is None else each(stride, axes)
    along = []
    for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
        starts = [i for i in range(-p, n + p, s) if i + d * (k - 1) < n + p]
        if ceil_mode:
            following = starts[-1] + s if starts else -p
            overlong = (n + 2 * p - d * (k - 1) - 1) % s != 0
            starts += [following] if overlong and following < n else []
        along.append([([i + d * m for m in range(k)], n, p) for i in starts])
    found = {}
    for place in product(*(range(len(starts)) for starts in along)):
        spans = [along[axis][i] for axis, i in enumerate(place)]
        inside = list(product(*([i for i in span if 0 <= i < n] for span, n, _ in spans)))
        places = math.prod(sum(-p <= i < n + p for i in span) for span, n, p in spans)
        found[place] = (inside, places)
    return found, tuple(map(len, along))


def inputs_of(x, weight, has_bias, options, transposed=False):
    out = weight[1] * options.get("groups", 1) if transposed else weight[0]
    return [normal(*x, seed=1), normal(*weight, seed=2), *([normal(out, seed=3)] if has_bias else [])]


def close(ours, theirs, tolerance=1e-12):
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("x", "weight", "has_bias", "options"), CONVOLUTIONS)
def test_convolution_is_its_definition(x, weight, has_bias, options):
    inputs = inputs_of(x, weight, has_bias, options)
    close(ops.convolution(*inputs, **options), plain_convolution(*inputs, **options))


@pytest.mark.parametrize("channels", [(2, 4, 2), (3, 3, 3), (20, 2, 1), (6, 4, 1)])
@pytest.mark.parametrize("stride", [1, 2, (1, 3), (3, 1)])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 2)])
def test_every_option_of_convolution_with_every_other(channels, stride, padding, dilation):
    channels, out, groups = channels
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    inputs = [normal(2, channels, 5, 6), normal(out, channels // groups, 3, 2), normal(out)]
    close(ops.convolution(*inputs, **options), plain_convolution(*inputs, **options))


@pytest.mark.parametrize(("x", "weight", "has_bias", "options"), TRANSPOSED)
def test_convolution_transpose_is_its_definition(x, weight, has_bias, options):
    inputs = inputs_of(x, weight, has_bias, options, transposed=True)
    close(ops.convolution_transpose(*inputs, **options), plain_transpose(*inputs, **options))


@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("padding", [0, 1, (1, 0)])
@pytest.mark.parametrize("dilation", [1, 2, (1, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_every_option_of_the_transpose_with_every_other(stride, padding, dilation, groups):
    extra = tuple(max(s, d) - 1 for s, d in zip(each(stride, 2), each(dilation, 2), strict=True))
    for output_padding in (0, extra):
        options = {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation": dilation,
            "groups": groups,
        }
        inputs = [normal(2, 4, 3, 2), normal(4, 2, 2, 3), normal(2 * groups)]
        close(ops.convolution_transpose(*inputs, **options), plain_transpose(*inputs, **options))


def test_the_transpose_gives_the_gradient_of_a_convolution():
    x, weight = Tensor(normal(2, 3, 7, 6), requires_grad=True), normal(4, 3, 3, 2)
    options = {"stride": (2, 3), "padding": 1}
    out = ops.convolution(x, weight, **options)
    g = normal(*out.shape, seed=7)
    out.backward(g)
    spread = ops.convolution_transpose(g, weight, output_padding=(0, 0), **options)
    close(x.grad.numpy()[:, :, : spread.shape[2], : spread.shape[3]], spread)


RULES = [
    *(("convolution", *given) for given in CONVOLUTIONS),
    *(("convolution_transpose", *given) for given in TRANSPOSED),
]


@pytest.mark.parametrize(("name", "x", "weight", "has_bias", "options"), RULES)
def test_joint_rules_equal_their_composed_forms(name, x, weight, has_bias, options):
    operation = getattr(ops, name)
    arrays = inputs_of(x, weight, has_bias, options, transposed=name == "convolution_transpose")
    inputs = [Tensor(array, requires_grad=True) for array in arrays]
    bound = operation.operation.bind([*inputs, *[None] * (3 - len(inputs))], options)
    joint, composed = operation(*inputs, **options), operation.operation.composed(*bound)
    close(joint.detach().numpy(), composed.detach().numpy())
    g = normal(*joint.shape, seed=4)
    of_joint = gradients(joint, inputs, Tensor(g))
    of_composed = gradients(composed, inputs, Tensor(g))
    recorded = gradients(operation(*inputs, **options), inputs, Tensor(g), create_graph=True)
    for first, second, third in zip(of_joint, of_composed, recorded, strict=True):
        close(first.numpy(), second.numpy(), 1e-11)
        close(first.numpy(), third.detach().numpy(), 1e-11)


@pytest.mark.parametrize("needed", list(product([False, True], repeat=3)))
def test_only_the_gradients_that_are_needed_are_computed(needed):
    x, weight, g = normal(2, 3, 4, 4), normal(2, 3, 2, 2), normal(2, 2, 3, 3)
    found = convolutional.convolution_rule(g, needed, x, weight, 1, 0, 1, 1)
    assert [array is not None for array in found] == list(needed)


# Convolutions go several ways, by their sizes: all are held against the composed form, over all that shapes them.


MERGING = {"MOST": math.inf, "WIDEST": math.inf, "LEAST": 0, "PADDED": math.inf}


@st.composite
def convolutions(draw):
    axes = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 5 if axes < 3 else 3)) for _ in range(axes)]
    stride = [draw(st.sampled_from([1, 1, 2, 3])) for _ in range(axes)]
    dilation = [draw(st.sampled_from([1, 1, 2])) for _ in range(axes)]
    padding = [draw(st.integers(0, 3)) for _ in range(axes)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [max(r - 2 * p, 1) + draw(st.integers(0, 4)) for r, p in zip(reach, padding, strict=True)]
    n, channels, out = draw(st.integers(1, 5)), draw(st.sampled_from([2, 16, 24])), draw(st.sampled_from([3, 16, 17]))
    x, weight = normal(n, channels, *size, seed=1), normal(out, channels, *kernel, seed=2)
    if draw(st.booleans()):
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    bias = normal(out, seed=3) if draw(st.booleans()) else None
    return x, weight, bias, {"stride": tuple(stride), "padding": tuple(padding), "dilation": tuple(dilation)}


@given(
    convolutions(),
    st.sampled_from([1, 2000, lines.BLOCK]),
    st.sampled_from([0, correlation.FEW]),
    st.sampled_from([-1, single.MOST]),
    st.sampled_from([3000, products.MOST]),
    st.sampled_from([1, lines.WORTH]),
    st.sampled_from([0, correlation.SMALL, math.inf]),
    st.booleans(),
)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_convolutions_of_all_sizes(two_threads, case, block, few, most, steps, worth, small, merging):
    x, weight, bias, options = case
    with (
        mock.patch.object(single, "MOST", most),
        mock.patch.multiple(products, MOST=steps, LEAST=1),
        mock.patch.object(lines, "WORTH", worth),
        mock.patch.multiple(correlation, WORTH=worth, COPIES=worth, SMALL=small),
        mock.patch.multiple(phases, COPIED=worth, **MERGING) if merging else nullcontext(),
        mock.patch.object(lines, "BLOCK", block),
        mock.patch.multiple(strips, CACHED=block, LEAST=small, WORTH=worth),
        mock.patch.object(unrolled, "CACHED", block),
        mock.patch.object(correlation, "FEW", few),
    ):
        inputs = [Tensor(a, requires_grad=True) for a in (x, weight, bias) if a is not None]
        out = ops.convolution(*inputs, **options)
        g = normal(*out.shape, seed=4)
        found = gradients(out, inputs, Tensor(g))
    bound = ops.convolution.operation.bind([*inputs, *[None] * (3 - len(inputs))], options)
    composed = ops.convolution.operation.composed(*bound)
    close(out.detach().numpy(), composed.detach().numpy(), 1e-11)
    for one, other in zip(found, gradients(composed, inputs, Tensor(g)), strict=True):
        close(one.numpy(), other.numpy(), 1e-11)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize(("channels", "count"), [(16, 16), (4, 5), (4, 20)])
def test_an_infinity_stays_in_its_windows(value, channels, count):
    x, weight = np.ones((2, channels, 8, 8)), np.ones((count, channels, 3, 3))
    x[1, 3, 4, 4] = value
    inputs = [Tensor(a, requires_grad=True) for a in (x, weight)]
    out = ops.convolution(*inputs, padding=1)
    strange = ~np.isfinite(out.detach().numpy())
    assert strange[1, :, 3:6, 3:6].all()
    assert strange.sum() == count * 9
    g = normal(*out.shape)
    to_x, to_weight = gradients(out, inputs, Tensor(g))
    assert np.isfinite(to_x.numpy()).all()
    assert not np.isfinite(to_weight.numpy()[:, 3]).any()
    assert np.isfinite(np.delete(to_weight.numpy(), 3, axis=1)).all()


@pytest.fixture
def merging():
    with mock.patch.multiple(phases, **MERGING), mock.patch.object(correlation, "FEW", 1):
        yield


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_an_infinity_stays_in_windows_that_go_in_strides(merging, kernel):
    x, weight = np.ones((2, 8, 13, 13)), np.ones((16, 8, kernel, kernel))
    clean = ops.convolution(x, weight, stride=2, padding=1)
    x[1, 3, 6, 6] = np.inf
    first, last = -(-(7 - kernel + 1) // 2), 7 // 2  # windows that see it
    expected = clean.copy()
    expected[1, :, first : last + 1, first : last + 1] = np.inf
    close(ops.convolution(x, weight, stride=2, padding=1), expected)


@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_an_infinity_is_sent_back_in_strides_to_what_its_window_saw(merging, kernel):
    inputs = [Tensor(a, requires_grad=True) for a in (np.ones((2, 8, 13, 13)), np.ones((16, 8, kernel, kernel)))]
    out = ops.convolution(*inputs, stride=2, padding=1)
    g = normal(*out.shape)
    g[1, 3, 2, 2] = np.inf
    to_x, to_weight = (array.numpy() for array in gradients(out, inputs, Tensor(g)))
    assert np.isinf(to_x[1, :, 3 : 3 + kernel, 3 : 3 + kernel]).all()
    assert np.isfinite(to_x).sum() == to_x.size - 8 * kernel**2
    assert np.isinf(to_weight[3]).all()
    assert np.isfinite(np.delete(to_weight, 3, axis=0)).all()


def test_an_infinite_weight_shows_where_it_is_multiplied(merging):
    weight = np.ones((16, 16, 3, 3))
    weight[3, 2, 0, 0] = np.inf
    out = ops.convolution(np.ones((2, 16, 12, 12)), weight)
    assert np.isinf(out[:, 3]).all()
    assert np.isfinite(np.delete(out, 3, axis=1)).all()


def test_an_infinite_weight_is_sent_back_in_strides_to_what_it_saw(merging):
    weight = np.ones((16, 8, 4, 4))
    weight[3, 2, 0, 0] = np.inf
    inputs = [Tensor(a, requires_grad=True) for a in (np.ones((2, 8, 12, 12)), weight)]
    out = ops.convolution(*inputs, stride=2)
    to_x, _ = (array.numpy() for array in gradients(out, inputs, Tensor(np.ones(out.shape))))
    seen = np.zeros(to_x.shape, bool)
    seen[:, 2, :10:2, :10:2] = True
    np.testing.assert_array_equal(np.isinf(to_x), seen)
    assert np.isfinite(to_x[~seen]).all()


@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(4, 2, 1), (7, 2, 3), (11, 4, 2), (5, 2, 2), ((5, 4), (2, 1), 0)]
)
def test_strides_by_merged_pixels_equal_windows_that_are_copied(channels, kernel, stride, padding):
    x = normal(6, channels, 33, 34).astype(np.float32)
    weight = normal(32, channels, *each(kernel, 2), seed=1).astype(np.float32)

    def found():
        leaves = [Tensor(a, requires_grad=True) for a in (x, weight)]
        out = ops.convolution(*leaves, stride=stride, padding=padding)
        out.backward(Tensor(np.cos(out.data)))
        return out.data, *(leaf.grad.data for leaf in leaves)

    merged = found()
    with mock.patch.object(phases, "MOST", 0):
        copied = found()
    for ours, theirs in zip(merged, copied, strict=True):
        close(ours, theirs, 5e-5 * abs(theirs).max())


@pytest.mark.parametrize("spatial", [(24,), (9, 10), (4, 5, 3)])
def test_nothing_of_one_convolution_shows_in_the_next(spatial):
    rng, kernel = np.random.default_rng(0), (3,) * len(spatial)
    weight = rng.normal(size=(16, 16, *kernel))

    def gradients(x):
        leaves = [Tensor(a, requires_grad=True) for a in (x, weight)]
        out = ops.convolution(*leaves, padding=1)
        out.backward(Tensor(np.cos(out.data)))
        return out.data, *(leaf.grad.data for leaf in leaves)

    with mock.patch.object(lines, "BLOCK", 1 << 14), mock.patch.object(correlation, "FEW", 1):
        x = rng.normal(size=(7, 16, *spatial))  # blocks of some images, and a smaller one
        with mock.patch.object(correlation, "by_lines", return_value=False):
            expected = gradients(x)
        for before in (x, np.full_like(x, np.nan)):
            gradients(before)
            for ours, theirs in zip(gradients(x), expected, strict=True):
                close(ours, theirs, 1e-11)
        assert lines.SPARE, "no lines were used"


@pytest.mark.parametrize(("channels", "count"), [(16, 16), (4, 5), (4, 20)])
def test_an_infinity_is_sent_back_to_what_its_window_saw(channels, count):
    inputs = [Tensor(a, requires_grad=True) for a in (np.ones((2, channels, 8, 8)), np.ones((count, channels, 3, 3)))]
    out = ops.convolution(*inputs, padding=1)
    g = normal(*out.shape)
    g[1, 3, 4, 4] = np.inf
    to_x, to_weight = (array.numpy() for array in gradients(out, inputs, Tensor(g)))
    assert np.isinf(to_x[1, :, 3:6, 3:6]).all()
    assert np.isfinite(to_x).sum() == to_x.size - channels * 9
    assert np.isinf(to_weight[3]).all()
    assert np.isfinite(np.delete(to_weight, 3, axis=0)).all()


def test_results_with_many_channels_are_seen_channels_first():
    x = Tensor(normal(2, 16, 5, 6), requires_grad=True)
    out = ops.convolution(x, normal(16, 16, 3, 3), padding=1)
    assert out.shape == (2, 16, 5, 6)
    assert np.ascontiguousarray(out.detach().numpy()).reshape(-1)[7] == out[0, 0, 1, 1].item()
    close(out.reshape(2, -1).detach().numpy(), np.array(out.tolist()).reshape(2, -1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stride", [1, 2])
def test_large_batches_in_pieces_equal_single_images(dtype, stride):
    x, weight, bias = (array.astype(dtype) for array in (normal(9, 16, 30, 30), normal(8, 16, 3, 3), normal(8)))
    tolerance = 1e-3 if dtype == np.float32 else 1e-10

    def results(x):
        inputs = [Tensor(a, requires_grad=True) for a in (x, weight, bias)]
        out = ops.max_pool(ops.convolution(*inputs, stride=stride, padding=1), 2)
        out.backward(out.detach())
        return out.detach().numpy(), *(t.grad.numpy() for t in inputs)

    whole, single = results(x), [results(x[i : i + 1]) for i in range(len(x))]
    for i, combine in enumerate((np.concatenate, np.concatenate, sum, sum)):
        assert whole[i].dtype == dtype
        np.testing.assert_allclose(whole[i], combine([s[i] for s in single]), rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_whole_numbers_are_convolved_as_such(dtype):
    x, weight = (np.random.default_rng(i).integers(0, 2, shape).astype(dtype) for i, shape in enumerate(WHOLE))
    found = ops.convolution(x, weight, padding=1)
    assert found.dtype == dtype
    expected = ops.convolution(x.astype(float), weight.astype(float), padding=1)
    np.testing.assert_array_equal(found, expected.astype(dtype))


@pytest.mark.parametrize("out", [3, 32])
def test_no_channels(out):
    assert not ops.convolution(np.ones((2, 0, 30, 30)), np.ones((out, 0, 3, 3))).any()


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("out", [3, 24])
def test_no_channels_have_gradients_too(dilation, out):
    x, weight = Tensor(np.zeros((9, 0, 9, 9)), requires_grad=True), Tensor(np.zeros((out, 0, 3, 3)), requires_grad=True)
    ops.convolution(x, weight, dilation=dilation).sum().backward()
    assert (x.grad.shape, weight.grad.shape) == (x.shape, weight.shape)
    assert ops.convolution_transpose(np.ones((4, out, 9, 9)), np.ones((out, 0, 3, 3)), dilation=dilation).shape[1] == 0


def test_a_window_that_sees_padding_alone_has_no_largest_number():
    found = ops.max_pool(np.full((1, 1, 1), -5.0), 2, 2, 1, 2, True)
    np.testing.assert_array_equal(found, [[[-np.inf]]])


@pytest.mark.parametrize(("channels", "out"), [(2, 3), (2, 20), (20, 2), (20, 20)])
@pytest.mark.parametrize("needs_weight", [True, False])
def test_an_infinite_weight_sends_infinity_to_what_it_saw_and_nothing_elsewhere(channels, out, needs_weight):
    x = Tensor(np.ones((40, channels, 12, 12)), requires_grad=True)
    weight = np.ones((out, channels, 3, 3))
    weight[0, 0, 0, 0] = np.inf
    found = ops.convolution(x, Tensor(weight, requires_grad=needs_weight))
    found.backward(np.ones(found.shape))
    expected = np.zeros(x.shape, bool)
    expected[:, 0, :10, :10] = True
    np.testing.assert_array_equal(np.isinf(x.grad.data), expected)
    assert not np.isnan(x.grad.data).any()


def test_layouts_of_memory_do_not_matter():
    x, weight = normal(2, 3, 5, 6), normal(4, 3, 2, 2)
    expected = ops.convolution(x, weight)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    in_strips = np.ascontiguousarray(x.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)
    turned = np.ascontiguousarray(x[:, ::-1, :, ::-1])[:, ::-1, :, ::-1]
    for layout in (channels_last, in_strips, turned, np.asfortranarray(x)):
        close(ops.convolution(layout, np.asfortranarray(weight)), expected)
        close(ops.max_pool(layout, 2), ops.max_pool(x, 2))
        close(ops.avg_pool(layout, 2), ops.avg_pool(x, 2))
    t = Tensor(x, requires_grad=True)
    ops.convolution(t, weight).sum().backward()  # the gradient is a broadcast of one number
    close(t.grad.numpy(), ops.convolution_transpose(np.ones(expected.shape), weight))


@pytest.mark.parametrize("padding", [0, 2])
def test_small_images_stay_in_strips_from_convolution_to_convolution(padding):
    """The numbers, and those that come back, are those of images that lie as their shape says."""
    x = Tensor(normal(40, 3, 14, 14), requires_grad=True)
    weight, bias = Tensor(normal(5, 3, 5, 5), requires_grad=True), Tensor(normal(5), requires_grad=True)

    def lies_in_strips(images):
        return images.transpose(2, 1, 3, 0).flags.c_contiguous

    out = ops.convolution(x, weight, bias, padding=padding)
    assert lies_in_strips(out.data)
    pooled = ops.max_pool(ops.relu(out), 2)
    assert lies_in_strips(pooled.data)
    close(ops.avg_pool(out.data, 3, 1, 1), ops.avg_pool(np.ascontiguousarray(out.data), 3, 1, 1))
    sent = normal(*pooled.shape)
    for g in (sent, np.ascontiguousarray(sent.transpose(2, 1, 3, 0)).transpose(3, 1, 0, 2)):
        found = gradients(pooled, [out, x, weight, bias], Tensor(g), retain_graph=True)
        again = found[0].numpy()  # as its shape says
        expected = gradients(out, [x, weight, bias], Tensor(again), retain_graph=True)
        for one, other in zip(found[1:], expected, strict=True):
            close(one.numpy(), other.numpy())
        close(found[3].numpy(), again.sum(axis=(0, 2, 3)))


def test_sequences_stay_in_strips_from_convolution_to_convolution():
    inputs = [Tensor(normal(*shape), requires_grad=True) for shape in ((200, 3, 30), (5, 3, 4), (5,), (4, 5, 3), (4,))]
    x, weight, bias, *second = inputs
    first = ops.convolution(x, weight, bias, padding=1)
    assert first.data.transpose(1, 2, 0).flags.c_contiguous
    out = ops.convolution(ops.relu(first), *second)
    assert out.data.transpose(1, 2, 0).flags.c_contiguous
    g = normal(*out.shape)
    composed = ops.convolution.operation.composed
    hidden = ops.relu(composed(x, weight, bias, 1, 1, 1, 1))
    expected = composed(hidden, *second, 1, 0, 1, 1)
    close(out.data, expected.data)
    for one, other in zip(gradients(out, inputs, Tensor(g)), gradients(expected, inputs, Tensor(g)), strict=True):
        close(one.numpy(), other.numpy())


@pytest.mark.parametrize(
    ("dtype", "shape", "error"), [(np.float32, (8, 3, 8, 1024), 1e-6), (np.float16, (20000, 2, 8, 8), 1e-3)]
)
def test_the_gradient_of_a_bias_adds_up_many_numbers_that_lie_in_strips(dtype, shape, error):
    g = np.full(shape, 0.01, dtype).transpose(3, 1, 0, 2)
    found = correlation.bias_gradient(g)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, float(dtype(0.01)) * g[:, 0].size, rtol=error)


def test_integers_convolve_as_integers():
    x, weight = np.arange(9).reshape(1, 1, 3, 3), np.array([[[[1, 0], [0, -1]]]])
    out = ops.convolution(x, weight)
    assert out.dtype.kind == "i"
    assert (out == -4).all()
    assert ops.max_pool(x, 3, padding=1, stride=2).tolist() == [[[[4, 5], [7, 8]]]]
    assert ops.max_pool(-x, 3, padding=1, stride=2).tolist() == [[[[0, -1], [-3, -4]]]]


@pytest.mark.parametrize(("shape", "options"), MAX_POOLS)
def test_max_pool_takes_the_largest_of_each_window(shape, options):
    x = distinct(*shape)
    found, sizes = windows_of(x, **options)
    expected = np.zeros((*shape[:2], *sizes))
    for (n, c), place in product(np.ndindex(*shape[:2]), found):
        expected[(n, c, *place)] = max(x[(n, c, *at)] for at in found[place][0])
    close(ops.max_pool(x, **options), expected)


@pytest.mark.parametrize(("shape", "options"), AVG_POOLS)
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_avg_pool_takes_the_mean_of_each_window(shape, options, count_include_pad):
    x = normal(*shape)
    options = {**options, "count_include_pad": count_include_pad}
    found, sizes = windows_of(x, **{key: value for key, value in options.items() if key != "count_include_pad"})
    expected = np.zeros((*shape[:2], *sizes))
    for (n, c), (place, (inside, places)) in product(np.ndindex(*shape[:2]), found.items()):
        total = sum(x[(n, c, *at)] for at in inside)
        expected[(n, c, *place)] = total / (places if count_include_pad else len(inside))
    close(ops.avg_pool(x, **options), expected)


@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)])
@pytest.mark.parametrize("stride", [None, 1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [5, 6])
def test_every_option_of_pooling_with_every_other(kernel, stride, padding, ceil_mode, size):
    x = distinct(1, 2, size)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    found, sizes = windows_of(x, **options)
    largest, mean = np.zeros((1, 2, *sizes)), np.zeros((1, 2, *sizes))
    for c, (place, (inside, places)) in product(range(2), found.items()):
        numbers = [x[(0, c, *at)] for at in inside]
        largest[(0, c, *place)], mean[(0, c, *place)] = max(numbers), sum(numbers) / places
    close(ops.max_pool(x, **options), largest)
    close(ops.avg_pool(x, **options), mean)


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = Tensor([[[[1.0, 3.0, 3.0, 0.0], [3.0, 2.0, 0.0, 3.0]]]], requires_grad=True)
    ops.max_pool(x, 2).backward(np.array([[[[5.0, 7.0]]]]))
    assert x.grad.numpy().tolist() == [[[[0, 5, 7, 0], [0, 0, 0, 0]]]]


def test_overlapping_windows_add_up_at_a_common_maximum():
    x = Tensor([[[0.0, 9.0, 1.0, 2.0]]], requires_grad=True)
    ops.max_pool(x, 2, stride=1).backward(np.array([[[1.0, 10.0, 100.0]]]))
    assert x.grad.numpy().tolist() == [[[0, 11, 0, 100]]]


def test_nan_wins_a_window_and_gets_its_gradient():
    x = Tensor([[[np.nan, 1.0, 2.0, np.nan, 4.0, 5.0]]], requires_grad=True)
    out = ops.max_pool(x, 2)
    np.testing.assert_array_equal(out.detach().numpy(), [[[np.nan, np.nan, 5.0]]])
    out.backward(np.array([[[1.0, 2.0, 3.0]]]))
    assert x.grad.numpy().tolist() == [[[1, 0, 0, 2, 0, 3]]]


def test_padding_never_wins():
    assert ops.max_pool(np.array([[[-np.inf, -5.0]]]), 2, stride=1, padding=1).tolist() == [[[-np.inf, -5, -5]]]
    x = Tensor([[[-np.inf, -np.inf]]], requires_grad=True)
    ops.max_pool(x, 2, padding=1, stride=1).backward(np.array([[[1.0, 2.0, 4.0]]]))
    assert x.grad.numpy().tolist() == [[[3, 4]]]


def test_an_infinite_gradient_stays_with_the_winner():
    g = Tensor([[[1.0, 2.0]]], requires_grad=True)
    ops.max_pool(g, 2).backward(np.array([[[np.inf]]]))
    assert g.grad.numpy().tolist() == [[[0, np.inf]]]  # no NaN from 0 * inf


def test_a_window_of_padding_alone_has_its_first_place_as_winner():
    options = (2, 2), (3, 1), (0, 1), (2, 2), True
    x = normal(2, 3, 8, 1)
    with mock.patch.object(pooling, "new_images", lambda last, shape, dtype: np.full(shape, 224, dtype)):
        winners = pooling.winners_of(ops.max_pool(x, *options), x, *options)
    assert winners.max() < 4


def test_max_pool_keeps_a_byte_for_each_window():
    x = Tensor(normal(2, 3, 8, 8), requires_grad=True)
    out = ops.max_pool(x * 1.0, 2)
    (saved,) = out._node.saved
    kept = [a for a in (saved if isinstance(saved, tuple) else (saved,)) if isinstance(a, np.ndarray)]
    assert [(a.shape, a.dtype.itemsize) for a in kept] == [((2, 3, 4, 4), 1)]


X, W = np.zeros((2, 4, 5, 5)), np.zeros((6, 4, 3, 3))
REFUSED = [
    (lambda: ops.convolution(X[0, 0], W), ValueError, r"\(N, C, \*spatial\).*got \(5, 5\)"),
    (lambda: ops.convolution(X, W[0]), ValueError, r"2 kernel axes.*got \(4, 3, 3\)"),
    (lambda: ops.convolution(X, W[:, :3]), ValueError, "expected x with 3 channels.*got 4"),
    (lambda: ops.convolution(X, W, groups=2), ValueError, "expected x with 8 channels.*groups=2.*got 4"),
    (lambda: ops.convolution(X, W[:, :1], groups=4), ValueError, "groups=4 do not divide the 6 channels"),
    (lambda: ops.convolution(X, W, groups=0), ValueError, "groups is a positive integer, not 0"),
    (lambda: ops.convolution(X, W, np.zeros(5)), ValueError, r"bias of shape \(6,\).*got \(5,\)"),
    (lambda: ops.convolution(X[:, :, :2], W), ValueError, r"at least \(3, 3\).*got \(2, 5\)"),
    (lambda: ops.convolution(X, W, dilation=3), ValueError, r"at least \(7, 7\).*dilation \(3, 3\); got \(5, 5\)"),
    (lambda: ops.convolution(X, W, stride=2, padding="same"), ValueError, r"'same' needs stride 1, got \(2, 2\)"),
    (lambda: ops.convolution(X, W, padding="full"), ValueError, "'same' or 'valid', not 'full'"),
    (lambda: ops.convolution(X, W, stride=0), ValueError, "stride is an integer of at least 1.*not 0"),
    (lambda: ops.convolution(X, W, padding=-1), ValueError, "padding is an integer of at least 0.*not -1"),
    (lambda: ops.convolution(X, W, dilation=(1, 2, 3)), ValueError, r"tuple of 2 of them, not \(1, 2, 3\)"),
    (lambda: ops.convolution(X, W, stride=1.5), TypeError, "stride is an integer or a tuple of 2, not 1.5"),
    (lambda: ops.convolution(X, W[:, :, :0]), ValueError, "kernel that is not empty"),
    (lambda: ops.convolution(X, W[:0]), ValueError, r"one kernel or more.*got \(0, 4, 3, 3\)"),
    (lambda: ops.convolution_transpose(X[:, :0], W[:0]), ValueError, r"one kernel or more.*got \(0, 4, 3, 3\)"),
    (lambda: ops.convolution(X * 1j, W), TypeError, "complex.*got complex128"),
    (lambda: ops.convolution(X, W * 1j), TypeError, "complex.*weight"),
    (lambda: ops.convolution_transpose(X, W), ValueError, r"expected x with 6 channels.*\(C, O/groups.*got 4"),
    (lambda: ops.convolution_transpose(X, W[:4], output_padding=1), ValueError, "output_padding.*smaller than stride"),
    (lambda: ops.convolution_transpose(X[:, :, :1], W[:4], padding=2), ValueError, "nothing of the result"),
    (lambda: ops.convolution_transpose(X, W[:4], np.zeros(3)), ValueError, r"bias of shape \(4,\).*got \(3,\)"),
    (lambda: ops.max_pool(X, 6), ValueError, "at least 6.*got 5"),
    (lambda: ops.max_pool(X, 2, padding=2), ValueError, r"padding \(2, 2\) must be at most half"),
    (lambda: ops.max_pool(X[0, 0], 2), ValueError, "got .5, 5."),
    (lambda: ops.max_pool(X, (2, 2, 2)), ValueError, "kernel_size is an integer.*tuple of 2"),
    (lambda: ops.max_pool(X * 1j, 2), TypeError, "complex"),
    (lambda: ops.avg_pool(X, 0), ValueError, "kernel_size is an integer of at least 1"),
    (lambda: ops.avg_pool(X, 7), ValueError, "at least 7.*got 5"),
]


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_expected_and_got(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_refusals_name_operation_and_tensors():
    with pytest.raises(ValueError, match=r"convolution: expected x with 3 channels.*x is \(2, 4, 5, 5\).*'kernels'"):
        ops.convolution(Tensor(X), Tensor(W[:, :3], requires_grad=True, name="kernels"))


def test_nothing_is_recorded_under_no_grad():
    x = Tensor(X, requires_grad=True)
    with no_grad():
        assert not ops.convolution(x, W).requires_grad
        assert not ops.max_pool(x, 2).requires_grad


@pytest.mark.parametrize(("x", "weight"), [((4, 1, 200), (16, 1, 31)), ((40, 16, 20, 1), (16, 16, 3, 1))])
def test_axes_of_one(x, weight):
    options = {"padding": (weight[2] // 2, 0)[: len(x) - 2]}
    inputs = inputs_of(x, weight, True, options)
    close(ops.convolution(*inputs, **options), plain_convolution(*inputs, **options))


@pytest.mark.parametrize("kernel", range(2, 6))
def test_minimal_filtering_is_a_sliding_sum(kernel):
    way = filtering.minimal(kernel)
    assert way.products == kernel + 1
    image, taps = normal(way.products, seed=1), normal(kernel, seed=2)
    found = way.results @ ((way.filters @ taps) * (way.inputs @ image))
    close(found, np.correlate(image, taps, "valid"), 1e-13)


@pytest.mark.parametrize("kernel", range(2, 6))
@pytest.mark.parametrize("size", [0.0, 1.0])
def test_a_large_row_costs_the_others_no_digits(kernel, size):
    x, weight = size * normal(8, 32, 24, 24), normal(32, 32, kernel, kernel)
    x[:, :, 12] = 1e12
    out, seen = ops.convolution(x, weight), slice(12 - kernel + 1, 13)
    calm = ops.convolution(np.where(np.arange(24)[:, None] == 12, 0, x), weight)
    close(np.delete(out, seen, axis=2), np.delete(calm, seen, axis=2))
    if not size:
        assert not np.delete(out, seen, axis=2).any()


def test_minimal_filtering_costs_little_precision():
    x, weight = normal(4, 64, 16, 16), normal(64, 64, 3, 3)
    exact = ops.convolution(x, weight, padding=1)
    single_precision = ops.convolution(x.astype(np.float32), weight.astype(np.float32), padding=1)
    error = np.abs(single_precision - exact)
    assert np.sqrt(np.mean(error**2) / np.mean(exact**2)) < 5e-7  # a sum of as many products, one by one: 3e-7


@pytest.mark.parametrize("stride", [True, 1.0, np.float64(1), (1, True), (1.0, 1), (np.True_, 1)])
def test_an_option_is_no_integer_because_an_equal_one_was(stride):
    x, weight = np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3))
    ops.convolution(x, weight, stride=1)
    ops.convolution(x, weight, stride=(1, 1))
    with pytest.raises(TypeError, match="stride is an integer"):
        ops.convolution(x, weight, stride=stride)
