"""Layers without PyTorch beside them: gradients against finite differences, dtypes, random behaviour, bad input."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
IMAGES = (2, 4, 5, 6)
WORDS = np.array([[1, 2, 0], [4, 4, 3]])


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng([7, *shape]).normal(size=shape)


# A layer and its inputs; the name of each begins with that of the class.
CASES = {
    "Linear": (lambda: nn.Linear(3, 2), [normal(4, 3)]),
    "Bilinear": (lambda: nn.Bilinear(3, 2, 4), [normal(5, 3), normal(5, 2)]),
    "Identity": (lambda: nn.Identity(), [normal(3)]),
    "Flatten": (lambda: nn.Flatten(), [normal(2, 3, 2)]),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 2)), [normal(2, 4)]),
    "Conv1d": (lambda: nn.Conv1d(4, 2, 3, 2, 1, padding_mode="reflect"), [normal(2, 4, 7)]),
    "Conv2d": (lambda: nn.Conv2d(4, 2, 3, padding="same", groups=2), [normal(*IMAGES)]),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 2, 3, 2, 1, 1), [normal(2, 4, 3)]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), [normal(2, 4, 3, 2)]),
    "MaxPool1d": (lambda: nn.MaxPool1d(3, 2, 1), [normal(2, 3, 7)]),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, ceil_mode=True), [normal(*IMAGES)]),
    "AvgPool1d": (lambda: nn.AvgPool1d(3, 2, 1), [normal(2, 3, 7)]),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, 2, 1, divisor_override=4), [normal(*IMAGES)]),
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), [normal(2, 3, 7)]),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((2, 4)), [normal(*IMAGES)]),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), [normal(2, 3, 7)]),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((2, 4)), [normal(*IMAGES)]),
    "Upsample": (lambda: nn.Upsample((7, 4), mode="bilinear"), [normal(*IMAGES)]),
    "Dropout": (lambda: nn.Dropout(0.4), [normal(4, 5)]),
    "Dropout2d": (lambda: nn.Dropout2d(0.4), [normal(2, 3, 2, 2)]),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), [normal(5, 3)]),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), [normal(*IMAGES)]),
    "LayerNorm": (lambda: nn.LayerNorm((2, 3)), [normal(4, 2, 3)]),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), [normal(2, 4, 3)]),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3, 0.5), [normal(2, 4, 2, 2)]),
    "Embedding": (lambda: nn.Embedding(5, 3), [WORDS]),
    "RNN": (lambda: nn.RNN(3, 2, 2, bidirectional=True), [normal(4, 2, 3), normal(4, 2, 2)]),
    "LSTM": (
        lambda: nn.LSTM(3, 2, bidirectional=True),
        [normal(3, 2, 3), (normal(2, 2, 2), normal(2, 2, 2) + 0.5)],
    ),
    "GRU": (lambda: nn.GRU(3, 2, bidirectional=True), [normal(4, 2, 3), normal(2, 2, 2)]),
    "RNNCell": (lambda: nn.RNNCell(3, 2), [normal(4, 3), normal(4, 2)]),
    "LSTMCell": (lambda: nn.LSTMCell(3, 2), [normal(4, 3), (normal(4, 2), normal(4, 2) + 0.5)]),
    "GRUCell": (lambda: nn.GRUCell(3, 2), [normal(4, 3), normal(4, 2)]),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=2),
        [normal(3, 2, 4), normal(2, 2, 3), normal(2, 2, 2)],
    ),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0, "gelu"),
        [normal(3, 2, 4)],
    ),
    "Sigmoid": (lambda: nn.Sigmoid(), [normal(4)]),
    "Tanh": (lambda: nn.Tanh(), [normal(4)]),
    "ReLU": (lambda: nn.ReLU(), [normal(4)]),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), [normal(4)]),
    "PReLU": (lambda: nn.PReLU(3), [normal(2, 3, 2)]),
    "ELU": (lambda: nn.ELU(0.7), [normal(4)]),
    "SELU": (lambda: nn.SELU(), [normal(4)]),
    "Mish": (lambda: nn.Mish(), [normal(4)]),
    "Softsign": (lambda: nn.Softsign(), [normal(4)]),
    "SiLU": (lambda: nn.SiLU(), [normal(4)]),
    "GELU": (lambda: nn.GELU("tanh"), [normal(4)]),
    "Softplus": (lambda: nn.Softplus(2.0), [normal(4)]),
    "Softmax": (lambda: nn.Softmax(-1), [normal(2, 4)]),
    "LogSoftmax": (lambda: nn.LogSoftmax(0), [normal(2, 4)]),
    "LogSigmoid": (lambda: nn.LogSigmoid(), [normal(4)]),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 0.5), [normal(6)]),
    "Threshold": (lambda: nn.Threshold(0.1, 3.0), [normal(6)]),
    "Step": (lambda: nn.Step(), [normal(6)]),
    "Maxout": (lambda: nn.Maxout(3, 2, 3), [normal(4, 3)]),
    "RadialBasis": (lambda: nn.RadialBasis(3, 2), [normal(4, 3)]),
    # The same layers with options that make another computation of them.
    "Linear without bias": (lambda: nn.Linear(3, 2, bias=False), [normal(3)]),
    "Conv2d of one image, dilated": (lambda: nn.Conv2d(4, 6, (3, 2), 2, 1, (1, 2), 2, False), [normal(4, 5, 6)]),
    "Conv2d, depthwise": (lambda: nn.Conv2d(4, 8, 3, padding=1, groups=4, padding_mode="circular"), [normal(*IMAGES)]),
    "ConvTranspose2d in groups": (lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2, bias=False), [normal(2, 4, 2, 2)]),
    "MaxPool2d with indices": (lambda: nn.MaxPool2d(3, 1, 1, 2, return_indices=True), [normal(*IMAGES)]),
    "AdaptiveMaxPool2d of equal windows": (lambda: nn.AdaptiveMaxPool2d((5, 2)), [normal(*IMAGES)]),
    "AdaptiveAvgPool2d of equal windows": (lambda: nn.AdaptiveAvgPool2d((5, 2)), [normal(*IMAGES)]),
    "Upsample, nearest": (lambda: nn.Upsample(scale_factor=(2, 1.5)), [normal(*IMAGES)]),
    "Upsample, corners aligned": (
        lambda: nn.Upsample((3, 7), mode="bilinear", align_corners=True),
        [normal(*IMAGES)],
    ),
    "BatchNorm1d of sequences": (lambda: nn.BatchNorm1d(3, affine=False), [normal(4, 3, 5)]),
    "BatchNorm2d without statistics": (
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
        [normal(*IMAGES)],
    ),
    "LayerNorm without weights": (lambda: nn.LayerNorm(3, elementwise_affine=False), [normal(4, 3)]),
    "Embedding with padding_idx": (lambda: nn.Embedding(5, 3, padding_idx=4), [WORDS]),
    "RNN with relu": (lambda: nn.RNN(3, 2, nonlinearity="relu", bias=False), [normal(4, 2, 3)]),
    "RNNCell with relu": (lambda: nn.RNNCell(3, 2, False, "relu"), [normal(3)]),
    "LSTM with projection": (
        lambda: nn.LSTM(3, 4, 2, batch_first=True, dropout=0.4, proj_size=2),
        [normal(2, 3, 3)],
    ),
    "LSTM of few inputs": (lambda: nn.LSTM(2, 3, bias=False), [normal(4, 2, 2)]),
    "GRU of few inputs": (lambda: nn.GRU(2, 3), [normal(4, 2, 2), normal(1, 2, 3)]),
    "GRU without bias": (lambda: nn.GRU(2, 3, bias=False, bidirectional=True), [normal(3, 2, 2)]),
    "GRU in layers": (lambda: nn.GRU(3, 2, 2, batch_first=True, dropout=0.4, bidirectional=True), [normal(2, 3, 3)]),
    "MultiheadAttention with dropout": (
        lambda: nn.MultiheadAttention(4, 2, 0.3, add_bias_kv=True, add_zero_attn=True, batch_first=True),
        [normal(2, 3, 4), normal(2, 2, 4), normal(2, 2, 4)],
    ),
    "TransformerEncoderLayer with dropout": (
        lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.3, norm_first=True, batch_first=True),
        [normal(2, 3, 4)],
    ),
    "PReLU with one weight": (lambda: nn.PReLU(), [normal(4)]),
    "GELU by erf": (lambda: nn.GELU(), [normal(4)]),
}
CONTAINERS = {"Module", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}


def test_every_layer_has_a_case():
    found = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    layers = {n for n in found if issubclass(getattr(nn, n), nn.Module) and not n.endswith("Loss")}
    assert layers - CONTAINERS == {kind(name) for name in CASES}


def kind(name: str) -> str:
    return name.replace(",", "").split()[0]


def made(name: str, dtype: str = "float64") -> nn.Module:
    autograd.manual_seed(3)
    layer = CASES[name][0]().to(dtype)
    for p in layer.parameters():
        p.data[...] += 0.1 * RNG.normal(size=p.shape)  # biases of 0 and weights of 1 hide mistakes
    for buffer_name, buffer in layer.named_buffers():
        if buffer_name.startswith("running"):
            buffer.data[...] = RNG.uniform(0.5, 1.5, buffer.shape)
    return layer


def tensors(value, dtype="float64"):
    if isinstance(value, (list, tuple)):
        return type(value)(tensors(v, dtype) for v in value)
    return Tensor(value.astype(dtype), requires_grad=True) if value.dtype.kind == "f" else value


def flat(value) -> list:
    if isinstance(value, (list, tuple)):
        return [t for part in value for t in flat(part)]
    return [] if value is None else [value]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_finite_differences(name, training):
    layer = made(name).train(training)
    inputs = tensors(CASES[name][1])

    def function(*_):
        autograd.manual_seed(5)  # the same dropout at every call
        return tuple(flat(layer(*inputs)))

    leaves = [t for t in flat(inputs) if isinstance(t, Tensor)] + list(layer.parameters())
    if "padding_idx" not in name:  # whose gradient is left out, which differences do not know
        assert gradcheck(function, *leaves)
    assert gradgradcheck(function, *leaves, directions=1)


PIECEWISE_LINEAR = [
    *("ReLU", "LeakyReLU", "Hardtanh", "Threshold", "Step", "MaxPool1d", "MaxPool2d", "AvgPool2d", "AdaptiveMaxPool2d"),
    *("AdaptiveAvgPool2d", "Upsample", "Dropout", "Dropout2d", "Flatten", "Identity", "Maxout"),
]


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_the_second_derivative_of_what_is_linear_in_pieces_is_0(name):
    layer, [x] = made(name), tensors(CASES[name][1])
    out = layer(x)
    [first] = autograd.gradients(out, [x], Tensor(RNG.normal(size=out.shape)), create_graph=True)
    if first.requires_grad:
        [second] = autograd.gradients(first, [x], Tensor(RNG.normal(size=x.shape)))
        assert not second.numpy().any()


def test_a_threshold_of_integers_keeps_its_value():
    assert (
        nn.Threshold(0.5, -1.5)([0, 1]).tolist() == nn.functional.threshold([0, 1], 0.5, -1.5).tolist() == [-1.5, 1.0]
    )


def test_the_gradient_of_an_embedding_is_linear_and_its_second_derivative_0():
    layer = made("Embedding with padding_idx")
    out = layer(WORDS)
    seed = Tensor(RNG.normal(size=out.shape), requires_grad=True)
    [first] = autograd.gradients(out, [layer.weight], seed, create_graph=True)
    assert not first.numpy()[4].any()
    towards = RNG.normal(size=first.shape)
    [by_seed] = autograd.gradients(first, [seed], Tensor(towards))
    np.testing.assert_array_equal(by_seed.numpy(), np.where((WORDS == 4)[..., None], 0, towards[WORDS]))


@pytest.mark.parametrize("name", CASES)
def test_float32_goes_in_and_out_whatever_is_fed(name):
    layer = made(name, "float32")
    learning = bool(layer.state_dict())
    for dtype in ("float32", "float64"):
        inputs = tensors(CASES[name][1], dtype)
        results = flat(layer(*inputs))
        expected = "float32" if learning else dtype
        results = [t for t in results if t.dtype.kind == "f"]  # but for indices
        assert {t.dtype.name for t in results} == {expected}
        total = sum((t * t).sum() for t in results)
        for node in nodes_of(total):
            for array in arrays_in(node.saved):
                if learning and array.dtype.kind == "f" and array.size > 1:
                    assert array.dtype == np.float32 or node.op.name == "astype", node.op
        total.backward()
        for p in layer.parameters():
            assert p.grad.dtype == np.float32
        for t in flat(inputs):
            if isinstance(t, Tensor):
                assert t.grad.dtype.name == dtype
    for _, buffer in layer.named_buffers():
        assert buffer.dtype in (np.float32, np.int64)


def nodes_of(tensor: Tensor) -> list:
    found, stack = {}, [tensor._node]
    while stack:
        node = stack.pop()
        if node is not None and node.op is not None and id(node) not in found:
            found[id(node)] = node
            stack.extend(node.parents)
    return list(found.values())


def arrays_in(saved) -> list:
    if isinstance(saved, (tuple, list)):
        return [a for part in saved for a in arrays_in(part)]
    return [saved] if isinstance(saved, np.ndarray) else []


@pytest.mark.parametrize("name", CASES)
def test_copies_pickles_and_states_compute_the_same(name):
    layer = made(name, "float32").eval()
    inputs = CASES[name][1]  # plain arrays
    expected = flat(layer(*inputs))
    assert all(isinstance(t, Tensor) for t in expected)
    other = CASES[name][0]().eval()
    other.load_state_dict(layer.state_dict())
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), other):
        for a, b in zip(flat(twin(*inputs)), expected, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert repr(other) == repr(layer)
    assert kind(name) in repr(layer)


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_makes_the_same_layer(name):
    states = []
    for _ in range(2):
        autograd.manual_seed(11)
        states.append(CASES[name][0]().state_dict())
    for key, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][key])


# Input of other kinds


def test_lists_integers_and_float64_become_the_parameters_dtype():
    layer = nn.Linear(2, 3)
    assert layer([[1, 2]]).dtype == np.float32
    assert layer(np.ones((1, 2), np.uint8)).dtype == np.float32
    assert layer(Tensor([[1, 2]])).dtype == np.float32
    with pytest.raises(TypeError, match=r"^Linear: complex"):
        layer(np.ones((1, 2), complex))


def test_an_array_that_is_changed_after_the_call_does_not_change_gradients():
    layer, x = nn.Linear(2, 1), np.ones((1, 2), np.float32)
    y = layer(x)
    x[...] = 7
    y.backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[1, 1]])


BAD = [
    (lambda: nn.Linear(3, 2), (4, 2), "Linear: expected 3 features, got 2, input (4, 2)"),
    (lambda: nn.Linear(3, 2), (), "Linear: expected 3 features, got a single number, input ()"),
    (lambda: nn.Conv2d(3, 2, 3), (1, 4, 9, 9), "Conv2d: expected 3 channels, got 4, input (1, 4, 9, 9)"),
    (lambda: nn.Conv2d(3, 2, 3), (9, 9), "Conv2d: expected (N, C, H, W) or (C, H, W), got 2 axes, input (9, 9)"),
    (lambda: nn.Conv1d(3, 2, 3), (1, 3, 9, 9), "Conv1d: expected (N, C, L) or (C, L), got 4 axes"),
    (lambda: nn.Conv2d(3, 2, 5), (1, 3, 4, 4), "Conv2d: convolution: expected a padded image of at least (5, 5)"),
    (lambda: nn.ConvTranspose2d(3, 2, 3), (1, 4, 9, 9), "ConvTranspose2d: expected 3 channels"),
    (lambda: nn.MaxPool2d(2), (4,), "MaxPool2d: expected (N, C, H, W)"),
    (lambda: nn.BatchNorm2d(3), (2, 3), "BatchNorm2d: expected (N, C, H, W), got 2 axes"),
    (lambda: nn.BatchNorm1d(3), (2, 4), "BatchNorm1d: expected 3 channels, got 4"),
    (lambda: nn.BatchNorm1d(3), (1, 3), "BatchNorm1d: batch_norm: expected more than 1 value per channel"),
    (lambda: nn.LayerNorm(3), (1, 4), "LayerNorm: layer_norm: expected an input whose last axes are (3,)"),
    (lambda: nn.GroupNorm(2, 4), (1, 6), "GroupNorm: expected 4 channels, got 6"),
    (lambda: nn.RNN(3, 4), (5, 2, 4), "RNN: expected 3 features, got 4"),
    (lambda: nn.LSTM(3, 4), (5,), "LSTM: expected (T, N, features) or (T, features), got 1 axes"),
    (lambda: nn.GRU(3, 4), (0, 2, 3), "GRU: expected at least one step, got none"),
    (lambda: nn.LSTMCell(3, 4), (2, 2), "LSTMCell: expected 3 features, got 2"),
    (lambda: nn.PReLU(3), (2, 4), "PReLU: prelu: expected one weight, or one for each channel"),
    (lambda: nn.Upsample(3, mode="bilinear"), (2, 3, 4), "Upsample: interpolate: expected (N, C, L)"),
    (lambda: nn.Flatten(3), (2, 3), "Flatten: no axes from 3 to -1"),
    (lambda: nn.Unflatten(1, (2, 2)), (2, 3), "Unflatten: axis 1 of size 3 cannot become (2, 2)"),
    (lambda: nn.Softmax(2), (2, 3), "Softmax: no axis 2"),
    (lambda: nn.Maxout(3, 2), (2, 4), "Maxout: expected 3 features, got 4"),
    (lambda: nn.RadialBasis(3, 2), (2, 4), "RadialBasis: expected 3 features, got 4"),
    (lambda: nn.Dropout2d(), (2, 3), "Dropout2d: dropout2d: expected (N, C, H, W) or (C, H, W)"),
    (lambda: nn.TransformerEncoderLayer(4, 2), (3, 2, 5), "self_attn: expected a query of 4 features, got 5"),
]


@pytest.mark.parametrize(("make", "shape", "message"), BAD, ids=[m.split(":")[0] + str(s) for _, s, m in BAD])
def test_input_that_does_not_fit_is_refused_by_name(make, shape, message):
    with pytest.raises(ValueError, match=r".") as caught:
        make()(np.zeros(shape))
    assert str(caught.value).startswith(message)


class Within(nn.Module):
    """A model in which a layer has the path features.3, whatever the number of its inputs."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.features = nn.ModuleList([nn.Identity(), nn.Identity(), nn.Identity(), layer])

    def forward(self, *inputs):
        return self.features[3](*inputs)


@pytest.mark.parametrize(("make", "shape", "message"), BAD, ids=[m.split(":")[0] + str(s) for _, s, m in BAD])
def test_the_path_in_a_model_stands_for_the_name(make, shape, message):
    with pytest.raises(ValueError, match=r".") as caught:
        Within(make())(np.zeros(shape))
    own = type(make()).__name__
    expected = message.replace(own, "features.3", 1) if message.startswith(own) else f"features.3.{message}"
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("name", CASES)
def test_every_layer_names_its_path_where_it_is_given_no_numbers(name):
    inputs = [np.array(["text"])] * len(CASES[name][1])
    if kind(name) == "Identity":  # which looks at nothing
        return
    with pytest.raises((TypeError, ValueError), match=r"features\.3"):
        Within(made(name))(*inputs)


@pytest.mark.parametrize("given", [None, [["a", "b", "c"]], [[None, 1.0, 2.0]]])
def test_what_is_no_numbers_is_refused(given):
    with pytest.raises(TypeError, match=r"^Linear: expected numbers, got (object|<U1): "):
        nn.Linear(3, 2)(given)


def test_states_and_second_inputs_that_do_not_fit_are_refused():
    x = np.zeros((5, 2, 3))
    with pytest.raises(ValueError, match=r"expected a state \(1, 2, 4\), got \(2, 4\)"):
        nn.RNN(3, 4)(x, np.zeros((2, 4)))
    with pytest.raises(TypeError, match="a pair of states and cells"):
        nn.LSTM(3, 4)(x, np.zeros((1, 2, 4)))
    with pytest.raises(ValueError, match=r"expected a cell \(2, 4\), got \(2, 3\)"):
        nn.LSTMCell(3, 4)(x[0], (np.zeros((2, 4)), np.zeros((2, 3))))
    with pytest.raises(ValueError, match="differ in their last axis only"):
        nn.Bilinear(2, 2, 1)(np.zeros((3, 2)), np.zeros((4, 2)))
    attention = nn.MultiheadAttention(4, 2)
    y = np.zeros((3, 2, 4))
    with pytest.raises(ValueError, match="expected attn_mask"):
        attention(y, y, y, attn_mask=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected key_padding_mask"):
        attention(y, y, y, key_padding_mask=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="is a hint"):
        attention(y, y, y, is_causal=True)
    with pytest.raises(ValueError, match="3 axes"):
        attention(y, y[0], y)
    with pytest.raises(ValueError, match="one batch"):
        attention(y, y[:, :1], y[:, :1])
    with pytest.raises(ValueError, match="is not between"):
        nn.ConvTranspose2d(1, 1, 3, 2)(np.zeros((1, 1, 3, 3)), output_size=(9, 9))


def test_words_out_of_range_are_refused():
    layer = nn.Embedding(5, 2)
    with pytest.raises(IndexError, match=r"^Embedding: expected integers from 0 to 4, got -1 to 5"):
        layer([-1, 5])
    with pytest.raises(TypeError, match="expected integers, got float64"):
        layer([1.0])
    with pytest.raises(IndexError, match=r"^features\.3: expected integers from 0 to 4, got 0 to 7, input \(2,\)$"):
        Within(layer)(np.array([0, 7]))


BAD_OPTIONS = [
    (lambda: nn.Linear(0, 2), "in_features is a positive integer"),
    (lambda: nn.Linear(2.5, 2), "in_features is a positive integer"),
    (lambda: nn.Conv2d(4, 6, 3, groups=3), "groups=3 do not divide"),
    (lambda: nn.Conv2d(4, 6, (3, 3, 3)), "kernel_size is an integer"),
    (lambda: nn.Conv2d(4, 6, 3, padding=-1), "padding is an integer of at least 0"),
    (lambda: nn.Conv2d(4, 6, 3, 2, padding="same"), "needs stride 1"),
    (lambda: nn.Conv2d(4, 6, 3, padding="full"), "'same' or 'valid'"),
    (lambda: nn.Conv2d(4, 6, 3, padding_mode="mirror"), "padding_mode is"),
    (lambda: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"), "padding_mode 'zeros'"),
    (lambda: nn.MaxPool2d(0), "kernel_size is an integer"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), "divisor_override"),
    (lambda: nn.AdaptiveAvgPool2d((1, 2, 3)), "output_size is an integer"),
    (lambda: nn.Upsample(), "either size or scale_factor"),
    (lambda: nn.Upsample(2, mode="cubic"), "mode is"),
    (lambda: nn.Upsample(2, align_corners=True), "linear modes"),
    (lambda: nn.Dropout(1.5), "probability"),
    (lambda: nn.GroupNorm(3, 4), "3 groups do not divide 4 channels"),
    (lambda: nn.LayerNorm(()), "at least one axis"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), "padding_idx 3"),
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), "nonlinearity is"),
    (lambda: nn.LSTM(3, 4, proj_size=4), "proj_size is"),
    (lambda: nn.MultiheadAttention(4, 3), "3 heads do not divide"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="sin"), "activation is"),
    (lambda: nn.GELU("erf"), "approximate is"),
    (lambda: nn.Hardtanh(1.0, -1.0), "min_val 1.0 is not below"),
]


@pytest.mark.parametrize(("make", "message"), BAD_OPTIONS)
def test_options_that_make_no_sense_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


# Behaviour of single layers


def test_dropout_keeps_the_mean_and_the_seed_decides():
    layer, x = nn.Dropout(0.3), np.ones((200, 500), np.float32)
    autograd.manual_seed(1)
    first = layer(x).numpy()
    assert abs(first.mean() - 1) < 0.02
    assert abs((first == 0).mean() - 0.3) < 0.01
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.7)}
    autograd.manual_seed(1)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x)


def test_dropout_between_recurrent_layers_only_while_training():
    autograd.manual_seed(0)
    layer = nn.LSTM(3, 40, 2, dropout=0.5)
    x = normal(4, 2, 3)
    assert (layer(x)[0].numpy() != layer(x)[0].numpy()).any()
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    with pytest.warns(UserWarning, match="num_layers=1"):
        nn.RNN(3, 4, dropout=0.5)


def test_attention_drops_weights_only_while_training():
    autograd.manual_seed(0)
    layer, x = nn.MultiheadAttention(8, 2, dropout=0.5), normal(6, 2, 8)
    assert (layer(x, x, x)[1].numpy() == 0).any()
    np.testing.assert_allclose(layer.eval()(x, x, x)[1].numpy().sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_over_an_empty_batch(batch_first):
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, batch_first=batch_first)
    x = np.zeros((0, 5, 8) if batch_first else (5, 0, 8), np.float32)
    result, weights = layer(x, x, x)
    assert result.shape == x.shape
    assert weights.shape == (0, 5, 7)
    result.sum().backward()
    assert not layer.in_proj_weight.grad.numpy().any()


def test_attention_sends_nothing_to_values_from_its_weights():
    layer, x = nn.MultiheadAttention(4, 2).double(), Tensor(normal(3, 2, 4))
    layer(x, x, x)[1].square().sum().backward()
    query, key, value = np.split(layer.in_proj_weight.grad.numpy(), 3)
    assert query.any()
    assert key.any()
    assert not value.any()


def test_batch_norm_in_evaluation_is_the_lectures_formula():
    norm = made("BatchNorm1d").eval()
    x = normal(6, 3)
    mean, var = norm.running_mean.numpy(), norm.running_var.numpy()
    expected = norm.weight.numpy() * (x - mean) / np.sqrt(var + norm.eps) + norm.bias.numpy()
    np.testing.assert_allclose(norm(x).numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(norm.running_mean.numpy(), mean)


def test_batch_norm_averages_over_all_batches_without_momentum():
    norm = nn.BatchNorm1d(2, momentum=None).double()
    batches = [normal(5, 2) * k for k in (1, 2, 3)]
    for batch in batches:
        norm(batch)
    np.testing.assert_allclose(norm.running_mean.numpy(), np.mean([b.mean(0) for b in batches], 0), rtol=1e-12)
    np.testing.assert_allclose(norm.running_var.numpy(), np.mean([b.var(0, ddof=1) for b in batches], 0), rtol=1e-12)
    norm.reset_running_stats()
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.num_batches_tracked.item() == 0


def test_the_padding_word_gets_no_gradient_and_begins_as_zero():
    layer = nn.Embedding(5, 2, padding_idx=-2)
    assert layer.weight.numpy()[3].tolist() == [0, 0]
    layer([3, 1, 1]).sum().backward()
    assert layer.weight.grad.numpy()[:, 0].tolist() == [0, 2, 0, 0, 0]


def test_maxout_routes_to_the_largest_piece():
    layer = nn.Maxout(1, 1, 2)
    layer.weight.data[...] = [[1.0], [-1.0]]
    layer.bias.data[...] = [0.0, 0.5]
    assert layer([[2.0], [-2.0]]).tolist() == [[2.0], [2.5]]
    layer([[2.0]]).sum().backward()
    assert layer.weight.grad.tolist() == [[2.0], [0.0]]


def test_the_step_has_no_gradient():
    x = Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = nn.Step()(x)
    assert y.tolist() == [0, 0, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["Sigmoid", "Tanh", "Softplus", "LogSigmoid", "ELU", "SELU", "SiLU", "GELU"])
def test_activations_are_finite_for_large_input(name):
    x = Tensor(np.array([-1e4, -10, 0, 10, 1e4], np.float32), requires_grad=True)
    y = getattr(nn, name)()(x)
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_sequence_gives_what_its_cell_gives_step_by_step(kind):
    autograd.manual_seed(0)
    layer = kind(3, 4).double()
    cell = getattr(nn, kind.__name__ + "Cell")(3, 4).double()
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, state, found = normal(6, 2, 3), None, []
    for step in x:
        state = cell(step, state)
        found.append(state[0] if kind is nn.LSTM else state)
    np.testing.assert_allclose(layer(x)[0].numpy(), np.stack([h.numpy() for h in found]), rtol=1e-12)


def test_a_recurrent_layer_records_few_nodes_however_long_the_sequence():
    layer = nn.LSTM(3, 4)
    counts = [len(nodes_of(layer(np.zeros((steps, 2, 3)))[0])) for steps in (2, 50)]
    assert counts[0] == counts[1] < 15


def test_a_causal_mask_hides_what_comes_later():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    x = normal(1, 5, 8)
    mask = np.triu(np.ones((5, 5), bool), 1)
    before = layer(x, src_mask=mask).numpy()
    x[:, 3:] += 1
    np.testing.assert_array_equal(layer(x, src_mask=mask).numpy()[:, :3], before[:, :3])
