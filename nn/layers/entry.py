"""What layers do first: tensors of the right dtype and shape come in, or an error says why not."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.random import shared_generator
from autograd.tensor import wrap
from nn.casting import plain
from nn.parameter import Parameter


def entered(x: Any, like: Tensor) -> Tensor:
    """Return an input as a tensor of the dtype of the parameter `like`, so that float64 data stay out of the model."""
    dtype = like._array.dtype
    if isinstance(x, Tensor):
        if x._array.dtype == dtype:
            return x
        kind = x.dtype.kind
    else:
        x = np.asarray(x)
        kind = x.dtype.kind
        if kind not in "fciub":
            raise TypeError(f"expected numbers, got {x.dtype}: {x!r:.60}")
    if kind == "c" and dtype.kind != "c":
        raise TypeError(f"complex numbers are not supported by parameters of {dtype}")
    if not isinstance(x, Tensor):
        return Tensor(x, dtype=dtype)
    result = x.astype(dtype)
    if x._node is None and x.name is not None:  # which pictures are to say
        result.name = x.name
    return result


def integers(x: Any) -> Any:
    """Return an array of indices."""
    array = plain(x)
    if array.dtype.kind not in "iu":
        raise TypeError(f"expected integers, got {array.dtype}")
    return array


def constant(array: Any) -> Tensor:
    """Return an array that nobody else holds as a tensor without a copy."""
    return wrap(array, None)


def check_last(x: Tensor, features: int) -> None:
    """Refuse an input whose last axis is not of the expected size."""
    if x._array.shape[-1:] != (features,):
        raise ValueError(f"expected {features} features, got {x.shape[-1] if x.ndim else 'a single number'}")


def check_channels(x: Tensor, channels: int) -> None:
    """Refuse an input with another number of channels."""
    if x.shape[1] != channels:
        raise ValueError(f"expected {channels} channels, got {x.shape[1]}")


def batched(x: Tensor, spatial: int) -> tuple[Tensor, bool]:
    """Return images (N, C, *spatial), and whether the batch axis was put in front of a single one."""
    if x.ndim == spatial + 2:
        return x, False
    if x.ndim == spatial + 1:
        return x.reshape(1, *x.shape), True
    sizes = ("L",) if spatial == 1 else ("H", "W")
    raise ValueError(f"expected {x_of(('N', 'C', *sizes))} or {x_of(('C', *sizes))}, got {x.ndim} axes")


def x_of(names: tuple[str, ...]) -> str:
    return f"({', '.join(names)})"


def unbatched(x: Tensor, single: bool) -> Tensor:
    """Undo `batched`."""
    return x.reshape(x.shape[1:]) if single else x


def positive(value: Any, name: str) -> int:
    """Return a size, or raise if it is not a positive integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is a positive integer, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} is a positive integer, not {value}")
    return int(value)


def probability(p: Any, name: str = "p") -> float:
    """Return a probability, or raise if it is none."""
    if isinstance(p, bool) or not isinstance(p, (int, float, np.floating, np.integer)) or not 0 <= p <= 1:
        raise ValueError(f"{name} is a probability between 0 and 1, not {p!r}")
    return float(p)


def uniform(shape: tuple[int, ...], bound: float, dtype: Any) -> Parameter:
    """Return a parameter drawn uniformly from [-bound, bound] by the shared generator."""
    return Parameter(shared_generator().uniform(-bound, bound, shape), dtype=np.float32 if dtype is None else dtype)


def full(shape: tuple[int, ...], value: float, dtype: Any) -> Parameter:
    """Return a parameter that begins as a constant."""
    return Parameter(np.full(shape, value), dtype=np.float32 if dtype is None else dtype)
