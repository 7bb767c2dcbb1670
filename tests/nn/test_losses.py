"""Losses: closed forms, derivatives of both orders, far-out numbers, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import nn
from autograd import Tensor, gradcheck, gradgradcheck, gradients, is_grad_enabled, no_grad
from nn import functional as F
from nn import losses
from nn.cross_entropy import dense_composed, dense_cross_entropy, label_composed, label_cross_entropy
from tests.cases import normal

X, LABELS = normal(5, 4), np.array([0, 3, 1, 1, 2])
WEIGHT = np.array([0.5, 1.0, 2.0, 0.7])


def distribution(*shape, seed=7):
    p = np.exp(normal(*shape, seed=seed))
    return p / p.sum(axis=1, keepdims=True)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def one_hot(labels, classes):
    return np.eye(classes)[labels]


# Each takes the inputs that it is differentiated in.
P, Q = np.random.default_rng(3).uniform(0.1, 0.9, (2, 3, 4))
A, B, C = (normal(4, 3, seed=s) for s in (1, 2, 3))
DIFFERENTIABLE = {
    "MSELoss": [(nn.MSELoss(), (A, B))],
    "L1Loss": [(nn.L1Loss(), (A, B))],
    "SmoothL1Loss": [(nn.SmoothL1Loss(beta=0.7), (A, B)), (nn.SmoothL1Loss(beta=0.0), (A, B))],
    "HuberLoss": [(nn.HuberLoss(delta=0.7), (A, B))],
    "BCELoss": [(nn.BCELoss(), (P, Q)), (nn.BCELoss(weight=[[1.0], [2.0], [3.0]]), (P, Q))],
    "BCEWithLogitsLoss": [
        (nn.BCEWithLogitsLoss(), (A, Q.T)),
        (nn.BCEWithLogitsLoss(pos_weight=[1.0, 2.0, 3.0], weight=[0.1, 0.2, 0.3]), (A, Q.T)),
    ],
    "NLLLoss": [(lambda x, w=w: nn.NLLLoss(w)(x, LABELS), (X,)) for w in (None, WEIGHT)],
    "CrossEntropyLoss": [
        *(
            (nn.CrossEntropyLoss(w, label_smoothing=s), (X, distribution(5, 4)))
            for w in (None, WEIGHT)
            for s in (0, 0.2)
        ),
        *(
            (lambda x, w=w, s=s, i=i: nn.CrossEntropyLoss(w, ignore_index=i, label_smoothing=s)(x, LABELS), (X,))
            for w in (None, WEIGHT)
            for s in (0, 0.2)
            for i in (-100, 1)
        ),
        (lambda x: nn.CrossEntropyLoss()(x, np.array([[0, 1], [3, 2]])), (normal(2, 4, 2),)),
        (lambda x: nn.CrossEntropyLoss()(x, 2), (normal(4),)),
    ],
    "KLDivLoss": [
        (nn.KLDivLoss("batchmean"), (np.log(P), Q)),
        (nn.KLDivLoss("batchmean", log_target=True), (np.log(P), np.log(Q))),
    ],
    "MultiMarginLoss": [
        (lambda x, p=p, w=w: nn.MultiMarginLoss(p, 0.7, w)(x, LABELS), (X,)) for p in (1, 2) for w in (None, WEIGHT)
    ],
    "HingeLoss": [(lambda x: nn.HingeLoss()(x, LABELS), (X,)), (lambda x: nn.HingeLoss()(x, 1), (normal(4),))],
    "CosineEmbeddingLoss": [(lambda x, y: nn.CosineEmbeddingLoss(0.1)(x, y, [1, -1, 1, -1]), (A, B))],
    "TripletMarginLoss": [(nn.TripletMarginLoss(swap=s, p=p), (A, B, C)) for s in (False, True) for p in (2.0, 3.0)],
}


def test_every_loss_is_checked():
    assert set(DIFFERENTIABLE) == set(losses.__all__)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_equal_differences(name):
    for loss, inputs in DIFFERENTIABLE[name]:
        assert gradcheck(loss, *inputs)
        assert gradgradcheck(loss, *inputs)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_float32_stays_float32_beside_float64_targets(name):
    loss, inputs = DIFFERENTIABLE[name][0]
    x = Tensor(inputs[0], requires_grad=True, dtype=np.float32)
    result = loss(x, *inputs[1:])
    result.backward()
    assert result.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if n not in {"CosineEmbeddingLoss", "TripletMarginLoss"}])
def test_reductions_agree(name):
    kind = getattr(nn, name)
    target = LABELS if name in {"NLLLoss", "CrossEntropyLoss", "MultiMarginLoss", "HingeLoss"} else distribution(5, 4)
    x = distribution(5, 4, seed=1)
    each = kind(reduction="none")(x, target).numpy()
    np.testing.assert_allclose(kind(reduction="sum")(x, target).item(), each.sum())
    np.testing.assert_allclose(kind(reduction="mean")(x, target).item(), each.mean())
    with pytest.raises(ValueError, match="reduction is 'mean'"):
        kind(reduction="median")


# Closed forms


@pytest.mark.parametrize("target", [LABELS, one_hot(LABELS, 4), distribution(5, 4)])
def test_gradient_of_softmax_cross_entropy_is_softmax_less_gold(target):
    x = Tensor(X, requires_grad=True)
    F.cross_entropy(x, target, reduction="sum").backward()
    gold = one_hot(target, 4) if target.ndim == 1 else target
    np.testing.assert_allclose(x.grad.numpy(), softmax(X) - gold, atol=1e-14)


def test_cross_entropy_is_the_nll_of_the_log_softmax():
    found = F.cross_entropy(X, LABELS, WEIGHT, 1, "none")
    np.testing.assert_allclose(found.numpy(), F.nll_loss(F.log_softmax(X, 1), LABELS, WEIGHT, 1, "none").numpy())


def test_indices_and_one_hot_rows_give_the_same_loss():
    for smoothing in (0.0, 0.3):
        by_index = F.cross_entropy(X, LABELS, label_smoothing=smoothing)
        by_row = F.cross_entropy(X, one_hot(LABELS, 4), label_smoothing=smoothing)
        np.testing.assert_allclose(by_index.item(), by_row.item())


@pytest.mark.parametrize("divisor", [None, 1, 3.7])
def test_joint_rule_equals_composed_form(divisor):
    kept = np.array([True, False, True, True, True])
    for weight in (None, WEIGHT):
        for smoothing in (0.0, 0.2):
            for mask in (None, kept):
                arguments = (LABELS, mask, weight, smoothing, divisor)
                agree(label_cross_entropy, label_composed, (X,), arguments)
            agree(dense_cross_entropy, dense_composed, (X, distribution(5, 4)), (weight, smoothing, divisor))


def agree(joint, composed, inputs, options):
    ours = [Tensor(x, requires_grad=True) for x in inputs]
    theirs = [Tensor(x, requires_grad=True) for x in inputs]
    a, b = joint(*ours, *options), composed(*theirs, *options)
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-14)
    seed = Tensor(normal(*a.shape))
    for x, y in zip(gradients(a, ours, seed), gradients(b, theirs, seed), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), atol=1e-14)


def test_gradient_of_bce_with_logits_is_sigmoid_less_target():
    x = Tensor(A, requires_grad=True)
    F.binary_cross_entropy_with_logits(x, Q.T, reduction="sum").backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 / (1 + np.exp(-A)) - Q.T)


def test_bce_of_the_sigmoid_is_bce_with_logits():
    np.testing.assert_allclose(
        F.binary_cross_entropy(F.sigmoid(A), Q.T).item(), F.binary_cross_entropy_with_logits(A, Q.T).item()
    )


def test_half_the_sum_of_squares_has_the_error_as_gradient():
    x = Tensor(A, requires_grad=True)
    (0.5 * F.mse_loss(x, B, reduction="sum")).backward()
    np.testing.assert_allclose(x.grad.numpy(), A - B)


def test_hinge_loss_is_the_sum_of_the_lectures():
    expected = [sum(max(0, row[j] - row[y] + 1) for j in range(4) if j != y) for row, y in zip(X, LABELS, strict=True)]
    np.testing.assert_allclose(F.hinge_loss(X, LABELS, reduction="none").numpy(), expected)
    np.testing.assert_allclose(F.hinge_loss(X, LABELS).item(), np.mean(expected))
    np.testing.assert_allclose(F.multi_margin_loss(X, LABELS).item(), np.mean(expected) / 4)


def test_kl_of_a_distribution_from_itself_is_zero_and_zeros_contribute_nothing():
    p = distribution(3, 4)
    np.testing.assert_allclose(F.kl_div(np.log(p), p, reduction="batchmean").item(), 0, atol=1e-15)
    x = Tensor(np.log([[0.5, 0.5]]), requires_grad=True)
    F.kl_div(x, [[1.0, 0.0]], reduction="sum").backward()
    assert x.grad.tolist() == [[-1.0, 0.0]]


# Far out, in single precision


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_cross_entropy_is_exact_far_out(size):
    x = Tensor(np.array([[size, 0, -size]], np.float32), requires_grad=True)
    loss = F.cross_entropy(x, [1])
    loss.backward()
    assert loss.item() == 1e4
    assert x.grad.tolist() == ([[1.0, -1.0, 0.0]] if size > 0 else [[0.0, -1.0, 1.0]])
    close = Tensor(np.float32([[1e4, 1e4]]), requires_grad=True)
    np.testing.assert_allclose(F.cross_entropy(close, [0]).item(), np.log(2), rtol=1e-6)


@pytest.mark.parametrize("shape", [(50, 10), (600, 500), (40, 6, 30, 30)])
@pytest.mark.parametrize("scale", [0.5, 0.98, 1.02, 50.0])
def test_cross_entropy_of_scores_of_any_size(two_threads, shape, scale):
    """Small scores are taken as they are, others less their maximum: by pieces, so that both occur."""
    x = normal(*shape)
    x[: len(x) // 2] *= scale * 4 / abs(x).max()
    labels = np.random.default_rng(0).integers(0, shape[1], (shape[0], *shape[2:]))
    found = []
    for dtype in (np.float32, np.float64):
        scores = Tensor(x.astype(np.float32).astype(dtype), requires_grad=True)
        losses = F.cross_entropy(scores, labels, reduction="none", label_smoothing=0.1)
        losses.backward(np.ones(losses.shape, dtype))
        found.append((losses.detach().numpy(), scores.grad.numpy()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=2e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 12, 5000, 20000])
def test_cross_entropy_keeps_the_digits_of_small_losses(classes):
    x = np.linspace(-100, -12, classes)[None].astype(np.float32)
    for score in (-12, 0.5, 4, 20):
        x[0, 3 % classes] = score
        found = F.cross_entropy(Tensor(x), [3 % classes]).item()
        exact = F.cross_entropy(Tensor(x.astype(float)), [3 % classes]).item()
        assert found >= 0
        assert abs(found - exact) <= 2.5e-7 + 1e-6 * exact


def test_bce_with_logits_is_accurate_far_out():
    x = Tensor(np.float32([1e4, -1e4, -50.0, 50.0]), requires_grad=True)
    each = F.binary_cross_entropy_with_logits(x, [0.0, 1.0, 0.0, 1.0], reduction="none")
    np.testing.assert_allclose(each.numpy(), [1e4, 1e4, np.exp(-50), np.exp(-50)], rtol=1e-6)
    each.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1.0, -1.0, np.exp(-50), -np.exp(-50)], rtol=1e-5)


def test_every_loss_is_finite_far_out():
    x = np.float32([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    for loss in (F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits):
        finite(loss, x, np.ones_like(x))
    for loss in (F.cross_entropy, F.hinge_loss, F.multi_margin_loss):
        finite(loss, x, np.array([2, 0]))
    finite(lambda x, y: F.cosine_embedding_loss(x, y, [1, -1]), x, x + 1)
    finite(lambda x, y: F.triplet_margin_loss(x, y, y + 1), x, x)


def finite(loss, x, target):
    x = Tensor(x, requires_grad=True)
    result = loss(x, target)
    result.backward()
    assert np.isfinite(result.item())
    assert np.isfinite(x.grad.numpy()).all()


def test_probabilities_of_0_and_1_have_finite_losses():
    x = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, [0.0, 1.0, 1.0, 0.0], reduction="none")
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0]
    loss.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, -1e12, 1e12]


@pytest.mark.parametrize("target", [[-1.0, 1.0], [1, 2], [0.5, np.nan], [0.0, 1.0000001]])
def test_targets_that_are_no_probabilities_are_refused(target):
    with pytest.raises(ValueError, match="targets are between 0 and 1"):
        F.binary_cross_entropy([0.1, 0.9], target)


def test_scores_of_minus_infinity_are_never_chosen():
    x = Tensor([[0.0, 0.0, -np.inf]], requires_grad=True)
    loss = F.cross_entropy(x, [0])
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log(2))
    assert x.grad.tolist() == [[-0.5, 0.5, 0.0]]


@pytest.mark.parametrize("scores", [[np.inf, 0.0, 1.0], [-np.inf] * 3, [np.nan, 0.0, 1.0]])
@pytest.mark.parametrize("target", [[1, 0], [[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]]])
def test_scores_without_a_softmax_have_no_loss(scores, target):
    x = Tensor([scores, [1.0, 2.0, 3.0]], requires_grad=True)
    losses = F.cross_entropy(x, target, reduction="none")
    losses.sum().backward()
    assert np.isnan(losses.numpy()).tolist() == [True, False]
    assert np.isnan(x.grad.numpy()).tolist() == [[True] * 3, [False] * 3]


# At the kinks: PyTorch's conventions


def test_gradients_at_kinks():
    zeros = np.zeros(2)
    assert gradient(lambda x: F.l1_loss(x, zeros, "sum"), zeros) == [0.0, 0.0]
    assert gradient(lambda x: F.huber_loss(x, zeros, "sum"), np.array([1.0, -1.0])) == [1.0, -1.0]
    assert gradient(lambda x: F.hinge_loss(x, 0), np.array([1.0, 0.0])) == [0.0, 0.0]  # relu'(0) = 0
    assert gradient(lambda x: F.triplet_margin_loss(x, x.detach(), x.detach() + 5.0), np.array([1.0])) == [0.0]


def gradient(function, x):
    x = Tensor(x, requires_grad=True)
    function(x).backward()
    return x.grad.tolist()


# What is ignored, empty or weighted


def test_ignored_examples_get_no_gradient_and_do_not_count():
    labels = np.where(np.arange(5) == 2, -100, LABELS)
    x = Tensor(X, requires_grad=True)
    loss = F.cross_entropy(x, labels)
    loss.backward()
    rest = np.delete(np.arange(5), 2)
    np.testing.assert_allclose(loss.item(), F.cross_entropy(X[rest], LABELS[rest]).item())
    assert (x.grad.numpy()[2] == 0).all()
    assert np.isnan(F.cross_entropy(X, np.full(5, -100)).item())
    assert F.cross_entropy(X, np.full(5, -100), reduction="sum").item() == 0


def test_mean_of_nothing_is_nan_and_sum_is_zero():
    for loss in (F.mse_loss, F.l1_loss, F.binary_cross_entropy):
        assert np.isnan(loss(np.zeros(0), np.zeros(0)).item())
        assert loss(np.zeros(0), np.zeros(0), reduction="sum").item() == 0
    assert np.isnan(F.cross_entropy(np.zeros((0, 3)), np.zeros(0, int)).item())


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_integer_dtype_as_array_tensor_or_list(dtype):
    expected = F.cross_entropy(X, LABELS).item()
    for labels in (LABELS.astype(dtype), Tensor(LABELS.astype(dtype)), LABELS.tolist()):
        assert F.cross_entropy(X, labels).item() == expected


def test_labels_may_change_after_the_forward_pass():
    x, labels = Tensor(X, requires_grad=True), LABELS.copy()
    loss = F.cross_entropy(x, labels, reduction="sum")
    labels[:] = 0
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), softmax(X) - one_hot(LABELS, 4), atol=1e-14)


def test_one_array_like_the_scores_is_kept_for_a_gradient_and_none_without():
    scores = normal(64, 1000)
    x = Tensor(scores, requires_grad=True)

    def kept(x: Tensor) -> int:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        loss = F.cross_entropy(x, np.zeros(64, int))
        found = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert loss.requires_grad == (x.requires_grad and is_grad_enabled())
        return found

    assert kept(x) < scores.nbytes * 1.05
    assert kept(x.detach()) < scores.nbytes / 20
    with no_grad():
        assert kept(x) < scores.nbytes / 20


@pytest.mark.parametrize("target", [LABELS, softmax(X)])
def test_backward_may_come_again_and_change_no_gradient_that_it_gave(target):
    x = Tensor(X, requires_grad=True)
    loss = F.cross_entropy(x, target)
    loss.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    x.grad.data[...] += 1  # its own array, not what the loss keeps
    x.zero_grad()
    loss.backward(retain_graph=True)
    np.testing.assert_array_equal(x.grad.numpy(), first)
    (loss * 3).backward()
    np.testing.assert_allclose(x.grad.numpy(), first * 4, rtol=1e-14)


@pytest.mark.parametrize("dense", [False, True])
def test_a_scaled_loss_keeps_the_gradient_of_half_precision(dense):
    scores, labels = normal(256, 1000), np.arange(256)
    x = Tensor(scores.astype("float16"), requires_grad=True)
    target = one_hot(labels, 1000).astype("float16") if dense else labels
    (F.cross_entropy(x, target) * 1024.0).backward()
    expected = (softmax(x.data.astype(float)) - one_hot(labels, 1000)) * 4
    error = np.abs(x.grad.numpy() - expected) / np.abs(expected)
    assert np.median(error) < 1e-3
    assert x.grad.dtype == np.float16


@pytest.mark.filterwarnings("error")
def test_weights_that_add_up_to_next_to_nothing():
    x = Tensor(np.zeros((2, 4), "float32"), requires_grad=True)
    loss = F.cross_entropy(x, [0, 1], weight=np.full(4, 1e-40))
    np.testing.assert_allclose(loss.item(), np.log(4), rtol=1e-5)
    with no_grad():
        np.testing.assert_allclose(F.cross_entropy(x, [0, 1], weight=np.full(4, 1e-40)).item(), np.log(4), rtol=1e-5)
    scores = Tensor([[0.0, 1.0], [1.0, 3.0]], requires_grad=True)
    loss = F.cross_entropy(scores, [0, 1], weight=[1.0, -1.0])  # as PyTorch: something over 0
    assert loss.item() == np.inf
    loss.backward()
    assert not np.isfinite(scores.grad.numpy()).any()


@pytest.mark.filterwarnings("error")
def test_what_is_ignored_sends_nothing_whatever_the_scale():
    labels = np.array([0, 9, 1, 9, 2])
    rows = labels == 9
    for scale in (1.0, 3.0, np.inf):
        x = Tensor(X, requires_grad=True)
        (F.cross_entropy(x, labels, ignore_index=9) * scale).backward()
        assert (x.grad.numpy()[rows] == 0).all()
        expected = (softmax(X) - one_hot(np.where(rows, 0, labels), 4))[~rows] / 3 * scale
        np.testing.assert_allclose(x.grad.numpy()[~rows], expected, atol=1e-14)


# What is refused


@pytest.mark.parametrize(
    "name", ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy", "kl_div"]
)
def test_different_shapes_are_refused_by_name(name):
    with pytest.raises(ValueError, match=rf"{name}: .*\(5, 1\).*\(5,\)"):
        getattr(F, name)(np.full((5, 1), 0.5), np.full(5, 0.5))


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss", "hinge_loss"])
def test_wrong_labels_are_refused_by_name(name):
    loss = getattr(F, name)
    with pytest.raises(ValueError, match=f"{name}: class 4 is out of range for 4 classes"):
        loss(X, [0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match=f"{name}: class -1 is out of range"):
        loss(X, [0, 1, 2, 3, -1])
    with pytest.raises(ValueError, match=rf"{name}: .*\(5,\).*\(5, 4\).*\(5, 1\)"):
        loss(X, LABELS[:, None])
    with pytest.raises(ValueError, match=f"{name}: "):
        loss(X, LABELS + 0.5)


def test_other_wrong_arguments_are_refused_by_name():
    for message, call in {
        "cross_entropy: label_smoothing": lambda: F.cross_entropy(X, LABELS, label_smoothing=1.5),
        r"cross_entropy: expected a weight of shape \(4,\)": lambda: F.cross_entropy(X, LABELS, [1.0]),
        "between 0 and 1, the input reaches from -0.5": lambda: F.binary_cross_entropy([-0.5], [1.0]),
        "reaches from nan": lambda: F.binary_cross_entropy([np.nan], [1.0]),
        r"broadcasts to \(4, 3\), got \(2,\)": lambda: F.binary_cross_entropy_with_logits(
            A, Q.T, pos_weight=[1.0, 2.0]
        ),
        "p is 1 or 2": lambda: F.multi_margin_loss(X, LABELS, p=3),
        "a target is 1 or -1": lambda: F.cosine_embedding_loss(A, B, [1, 0, 1, 1]),
        "margin is positive": lambda: F.triplet_margin_loss(A, B, C, margin=0.0),
        "delta is positive": lambda: F.huber_loss(A, B, delta=0.0),
        "beta is 0 or positive": lambda: F.smooth_l1_loss(A, B, beta=-1.0),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="mse_loss: expected a prediction of real numbers, got complex128"):
        F.mse_loss(A + 1j, B)


# As modules


def test_modules_show_their_options_and_keep_weights_as_buffers():
    assert repr(nn.MSELoss()) == "MSELoss()"
    assert repr(nn.HuberLoss("sum", 0.5)) == "HuberLoss(delta=0.5, reduction='sum')"
    loss = nn.CrossEntropyLoss(WEIGHT)
    assert list(loss.state_dict()) == ["weight"]
    np.testing.assert_allclose(loss(X, LABELS).item(), F.cross_entropy(X, LABELS, WEIGHT).item())
    assert list(nn.CrossEntropyLoss().state_dict()) == []


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 3.0]])
def test_ignored_examples_get_no_gradient_even_if_there_are_no_others(smoothing, weight):
    x = Tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]], requires_grad=True)
    loss = F.cross_entropy(x, [-100, -100], weight=weight, label_smoothing=smoothing)
    assert np.isnan(loss.item())  # the mean of nothing
    loss.backward()
    assert (x.grad.numpy() == 0).all()


def test_scores_in_place_of_a_weight_are_refused():
    scores = Tensor(np.zeros((2, 3)), requires_grad=True)
    with pytest.raises(TypeError, match=r"nn\.CrossEntropyLoss\(\)\(scores, target\)"):
        nn.CrossEntropyLoss(scores, [0, 1])


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, w: F.binary_cross_entropy_with_logits(x, [[1.0, 1.0]], pos_weight=w),
        lambda x, w: F.cross_entropy(x, [[0.5, 0.5]], weight=w),
        lambda x, w: F.cross_entropy(x, [0], weight=w),
        lambda x, w: F.nll_loss(x, [0], weight=w),
        lambda x, w: F.multi_margin_loss(x, [0], weight=w),
    ],
)
def test_weights_that_require_a_gradient_are_refused(loss):
    x, w = Tensor([[0.1, 0.2]], requires_grad=True), Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"weight has no gradient.*detach\(\)"):
        loss(x, w)
    with no_grad():
        assert loss(x, w).item() == loss(x, w.detach()).item()


def test_a_weight_of_the_positive_class_that_requires_a_gradient_is_refused_when_it_is_given():
    with pytest.raises(TypeError, match="pos_weight has no gradient"):
        nn.BCEWithLogitsLoss(pos_weight=Tensor([1.0, 2.0], requires_grad=True))
