"""Functions: what PyTorch has no twin of, derivatives of the rules that are written here, dtypes and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, gradcheck, gradgradcheck
from nn import functional as F
from tests.cases import distinct, normal

X, IMAGES = normal(3, 4), distinct(2, 4, 5, 6)
CHECKED = {
    "linear": [(F.linear, (X, normal(2, 4), normal(2))), (F.linear, (normal(4), normal(2, 4)))],
    "bilinear": [(F.bilinear, (X, normal(3, 2), normal(5, 4, 2), normal(5)))],
    "radial_basis": [(F.radial_basis, (X, normal(5, 4))), (F.radial_basis, (normal(4), normal(2, 4)))],
    "maxout": [(lambda x: F.maxout(x, 2), (distinct(3, 4),)), (lambda x: F.maxout(x, 2, 1), (distinct(2, 4, 3),))],
    "embedding": [(lambda w: F.embedding([[0, 2], [2, 1]], w), (X,))],
    "scaled_dot_product_attention": [
        (F.scaled_dot_product_attention, (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2))),
        (
            lambda q, k, v: F.scaled_dot_product_attention(q, k, v, np.tri(3, 5, -1, dtype=bool)),
            (normal(3, 4), normal(5, 4), normal(5, 2)),
        ),
    ],
    "adaptive_avg_pool2d": [(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), (IMAGES,))],
    "adaptive_max_pool2d": [(lambda x: F.adaptive_max_pool2d(x, (3, 4)), (IMAGES,))],
    "interpolate": [
        (lambda x: F.interpolate(x, 7), (IMAGES,)),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (IMAGES,)),
    ],
    "pad": [(lambda x: F.pad(x, (1, -2, 2, 0), "reflect"), (IMAGES,))],
    "local_response_norm": [(lambda x: F.local_response_norm(x, 3, 0.5), (IMAGES,))],
    "batch_norm": [
        (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (IMAGES, normal(4), normal(4))),
        (lambda x, w, b: F.batch_norm(x, np.zeros(4), np.ones(4), w, b), (IMAGES, normal(4), normal(4))),
    ],
    "layer_norm": [(lambda x, w, b: F.layer_norm(x, 4, w, b), (X, normal(4), normal(4)))],
    "group_norm": [(lambda x, w, b: F.group_norm(x, 2, w, b), (IMAGES, normal(4), normal(4)))],
    "normalize": [(F.normalize, (X,))],
    "prelu": [(F.prelu, (IMAGES + 0.03, normal(4)))],
}


@pytest.mark.parametrize("name", CHECKED)
def test_derivatives_equal_differences(name):
    for function, inputs in CHECKED[name]:
        assert gradcheck(function, *inputs)
        assert gradgradcheck(function, *inputs)


LABELS, ROWS = np.array([0, 2, 1]), normal(2, 4, 6)
# The arguments of each function, as plain arrays and lists.
GIVEN = {
    **dict.fromkeys(("relu", "leaky_relu", "elu", "selu", "sigmoid", "logsigmoid", "tanh", "silu", "mish"), (X,)),
    **dict.fromkeys(("gelu", "softplus", "softsign", "hardtanh", "step", "softmax", "log_softmax", "dropout"), (X,)),
    **dict.fromkeys(("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"), (X, X)),
    **dict.fromkeys(("nll_loss", "cross_entropy", "multi_margin_loss", "hinge_loss"), (X, LABELS)),
    **dict.fromkeys(("pairwise_distance", "cosine_similarity"), (X, X[::-1])),
    **dict.fromkeys(("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d"), (ROWS, 2)),
    **dict.fromkeys(("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"), (IMAGES, 2)),
    "threshold": (X, 0.1, 2.0),
    "prelu": (X, np.array([0.1])),
    "maxout": (X, 2),
    "radial_basis": (X, normal(2, 4)),
    "dropout2d": (IMAGES,),
    "linear": (X, normal(2, 4), [0.0, 1.0]),
    "bilinear": (X, X, normal(2, 4, 4), [0.0, 1.0]),
    "embedding": (LABELS, X),
    "one_hot": (LABELS,),
    "scaled_dot_product_attention": (X, X, X),
    "conv1d": (ROWS, normal(3, 4, 2), [0.0, 1.0, 2.0]),
    "conv2d": (IMAGES, normal(3, 4, 2, 2)),
    "conv_transpose1d": (ROWS, normal(4, 3, 2)),
    "conv_transpose2d": (IMAGES, normal(4, 3, 2, 2)),
    "interpolate": (IMAGES, 3),
    "pad": (X, (1, 1)),
    "normalize": (X,),
    "batch_norm": (X, None, None),
    "layer_norm": (X, 4),
    "group_norm": (IMAGES, 2),
    "local_response_norm": (IMAGES, 2),
    "binary_cross_entropy": (abs(X) / 9, abs(X) / 9),
    "binary_cross_entropy_with_logits": (X, abs(X) / 9),
    "cosine_embedding_loss": (X, X[::-1], [1, -1, 1]),
    "triplet_margin_loss": (X, X[::-1], X + 1),
}


def test_every_function_is_given_arrays():
    assert set(GIVEN) == set(F.__all__)


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_functions_of_plain_arrays_return_tensors_of_their_dtype(name):
    for dtype in ("float32", "float64"):
        given = [x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in GIVEN[name]]
        before = [np.array(x) for x in given]
        y = getattr(F, name)(*given)
        assert type(y) is Tensor
        assert not y.requires_grad
        assert y.dtype == ("int64" if name == "one_hot" else dtype)
        for x, kept in zip(given, before, strict=True):
            np.testing.assert_array_equal(x, kept)


def test_functions_of_lists_and_numbers_return_tensors():
    assert isinstance(F.relu([-1.0, 2.0]), Tensor)
    assert F.linear([[1.0, 2.0]], [[3.0, 4.0]], [5.0]).tolist() == [[16.0]]
    assert F.relu(np.float64(-2.0)).item() == 0.0


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.ones((2, 3), int), np.ones((2, 3), np.uint8)])
def test_inputs_take_the_dtype_of_the_weight(x):
    weight = Tensor(np.ones((4, 3), np.float32), requires_grad=True)
    y = F.linear(x, weight, np.zeros(4))
    y.sum().backward()
    assert y.dtype == weight.grad.dtype == np.float32
    assert weight.grad.tolist() == [[2.0] * 3] * 4


def test_linear_keeps_no_input_that_no_gradient_reads():
    x = Tensor(X, requires_grad=True)
    y = F.linear(x, normal(2, 4))
    assert all(array is not x.data for array in y._node.saved if array is not None)


def test_step_is_0_or_1_and_passes_no_gradient():
    x = Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    y = F.step(x)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 1.0]
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_maxout_is_the_largest_of_linear_pieces():
    weights = normal(2, 3, 4)  # pieces, units, inputs
    pieces = F.linear(X, weights.transpose(1, 0, 2).reshape(6, 4))
    expected = np.maximum(X @ weights[0].T, X @ weights[1].T)
    np.testing.assert_allclose(F.maxout(pieces, 2).numpy(), expected)


def test_radial_basis_is_the_sum_of_squares():
    centers = normal(5, 4)
    np.testing.assert_allclose(F.radial_basis(X, centers).numpy(), ((X[:, None] - centers) ** 2).sum(axis=-1))


@pytest.mark.parametrize(
    "function",
    [
        F.sigmoid,
        F.tanh,
        F.relu,
        F.leaky_relu,
        F.elu,
        F.selu,
        F.silu,
        F.mish,
        F.gelu,
        F.softplus,
        F.softmax,
        F.log_softmax,
        F.logsigmoid,
        F.softsign,
        F.hardtanh,
        F.step,
    ],
)
def test_activations_are_finite_far_out_in_float32(function):
    x = Tensor(np.float32([-1e4, -100.0, 0.0, 100.0, 1e4]), requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


# Dropout


def test_dropout_zeroes_a_share_and_keeps_the_mean():
    autograd.manual_seed(0)
    y = F.dropout(np.ones(100_000), 0.3).numpy()
    assert abs((y == 0).mean() - 0.3) < 0.01
    np.testing.assert_allclose(y[y != 0], 1 / 0.7)
    assert F.dropout(np.ones(5), 0.3, training=False).tolist() == [1.0] * 5
    assert F.dropout(np.ones(5), 1.0).tolist() == [0.0] * 5


def test_dropout_draws_from_the_shared_generator():
    autograd.manual_seed(3)
    first = F.dropout(X)
    autograd.manual_seed(3)
    assert (F.dropout(X) == first.numpy()).all()


def test_the_gradient_of_dropout_goes_where_the_numbers_went():
    x = Tensor(np.ones((50, 50), np.float32), requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    assert (x.grad.numpy() == y.numpy()).all()
    assert y.dtype == np.float32


def test_dropout2d_zeroes_whole_channels():
    y = F.dropout2d(np.ones((8, 16, 3, 3))).numpy().reshape(8, 16, 9)
    assert set(y.mean(axis=-1).ravel()) == {0.0, 2.0}


# Embedding and attention


def test_the_padding_row_gets_no_gradient():
    weight = Tensor(X, requires_grad=True)
    F.embedding([0, 1, 1, 2], weight, padding_idx=1).sum().backward()
    assert weight.grad.tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4]


def test_a_place_that_may_attend_to_nothing_gets_zeros():
    q = Tensor(normal(3, 4), requires_grad=True)
    for nothing in (np.zeros((3, 5), bool), np.full((3, 5), -np.inf)):
        q.grad = None
        y = F.scaled_dot_product_attention(q, normal(5, 4), normal(5, 2), nothing)
        y.sum().backward()
        assert (y.numpy() == 0).all()
        assert (q.grad.numpy() == 0).all()


def test_attention_dropout_follows_the_seed():
    autograd.manual_seed(1)
    first = F.scaled_dot_product_attention(X, X, X, dropout_p=0.5)
    autograd.manual_seed(1)
    assert (F.scaled_dot_product_attention(X, X, X, dropout_p=0.5) == first.numpy()).all()


# Running statistics


def test_batch_norm_moves_its_running_statistics_in_place():
    x = normal(6, 3)
    mean, var = Tensor(np.zeros(3, np.float32)), Tensor(np.ones(3, np.float32))
    arrays = mean.data, var.data
    F.batch_norm(x, mean, var, training=True, momentum=0.2)
    assert mean.data is arrays[0]
    assert var.data is arrays[1]
    np.testing.assert_allclose(mean.numpy(), 0.2 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(var.numpy(), 0.8 + 0.2 * x.var(axis=0, ddof=1), rtol=1e-5)


# What is refused


def test_what_does_not_fit_is_refused_by_name():
    for message, call in {
        r"linear: .*\(3, 4\) and \(2, 3\)": lambda: F.linear(X, normal(2, 3)),
        r"linear: expected a bias of shape \(2,\)": lambda: F.linear(X, normal(2, 4), normal(3)),
        "bilinear: expected": lambda: F.bilinear(X, X, normal(5, 4, 3)),
        "radial_basis: expected": lambda: F.radial_basis(X, normal(5, 3)),
        "maxout: groups of 3 do not fit": lambda: F.maxout(X, 3),
        "prelu: expected one weight": lambda: F.prelu(X, normal(3)),
        r"conv2d: expected \(N, C, H, W\) or \(C, H, W\), got \(3, 4\)": lambda: F.conv2d(X, normal(1, 1, 2, 2)),
        "embedding: expected a target of integers|embedding: .*integers": lambda: F.embedding([0.5], X),
        "dropout: p is a probability": lambda: F.dropout(X, 1.5),
        "dropout2d: expected": lambda: F.dropout2d(X),
        "adaptive_avg_pool2d: output_size": lambda: F.adaptive_avg_pool2d(IMAGES, 0),
        "interpolate: give either": lambda: F.interpolate(IMAGES),
        "interpolate: expected .* with 'cubic'": lambda: F.interpolate(IMAGES, 3, mode="cubic"),
        "pad: expected a pair": lambda: F.pad(X, (1,)),
        "pad: mode is": lambda: F.pad(X, (1, 1), "mirror"),
        "batch_norm: expected more than 1 value": lambda: F.batch_norm(normal(1, 3), None, None, training=True),
        r"batch_norm: expected a weight of shape \(4,\)": lambda: F.batch_norm(IMAGES, None, None, normal(3)),
        "layer_norm: expected an input whose last axes": lambda: F.layer_norm(X, 3),
        "group_norm: 3 groups do not divide": lambda: F.group_norm(IMAGES, 3),
        "one_hot: 0 to 3 are out of range": lambda: F.one_hot([0, 3], 3),
        "give attn_mask or is_causal": lambda: F.scaled_dot_product_attention(X, X, X, np.ones((3, 3)), is_causal=True),
        "expected a mask that broadcasts": lambda: F.scaled_dot_product_attention(X, X, X, np.ones((2, 3))),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()


def test_an_index_out_of_range_is_refused_as_that():
    for wrong in (3, -1):
        with pytest.raises(IndexError, match=f"embedding: index {wrong} is out of range for 3 rows"):
            F.embedding([0, wrong], X)


class TestNothing:
    """Batches of no examples, and shapes of which nothing would be left."""

    @pytest.mark.parametrize("out", [2, 3])
    def test_adaptive_pooling(self, out):
        images = np.zeros((0, 3, 4, 4))
        assert F.adaptive_avg_pool2d(images, out).shape == (0, 3, out, out)
        assert F.adaptive_max_pool2d(images, out).shape == (0, 3, out, out)
        with pytest.raises(ValueError, match="at least one number"):
            F.adaptive_avg_pool2d(np.zeros((2, 3, 0, 4)), out)

    def test_other_functions(self):
        assert F.local_response_norm(np.zeros((0, 3, 4)), 2).shape == (0, 3, 4)
        assert np.isnan(F.cross_entropy(np.zeros((0, 3)), np.zeros((0, 3))).item())
        assert F.cross_entropy(np.zeros((0, 3)), np.zeros((0, 3)), reduction="sum").item() == 0.0

    @pytest.mark.parametrize("momentum", [0.1, None])
    def test_running_statistics_stay(self, momentum):
        norm = nn.BatchNorm1d(2, momentum=momentum)
        norm(np.zeros((0, 2)))
        assert (norm.running_mean.tolist(), norm.running_var.tolist()) == ([0.0, 0.0], [1.0, 1.0])

    @pytest.mark.parametrize("frame", [(0, -3), (-4, -3), (-3, 2)])
    def test_cropping_more_than_there_is(self, frame):
        with pytest.raises(ValueError, match="crops more"):
            F.pad(np.arange(2.0), frame)
        assert F.pad(np.arange(5.0), (-2, -3)).shape == (0,)

    def test_an_image_that_shrinks_away(self):
        for mode in ("nearest", "linear"):
            with pytest.raises(ValueError, match="nothing would be left"):
                F.interpolate(np.zeros((1, 1, 4)), scale_factor=0.1, mode=mode)


def test_sizes_may_be_numbers_of_numpys():
    assert nn.AdaptiveAvgPool2d(np.int64(2))(np.zeros((1, 1, 4, 4))).shape == (1, 1, 2, 2)
    assert F.layer_norm(np.zeros((2, 3)), np.int64(3)).shape == (2, 3)


def test_a_bias_that_does_not_fit_is_refused_by_bilinear():
    with pytest.raises(ValueError, match="expected a bias"):
        F.bilinear(np.ones((5, 2)), np.ones((5, 2)), np.ones((3, 2, 2)), np.ones((5, 1, 3)))


MASKS_OF_NUMBERS = [
    lambda mask: F.scaled_dot_product_attention(X, X, X, mask),
    lambda mask: nn.MultiheadAttention(4, 2)(X, X, X, attn_mask=mask),
    lambda mask: nn.MultiheadAttention(4, 2)(X, X, X, key_padding_mask=mask[0]),
]


@pytest.mark.parametrize("attend", MASKS_OF_NUMBERS)
@pytest.mark.parametrize("dtype", [int, np.uint8])
def test_a_mask_of_integers_is_refused(attend, dtype):
    with pytest.raises(TypeError, match=r"np.asarray\(mask, bool\)"):
        attend(np.tri(3, dtype=dtype))
    attend(np.tri(3, dtype=bool))
    attend(np.tri(3))


FAR = {
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x[:, :, 0], 3), 1),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 3), 1),
    "linear": (lambda x: F.interpolate(x[:, :, 0], scale_factor=2, mode="linear"), 3),
    "bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), 9),
    "corners": (lambda x: F.interpolate(x, 9, mode="bilinear", align_corners=True), 4),
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_stays_where_it_is(name, value):
    function, reached = FAR[name]
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 0, 0] = value
    assert np.count_nonzero(np.isfinite(function(x).numpy()) == 0) == reached
    assert not np.isnan(function(x).numpy()).any() or np.isnan(value)
    x = Tensor(np.ones((1, 1, 5, 5)), requires_grad=True)
    out = function(x)
    g = np.ones(out.shape)
    g.flat[0] = value
    out.backward(g)
    assert 1 <= np.count_nonzero(np.isfinite(x.grad.numpy()) == 0) <= 4


def test_half_precision_goes_further_on_the_way():
    x = (np.random.default_rng(0).normal(size=(4, 6)) * 300).astype(np.float16)
    wide = x.astype(np.float32)
    for function in (
        lambda x: F.layer_norm(x, 6),
        lambda x: F.group_norm(x, 2),
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.normalize(x),
        lambda x: F.cosine_similarity(x, x[::-1]),
        lambda x: F.pairwise_distance(x, x[::-1]),
    ):
        t, u = Tensor(x, requires_grad=True), Tensor(wide, requires_grad=True)
        found, expected = function(t), function(u)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=2e-3, atol=1e-3)
        found.sum().backward()
        expected.sum().backward()
        np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=2e-2, atol=1e-3)
    norm = nn.BatchNorm1d(6, dtype=np.float16)
    norm(x)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * wide.var(axis=0, ddof=1), rtol=2e-3)
    norm.eval()
    np.testing.assert_allclose(
        norm(x).numpy(), (wide - norm.running_mean.numpy()) / norm.running_var.numpy() ** 0.5, 5e-3
    )
    assert F.avg_pool2d(np.full((1, 1, 4, 4), 30_000, np.float16), 2).numpy().max() == 30_000
    assert F.avg_pool2d(np.full((1, 1, 8, 8), 30_000, np.float16), 8).item() == 30_000


def test_one_number_has_no_variance_to_divide_by():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(2, track_running_stats=False).eval()(np.ones((1, 2)))
    with pytest.raises(ValueError, match="more than 1 value per group"):
        nn.GroupNorm(2, 2)(np.ones((1, 2)))


def test_complex_numbers_are_interpolated_with_their_infinities():
    x = np.ones((1, 1, 5), complex)
    x[0, 0, 1] = complex(np.inf, 1)
    assert not np.isfinite(F.interpolate(x, size=4, mode="linear").numpy()).all()


@pytest.mark.parametrize("value", [np.float64(20), np.int64(20), np.array(20.0), Tensor(20.0)])
def test_the_value_of_a_threshold_keeps_the_dtype(value):
    found = nn.Threshold(0.1, value)(np.array([0.0, 1.0], np.float32))
    assert found.dtype == np.float32
    assert found.tolist() == [20.0, 1.0]


@pytest.mark.parametrize(
    ("right", "wrong"), [((np.int64(0),) * 2, (np.float64(0),) * 2), (np.int8(1), np.True_), ((1, 1), (True, 1))]
)
def test_what_was_asked_before_does_not_make_a_wrong_option_right(right, wrong):
    x = np.zeros((1, 1, 6, 6))
    assert F.avg_pool2d(x, 2, 2, right).shape
    with pytest.raises(TypeError, match="padding is an integer"):
        F.avg_pool2d(x, 2, 2, wrong)
    with pytest.raises((TypeError, ValueError), match="stride"):
        F.max_pool2d(x, 2, (np.int8(-1),) * 2)
