"""Cases of the Fourier transforms."""

import numpy as np

from autograd import ops
from tests.cases import Case, normal


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 1)


NORMS = ("backward", "ortho", "forward")
ONE = ("fft", "ifft", "rfft", "irfft")


def call(name, **options):
    """Return the transform called `name`, by NumPy's dispatch, with options."""
    return lambda x: getattr(np.fft, name)(x, **options)


def inputs(name, *shape):
    return (normal(*shape),) if name.startswith("rfft") else (complex_normal(*shape),)


CASES = [
    *(
        Case(
            name,
            lambda x, name=name, n=n, norm=norm: getattr(ops, name)(x, n, norm=norm),
            inputs(name, 5),
            f"{n} {norm}",
        )
        for name in ONE
        for n in (None, 4, 5, 8, 9)
        for norm in (NORMS if n in (None, 8) else (None,))
    ),
    *(
        Case(
            name,
            lambda x, name=name, axis=axis: getattr(ops, name)(x, None, axis),
            inputs(name, 3, 4, 2),
            f"axis {axis}",
        )
        for name in ONE
        for axis in (0, 1, -2)
    ),
    *(
        Case(name, lambda x, name=name: getattr(ops, name)(x), (normal(4),), "of real")
        for name in ("fft", "ifft", "irfft")
    ),
    *(Case(name, lambda x, name=name: getattr(ops, name)(x, 1), inputs(name, 3), "to 1") for name in ONE),
    *(
        Case(name, lambda x, name=name, norm=norm: getattr(ops, name)(x, norm=norm), (complex_normal(2, 3),), norm)
        for name in ("fftn", "ifftn")
        for norm in NORMS
    ),
    *(
        Case(
            name, lambda x, name=name: getattr(ops, name)(x, (2, 5), (0, -1)), (complex_normal(3, 2, 4),), "s and axes"
        )
        for name in ("fftn", "ifftn")
    ),
    Case("fftn", lambda x: ops.fftn(x, axes=(1,)), (normal(2, 3, 2),), "of real"),
    *(
        Case(name, call(name, **options), inputs(name, 2, 3, 4), str(options))
        for name in ("fft2", "ifft2", "rfft2", "irfft2", "rfftn", "irfftn")
        for options in ({}, {"s": (4, 3), "axes": (0, 1)}, {"norm": "ortho"})
    ),
    Case("rfftn", call("rfftn", axes=(1,)), (normal(2, 3),), "one axis"),
    Case("irfftn", call("irfftn", axes=(1,)), (complex_normal(2, 3),), "one axis"),
    *(
        Case(name, call(name, **options), (normal(3, 4),), str(options))
        for name in ("fftshift", "ifftshift")
        for options in ({}, {"axes": 0}, {"axes": (-1,)})
    ),
]
