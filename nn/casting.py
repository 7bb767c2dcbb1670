"""What losses and functions do to what they are given, so that tensors of the right dtype come in."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, is_grad_enabled

__all__ = ["as_labels", "casted", "floating", "given", "narrowed", "plain", "widened", "without_gradient"]


def given(x: Any) -> Tensor:
    """Return a tensor as it is, anything else (an array, a number, nested lists) as a tensor of a copy."""
    return x if isinstance(x, Tensor) else Tensor(x)


def casted(x: Any, like: Tensor) -> Tensor:
    """Return real numbers in the floating dtype of `like`, so that a float64 array leaves a float32 model float32.

    Complex numbers, and what is given beside a `like` that is not floating, stay as they are.
    """
    x = x if isinstance(x, (Tensor, np.ndarray)) else np.asarray(x)
    kept = x.dtype == like.dtype or x.dtype.kind not in "fiub" or like.dtype.kind != "f"
    if isinstance(x, Tensor):
        return x if kept else x.astype(like.dtype)
    return Tensor(x, dtype=None if kept else like.dtype)


def floating(x: Any, name: str) -> Tensor:
    """Return a prediction as floats: integers as float64. `name` is what it is called in the message."""
    x = given(x)
    if x.dtype.kind == "f":
        return x
    if x.dtype.kind not in "iub":
        raise TypeError(f"{name}: expected a prediction of real numbers, got {x.dtype}")
    return x.astype(np.float64)


def plain(x: Any) -> Any:
    """Return the array of a tensor; anything else as an array."""
    return np.asarray(x.data if isinstance(x, Tensor) else x)


def as_labels(target: Any, name: str) -> Any:
    """Return class indices, or whatever whole numbers are asked for, as an array."""
    labels = plain(target)
    if labels.dtype.kind not in "iu" and labels.size:
        raise ValueError(f"{name}: expected a target of integers, got {labels.dtype} of shape {labels.shape}")
    return labels.astype(np.intp, copy=False)


def without_gradient(x: Any, what: str) -> Any:
    """Return the array of something that losses have no gradient for; TypeError where one would be lost."""
    if isinstance(x, Tensor) and x.requires_grad and is_grad_enabled():
        raise TypeError(f"{what} has no gradient, but requires one: pass its detach() if none is wanted")
    return plain(x)


def widened(x: Tensor) -> Tensor:
    """Return float16 as float32, in which sums of squares do not overflow; others as they are."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def narrowed(x: Tensor, dtype: Any) -> Tensor:
    """Return what came of a tensor of `dtype` that may have been widened, as it was before that."""
    return x.astype(dtype) if dtype == np.float16 else x
