"""What the optimisers are tried on."""

from __future__ import annotations

import numpy as np

import optim
from autograd import Tensor

# Every optimiser that steps on gradients it is given, with each of its options in use.
STEPPING = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.5, "lr_decay": 0.001, "initial_accumulator_value": 0.1}),
    ("Adadelta", {"lr": 1.0, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 1e-3}),
    ("AdamW", {"lr": 0.05, "weight_decay": 1e-3}),
    ("Adamax", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05}),
]
CLOSURES = [
    ("LBFGS", {"max_iter": 3}),
    ("LBFGS", {"max_iter": 3, "history_size": 2, "line_search_fn": "strong_wolfe"}),
    ("GradientDescent", {"line_search": "exact"}),
    ("GradientDescent", {"line_search": "backtracking"}),
    ("GradientDescent", {"line_search": "wolfe"}),
    ("GradientDescent", {"line_search": "diminishing", "lr": 1.0}),
    ("Newton", {"damping": 0.5}),
]


def titles(cases):
    return [f"{name}-{'-'.join(map(str, options))}" for name, options in cases]


def make(case, params, **more):
    name, options = case
    return getattr(optim, name)(params, **{**options, **more})


def leaves(dtype="float64", seed=0, scale=1.0):
    """Parameters of several shapes, one of them a scalar."""
    rng = np.random.default_rng(seed)
    shapes = [(3, 4), (4,), (), (0,), (2, 1, 3), (1,)]
    return [Tensor(scale * rng.standard_normal(shape), dtype=dtype, requires_grad=True) for shape in shapes]


def bowl(params, target=0.5):
    """A quadratic function whose curvatures go from 1 to 2."""
    total = 0.0
    for i, p in enumerate(params):
        total = total + (0.5 + 0.1 * i) * ((p - target) * (p - target)).sum()
    return total


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def closure_of(optimizer, params, loss_of):
    """Return what `step` takes: for Newton it must leave the graph alone."""

    def closure():
        optimizer.zero_grad()
        loss = loss_of(params)
        if not isinstance(optimizer, optim.Newton):
            loss.backward()
        return loss

    return closure


def train(optimizer, params, steps, loss_of=bowl):
    closure = closure_of(optimizer, params, loss_of)
    return [optimizer.step(closure).item() for _ in range(steps)]


def values(params):
    return [np.array(p.data) for p in params]


def assert_identical(xs, ys):
    for x, y in zip(xs, ys, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
