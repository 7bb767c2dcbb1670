"""How a call of an operation is recorded: from the arguments to a Tensor with its node.

This is the hot path of the engine. `unary` and `binary` are `general` written out: on scalars a call of
its own for making the node would cost as much as the operation.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np
from numpy import ndarray

from autograd import anomaly, modes
from autograd.deferred import LARGE, in_blocks
from autograd.graph import DetailedNode, Node, ScalarNode, Version, clock
from autograd.tensor import Notes, Tensor, new, wrap

if TYPE_CHECKING:
    from autograd.operation import Operation

PYTHON_NUMBERS: Final = frozenset({float, int, bool, complex})  # weakly typed, as NumPy has it
OPTIONS: Final = PYTHON_NUMBERS | {str, type(None)}
IMMUTABLE: Final = frozenset({float, int, bool, np.float64, np.float32, np.int64, np.bool_, np.complex128})


def unary(op: Operation) -> Callable[..., Any]:
    """Return the function that calls an operation of one argument: `general`, written out for speed."""
    forward, keep, current = op.forward, op.keep[1], modes.current.get
    large = LARGE if op.elementwise else math.inf

    def call(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return forward(x)
        a = x._array
        parent = x._node
        try:
            if a.__class__ is ndarray and a.size >= large:
                kind, out = op.large, in_blocks(forward, (a,))
            else:
                kind, out = op, forward(a)
            shape = out.shape
        except Exception as error:
            raise explain(error, op, (x,)) from error
        mode = current()
        if mode is not None:
            if mode.anomaly:
                anomaly.search(out, op.name, None)
            if not mode.grad:
                parent = None
        result = new(Tensor)
        result._array = out
        result._leaf = None
        if parent is None:
            result._node = None
            return result
        node: Any
        if shape:
            node = Node()
            node.shape = shape
            node.dtype = out.dtype
        else:
            node = ScalarNode()
            node.value = out
            node.constants = node.grad = None
        node.op = kind
        node.parents = (parent,)
        node.saved = keep(a, out, None)
        node.seq = next(clock)
        node.notes = None
        result._node = node if mode is None else observed(mode, node, out, ((a, x),))
        return result

    return call


def binary(op: Operation) -> Callable[..., Any]:
    """Return the function that calls an operation of two arguments: `general`, written out for speed."""
    forward, current = op.forward, modes.current.get
    large = LARGE if op.elementwise else math.inf
    _, keep_x, keep_y, keep_both = op.keep

    def call(x: Any, y: Any) -> Any:
        if isinstance(x, Tensor):
            a = x._array
            p = x._node
        elif isinstance(y, Tensor):
            a = x if type(x) in IMMUTABLE else op.constant(x, y._node is not None, y._array)
            p = None
        else:
            return forward(x, y)
        if isinstance(y, Tensor):
            b = y._array
            q = y._node
        else:
            b = y if type(y) in IMMUTABLE else op.constant(y, p is not None)
            q = None
        try:
            if a.__class__ is ndarray and a.size >= large:
                kind, out = op.large, in_blocks(forward, (a, b))
            else:
                kind, out = op, forward(a, b)
            shape = out.shape
        except Exception as error:
            raise explain(error, op, (x, y)) from error
        mode = current()
        if mode is not None:
            if mode.anomaly:
                anomaly.search(out, op.name, None)
            if not mode.grad:
                p = q = None
        result = new(Tensor)
        result._array = out
        result._leaf = None
        if p is None:
            if q is None:
                result._node = None
                return result
            saved = keep_y(a, b, out, None)
            constants: tuple[Any, ...] | None = ((a, None, None) if a is x else seen(a, x), None)
        elif q is None:
            saved = keep_x(a, b, out, None)
            constants = (None, (b, None, None) if b is y else seen(b, y))
        else:
            saved = keep_both(a, b, out, None)
            constants = None
        node: Any
        if shape:
            node = Node()
            node.shape = shape
            node.dtype = out.dtype
        else:
            node = ScalarNode()
            node.value = out
            node.constants = constants
            node.grad = None
        node.op = kind
        node.parents = (p, q)
        node.saved = saved
        node.seq = next(clock)
        node.notes = None
        result._node = node if mode is None else observed(mode, node, out, ((a, x), (b, y)))
        return result

    return call


def general(op: Operation) -> Callable[..., Any]:
    """Return the function that calls any operation with a fixed number of inputs."""
    forward, current, total = op.forward, modes.current.get, len(op.names)
    positions, others = tuple(enumerate(op.positions)), op.others
    count, elementwise = len(positions), op.elementwise

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = op.bind(args, kwargs) if kwargs or len(args) != total else args
        values = list(bound)
        parents: list[Any] = [None] * count
        seen = needed = 0
        for i, position in positions:
            x = bound[position]
            if isinstance(x, Tensor):
                seen += 1
                values[position] = x._array
                if x._node is not None:
                    parents[i] = x._node
                    needed |= 1 << i
        for position in others:
            x = bound[position]
            if x.__class__ in OPTIONS:
                continue
            if isinstance(x, Tensor):
                seen += 1
                values[position] = option(op, op.names[position], x)
            elif isinstance(x, np.integer):  # of bytes, rules would make bytes
                values[position] = int(x)
            elif needed and isinstance(x, (ndarray, list)):
                # Since the user may change it before a rule reads it.
                values[position] = x.copy() if isinstance(x, ndarray) else copy.deepcopy(x)
        if seen < count:
            if not seen:
                return forward(*values)[0] if op.aux else forward(*values)
            for _, position in positions:
                x = bound[position]
                if not isinstance(x, Tensor) and x is not None:
                    values[position] = op.constant(x, needed > 0)
        try:
            if elementwise and np.size(values[0]) >= LARGE:
                kind, out = op.large, in_blocks(forward, values)
            else:
                kind, out = op, forward(*values)
        except Exception as error:
            raise explain(error, op, bound) from error
        mode = current()
        if op.special or (mode is not None and (mode.anomaly or mode.values)):
            return finish(kind, out, values, [bound[i] for i in op.positions], parents, needed, mode)
        if not needed or (mode is not None and not mode.grad):
            return wrap(out, None)
        node = make_node(kind, out, tuple(parents), op.keep[needed](*values, out, None))
        if node.value is not None and None in parents:
            node.constants = constants_of(parents, [values[i] for i in op.positions], [bound[i] for i in op.positions])
        return wrap(out, node)

    return call


def variadic(op: Operation) -> Callable[..., Any]:
    """Return the function that calls an operation on any number of inputs, `forward(..., *inputs, ...)`."""
    forward, current, first = op.forward, modes.current.get, op.positions[0]

    def call(*args: Any, **kwargs: Any) -> Any:
        values = op.bind(args, kwargs)
        operands = values[first]
        parents = [x._node if isinstance(x, Tensor) else None for x in operands]
        needed = any(p is not None for p in parents)
        seen = any(isinstance(x, Tensor) for x in operands)
        if seen:
            values[first] = tuple(x._array if isinstance(x, Tensor) else op.constant(x, needed) for x in operands)
        options = dict(zip(op.names[first + 1 :], values[first + 1 :], strict=True))
        try:
            out = forward(*values[:first], *values[first], **options)
        except Exception as error:
            raise explain(error, op, [*values[:first], operands]) from error
        if not seen:
            return out[0] if op.aux else out
        return finish(op, out, values, operands, parents, int(needed), current())

    return call


def option(op: Operation, name: str, value: Tensor) -> Any:
    """Return the array of a tensor given for an argument that has no gradient rule."""
    if value._node is not None and modes.is_grad_enabled():
        raise TypeError(f"{op.name} has no gradient with respect to {name!r}: pass {name}.detach() if none is wanted")
    return value._array


def constants_of(parents: Sequence[Any], arrays: Sequence[Any], operands: Sequence[Any]) -> tuple[Any, ...]:
    """Return what pictures need to know of each input that is no parent, None for the others."""
    found = zip(parents, arrays, operands, strict=True)
    return tuple([seen(a, x) if p is None and x is not None else None for p, a, x in found])


def seen(value: Any, operand: Any, larger: bool = False) -> tuple[Any, Any, Any]:
    """Return what a node remembers of an input: its value if that is 0-d (or `larger`), and which tensor it was.

    That is a weak reference, and the place where its name is: the tensor may become the node's own result (`t += x`),
    and a graph is freed without the collector.
    """
    value = value if larger or not getattr(value, "shape", ()) else None
    return (value, ref(operand), operand._leaf) if isinstance(operand, Tensor) else (value, None, None)


def finish(
    op: Operation,
    out: Any,
    values: list[Any],
    operands: Any,
    parents: list[Any],
    needed: int,
    mode: modes.Mode | None,
) -> Any:
    """Return the result of any call as Tensors, with the node that remembers it where a gradient is needed."""
    aux = None
    if op.aux:
        out, aux = out
    if op.views and not out.shape:
        out = out[()]  # a number, which does not change with the leaf
    if mode is not None:
        if mode.anomaly:
            for array in out if op.outputs else (out,):
                anomaly.search(array, op.name, None)
        if not mode.grad:
            needed = 0
    if not needed:
        return op.wrap_outputs(out, None) if op.outputs else wrap(out, None)
    if op.aux_of is not None:
        aux = op.aux_of(out, *values)
    keep = op.keep[needed if len(op.keep) > 1 else 0]
    version = parents[0].version if op.views and parents[0] is not None else None
    node = make_node(op, out, tuple(parents), keep(*values, out, aux), version)
    if node.value is not None or mode is not None:
        arrays = values[op.positions[0]] if op.variadic else [values[i] for i in op.positions]
        if node.value is not None and None in parents:
            node.constants = constants_of(parents, arrays, operands)
        if mode is not None:
            node = observed(mode, node, out, tuple(zip(arrays, operands, strict=True)))
    return op.wrap_outputs(out, node, mode) if op.outputs else wrap(out, node)


def make_node(op: Operation, out: Any, parents: tuple[Any, ...], saved: Any, version: Version | None = None) -> Any:
    """Return the node of one result, or of all results of an operation that has several.

    `version` is that of the leaf that the result is a view of.
    """
    node: Any
    if isinstance(out, tuple):
        node = Node()
        node.shape = tuple(a.shape for a in out)
        node.dtype = tuple(a.dtype for a in out)
    elif out.shape:
        if version is None:
            node = Node()
        else:
            node = DetailedNode()
            node.version = version
            node.value = node.grad = node.constants = None
        node.shape = out.shape
        node.dtype = out.dtype
    else:
        node = ScalarNode()
        node.value = out
        node.constants = node.grad = None
    node.op = op
    node.parents = parents
    node.saved = saved
    node.seq = next(clock)
    node.notes = None
    return node


def observed(mode: modes.Mode, node: Any, out: Any, inputs: tuple[Any, ...]) -> Any:
    """Return `node` with what an unusual mode asks for: the line that recorded it, its value.

    `inputs` has a (value, operand) for each: those of constants and leaves are kept, which no node has.
    """
    if mode.anomaly:
        node.notes = Notes()
        node.notes.line = anomaly.user_line()
    if not mode.values or isinstance(node, ScalarNode) or isinstance(out, tuple):
        return node
    detailed = DetailedNode()
    for name in Node.__slots__:
        setattr(detailed, name, getattr(node, name))
    detailed.version = node.version
    detailed.value = out
    detailed.constants = tuple(
        [
            seen(pair[0], pair[1], larger=True) if p is None or p.op is None else None
            for p, pair in zip(node.parents, inputs, strict=True)
        ]
    )
    detailed.grad = None
    return detailed


def describe(x: Any) -> str:
    """Return shape, dtype and name of an operand, for messages."""
    if isinstance(x, Tensor):
        return f"{x.shape} {x.dtype}" + (f" {x.name!r}" if x.name else "")
    return f"{x.shape} {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__


def explain(error: Exception, op: Operation, args: tuple[Any, ...] | list[Any]) -> Exception:
    """Return an error of the same kind whose message names the operation and its operands."""
    operands = [(n, a) for n, a in zip(op.names, args, strict=False) if n in op.inputs]
    if op.variadic:
        operands = [(f"{n}[{i}]", a) for n, group in operands for i, a in enumerate(group)]
    if isinstance(error, AttributeError):
        error = TypeError(f"the forward is to return an array or a NumPy number ({error})")
    said = str(error).removeprefix(f"{op.name}: ")
    if op.name == "matmul" and "core dimension" in said:
        said = "the last axis of x is to be as long as the last but one of y, or its only one"
    message = f"{op.name}: {said}" + "".join(f"; {n} is {describe(a)}" for n, a in operands)
    for kind in type(error).__mro__:
        try:
            return kind(message)
        except TypeError:  # NumPy has errors that take more than a message
            continue
    return error
