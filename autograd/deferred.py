"""Elementwise functions of large arrays, put off: several of them are computed at once, a block at a time.

What an operation or a gradient rule makes on its way stays in cache within a block. Rules go further: each puts off
what it would send, and the next goes on from there, until something asks for the array. Then a block goes through all
of them before the next does, and nothing of the array's size is written in between.

This is one more use of the rules. Given arrays, they compute; given tensors, they are recorded; given what is here,
they write down which of NumPy's functions they would call. So those can be called with `out=`, in the same few places
over and over. For 1,000,000 float32, the backward pass of tanh(a * 2 + 1) * a takes half of the time of rules that each
make an array of their own by blocks, which take 0.6 of that of whole arrays.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakSet

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from autograd.blocks import BLOCK, LIGHT_WORTH, WORTH, in_pieces

Array = Any
Function = Callable[..., Array]
LARGE: Final = 1 << 18  # numbers from which it pays
MOST_STEPS: Final = 16  # functions that are put off; meanwhile the arrays that they are of stay in memory
OURS: Final = __name__.partition(".")[0]
WITH_OUT: Final[dict[Function, Function]] = {  # what does the same as a function, takes `out=` and returns that
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.mod: np.remainder,
    operator.neg: np.negative,
    operator.abs: np.absolute,
}
REFUSED: Final[WeakSet[Any]] = WeakSet()  # functions that have asked for more than a Deferred has


class NotThere(AttributeError, TypeError):
    """What asks a Deferred for its numbers gets this."""


class Deferred(NDArrayOperatorsMixin):
    """The result of an elementwise function, which is computed when somebody asks for the array.

    NumPy's elementwise functions of one are others of this kind. What a rule might ask for beyond that, the numbers
    above all, it does not have: then the rule is a single function to be computed.
    """

    __slots__ = ("dtype", "function", "operands", "sample", "shape", "steps")

    def __init__(self, function: Any, operands: tuple[Any, ...], shape: tuple[int, ...], sample: Array) -> None:
        self.function = function  # None once it is computed
        self.operands = operands  # of this kind, all of one shape, and what stands for any number or row of theirs
        self.shape = shape
        self.sample = sample  # the first number
        self.dtype = sample.dtype
        self.steps: int = 0 if function is None else 1 + steps_to(operands)  # functions to compute

    def array(self) -> Array:
        """Compute it, once."""
        if self.function is not None:
            if self.steps == 1:
                made = alone(self.function, [settled(x) for x in self.operands], self.shape, self.dtype)
            else:
                made = Program(self).run()
            self.operands, self.function, self.steps = (made,), None, 0
        return self.operands[0]

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc.nout != 1 or ufunc.signature is not None:
            raise NotThere(f"{ufunc.__name__}.{method}")
        return put_off(ufunc, inputs, self.shape)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotThere("the numbers")

    def __bool__(self) -> bool:
        raise NotThere("the numbers")

    def __getattr__(self, name: str) -> Any:
        raise NotThere(name)

    def __pow__(self, exponent: Any) -> Any:  # an array's own knows squares and roots
        return put_off(operator.pow, (self, exponent), self.shape)


def steps_to(operands: Sequence[Any]) -> int:
    """Return how many functions are to be computed for the operands; one that several of them need counts for each."""
    return sum([x.steps for x in operands if isinstance(x, Deferred)])


def settled(x: Any) -> Any:
    """Return the array of what was put off, anything else as it is."""
    return x.array() if isinstance(x, Deferred) else x


def taken(x: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of this shape as a Deferred that needs no computing, any other operand as it is."""
    if isinstance(x, np.ndarray) and x.shape == shape:
        return Deferred(None, (x,), shape, sample_of(x))
    return x


def sample_of(x: Any) -> Any:
    """Return an operand as it is for the first number of all; an array keeps its axes."""
    if isinstance(x, Deferred):
        return x.sample
    return x[(slice(1),) * x.ndim] if isinstance(x, np.ndarray) else x


def put_off(function: Function, operands: Sequence[Any], shape: tuple[int, ...]) -> Deferred:
    """Return an elementwise function of operands, for a result of this shape, as a Deferred.

    Raises ValueError if the operands cannot be taken some rows at a time.
    """
    if steps_to(operands) >= MOST_STEPS:
        operands = [settled(x) for x in operands]
    operands = tuple([taken(x, shape) for x in operands])
    sample: Any = function(*map(sample_of, operands)) if all(fits(x, shape) for x in operands) else None
    if np.shape(sample) != (1,) * len(shape):
        raise ValueError(f"operands do not fit a result of shape {shape}")
    return Deferred(function, operands, shape, sample)


def fits(x: Any, shape: tuple[int, ...]) -> bool:
    """Whether an operand is no array, or of this shape, or can be stretched to it, but not by its rows."""
    if not isinstance(x, (np.ndarray, Deferred)) or x.shape in ((), shape):
        return True
    if isinstance(x, Deferred):
        return False
    if x.ndim > len(shape) or (x.ndim == len(shape) and x.shape[0] != 1):
        return False
    return all(n in (1, m) for n, m in zip(reversed(x.shape), reversed(shape), strict=False))


def writes_down(function: Function) -> bool:
    """Whether to try what a function does with a Deferred.

    Of our own functions we know that they do the same as with an array. Users' may look at what they are given.
    """
    return (
        (getattr(function, "__module__", None) or "").partition(".")[0] == OURS
        and with_out(function) is None
        and function not in REFUSED
    )


def deferred(function: Function, operands: Sequence[Any]) -> Any:
    """Return `function(*operands)`, which is elementwise, put off where it is large and its operands allow it."""
    shape = max([x.shape for x in operands if isinstance(x, (np.ndarray, Deferred))], key=math.prod)
    operands = [settled(x) if isinstance(x, Deferred) and x.shape != shape else x for x in operands]
    if math.prod(shape) < LARGE or not all(fits(x, shape) for x in operands):
        return function(*map(settled, operands))
    if writes_down(function):
        known = [taken(x, shape) for x in operands]
        try:
            found = function(*known)
        except NotThere:
            REFUSED.add(function)
            found = None
        except Exception:  # it does not go for these operands; if something is wrong with them, it will show again
            found = None
        if isinstance(found, Deferred) and found.shape == shape and not any(found is x for x in known):
            return found
    if not isinstance(function, np.ufunc) and any(is_array(x) and x.shape != shape for x in operands):
        return alone(function, [settled(x) for x in operands], shape)  # to know its dtype takes a row
    try:
        return put_off(function, operands, shape)
    except Exception:  # of the first number alone it cannot be computed
        return function(*map(settled, operands))


def in_blocks(function: Function, operands: Sequence[Any]) -> Array:
    """Return `function(*operands)`, which is elementwise, computed block by block where the shapes allow.

    Operands are arrays, one of them with the shape of the result, and options.
    """
    return settled(deferred(function, operands))


def alone(function: Function, operands: Sequence[Any], shape: tuple[int, ...], dtype: Any = None) -> Array:
    """Return what one function makes of operands that fit; `dtype` is that of the result, if it is known."""
    write = with_out(function)
    large = [isinstance(x, np.ndarray) and x.shape == shape for x in operands]
    arrays = [x for x, is_large in zip(operands, large, strict=True) if is_large]
    even = not any(is_array(x) for x, is_large in zip(operands, large, strict=True) if not is_large)
    if dtype is None:
        rows = [x[:1] if is_large else x for x, is_large in zip(operands, large, strict=True)]
        dtype = function(*map(sample_of, operands) if even else rows).dtype

    def work(parts: list[Array], out: Array) -> None:
        found = iter(parts)
        some = [next(found) if is_large else x for x, is_large in zip(operands, large, strict=True)]
        if write is None:
            out[...] = function(*some)
        else:
            write(*some, out=out)

    # A single loop leaves nothing in the cache for another.
    most = math.prod(shape) if isinstance(write, np.ufunc) else BLOCK
    return by_blocks(work, arrays, shape, dtype, even, most, WORTH if write is None else LIGHT_WORTH)


def by_blocks(
    work: Callable[[list[Array], Array], None],
    arrays: list[Array],
    shape: tuple[int, ...],
    dtype: Any,
    even: bool,
    most: int = BLOCK,
    worth: int = WORTH,
) -> Array:
    """Return a new array that `work` fills, given the parts of arrays that belong to a block and where to write.

    With `even`, blocks may be of any numbers, else they are of whole rows. The rest is as in `in_pieces`.
    """
    model = next((x for x in arrays if not is_stretched(x)), None)
    out = np.empty(shape, dtype) if model is None else np.empty_like(model, dtype)
    *seen, places = in_one_line([*arrays, out]) if even and out.ndim > 1 else [*arrays, out]
    in_pieces(lambda some: work([x[some] for x in seen], places[some]), len(places), out.size, most, worth)
    return out


class Step(NamedTuple):
    """A function to call on a block."""

    function: Function
    inputs: tuple[int, ...]  # which of the values so far are its operands
    room: int | None  # where it writes the result; None if it makes an array itself


class Program:
    """The functions that lead to a Deferred, in order, and where on a block each reads and writes.

    The values on a block are its part of each array, the operands that are the same for all blocks, and the results.
    """

    def __init__(self, last: Deferred) -> None:
        self.shape, self.dtype = last.shape, last.dtype
        found: dict[int, Any] = {}
        collect(last, found)
        ready = [x for x in found.values() if isinstance(x, Deferred) and x.function is None]
        ordered = [x for x in found.values() if isinstance(x, Deferred) and x.function is not None]
        self.arrays = [x.array() for x in ready]
        self.others = [x for x in found.values() if not isinstance(x, Deferred)]
        place = {id(x): i for i, x in enumerate([*ready, *self.others, *ordered])}
        inputs = [tuple([place[id(x)] for x in step.operands]) for step in ordered]
        last_use = {i: number for number, some in enumerate(inputs) for i in some}
        self.steps: list[Step] = []
        # The dtypes of the rooms. The first is where the last function writes: there other results may lie before if it
        # may write over what it reads.
        self.rooms: list[Any] = [last.dtype]
        free = [0] if isinstance(with_out(last.function), np.ufunc) else []
        held: dict[int, int] = {}  # the room of each value that is yet to be read
        for number, (step, some) in enumerate(zip(ordered, inputs, strict=True)):
            read = [held.pop(i) for i in {*some} & held.keys() if last_use[i] == number]
            function, room = with_out(step.function), None
            if isinstance(function, np.ufunc):  # may write over what it reads
                free += read
            if function is not None:
                room = held[place[id(step)]] = 0 if step is last else self.take(step.dtype, free)
            if function is not None and not isinstance(function, np.ufunc):
                free += read  # not what a function without `out` reads: its result may be that very array
            self.steps.append(Step(function or step.function, some, room))

    def take(self, dtype: Any, free: list[int]) -> int:
        """Return a room for results of a dtype, of those that are free or a new one."""
        for room in reversed(free):  # what was written last is in cache
            if self.rooms[room] == dtype:
                free.remove(room)
                return room
        self.rooms.append(dtype)
        return len(self.rooms) - 1

    def run(self) -> Array:
        """Compute the array."""
        even = not any(map(is_array, self.others))
        return by_blocks(self.block, self.arrays, self.shape, self.dtype, even)

    def block(self, values: list[Array], out: Array) -> None:
        """Write the result of a block to `out`, from its part of each array."""
        values += self.others
        rooms = [out, *(np.empty(out.shape, dtype) for dtype in self.rooms[1:])]
        for function, inputs, room in self.steps:
            operands = [values[i] for i in inputs]
            values.append(function(*operands) if room is None else function(*operands, out=rooms[room]))
        if self.steps[-1].room is None:
            out[...] = values[-1]


def collect(x: Deferred, found: dict[int, Any]) -> None:
    """Add by their ids `x` and all that it is computed from, which comes first: no deeper than `MOST_STEPS`."""
    for operand in x.operands if x.function is not None else ():
        if id(operand) in found:
            continue
        if isinstance(operand, Deferred):
            collect(operand, found)
        else:
            found[id(operand)] = operand
    found[id(x)] = x


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim > 0


def with_out(function: Function) -> Function | None:
    """Return what computes a function and writes the result to `out`, if something does."""
    return WITH_OUT.get(function, function if isinstance(function, np.ufunc) else None)


def is_stretched(x: Array) -> bool:
    """Whether the same number stands for many."""
    return any(step == 0 and n > 1 for step, n in zip(x.strides, x.shape, strict=True))


def in_one_line(arrays: list[Array]) -> list[Array]:
    """Return views of arrays with a single axis if they lie in memory alike, else the arrays; the last has no gaps."""
    steps, size = arrays[-1].strides, arrays[-1].size
    axes = sorted(range(len(steps)), key=lambda axis: -steps[axis])
    turned = [x.transpose(axes) if any(x.strides) else x for x in arrays]
    if not all(x.flags.c_contiguous or not any(x.strides) for x in turned):
        return arrays
    return [x.reshape(-1) if any(x.strides) else np.broadcast_to(x[(0,) * x.ndim], size) for x in turned]
