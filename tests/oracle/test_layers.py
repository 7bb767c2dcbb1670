"""Every layer beside its twin in PyTorch: same weights and inputs, same outputs, gradients and buffers."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

import autograd
import nn
from autograd import Tensor

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
OURS = {"Maxout", "RadialBasis", "Step"}  # PyTorch has none; tests/nn shows what they do
# In models of all layers: see test_files.py.
CONTAINERS = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"}


@dataclass
class Case:
    """A layer's arguments, the shapes (or arrays) of its inputs, and further arguments of the call."""

    args: tuple[Any, ...]
    inputs: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    call: dict[str, Any] = field(default_factory=dict)


def case(*args: Any, x: Any = (4, 6), call: dict[str, Any] | None = None, **kwargs: Any) -> Case:
    inputs = x if isinstance(x, list) else [x]
    return Case(args, tuple(inputs), kwargs, call or {})


def recurrent(**more: Any) -> list[Case]:
    layers = [
        case(3, 4, x=(5, 2, 3)),
        case(3, 4, x=(5, 3)),
        case(3, 4, 2, x=(5, 2, 3)),
        case(3, 4, 2, x=(2, 5, 3), batch_first=True),
        case(3, 4, 1, x=(5, 2, 3), bias=False),
        case(3, 4, 2, x=(5, 2, 3), bidirectional=True),
        case(3, 4, 3, x=(2, 1, 3), bidirectional=True, batch_first=True, bias=False),
        case(3, 4, x=(4, 3), bidirectional=True),
    ]
    return [Case(c.args, c.inputs, {**c.kwargs, **more}, c.call) for c in layers]


IMAGES = (2, 4, 7, 6)
WORDS = np.array([[1, 2, 0, 4], [4, 4, 0, 3]])
BOOLEAN = np.triu(np.ones((5, 5), bool), 1)
ADDED = np.random.default_rng(3).normal(size=(5, 5))
PADDED = np.array([[False, False, True, False, True], [False, False, False, False, False]])
ACTIVATION = [case(x=(3, 5)), case(x=(2, 3, 4, 5)), case(x=())]
ALONG = [case(x=(6,)), case(x=(3, 5)), case(x=(2, 3, 4)), case(x=(2, 3, 4, 5)), case(-1, x=(3, 5)), case(0, x=(3, 5))]

CASES: dict[str, list[Case]] = {
    "Linear": [
        case(6, 5),
        case(6, 5, bias=False),
        case(6, 1, x=(2, 3, 4, 6)),
        case(6, 5, x=(6,)),
        case(6, 5, x=(0, 6)),
    ],
    "Bilinear": [
        case(3, 4, 5, x=[(6, 3), (6, 4)]),
        case(3, 4, 5, False, x=[(2, 6, 3), (2, 6, 4)]),
        case(2, 2, 1, x=[(2,), (2,)]),
    ],
    "Identity": [case(x=(2, 3)), case(54, unused=True, x=(2,))],
    "Flatten": [case(x=(2, 3, 4)), case(0, x=(2, 3)), case(1, 2, x=(2, 3, 4, 5)), case(-2, x=(2, 3, 4))],
    "Unflatten": [case(1, (2, 3), x=(4, 6)), case(-1, (3, -1), x=(4, 6)), case(0, (2, 2, 1), x=(4, 6))],
    "Conv1d": [
        case(4, 6, 3, x=(2, 4, 9)),
        case(4, 6, 3, 2, 1, x=(2, 4, 9)),
        case(4, 6, 4, padding="same", dilation=2, x=(2, 4, 9)),
        case(4, 6, 3, padding="valid", groups=2, bias=False, x=(2, 4, 9)),
        case(4, 4, 3, groups=4, x=(4, 9)),
        case(4, 6, 3, padding=2, padding_mode="circular", x=(2, 4, 9)),
    ],
    "Conv2d": [
        case(4, 6, 3, x=IMAGES),
        case(4, 6, 1, x=IMAGES),
        case(4, 6, (3, 2), (2, 1), (1, 0), x=IMAGES),
        case(4, 6, (2, 5), padding="same", x=IMAGES),
        case(4, 6, 2, padding="same", dilation=(2, 3), x=IMAGES),
        case(4, 6, 3, padding="valid", x=IMAGES),
        case(4, 6, 3, dilation=2, groups=2, bias=False, x=IMAGES),
        case(4, 8, 3, 2, 1, groups=4, x=IMAGES),
        case(4, 6, 3, x=(4, 5, 5)),
        *(case(4, 6, 3, padding=(2, 1), padding_mode=m, x=IMAGES) for m in ("reflect", "replicate", "circular")),
        case(4, 6, (4, 3), padding="same", padding_mode="reflect", x=IMAGES),
    ],
    "ConvTranspose1d": [
        case(4, 6, 3, x=(2, 4, 7)),
        case(4, 6, 3, 2, 1, 1, 2, False, 2, x=(2, 4, 7)),
        case(4, 6, 3, stride=2, x=(2, 4, 7), call={"output_size": (16,)}),
        case(4, 6, 3, x=(4, 3)),
    ],
    "ConvTranspose2d": [
        case(4, 6, 3, x=IMAGES),
        case(4, 6, (3, 2), (2, 3), 1, (1, 0), x=IMAGES),
        case(4, 6, 3, 2, 1, 1, 2, False, 2, x=IMAGES),
        case(4, 6, 3, stride=2, x=IMAGES, call={"output_size": (16, 13)}),
        case(4, 6, 3, x=(4, 3, 3)),
    ],
    "MaxPool1d": [
        case(2, x=(2, 3, 7)),
        case(3, 2, 1, x=(2, 3, 7)),
        case(3, 2, 1, 2, ceil_mode=True, x=(2, 3, 8)),
        case(2, x=(3, 7), return_indices=True),
    ],
    "MaxPool2d": [
        case(2, x=IMAGES),
        case((3, 2), (2, 1), (1, 0), x=IMAGES),
        case(3, 2, 1, 2, ceil_mode=True, x=IMAGES),
        case(2, 2, ceil_mode=True, x=(4, 7, 7)),
        case(3, 2, 1, 2, True, True, x=IMAGES),
        case((2, 3), return_indices=True, x=(4, 7, 7)),
    ],
    "AvgPool1d": [
        case(2, x=(2, 3, 7)),
        case(3, 2, 1, x=(2, 3, 7)),
        case(3, 2, 1, True, False, x=(2, 3, 8)),
        case(2, ceil_mode=True, x=(3, 7)),
    ],
    "AvgPool2d": [
        case(2, x=IMAGES),
        case((3, 2), (2, 1), (1, 0), x=IMAGES),
        case(3, 2, 1, ceil_mode=True, x=IMAGES),
        case(3, 2, 1, True, False, x=IMAGES),
        case(3, 2, 1, ceil_mode=True, divisor_override=5, x=IMAGES),
        case(2, x=(4, 7, 7)),
    ],
    "AdaptiveAvgPool1d": [*(case(size, x=(2, 3, 7)) for size in (1, 3, 7, 9)), case(2, x=(3, 7))],
    "AdaptiveMaxPool1d": [
        *(case(size, x=(2, 3, 7)) for size in (1, 3, 7, 9)),
        case(3, True, x=(2, 3, 7)),
        case(2, return_indices=True, x=(3, 7)),
    ],
    "AdaptiveAvgPool2d": [
        *(case(size, x=IMAGES) for size in (1, 3, (3, 2), (None, 4), (7, 6), (5, 9), (None, None))),
        case(2, x=(4, 7, 7)),
    ],
    "AdaptiveMaxPool2d": [
        *(case(size, x=IMAGES) for size in (1, 3, (3, 2), (None, 4), (7, 6), (5, 9), (None, None))),
        case(2, x=(4, 7, 7)),
        case((3, 4), True, x=IMAGES),
        case(3, return_indices=True, x=(4, 6, 6)),
    ],
    "Upsample": [
        case(9, x=(2, 3, 4)),
        case(scale_factor=2, x=IMAGES),
        case(scale_factor=(1.5, 2.7), x=IMAGES),
        case(scale_factor=0.6, x=IMAGES),
        case((5, 13), x=IMAGES),
        case(scale_factor=1.6, mode="linear", x=(2, 3, 7)),
        case(9, mode="linear", align_corners=True, x=(2, 3, 4)),
        case((5, 13), mode="bilinear", x=IMAGES),
        case((5, 13), mode="bilinear", align_corners=True, x=IMAGES),
        case(scale_factor=2, mode="bilinear", align_corners=False, x=IMAGES),
        case(scale_factor=(1.3, 0.5), mode="bilinear", x=IMAGES),
        case(scale_factor=1.3, mode="bilinear", recompute_scale_factor=True, x=IMAGES),
        case((1, 1), mode="bilinear", align_corners=True, x=IMAGES),
    ],
    # What dropout draws is its own. At 0 and at 1 nothing is left to chance; between them the law is compared, below.
    "Dropout": [case(0.0), case(1.0)],
    "Dropout2d": [case(0.0, x=IMAGES), case(1.0, x=IMAGES), case(1.0, x=(3, 2, 2))],
    "BatchNorm1d": [
        case(4, x=(6, 4)),
        case(4, x=(3, 4, 5)),
        case(4, 0.1, None, x=(6, 4)),
        case(4, momentum=0.7, affine=False, x=(6, 4)),
        case(4, track_running_stats=False, x=(6, 4)),
        case(4, bias=False, x=(6, 4)),
    ],
    "BatchNorm2d": [
        case(4, x=IMAGES),
        case(4, 0.1, None, x=IMAGES),
        case(4, 1e-3, 0.7, False, x=IMAGES),
        case(4, track_running_stats=False, x=IMAGES),
        case(4, 1e-3, 0.2, False, False, x=IMAGES),
        case(4, bias=False, x=IMAGES),
    ],
    "LayerNorm": [
        case(6),
        case((5, 6), x=(3, 5, 6)),
        case(6, 0.1, False),
        case([6], bias=False, x=(2, 3, 6)),
    ],
    "GroupNorm": [
        case(2, 4, x=IMAGES),
        case(1, 4, 0.1, x=(3, 4, 5)),
        case(4, 4, affine=False, x=IMAGES),
        case(2, 6, x=(3, 6)),
        case(2, 4, bias=False, x=IMAGES),
    ],
    "LocalResponseNorm": [
        case(3, x=IMAGES),
        case(2, 0.5, 0.9, 2.0, x=(2, 5, 4)),
        case(1, alpha=1.0, x=IMAGES),
        case(9, alpha=1.0, x=IMAGES),
    ],
    "Embedding": [
        case(5, 3, x=WORDS),
        case(5, 3, 0, x=WORDS),
        case(5, 3, padding_idx=-1, x=WORDS),
        case(5, 3, max_norm=1.0, norm_type=1.0, x=WORDS),
        case(5, 3, scale_grad_by_freq=True, padding_idx=4, x=WORDS),
        case(5, 3, x=np.array(2)),
    ],
    "RNN": [
        *recurrent(),
        *recurrent(nonlinearity="relu"),
        case(3, 4, x=[(5, 2, 3), (1, 2, 4)]),
        case(3, 4, 2, x=(5, 2, 3), dropout=1.0),
    ],
    "LSTM": [
        *recurrent(),
        *recurrent(proj_size=2),
        case(3, 4, 2, x=[(5, 2, 3), ((2, 2, 4), (2, 2, 4))]),
        case(3, 4, x=[(5, 3), ((1, 4), (1, 4))]),
        case(3, 4, proj_size=2, x=[(5, 2, 3), ((1, 2, 2), (1, 2, 4))]),
        case(3, 4, 3, x=(5, 2, 3), dropout=1.0, bidirectional=True),
        case(6, 2, x=(5, 3, 6)),
        case(6, 2, 2, False, x=(5, 3, 6)),
    ],
    "GRU": [
        *recurrent(),
        case(6, 2, x=(5, 3, 6)),
        case(6, 2, 2, False, x=(5, 3, 6)),
        case(3, 4, 1, True, False, 0.0, True, x=[(5, 2, 3), (2, 2, 4)]),
        case(3, 4, 2, x=(5, 2, 3), dropout=1.0),
    ],
    "RNNCell": [
        case(3, 4, x=(2, 3)),
        case(3, 4, False, "relu", x=[(2, 3), (2, 4)]),
        case(3, 4, x=[(3,), (4,)]),
    ],
    "LSTMCell": [
        case(3, 4, x=(2, 3)),
        case(3, 4, False, x=[(2, 3), ((2, 4), (2, 4))]),
        case(3, 4, x=[(3,), ((4,), (4,))]),
    ],
    "GRUCell": [case(3, 4, x=(2, 3)), case(3, 4, False, x=[(2, 3), (2, 4)]), case(3, 4, x=[(3,), (4,)])],
    "MultiheadAttention": [
        case(6, 2, x=[(5, 2, 6)] * 3),
        case(6, 3, x=[(2, 5, 6)] * 3, batch_first=True, bias=False),
        case(6, 1, x=[(4, 2, 6), (5, 2, 6), (5, 2, 6)], call={"need_weights": False}),
        case(6, 2, x=[(4, 2, 6), (5, 2, 3), (5, 2, 7)], kdim=3, vdim=7, call={"average_attn_weights": False}),
        case(6, 2, x=[(4, 6), (5, 6), (5, 6)]),
        case(6, 2, x=[(4, 2, 6), (5, 2, 6), (5, 2, 6)], add_bias_kv=True, add_zero_attn=True),
        case(6, 2, x=[(5, 2, 6)] * 3, call={"attn_mask": BOOLEAN, "is_causal": True}),
        case(6, 2, x=[(5, 2, 6)] * 3, call={"attn_mask": ADDED}),
        case(6, 2, x=[(5, 2, 6)] * 3, call={"attn_mask": np.stack([ADDED] * 4), "average_attn_weights": False}),
        case(6, 2, x=[(5, 2, 6)] * 3, call={"key_padding_mask": PADDED, "attn_mask": BOOLEAN}, add_zero_attn=True),
        case(6, 2, x=[(2, 5, 6)] * 3, call={"key_padding_mask": PADDED}, add_bias_kv=True, batch_first=True),
        case(6, 2, x=[(5, 6)] * 3, call={"key_padding_mask": PADDED[0]}),
        case(6, 2, 1.0, x=[(5, 2, 6)] * 3),
    ],
    "TransformerEncoderLayer": [
        case(6, 2, 8, 0.0, x=(5, 2, 6)),
        case(6, 3, 8, 0.0, "gelu", 1e-3, True, True, x=(2, 5, 6)),
        case(6, 2, 8, 0.0, bias=False, x=(5, 6)),
        case(6, 2, 8, 1.0, x=(5, 2, 6)),
        case(6, 2, 8, 1.0, x=(5, 2, 6), norm_first=True),
        case(6, 2, 8, 0.0, x=(5, 2, 6), call={"src_mask": BOOLEAN, "src_key_padding_mask": PADDED, "is_causal": True}),
    ],
    "Sigmoid": ACTIVATION,
    "Tanh": ACTIVATION,
    "ReLU": [*ACTIVATION, case(inplace=False, x=(3,))],
    "LeakyReLU": [*ACTIVATION, case(0.3, x=(3, 5)), case(negative_slope=2.0, x=(3, 5))],
    "PReLU": [*ACTIVATION, case(3, x=(2, 3)), case(3, 0.1, x=(2, 3, 4, 5))],
    "ELU": [*ACTIVATION, case(0.5, x=(3, 5))],
    "SELU": ACTIVATION,
    "Mish": ACTIVATION,
    "Softsign": ACTIVATION,
    "SiLU": ACTIVATION,
    "GELU": [*ACTIVATION, case("tanh", x=(3, 5))],
    "Softplus": [*ACTIVATION, case(3.0, 1.0, x=(3, 5))],
    "Softmax": ALONG,
    "LogSoftmax": ALONG,
    "LogSigmoid": ACTIVATION,
    "Hardtanh": [*ACTIVATION, case(-0.3, 0.4, x=(3, 5))],
    "Threshold": [case(0.1, 20.0, x=(3, 5)), case(-0.5, 0.0, x=(2, 3, 4))],
}


def layers() -> set[str]:
    found = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    return {name for name in found if issubclass(getattr(nn, name), nn.Module) and not name.endswith("Loss")}


def test_every_layer_has_cases():
    assert layers() - OURS - CONTAINERS == set(CASES)
    assert not any(hasattr(torch.nn, name) for name in OURS)


def filled(spec: Any, rng: np.random.Generator) -> Any:
    """Return random numbers for a shape, arrays for a tuple of shapes, an array as it is."""
    if isinstance(spec, np.ndarray):
        return spec
    if spec and isinstance(spec[0], tuple):
        return tuple(filled(part, rng) for part in spec)
    return rng.normal(size=spec)


def both(value: Any, dtype: str) -> tuple[Any, Any]:
    """Return a value as our tensors and as PyTorch's, which need a gradient if they are floating."""
    if isinstance(value, tuple):
        pairs = [both(part, dtype) for part in value]
        return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return value, torch.from_numpy(value)
    value = value.astype(dtype)
    return Tensor(value, requires_grad=True), torch.tensor(value, requires_grad=True)


def flat(value: Any) -> list[Any]:
    """Return the tensors in nested tuples."""
    if isinstance(value, tuple):
        return [tensor for part in value for tensor in flat(part)]
    return [] if value is None else [value]


def same(ours: Any, theirs: Any, dtype: str, what: str) -> None:
    ours = ours.numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, what
    assert ours.dtype == theirs.dtype, what
    np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs), err_msg=what)
    largest = np.abs(theirs).max(initial=0)
    assert np.abs(ours - theirs).max(initial=0) <= TOLERANCE[dtype] * largest, f"{what}: {ours} instead of {theirs}"


def twins(name: str, chosen: Case, dtype: str, seed: int) -> tuple[Any, Any]:
    """Return our layer and PyTorch's with the same random parameters and buffers."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of PyTorch's arguments warn
        theirs = getattr(torch.nn, name)(*chosen.args, **chosen.kwargs).to(getattr(torch, dtype))
    ours = getattr(nn, name)(*chosen.args, **chosen.kwargs).to(dtype)
    state = theirs.state_dict()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in state.items()}
    assert list(ours.state_dict()) == list(state)
    for key, value in state.items():
        if value.dtype.is_floating_point:
            value.copy_(torch.from_numpy(rng.uniform(0.3, 0.9, value.shape) * rng.choice([-1, 1], value.shape)))
        if key.endswith("running_var"):
            value.abs_()
    ours.load_state_dict(state)
    return ours, theirs


GRID = [(name, i) for name, cases in CASES.items() for i in range(len(cases))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "i"), GRID, ids=[f"{name}-{i}" for name, i in GRID])
def test_a_layer_computes_what_pytorchs_does(name, i, dtype):
    chosen = CASES[name][i]
    for training in (True, False):
        ours, theirs = twins(name, chosen, dtype, seed=i)
        ours.train(training)
        theirs.train(training)
        rng = np.random.default_rng([i, training])
        shared: dict[Any, Any] = {}
        pairs = []
        for spec in chosen.inputs:  # the same input twice is one tensor: self-attention
            key = spec if isinstance(spec, tuple) else id(spec)
            if key not in shared or name != "MultiheadAttention":
                shared[key] = both(filled(spec, rng), dtype)
            pairs.append(shared[key])
        call = {k: both(v, dtype) if isinstance(v, np.ndarray) else (v, v) for k, v in chosen.call.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = flat(theirs(*(p[1] for p in pairs), **{k: v[1] for k, v in call.items()}))
        found = flat(ours(*(p[0] for p in pairs), **{k: v[0] for k, v in call.items()}))
        assert len(found) == len(expected)
        ours_total: Any = 0.0
        theirs_total: Any = 0.0
        for n, (a, b) in enumerate(zip(found, expected, strict=True)):
            same(a, b, dtype, f"output {n}")
            if b.requires_grad:
                weights = rng.normal(size=a.shape).astype(dtype)
                ours_total = ours_total + (a * Tensor(weights)).sum()
                theirs_total = theirs_total + (b * torch.tensor(weights)).sum()
        ours_total.backward()
        theirs_total.backward()
        inputs = [t for p in pairs for t in zip(flat(p[0]), flat(p[1]), strict=True)]
        for n, (a, b) in enumerate(inputs):
            if isinstance(a, Tensor):
                same(a.grad, b.grad, dtype, f"gradient of input {n}")
        parameters = dict(theirs.named_parameters())
        for key, parameter in ours.named_parameters():
            same(parameter.grad, parameters[key].grad, dtype, f"gradient of {key}")
        buffers = dict(theirs.named_buffers())
        for key, buffer in ours.named_buffers():
            same(buffer, buffers[key], dtype, key)


LARGE = {
    "Linear": (400, 300),
    "Bilinear": (40, 30, 20),
    "Conv1d": (40, 60, 5),
    "Conv2d": (20, 60, 5),
    "ConvTranspose1d": (40, 60, 5),
    "ConvTranspose2d": (20, 60, 5),
    "Embedding": (300, 50),
    "RNN": (60, 100),
    "LSTM": (60, 100),
    "GRU": (60, 100),
    "RNNCell": (60, 100),
    "LSTMCell": (60, 100),
    "GRUCell": (60, 100),
    "MultiheadAttention": (60, 2),
    "TransformerEncoderLayer": (60, 2, 200),
    "BatchNorm1d": (9,),
    "BatchNorm2d": (9,),
    "LayerNorm": (9,),
    "GroupNorm": (3, 9),
    "PReLU": (9,),
}


def test_every_layer_with_parameters_has_a_case_of_initialisation():
    learning = {name for name, cases in CASES.items() if list(twins(name, cases[0], "float32", 0)[0].parameters())}
    assert learning == set(LARGE)


@pytest.mark.parametrize("name", LARGE)
def test_a_layer_begins_as_pytorchs_does(name):
    autograd.manual_seed(1)
    torch.manual_seed(1)
    ours, theirs = getattr(nn, name)(*LARGE[name]), getattr(torch.nn, name)(*LARGE[name])
    for (key, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        a, b = a.numpy().astype(float), b.detach().numpy().astype(float)
        few = 4 / np.sqrt(a.size)  # what chance allows
        assert abs(a.mean() - b.mean()) <= few * b.std() * 2, key
        assert abs(a.std() - b.std()) <= few * b.std(), key
        if key != "weight" or name != "Embedding":  # uniform: the largest is near the bound
            assert abs(np.abs(a).max() - np.abs(b).max()) <= few * np.abs(b).max(), key


@pytest.mark.parametrize("name", CASES)
def test_the_text_of_a_layer_is_pytorchs(name):
    for chosen in CASES[name]:
        ours, theirs = twins(name, chosen, "float32", 0)
        expected = repr(theirs)
        if name == "AvgPool1d":  # where PyTorch makes tuples of what it was given, and shows them
            expected = re.sub(r"=\((\d+),\)", r"=\1", expected)
        elif name in ("MultiheadAttention", "TransformerEncoderLayer"):  # a Linear that is not quantised on its own
            expected = expected.replace("NonDynamicallyQuantizableLinear", "Linear")
        elif name == "RNN" and theirs.nonlinearity == "relu":  # which PyTorch shows of RNNCell alone
            expected = f"{expected[:-1]}, nonlinearity=relu)"
        assert repr(ours) == expected


SHARES = (0.1, 0.3, 0.5, 0.8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", SHARES)
@pytest.mark.parametrize("name", ["Dropout", "Dropout2d", "dropout", "dropout2d"])
def test_dropout_follows_the_law_of_pytorchs(name, p, dtype):
    autograd.manual_seed(0)
    torch.manual_seed(0)
    channels = name.endswith("2d")
    x = np.random.default_rng(1).uniform(1, 2, (100, 200, 2, 2) if channels else (200, 400)).astype(dtype)
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    module = not name.islower()
    layer, function = getattr(nn, name, None), getattr(nn.functional, name, None)
    ours = layer(p)(a) if module else function(a, p)
    theirs = getattr(torch.nn, name)(p)(b) if module else getattr(torch.nn.functional, name)(b, p)
    ours.sum().backward()
    theirs.sum().backward()
    draws = 100 * 200 if channels else 200 * 400
    chance = 5 * np.sqrt(p * (1 - p) / draws)  # five standard deviations of the share
    for out, grad in ((ours.numpy(), a.grad.numpy()), (theirs.detach().numpy(), b.grad.numpy())):
        assert out.dtype == grad.dtype == dtype
        mask = out / x
        kept = out != 0
        np.testing.assert_allclose(mask[kept], 1 / (1 - p), rtol=TOLERANCE[dtype])
        np.testing.assert_allclose(grad, mask, rtol=TOLERANCE[dtype])  # the gradient is the mask
        np.testing.assert_array_equal(grad != 0, kept)
        assert abs((~kept).mean() - p) < chance
        assert abs(mask.mean() - 1) < chance / (1 - p)
        if channels:  # all of a channel, or nothing
            np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :, :1, :1], kept.shape))
        # Each draw is by itself: neighbours agree as often as chance has it.
        first = kept[:, :, 0, 0] if channels else kept
        for axis in (0, 1):
            later, earlier = (
                first.take(range(1, first.shape[axis]), axis),
                first.take(range(first.shape[axis] - 1), axis),
            )
            assert abs((later == earlier).mean() - (p * p + (1 - p) ** 2)) < 5 / np.sqrt(draws)
    evaluated = layer(p).eval()(a) if module else function(a, p, False)
    np.testing.assert_array_equal(evaluated.numpy(), x)


@pytest.mark.parametrize("p", SHARES)
def test_dropout_of_attention_follows_the_law_of_pytorchs(p):
    rng = np.random.default_rng(0)
    q, k, eye = rng.normal(size=(20, 30, 8)), rng.normal(size=(20, 40, 8)), np.broadcast_to(np.eye(40), (20, 40, 40))
    autograd.manual_seed(0)
    torch.manual_seed(0)
    attend, their = nn.functional.scaled_dot_product_attention, torch.nn.functional.scaled_dot_product_attention
    whole = attend(q, k, eye).numpy()
    dropped = attend(q, k, eye, dropout_p=p).numpy()
    theirs = their(torch.tensor(q), torch.tensor(k), torch.tensor(eye.copy()), dropout_p=p).numpy()
    for weights in (dropped, theirs):
        kept = weights != 0
        np.testing.assert_allclose(weights[kept], whole[kept] / (1 - p), rtol=1e-10)
        assert abs((~kept).mean() - p) < 5 * np.sqrt(p * (1 - p) / whole.size)
