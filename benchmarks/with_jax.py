"""JAX's works: each step one compiled function, from the loss to the new parameters.

Weights come in PyTorch's layout and stay in it; `state` is a dict of arrays, which JAX takes as it is. Memory of what a
step replaces is handed back to it (`donate_argnums`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.race import Work

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
MOMENTUM, EPS = 0.9, 1e-5
Array = Any
State = Mapping[str, Array]
Net = Callable[[State, Array], Array]


# Optimisers: parameters, gradients and memory to new parameters and memory; and the memory to begin with


def momentum(parameters: State, gradients: State, velocity: State) -> tuple[State, State]:
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradients)
    return jax.tree.map(lambda p, v: p - 0.01 * v, parameters, velocity), velocity


def plain(parameters: State, gradients: State, nothing: State) -> tuple[State, State]:
    return jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradients), nothing


def adam(parameters: State, gradients: State, memory: Any) -> tuple[State, Any]:
    steps, first, second = memory
    steps = steps + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    bias1, bias2 = 1 - 0.9**steps, 1 - 0.999**steps

    def stepped(p: Array, m: Array, v: Array) -> Array:
        return p - 1e-3 / bias1 * m / (jnp.sqrt(v / bias2) + 1e-8)

    return jax.tree.map(stepped, parameters, first, second), (steps, first, second)


def zeros(parameters: State) -> State:
    return jax.tree.map(jnp.zeros_like, parameters)


def adam_zeros(parameters: State) -> Any:
    return jnp.zeros((), jnp.float32), zeros(parameters), zeros(parameters)


# Layers


def linear(p: State, name: str, x: Array) -> Array:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def conv(p: State, name: str, x: Array, stride: int = 1, padding: int = 0) -> Array:
    y = lax.conv_general_dilated(x, p[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2)
    bias = p.get(f"{name}.bias")
    return y if bias is None else y + bias[:, None, None]


def max_pool(x: Array) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def batch_norm(p: State, name: str, x: Array) -> Array:
    mean, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    weight, bias = p[f"{name}.weight"][:, None, None], p[f"{name}.bias"][:, None, None]
    return (x - mean) * lax.rsqrt(var + EPS) * weight + bias


def layer_norm(p: State, name: str, x: Array) -> Array:
    mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + EPS) * p[f"{name}.weight"] + p[f"{name}.bias"]


def cross_entropy(scores: Array, labels: Array) -> Array:
    picked = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], axis=1)
    return -picked.mean()


def squared_error(predicted: Array, target: Array) -> Array:
    return jnp.square(predicted - target).mean()


# Nets


def mlp(p: State, x: Array) -> Array:
    x = jax.nn.relu(linear(p, "0", x))
    return linear(p, "4", jax.nn.relu(linear(p, "2", x)))


def lenet(p: State, x: Array) -> Array:
    x = max_pool(jax.nn.relu(conv(p, "0", x, padding=2)))
    x = max_pool(jax.nn.relu(conv(p, "3", x)))
    x = jax.nn.relu(linear(p, "7", x.reshape(len(x), -1)))
    return linear(p, "11", jax.nn.relu(linear(p, "9", x)))


def vgg(p: State, x: Array) -> Array:
    for names in (("0", "2"), ("5", "7")):
        for name in names:
            x = jax.nn.relu(conv(p, name, x, padding=1))
        x = max_pool(x)
    return linear(p, "11", x.reshape(len(x), -1))


def resnet20(p: State, x: Array) -> Array:
    x = jax.nn.relu(batch_norm(p, "bn1", conv(p, "conv1", x, padding=1)))
    for name in (f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(3)):
        projected = f"{name}.downsample.0.weight" in p
        stride = 2 if projected else 1
        y = jax.nn.relu(batch_norm(p, f"{name}.bn1", conv(p, f"{name}.conv1", x, stride, 1)))
        y = batch_norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", y, padding=1))
        if projected:
            x = batch_norm(p, f"{name}.downsample.1", conv(p, f"{name}.downsample.0", x, stride))
        x = jax.nn.relu(x + y)
    return linear(p, "fc", x.mean(axis=(2, 3)))


def lstm(p: State, x: Array) -> Array:
    hidden = p["rnn.weight_hh_l0"].shape[1]
    inputs = x @ p["rnn.weight_ih_l0"].T + (p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"])
    weight = p["rnn.weight_hh_l0"].T

    def step(state: tuple[Array, Array], entering: Array) -> tuple[tuple[Array, Array], None]:
        h, c = state
        i, f, g, o = jnp.split(entering + h @ weight, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    nothing = jnp.zeros((x.shape[1], hidden), x.dtype)
    (h, _), _ = lax.scan(step, (nothing, nothing), inputs)
    return linear(p, "fc", h)


def gru(p: State, x: Array) -> Array:
    hidden = p["rnn.weight_hh_l0"].shape[1]
    inputs = x @ p["rnn.weight_ih_l0"].T + p["rnn.bias_ih_l0"]
    weight, bias = p["rnn.weight_hh_l0"].T, p["rnn.bias_hh_l0"]

    def step(h: Array, entering: Array) -> tuple[Array, None]:
        x_r, x_z, x_n = jnp.split(entering, 3, axis=1)
        h_r, h_z, h_n = jnp.split(h @ weight + bias, 3, axis=1)
        r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
        n = jnp.tanh(x_n + r * h_n)
        return n + z * (h - n), None

    h, _ = lax.scan(step, jnp.zeros((x.shape[1], hidden), x.dtype), inputs)
    return linear(p, "fc", h)


def word2vec(p: State, x: Array) -> Array:
    return p["0.weight"][x] @ p["1.weight"].T


def transformer(p: State, x: Array) -> Array:
    sequences, length, width = x.shape
    heads = 4
    qkv = x @ p["self_attn.in_proj_weight"].T + p["self_attn.in_proj_bias"]
    q, k, v = qkv.reshape(sequences, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
    weights = jax.nn.softmax(q @ k.swapaxes(-1, -2) * (width // heads) ** -0.5)
    seen = (weights @ v).swapaxes(1, 2).reshape(x.shape)
    x = layer_norm(p, "norm1", x + linear(p, "self_attn.out_proj", seen))
    return layer_norm(p, "norm2", x + linear(p, "linear2", jax.nn.relu(linear(p, "linear1", x))))


# Works


def training(
    net: Net,
    x: Array,
    y: Array,
    state: State,
    optimizer: Callable[[State, State, Any], tuple[State, Any]] = momentum,
    nothing: Callable[[State], Any] = zeros,
    loss: Callable[[Array, Array], Array] = cross_entropy,
) -> Work:
    """Return the work of a training step. It does not read the buffers of a state, and they are left alone."""
    first = {name: value for name, value in state.items() if not name.endswith(BUFFERS)}
    x, y = jnp.asarray(x), jnp.asarray(y)
    parameters: State = {}
    memory: Any = None

    def lost(parameters: State, x: Array, y: Array) -> Array:
        return loss(net(parameters, x), y)

    passes = jax.jit(jax.value_and_grad(lost))

    @partial(jax.jit, donate_argnums=(0, 1))
    def stepped(parameters: State, memory: Any, x: Array, y: Array) -> tuple[State, Any, Array]:
        found, gradients = jax.value_and_grad(lost)(parameters, x, y)
        return *optimizer(parameters, gradients, memory), found

    def start() -> None:
        nonlocal parameters, memory
        parameters = {name: jnp.array(value) for name, value in first.items()}
        memory = nothing(parameters)

    def run() -> None:
        nonlocal parameters, memory
        parameters, memory, found = stepped(parameters, memory, x, y)
        jax.block_until_ready((parameters, memory, found))

    def numbers() -> list[Any]:
        start()
        found, gradients = passes(parameters, x, y)
        for _ in range(3):
            run()
        return [np.asarray(n) for n in (found, *(gradients[name] for name in first), passes(parameters, x, y)[0])]

    start()
    return Work(run, numbers, start)


def inference(net: Net, x: Array, state: State) -> Work:
    """Return the work of a forward pass."""
    parameters = {name: jnp.asarray(value) for name, value in state.items()}
    x = jnp.asarray(x)
    compiled = jax.jit(net)

    def run() -> Array:
        return compiled(parameters, x).block_until_ready()

    return Work(run, lambda: [np.asarray(run())])


def elementwise(a: Array) -> Work:
    gradient = jax.jit(jax.grad(lambda a: (jnp.tanh(a * 2 + 1) * a).sum()))
    a = jnp.asarray(a)

    def run() -> Array:
        return gradient(a).block_until_ready()

    return Work(run, lambda: [np.asarray(run())])


def hessian(x: Array, y: Array, w: Array) -> Work:
    jax.config.update("jax_enable_x64", True)
    inputs = x.shape[1]
    hidden = (w.size - 1) // (inputs + 2)
    ends = np.cumsum([hidden * inputs, hidden, hidden]).tolist()

    def loss(w: Array) -> Array:
        first, bias, second, last = jnp.split(w, ends)
        h = jnp.tanh(x @ first.reshape(hidden, inputs).T + bias)
        return squared_error(h @ second[:, None] + last, y)

    compiled = jax.jit(jax.hessian(loss))
    x, y, w = (jnp.asarray(array) for array in (x, y, w))

    def run() -> Array:
        return compiled(w).block_until_ready()

    return Work(run, lambda: [np.asarray(run())])


def two_layer_net(x: Array, y: Array, *first: Array) -> Work:
    from benchmarks.two_layer_net import RATE, trained

    if x.dtype == np.float64:
        jax.config.update("jax_enable_x64", True)
    x, y = jnp.asarray(x), jnp.asarray(y)
    weights: list[Array] = []

    def loss(weights: list[Array], x: Array, y: Array) -> Array:
        w1, w2 = weights
        return jnp.square(jax.nn.sigmoid(x @ w1) @ w2 - y).sum()

    @partial(jax.jit, donate_argnums=0)
    def stepped(weights: list[Array], x: Array, y: Array) -> tuple[list[Array], Array]:
        found, gradients = jax.value_and_grad(loss)(weights, x, y)
        return [w - RATE * g for w, g in zip(weights, gradients, strict=True)], found

    def start() -> None:
        weights[:] = [jnp.array(w) for w in first]

    def step() -> None:
        weights[:], found = stepped(weights, x, y)
        jax.block_until_ready((weights, found))

    return trained(start, step, lambda: [np.asarray(w) for w in weights])


WORKS: dict[str, Callable[..., Work]] = {
    "mlp-adam": partial(training, mlp, optimizer=adam, nothing=adam_zeros),
    "lenet": partial(training, lenet),
    "vgg": partial(training, vgg),
    "resnet20": partial(training, resnet20),
    "lstm": partial(training, lstm),
    "gru": partial(training, gru),
    "word2vec": partial(training, word2vec, optimizer=plain),
    "transformer": partial(training, transformer, loss=squared_error),
    "elementwise": elementwise,
    "hessian": hessian,
    "mlp-inference-1": partial(inference, mlp),
    "mlp-inference-256": partial(inference, mlp),
    "lenet-inference-1": partial(inference, lenet),
    "lenet-inference-256": partial(inference, lenet),
    "two-layer-net": two_layer_net,
}
