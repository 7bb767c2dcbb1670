"""Layers, activations and losses as functions, with PyTorch's names and arguments.

They take tensors, arrays or nested lists and return tensors. Functions with a weight cast their input to its dtype, so
that a float64 array leaves a float32 model float32. `step`, `maxout`, `radial_basis` and `hinge_loss` are ours.

>>> import nn.functional as F
>>> F.cross_entropy(F.linear([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]]), [1]).item()
0.313262
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from autograd import Tensor, ops
from autograd.operation import Array, operation
from autograd.ops.arithmetic import keep
from autograd.ops.indexing import land
from autograd.ops.products import matrix_product
from autograd.random import shared_generator
from nn.casting import as_labels, casted, floating, given, narrowed, plain, widened
from nn.loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    pairwise_distance,
    smooth_l1_loss,
    triplet_margin_loss,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "elu",
    "embedding",
    "gelu",
    "group_norm",
    "hardtanh",
    "hinge_loss",
    "huber_loss",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "max_pool2d",
    "maxout",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "prelu",
    "radial_basis",
    "relu",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "step",
    "tanh",
    "threshold",
    "triplet_margin_loss",
]

Sizes = tuple[int, ...]
LITTLE: Final = 2048  # numbers of an input


# Activations


def relu(input: Any) -> Tensor:
    """max(x, 0); the gradient at 0 is 0.

    >>> relu([-1.0, 2.0]).tolist()
    [0.0, 2.0]
    """
    return ops.relu(given(input))


def leaky_relu(input: Any, negative_slope: float = 0.01) -> Tensor:
    """Return x where it is positive, `negative_slope` times x elsewhere.

    >>> leaky_relu([-1.0, 2.0], 0.1).tolist()
    [-0.1, 2.0]
    """
    return ops.leaky_relu(given(input), negative_slope)


def prelu(input: Any, weight: Any) -> Tensor:
    """Return x where it is positive, `weight` times x elsewhere: one weight, or one for each channel (axis 1).

    >>> prelu([-1.0, 2.0], [0.5]).tolist()
    [-0.5, 2.0]
    """
    weight = given(weight)
    x = casted(input, weight)
    if weight.size == 1:
        return ops.prelu(x, weight.reshape(()) if weight.shape else weight)
    if weight.ndim != 1 or x.ndim < 2 or x.shape[1] != weight.size:
        raise ValueError(f"prelu: expected one weight, or one for each channel of {x.shape}, got {weight.shape}")
    return ops.prelu(x, weight.reshape(-1, *(1,) * (x.ndim - 2)))


def elu(input: Any, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, alpha * (e^x - 1) elsewhere.

    >>> elu([-1.0, 2.0]).tolist()
    [-0.6321, 2.0]
    """
    return ops.elu(given(input), alpha)


def selu(input: Any) -> Tensor:
    """`elu` with the alpha and the scale that keep mean 0 and variance 1.

    >>> selu([-1.0, 1.0]).tolist()
    [-1.1113, 1.0507]
    """
    return ops.selu(given(input))


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e^-x).

    >>> sigmoid([0.0, 2.0]).tolist()
    [0.5, 0.8808]
    """
    return ops.sigmoid(given(input))


def logsigmoid(input: Any) -> Tensor:
    """log(sigmoid(x)), also where the sigmoid is 0 in floating point.

    >>> logsigmoid([0.0, -800.0]).tolist()
    [-0.6931, -800.0]
    """
    return ops.log_sigmoid(given(input))


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent.

    >>> tanh([0.0, 1.0]).tolist()
    [0.0, 0.7616]
    """
    return ops.tanh(given(input))


def silu(input: Any) -> Tensor:
    """Return x * sigmoid(x), also called swish.

    >>> silu([-1.0, 2.0]).tolist()
    [-0.2689, 1.7616]
    """
    return ops.silu(given(input))


def mish(input: Any) -> Tensor:
    """Return x * tanh(softplus(x)).

    >>> mish([-1.0, 2.0]).tolist()
    [-0.3034, 1.944]
    """
    return ops.mish(given(input))


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """Return x times the probability that a standard normal number is below x; `approximate` is "none" or "tanh".

    >>> gelu([-1.0, 2.0]).tolist()
    [-0.1587, 1.9545]
    """
    return ops.gelu(given(input), approximate)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, and x itself where beta x exceeds `threshold`.

    >>> softplus([0.0, 30.0]).tolist()
    [0.6931, 30.0]
    """
    return ops.softplus(given(input), beta, threshold)


def softsign(input: Any) -> Tensor:
    """Return x / (1 + |x|).

    >>> softsign([-1.0, 3.0]).tolist()
    [-0.5, 0.75]
    """
    return ops.softsign(given(input))


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return x limited to [min_val, max_val]; the gradient at the bounds is 0.

    >>> hardtanh([-3.0, 0.5, 3.0]).tolist()
    [-1.0, 0.5, 1.0]
    """
    return ops.hardtanh(given(input), min_val, max_val)


def threshold(input: Any, threshold: float, value: Any) -> Tensor:
    """Return x where it exceeds `threshold`, `value` elsewhere: PyTorch's. That of the lectures is `step`.

    >>> threshold([0.1, 0.7], 0.5, -1.0).tolist()
    [-1.0, 0.7]
    """
    x = given(input)
    if x.dtype.kind == "f" and type(value) not in (int, float):
        value = casted(value, x)
    return ops.where(x <= threshold, value, x)  # so that NaN stays


@operation(name="step", x=lambda g: keep(g, False) if not g.shape else keep(g, np.zeros(g.shape, bool)))
def step_of(x: Array) -> Array:
    return (x > 0).astype(x.dtype if x.dtype.kind == "f" else np.float64)


def step(input: Any) -> Tensor:
    """1 where x is positive, 0 elsewhere: the lectures' threshold. Its gradient is 0 everywhere.

    >>> step([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 1.0]
    """
    return step_of(given(input))


def softmax(input: Any, dim: int = -1) -> Tensor:
    """Exponentials over their sum along `dim`: the last axis if left out, where PyTorch guesses.

    >>> softmax([[0.0, 1.0], [2.0, 2.0]]).tolist()
    [[0.2689, 0.7311], [0.5, 0.5]]
    """
    return ops.softmax(given(input), dim)


def log_softmax(input: Any, dim: int = -1) -> Tensor:
    """log(softmax(x)) along `dim`: the last axis if left out.

    >>> log_softmax([0.0, 1.0]).tolist()
    [-1.3133, -0.3133]
    """
    return ops.log_softmax(given(input), dim)


def maxout(input: Any, pool_size: int, dim: int = -1) -> Tensor:
    """Take the largest of each `pool_size` consecutive numbers along `dim`.

    After a linear layer with `pool_size` outputs a unit, it is the lectures' max(w1ᵀx + b1, w2ᵀx + b2). Equal ones
    share the gradient.

    >>> maxout([[1.0, 5.0, 2.0, -1.0]], 2).tolist()
    [[5.0, 2.0]]
    """
    x = given(input)
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"maxout: dim={dim} is no axis of {x.shape}")
    dim %= x.ndim
    if pool_size < 1 or x.shape[dim] % pool_size:
        raise ValueError(f"maxout: groups of {pool_size} do not fit axis {dim} of {x.shape}")
    return x.reshape(*x.shape[:dim], x.shape[dim] // pool_size, pool_size, *x.shape[dim + 1 :]).max(axis=dim + 1)


def rows(x: Array, size: int) -> Array:
    return x.reshape(-1, size)


def radial_basis_weight(g: Array, x: Array, weight: Array) -> Array:
    n, size = weight.shape
    g = rows(g, n)
    return (weight * g.sum(axis=0)[:, None] - g.T @ rows(x, size)) * 2


@operation(
    name="radial_basis",
    x=lambda g, x, weight: (x * g.sum(axis=-1, keepdims=True) - g @ weight) * 2,
    weight=radial_basis_weight,
)
def squared_distances(x: Array, weight: Array) -> Array:
    apart = x[..., None, :] - weight
    return np.einsum("...i,...i->...", apart, apart)


def radial_basis(input: Any, weight: Any) -> Tensor:
    """Return the squared distances of `input` (..., in) from each row of `weight` (out, in): Σ_i (x_i - w_ji)².

    >>> radial_basis([[0.0, 1.0]], [[0.0, 0.0], [3.0, 1.0]]).tolist()
    [[1.0, 9.0]]
    """
    weight = given(weight)
    x = casted(input, weight)
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"radial_basis: expected (..., in) and a weight (out, in), got {x.shape} and {weight.shape}")
    return squared_distances(x, weight)


# Dropout


def dropped(input: Any, p: float, training: bool, shape: Sizes, name: str) -> Tensor:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is a probability between 0 and 1, not {p}")
    x = given(input)
    if not training or p == 0:
        return x
    # Drawn in single precision, which takes half the time; a product, as a choice by mask takes ten times that.
    mask = (shared_generator().random(shape, np.float32) >= np.float32(p)).astype(floating(x, name).dtype)
    mask *= mask.dtype.type(0 if p == 1 else 1 / (1 - p))
    return x * mask


def dropout(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each number with probability `p`, and scale the others up by 1 / (1 - p); nothing unless `training`.

    The shared generator draws: see `autograd.manual_seed`.

    >>> dropout([1.0, 2.0], training=False).tolist()
    [1.0, 2.0]
    >>> set(dropout(np.ones(100), 0.75).tolist()) <= {0.0, 4.0}
    True
    """
    return dropped(input, p, training, np.shape(plain(input)), "dropout")


def dropout2d(input: Any, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each channel of (N, C, H, W) or (C, H, W) with probability `p`, and scale the others up by 1 / (1 - p).

    >>> dropout2d(np.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """
    shape = np.shape(plain(input))
    if len(shape) not in (3, 4):
        raise ValueError(f"dropout2d: expected (N, C, H, W) or (C, H, W), got {shape}")
    return dropped(input, p, training, (*shape[:-2], 1, 1), "dropout2d")


# Products


@operation(
    name="linear",
    x=lambda g, weight: matrix_product(g, weight),
    weight=lambda g, x, weight_shape: rows(g, weight_shape[0]).T @ rows(x, weight_shape[1]),
    bias=lambda g: g,
)
def product(x: Array, weight: Array, bias: Array = None) -> Array:
    # `dot` saves 0.7 of a microsecond that `matmul` takes before it begins, but fills the result with zeros first: with
    # 256 rows of 10,000 numbers it takes 1.3 times as long. (NumPy 2.0's warns of no overflow.)
    out = x.dot(weight.T) if x.ndim < 3 and x.size <= LITTLE else matrix_product(x, weight.T)
    if bias is None:
        return out
    if bias.dtype != out.dtype:
        return out + bias
    out += bias
    return out


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return input @ weight.T + bias, for inputs (..., in), a weight (out, in) and a bias (out,).

    >>> linear([[1.0, 2.0]], [[1.0, 1.0], [0.0, 1.0]], [0.5, 0.5]).tolist()
    [[3.5, 2.5]]
    """
    weight = given(weight)
    x = casted(input, weight)
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"linear: expected (..., in) and a weight (out, in), got {x.shape} and {weight.shape}")
    if bias is not None:
        bias = casted(bias, weight)
        if bias.shape != weight.shape[:1]:
            raise ValueError(f"linear: expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
    return product(x, weight, bias)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return Σ_ij x1_i W_oij x2_j + b_o, for inputs (..., in1) and (..., in2) and a weight (out, in1, in2).

    >>> bilinear([[1.0, 2.0]], [[3.0, 4.0]], [[[1.0, 0.0], [0.0, 1.0]]]).tolist()
    [[11.0]]
    """
    weight = given(weight)
    x, y = casted(input1, weight), casted(input2, weight)
    if weight.ndim != 3 or (*x.shape[-1:], *y.shape[-1:]) != weight.shape[1:] or x.shape[:-1] != y.shape[:-1]:
        raise ValueError(
            f"bilinear: expected (..., in1), (..., in2) and a weight (out, in1, in2), got {x.shape}, {y.shape} and "
            f"{weight.shape}"
        )
    if bias is not None and np.shape(plain(bias)) != weight.shape[:1]:
        raise ValueError(f"bilinear: expected a bias {weight.shape[:1]}, got {np.shape(plain(bias))}")
    left = rows(x, weight.shape[1]) @ weight.swapaxes(0, 1).reshape(weight.shape[1], -1)
    out = (left.reshape(-1, weight.shape[0], weight.shape[2]) * rows(y, weight.shape[2])[:, None]).sum(axis=-1)
    out = out.reshape(*x.shape[:-1], weight.shape[0])
    return out if bias is None else out + casted(bias, weight)


@operation(
    name="embedding",
    weight=lambda g, indices, weight_shape, padding_idx: land(
        g if padding_idx is None else keep(g, np.broadcast_to((indices != padding_idx)[..., None], g.shape)),
        indices,
        weight_shape,
    ),
)
def looked_up(indices: Any, weight: Array, padding_idx: int | None) -> Array:
    return weight[indices]


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """Return the rows of `weight` (words, size) that integers name; that of `padding_idx` gets no gradient.

    The backward pass costs O(integers), but for the one array that holds the gradient.

    Raises
    ------
    IndexError : an index out of range.
    ValueError : an index that is not an integer.

    Examples
    --------
    >>> embedding([2, 0], [[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]]).tolist()
    [[2.0, 2.5], [0.0, 0.5]]
    """
    weight = given(weight)
    indices = as_labels(input, "embedding")
    if weight.ndim != 2:
        raise ValueError(f"embedding: expected a weight (words, size), got {weight.shape}")
    words = weight.shape[0]
    if indices.size and (indices.min() < 0 or indices.max() >= words):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise IndexError(f"embedding: index {wrong} is out of range for {words} rows")
    if padding_idx is not None:
        if not -words <= padding_idx < words:
            raise ValueError(f"embedding: padding_idx {padding_idx} is out of range for {words} rows")
        padding_idx %= words
    return looked_up(indices, weight, padding_idx)


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Return integers as rows with a 1 at their place, of an integer dtype; -1 classes are as many as occur.

    >>> one_hot([0, 2]).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    labels = as_labels(tensor, "one_hot")
    if num_classes == -1:
        num_classes = int(labels.max()) + 1 if labels.size else 0
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        raise ValueError(f"one_hot: {labels.min()} to {labels.max()} are out of range for {num_classes} classes")
    return Tensor((labels[..., None] == np.arange(num_classes)).astype(np.intp))


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Return softmax(query @ keyᵀ * scale + mask) @ value.

    Parameters
    ----------
    query : (..., L, E).
    key, value : (..., S, E) and (..., S, V).
    attn_mask : broadcasts to (..., L, S). Booleans say which keys take part; numbers are added to the scores.
    dropout_p : with this probability a weight is zeroed, the others scaled up, whatever mode any module is in.
    is_causal : each place attends to itself and to those before it alone.
    scale : 1/√E if left out.

    A place that may attend to nothing gets zeros.

    Raises
    ------
    ValueError : shapes do not fit; both a mask and `is_causal` are given.

    Examples
    --------
    >>> scaled_dot_product_attention(np.eye(2), np.eye(2), [[1.0], [2.0]], is_causal=True).tolist()
    [[1.0], [1.6698]]
    """
    name = "scaled_dot_product_attention"
    q = floating(query, name)
    k, v = casted(key, q), casted(value, q)
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"{name}: expected query (..., L, E), key (..., S, E) and value (..., S, V), got {q.shape}, {k.shape} and "
            f"{v.shape}"
        )
    scores = (q * (1 / math.sqrt(q.shape[-1]) if scale is None else float(scale))) @ k.mT
    if is_causal:
        if attn_mask is not None:
            raise ValueError(f"{name}: give attn_mask or is_causal, not both")
        attn_mask = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
    weights = ops.softmax(scores) if attn_mask is None else masked_softmax(scores, attn_mask, name)
    return dropout(weights, dropout_p, dropout_p > 0) @ v


def refuse_integers(mask: Any, name: str) -> None:
    """Refuse a mask of zeros and ones, which would be added to the scores."""
    dtype = plain(mask).dtype
    if dtype.kind in "iu":
        raise TypeError(f"{name}: a mask is of booleans, or of floats to be added; for {dtype}, np.asarray(mask, bool)")


def masked_softmax(scores: Tensor, mask: Any, name: str) -> Tensor:
    """Return the softmax of scores where a mask allows it, and zeros where it allows nothing."""
    refuse_integers(mask, name)
    mask = casted(mask, scores) if plain(mask).dtype.kind != "b" else given(mask)
    try:
        fits = np.broadcast_shapes(mask.shape, scores.shape) == scores.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: expected a mask that broadcasts to {scores.shape}, got {mask.shape}")
    allowed = plain(mask) if mask.dtype.kind == "b" else plain(mask) != -np.inf
    nothing = ~allowed.any(axis=-1, keepdims=True)
    if mask.dtype.kind == "b":
        scores = ops.where(allowed | nothing, scores, -np.inf)
    else:
        scores = scores + (ops.where(nothing, 0.0, mask) if nothing.any() else mask)
    weights: Tensor = ops.softmax(scores)
    return ops.where(nothing, 0.0, weights) if nothing.any() else weights


# Convolution


def images(x: Tensor, axes: int, name: str) -> tuple[Tensor, bool]:
    """Return a batch of images, and whether it is one image that was given without an axis for the batch."""
    if x.ndim == axes + 2:
        return x, False
    if x.ndim == axes + 1:
        return x.reshape(1, *x.shape), True
    space = ", ".join("DHW"[3 - axes :]) if axes > 1 else "L"
    raise ValueError(f"{name}: expected (N, C, {space}) or (C, {space}), got {x.shape}")


def convolved(operator: Callable[..., Any], axes: int, name: str, input: Any, weight: Any, bias: Any, *how: Any) -> Any:
    weight = given(weight)
    x, single = images(casted(input, weight), axes, name)
    out = operator(x, weight, None if bias is None else casted(bias, weight), *how)
    return out[0] if single else out


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """Convolve (N, C, L) or (C, L) with kernels (O, C/groups, k); `padding` may be "same" or "valid".

    >>> conv1d([[1.0, 2.0, 4.0]], [[[1.0, -1.0]]]).tolist()
    [[-1.0, -2.0]]
    """
    return convolved(ops.convolution, 1, "conv1d", input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Tensor:
    """Convolve (N, C, H, W) or (C, H, W) with kernels (O, C/groups, kh, kw); `padding` may be "same" or "valid".

    >>> conv2d(np.arange(9.0).reshape(1, 3, 3), np.ones((1, 1, 2, 2))).tolist()
    [[[8.0, 12.0], [20.0, 24.0]]]
    """
    return convolved(ops.convolution, 2, "conv2d", input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Spread (N, C, L) or (C, L) by kernels (C, O/groups, k): what `conv1d` does to the gradient of its input.

    >>> conv_transpose1d([[1.0, 2.0]], [[[1.0, 10.0]]], stride=2).tolist()
    [[1.0, 10.0, 2.0, 20.0]]
    """
    how = (stride, padding, output_padding, dilation, groups)
    return convolved(ops.convolution_transpose, 1, "conv_transpose1d", input, weight, bias, *how)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Spread (N, C, H, W) or (C, H, W) by kernels (C, O/groups, kh, kw): what `conv2d` does to its input's gradient.

    >>> conv_transpose2d([[[1.0, 2.0]]], np.ones((1, 1, 2, 2))).tolist()
    [[[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]]]
    """
    how = (stride, padding, output_padding, dilation, groups)
    return convolved(ops.convolution_transpose, 2, "conv_transpose2d", input, weight, bias, *how)


# Pooling


def pooled(operator: Callable[..., Any], axes: int, name: str, input: Any, *how: Any) -> Tensor:
    x, single = images(given(input), axes, name)
    out = operator(x, *how)
    return out[0] if single else out


def max_pool1d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Take the largest of each window of (N, C, L) or (C, L).

    >>> max_pool1d([[1.0, 3.0, 2.0, 0.0]], 2).tolist()
    [[3.0, 2.0]]
    """
    return pooled(ops.max_pool, 1, "max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Tensor:
    """Take the largest of each window of (N, C, H, W) or (C, H, W); of equal ones the first gets the gradient.

    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[5.0, 7.0], [13.0, 15.0]]]
    """
    return pooled(ops.max_pool, 2, "max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Take the mean of each window of (N, C, L) or (C, L).

    >>> avg_pool1d([[1.0, 3.0, 2.0, 0.0]], 2).tolist()
    [[2.0, 1.0]]
    """
    return pooled(ops.avg_pool, 1, "avg_pool1d", input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Take the mean of each window of (N, C, H, W) or (C, H, W).

    >>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 2).tolist()
    [[[2.5, 4.5], [10.5, 12.5]]]
    """
    return pooled(ops.avg_pool, 2, "avg_pool2d", input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def adaptive_sizes(output_size: Any, sizes: Sizes, name: str) -> Sizes:
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * len(sizes)
    found = tuple(n if o is None else o for o, n in zip(given, sizes, strict=False))
    if len(given) != len(sizes) or any(
        isinstance(o, bool) or not isinstance(o, (int, np.integer)) or o < 1 for o in found
    ):
        raise ValueError(f"{name}: output_size is a positive integer, None, or {len(sizes)} of them: {output_size!r}")
    return found


def windows_of(size: int, out: int) -> list[tuple[int, int]]:
    """Return where the `out` windows over an axis start and stop; they overlap where they do not tile it."""
    return [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def resampled_rule(g: Array, weights: Array, axis: int) -> Array:
    return resampled(g, weights.T, axis)


@operation(name="resample", x=resampled_rule)
def resampled(x: Array, weights: Array, axis: int) -> Array:
    """Return sums along one of the last two axes, -1 or -2, by the rows of `weights`, of which none is negative."""

    def sums(x: Array, weights: Array) -> Array:
        return matrix_product(x, weights.T) if axis == -1 else weights @ x

    with np.errstate(all="ignore"):
        found = sums(x, weights)
        if x.dtype.kind == "c" or np.isfinite(found.sum(dtype=np.result_type(found, np.float32))):
            return found
    # What has no weight is to have no effect, and 0 times Inf has.
    reached = (weights != 0).astype(weights.dtype)
    found = sums(np.where(np.isfinite(x), x, 0), weights)
    up, down, neither = (
        sums(which.astype(weights.dtype), reached) > 0 for which in (x == np.inf, x == -np.inf, x != x)
    )
    return np.where(neither | (up & down), np.nan, np.where(up, np.inf, np.where(down, -np.inf, found)))


def averaged(x: Tensor, out: Sizes) -> Tensor:
    sizes = x.shape[2:]
    if all(n % o == 0 for n, o in zip(sizes, out, strict=True)):
        return ops.avg_pool(x, tuple(n // o for n, o in zip(sizes, out, strict=True)))
    for axis in range(-len(sizes), 0):
        size, wanted = x.shape[axis], out[axis]
        weights = np.zeros((wanted, size), x.dtype if x.dtype.kind == "f" else float)
        for i, (start, stop) in enumerate(windows_of(size, wanted)):
            weights[i, start:stop] = 1 / (stop - start)
        x = resampled(x, weights, axis)
    return x


def largest(x: Tensor, out: Sizes) -> Tensor:
    sizes = x.shape[2:]
    if all(n % o == 0 for n, o in zip(sizes, out, strict=True)):
        return ops.max_pool(x, tuple(n // o for n, o in zip(sizes, out, strict=True)))
    # The windows differ in size: shorter ones repeat their last place, which never wins over its first appearance.
    places: Any = np.zeros((1, 1), np.intp)
    for size, wanted in zip(sizes, out, strict=True):
        spans = windows_of(size, wanted)
        longest = max(stop - start for start, stop in spans)
        index = np.array([[min(start + j, stop - 1) for j in range(longest)] for start, stop in spans])
        places = (places[:, None, :, None] * size + index[None, :, None, :]).reshape(len(places) * wanted, -1)
    flat = x.reshape(*x.shape[:2], math.prod(sizes))
    winners = plain(flat)[..., places].argmax(axis=-1)
    where = np.take_along_axis(np.broadcast_to(places, (*winners.shape, places.shape[-1])), winners[..., None], -1)
    return ops.take_along_axis(flat, where[..., 0], -1).reshape(*x.shape[:2], *out)


def adaptive_pooled(operator: Callable[..., Any], axes: int, name: str, input: Any, output_size: Any) -> Tensor:
    x, single = images(given(input), axes, name)
    if not math.prod(x.shape[1:]):
        raise ValueError(f"{name}: expected images with at least one number, got {x.shape}")
    result: Tensor = operator(x, adaptive_sizes(output_size, x.shape[2:], name))
    return result[0] if single else result


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """Take means of (N, C, L) or (C, L) over so many windows as `output_size` says.

    >>> adaptive_avg_pool1d([[1.0, 2.0, 3.0]], 2).tolist()
    [[1.5, 2.5]]
    """
    return adaptive_pooled(averaged, 1, "adaptive_avg_pool1d", input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """Take means of (N, C, H, W) or (C, H, W) over so many windows as `output_size` says; None for all.

    >>> adaptive_avg_pool2d(np.arange(16.0).reshape(1, 4, 4), (1, 2)).tolist()
    [[[6.5, 8.5]]]
    """
    return adaptive_pooled(averaged, 2, "adaptive_avg_pool2d", input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Any) -> Tensor:
    """Take the largest of (N, C, L) or (C, L) in so many windows as `output_size` says.

    >>> adaptive_max_pool1d([[1.0, 2.0, 3.0]], 2).tolist()
    [[2.0, 3.0]]
    """
    return adaptive_pooled(largest, 1, "adaptive_max_pool1d", input, output_size)


def adaptive_max_pool2d(input: Any, output_size: Any) -> Tensor:
    """Take the largest of (N, C, H, W) or (C, H, W) in so many windows as `output_size` says.

    >>> adaptive_max_pool2d(np.arange(16.0).reshape(1, 4, 4), (1, 2)).tolist()
    [[[13.0, 15.0]]]
    """
    return adaptive_pooled(largest, 2, "adaptive_max_pool2d", input, output_size)


def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """Scale (N, C, L) or (N, C, H, W) to `size`, or by `scale_factor`.

    Parameters
    ----------
    size, scale_factor : give one: a number, or one for each spatial axis.
    mode : "nearest"; "linear" for (N, C, L), "bilinear" for (N, C, H, W).
    align_corners : whether the centres of the corners, rather than the edges, come to lie on each other; linear only.

    Raises
    ------
    ValueError : the options do not fit.

    Examples
    --------
    >>> interpolate([[[1.0, 3.0]]], scale_factor=2, mode="linear").tolist()
    [[[1.0, 1.5, 2.5, 3.0]]]
    """
    name = "interpolate"
    x = given(input)
    axes = x.ndim - 2
    modes = {1: ("nearest", "linear"), 2: ("nearest", "bilinear")}
    if axes not in modes or mode not in modes[axes]:
        raise ValueError(
            f"{name}: expected (N, C, L) with mode 'nearest' or 'linear', or (N, C, H, W) with 'nearest' or "
            f"'bilinear'; got {x.shape} with {mode!r}"
        )
    if (size is None) == (scale_factor is None):
        raise ValueError(f"{name}: give either size or scale_factor")
    if mode == "nearest" and align_corners is not None:
        raise ValueError(f"{name}: align_corners has no meaning with mode 'nearest'")
    wanted = size if size is not None else scale_factor
    wanted = tuple(wanted) if isinstance(wanted, (tuple, list)) else (wanted,) * axes
    if len(wanted) != axes or min(wanted) <= 0:
        raise ValueError(f"{name}: expected a positive number, or {axes} of them, got {wanted}")
    for axis, number in zip(range(-axes, 0), wanted, strict=True):
        before = x.shape[axis]
        after = int(number) if size is not None else int(before * number)
        if after < 1:
            raise ValueError(f"{name}: nothing would be left of {before} numbers times {number}")
        ratio = before / after if size is not None else 1 / number
        if mode == "nearest":
            x = nearest(x, axis, after, ratio)
        else:
            weights = linear_weights(before, after, ratio, bool(align_corners))
            x = resampled(x, weights.astype(x.dtype if x.dtype.kind == "f" else float), axis)
    return x


def nearest(x: Tensor, axis: int, after: int, ratio: float) -> Tensor:
    size = x.shape[axis]
    # Of images, PyTorch has those of the same size or of twice that as they are, or each number twice, by any factor.
    if after % size == 0 and (ratio == size / after or (x.ndim == 4 and after <= 2 * size)):
        return ops.repeat(x, after // size, axis)
    places = np.minimum(np.floor(np.arange(after, dtype=np.float32) * np.float32(ratio)).astype(np.intp), size - 1)
    return ops.take(x, places, axis)


def linear_weights(before: int, after: int, ratio: float, align_corners: bool) -> Array:
    """Return the matrix (after, before) that interpolates linearly along one axis."""
    if align_corners:
        at = np.arange(after) * ((before - 1) / (after - 1) if after > 1 else 0.0)
    else:
        at = np.maximum((np.arange(after) + 0.5) * ratio - 0.5, 0.0)
    left = np.minimum(np.floor(at).astype(np.intp), before - 1)
    share = np.clip(at - left, 0.0, 1.0)
    matrix = np.zeros((after, before))
    matrix[np.arange(after), left] = 1 - share
    np.add.at(matrix, (np.arange(after), np.minimum(left + 1, before - 1)), share)
    return matrix


PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a frame around the last axes; negative numbers crop.

    pad : pairs (before, after), of the last axis first.
    mode : "constant", "reflect", "replicate" or "circular".
    value : what a constant frame holds, 0 if left out.

    >>> pad([1.0, 2.0], (1, 2)).tolist()
    [0.0, 1.0, 2.0, 0.0, 0.0]
    >>> pad([1.0, 2.0, 3.0], (2, -1), "reflect").tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    x = given(input)
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: expected a pair for each of at most {x.ndim} axes, the last first, got {tuple(pad)}")
    if mode not in PAD_MODES:
        raise ValueError(f"pad: mode is {', '.join(map(repr, PAD_MODES))}, not {mode!r}")
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[-2::-2], pad[::-2], strict=True))
    if any(n + min(a, 0) + min(b, 0) < 0 for (a, b), n in zip(pairs, x.shape, strict=True)):
        raise ValueError(f"pad: {tuple(pad)} crops more than there is of {x.shape}")
    if any(n < 0 for both in pairs for n in both):
        x = x[tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True))]
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    return ops.pad(x, tuple(pairs), PAD_MODES[mode], 0 if value is None else value)


# Normalisation


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return vectors along `dim` over their p-norm, or over `eps` where that is larger.

    >>> normalize([[3.0, 4.0]]).tolist()
    [[0.6, 0.8]]
    """
    x = floating(input, "normalize")
    dtype, x = x.dtype, widened(x)
    return narrowed(x / ops.clip(ops.norm(x, float(p), dim, True), min=eps), dtype)


def entered(name: str, input: Any, weight: Any, bias: Any) -> Tensor:
    """Return `input` in the dtype of the weight, or of the bias, if there is one."""
    scale = next((given(a) for a in (weight, bias) if a is not None), None)
    return floating(input, name) if scale is None else casted(input, scale)


def check_shapes(name: str, shape: tuple[int, ...], **arrays: Any) -> None:
    """Refuse an array of another shape; None is none."""
    for what, array in arrays.items():
        if array is not None and plain(array).shape != shape:
            raise ValueError(f"{name}: expected a {what} of shape {shape}, got {plain(array).shape}")


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Give each channel mean 0 and variance 1, then multiply by `weight` and add `bias`.

    Parameters
    ----------
    input : (N, C) or (N, C, ...).
    running_mean, running_var : (C,), the statistics used unless `training`; None for those of the batch always.
    weight, bias : (C,) or None.
    training : use the statistics of the batch, and move the running ones, in place, towards them: by `momentum`, the
        variance divided by one less than the count.
    eps : added to the variance.

    Raises
    ------
    ValueError : shapes do not fit; one number a channel has no variance.

    Examples
    --------
    >>> batch_norm([[1.0], [3.0]], None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    name = "batch_norm"
    x = entered(name, input, weight, bias)
    dtype, x = x.dtype, widened(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: expected (N, C) or (N, C, ...), got {x.shape}")
    channels = x.shape[1]
    check_shapes(name, (channels,), running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    factor, shift = (None if a is None else casted(a, x) for a in (weight, bias))
    if not training and running_mean is not None and running_var is not None:
        shape = (channels, *(1,) * (x.ndim - 2))
        factor, shift = (None if a is None else a.reshape(shape) for a in (factor, shift))
        mean, var = (plain(r).astype(x.dtype).reshape(shape) for r in (running_mean, running_var))
        scaled = 1 / np.sqrt(var + x.dtype.type(eps))
        out = (x - mean) * (scaled if factor is None else factor * scaled)
        return narrowed(out if shift is None else out + shift, dtype)
    count = x.size // max(1, channels)
    if count == 1:
        raise ValueError(f"{name}: expected more than 1 value per channel when training, got input of shape {x.shape}")
    out, mean, var = ops.normalize(x, factor, shift, (0, *range(2, x.ndim)), eps, along=1)
    if training and count:
        unbiased = plain(var) * (count / max(1, count - 1))
        for running, seen in ((running_mean, plain(mean)), (running_var, unbiased)):
            if running is not None:
                array = running.data if isinstance(running, Tensor) else running
                array *= 1 - momentum
                with np.errstate(over="ignore"):  # a variance beyond float16 is Inf
                    array += (momentum * seen).astype(array.dtype)
                if isinstance(running, Tensor):
                    running.mark_overwritten()
    return narrowed(out, dtype)


def layer_norm(
    input: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Give the numbers of the last axes, whose shape is given, mean 0 and variance 1; then weight and bias.

    Raises
    ------
    ValueError : the last axes have another shape.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0], [2.0, 6.0]], 2, eps=0.0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    name = "layer_norm"
    x = entered(name, input, weight, bias)
    dtype, x = x.dtype, widened(x)
    shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}: expected an input whose last axes are {shape}, got {x.shape}")
    check_shapes(name, shape, weight=weight, bias=bias)
    factor, shift = (None if a is None else casted(a, x) for a in (weight, bias))
    return narrowed(ops.normalize(x, factor, shift, tuple(range(-len(shape), 0)), eps)[0], dtype)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Give each of the groups of channels of (N, C, ...) mean 0 and variance 1; then weight and bias, each (C,).

    Raises
    ------
    ValueError : the groups do not divide the channels; a weight or bias does not fit them; one number a group has no
        variance.

    Examples
    --------
    >>> group_norm([[1.0, 3.0, 2.0, 6.0]], 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    name = "group_norm"
    x = entered(name, input, weight, bias)
    dtype, x = x.dtype, widened(x)
    if x.ndim < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"{name}: {num_groups} groups do not divide the channels of (N, C, ...): {x.shape}")
    channels = x.shape[1]
    check_shapes(name, (channels,), weight=weight, bias=bias)
    if x.size == num_groups:
        raise ValueError(f"{name}: expected more than 1 value per group, got input of shape {x.shape}")
    grouped = x.reshape(x.shape[0], num_groups, channels // num_groups, *x.shape[2:])
    shape = (num_groups, channels // num_groups, *(1,) * (x.ndim - 2))
    factor, shift = (None if a is None else casted(a, x).reshape(shape) for a in (weight, bias))
    out: Tensor = ops.normalize(grouped, factor, shift, tuple(range(2, grouped.ndim)), eps)[0]
    return narrowed(out.reshape(x.shape), dtype)


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divide by (k + alpha * mean of the squares of `size` neighbouring channels) ** beta: AlexNet's normalisation.

    input : (N, C, ...). Channels beyond the first and the last count as 0.

    >>> local_response_norm([[[1.0], [2.0], [3.0]]], 3, alpha=3.0, beta=1.0).tolist()
    [[[0.1667], [0.1333], [0.2143]]]
    """
    x = floating(input, "local_response_norm")
    if x.ndim < 3 or size < 1:
        raise ValueError(f"local_response_norm: expected (N, C, ...) and a positive size, got {x.shape} and {size}")
    # A mean over channels is a pooling of images whose rows are the channels.
    squares = ops.square(x).reshape(x.shape[0], 1, x.shape[1], math.prod(x.shape[2:]))
    framed = ops.pad(squares, ((0, 0), (0, 0), (size // 2, (size - 1) // 2), (0, 0)))
    means = ops.avg_pool(framed, (size, 1), 1).reshape(x.shape)
    return x * (means * float(alpha) + float(k)) ** -float(beta)
