"""Batch norm folded into the layer before it: the same predictions from one layer."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from tests.cases import normal

PAIRS = {
    "linear": (lambda: nn.Linear(3, 4, dtype=float), nn.BatchNorm1d, (6, 3)),
    "linear without bias": (lambda: nn.Linear(3, 4, bias=False, dtype=float), nn.BatchNorm1d, (6, 3)),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3, dtype=float), nn.BatchNorm1d, (3, 2, 7)),
    "conv2d": (lambda: nn.Conv2d(4, 4, 3, groups=2, bias=False, dtype=float), nn.BatchNorm2d, (3, 4, 6, 5)),
    "transposed of sequences": (
        lambda: nn.ConvTranspose1d(4, 4, 3, groups=2, dtype=float),
        nn.BatchNorm1d,
        (3, 4, 6),
    ),
    "transposed": (lambda: nn.ConvTranspose2d(4, 4, 3, groups=2, dtype=float), nn.BatchNorm2d, (3, 4, 6, 5)),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("affine", [False, True])
def test_fused_layer_predicts_the_same(name, affine):
    make, kind, shape = PAIRS[name]
    layer, norm, x = make(), kind(4, affine=affine, dtype=float), normal(*shape)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    for _ in range(3):
        norm(layer(x))
    layer.eval()
    norm.eval()
    expected = norm(layer(x)).numpy()
    before = {k: v.copy() for k, v in layer.state_dict().items()}
    fused = nn.fuse(layer, norm)
    np.testing.assert_allclose(fused(x).numpy(), expected, atol=1e-12)
    assert type(fused) is type(layer)
    assert not fused.training
    assert all((layer.state_dict()[k] == v).all() for k, v in before.items())


def test_fused_layers_keep_float32():
    conv, norm = nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval()
    assert {p.dtype for p in nn.fuse(conv, norm).parameters()} == {np.dtype(np.float32)}


def test_what_cannot_be_fused_is_refused():
    linear, norm = nn.Linear(3, 4).eval(), nn.BatchNorm1d(4).eval()
    with pytest.raises(ValueError, match=r"call eval\(\) on both first"):
        nn.fuse(linear, nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match="4 channels, the batch norm 5"):
        nn.fuse(linear, nn.BatchNorm1d(5).eval())
    with pytest.raises(ValueError, match="no running statistics"):
        nn.fuse(linear, nn.BatchNorm1d(4, track_running_stats=False).eval())
    with pytest.raises(TypeError, match="expected a Linear or a convolution, got ReLU"):
        nn.fuse(nn.ReLU(), norm)
    with pytest.raises(TypeError, match="expected a BatchNorm, got LayerNorm"):
        nn.fuse(linear, nn.LayerNorm(4))
