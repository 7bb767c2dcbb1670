"""Tensor: an array, its gradient, and the node that made it."""

from __future__ import annotations

import operator
import os
import sys
import warnings
from _thread import RLock
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from autograd import graph, modes
from autograd.graph import Version, clock
from autograd.words import IN_NUMPY, point_elsewhere

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from autograd.draw import Drawing

Axis = int | tuple[int, ...] | None
Self = TypeVar("Self", bound="Tensor")
new: Final = object.__new__
HOOK_KEYS: Final = count()


class Notes:
    """What few nodes and leaves carry: a name, hooks, a retained gradient, the line that recorded it, scopes.

    What one does not have is a class attribute: a module's result has a scope alone, at a third of the time so.
    """

    name: str | None = None
    hooks: dict[int, Callable[[Tensor], Any]] | None = None
    retain = False
    grad: Tensor | None = None
    line: str | None = None
    scopes: tuple[Any, ...] = ()

    def listens(self) -> bool:
        """Whether somebody asked for the gradient."""
        return self.retain or bool(self.hooks)

    def arrive(self, gradient: Any) -> Any:
        """Run the hooks on a gradient that is complete, and keep it where that was asked for."""
        if not self.listens() or isinstance(gradient, list):
            return gradient
        recorded = isinstance(gradient, Tensor)
        tensor = conjugate(gradient) if recorded else wrap(conjugate(gradient.copy()), None)
        for hook in tuple(self.hooks.values()) if self.hooks else ():
            answer = hook(tensor)
            if answer is None:
                continue
            answer = answer if isinstance(answer, Tensor) else Tensor(answer, dtype=tensor.dtype)
            if answer.shape != tensor.shape:
                raise ValueError(f"a hook returned shape {answer.shape} for a gradient of shape {tensor.shape}")
            if answer.dtype != tensor.dtype:
                if not np.can_cast(answer.dtype, tensor.dtype, "same_kind"):
                    raise TypeError(f"a hook returned {answer.dtype} for a gradient of {tensor.dtype}")
                answer = answer.astype(tensor.dtype)
            tensor = answer
        if self.retain:
            self.grad = tensor if self.grad is None else self.grad + tensor
        return conjugate(tensor) if recorded else conjugate(tensor._array)


DEPOSITING: Final = RLock()  # by one thread at a time: two may share a leaf
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DEPOSITING._at_fork_reinit)  # type: ignore[attr-defined]


class Leaf:
    """The place where the gradient of one tensor accumulates; what its name and hooks hang on."""

    __slots__ = ("dtype", "grad", "is_scalar", "notes", "shape", "value", "version")

    op = None
    parents: tuple[Any, ...] = ()
    seq = 0

    def __init__(self, data: Any) -> None:
        self.grad: Tensor | None = None
        self.notes: Notes | None = None
        self.version = Version()
        self.hold(data)

    def hold(self, data: Any) -> None:
        """Take shape and dtype from the tensor's array; the value of a 0-d one is kept for pictures."""
        self.shape: tuple[int, ...] = data.shape
        self.dtype = data.dtype
        self.version.changed = next(clock)
        self.is_scalar = not isinstance(data, np.ndarray)
        self.value = data if self.is_scalar else None

    def deposit(self, gradient: Any, fresh: bool, create_graph: bool) -> None:
        """Add a complete gradient. `fresh` says that nothing else holds its array, which may become the leaf's own."""
        with DEPOSITING:
            self.add(gradient, fresh, create_graph)

    def add(self, gradient: Any, fresh: bool, create_graph: bool) -> None:
        grad = self.grad
        if create_graph or (grad is not None and grad._node is not None):
            gradient = conjugate(gradient)
            # A copy, since other leaves may be given this very tensor.
            self.grad = ops.copy(gradient) if grad is None else grad + gradient
            return
        if self.is_scalar:
            value = conjugate(gradient)[()]
        elif grad is None:
            fresh = fresh and isinstance(gradient, np.ndarray) and gradient.base is None
            value = conjugate(gradient if fresh and gradient.flags.carray else np.array(gradient, order="C"))
        else:
            grad._array = writable(grad)
            grad._array += conjugate(gradient)
            return
        total = wrap(value, None)
        # Nothing is called from here on: a signal's handler, whose backward pass may end at this leaf too, comes in
        # before the gradient is read once more, or after it is written.
        grad = self.grad
        if grad is None:
            self.grad = total
        elif self.is_scalar:
            total._array = grad._array + value
            self.grad = total
        else:
            grad._array += value


def conjugate(gradient: Any) -> Any:
    """Turn a gradient as the graph carries it into the one that users see, or back."""
    return gradient.conj() if gradient.dtype.kind == "c" else gradient


def as_array(data: Any) -> Any:
    """Return what a tensor holds as an array, where it may be a scalar."""
    return np.asarray(data)


def wrap(data: Any, node: Any) -> Tensor:
    """Return a Tensor of `data`, without a copy, made by `node`."""
    tensor = new(Tensor)
    tensor._array = data
    tensor._node = node
    tensor._leaf = None
    return tensor


def references_of_slot() -> int:
    """Return what `sys.getrefcount` says of an array that only a tensor holds: it varies with the interpreter."""
    tensor = wrap(np.zeros(1), None)
    return sys.getrefcount(tensor._array)


def held_alone(tensor: Tensor) -> bool:
    """Whether nothing but the tensor can see its array: no view, no other tensor, no rule that will read it."""
    if sys.getrefcount(tensor._array) > HELD_BY_SLOT or not isinstance(tensor._array, np.ndarray):
        return False
    return tensor._array.base is None and tensor._array.flags.writeable


def writable(tensor: Tensor) -> NDArray[Any]:
    """Return the tensor's array if nothing else can see it, else a copy: what a rule reads is never overwritten."""
    return tensor._array if held_alone(tensor) else np.array(tensor._array)


def overwrite(tensor: Tensor, values: Any) -> None:
    """Set the values of a tensor without a history, in its own array; graphs that read the old ones refuse to go on.

    Where it needs no gradient, no graph would notice: then it gets another array, if anything else sees its own.
    """
    noticed = tensor.requires_grad or held_alone(tensor)
    if noticed and isinstance(tensor._array, np.ndarray) and tensor._array.flags.writeable:
        tensor._array[...] = values
    else:
        tensor.data = np.array(np.broadcast_to(values, tensor.shape), tensor.dtype)
    tensor.mark_overwritten()


def numeric(data: Any, dtype: DTypeLike | None, copy: bool) -> Any:
    """Return `data` as an array of numbers, or a NumPy scalar where it is 0-d."""
    try:
        if dtype is not None and not isinstance(data, (int, float, complex)):
            found = np.asarray(data)
            if found.dtype.kind != "O" or any(x is None for x in found.flat):  # of None NumPy would make NaN
                holds_numbers(found, data)
            if found.dtype.kind == "f":
                data = found
        array = np.array(data, dtype=dtype) if copy else np.asarray(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise type(error)(f"cannot make a tensor of {type(data).__name__}: {error}") from error
    holds_numbers(array, data)
    return array if array.ndim else array[()]


def holds_numbers(array: Any, data: Any) -> None:
    """Raise a TypeError if an array made of `data` does not."""
    if array.dtype.kind not in "fciub":
        raise TypeError(f"a tensor holds numbers, not {array.dtype}: {data!r:.60}")


def restore(cls: type[Self], array: NDArray[Any], requires_grad: bool, name: str | None) -> Self:
    """Return a tensor of class `cls` that owns `array`: what copies and pickles are made of."""
    tensor = new(cls)
    tensor._array = array if array.ndim or cls is not Tensor else array[()]
    tensor._node = tensor._leaf = None
    tensor.requires_grad_(requires_grad)
    if name is not None:
        tensor.name = name
    return tensor


class Tensor:
    """An array that remembers how it was made, so that `backward` can compute gradients.

    Parameters
    ----------
    data : a number, nested lists of numbers, an array or a tensor; it is copied (`from_numpy` shares). Python floats
        become float64.
    requires_grad : whether `backward` shall accumulate a gradient in `.grad`. Floating and complex dtypes only.
    dtype : the dtype; that of `data` if left out.
    name : what pictures and messages call it.

    Raises
    ------
    TypeError : `data` is not numeric, or integer with `requires_grad=True`.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x, y, z = Tensor(-2.0, requires_grad=True), Tensor(5.0, requires_grad=True), Tensor(-4.0, requires_grad=True)
    >>> f = (x + y) * z
    >>> f.backward()
    >>> f.item(), x.grad.item(), y.grad.item(), z.grad.item()
    (-12.0, -4.0, -4.0, 3.0)
    """

    __slots__ = ("__weakref__", "_array", "_leaf", "_node")

    # An array, or a NumPy scalar where 0-d: adding two of those costs a tenth. Not `_data`, which np.ma would read.
    _array: Any
    _node: Any  # what made it; its `Leaf` if it requires a gradient itself; None if none is needed
    _leaf: Leaf | None  # where gradient, name and hooks of a tensor without a history are
    __hash__ = object.__hash__

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: DTypeLike | None = None, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor):
            data._refuse_to_leave("Tensor()")
            data = data._array
        self._array = numeric(data, dtype, copy=True)
        self._node = self._leaf = None
        if requires_grad:
            self.requires_grad_()
        if name is not None:
            self.name = name

    # What it is

    @property
    def data(self) -> Any:
        """The array itself (a NumPy scalar where 0-d): changing it in place fools the graph."""
        return self._array

    @data.setter
    def data(self, value: Any) -> None:
        if isinstance(value, Tensor):
            value = value._array
        if value is self._array:  # `t.data -= step` has just overwritten the array
            self.mark_overwritten()
            return
        value = numeric(value, None, copy=False)
        if self._node is not None and value.dtype.kind not in "fc":
            raise TypeError(
                f"data of {self.label()}, which requires a gradient, is floating or complex, not {value.dtype}"
            )
        if (
            self._node is not None
            and self._node.op is not None
            and (value.shape, value.dtype) != (self.shape, self.dtype)
        ):
            raise ValueError(
                f"data of a result: {self.shape} {self.dtype} cannot become {value.shape} {value.dtype}; "
                "detach() it first"
            )
        self._array = value
        if self._leaf is not None:
            self._leaf.hold(value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._array.dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is computed for it: it was asked for, or it depends on one for which it was."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Ask for a gradient of this tensor, or stop asking; returns the tensor itself.

        An array that it shares with others, as after `from_numpy`, becomes a copy; to share it all the same, say
        `from_numpy(array, requires_grad=True)`.
        """
        if not self.is_leaf:
            if not requires_grad:
                raise RuntimeError(f"{self.label()} is the result of an operation: use detach() to stop its gradient")
            return self
        if requires_grad and self.dtype.kind not in "fc":
            raise TypeError(
                f"only floating and complex tensors have gradients, not {self.dtype}: write -2.0 for -2, or pass "
                "dtype=float"
            )
        if not requires_grad:
            self._node = None
        elif self._node is None:
            if isinstance(self._array, np.ndarray) and not held_alone(self):
                self._array = np.array(self._array)  # an optimiser will overwrite it, and that nothing else may see
            self._node = self._place()
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by a recorded operation."""
        return self._node is None or self._node.op is None

    def _place(self) -> Leaf:
        if self._leaf is None:
            self._leaf = Leaf(self._array)
        return self._leaf

    def _notes(self) -> Notes:
        place = self._place() if self.is_leaf else self._node
        if place.notes is None:
            place.notes = Notes()
        return place.notes

    @property
    def name(self) -> str | None:
        """What pictures and messages call it."""
        place = self._leaf if self.is_leaf else self._node
        return place.notes.name if place is not None and place.notes is not None else None

    @name.setter
    def name(self, value: str | None) -> None:
        self._notes().name = value

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` accumulated, of this tensor's shape and dtype; None before.

        Results of operations have one only after `retain_grad()`.
        """
        if self.is_leaf:
            return None if self._leaf is None else self._leaf.grad
        notes = self._node.notes
        if notes is None or not notes.retain:
            warnings.warn(
                f".grad of {self.label()}, the result of an operation, is not kept: call its retain_grad() before "
                "backward(), or use autograd.gradients(output, tensor)",
                stacklevel=2,
            )
            return None
        return notes.grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            value = value if isinstance(value, Tensor) else Tensor(value, dtype=self.dtype)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ValueError(
                    f"the gradient of {self.label()} is {self.shape} {self.dtype}, not {value.shape} {value.dtype}"
                )
        if self.is_leaf:
            if value is not None or self._leaf is not None:
                self._place().grad = value
        else:
            self._notes().grad = value

    def label(self) -> str:
        """Return its name, or else its kind and shape, for messages."""
        return repr(self.name) if self.name else f"a tensor of shape {self.shape}"

    # Its gradient

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Compute the gradient of this tensor with respect to every leaf it depends on; add it to their `.grad`.

        Parameters
        ----------
        gradient : of this tensor, in its shape; left out it is 1, for tensors of one element.
        retain_graph : keep what the rules read, so that `backward` can run again.
        create_graph : record the backward pass, so that gradients can be differentiated; implies `retain_graph`.

        Raises
        ------
        RuntimeError : no gradient is needed; the graph was released; a value was overwritten in place since.
        ValueError : `gradient` has another shape, or is left out for more than one element.
        """
        root, seed = self._seed(gradient, create_graph)
        if create_graph:
            with modes.enable_grad():
                graph.backward([root], [seed], retain_graph=True, create_graph=True)
        else:
            graph.backward([root], [seed], retain_graph=retain_graph)

    def _seed(self, gradient: Any, create_graph: bool) -> tuple[Any, Any]:
        """Return the node to start from and the gradient to start with."""
        node, data = self._node, self._array
        if node is None:
            raise RuntimeError(
                f"{self.label()} needs no gradient: nothing it depends on has requires_grad=True, or it was computed "
                "under no_grad, or is a gradient that was computed without create_graph=True"
            )
        if gradient is None:
            if data.size != 1:
                raise ValueError(
                    f"backward of {self.label()}: only a tensor of one element has a gradient of 1 by itself; pass "
                    f"gradient= of shape {data.shape}, or reduce it first, with .sum() say"
                )
            seed = data.dtype.type(1) if data.shape == () else np.ones(data.shape, data.dtype)
        else:
            gradient = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
            if gradient.shape != data.shape:
                raise ValueError(
                    f"backward of {self.label()}: the gradient has shape {gradient.shape}, not {data.shape}"
                )
            if gradient.dtype != data.dtype:
                gradient = gradient.astype(data.dtype)
            if create_graph:
                return node, conjugate(gradient)
            seed = conjugate(gradient._array)
        return node, wrap(seed, None) if create_graph else seed

    def retain_grad(self) -> None:
        """Keep the gradient of this result of an operation in `.grad` at the next `backward`."""
        if self._node is None:
            raise RuntimeError(f"{self.label()} needs no gradient, so there is none to retain")
        if not self.is_leaf:
            self._notes().retain = True

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
        """Call `hook(gradient)` when this tensor's gradient is complete; what it returns, if not None, replaces it.

        Returns a function that removes the hook.
        """
        if self._node is None:
            raise RuntimeError(f"{self.label()} needs no gradient, so a hook on it would never run")
        if not callable(hook):
            raise TypeError(f"a hook is a function of the gradient, not {type(hook).__name__}")
        notes = self._notes()
        hooks = notes.hooks = {} if notes.hooks is None else notes.hooks
        key = next(HOOK_KEYS)
        hooks[key] = hook

        def remove() -> None:
            hooks.pop(key, None)

        return remove

    def zero_grad(self) -> None:
        """Forget the accumulated gradient: `.grad` becomes None."""
        self.grad = None

    def mark_overwritten(self) -> None:
        """Say that the array was changed in place: in graphs recorded before that read it, `backward` then raises."""
        if self._leaf is not None:
            self._leaf.version.time = self._leaf.version.changed = next(clock)

    # The same values as something else

    def detach(self) -> Tensor:
        """Return its values as a tensor without history: no gradient flows through it."""
        changes = self._leaf is not None or (self._node is not None and self._node.version is not None)
        return wrap(self._array.copy() if changes else self._array, None)

    def clone(self) -> Tensor:
        """Return a copy; gradients flow through it."""
        return ops.copy(self)

    copy = clone

    def numpy(self) -> NDArray[Any]:
        """Return its values as an array, which shares memory with the tensor unless that is 0-d."""
        return np.asarray(self._array)

    def item(self) -> Any:
        """Return the value of a tensor of one element as a Python number."""
        if self._array.size != 1:
            raise ValueError(f"item() of {self.label()}: it has {self._array.size} elements, not one")
        return self._array.item()

    def tolist(self) -> Any:
        """Return its values as nested lists of Python numbers."""
        return self._array.tolist()

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return it with another dtype; a gradient flows back if that is floating or complex."""
        dtype = np.dtype(dtype)
        if dtype.kind not in "fc" or self._node is None:
            return wrap(self._array.astype(dtype), None)
        return ops.astype(self, dtype)

    def _refuse_to_leave(self, how: str) -> None:
        if self._node is not None and modes.is_grad_enabled():
            raise TypeError(
                f"{how} of {self.label()} would lose its gradient. For the value alone there are .item() and .numpy(), "
                ".detach() for a tensor without history, and autograd.no_grad(). NumPy's functions keep the gradient: "
                "np.stack(tensors) for an array of tensors, np.sqrt(t) for math.sqrt(t)"
            )

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        self._refuse_to_leave("an array")
        return np.array(self._array, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        self._refuse_to_leave("float()")
        return float(self._scalar("float()"))

    def __round__(self, ndigits: int | None = None) -> Any:
        self._refuse_to_leave("round()")
        return round(float(self._scalar("round()")), ndigits)

    def __int__(self) -> int:
        self._refuse_to_leave("int()")
        return int(self._scalar("int()"))

    def __complex__(self) -> complex:
        self._refuse_to_leave("complex()")
        return complex(self._scalar("complex()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self._array.shape:
            raise TypeError(f"only a 0-d integer tensor is an index, not {self.shape} {self.dtype}")
        return int(self._array)

    def _scalar(self, how: str) -> Any:
        if self._array.size != 1:
            raise TypeError(f"{how} of {self.label()}: it has {self._array.size} elements, not one")
        return self._array.item()

    def __bool__(self) -> bool:
        return bool(self._array)

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._array), separator=", ", threshold=100, prefix="Tensor(")
        parts = [text if self._array.shape else repr(self._array.item())]
        if self._array.shape:
            parts.append(f"shape={self.shape}")
        if self._array.shape or self.dtype != np.float64:
            parts.append(f"dtype={self.dtype}")
        if not self.is_leaf:
            parts.append(f"op={self._node.op.name}")
        elif self.requires_grad:
            parts.append("requires_grad=True")
        if self.name:
            parts.append(f"name={self.name!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def draw(self, **options: Any) -> Drawing:
        """Draw the graph that led to it; see `autograd.draw` for the options."""
        from autograd.draw import draw  # imported late: pictures are drawn rarely

        return draw(self, **options)

    def _repr_html_(self) -> str:
        import html  # imported late, since few need it: 2 ms

        return f"<pre>{html.escape(repr(self))}</pre>"

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        return format(self._scalar(f"format {spec!r}"), spec)

    def __len__(self) -> int:
        if not self._array.shape:
            raise TypeError("a 0-d tensor has no length")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self._array == (value._array if isinstance(value, Tensor) else value)))

    def __copy__(self: Self) -> Self:
        return self._rebuilt()

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        result = self._rebuilt()
        if self._leaf is not None and self._leaf.grad is not None:
            result.grad = Tensor(self._leaf.grad.detach())
        memo[id(self)] = result
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        self._refuse_history()
        return restore, (type(self), np.array(self._array), self.requires_grad, self.name)

    def _rebuilt(self: Self) -> Self:
        self._refuse_history()
        return restore(type(self), np.array(self._array), self.requires_grad, self.name)

    def _refuse_history(self) -> None:
        if not self.is_leaf:
            raise RuntimeError(
                f"{self.label()} is the result of {self._node.op.name}: only tensors without a history can be copied "
                "or pickled; use detach(), or clone() for a copy that keeps it"
            )

    # Arithmetic

    def __add__(self, other: Any) -> Tensor:
        return ops.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return ops.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return ops.subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return ops.subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return ops.multiply(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return ops.multiply(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return ops.divide(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return ops.divide(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return ops.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return ops.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return ops.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return ops.matmul(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return ops.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return ops.remainder(other, self)

    def __floordiv__(self, other: Any) -> NDArray[Any]:
        return self._array // plain(other)

    def __rfloordiv__(self, other: Any) -> NDArray[Any]:
        return plain(other) // self._array

    def __divmod__(self, other: Any) -> tuple[NDArray[Any], Tensor]:
        return self // other, self % other

    def __neg__(self) -> Tensor:
        return ops.negative(self)

    def __pos__(self) -> Tensor:
        return ops.positive(self)

    def __abs__(self) -> Tensor:
        return ops.absolute(self)

    def __iadd__(self: Self, other: Any) -> Self:
        return self._in_place(ops.add, operator.iadd, other, "+=")

    def __isub__(self: Self, other: Any) -> Self:
        return self._in_place(ops.subtract, operator.isub, other, "-=")

    def __imul__(self: Self, other: Any) -> Self:
        return self._in_place(ops.multiply, operator.imul, other, "*=")

    def __itruediv__(self: Self, other: Any) -> Self:
        return self._in_place(ops.divide, operator.itruediv, other, "/=")

    def __ipow__(self: Self, other: Any) -> Self:
        return self._in_place(ops.power, operator.ipow, other, "**=")

    def __imatmul__(self: Self, other: Any) -> Self:
        return self._in_place(ops.matmul, operator.imatmul, other, "@=")

    def __imod__(self: Self, other: Any) -> Self:
        return self._in_place(ops.remainder, operator.imod, other, "%=")

    def _in_place(self: Self, operate: Callable[..., Any], overwrite: Callable[..., Any], other: Any, how: str) -> Self:
        """Become what `operate` makes of it; its array is overwritten where nothing is recorded or sees that."""
        recorded = modes.is_grad_enabled() and (self.requires_grad or getattr(other, "requires_grad", False))
        if not recorded and held_alone(self):
            try:
                overwrite(self._array, plain(other))
                if self._leaf is not None:
                    self._leaf.version.changed = next(clock)
                return self
            except (TypeError, ValueError):
                pass  # said below, with the names of what was given
        return self._rebind(operate(self, other), how)

    def _rebind(self: Self, result: Tensor, how: str) -> Self:
        """Become `result`, as the in-place operators do: other tensors and views keep their values."""
        if self._node is not None and self.is_leaf and result._node is not None:
            raise RuntimeError(
                f"{how} on {self.label()}, a leaf that requires a gradient, would make it a result. To change its "
                "values, as a training step does, write that under `with autograd.no_grad():`. For a result through "
                "which gradients flow, change a copy, t.clone()"
            )
        if result.shape != self.shape:
            raise ValueError(f"{how} would change the shape of {self.label()} to {result.shape}")
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise TypeError(f"{how}: cannot cast {result.dtype} to {self.dtype}, the dtype of {self.label()}")
            result = result.astype(self.dtype)
        name = self.name
        self._array = np.asarray(result._array) if isinstance(self._array, np.ndarray) else result._array
        if self._leaf is not None:
            self._leaf.hold(self._array)
        if modes.is_grad_enabled() and self._node is not result._node:
            self._node = result._node
            self.name = name
        return self

    # Comparisons are plain arrays

    def __eq__(self, other: Any) -> Any:
        return self._array == plain(other)

    def __ne__(self, other: Any) -> Any:
        return self._array != plain(other)

    def __lt__(self, other: Any) -> Any:
        return self._array < plain(other)

    def __le__(self, other: Any) -> Any:
        return self._array <= plain(other)

    def __gt__(self, other: Any) -> Any:
        return self._array > plain(other)

    def __ge__(self, other: Any) -> Any:
        return self._array >= plain(other)

    def __and__(self, other: Any) -> Any:
        return self._array & plain(other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self._array | plain(other)

    __ror__ = __or__

    def __xor__(self, other: Any) -> Any:
        return self._array ^ plain(other)

    __rxor__ = __xor__

    def __invert__(self) -> Any:
        return ~self._array

    # Indexing

    def __getitem__(self, index: Any) -> Tensor:
        return ops.getitem(self, plain_index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        index = plain_index(index)
        tracked = self._node is not None or (isinstance(value, Tensor) and value._node is not None)
        if tracked and modes.is_grad_enabled():
            self._rebind(ops.setitem(self, index, value), "t[...] = v")
            return
        array = writable(self)
        array[index] = plain(value)
        self._array = array if isinstance(self._array, np.ndarray) else array[()]
        if self._leaf is not None:
            self._leaf.hold(self._array)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in IN_NUMPY]

    # NumPy's dispatch

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return numpy_protocol.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return numpy_protocol.call_function(function, args, kwargs)

    # Methods: NumPy's names and arguments

    @property
    def T(self) -> Tensor:
        """The axes in reverse order."""
        return ops.transpose(self)

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return ops.swapaxes(self, -1, -2)

    @property
    def real(self) -> Tensor:
        """Return the real part."""
        return ops.real(self)

    @property
    def imag(self) -> Tensor:
        """Return the imaginary part."""
        return ops.imag(self)

    def reshape(self, *shape: Any) -> Tensor:
        """Return it in another shape: `t.reshape(2, 3)` or `t.reshape((2, 3))`; one size may be -1."""
        return ops.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Tensor:
        """Return it with its axes permuted: reversed, or as in `t.transpose(2, 0, 1)`; `swapaxes` swaps two.

        ValueError: not all axes are named, once each.
        """
        if len(axes) == 2 and self.ndim > 2:
            raise ValueError(
                f"transpose takes an order of all {self.ndim} axes; t.swapaxes({axes[0]}, {axes[1]}) swaps two"
            )
        return ops.transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Return it without its axes of size 1, or without those given."""
        return ops.squeeze(self, axis)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        """Return it with two axes swapped."""
        return ops.swapaxes(self, axis1, axis2)

    def ravel(self) -> Tensor:
        """Return it with a single axis."""
        return ops.ravel(self)

    def flatten(self, order: str = "C") -> Tensor:
        """Return it with a single axis, as NumPy's method does; with the first kept: `t.reshape(len(t), -1)`."""
        if order != "C":
            raise TypeError(
                f"flatten makes a single axis of all, in order 'C', not {order!r}; to keep the first write "
                "t.reshape(len(t), -1) or use nn.Flatten()"
            )
        return ops.ravel(self)

    def repeat(self, repeats: Any, axis: int | None = None) -> Tensor:
        """Return it with each element repeated, as `np.repeat` does; along an axis, or all of it in a single one."""
        return ops.repeat(self, repeats, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """Return the diagonals of the matrices in two axes, as the last axis."""
        return ops.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """Return the sums of those diagonals."""
        return ops.trace(self, offset, axis1, axis2)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """Return the elements at `indices`, along an axis or of all in a single one."""
        return ops.take(self, indices, axis)

    def dot(self, other: Any) -> Tensor:
        """Return the product that `np.dot` gives."""
        return ops.dot(self, other)

    def conj(self) -> Tensor:
        """Return the complex conjugate."""
        return ops.conjugate(self)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the sum over axes, over all if left out."""
        return ops.sum(self, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the mean over axes, over all if left out."""
        return ops.mean(self, axis, keepdims)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the product over axes, over all if left out."""
        return ops.prod(self, axis, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest element over axes; equal ones share the gradient."""
        return ops.max(self, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the smallest element over axes; equal ones share the gradient."""
        return ops.min(self, axis, keepdims)

    def var(self, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Return the variance over axes, divided by the count less `ddof`."""
        return ops.var(self, axis, ddof, keepdims)

    def std(self, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
        """Return the standard deviation over axes, divided by the count less `ddof`."""
        return ops.std(self, axis, ddof, keepdims)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Return the running sums along an axis, or of all in a single one."""
        return ops.cumsum(self, axis)

    def cumprod(self, axis: int | None = None) -> Tensor:
        """Return the running products along an axis, or of all in a single one."""
        return ops.cumprod(self, axis)

    def ptp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest element less the smallest, over axes."""
        return ops.ptp(self, axis, keepdims)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return `log(sum(exp(t)))` over axes, without overflow."""
        return ops.logsumexp(self, axis, keepdims)

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """Return it limited to [min, max]; at a bound the gradient passes."""
        return ops.clip(self, min, max)

    def sort(self, axis: int = -1) -> Tensor:
        """Return it sorted: unlike NumPy's method, a new tensor."""
        return ops.sort(self, axis)

    def abs(self) -> Tensor:
        """Return the absolute value; at 0 the gradient is 0."""
        return ops.absolute(self)

    def exp(self) -> Tensor:
        """Return the exponential."""
        return ops.exp(self)

    def log(self) -> Tensor:
        """Return the natural logarithm."""
        return ops.log(self)

    def sqrt(self) -> Tensor:
        """Return the square root."""
        return ops.sqrt(self)

    def square(self) -> Tensor:
        """Return the square."""
        return ops.square(self)

    def sin(self) -> Tensor:
        """Return the sine."""
        return ops.sin(self)

    def cos(self) -> Tensor:
        """Return the cosine."""
        return ops.cos(self)

    def tanh(self) -> Tensor:
        """Return the hyperbolic tangent."""
        return ops.tanh(self)

    def sigmoid(self) -> Tensor:
        """Return `1 / (1 + exp(-t))`."""
        return ops.sigmoid(self)

    def relu(self) -> Tensor:
        """Return `max(t, 0)`; at 0 the gradient is 0."""
        return ops.relu(self)

    def softmax(self, axis: int = -1) -> Tensor:
        """Return `exp(t) / sum(exp(t))` along an axis, without overflow."""
        return ops.softmax(self, axis)

    # Methods without a gradient: plain results

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Return where the largest element is along an axis, as plain integers."""
        return as_array(self._array).argmax(axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Return where the smallest element is along an axis, as plain integers."""
        return as_array(self._array).argmin(axis=axis, keepdims=keepdims)

    def argsort(self, axis: int = -1) -> Any:
        """Return the order that sorts along an axis, as plain integers."""
        return as_array(self._array).argsort(axis=axis)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Return whether all elements are true, over axes."""
        return as_array(self._array).all(axis=axis, keepdims=keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Return whether any element is true, over axes."""
        return as_array(self._array).any(axis=axis, keepdims=keepdims)

    def nonzero(self) -> Any:
        """Return where it is not zero, an array of places for each axis."""
        return as_array(self._array).nonzero()

    def round(self, decimals: int = 0) -> Any:
        """Return it rounded, as a plain array: what is rounded has no gradient."""
        return as_array(self._array).round(decimals)


def plain(x: Any) -> Any:
    """Return the array of a tensor, anything else as it is."""
    return x._array if isinstance(x, Tensor) else x


def plain_index(index: Any) -> Any:
    """Return an index with the tensors in it as arrays."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    if isinstance(index, Tensor):
        if index.dtype.kind not in "iub":
            raise IndexError(f"an index is of integers or booleans, not a tensor of {index.dtype}")
        return index._array
    if isinstance(index, list):
        array = np.array(index)
        return array if array.size else array.astype(np.intp)
    return np.array(index) if isinstance(index, np.ndarray) else index


point_elsewhere(Tensor, {word: f"in NumPy's words, {words}" for word, words in IN_NUMPY.items()})
HELD_BY_SLOT: Final = references_of_slot()

# At the end: operations make Tensors, and the methods above call operations.
from autograd import numpy_protocol, ops  # noqa: E402
