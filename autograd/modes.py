"""What is recorded: gradient mode, anomaly mode and kept values, each per thread.

``current`` holds None while everything is as usual, so that recording an operation asks
one question (24 ns); anything unusual is a `Mode`.
"""

from __future__ import annotations

import functools
import inspect
from _thread import get_ident
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class Mode(NamedTuple):
    """How operations of the present thread are recorded."""

    grad: bool = True
    anomaly: bool = False
    values: bool = False


USUAL = Mode()
KNOWN: Final[dict[Mode, Mode | None]] = {USUAL: None}  # so that modes that are equal are one object
current: ContextVar[Mode | None] = ContextVar("autograd mode", default=None)


@functools.cache
def changed(mode: Mode | None, field: str, value: bool) -> Mode | None:
    """Return the mode with one field changed. Remembered: `with no_grad()` takes a third of the time."""
    found = (mode or USUAL)._replace(**{field: value})
    return KNOWN.setdefault(found, found)


NO_GRAD: Final = changed(None, "grad", False)


class _Switch:
    """A context manager and decorator that changes one field of the mode and restores it."""

    __slots__ = ("_before",)
    _field: str
    _value: bool = True

    def __init__(self, function: None = None) -> None:
        if function is not None:
            raise TypeError(f"write @{type(self).__name__}(), with parentheses")
        self._before: dict[int, list[Mode | None]] = {}  # the modes to go back to, by thread

    def __enter__(self) -> None:
        mode = current.get()
        self._before.setdefault(get_ident(), []).append(mode)
        current.set(changed(mode, self._field, self._value))

    def __exit__(self, *exception: object) -> None:
        thread = get_ident()
        before = self._before[thread]
        current.set(before.pop())
        if not before:
            del self._before[thread]

    def __call__(self, function: Function) -> Function:
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{function.__name__} is a generator or coroutine: its body would run outside the mode; "
                "use the `with` statement inside it"
            )
        field, value = self._field, self._value

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            token = current.set(changed(current.get(), field, value))
            try:
                return function(*args, **kwargs)
            finally:
                current.reset(token)

        return cast(Function, inside)


class no_grad(_Switch):
    """Record nothing: results need no gradient, and the arrays of tensors may be read freely.

    A context manager and a decorator; it holds for the present thread alone.

    >>> import autograd
    >>> w = autograd.Tensor(2.0, requires_grad=True)
    >>> with autograd.no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """

    __slots__ = ()
    _field = "grad"
    _value = False


class enable_grad(_Switch):
    """Record again inside a `no_grad` block. A context manager and a decorator.

    >>> import autograd
    >>> w = autograd.Tensor(2.0, requires_grad=True)
    >>> with autograd.no_grad(), autograd.enable_grad():
    ...     print((w * 3).requires_grad)
    True
    """

    __slots__ = ()
    _field = "grad"


class set_grad_enabled(_Switch):
    """Switch recording on or off at once; as a context manager or decorator, for a while.

    >>> import autograd
    >>> with autograd.set_grad_enabled(False):
    ...     autograd.is_grad_enabled()
    False
    """

    __slots__ = ("_called_in", "_value")
    _field = "grad"

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._value = bool(mode)
        super().__enter__()
        self._called_in: int | None = get_ident()  # the thread in which it holds since the call; None once entered

    def __enter__(self) -> None:
        """Enter the block; the first one goes back to what was before the call."""
        if get_ident() == self._called_in:
            self._called_in = None
            current.set(changed(current.get(), self._field, self._value))
        else:
            super().__enter__()

    def __exit__(self, *exception: object) -> None:
        if get_ident() == self._called_in:
            self._called_in = None
        super().__exit__(*exception)

    def __call__(self, function: Function) -> Function:
        if get_ident() == self._called_in:
            self.__exit__()
        return super().__call__(function)


class anomaly_mode(_Switch):
    """Report the first operation that makes a NaN or Inf, forward or backward.

    The `ArithmeticError` names the operation and the line that recorded it. Every result and
    every gradient is searched, so this is for finding a fault, not for training.

    >>> import autograd, numpy as np
    >>> with autograd.anomaly_mode(), np.errstate(divide="ignore"):
    ...     x = autograd.Tensor([1.0, 0.0], requires_grad=True)
    ...     try:
    ...         y = np.log(x)
    ...     except ArithmeticError as error:
    ...         print(str(error).splitlines()[0])
    log made Inf at index (1,)
    """

    __slots__ = ()
    _field = "anomaly"


class record(_Switch):
    """Keep the value, and after `backward` the gradient, of every node, for pictures and steps.

    Nodes of 0-d tensors always do so; those of larger tensors only inside this block.

    >>> import autograd
    >>> x = autograd.Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> with autograd.record():
    ...     loss = (x * x).sum()
    ...     loss.backward()
    >>> picture = autograd.draw(loss)  # where each box now has the norm of its value and of its gradient
    """

    __slots__ = ()
    _field = "values"


def is_grad_enabled() -> bool:
    """Whether operations of the present thread are recorded.

    >>> import autograd
    >>> autograd.is_grad_enabled()
    True
    """
    mode = current.get()
    return mode is None or mode.grad
