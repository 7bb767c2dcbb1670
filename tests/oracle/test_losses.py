"""Every loss beside its twin of PyTorch: values and gradients, over a grid of arguments, in both precisions."""

from __future__ import annotations

import inspect
from itertools import product

import numpy as np
import pytest
import torch

import autograd
from nn import functional as F
from nn import loss_functions, losses

TF = torch.nn.functional
REDUCTIONS = ("mean", "sum", "none")
WEIGHT = np.array([0.5, 1.0, 2.0, 0.7])
rng = np.random.default_rng(0)


def normal(*shape):
    return rng.normal(size=shape)


def probable(*shape):
    return rng.uniform(0.05, 0.95, shape)


def distributions(*shape):
    x = np.exp(normal(*shape))
    return x / x.sum(axis=1 if len(shape) > 1 else 0, keepdims=True)


def grid(**options):
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


SHAPES = ((), (5,), (3, 4), (2, 3, 4))
LABELLED = [
    (normal(4), np.array(2)),
    (normal(6, 4), rng.integers(0, 4, 6)),
    (normal(2, 4, 3), rng.integers(0, 4, (2, 3))),
    (normal(2, 4, 3, 2), rng.integers(0, 4, (2, 3, 2)).astype(np.int32)),
]
DENSE = [(x, distributions(*x.shape)) for x, _ in LABELLED]
ROWS = LABELLED[:2]
SIGNS = np.array([1, -1, 1, -1, -1])

# name: (inputs, options); floating inputs are differentiated.
CASES = {
    "mse_loss": ([(normal(*s), normal(*s)) for s in SHAPES], grid(reduction=REDUCTIONS)),
    "l1_loss": ([(normal(*s), normal(*s)) for s in SHAPES], grid(reduction=REDUCTIONS)),
    "smooth_l1_loss": ([(normal(*s), normal(*s)) for s in SHAPES], grid(reduction=REDUCTIONS, beta=(0.0, 0.5, 1.0))),
    "huber_loss": ([(normal(*s), normal(*s)) for s in SHAPES], grid(reduction=REDUCTIONS, delta=(0.3, 1.0, 2.0))),
    "binary_cross_entropy": (
        [(probable(*s), probable(*s)) for s in SHAPES],
        grid(reduction=REDUCTIONS, weight=(None, np.array(0.3))),
    ),
    "binary_cross_entropy_with_logits": (
        [(normal(*s), probable(*s)) for s in SHAPES],
        grid(reduction=REDUCTIONS, weight=(None, np.array(0.3)), pos_weight=(None, np.array(3.0))),
    ),
    "kl_div": (
        [(np.log(distributions(3, 4)), distributions(3, 4)), (np.log(distributions(2, 4, 3)), distributions(2, 4, 3))],
        grid(reduction=(*REDUCTIONS, "batchmean"), log_target=(False, True)),
    ),
    "nll_loss": (LABELLED, grid(reduction=REDUCTIONS, weight=(None, WEIGHT), ignore_index=(-100, 2))),
    "cross_entropy": (
        LABELLED + DENSE,
        grid(reduction=REDUCTIONS, weight=(None, WEIGHT), ignore_index=(-100, 1), label_smoothing=(0.0, 0.2)),
    ),
    "multi_margin_loss": (
        ROWS,
        grid(reduction=REDUCTIONS, p=(1, 2), margin=(1.0, 0.3), weight=(None, WEIGHT)),
    ),
    "cosine_embedding_loss": (
        [(normal(5, 3), normal(5, 3), SIGNS), (normal(3), normal(3), np.array(-1))],
        grid(reduction=REDUCTIONS, margin=(0.0, 0.4)),
    ),
    "triplet_margin_loss": (
        [(normal(5, 3), normal(5, 3), normal(5, 3)), (normal(3), normal(3), normal(3))],
        grid(reduction=REDUCTIONS, margin=(1.0, 0.2), p=(1.0, 2.0, 3.0), swap=(False, True)),
    ),
    "pairwise_distance": ([(normal(5, 3), normal(5, 3))], grid(p=(1.0, 2.0, 3.5), keepdim=(False, True))),
    "cosine_similarity": ([(normal(5, 3), normal(5, 3))], grid(dim=(0, 1, -1))),
}
MODULES = {
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "HuberLoss": "huber_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "NLLLoss": "nll_loss",
    "CrossEntropyLoss": "cross_entropy",
    "KLDivLoss": "kl_div",
    "MultiMarginLoss": "multi_margin_loss",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "TripletMarginLoss": "triplet_margin_loss",
}
OURS = {"hinge_loss", "HingeLoss"}  # beside PyTorch's multi_margin_loss in a test of their own below


def test_every_loss_has_a_case():
    assert set(loss_functions.__all__) - OURS == set(CASES)
    assert set(losses.__all__) - OURS == set(MODULES)
    assert not any(hasattr(TF, name) or hasattr(torch.nn, name) for name in OURS)


def twins(call, theirs, inputs, options, dtype):
    """Compare values and gradients, seeded with the same random numbers."""

    def of(array, made):
        return made(array.astype(dtype) if array.dtype.kind == "f" else array)

    a = [of(x, lambda v: autograd.Tensor(v, v.dtype.kind == "f")) for x in inputs]
    b = [of(x, lambda v: torch.tensor(v if v.dtype.kind == "f" else v.astype(np.int64))) for x in inputs]
    for x in b:
        x.requires_grad_(x.is_floating_point())
    there = {
        k: torch.tensor(v.astype(dtype) if v.dtype.kind == "f" else v) if isinstance(v, np.ndarray) else v
        for k, v in options.items()
    }
    mine, yours = call(*a, **options), theirs(*b, **there)
    assert mine.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-10
    close(mine.numpy(), yours.detach().numpy(), tolerance)
    seed = np.random.default_rng(1).normal(size=mine.shape).astype(dtype)
    mine.backward(autograd.Tensor(seed))
    yours.backward(torch.tensor(seed))
    for x, y in zip(a, b, strict=True):
        if x.requires_grad:
            assert x.grad.dtype == dtype
            close(x.grad.numpy(), y.grad.numpy(), tolerance)


def close(mine, yours, tolerance):
    assert mine.shape == yours.shape
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(yours))
    largest = np.nanmax(np.abs(yours), initial=1e-30)
    assert np.nanmax(np.abs(mine - yours), initial=0.0) <= tolerance * largest


def fits(name, inputs, options):
    """Leave out what PyTorch refuses, and whose result is no number: nothing but what is ignored."""
    ignored = options.get("ignore_index", -100)
    dense = name == "cross_entropy" and inputs[1].dtype.kind == "f"
    return ignored < 0 or not (dense or (inputs[1] == ignored).all())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_function_equals_torch(name, dtype):
    given, options = CASES[name]
    for inputs, chosen in product(given, options):
        if fits(name, inputs, chosen):
            twins(getattr(F, name), getattr(TF, name), inputs, chosen, dtype)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_module_equals_torch(name):
    given, options = CASES[MODULES[name]]
    inputs = given[1]
    for chosen in options:
        there = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in chosen.items()}
        twins(getattr(losses, name)(**chosen), getattr(torch.nn, name)(**there), inputs, {}, np.float64)


@pytest.mark.parametrize("name", MODULES)
def test_module_has_the_defaults_of_torch(name):
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    for key, parameter in inspect.signature(getattr(losses, name)).parameters.items():
        assert parameter.default == theirs[key].default, key


@pytest.mark.parametrize("name", CASES)
def test_function_has_the_names_and_defaults_of_torch(name):
    try:
        theirs = inspect.signature(getattr(TF, name)).parameters
    except ValueError:  # written in C
        return
    for key, parameter in inspect.signature(getattr(F, name)).parameters.items():
        assert parameter.default == theirs[key].default, key


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_hinge_is_multi_margin_times_the_number_of_classes(reduction):
    x, labels = LABELLED[1]

    def theirs(x, labels, reduction):
        return 4 * TF.multi_margin_loss(x, labels, reduction=reduction)

    twins(F.hinge_loss, theirs, (x, labels), {"reduction": reduction}, np.float64)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_float32_equals_torch_far_out(size):
    x = np.array([[size, 0.0, -size], [size, size, size]], np.float32)
    for labels in ([0, 1], [1, 2]):
        twins(F.cross_entropy, TF.cross_entropy, (x, np.array(labels)), {"reduction": "none"}, np.float32)
    for target in (0.0, 1.0, 0.3):
        targets = np.full_like(x, target)
        name = "binary_cross_entropy_with_logits"
        twins(getattr(F, name), getattr(TF, name), (x, targets), {"reduction": "none"}, np.float32)


def test_probabilities_of_0_and_1_equal_torch():
    x, target = np.array([0.0, 1.0, 0.0, 1.0, 0.2]), np.array([1.0, 1.0, 0.0, 0.0, 0.3])
    # PyTorch's least divisor, 1e-12, is one of single precision also in double precision.
    twins(F.binary_cross_entropy, TF.binary_cross_entropy, (x, target), {}, np.float32)
