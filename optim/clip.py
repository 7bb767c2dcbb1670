"""Gradient clipping: by value, by each tensor's norm, by the global norm. Between `backward()` and `step()`.

>>> from autograd import Tensor
>>> x = Tensor([3.0, -4.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> norm = clip_grad_norm_([x], max_norm=5.0)
>>> norm.item(), x.grad.data
(10.0, array([ 3., -4.]))
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd import Tensor
from optim.flat import Array
from optim.optimizer import of_module

Tensors = Tensor | Iterable[Tensor]


def clip_grad_value_(parameters: Tensors, clip_value: float) -> None:
    """Limit each number of the gradients to [−clip_value, clip_value], in place.

    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> clip_grad_value_([x], 7.0)
    >>> x.grad.data
    array([ 6., -7.])
    """
    limit = float(clip_value)
    for grad in gradients_of(parameters):
        data = grad.data
        if data.dtype.kind == "c":
            real = np.asarray(data).reshape(-1).view(data.real.dtype)
            change(grad, np.clip(real, -limit, limit).view(data.dtype).reshape(data.shape))
        else:
            change(grad, np.clip(data, -limit, limit))


def clip_grad_norm_(
    parameters: Tensors, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`: g ← c·g/‖g‖ if ‖g‖ > c. In place.

    Parameters
    ----------
    parameters : a tensor, or several; their gradients count as one vector g.
    max_norm : c.
    norm_type : p of the p-norm, or inf for the largest number.
    error_if_nonfinite : raise RuntimeError if ‖g‖ is infinite or NaN, and change nothing.

    Returns
    -------
    ‖g‖ before, a tensor of one number.

    References
    ----------
    Pascanu, Mikolov, Bengio, On the difficulty of training recurrent neural networks, ICML 2013.

    Examples
    --------
    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> clip_grad_norm_([x], 5.0).item(), x.grad.data
    (10.0, array([ 3., -4.]))
    """
    grads = gradients_of(parameters)
    norms = np.array([norm_of(grad.data, norm_type) for grad in grads])
    with np.errstate(all="ignore"):
        total = float(norm_of(norms, norm_type)) if grads else 0.0
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To scale the gradients by it all the same, pass error_if_nonfinite=False"
        )
    scale(grads, max_norm, total)
    return Tensor(total)


def clip_grad_norm_per_tensor_(parameters: Tensors, max_norm: float, norm_type: float = 2.0) -> list[float]:
    """Scale each gradient by itself so that its norm is at most `max_norm`; return the norms before. In place.

    PyTorch has the global norm alone; this one keeps an exploding matrix from slowing the others.

    >>> x, y = Tensor([3.0, -4.0], requires_grad=True), Tensor([0.1], requires_grad=True)
    >>> ((x * x).sum() + (y * y).sum()).backward()
    >>> clip_grad_norm_per_tensor_([x, y], 5.0)
    [10.0, 0.2]
    >>> x.grad.data, y.grad.data
    (array([ 3., -4.]), array([0.2]))
    """
    found = []
    for grad in gradients_of(parameters):
        found.append(float(norm_of(grad.data, norm_type)))
        scale([grad], max_norm, found[-1])
    return found


def gradients_of(parameters: Tensors) -> list[Tensor]:
    """Return the gradients that there are."""
    if not isinstance(parameters, Iterable) or of_module(parameters):
        raise TypeError(f"parameters are tensors, not {type(parameters).__name__}{of_module(parameters)}")
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in tensors if p.grad is not None]


def norm_of(array: Any, order: float) -> float:
    """Return the p-norm of all numbers of an array; sums are taken in its own dtype, scaled so as not to overflow."""
    order = float(order)
    if not order > 0:
        raise ValueError(f"norm_type is positive, not {order}")
    flat = np.abs(array).reshape(-1)
    if flat.size == 0:
        return 0.0
    largest = float(flat.max())
    if order == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    if order == 2 and flat.dtype == np.float64 and 1e-100 < largest < 1e100:
        return math.sqrt(float(flat @ flat))
    powers = float(np.sum((flat / largest) ** order, dtype=np.float64))
    return float(largest * powers ** (1 / order))


def scale(grads: list[Tensor], max_norm: float, norm: float) -> None:
    """Multiply gradients by max_norm/norm if that is below 1; PyTorch's 1e-6 keeps it finite."""
    factor = float(max_norm) / (norm + 1e-6)
    if not factor >= 1:  # NaN as well, as in PyTorch
        with np.errstate(invalid="ignore"):
            for grad in grads:
                change(grad, grad.data * factor)


def change(grad: Tensor, values: Array) -> None:
    """Set a gradient: in its own array, unless that is a scalar or belongs to a graph."""
    data = grad.data
    if isinstance(data, np.ndarray) and grad.is_leaf:
        data[...] = values
    else:
        grad.data = values
