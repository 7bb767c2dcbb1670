"""Softmax cross-entropy: the negative log-probability of the right class, from the scores themselves.

One operation from scores to loss. It computes the gradient along with the loss, while the exponentials of a few
examples are in cache, and sends it back as it is where the loss is what `backward()` is called on. With 10,000 classes
a training step takes 0.9 of the time that it takes to find the probabilities again. What is kept is that gradient, and
the scores for higher derivatives; one-hot targets are not stored.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, Final

import numpy as np

from autograd import Tensor, is_grad_enabled, ops
from autograd.blocks import in_pieces
from autograd.deferred import in_blocks
from autograd.kernels.exponentials import largest, of_small
from autograd.kernels.moments import total
from autograd.operation import Array, operation
from nn.casting import as_labels, casted, floating, without_gradient

__all__ = ["class_weights", "cross_entropy", "find_labels", "nll_loss", "reduction_of"]

# Of scores up to `MODEST` exponentials are taken as they are, if they add up to so much that no loss is below `MODEST`:
# being rounded as the logarithm of the sum is, it would lose digits. So many classes make that likely.
MODEST: Final = 4.0
CLASSES: Final = 4096
PIECE: Final = 1 << 19  # scores at a time: two threads take 0.75 of the time that they take with a quarter


def reduction_of(reduction: str, name: str, known: tuple[str, ...] = ("mean", "sum", "none")) -> str:
    """Return `reduction`, having refused an unknown one."""
    if reduction not in known:
        raise ValueError(f"{name}: reduction is {', '.join(map(repr, known))}, not {reduction!r}")
    return reduction


def find_labels(x: Array, target: Any, ignore_index: int | None, name: str) -> tuple[Any, Any]:
    """Return class indices for scores (N, C, ...) or (C,) and where they count: None if all do.

    Those that do not count become 0.
    """
    labels = as_labels(target, name)
    if not x.shape:
        raise ValueError(f"{name}: expected an input of shape (C,) or (N, C, ...), got a single number")
    expected = x.shape[:1] + x.shape[2:] if len(x.shape) > 1 else ()
    if labels.shape != expected:
        raise ValueError(
            f"{name}: expected class indices of shape {expected} for an input of shape {x.shape}, got {labels.shape}"
        )
    classes = x.shape[1] if len(x.shape) > 1 else x.shape[0]
    ignored_class = ignore_index is not None and 0 <= ignore_index < classes
    # As a number without a sign, one below 0 is large.
    if not labels.size or (labels.view(np.uintp).max() < classes and not ignored_class):
        return labels, None
    kept, low, high = None, labels.min(), labels.max()
    if ignore_index is not None and low <= ignore_index <= high:
        kept = labels != ignore_index
        labels = np.where(kept, labels, 0)
        low, high = labels.min(), labels.max()
    if low < 0 or high >= classes:
        raise ValueError(
            f"{name}: class {low if low < 0 else high} is out of range for {classes} classes; input {x.shape}, target "
            f"{labels.shape}"
        )
    return labels, kept


def class_weights(weight: Any, x: Array, name: str) -> Any:
    """Return a weight for each class as an array in the dtype of the scores, or None."""
    if weight is None:
        return None
    weight = without_gradient(weight, f"{name}: weight").astype(x.dtype)
    classes = x.shape[1] if len(x.shape) > 1 else x.shape[0]
    if weight.shape != (classes,):
        raise ValueError(f"{name}: expected a weight of shape {(classes,)}, one a class, got {weight.shape}")
    return weight


def by_class(weight: Any, x: Array) -> Any:
    """Return class weights so that they broadcast against scores (N, C, ...)."""
    return weight.reshape(-1, *(1,) * (len(x.shape) - 2))


def at(labels: Any) -> tuple[Any, ...]:
    """Return the index that picks, from scores (N, C, ...), those at `labels` (N, ...)."""
    if labels.ndim == 1:  # 3 us for the general way
        return np.arange(len(labels)), labels
    grid = np.ogrid[tuple(slice(n) for n in labels.shape)]
    return grid[0], labels, *grid[1:]


def averaged(losses: Array, divisor: Any) -> Array:
    """Return the sum of losses over `divisor`, or the losses if that is None; the mean of nothing is NaN."""
    if divisor is None:
        return losses
    found = losses.sum()
    with np.errstate(all="ignore") if not divisor else nullcontext():
        return found / losses.dtype.type(divisor)


def exponentials(x: Array, out: Array) -> tuple[Array, Array]:
    """Write the exponentials of scores, less their maximum over the classes, to `out`; return maxima and their sums.

    Small scores of many classes are taken as they are, with 0 for the maximum.
    """
    if x.shape[1] >= CLASSES:
        sums = of_small(x, (1,), MODEST, math.exp(2 * MODEST), out)
        if sums is not None:
            return np.zeros_like(sums), sums
    top = largest(x, (1,))
    np.exp(np.subtract(x, top, out=out), out=out)
    return top, total(out, (1,))


def share_of(divisor: Any, kept: Any, dtype: Any) -> Array:
    """Return what a loss counts for in the result: a number, or one for each example (N, 1, ...) if not all count."""
    share = dtype.type(1) if divisor is None else dtype.type(1) / dtype.type(divisor)
    return share if kept is None else np.where(np.expand_dims(kept, 1), share, dtype.type(0))


def sent_back(g: Array, to_input: Array, kept: Any = None) -> Array:
    """Return the gradient of an input from that of the loss, or of each loss, and from what it is where that is 1."""
    if not g.ndim and g == 1:
        return to_input
    if kept is not None:  # a choice, not a product: the mean of nothing sends NaN
        g = np.where(kept, g, g.dtype.type(0))
    return in_blocks(np.multiply, (to_input, np.expand_dims(g, 1) if g.ndim else g))


# Class indices


def label_rule(g: Array, needs: tuple[bool, ...], kept: Any, aux: Any) -> tuple[Array]:
    return (sent_back(g, aux, kept),)


def gold(x: Array, labels: Any, weight: Any, smoothing: float) -> tuple[Any, Any, Any]:
    """Return what a smoothed and weighted one-hot row holds at its label and elsewhere, and its sum (None for 1)."""
    one = x.dtype.type(1 - smoothing)
    hot = one if weight is None else weight[labels] * one
    if not smoothing:
        return hot, None, None if weight is None else np.expand_dims(hot, 1)
    share = x.dtype.type(smoothing / x.shape[1])
    if weight is None:
        return hot, share, None
    return hot, by_class(weight, x) * share, np.expand_dims(hot, 1) + weight.sum() * share


def label_composed(
    x: Array, labels: Any, kept: Any, weight: Any, smoothing: float, divisor: Any, sends: bool = True
) -> Array:
    log_p = ops.log_softmax(x, 1)
    hot, rest, _ = gold(x, labels, weight, smoothing)
    losses = -(log_p[at(labels)] * hot)
    if rest is not None:
        losses = losses - (log_p * rest).sum(axis=1)
    if kept is not None:
        losses = ops.where(kept, losses, 0.0)
    return averaged(losses, divisor)


@operation(name="cross_entropy", inputs=("x",), joint=label_rule, composed=label_composed, aux=True)
def label_cross_entropy(
    x: Array, labels: Any, kept: Any, weight: Any, smoothing: float, divisor: Any, sends: bool = True
) -> tuple[Array, Any]:
    """`sends` says whether to compute the gradient of the scores: softmax - gold, by what each loss counts for."""
    hot, rest, mass = gold(x, labels, weight, smoothing)
    to_x = np.empty_like(x) if sends else None

    def work(some: slice) -> Array:
        part, right = x[some], at(labels[some])
        room = np.empty_like(part) if to_x is None else to_x[some]
        top, sums = exponentials(part, room)
        log_sums = np.log(sums)
        losses = log_sums[:, 0] - (part[right] - top[:, 0])
        if mass is not None or rest is not None:
            losses *= of_some(hot, some)
        if rest is not None:
            losses += (log_sums * rest_of_all - ((part - top) * rest).sum(axis=1, keepdims=True))[:, 0]
        if to_x is not None:
            room *= of_some(factor, some) / sums
            if rest is not None:
                room -= of_some(each, some) * rest
            room[right] -= of_some(by_label, some)
        return losses

    with np.errstate(all="ignore"):  # scores may be Inf
        each = share_of(divisor, kept, x.dtype)
        factor = each if mass is None else each * mass
        by_label = hot * (each[:, 0] if each.ndim else each)
        rest_of_all = 0 if rest is None else rest.sum() if rest.ndim else rest * x.dtype.type(x.shape[1])
        pieces = in_pieces(work, len(x), x.size, PIECE)
        losses = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        if kept is not None:
            losses = np.where(kept, losses, 0)
        return averaged(losses, divisor), to_x


def of_some(numbers: Array, some: slice) -> Array:
    """Return those of some examples, of one number for each or one for all."""
    return numbers[some] if numbers.ndim else numbers


# A distribution over the classes


def smoothed(target: Array, weight: Any, smoothing: float) -> Array:
    """Return the distributions as the loss weighs them."""
    if smoothing:
        target = target * (1 - smoothing) + smoothing / target.shape[1]
    return target if weight is None else target * by_class(weight, target)


def dense_rule(g: Array, needs: tuple[bool, ...], aux: Any) -> list[Array]:
    return [sent_back(g, found) if need else None for need, found in zip(needs, aux, strict=True)]


def dense_composed(
    x: Array, target: Array, weight: Any, smoothing: float, divisor: Any, sends: tuple[bool, bool] = (True, True)
) -> Array:
    losses = -(ops.log_softmax(x, 1) * smoothed(target, weight, smoothing)).sum(axis=1)
    return averaged(losses, divisor)


@operation(name="cross_entropy", inputs=("x", "target"), joint=dense_rule, composed=dense_composed, aux=True)
def dense_cross_entropy(
    x: Array, target: Array, weight: Any, smoothing: float, divisor: Any, sends: tuple[bool, bool] = (True, True)
) -> tuple[Array, Any]:
    """`sends` says whether to compute the gradients of the scores and of the distributions."""
    to_x = np.empty_like(x)
    with np.errstate(all="ignore"):  # scores may be Inf
        each = share_of(divisor, None, x.dtype)
        top, sums = exponentials(x, to_x)
        minus_log_p = np.log(sums) - (x - top)
        q = smoothed(target, weight, smoothing)
        losses = averaged((minus_log_p * q).sum(axis=1), divisor)
        if sends[0]:
            to_x *= q.sum(axis=1, keepdims=True) * each / sums
            to_x -= q * each
        if sends[1]:
            minus_log_p *= each * (1 - smoothing)
            if weight is not None:
                minus_log_p *= by_class(weight, x)
    return losses, (to_x if sends[0] else None, minus_log_p if sends[1] else None)


# What users call


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy of scores with the right classes; its gradient is softmax(input) - gold.

    Parameters
    ----------
    input : scores (logits) of shape (C,), (N, C) or (N, C, d1, ...).
    target : class indices of any integer dtype, (), (N,) or (N, d1, ...); or probabilities in the shape of `input`,
        through which gradients flow too.
    weight : of each class, (C,).
    ignore_index : the class index of examples that do not count.
    reduction : "mean" over the examples that count, each by the weight of its class (for probabilities: over all);
        "sum"; or "none" for the loss of each.
    label_smoothing : the share of the probability, 0 to 1, that is spread evenly over all classes.

    Raises
    ------
    ValueError : shapes do not fit, a class is out of range, an unknown reduction.

    Examples
    --------
    >>> from autograd import Tensor
    >>> scores = Tensor([[1.0, 1.0], [0.0, 1e4]], requires_grad=True)
    >>> loss = cross_entropy(scores, [0, 1])
    >>> loss.backward()
    >>> round(loss.item(), 4), scores.grad.tolist()
    (0.3466, [[-0.25, 0.25], [0.0, 0.0]])
    """
    name = "cross_entropy"
    reduction_of(reduction, name)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: label_smoothing is between 0 and 1, not {label_smoothing}")
    x = floating(input, name)
    target = target if isinstance(target, Tensor) else np.asarray(target)
    weight = class_weights(weight, x, name) if x.shape else None
    recording = is_grad_enabled()
    sends = recording and x.requires_grad
    half = x.dtype.itemsize < 4  # the share of a loss in a mean would leave little of its gradient
    if target.dtype.kind == "f" and (target.size or target.shape == x.shape):
        if target.shape != x.shape or not x.shape:
            raise ValueError(
                f"{name}: expected probabilities of the shape of the input, {x.shape}, got {target.shape} "
                f"{target.dtype}; class indices are integers"
            )
        single = len(x.shape) == 1
        target = casted(target, x)
        x, target = (x[None], target[None]) if single else (x, target)
        divisor = {"mean": x.size / x.shape[1], "sum": 1, "none": None}[reduction]
        both = sends, recording and target.requires_grad
        losses = dense_cross_entropy(x, target, weight, label_smoothing, None if half else divisor, both)
    else:
        labels, kept = find_labels(x, target, ignore_index, name)
        single = len(x.shape) == 1
        if single:
            x, labels, kept = x[None], labels[None], None if kept is None else kept[None]
        divisor = divisor_of(labels, kept, weight, reduction)
        losses = label_cross_entropy(x, labels, kept, weight, label_smoothing, None if half else divisor, sends)
    if half:
        losses = averaged(losses, divisor)
    return losses[0] if single and divisor is None else losses


def divisor_of(labels: Any, kept: Any, weight: Any, reduction: str) -> Any:
    """Return what the sum of the losses is divided by: the weight of the examples that count; None for no sum."""
    if reduction != "mean":
        return {"sum": 1, "none": None}[reduction]
    if weight is None:
        return labels.size if kept is None else int(kept.sum())
    return weight[labels].sum() if kept is None else weight[labels[kept]].sum()


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Return the negative of what `input`, log-probabilities (C,), (N, C) or (N, C, d1, ...), holds at the right class.

    With `log_softmax` before it, `cross_entropy`, which is quicker. The arguments are those of `cross_entropy`.

    >>> import numpy as np
    >>> nll_loss(np.log([[0.5, 0.5], [0.2, 0.8]]), [0, 1], reduction="none").numpy().round(4)
    array([0.6931, 0.2231])
    """
    name = "nll_loss"
    reduction_of(reduction, name)
    x = floating(input, name)
    labels, kept = find_labels(x, target, ignore_index, name)
    weight = class_weights(weight, x, name)
    losses = -(x[at(labels)] if labels.ndim else x[int(labels)])
    if weight is not None:
        losses = losses * weight[labels]
    if kept is not None:
        losses = ops.where(kept, losses, 0.0)
    divisor = divisor_of(labels, kept, weight, reduction)
    return averaged(losses, divisor)
