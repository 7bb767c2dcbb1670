"""Losses as functions, with PyTorch's names and arguments; `nn.losses` has them as modules.

A prediction decides the dtype: floating and integer targets are cast to it. Shapes are not broadcast: (N, 1) against
(N,) is an error, not N * N numbers. `reduction` is "mean", "sum" or "none".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, ops
from autograd.operation import Array, operation
from nn.casting import casted, floating, narrowed, plain, widened, without_gradient
from nn.cross_entropy import class_weights, cross_entropy, find_labels, nll_loss, reduction_of

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "pairwise_distance",
    "smooth_l1_loss",
    "triplet_margin_loss",
]


def reduced(losses: Tensor, reduction: str, name: str) -> Tensor:
    """Return the mean or the sum of losses, or themselves."""
    if reduction_of(reduction, name) == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if not losses.size:  # NumPy's mean of nothing warns
        return losses.sum() / losses.dtype.type("nan")
    return losses.mean()


def pair(input: Any, target: Any, name: str) -> tuple[Tensor, Tensor]:
    """Return a prediction and a target of the same shape and dtype."""
    x = floating(input, name)
    y = casted(target, x)
    if x.shape != y.shape:
        hint = ": reshape one of them" if x.size == y.size else ""
        raise ValueError(f"{name}: input and target must have the same shape, not {x.shape} and {y.shape}{hint}")
    if y.dtype != x.dtype:
        raise TypeError(f"{name}: expected a target of real numbers, got {y.dtype}")
    return x, y


# Regression


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared error (input - target)². Half of its sum is the ½Σ(y - t)² of the textbooks, whose gradient is y - t.

    >>> mse_loss([1.0, 3.0], [0.0, 0.0]).item()
    5.0
    """
    x, y = pair(input, target, "mse_loss")
    return reduced(ops.square(x - y), reduction, "mse_loss")


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute error |input - target|; its gradient is 0 where they are equal.

    >>> l1_loss([1.0, 4.0], [1.0, 2.0]).item()
    1.0
    """
    x, y = pair(input, target, "l1_loss")
    return reduced(ops.absolute(x - y), reduction, "l1_loss")


@operation(x=lambda g, x, delta: g * ops.clip(x, -delta, delta))
def huber(x: Array, delta: float) -> Array:
    """Return x²/2 where |x| <= delta, and the straight line that continues it beyond."""
    size = np.minimum(abs(x), delta)
    return size * (abs(x) - 0.5 * size)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Half the squared error where |input - target| <= delta, delta * (|input - target| - delta / 2) beyond.

    Raises
    ------
    ValueError : shapes differ; `delta` is not positive.

    Examples
    --------
    >>> huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is positive, not {delta}")
    x, y = pair(input, target, "huber_loss")
    return reduced(huber(x - y, float(delta)), reduction, "huber_loss")


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Return `huber_loss` with delta = beta, over beta: its slope far out is 1, as of `l1_loss`, which beta = 0 gives.

    Raises
    ------
    ValueError : shapes differ; `beta` is negative.

    Examples
    --------
    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta is 0 or positive, not {beta}")
    x, y = pair(input, target, "smooth_l1_loss")
    losses = huber(x - y, float(beta)) / float(beta) if beta else ops.absolute(x - y)
    return reduced(losses, reduction, "smooth_l1_loss")


# Two classes, and distributions

LOWEST_LOG = -100.0  # what the logarithm of a probability of 0 is taken for, as in PyTorch
NO_DIVISION_BY_LESS = 1e-12


def log_of_probability(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), LOWEST_LOG)


def log_of_rest(x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log1p(-x), LOWEST_LOG)


@operation(
    x=lambda g, x, y: g * ((x - y) / np.maximum(x * (1 - x), NO_DIVISION_BY_LESS)),
    y=lambda g, x: g * (log_of_rest(x) - log_of_probability(x)),
)
def cross_entropy_of_probability(x: Array, y: Array) -> Array:
    return -(y * log_of_probability(x) + (1 - y) * log_of_rest(x))


def weighted(losses: Tensor, weight: Any, name: str) -> Tensor:
    """Return losses times a weight that broadcasts to them."""
    if weight is None:
        return losses
    weight = casted(weight, losses)
    try:
        fits = np.broadcast_shapes(weight.shape, losses.shape) == losses.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: expected a weight that broadcasts to {losses.shape}, got {weight.shape}")
    return losses * weight


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy -(t log p + (1 - t) log(1 - p)) of probabilities `input` with targets from 0 to 1.

    Logarithms are taken for no less than -100, so that a loss is finite at 0 and 1, and the gradient divides by no less
    than 1e-12. After a sigmoid, `binary_cross_entropy_with_logits` is stable and quicker.

    weight : of each loss; broadcasts to the shape of `input`.

    Raises
    ------
    ValueError : shapes differ; an input or a target is outside 0 to 1, or NaN.

    >>> binary_cross_entropy([0.5, 1.0], [1, 0], reduction="none").tolist()
    [0.693147, 100.0]
    """
    name = "binary_cross_entropy"
    x, y = pair(input, target, name)
    values = plain(x)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"{name}: probabilities are between 0 and 1, the input reaches from {values.min():.6g} to "
            f"{values.max():.6g}; for scores use binary_cross_entropy_with_logits"
        )
    labels = plain(y)
    if labels.size and not (labels.min() >= 0 and labels.max() <= 1):
        raise ValueError(f"{name}: targets are between 0 and 1, these reach from {labels.min()} to {labels.max()}")
    return reduced(weighted(cross_entropy_of_probability(x, y), weight, name), reduction, name)


def logit_rule(g: Array, x: Array, y: Array, positive: Any) -> Array:
    return g * ((1 - y) * ops.sigmoid(x) - y * ops.sigmoid(-x) * positive)


@operation(x=logit_rule, y=lambda g, x, positive: g * (ops.log_sigmoid(-x) - ops.log_sigmoid(x) * positive))
def cross_entropy_of_logit(x: Array, y: Array, positive: Any) -> Array:
    """Both terms are accurate however small they are: neither comes of a difference of large numbers."""
    tail = np.log1p(np.exp(-abs(x)))
    return y * (np.maximum(-x, 0) + tail) * positive + (1 - y) * (np.maximum(x, 0) + tail)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Cross-entropy -(t log σ(x) + (1 - t) log(1 - σ(x))) of scores `input` with targets from 0 to 1.

    Its gradient is σ(x) - t; nothing overflows, however large x is.

    Parameters
    ----------
    weight : of each loss; broadcasts to the shape of `input`.
    pos_weight : a factor for the term of the positive class; broadcasts likewise. For one class in three that is
        positive, 2 makes up for that.

    Raises
    ------
    ValueError : shapes do not fit.

    Examples
    --------
    >>> binary_cross_entropy_with_logits([0.0, -1e4, 1e4], [1.0, 0.0, 0.0], reduction="none").tolist()
    [0.693147, 0.0, 10000.0]
    """
    name = "binary_cross_entropy_with_logits"
    x, y = pair(input, target, name)
    positive: Any = 1.0
    if pos_weight is not None:
        positive = weighted(
            Tensor(np.ones(x.shape, x.dtype)), without_gradient(pos_weight, f"{name}: pos_weight"), name
        ).data
    return reduced(weighted(cross_entropy_of_logit(x, y, positive), weight, name), reduction, name)


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence, target * (log target - input), of log-probabilities `input` from `target`.

    Parameters
    ----------
    input : log-probabilities.
    target : probabilities, or their logarithms with `log_target`. A probability of 0 contributes nothing.
    reduction : "batchmean" divides the sum by the size of the first axis, which is the divergence of an example;
        "mean" divides it by the number of elements.

    Raises
    ------
    ValueError : shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> kl_div(np.log([[0.5, 0.5]]), [[1.0, 0.0]], reduction="batchmean").item()
    0.693147
    """
    name = "kl_div"
    reduction_of(reduction, name, ("mean", "batchmean", "sum", "none"))
    x, y = pair(input, target, name)
    losses = ops.exp(y) * (y - x) if log_target else y * (ops.log(ops.where(plain(y) > 0, y, 1.0)) - x)
    if reduction != "batchmean":
        return reduced(losses, reduction, name)
    if not x.shape:
        raise ValueError(f"{name}: reduction='batchmean' needs an axis of examples, the input is a single number")
    return losses.sum() / float(max(1, x.shape[0]))


# Margins


def margins(input: Any, target: Any, margin: float, name: str) -> tuple[Tensor, Any]:
    """Return max(0, x_j - x_y + margin) for each class j, 0 for the right one, and the labels; one row an example."""
    x = floating(input, name)
    if len(x.shape) not in (1, 2):
        raise ValueError(f"{name}: expected an input of shape (N, C) or (C,), got {x.shape}")
    labels, _ = find_labels(x, target, None, name)
    if len(x.shape) == 1:
        x, labels = x[None], labels[None]
    rows = np.arange(len(labels))
    others = np.ones(x.shape, x.dtype)
    others[rows, labels] = 0
    return ops.relu(x - x[rows, labels][:, None] + float(margin)) * others, labels


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Multi-class hinge loss as PyTorch has it, Σ_{j≠y} max(0, margin - x_y + x_j)^p over the number of classes.

    Parameters
    ----------
    input : scores (N, C) or (C,).
    target : class indices (N,) or ().
    p : 1 or 2.
    weight : of each class, (C,): the loss of an example is multiplied by that of its class. The mean is over examples.

    Raises
    ------
    ValueError : shapes do not fit, a class is out of range, `p` is neither 1 nor 2.

    Examples
    --------
    >>> multi_margin_loss([[0.1, 0.8, 0.3]], [1]).item()
    0.2667
    """
    name = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{name}: p is 1 or 2, not {p!r}")
    z, labels = margins(input, target, margin, name)
    losses = (z if p == 1 else ops.square(z)).sum(axis=1) / float(z.shape[1])
    weight = class_weights(weight, z, name)
    if weight is not None:
        losses = losses * weight[labels]
    single = np.ndim(plain(input)) == 1 and reduction == "none"
    return reduced(losses[0] if single else losses, reduction, name)


def hinge_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Multi-class hinge loss of the lectures: Σ_{j≠y} max(0, x_j - x_y + margin), summed over classes, not averaged.

    `multi_margin_loss` divides that by the number of classes. Arguments as there; the name is ours.

    >>> hinge_loss([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0]], [0, 1], reduction="none").tolist()
    [2.9, 0.0]
    """
    name = "hinge_loss"
    z, _ = margins(input, target, margin, name)
    losses = z.sum(axis=1)
    single = np.ndim(plain(input)) == 1 and reduction == "none"
    return reduced(losses[0] if single else losses, reduction, name)


# Distances


def vectors(x1: Any, x2: Any, name: str) -> tuple[Tensor, Tensor]:
    """Return two inputs in the dtype of the first."""
    x = floating(x1, name)
    y = casted(x2, x)
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        raise ValueError(f"{name}: shapes {x.shape} and {y.shape} do not broadcast") from None
    return x, y


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return the p-norm of x1 - x2 + eps over the last axis; at a difference of 0 eps keeps its gradient finite.

    >>> pairwise_distance([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
    [5.0]
    """
    x, y = vectors(x1, x2, "pairwise_distance")
    difference = x - y + float(eps)
    return narrowed(ops.norm(widened(difference), float(p), -1, keepdim), difference.dtype)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between x1 and x2 along axis `dim`; norms are taken for no less than eps.

    >>> cosine_similarity([[1.0, 0.0]], [[1.0, 1.0]]).tolist()
    [0.7071]
    """
    x, y = vectors(x1, x2, "cosine_similarity")
    dtype, x, y = x.dtype, widened(x), widened(y)
    x = x / ops.clip(ops.norm(x, axis=dim, keepdims=True), min=eps)
    y = y / ops.clip(ops.norm(y, axis=dim, keepdims=True), min=eps)
    return narrowed((x * y).sum(axis=dim), dtype)


COSINE_EPS = 1e-12  # added to squared lengths, as in PyTorch


def cosine_embedding_loss(
    input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """Return 1 - cos(input1, input2) where the target is 1, and max(0, cos(input1, input2) - margin) where it is -1.

    input1, input2 : (N, D) with a target (N,), or (D,) with a target ().

    Raises
    ------
    ValueError : shapes do not fit; a target is neither 1 nor -1.

    Examples
    --------
    >>> cosine_embedding_loss([[1.0, 0.0]], [[0.0, 1.0]], [1]).item()
    1.0
    """
    name = "cosine_embedding_loss"
    x, y = pair(input1, input2, name)
    signs = plain(target)
    if len(x.shape) not in (1, 2) or signs.shape != x.shape[:-1]:
        raise ValueError(
            f"{name}: expected inputs (N, D) with a target (N,), or (D,) with a single one; got {x.shape} and "
            f"{signs.shape}"
        )
    if not ((signs == 1) | (signs == -1)).all():
        raise ValueError(f"{name}: a target is 1 or -1, got {np.unique(signs)}")
    lengths = (ops.square(x).sum(axis=-1) + COSINE_EPS) * (ops.square(y).sum(axis=-1) + COSINE_EPS)
    cosine = (x * y).sum(axis=-1) / ops.sqrt(lengths)
    losses = ops.where(signs == 1, 1.0 - cosine, ops.clip(cosine - float(margin), min=0.0))
    return reduced(losses, reduction, name)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin) with d the `pairwise_distance`.

    Parameters
    ----------
    anchor, positive, negative : of one shape, (N, D) or (D,).
    swap : take the distance of the negative to the positive where that is smaller than to the anchor.

    Raises
    ------
    ValueError : shapes differ; `margin` is not positive.

    Examples
    --------
    >>> triplet_margin_loss([[0.0]], [[1.0]], [[1.5]]).item()
    0.5
    """
    name = "triplet_margin_loss"
    if not margin > 0:
        raise ValueError(f"{name}: margin is positive, not {margin}")
    x, y = pair(anchor, positive, name)
    x, z = pair(x, negative, name)
    if not x.shape:
        raise ValueError(f"{name}: expected vectors (N, D) or (D,), got single numbers")
    near, far = pairwise_distance(x, y, p, eps), pairwise_distance(x, z, p, eps)
    if swap:
        far = ops.minimum(far, pairwise_distance(y, z, p, eps))
    return reduced(ops.clip(near - far + float(margin), min=0.0), reduction, name)
