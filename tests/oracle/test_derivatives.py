"""Functions of functions beside PyTorch's."""

from __future__ import annotations

import numpy as np
import torch

from autograd import hessian, hvp, jacobian, jvp, vjp


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


W, X = normal(4, 3), normal(3, seed=1)


def layer(w, x):
    return np.tanh(w @ x)


def energy(w, x):
    return (np.tanh(w @ x) ** 2).sum() * x[0]


def test_functions_of_functions():
    functional = torch.autograd.functional
    tensors = (torch.tensor(W), torch.tensor(X))
    vectors = (normal(4, 3, seed=4), normal(3, seed=5))
    u = normal(4, seed=6)

    def their_layer(w, x):
        return torch.tanh(w @ x)

    def their_energy(w, x):
        return (torch.tanh(w @ x) ** 2).sum() * x[0]

    for ours, theirs in zip(jacobian(layer, (0, 1))(W, X), functional.jacobian(their_layer, tensors), strict=True):
        close(ours, theirs.numpy())
    for row, their_row in zip(hessian(energy, (0, 1))(W, X), functional.hessian(their_energy, tensors), strict=True):
        for ours, theirs in zip(row, their_row, strict=True):
            close(ours, theirs.numpy())
    their_vectors = tuple(torch.tensor(v) for v in vectors)
    _, expected = functional.hvp(their_energy, tensors, their_vectors)
    for ours, theirs in zip(hvp(energy, (0, 1))(W, X, vectors), expected, strict=True):
        close(ours, theirs.numpy())
    close(jvp(layer, (W, X), vectors)[1], functional.jvp(their_layer, tensors, their_vectors)[1].numpy())
    pulled = torch.func.vjp(their_layer, *tensors)[1](torch.tensor(u))
    for ours, theirs in zip(vjp(layer, W, X)[1](u), pulled, strict=True):
        close(ours, theirs.numpy())
