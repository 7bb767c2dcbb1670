"""What is no net: a few operations on many numbers, and a Hessian."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from benchmarks.race import Work

CHUNK: Final = 1 << 15
Array = Any


def elementwise(a: Array) -> Work:
    """Return the work of (tanh(2a + 1) a).sum() and its gradient, tanh(2a + 1) + 2a (1 − tanh²(2a + 1))."""
    gradient, spread = np.empty_like(a), np.empty_like(a)
    two, one = np.float32(2), np.float32(1)

    def run() -> float:
        total = 0.0
        for begin in range(0, a.size, CHUNK):
            here = slice(begin, begin + CHUNK)
            x, t, s = a[here], gradient[here], spread[here]
            np.multiply(x, two, out=s)
            np.add(s, one, out=t)
            np.tanh(t, out=t)
            total += float(np.vecdot(t, x))
            # t + s (1 - t²) = t (1 - s t) + s
            np.multiply(s, t, out=s)
            np.subtract(one, s, out=s)
            t *= s
            np.multiply(x, two, out=s)
            t += s
        return total

    def numbers() -> list[Any]:
        run()
        return [gradient.copy()]

    return Work(run, numbers)


def hessian(x: Array, y: Array, w: Array) -> Work:
    """Return the work of the Hessian, by the R-operator: each pass differentiated in all directions at once.

    R{v} is what becomes of v when the parameters move in a direction; here the directions are all the axes, so that the
    R of the gradient is the Hessian. Those of the parameters themselves are zeros and ones.
    """
    rows, inputs = x.shape
    size = w.size
    hidden = (size - 1) // (inputs + 2)
    ends = np.cumsum([hidden * inputs, hidden, hidden])

    def parts(v: Array) -> tuple[Array, ...]:
        """Return the weight, bias, weight and bias that lie along the last axis."""
        first, bias, second, last = np.split(v, ends, axis=-1)
        return first.reshape(*v.shape[:-1], hidden, inputs), bias, second, last

    first, bias, second, last = parts(w)
    r_first, r_bias, r_second, r_last = parts(np.eye(size))
    r_first_rows = np.ascontiguousarray(r_first.transpose(2, 0, 1)).reshape(inputs, -1)  # (inputs, directions x hidden)
    found = np.empty((size, size))
    to_first, to_bias, to_second, to_last = parts(found)
    r_h, r_to_z, change = (np.empty((size, rows, hidden)) for _ in range(3))

    def run() -> Array:
        h = np.tanh(x @ first.T + bias)
        to_y = (h @ second + last - y[:, 0]) * (2 / rows)
        slope = 1 - h * h
        to_h = to_y[:, None] * second
        # forward
        r_z = (x @ r_first_rows).reshape(rows, size, hidden).swapaxes(0, 1)
        np.add(r_z, r_bias[:, None], out=r_h)
        np.multiply(r_h, slope, out=r_h)
        r_to_y = r_h @ second
        r_to_y += r_second @ h.T
        r_to_y += r_last
        r_to_y *= 2 / rows
        # backward
        np.multiply(r_to_y[:, :, None], second, out=r_to_z)
        np.multiply(to_y[:, None], r_second[:, None], out=change)
        np.add(r_to_z, change, out=r_to_z)
        np.multiply(r_to_z, slope, out=r_to_z)
        np.multiply(r_h, h * to_h * -2, out=change)
        np.add(r_to_z, change, out=r_to_z)
        np.matmul(r_to_z.swapaxes(1, 2), x, out=to_first)
        np.sum(r_to_z, axis=1, out=to_bias)
        np.matmul(to_y, r_h, out=to_second)
        np.add(to_second, r_to_y @ h, out=to_second)
        np.sum(r_to_y, axis=1, keepdims=True, out=to_last)
        return found

    return Work(run, lambda: [run().copy()])
