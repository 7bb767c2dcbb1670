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


def previous(states: Array, first: Array, t: int, reverse: bool) -> Array:
    """Return the state before step t: `first` before the first of them."""
    t += 1 if reverse else -1
    return states[t] if 0 <= t < len(states) else first


def stacked(states: list[Array], reverse: bool) -> Array:
    return ops.stack(states[::-1] if reverse else states)


def gates_in(array: Array, size: int) -> list[Array]:
    """Return the numbers of each gate, of (N, gates * size)."""
    return [array[:, start : start + size] for start in range(0, array.shape[1], size)]


def weight_of(sent: Array, states: Array, first: Array, reverse: bool) -> Array:
    """Return the gradient of a recurrent weight from what is sent to each step's gates: one product for all steps."""
    to_first, to_rest = (sent[-1], sent[:-1]) if reverse else (sent[0], sent[1:])
    rest = states[1:] if reverse else states[:-1]
    total = to_first.T @ first
    total += to_rest.reshape(-1, sent.shape[-1]).T @ rest.reshape(-1, states.shape[-1])
    return total


def by_gate(array: Array, gates: int) -> Array:
    """Return (..., N, gates * H) as (..., gates, N, H), which shares memory."""
    return array.reshape(*array.shape[:-1], gates, array.shape[-1] // gates).swapaxes(-2, -3)


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
    return sent, weight_of(sent, out, h, reverse) if needs[1] else None, back


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


def lstm_slopes(gates: Array, cell: Array, cell_before: Array, slopes: Array, to_cell: Array) -> None:
    """Write what gradients are multiplied with: the cell's for i, f and g, the state's for o and for the cell."""
    i, _, g, o = gates
    squashed = np.tanh(cell)
    np.multiply(gates, gates, out=slopes)
    np.subtract(gates[:2], slopes[:2], out=slopes[:2])
    np.subtract(1, slopes[2], out=slopes[2])
    np.subtract(o, slopes[3], out=slopes[3])
    for slope, factor in zip(slopes, (g, cell_before, i, squashed), strict=True):
        slope *= factor
    np.multiply(squashed, squashed, out=squashed)
    np.subtract(1, squashed, out=to_cell)
    to_cell *= o


def lstm_rule(
    g: Array, needs: tuple[bool, ...], out: Array, aux: Array, weight: Array, h: Array, c: Array, reverse: bool
) -> tuple[Array, ...]:
    hidden, cells = out
    steps, dtype = len(cells), cells.dtype
    sent = np.empty((steps, len(c), 4 * c.shape[1]), dtype)
    sent_by_gate = by_gate(sent, 4)
    slopes, to_cell, product = np.empty(aux.shape[1:], dtype), np.empty(c.shape, dtype), np.empty(c.shape, dtype)
    back, carry = np.zeros(h.shape, dtype), np.zeros(c.shape, dtype)
    for t in order(steps, not reverse):
        lstm_slopes(aux[t], cells[t], previous(cells, c, t, reverse), slopes, to_cell)
        back += g[0, t]
        carry += g[1, t]
        carry += np.multiply(back, to_cell, out=product)
        np.multiply(carry, slopes[:3], out=sent_by_gate[t, :3])
        np.multiply(back, slopes[3], out=sent_by_gate[t, 3])
        carry *= aux[t, 1]
        np.matmul(sent[t], weight, out=back)
    return sent, weight_of(sent, hidden, h, reverse) if needs[1] else None, back, carry


@operation(inputs=("gates", "weight", "h", "c"), joint=lstm_rule, composed=lstm_by_steps, aux=True)
def lstm_sequence(gates: Array, weight: Array, h: Array, c: Array, reverse: bool = False) -> tuple[Array, Array]:
    """Return the states and the cells of an LSTM, (2, T, N, H)."""
    steps, (n, size) = len(gates), c.shape
    dtype = np.result_type(gates, weight, h, c)
    out, activated = np.empty((2, steps, n, size), dtype), np.empty((steps, 4, n, size), dtype)
    # One product for all gates; the sum then leaves each gate together in memory, for the operations on it.
    matrix, product = np.ascontiguousarray(weight.T), np.empty((n, 4 * size), dtype)
    # One tanh for all gates, since sigmoid(z) = (1 + tanh(z / 2)) / 2: NumPy's tanh takes a fifth of the time of exp.
    scale, shift = np.array([[0.5], [0.5], [1], [0.5]], dtype)[..., None], np.array([0.5, 0.5, 0, 0.5], dtype)
    squashed = np.empty((n, size), dtype)
    for t in order(steps, reverse):
        opened, (state, cell) = activated[t], out[:, t]
        np.matmul(h, matrix, out=product)
        product += gates[t]  # here, where both lie alike: gate by gate it takes twice the time
        np.multiply(by_gate(product, 4), scale, out=opened)
        np.tanh(opened, out=opened)
        opened *= scale
        opened += shift[:, None, None]
        i, f, g, o = opened
        np.multiply(f, c, out=cell)
        cell += np.multiply(i, g, out=squashed)
        np.tanh(cell, out=squashed)
        np.multiply(o, squashed, out=state)
        h, c = state, cell
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
    steps, (n, size), dtype = len(out), h.shape, out.dtype
    to_gates, to_inner = np.empty((2, steps, n, 3 * size), dtype)
    gates_by_gate, inner_by_gate = by_gate(to_gates, 3), by_gate(to_inner, 3)
    back, sent, product = np.zeros((n, size), dtype), np.empty((3, n, size), dtype), np.empty((n, size), dtype)
    for t in order(steps, not reverse):
        r, z, new, inner = aux[t]
        to_r, to_z, to_new = sent
        back += g[t]
        np.multiply(back, z, out=product)  # what goes on to the state before
        np.multiply(new, new, out=to_new)
        np.subtract(1, to_new, out=to_new)
        to_new *= np.subtract(back, product, out=to_r)
        np.subtract(previous(out, h, t, reverse), new, out=to_z)
        to_z *= product
        to_z -= np.multiply(to_z, z, out=to_r)
        np.multiply(r, r, out=to_r)
        np.subtract(r, to_r, out=to_r)
        to_r *= inner
        to_r *= to_new
        gates_by_gate[t] = sent
        inner_by_gate[t, :2] = sent[:2]
        np.multiply(to_new, r, out=inner_by_gate[t, 2])
        np.matmul(to_inner[t], weight, out=back)
        back += product
    to_weight = weight_of(to_inner, out, h, reverse) if needs[1] else None
    return to_gates, to_weight, to_inner.sum(axis=(0, 1)) if needs[2] else None, back


@operation(inputs=("gates", "weight", "bias", "h"), joint=gru_rule, composed=gru_by_steps, aux=True)
def gru_sequence(gates: Array, weight: Array, bias: Array, h: Array, reverse: bool = False) -> tuple[Array, Array]:
    """Return the states (T, N, H) of a GRU; `bias` (3 * H,) is that of the recurrent product, or None."""
    steps, (n, size) = len(gates), h.shape
    dtype = np.result_type(gates, weight, h) if bias is None else np.result_type(gates, weight, bias, h)
    out, kept = np.empty((steps, n, size), dtype), np.empty((steps, 4, n, size), dtype)
    added, matrix, product = by_gate(gates, 3), np.ascontiguousarray(weight.T), np.empty((n, 3 * size), dtype)
    for t in order(steps, reverse):
        opened, new, inner, state = kept[t, :2], kept[t, 2], kept[t, 3], out[t]
        np.matmul(h, matrix, out=product)
        if bias is not None:
            product += bias
        np.add(by_gate(product, 3)[:2], added[t, :2], out=opened)
        inner[...] = product[:, 2 * size :]
        opened *= 0.5
        np.tanh(opened, out=opened)  # as in the LSTM
        opened *= 0.5
        opened += 0.5
        r, z = opened
        np.multiply(r, inner, out=new)
        new += added[t, 2]
        np.tanh(new, out=new)
        np.subtract(h, new, out=state)
        state *= z
        state += new
        h = state
    return out, kept
