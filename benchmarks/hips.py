"""HIPS autograd's turns, in its own process and environment: it shares our import name.

The first message names the work and brings the inputs; then "numbers" asks for what all must agree on, and a
number for the time of so many runs. Nothing of ours is imported here.
"""

import pickle
import sys
import time

import autograd.numpy as np

import autograd

LENGTH = 1000
RATE = 1e-4
STEPS = 500


def scalar_chain(*leaves):
    """Return the gradients of a chain of additions and multiplications, as a function without arguments, twice."""

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

    return gradients, gradients, lambda: None


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

    return gradients, gradients, lambda: None


def two_layer_net(x, y, *first):
    """Return a step of gradient descent on the net of the lectures, the weights after many, and how to start again."""
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


WORKS = {"scalar-chain": scalar_chain, "small-op-chain": small_op_chain, "two-layer-net": two_layer_net}


def main():
    """Answer on standard output until standard input ends."""
    name, inputs = pickle.load(sys.stdin.buffer)
    run, numbers, start = WORKS[name](*inputs)
    while True:
        try:
            message = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        if message == "numbers":
            answer = numbers()
        else:
            start()
            run()
            started = time.perf_counter()
            for _ in range(message):
                run()
            answer = (time.perf_counter() - started) / message
        pickle.dump(answer, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
