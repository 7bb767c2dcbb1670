"""Recurrences over whole sequences, as one operation each.

A step of a recurrent layer is a dozen small operations; recorded one by one they would cost more than they compute. So
each recurrence has a joint rule on arrays, which goes back through the sequence by itself. The composed form, step by
step, is for higher derivatives.

Inside, arrays of a step are (features, N), not (N, features): the numbers of a gate then lie together, and NumPy has
one loop over them instead of one for each example. An LSTM takes 0.8 of the time so. What a step of it multiplies is
one array, its input, 1 and the state before it, so that its gates are one product, unless inputs are wide. A GRU
multiplies inputs apart, all at once, since the reset gate lies between.

The weights' gradients follow the way back through the sequence in another thread, some steps behind: that takes 0.8 of
its time. With products some rows at a time and all room at lines of the cache, LSTM and GRU take 0.9 again. Splitting
the batch over threads does not pay: steps are too short to hide that Python runs one thread at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from autograd import operation, ops
from autograd.kernels import sigmoids
from autograd.kernels.products import multiplier
from autograd.memory import aligned
from autograd.operation import Array
from autograd.threads import crew, follow
from nn import functional as F

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"tanh": ops.tanh, "relu": ops.relu}
BLOCK: Final = 1 << 19  # bytes of what is sent to the gates, from which the weights get their gradients at once
WHOLE: Final = slice(None)


class Steps:
    """What the steps of a sequence multiply: `array` (T + 1, rows, N).

    Each has its input, 1 if there are biases, and the state before it; of the last, only the state means anything.
    Inputs that are wider than the state are left out: one product with all `inputs` (T, N, F) takes less. Where it says
    F + 1 below, that is F without biases.
    """

    def __init__(self, x: Array, h: Array, biased: bool, dtype: np.dtype[Any]) -> None:
        self.count, self.n, self.features = x.shape
        self.size, self.width, self.biased = h.shape[1], self.features + biased, biased
        self.narrow = self.features <= self.size
        before = self.features if self.narrow else 0
        self.array = aligned((self.count + 1, before + biased + self.size, self.n), dtype)
        self.array[:, before : before + biased] = 1
        self.states = self.array[:, -self.size :]  # before each step, and after the last
        self.states[0] = h.T
        if self.narrow:
            self.array[:-1, :before] = x.swapaxes(1, 2)
        else:
            self.inputs = np.ascontiguousarray(x, dtype)

    def by_inputs(self, weight: Array) -> Array:
        """Return the products of `weight` (rows, F + 1) with all inputs and 1, (T, rows, N)."""
        if self.narrow:
            found = weight @ together(self.array[:-1, : self.width])
            return found.reshape(len(weight), self.count, self.n).swapaxes(0, 1)
        found = self.inputs.reshape(-1, self.features) @ weight[:, : self.features].T
        if self.biased:
            found += weight[:, -1]
        return found.reshape(self.count, self.n, len(weight)).swapaxes(1, 2)

    def by_steps(self, weight: Array) -> Callable[[int, Array], Array]:
        """Return what writes the product of `weight` (rows, F + 1 + H) with a step into an array."""
        if self.narrow:
            multiply = times(weight, self.n)
            return lambda t, out: multiply(self.array[t], out)
        ahead, by_state, states = self.by_inputs(weight[:, : self.width]), weight[:, self.width :], self.states
        return lambda t, out: np.add(np.matmul(by_state, states[t], out=out), ahead[t], out=out)

    def gradients(
        self,
        lead: Iterator[slice],
        sent: Array,
        needed: bool,
        to_inputs: slice = WHOLE,
        to_state: slice = WHOLE,
        biased: bool = False,
    ) -> tuple[Array, Array]:
        """Return the gradients of what multiplies inputs and 1, and of what multiplies states, `biased` with the 1.

        `lead` writes what is `sent` (T, rows, N), and yields the steps for which that is done. Of its rows, some go to
        the products with inputs and some to those with states.
        """
        columns = self.size + biased
        if self.narrow and to_inputs == to_state:  # then one product does
            both = np.zeros((len(sent[0, to_state]), self.width + self.size), sent.dtype)
            by_input, by_state = both[:, : self.width], both[:, -columns:]
            products = [(both, to_state, WHOLE)]
        else:
            by_input = np.zeros((len(sent[0, to_inputs]), self.width), sent.dtype)
            by_state = np.zeros((len(sent[0, to_state]), columns), sent.dtype)
            products = [(by_state, to_state, slice(-columns, None))]
            if self.narrow:
                products.append((by_input, to_inputs, slice(self.width)))
        if not needed:
            deque(lead, maxlen=0)
            return by_input, by_state

        def add(some: slice) -> None:
            left, right = together(sent[some]), together(self.array[some])
            for found, rows, seen in products:
                np.add(found, left[rows] @ right[seen].T, out=found)

        follow(lead, add, by_state.size * self.count * self.n)
        if not self.narrow:
            left = together(sent[:, to_inputs])
            np.matmul(left, self.inputs.reshape(-1, self.features), out=by_input[:, : self.features])
            if self.biased:
                np.sum(left, axis=1, out=by_input[:, -1])
        return by_input, by_state

    def parted(self, by_input: Array) -> tuple[Array, Array | None]:
        """Return the gradients of a weight of the inputs and its bias."""
        return by_input[:, : self.features], by_input[:, -1] if self.biased else None


def joined(dtype: np.dtype[Any], *parts: Array) -> Array:
    """Return matrices, and vectors as columns, side by side in a new array; those that are None are left out."""
    return np.column_stack([part for part in parts if part is not None]).astype(dtype, copy=False)


def times(matrix: Array, columns: int) -> Callable[[Array, Array], Array]:
    """Return what writes the product of a matrix with one of so many columns into an array.

    Threads of OpenBLAS share it whole. On one, it goes by some rows at a time: an LSTM takes 0.9 of the time so.
    """
    return multiplier(matrix, columns) if crew(2) == 1 else lambda y, out: np.matmul(matrix, y, out=out)


def together(some: Array) -> Array:
    """Return (T, rows, N) as (rows, T * N)."""
    return some.swapaxes(0, 1).reshape(some.shape[1], -1)


def turned(matrix: Array) -> Array:
    """Return a copy of the transpose."""
    found = aligned(matrix.shape[::-1], matrix.dtype)
    found[...] = matrix.T
    return found


def from_the_end(sent: Array) -> Iterator[slice]:
    """Yield the steps of `sent`, as many at a time as the weights get their gradients from at once."""
    count = max(1, BLOCK // max(1, sent[0].nbytes))
    for stop in range(len(sent), 0, -count):
        yield slice(max(0, stop - count), stop)


def backwards(some: slice, to_states: Array, back: Array) -> Iterator[int]:
    """Yield these steps from the last on, each once what its state gets from outside is added to `back` (H, N).

    It is zero in most steps where only the last states are read: not to add it takes 0.98 of an LSTM's time.
    """
    any_is_read = to_states[some].any()
    for t in range(some.start, some.stop)[::-1]:
        if any_is_read:
            np.add(back, to_states[t].T, out=back)
        yield t


def to_inputs(sent: Array, weight: Array) -> Array:
    """Return the gradient of inputs (T, N, F) from what is sent (T, rows, N) to their product with (rows, F)."""
    return np.matmul(sent.swapaxes(1, 2), weight)


def type_of(*arrays: Array) -> np.dtype[Any]:
    return np.result_type(*(a for a in arrays if a is not None))


def summed(bias_ih: Array, bias_hh: Array) -> Array:
    """Return the sum of what biases there are, None if there are none."""
    if bias_ih is None or bias_hh is None:
        return bias_hh if bias_ih is None else bias_ih
    return bias_ih + bias_hh


# h = activation(gates + h @ weight.T). With one gate there is nothing to gain from another layout; `gates` is
# x @ weight_ih.T + bias for all steps.


def rnn_step(gates: Array, h: Array, weight: Array, activation: str) -> Array:
    return ACTIVATIONS[activation](gates + h @ weight.T)


def rnn_by_steps(gates: Array, weight: Array, h: Array, activation: str) -> Array:
    states = []
    for some in gates:
        h = rnn_step(some, h, weight, activation)
        states.append(h)
    return ops.stack(states)


def rnn_rule(
    g: Array, needs: tuple[bool, ...], out: Array, weight: Array, h: Array, activation: str
) -> tuple[Array, Array, Array]:
    slope = 1 - out * out if activation == "tanh" else (out > 0).astype(out.dtype)
    sent = np.empty_like(out)
    back = np.zeros_like(h)
    for t in range(len(out))[::-1]:
        np.multiply(g[t] + back, slope[t], out=sent[t])
        back = sent[t] @ weight
    size = out.shape[-1]
    to_weight = sent[0].T @ h + sent[1:].reshape(-1, size).T @ out[:-1].reshape(-1, size) if needs[1] else None
    return sent, to_weight, back


@operation(inputs=("gates", "weight", "h"), joint=rnn_rule, composed=rnn_by_steps)
def rnn_sequence(gates: Array, weight: Array, h: Array, activation: str = "tanh") -> Array:
    """Return the states (T, N, H) of a plain recurrence; `activation` is "tanh" or "relu"."""
    out = np.empty(gates.shape, np.result_type(gates, weight, h))
    apply = np.tanh if activation == "tanh" else ops.relu
    for t in range(len(gates)):
        out[t] = h = apply(gates[t] + h @ weight.T)
    return out


# The gates of the LSTM are input, forget, cell, output: c = f * c + i * g, h = o * tanh(c)

# Inside, the cell's gate comes first: so the three sigmoids are one array, and the three that lead to the cell another.
INWARDS: Final = [2, 0, 1, 3]
OUTWARDS: Final = [1, 2, 0, 3]


def in_order(array: Array, order: list[int]) -> Array:
    """Return rows gate by gate, each (H, columns), in this order."""
    gates = array.reshape(len(order), -1, array.shape[-1])
    return gates[order].reshape(array.shape)


def lstm_step(gates: Array, h: Array, c: Array, weight: Array) -> tuple[Array, Array]:
    size = c.shape[-1]
    gates = gates + h @ weight.T
    i, f = ops.sigmoid(gates[..., :size]), ops.sigmoid(gates[..., size : 2 * size])
    g, o = ops.tanh(gates[..., 2 * size : 3 * size]), ops.sigmoid(gates[..., 3 * size :])
    c = f * c + i * g
    return o * ops.tanh(c), c


def lstm_by_steps(
    x: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array, h: Array, c: Array
) -> tuple[Array, Array]:
    states = []
    for gates in F.product(x, weight_ih, summed(bias_ih, bias_hh)):
        h, c = lstm_step(gates, h, c, weight_hh)
        states.append(h)
    return ops.stack(states), c


# `opened` are the gates (T, 4, H, N) after their functions, `terms` (T, 2, H, N) what the cell is the sum of, i * g and
# f * c, and `bounded` its tanh after each step. On the way back, `back` is what the state gets from the step after,
# `carry` what the cell gets, and `sent` goes to what the gates' functions were given. A sigmoid s has the slope
# s * (1 - s), so what a gate multiplies is sent as product - gate * product: fewer passes than by way of the slopes.
# The way back takes 0.92 of its time so, with one product for the gradients of all weights.


def lstm_rule(g: list[Array], needs: tuple[bool, ...], aux: tuple[Steps, *tuple[Array, ...]]) -> tuple[Array, ...]:
    (to_states, to_cell), (steps, weight, opened, terms, bounded) = g, aux
    size, n = bounded.shape[1:]
    sent, (other, back, carry) = aligned(opened.shape, opened.dtype), aligned((3, size, n), opened.dtype)
    back[...], carry[...] = 0, to_cell.T
    multiply = multiplier(turned(weight[:, steps.width :]), n)

    def lead() -> Iterator[slice]:
        for some in from_the_end(sent):
            for t in backwards(some, to_states, back):
                (new, i, f, o), two, state = opened[t], terms[t], steps.states[t + 1]
                to_new, to_two, to_o = sent[t, 0], sent[t, 1:3], sent[t, 3]
                np.multiply(o, state, out=to_o)
                np.subtract(state, to_o, out=to_o)
                to_o *= back
                np.multiply(bounded[t], state, out=other)
                np.subtract(o, other, out=other)  # o * (1 - tanh(c)²), which the cell gets of what is sent to the state
                np.add(carry, np.multiply(other, back, out=other), out=carry)
                np.multiply(new, two[0], out=to_new)
                np.subtract(i, to_new, out=to_new)
                np.multiply(opened[t, 1:3], two, out=to_two)
                np.subtract(two, to_two, out=to_two)
                sent[t, :3] *= carry
                np.multiply(carry, f, out=carry)
                multiply(sent[t].reshape(4 * size, n), back)
            yield some

    rows = sent.reshape(len(sent), 4 * size, -1)
    by_input, by_before = (in_order(found, OUTWARDS) for found in steps.gradients(lead(), rows, any(needs[1:5])))
    to_ih, to_bias = steps.parted(by_input)
    to_x = to_inputs(rows, weight[:, : steps.features]) if needs[0] else None
    return to_x, to_ih, by_before, to_bias, to_bias, back.T, carry.T


@operation(
    inputs=("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "h", "c"),
    joint=lstm_rule,
    composed=lstm_by_steps,
    aux=True,
    outputs=(True, True),
)
def lstm_sequence(
    x: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array, h: Array, c: Array
) -> tuple[tuple[Array, Array], Any]:
    """Return the states (T, N, H) of an LSTM and its last cell (N, H); both biases may be None."""
    count, (n, size) = len(x), c.shape
    dtype, bias = type_of(x, weight_ih, weight_hh, bias_ih, bias_hh, h, c), summed(bias_ih, bias_hh)
    steps, weight = Steps(x, h, bias is not None, dtype), in_order(joined(dtype, weight_ih, bias, weight_hh), INWARDS)
    opened, terms = aligned((count, 4, size, n), dtype), aligned((count, 2, size, n), dtype)
    states, bounded, cell = steps.states, aligned((count, size, n), dtype), aligned((size, n), dtype)
    cell[...] = c.T
    scaled = weight.copy()
    scaled[size:] *= sigmoids.scale()
    multiply = steps.by_steps(scaled)
    for t in range(count):
        gates, other = opened[t], bounded[t]
        multiply(t, gates.reshape(4 * size, n))
        new, i, f, o = gates
        np.tanh(new, out=new)
        sigmoids.apply(gates[1:])
        np.add(np.multiply(i, new, out=terms[t, 0]), np.multiply(f, cell, out=terms[t, 1]), out=cell)
        np.multiply(o, np.tanh(cell, out=other), out=states[t + 1])
    return (states[1:].swapaxes(1, 2), cell.T), (steps, weight, opened, terms, bounded)


# The GRU's gates are reset, update, new: n = tanh(gates_n + r * (h @ weight_n.T + bias_n)), h = (1 - z) * n + z * h


def gru_step(gates: Array, h: Array, weight: Array, bias: Array) -> Array:
    size = h.shape[-1]
    inner = F.product(h, weight, bias)
    r = ops.sigmoid(gates[..., :size] + inner[..., :size])
    z = ops.sigmoid(gates[..., size : 2 * size] + inner[..., size : 2 * size])
    n = ops.tanh(gates[..., 2 * size :] + r * inner[..., 2 * size :])
    return n + z * (h - n)


def gru_by_steps(x: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array, h: Array) -> Array:
    states = []
    for gates in F.product(x, weight_ih, bias_ih):
        h = gru_step(gates, h, weight_hh, bias_hh)
        states.append(h)
    return ops.stack(states)


def gru_rule(g: Array, needs: tuple[bool, ...], aux: tuple[Steps, Array, Array], weight_ih: Array) -> tuple[Array, ...]:
    steps, weight, opened = aux
    states, (size, n) = steps.states, opened.shape[2:]
    sent, (back, rest, other) = aligned(opened.shape, opened.dtype), aligned((3, size, n), opened.dtype)
    back[...] = 0
    multiply = multiplier(turned(weight[:, -size:]), n)

    def lead() -> Iterator[slice]:
        for some in from_the_end(sent):
            for t in backwards(some, g, back):
                inner, r, z, new = opened[t]
                to_inner, to_r, to_z, to_new = sent[t]
                np.multiply(back, z, out=rest)  # what goes on to the state before
                np.multiply(new, new, out=to_new)
                np.subtract(1, to_new, out=to_new)
                to_new *= np.subtract(back, rest, out=other)
                np.subtract(states[t], new, out=to_z)
                to_z *= rest
                to_z -= np.multiply(to_z, z, out=other)
                np.multiply(to_new, r, out=to_inner)
                np.subtract(to_new, to_inner, out=to_r)
                to_r *= inner
                to_r *= r
                multiply(sent[t, :3].reshape(3 * size, n), back)
                np.add(back, rest, out=back)
            yield some

    rows = sent.reshape(len(sent), 4 * size, -1)
    biased = weight.shape[1] > size
    by_input, by_before = steps.gradients(lead(), rows, any(needs[1:5]), slice(size, None), slice(3 * size), biased)
    by_before = in_order(by_before, [1, 2, 0])
    to_ih, to_bias = steps.parted(by_input)
    to_x = to_inputs(rows[:, size:], weight_ih) if needs[0] else None
    return to_x, to_ih, by_before[:, -size:], to_bias, by_before[:, 0] if biased else None, back.T


@operation(
    inputs=("x", "weight_ih", "weight_hh", "bias_ih", "bias_hh", "h"), joint=gru_rule, composed=gru_by_steps, aux=True
)
def gru_sequence(
    x: Array, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array, h: Array
) -> tuple[Array, Any]:
    """Return the states (T, N, H) of a GRU; both biases may be None."""
    count, (n, size) = len(x), h.shape
    dtype = type_of(x, weight_ih, weight_hh, bias_ih, bias_hh, h)
    steps = Steps(x, h, bias_ih is not None, dtype)
    # What `new` gets of the state comes first, then reset and update, which are sigmoids.
    weight, by_input = in_order(joined(dtype, bias_hh, weight_hh), [2, 0, 1]), joined(dtype, weight_ih, bias_ih)
    scaled = weight.copy()
    scaled[size:] *= sigmoids.scale()
    by_input[: 2 * size] *= sigmoids.scale()
    ahead, opened = steps.by_inputs(by_input), aligned((count, 4, size, n), dtype)
    states, before, multiply = steps.states, steps.array[:, -weight.shape[1] :], times(scaled, n)
    for t in range(count):
        (inner, r, z, new), two, state = opened[t], opened[t, 1:3].reshape(2 * size, n), states[t + 1]
        multiply(before[t], opened[t, :3].reshape(3 * size, n))
        two += ahead[t, : 2 * size]
        sigmoids.apply(two)
        np.multiply(r, inner, out=new)
        new += ahead[t, 2 * size :]
        np.tanh(new, out=new)
        np.subtract(states[t], new, out=state)
        state *= z
        state += new
    return states[1:].swapaxes(1, 2), (steps, weight, opened)
