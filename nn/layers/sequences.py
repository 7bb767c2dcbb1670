"""Recurrences over whole sequences, as one operation each.

A step of a recurrent layer is a dozen small operations; recorded one by one they would cost more than they compute. So
each recurrence has a joint rule on arrays, which goes back through the sequence by itself and takes the gradient of the
weights in one product for all steps. The composed form, step by step, is for higher derivatives.

Splitting the batch over threads does not pay: steps are too short to hide that Python runs one thread at a time.

What depends on the input alone, `gates` = x @ weight_ih.T + bias, comes in for all steps at once: (T, N, gates * H).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from autograd import operation, ops
from autograd.operation import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": ops.tanh, "relu": ops.relu}


def order(steps: int, reverse: bool) -> Sequence[int]:
    return range(steps - 1, -1, -1) if reverse else range(steps)


def before(out: Array, first: Array, reverse: bool) -> Array:
    """Return the state before each step: `first`, then the results of the steps, in their places."""
    rows = [out[1:], first[None]] if reverse else [first[None], out[:-1]]
    return np.concatenate(rows)


def stacked(states: list[Array], reverse: bool) -> Array:
    return ops.stack(states[::-1] if reverse else states)


def gates_in(array: Array, size: int) -> list[Array]:
    """Return the numbers of each gate, of (N, gates * size)."""
    return [array[:, start : start + size] for start in range(0, array.shape[1], size)]


def weight_of(sent: Array, states: Array) -> Array:
    """Return the gradient of a recurrent weight: the sum over all steps, in one product."""
    return sent.reshape(-1, sent.shape[-1]).T @ states.reshape(-1, states.shape[-1])


# h = activation(gates + h @ weight.T)


def rnn_step(gates: Array, h: Array, weight: Array, activation: str) -> Array:
    return ACTIVATIONS[activation](gates + h @ weight.T)


def rnn_by_steps(gates: Array, weight: Array, h: Array, activation: str, reverse: bool) -> Array:
    states = []
    for t in order(len(gates), reverse):
        h = rnn_step(gates[t], h, weight, activation)
        states.append(h)
    return stacked(states, reverse)


def rnn_rule(
    g: Array, needs: tuple[bool, ...], out: Array, weight: Array, h: Array, activation: str, reverse: bool
) -> tuple[Array, Array, Array]:
    slope = 1 - out * out if activation == "tanh" else (out > 0).astype(out.dtype)
    sent = np.empty_like(out)
    back = np.zeros_like(h)
    for t in order(len(out), not reverse):
        np.multiply(g[t] + back, slope[t], out=sent[t])
        back = sent[t] @ weight
    return sent, weight_of(sent, before(out, h, reverse)) if needs[1] else None, back


@operation(inputs=("gates", "weight", "h"), joint=rnn_rule, composed=rnn_by_steps)
def rnn_sequence(gates: Array, weight: Array, h: Array, activation: str = "tanh", reverse: bool = False) -> Array:
    """Return the states (T, N, H) of a plain recurrence; `activation` is "tanh" or "relu"."""
    out = np.empty(gates.shape, np.result_type(gates, weight, h))
    apply = np.tanh if activation == "tanh" else ops.relu
    for t in order(len(gates), reverse):
        out[t] = h = apply(gates[t] + h @ weight.T)
    return out


# The gates of the LSTM are input, forget, cell, output: c = f * c + i * g, h = o * tanh(c)


def lstm_step(gates: Array, h: Array, c: Array, weight: Array) -> tuple[Array, Array]:
    size = c.shape[-1]
    gates = gates + h @ weight.T
    i, f = ops.sigmoid(gates[..., :size]), ops.sigmoid(gates[..., size : 2 * size])
    g, o = ops.tanh(gates[..., 2 * size : 3 * size]), ops.sigmoid(gates[..., 3 * size :])
    c = f * c + i * g
    return o * ops.tanh(c), c


def lstm_by_steps(gates: Array, weight: Array, h: Array, c: Array, reverse: bool) -> Array:
    hidden, cells = [], []
    for t in order(len(gates), reverse):
        h, c = lstm_step(gates[t], h, c, weight)
        hidden.append(h)
        cells.append(c)
    return ops.stack([stacked(hidden, reverse), stacked(cells, reverse)])


def lstm_rule(
    g: Array, needs: tuple[bool, ...], out: Array, aux: Array, weight: Array, h: Array, c: Array, reverse: bool
) -> tuple[Array, ...]:
    hidden, cells = out
    size = c.shape[-1]
    sent = np.empty_like(aux)
    back, carry = np.zeros_like(h), np.zeros_like(c)
    cells_before = before(cells, c, reverse)
    squashed = np.tanh(cells)
    for t in order(len(cells), not reverse):
        i, f, cell, o = gates_in(aux[t], size)
        to_i, to_f, to_cell, to_o = gates_in(sent[t], size)
        back += g[0, t]
        tanh = squashed[t]
        carry += g[1, t]
        carry += back * o * (1 - tanh * tanh)
        np.multiply(carry * cell, i * (1 - i), out=to_i)
        np.multiply(carry * cells_before[t], f * (1 - f), out=to_f)
        np.multiply(carry * i, 1 - cell * cell, out=to_cell)
        np.multiply(back * tanh, o * (1 - o), out=to_o)
        carry *= f
        back = sent[t] @ weight
    return sent, weight_of(sent, before(hidden, h, reverse)) if needs[1] else None, back, carry


@operation(inputs=("gates", "weight", "h", "c"), joint=lstm_rule, composed=lstm_by_steps, aux=True)
def lstm_sequence(gates: Array, weight: Array, h: Array, c: Array, reverse: bool = False) -> tuple[Array, Array]:
    """Return the states and the cells of an LSTM, (2, T, N, H)."""
    steps, (n, size) = len(gates), c.shape
    dtype = np.result_type(gates, weight, h, c)
    out, activated = np.empty((2, steps, n, size), dtype), np.empty(gates.shape, dtype)
    # One tanh for all gates, since sigmoid(z) = (1 + tanh(z / 2)) / 2: NumPy's tanh takes a fifth of the time of exp.
    scale, shift = np.full(4 * size, 0.5, dtype), np.full(4 * size, 0.5, dtype)
    scale[2 * size : 3 * size], shift[2 * size : 3 * size] = 1, 0
    for t in order(steps, reverse):
        opened = activated[t]
        np.add(gates[t], h @ weight.T, out=opened)
        opened *= scale
        np.tanh(opened, out=opened)
        opened *= scale
        opened += shift
        i, f, cell, o = gates_in(opened, size)
        c = f * c
        c += i * cell
        h = o * np.tanh(c)
        out[0, t], out[1, t] = h, c
    return out, activated


# The GRU's gates are reset, update, new: n = tanh(gates_n + r * (h @ weight_n.T + bias_n)), h = (1 - z) * n + z * h


def gru_step(gates: Array, h: Array, weight: Array, bias: Array) -> Array:
    size = h.shape[-1]
    inner = h @ weight.T
    if bias is not None:
        inner = inner + bias
    r = ops.sigmoid(gates[..., :size] + inner[..., :size])
    z = ops.sigmoid(gates[..., size : 2 * size] + inner[..., size : 2 * size])
    n = ops.tanh(gates[..., 2 * size :] + r * inner[..., 2 * size :])
    return n + z * (h - n)


def gru_by_steps(gates: Array, weight: Array, bias: Array, h: Array, reverse: bool) -> Array:
    states = []
    for t in order(len(gates), reverse):
        h = gru_step(gates[t], h, weight, bias)
        states.append(h)
    return stacked(states, reverse)


def gru_rule(
    g: Array, needs: tuple[bool, ...], out: Array, aux: Array, weight: Array, h: Array, reverse: bool
) -> tuple[Array, ...]:
    size = h.shape[-1]
    states = before(out, h, reverse)
    to_gates, to_inner = np.empty_like(aux[:, :, : 3 * size]), np.empty_like(aux[:, :, : 3 * size])
    back = np.zeros_like(h)
    for t in order(len(out), not reverse):
        r, z, n, inner = gates_in(aux[t], size)
        back = back + g[t]
        to_n = back * (1 - z) * (1 - n * n)
        to_gates[t, :, :size] = to_n * inner * (r * (1 - r))
        to_gates[t, :, size : 2 * size] = back * (states[t] - n) * (z * (1 - z))
        to_gates[t, :, 2 * size :] = to_n
        to_inner[t, :, : 2 * size] = to_gates[t, :, : 2 * size]
        to_inner[t, :, 2 * size :] = to_n * r
        back = back * z + to_inner[t] @ weight
    to_weight = weight_of(to_inner, states) if needs[1] else None
    return to_gates, to_weight, to_inner.sum(axis=(0, 1)) if needs[2] else None, back


@operation(inputs=("gates", "weight", "bias", "h"), joint=gru_rule, composed=gru_by_steps, aux=True)
def gru_sequence(gates: Array, weight: Array, bias: Array, h: Array, reverse: bool = False) -> tuple[Array, Array]:
    """Return the states (T, N, H) of a GRU; `bias` (3 * H,) is that of the recurrent product, or None."""
    steps, (n, size) = len(gates), h.shape
    dtype = np.result_type(gates, weight, h)
    out, kept = np.empty((steps, n, size), dtype), np.empty((steps, n, 4 * size), dtype)
    for t in order(steps, reverse):
        inner = h @ weight.T
        if bias is not None:
            inner += bias
        inner_new = inner[:, 2 * size :]
        opened = gates[t, :, : 2 * size] + inner[:, : 2 * size]
        opened *= 0.5
        np.tanh(opened, out=opened)  # as in the LSTM
        opened *= 0.5
        opened += 0.5
        r, z = opened[:, :size], opened[:, size:]
        new = r * inner_new
        new += gates[t, :, 2 * size :]
        np.tanh(new, out=new)
        kept[t, :, : 2 * size], kept[t, :, 2 * size : 3 * size], kept[t, :, 3 * size :] = opened, new, inner_new
        out[t] = h = new + z * (h - new)
    return out, kept
