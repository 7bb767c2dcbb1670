"""Random tensors: one seed governs them, initialisation, dropout and loaders.

>>> import autograd
>>> _ = autograd.manual_seed(0)
>>> first = autograd.randn(2)
>>> _ = autograd.manual_seed(0)
>>> bool((autograd.randn(2) == first).all())
True
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd.creation import finished, shape_of
from autograd.tensor import Tensor, numeric, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike


@functools.cache
def shared_generator() -> np.random.Generator:
    """Return the shared generator, which draws everything that is given no generator of its own."""
    return np.random.default_rng()  # made at first use: importing `np.random` takes half as long as all of ours


def manual_seed(seed: int) -> np.random.Generator:
    """Start the shared generator afresh from `seed`, and return it.

    >>> import autograd
    >>> _ = autograd.manual_seed(0)
    >>> first = autograd.rand(2)
    >>> _ = autograd.manual_seed(0)
    >>> bool((autograd.rand(2) == first).all())
    True
    """
    shared = shared_generator()
    shared.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    return shared


def get_rng_state() -> dict[str, Any]:
    """Return the state of the shared generator, to be saved beside a model: numbers and words, in nested dicts.

    >>> import autograd
    >>> state = autograd.get_rng_state()
    >>> first = autograd.randn(2)
    >>> autograd.set_rng_state(state)
    >>> bool((autograd.randn(2) == first).all())
    True
    """
    return dict(shared_generator().bit_generator.state)


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Let the shared generator go on from `state`, which `get_rng_state()` returned.

    Raises
    ------
    ValueError : it is no such state; the generator is as it was.
    """
    trial = np.random.default_rng().bit_generator  # one that refuses a state may have taken half of it
    try:
        trial.state = dict(state)
    except Exception as error:
        raise ValueError(f"this is no state of the generator: {error!r}") from error
    shared_generator().bit_generator.state = trial.state


def drawn(array: Any, dtype: DTypeLike, requires_grad: bool, name: str | None) -> Tensor:
    """Return numbers just drawn as a tensor."""
    return finished(wrap(numeric(array, dtype, copy=False), None), requires_grad, name)


def rand(
    *shape: Any,
    dtype: DTypeLike = float,
    requires_grad: bool = False,
    name: str | None = None,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Return numbers drawn uniformly from [0, 1): `rand(2, 3)`.

    >>> import autograd
    >>> autograd.rand(2, 3, dtype=np.float32).dtype
    dtype('float32')
    """
    array: Any
    if np.dtype(dtype) == np.float32:  # drawn as such: rounded from float64 it could become 1
        array = (generator or shared_generator()).random(shape_of(shape), np.float32)
    else:
        array = (generator or shared_generator()).random(shape_of(shape))
    return drawn(array, dtype, requires_grad, name)


def randn(
    *shape: Any,
    dtype: DTypeLike = float,
    requires_grad: bool = False,
    name: str | None = None,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Return numbers drawn from the standard normal distribution: `randn(2, 3)`.

    >>> import autograd
    >>> autograd.randn(2, 3, requires_grad=True).shape
    (2, 3)
    """
    return drawn((generator or shared_generator()).standard_normal(shape_of(shape)), dtype, requires_grad, name)


def randint(
    low: int,
    high: int,
    shape: int | tuple[int, ...] = (),
    *,
    dtype: DTypeLike = int,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Return integers drawn uniformly from low, ..., high - 1, in `shape`.

    >>> import autograd
    >>> bool((autograd.randint(0, 10, (100,)) < 10).all())
    True
    """
    return drawn((generator or shared_generator()).integers(low, high, shape), dtype, False, None)


def randperm(n: int, *, generator: np.random.Generator | None = None) -> Tensor:
    """Return the numbers 0, ..., n - 1 in random order.

    >>> import autograd
    >>> sorted(autograd.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    return drawn((generator or shared_generator()).permutation(n), int, False, None)
