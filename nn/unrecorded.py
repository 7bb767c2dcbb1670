"""Calls where nothing is recorded: layers on plain arrays, with no tensors between them.

A layer may say of an array what its `forward` does to a tensor; under `no_grad` a call takes that. An MLP on a single
example and LeNet on a single image take 0.8 of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from autograd import Tensor
from autograd.tensor import wrap

if TYPE_CHECKING:
    from nn.module import Module

Array = Any
OnArray = TypeVar("OnArray", bound=Callable[[Any, Array], Array])
ON_ARRAY: Final[dict[Callable[..., Any], Callable[[Any, Array], Array]]] = {}


def unrecorded(forward: Callable[..., Any]) -> Callable[[OnArray], OnArray]:
    """Mark a function of a layer and an array as what `forward` does to a tensor, its only argument.

    It leaves what comes in as it is. Where it returns NotImplemented, or raises, the call is left to `forward`, which
    then says what is wrong. It goes with this very function: where a subclass, or a user, puts another in its place,
    that is called.
    """

    def mark(on_array: OnArray) -> OnArray:
        ON_ARRAY[forward] = on_array
        return on_array

    return mark


def call_in_row(modules: Sequence[Module], x: Tensor) -> tuple[Tensor, Sequence[Module]]:
    """Make the unrecorded calls of modules in a row, up to the first that has to be made with a tensor.

    Returns the result, and the modules that are left.
    """
    array, done = x._array, 0
    try:
        for module in modules:
            kind = type(module)
            on_array = ON_ARRAY.get(kind.forward)
            if on_array is None or kind.__call__ is not kind._plain_call or "forward" in module.__dict__:
                break
            if module._forward_hooks or module._forward_pre_hooks:
                break
            found = on_array(module, array)
            if found is NotImplemented:
                break
            array = found
            done += 1
    except Exception:  # which `forward` will raise, and name the place
        pass
    return x if array is x._array else wrap(array, None), modules[done:]
