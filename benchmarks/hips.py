"""HIPS autograd's works, read by contestant.py in its own environment: it has our import name.

Each work returns what is timed, what gives the numbers that all must agree on, and how to start again. Nothing of ours
is imported here.
"""

import autograd.numpy as np
from autograd.tracer import getval

import autograd

LENGTH = 1000
RATE = 1e-4
STEPS = 500
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


# Chains, and the net of the lectures


def scalar_chain(*leaves):
    """Return the work of a chain of additions and multiplications: its gradients."""

    def chain(x, a, b):
        y = x
        for _ in range(LENGTH // 4):
            y = y * a
            y = y + b
            y = y * 0.5
            y = y + 1.0
        return y

    def gradients():
        return autograd.grad(chain, (0, 1, 2))(*leaves)

    return gradients, gradients, nothing


def small_op_chain(*leaves):
    """Return the same for a chain of operations on short arrays."""

    def chain(x, a, b):
        y = x
        for _ in range(LENGTH // 4):
            y = y * a
            y = y + b
            y = np.tanh(y)
            y = y - x
        return np.sum(y)

    def gradients():
        return autograd.grad(chain, (0, 1, 2))(*leaves)

    return gradients, gradients, nothing


def two_layer_net(x, y, *first):
    """Return the work of a step of gradient descent on the net of the lectures."""
    weights = []

    def loss(w1, w2):
        h = 0.5 * (1 + np.tanh(0.5 * (x @ w1)))  # the sigmoid: its gradient of 1 / (1 + exp(-x)) is NaN far from 0
        return np.sum((h @ w2 - y) ** 2)

    gradients = autograd.grad(loss, (0, 1))

    def start():
        weights[:] = [w.copy() for w in first]

    def step():
        with np.errstate(over="ignore"):  # its gradient of tanh squares a cosh
            found = gradients(*weights)
        for weight, gradient in zip(weights, found, strict=True):
            weight -= RATE * gradient

    def numbers():
        start()
        for _ in range(STEPS):
            step()
        return weights

    return step, numbers, start


def nothing():
    """Begin a round of a work that has no state."""


# Functions


def elementwise(a):
    """Return the work of a gradient through a few operations on many numbers."""
    gradient = autograd.grad(lambda a: np.sum(np.tanh(a * 2 + 1) * a))
    return lambda: gradient(a), lambda: [gradient(a)], nothing


def hessian(x, y, w):
    """Return the work of the Hessian of a small net's loss in its parameters, a flat vector."""
    inputs = x.shape[1]
    hidden = (w.size - 1) // (inputs + 2)
    ends = np.cumsum([hidden * inputs, hidden, hidden])

    def loss(w):
        first, second = w[: ends[0]].reshape(hidden, inputs), w[ends[1] : ends[2]].reshape(1, hidden)
        h = np.tanh(x @ first.T + w[ends[0] : ends[1]])
        return np.mean((h @ second.T + w[ends[2] :] - y) ** 2)

    found = autograd.hessian(loss)
    return lambda: found(w), lambda: [found(w)], nothing


# Nets, as functions of a dict of parameters with PyTorch's names


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def layer_norm(p, name, x):
    centered = x - np.mean(x, axis=-1, keepdims=True)
    var = np.mean(centered * centered, axis=-1, keepdims=True)
    return centered / np.sqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def shifted(scores):
    """Return scores less their maximum, which is a constant to the gradient: it cancels."""
    return scores - getval(scores).max(axis=-1, keepdims=True)


def cross_entropy(scores, labels):
    z = shifted(scores)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - z[np.arange(len(labels)), labels])


def squared_error(predicted, target):
    return np.mean((predicted - target) ** 2)


def mlp(p, x):
    return linear(p, "4", relu(linear(p, "2", relu(linear(p, "0", x)))))


def lstm(p, x):
    hidden = p["rnn.weight_hh_l0"].shape[1]
    inputs = x @ p["rnn.weight_ih_l0"].T + (p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"])
    weight = p["rnn.weight_hh_l0"].T
    h = c = np.zeros((x.shape[1], hidden), x.dtype)
    for t in range(len(x)):
        gates = inputs[t] + h @ weight
        i, f, g, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return linear(p, "fc", h)


def gru(p, x):
    hidden = p["rnn.weight_hh_l0"].shape[1]
    inputs = x @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"]
    weight, bias = p["rnn.weight_hh_l0"].T, p["rnn.bias_hh_l0"]
    h = np.zeros((x.shape[1], hidden), x.dtype)
    for t in range(len(x)):
        entering, kept = inputs[t], h @ weight + bias
        r = sigmoid(entering[:, :hidden] + kept[:, :hidden])
        z = sigmoid(entering[:, hidden : 2 * hidden] + kept[:, hidden : 2 * hidden])
        n = np.tanh(entering[:, 2 * hidden :] + r * kept[:, 2 * hidden :])
        h = n + z * (h - n)
    return linear(p, "fc", h)


def word2vec(p, x):
    return p["0.weight"][x] @ p["1.weight"].T


def transformer(p, x):
    sequences, length, width = x.shape
    heads = 4
    qkv = x @ p["self_attn.in_proj_weight"].T + p["self_attn.in_proj_bias"]
    q, k, v = np.transpose(qkv.reshape(sequences, length, 3, heads, width // heads), (2, 0, 3, 1, 4))
    weights = np.exp(shifted(q @ np.swapaxes(k, -1, -2) * (width // heads) ** -0.5))
    weights = weights / np.sum(weights, axis=-1, keepdims=True)
    seen = np.swapaxes(weights @ v, 1, 2).reshape(x.shape)
    x = layer_norm(p, "norm1", x + linear(p, "self_attn.out_proj", seen))
    return layer_norm(p, "norm2", x + linear(p, "linear2", relu(linear(p, "linear1", x))))


# Optimisers, in place: a function of the parameters that returns the step


def momentum(parameters):
    velocity = {name: np.zeros_like(value) for name, value in parameters.items()}

    def step(gradients):
        for name, value in parameters.items():
            v = velocity[name]
            v *= 0.9
            v += gradients[name]
            value -= 0.01 * v

    return step


def plain(parameters):
    def step(gradients):
        for name, value in parameters.items():
            value -= 0.1 * gradients[name]

    return step


def adam(parameters):
    first = {name: np.zeros_like(value) for name, value in parameters.items()}
    second = {name: np.zeros_like(value) for name, value in parameters.items()}
    steps = 0

    def step(gradients):
        nonlocal steps
        steps += 1
        for name, value in parameters.items():
            m, v, g = first[name], second[name], gradients[name]
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * (g * g)
            value -= 1e-3 / (1 - 0.9**steps) * m / (np.sqrt(v / (1 - 0.999**steps)) + 1e-8)

    return step


def training(net, optimizer=momentum, loss=cross_entropy):
    """Return the work of a net's training step, as a function of a batch, its targets and the state to start from."""

    def work(x, y, state):
        first = {name: value for name, value in state.items() if not name.endswith(BUFFERS)}
        parameters = {}
        step = None
        passes = autograd.value_and_grad(lambda p: loss(net(p, x), y))

        def start():
            nonlocal step
            parameters.update({name: value.copy() for name, value in first.items()})
            step = optimizer(parameters)

        def run():
            step(passes(parameters)[1])

        def numbers():
            start()
            found, gradients = passes(parameters)
            for _ in range(3):
                run()
            return [found, *(gradients[name] for name in first), loss(net(parameters, x), y)]

        start()
        return run, numbers, start

    return work


def inference(net):
    """Return the work of a net's forward pass, as a function of a batch and the state."""

    def work(x, state):
        return lambda: net(state, x), lambda: [net(state, x)], nothing

    return work


WORKS = {
    "scalar-chain": scalar_chain,
    "small-op-chain": small_op_chain,
    "two-layer-net": two_layer_net,
    "elementwise": elementwise,
    "hessian": hessian,
    "mlp-adam": training(mlp, adam),
    "word2vec": training(word2vec, plain),
    "lstm": training(lstm),
    "gru": training(gru),
    "transformer": training(transformer, loss=squared_error),
    "mlp-inference-1": inference(mlp),
    "mlp-inference-256": inference(mlp),
}
