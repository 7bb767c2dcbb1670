"""State files of PyTorch's models load into ours by the same keys, and ours into PyTorch's."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pytest
import torch

import nn
from autograd import Tensor, no_grad
from tests.oracle.test_layers import CASES, layers

package = pytest.importorskip("safetensors.torch")


def convolutional(nn):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, groups=4, padding="same"),
        nn.GroupNorm(2, 8),
        nn.PReLU(8),
        nn.ConvTranspose2d(8, 4, 2, 2),
        nn.BatchNorm2d(4, momentum=None),
        nn.AdaptiveAvgPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def one_dimensional(nn):
    return nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4, track_running_stats=False), nn.Tanh(), nn.AvgPool1d(2))


def transformer(nn):
    return nn.Sequential(
        nn.Embedding(11, 8, padding_idx=0),
        *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=bool(i)) for i in range(2)),
        nn.LayerNorm(8),
        nn.Linear(8, 11),
    )


def nested(nn):
    """Return modules in lists and dicts in an own module, with one shared by two names and one without parameters."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(
                [nn.ModuleDict({"in": nn.Linear(4, 4), "norm": nn.BatchNorm1d(4)}) for _ in "ab"]
            )
            self.tied = self.blocks[0]["in"]
            self.pair = nn.Bilinear(4, 4, 2)
            self.absent = None
            self.register_buffer("scale", Buffer[nn.__name__](np.array([2.0], np.float32)))

        def forward(self, x):
            for block in self.blocks:
                x = block["norm"](block["in"](x))
            return self.pair(x, self.tied(x)) * self.scale

    return Net()


def recurrent(kind, options, nn):
    return getattr(nn, kind)(3, 4, 3, **options)


Buffer = {"nn": Tensor, "torch.nn": torch.tensor}
IMAGES = (2, 3, 8, 8)
MODELS = {
    "convolutional": (convolutional, np.random.default_rng(0).normal(size=IMAGES)),
    "one_dimensional": (one_dimensional, np.random.default_rng(0).normal(size=(2, 3, 9))),
    "transformer": (transformer, np.random.default_rng(0).integers(0, 11, (2, 5))),
    "nested": (nested, np.random.default_rng(0).normal(size=(5, 4))),
    **{
        f"{kind}-{'-'.join(map(str, options.values()))}": (
            partial(recurrent, kind, options),
            np.random.default_rng(0).normal(size=(5, 2, 3)),
        )
        for kind in ("RNN", "LSTM", "GRU")
        for options in (
            {"bidirectional": True},
            {"bidirectional": True, "bias": False},
            *([{"bidirectional": True, "bias": True, "batch_first": True, "proj_size": 2}] if kind == "LSTM" else []),
        )
    },
}


def output(model, x):
    """Return what a model, ours or PyTorch's, makes of an array, as one array."""
    x = x.astype(np.float32) if x.dtype.kind == "f" else x
    with no_grad(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a projection that takes PyTorch longer
        result = model(x if isinstance(model, nn.Module) else torch.tensor(x))
    return (result[0] if isinstance(result, tuple) else result).numpy()


def trained(model, x):
    """Move the statistics of batch norm away from where they begin."""
    model.train()
    for k in (1, 2, 3):
        output(model, x * k if x.dtype.kind == "f" else x)
    return model.eval()


def states_are_equal(ours, theirs):
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    for key, array in ours.state_dict().items():
        expected = state[key].numpy()
        assert array.dtype == expected.dtype, key
        assert array.shape == expected.shape, key
        np.testing.assert_array_equal(array, expected, err_msg=key)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_theirs_loads_here_and_ours_loads_there(name, tmp_path):
    make, x = MODELS[name]
    path = tmp_path / "model.safetensors"
    ours, theirs = make(nn).eval(), trained(make(torch.nn), x)
    # Of weights under two names PyTorch's tool wants copies, as sharing memory is lost in a file.
    package.save_file({key: value.clone() for key, value in theirs.state_dict().items()}, path)
    ours.load_state_dict(nn.load(path))
    states_are_equal(ours, theirs)
    expected = output(theirs, x)
    assert np.abs(output(ours, x) - expected).max() <= 1e-5 * np.abs(expected).max()

    ours, theirs = trained(make(nn), x), make(torch.nn).eval()
    nn.save(ours, path)
    theirs.load_state_dict(package.load_file(path), strict=True)
    states_are_equal(ours, theirs)
    expected = output(theirs, x)
    assert np.abs(output(ours, x) - expected).max() <= 1e-5 * np.abs(expected).max()
    if any(key.endswith("num_batches_tracked") for key in ours.state_dict()):
        assert {int(v) for k, v in theirs.state_dict().items() if k.endswith("num_batches_tracked")} == {3}


def with_state(nn, name, chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that PyTorch thinks odd
        return nn.Sequential(nn.Identity(), getattr(nn, name)(*chosen.args, **chosen.kwargs))


STATEFUL = [
    (name, i) for name, cases in CASES.items() for i, c in enumerate(cases) if with_state(nn, name, c).state_dict()
]


def test_every_kind_of_layer_with_state_is_among_them():
    expected = {name for name in layers() & CASES.keys() if with_state(torch.nn, name, CASES[name][0]).state_dict()}
    assert {name for name, _ in STATEFUL} == expected
    assert len(expected) >= 18


@pytest.mark.parametrize("name", sorted({name for name, _ in STATEFUL}))
def test_every_layer_with_state_goes_there_and_back(name, tmp_path):
    path = tmp_path / "layer.safetensors"
    for i in (i for n, i in STATEFUL if n == name):
        ours, theirs = (with_state(library, name, CASES[name][i]) for library in (nn, torch.nn))
        package.save_file(theirs.state_dict(), path)
        ours.load_state_dict(nn.load(path))
        states_are_equal(ours, theirs)
        ours = with_state(nn, name, CASES[name][i])
        nn.save(ours, path)
        theirs.load_state_dict(package.load_file(path), strict=True)
        states_are_equal(ours, theirs)


def test_half_precision_of_theirs_becomes_the_dtype_of_ours(tmp_path):
    path = tmp_path / "half.safetensors"
    theirs = torch.nn.Linear(3, 2).half()
    package.save_file(theirs.state_dict(), path)
    ours = nn.Linear(3, 2)
    ours.load_state_dict(nn.load(path))
    assert ours.weight.dtype == np.float32
    np.testing.assert_array_equal(ours.weight.numpy(), theirs.weight.detach().float().numpy())
