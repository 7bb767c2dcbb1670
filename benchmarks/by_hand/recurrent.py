"""LSTM and GRU over whole sequences, of which the last output is read.

The products with all inputs are one, and so are those that give the gradients of the weights. A sigmoid is a tanh of
half its argument, half of that and a half, since NumPy's tanh takes half the time of its exp; the weights that lead to
a sigmoid are halved beforehand.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from benchmarks.by_hand.flat import Flat

STEPS_AT_A_TIME: Final = 5
HALF: Final = np.float32(0.5)
Array = Any


class Recurrent:
    """What both have: weights, inputs, and all states."""

    def __init__(self, flat: Flat, name: str, steps: int, batch: int) -> None:
        self.weight_ih, self.to_weight_ih = flat.hold(f"{name}.weight_ih_l0")
        self.weight_hh, self.to_weight_hh = flat.hold(f"{name}.weight_hh_l0")
        self.bias_ih, self.to_bias_ih = flat.hold(f"{name}.bias_ih_l0")
        self.bias_hh, self.to_bias_hh = flat.hold(f"{name}.bias_hh_l0")
        self.rows, self.hidden = self.weight_hh.shape
        self.steps, self.batch = steps, batch
        self.h = np.zeros((steps + 1, batch, self.hidden), np.float32)
        self.gates = np.empty((steps, batch, self.rows // self.hidden, self.hidden), np.float32)
        # What a step's gradients of the gates are, but for the gradients of the states: known for all steps at once.
        self.factors = np.empty((steps, batch, 4, self.hidden), np.float32)
        self.scale = np.ones((self.rows, 1), np.float32)
        self.ih, self.hh = np.empty_like(self.weight_ih), np.empty_like(self.weight_hh)
        self.from_h = np.empty((batch, self.rows), np.float32)
        self.term, self.dh = (np.empty((batch, self.hidden), np.float32) for _ in range(2))
        self.ones = np.ones(steps * batch, np.float32)
        self.x: Array = None

    def enter(self, x: Array, bias: Array) -> None:
        """Start the gates of all steps with what comes from the inputs and the bias."""
        self.x = x.reshape(-1, x.shape[-1])
        np.multiply(self.weight_ih, self.scale, out=self.ih)
        np.multiply(self.weight_hh, self.scale, out=self.hh)
        gates = self.gates.reshape(-1, self.rows)
        np.matmul(self.x, self.ih.T, out=gates)
        gates += bias * self.scale[:, 0]

    def for_steps(self, work: Any) -> None:
        """Do the work of a few steps at a time, so that they stay in cache."""
        for a in range(0, self.steps, STEPS_AT_A_TIME):
            work(slice(a, min(a + STEPS_AT_A_TIME, self.steps)))


class LSTM(Recurrent):
    """The gates are i, f, g and o."""

    def __init__(self, flat: Flat, name: str, steps: int, batch: int) -> None:
        super().__init__(flat, name, steps, batch)
        self.c = np.zeros_like(self.h)
        self.tanh_c = np.empty_like(self.h[1:])
        self.by_dh = np.empty_like(self.tanh_c)  # what the gradient of a cell gets of that of the output
        self.dc = np.empty_like(self.dh)
        # sigmoid(a) = tanh(a / 2) / 2 + 1 / 2 for i, f and o
        self.scale.reshape(4, -1)[[0, 1, 3]] = HALF
        self.after = self.scale.reshape(1, 4, -1).copy()
        self.plus = 1 - self.after

    def forward(self, x: Array) -> Array:
        self.enter(x, self.bias_ih + self.bias_hh)
        for t in range(self.steps):
            gates, c, h = self.gates[t], self.c[t + 1], self.h[t + 1]
            if t:
                np.matmul(self.h[t], self.hh.T, out=self.from_h)
                flat = gates.reshape(self.batch, -1)
                flat += self.from_h
            np.tanh(gates, out=gates)
            gates *= self.after
            gates += self.plus
            np.multiply(gates[:, 1], self.c[t], out=c)
            np.multiply(gates[:, 0], gates[:, 2], out=self.term)
            c += self.term
            np.tanh(c, out=self.tanh_c[t])
            np.multiply(gates[:, 3], self.tanh_c[t], out=h)
        return self.h[-1]

    def prepare(self, some: slice) -> None:
        """Compute what gradients are multiplied by in some steps."""
        i, f, g, o = (self.gates[some, :, k] for k in range(4))
        to_i, to_f, to_g, to_o = (self.factors[some, :, k] for k in range(4))
        tanh_c, by_dh = self.tanh_c[some], self.by_dh[some]
        for gate, factor, other in ((i, to_i, g), (f, to_f, self.c[some]), (o, to_o, tanh_c)):
            np.square(gate, out=factor)
            np.subtract(gate, factor, out=factor)
            factor *= other
        for value, factor, gate in ((g, to_g, i), (tanh_c, by_dh, o)):
            np.square(value, out=factor)
            np.subtract(1, factor, out=factor)
            factor *= gate

    def backward(self, g: Array) -> None:
        self.for_steps(self.prepare)
        dh, dc = self.dh, self.dc
        dh[...], dc[...] = g, 0
        for t in reversed(range(self.steps)):
            sent = self.factors[t]
            np.multiply(dh, self.by_dh[t], out=self.term)
            dc_now = np.add(dc, self.term, out=dc)
            sent[:, 3] *= dh
            sent[:, :3] *= dc_now[:, None]
            if t:
                dc *= self.gates[t, :, 1]
                np.matmul(sent.reshape(self.batch, -1), self.weight_hh, out=dh)
        sent = self.factors.reshape(-1, self.rows)
        np.matmul(sent.T, self.x, out=self.to_weight_ih)
        np.matmul(sent[self.batch :].T, self.h[1:-1].reshape(-1, self.hidden), out=self.to_weight_hh)
        np.matmul(self.ones, sent, out=self.to_bias_ih)
        self.to_bias_hh[...] = self.to_bias_ih


class GRU(Recurrent):
    """The gates are r, z and n: h' = n + z (h - n) with n = tanh(... + r m), where m is what n gets of h.

    All gradients of a step are that of its output times something: of r, z, m and n, in this order.
    """

    def __init__(self, flat: Flat, name: str, steps: int, batch: int) -> None:
        super().__init__(flat, name, steps, batch)
        self.m = np.empty_like(self.h[1:])
        self.scale[: 2 * self.hidden] = HALF

    def forward(self, x: Array) -> Array:
        size = self.hidden
        bias = self.bias_ih.copy()
        bias[: 2 * size] += self.bias_hh[: 2 * size]
        self.enter(x, bias)
        bias_n = self.bias_hh[2 * size :]
        for t in range(self.steps):
            gates, h, m = self.gates[t], self.h[t + 1], self.m[t]
            sigmoids, n = gates[:, :2], gates[:, 2]
            if t:
                np.matmul(self.h[t], self.hh.T, out=self.from_h)
                np.add(self.from_h[:, 2 * size :], bias_n, out=m)
                sigmoids += self.from_h[:, : 2 * size].reshape(self.batch, 2, size)
            else:
                m[...] = bias_n
            np.tanh(sigmoids, out=sigmoids)
            sigmoids *= HALF
            sigmoids += HALF
            np.multiply(gates[:, 0], m, out=self.term)
            n += self.term
            np.tanh(n, out=n)
            np.subtract(self.h[t], n, out=h)
            h *= gates[:, 1]
            h += n
        return self.h[-1]

    def prepare(self, some: slice) -> None:
        """Compute what gradients are multiplied by in some steps."""
        r, z, n = (self.gates[some, :, k] for k in range(3))
        to_r, to_z, to_m, to_n = (self.factors[some, :, k] for k in range(4))
        np.square(n, out=to_n)
        np.subtract(1, to_n, out=to_n)
        np.subtract(1, z, out=to_z)
        to_n *= to_z
        to_z *= z
        np.subtract(self.h[some], n, out=to_m)
        to_z *= to_m
        np.multiply(to_n, r, out=to_m)
        np.subtract(1, r, out=to_r)
        to_r *= to_m
        to_r *= self.m[some]

    def backward(self, g: Array) -> None:
        self.for_steps(self.prepare)
        dh, size = self.dh, self.hidden
        dh[...] = g
        for t in reversed(range(self.steps)):
            sent = self.factors[t]
            sent *= dh[:, None]
            if t:
                np.multiply(dh, self.gates[t, :, 1], out=self.term)
                np.matmul(sent.reshape(self.batch, -1)[:, : 3 * size], self.weight_hh, out=dh)
                dh += self.term
        sent = self.factors.reshape(-1, 4 * size)
        np.matmul(sent[:, : 2 * size].T, self.x, out=self.to_weight_ih[: 2 * size])
        np.matmul(sent[:, 3 * size :].T, self.x, out=self.to_weight_ih[2 * size :])
        later = sent[self.batch :, : 3 * size]
        np.matmul(later.T, self.h[1:-1].reshape(-1, size), out=self.to_weight_hh)
        sums = self.ones @ sent
        self.to_bias_hh[...] = sums[: 3 * size]
        self.to_bias_ih[: 2 * size] = sums[: 2 * size]
        self.to_bias_ih[2 * size :] = sums[3 * size :]
