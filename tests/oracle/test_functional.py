"""Every function of nn.functional beside its twin of PyTorch: values and gradients, in both precisions."""

from __future__ import annotations

import inspect
from itertools import product

import numpy as np
import pytest
import torch

from nn import functional as F
from nn import loss_functions
from tests.oracle.test_losses import grid, normal, twins

TF = torch.nn.functional
X = [normal(), normal(5), normal(2, 3, 4) * 3, np.array([-1e4, -50.0, -1.0, 1.0, 50.0, 1e4])]
IMAGES, ONE_IMAGE, ROWS = normal(2, 4, 7, 6), normal(4, 7, 6), normal(2, 4, 9)
ODD, SEQUENCE = normal(2, 3, 6, 5), (normal(2, 5, 4), normal(2, 6, 4), normal(2, 6, 3))
WORDS = np.array([[0, 2, 2], [4, 1, 0]])


def elementwise(**options):
    return [(X, grid(**options))]


def pools(**options):
    spaces = grid(kernel_size=(2, 3), stride=(None, 1, 2), padding=(0, 1), ceil_mode=(False, True))
    return [{**space, **o} for space in spaces for o in grid(**options)]


# name: a list of (inputs, options); floating inputs are differentiated.
CASES = {
    "relu": elementwise(),
    "leaky_relu": elementwise(negative_slope=(0.01, 0.2)),
    "elu": elementwise(alpha=(1.0, 0.5)),
    "selu": elementwise(),
    "sigmoid": elementwise(),
    "logsigmoid": elementwise(),
    "tanh": elementwise(),
    "silu": elementwise(),
    "mish": elementwise(),
    "gelu": elementwise(approximate=("none", "tanh")),
    "softplus": elementwise(beta=(1.0, 2.0), threshold=(20.0, 5.0)),
    "softsign": elementwise(),
    "hardtanh": elementwise(min_val=(-1.0, -2.0), max_val=(0.5, 1.0)),
    "threshold": elementwise(threshold=(0.0, 0.3), value=(0.0, 7.0)),
    "softmax": [(X[1:], grid(dim=(-1, 0)))],
    "log_softmax": [(X[1:], grid(dim=(-1, 0)))],
    "prelu": [([(normal(5), np.array([0.3])), (normal(2, 3, 4), normal(3)), (normal(2, 3), normal(1))], [{}])],
    "dropout": [([normal(3, 4)], [*grid(p=(0.0, 0.5, 1.0), training=(False,)), {"p": 0.0}, {"p": 1.0}])],
    "dropout2d": [([normal(2, 3, 4, 4)], [*grid(p=(0.5, 1.0), training=(False,)), {"p": 0.0}, {"p": 1.0}])],
    "linear": [
        ([(normal(5, 3), normal(2, 3)), (normal(5, 3), normal(2, 3), normal(2)), (normal(3), normal(2, 3))], [{}]),
        ([(normal(2, 4, 3), normal(2, 3), normal(2))], [{}]),
    ],
    "bilinear": [
        (
            [(normal(5, 3), normal(5, 4), normal(2, 3, 4)), (normal(5, 3), normal(5, 4), normal(2, 3, 4), normal(2))],
            [{}],
        )
    ],
    "embedding": [([(WORDS, normal(5, 3))], grid(padding_idx=(None, 2, -1)))],
    "one_hot": [([WORDS], grid(num_classes=(-1, 7)))],
    "scaled_dot_product_attention": [
        ([SEQUENCE], grid(is_causal=(False, True), scale=(None, 0.3))),
        (
            [SEQUENCE],
            grid(attn_mask=(normal(5, 6), np.tri(5, 6, dtype=bool), np.tri(5, 6, -1, dtype=bool), normal(2, 1, 6))),
        ),
    ],
    "conv1d": [
        (
            [(ROWS, normal(6, 4, 3)), (ROWS, normal(6, 4, 3), normal(6)), (ROWS[0], normal(6, 4, 3), normal(6))],
            [*grid(stride=(1, 2), padding=(0, 2), dilation=(1, 2)), {"padding": "same"}, {"padding": "valid"}],
        ),
        ([(ROWS, normal(6, 2, 3), normal(6))], grid(groups=(2,))),
    ],
    "conv2d": [
        (
            [(x, normal(6, 4, 3, 2), *bias) for x in (IMAGES, ONE_IMAGE) for bias in ((), (normal(6),))],
            [*grid(stride=(1, (2, 1)), padding=(0, (1, 2)), dilation=(1, 2)), {"padding": "same"}],
        ),
        ([(IMAGES, normal(8, 1, 3, 3), normal(8))], grid(groups=(4,), stride=(1, 2))),
    ],
    "conv_transpose1d": [
        (
            [(ROWS, normal(4, 3, 3)), (ROWS, normal(4, 3, 3), normal(3)), (ROWS[0], normal(4, 3, 3))],
            grid(stride=(2, 3), padding=(0, 1), output_padding=(0, 1), dilation=(1, 2)),
        ),
    ],
    "conv_transpose2d": [
        (
            [(IMAGES, normal(4, 3, 3, 2)), (ONE_IMAGE, normal(4, 3, 3, 2), normal(3))],
            grid(stride=(2, (3, 2)), padding=(0, 1), output_padding=(0, 1)),
        ),
        ([(IMAGES, normal(4, 3, 3, 2), normal(6))], grid(groups=(2,))),
    ],
    "max_pool1d": [([ROWS, ROWS[0]], pools(dilation=(1, 2)))],
    "max_pool2d": [([IMAGES, ONE_IMAGE], pools(dilation=(1, 2)))],
    "avg_pool1d": [([ROWS, ROWS[0]], pools(count_include_pad=(False, True)))],
    "avg_pool2d": [([IMAGES, ONE_IMAGE], pools(count_include_pad=(False, True)))],
    "adaptive_avg_pool1d": [([ROWS, ROWS[0]], grid(output_size=(1, 3, 4, 9, 11)))],
    "adaptive_max_pool1d": [([ROWS, ROWS[0]], grid(output_size=(1, 3, 4, 9, 11)))],
    "adaptive_avg_pool2d": [([IMAGES, ONE_IMAGE], grid(output_size=(1, 3, (7, 2), (None, 4), (5, 9))))],
    "adaptive_max_pool2d": [([IMAGES, ONE_IMAGE], grid(output_size=(1, 3, (7, 2), (None, 4), (5, 9))))],
    "interpolate": [
        ([ODD], grid(size=(4, (12, 10), (3, 7), 1)) + grid(scale_factor=(2, 1.1, 1.3, 1.7, 2.1, 2.3, (0.5, 3.0)))),
        (
            [ODD],
            [
                {**where, "mode": "bilinear", "align_corners": corners}
                for where in grid(size=(4, (12, 10), (3, 7), 1)) + grid(scale_factor=(2.0, 1.7, (0.5, 3.0)))
                for corners in (False, True)
            ],
        ),
        ([ROWS], grid(mode=("linear", "nearest"), size=(4, 9, 20))),
    ],
    "pad": [
        ([ODD], grid(pad=((1, 2), (0, 1, 2, -1), (1, 1, 1, 1, 0, 2)), value=(None, 3.0))),
        ([ODD], grid(pad=((0, 1, 2, 1),), mode=("replicate", "reflect", "circular"))),
    ],
    "normalize": [([normal(5, 3), normal(2, 3, 4), np.zeros((2, 3))], grid(p=(1.0, 2.0, 3.0), dim=(1, 0)))],
    "layer_norm": [
        ([(normal(2, 3, 4),)], grid(normalized_shape=((4,), (3, 4)), eps=(1e-5, 0.1))),
    ],
    "group_norm": [([(IMAGES,), (normal(3, 12),)], grid(num_groups=(1, 2), eps=(1e-5, 0.1)))],
    "local_response_norm": [([IMAGES, ROWS], grid(size=(1, 2, 5), alpha=(1e-4, 0.5), beta=(0.75, 0.5), k=(1.0, 2.0)))],
    "batch_norm": [],  # below: it changes what it is given
}
OURS = {"maxout", "radial_basis", "step"}  # shown right in tests/nn/test_functional.py


def test_every_function_has_a_case():
    assert set(F.__all__) - OURS - set(loss_functions.__all__) == set(CASES)
    assert not any(hasattr(TF, name) for name in OURS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_function_equals_torch(name, dtype):
    for inputs, options in CASES[name]:
        for given, chosen in product(inputs, options):
            theirs = getattr(TF, name)
            if name == "one_hot":
                assert (F.one_hot(given, **chosen).numpy() == theirs(torch.tensor(given), **chosen).numpy()).all()
                continue
            twins(getattr(F, name), theirs, given if isinstance(given, tuple) else (given,), chosen, dtype)


@pytest.mark.parametrize("name", CASES)
def test_function_has_the_names_and_defaults_of_torch(name):
    try:
        theirs = inspect.signature(getattr(TF, name)).parameters
    except (ValueError, TypeError):  # written in C
        return
    if "kwargs" in theirs:  # one of two functions, by whether indices are asked for
        return
    for key, parameter in inspect.signature(getattr(F, name)).parameters.items():
        if name in ("softmax", "log_softmax") and key == "dim":  # PyTorch guesses
            continue
        assert parameter.default == theirs[key].default, key


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 4)])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_equals_torch(shape, affine, training, dtype):
    mean, var = normal(3).astype(dtype), abs(normal(3)).astype(dtype)
    our_mean, our_var = mean.copy(), var.copy()
    their_mean, their_var = torch.tensor(mean), torch.tensor(var)
    weights = (normal(3), normal(3)) if affine else ()

    def ours(x, *weights):
        return F.batch_norm(x, our_mean, our_var, *weights, training=training, momentum=0.3)

    def theirs(x, *weights):
        return TF.batch_norm(x, their_mean, their_var, *weights, training=training, momentum=0.3)

    twins(ours, theirs, (normal(*shape), *weights), {}, dtype)
    tolerance = 1e-5 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(our_mean, their_mean.numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(our_var, their_var.numpy(), rtol=tolerance)
    twins(
        lambda x: F.batch_norm(x, None, None, training=training),
        lambda x: TF.batch_norm(x, None, None, training=True),
        (normal(*shape),),
        {},
        dtype,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normalisation_with_weights_equals_torch(dtype):
    x, weights = normal(2, 3, 4), (normal(4), normal(4))
    twins(
        lambda x, w, b: F.layer_norm(x, 4, w, b),
        lambda x, w, b: TF.layer_norm(x, (4,), w, b),
        (x, *weights),
        {},
        dtype,
    )
    twins(
        lambda x, w, b: F.group_norm(x, 2, w, b),
        lambda x, w, b: TF.group_norm(x, 2, w, b),
        (IMAGES, *weights),
        {},
        dtype,
    )
