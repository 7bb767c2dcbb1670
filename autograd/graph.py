"""The graph: nodes that remember an operation, and the backward pass over them.

References point from results to operands only, and never to a Tensor, so that a graph is
freed by reference counting alone. Gradients in here are arrays or, when the backward pass is
itself recorded (`create_graph`), Tensors: the code is the same.

The gradient of a real loss L with respect to a complex z = a + ib is carried as
dL/da - i dL/db, so that rules of holomorphic operations need no conjugate; users see its
conjugate, which is PyTorch's convention.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from autograd import modes
from autograd.deferred import Deferred, settled
from autograd.kernels.moments import add_up, sum_of_rows
from autograd.parts import Part
from autograd.stacked import Stack

if TYPE_CHECKING:
    from autograd.operation import Operation

clock = count(1)  # numbers nodes as they are made: a node is newer than all that it depends on


def references(pending: bool) -> int:
    """Return what `sys.getrefcount` says of an object that one local variable holds, and a dict too if `pending`.

    It varies with the interpreter.
    """
    box = {0: object()}
    held = box[0] if pending else box.pop(0)
    return sys.getrefcount(held)


MOST_WAITING: Final = 8  # gradients that are put off at once; the arrays that they read stay in memory
LARGE_SUM: Final = 1 << 14  # numbers from which a product with ones pays
ONE_HOLDER: Final = references(pending=False)
PENDING: Final = references(pending=True)


class Version:
    """Times of a leaf, which its views share.

    `time`: when its array was last overwritten in place. `changed`: when it last got other values in any way. `born`:
    when it was made.
    """

    __slots__ = ("born", "changed", "time")

    def __init__(self) -> None:
        self.time = self.changed = 0
        self.born = next(clock)


class Node:
    """One recorded operation on arrays.

    `parents` are the nodes of its inputs, None where an input needs no gradient. `saved` holds
    what the rule of each input reads, and is None as a whole once that is released; the rest stays
    as the skeleton that pictures show. `notes` is for what few nodes carry: a name, hooks.

    What a plain node does not have is a class attribute here: each slot to fill costs 8 ns a record.
    """

    __slots__ = ("dtype", "notes", "op", "parents", "saved", "seq", "shape")

    op: Operation
    parents: tuple[Any, ...]
    saved: tuple[Any, ...] | None
    seq: int
    notes: Any
    shape: tuple[Any, ...]
    dtype: Any
    value: Any = None
    grad: Any = None
    constants: tuple[Any, ...] | None = None
    version: Version | None = None


class DetailedNode(Node):
    """A node made inside `autograd.record()`, or of a view of a leaf.

    `value` is its result, `grad` its gradient after a backward pass. `constants` has a (value, weak reference to the
    tensor, its leaf) for each input that is no parent or a leaf, None for the others.
    """

    __slots__ = ("constants", "grad", "value", "version")


class ScalarNode:
    """One recorded operation with a 0-d result: its value, constants and gradient are always kept.

    `constants` has a (value if 0-d, weak reference to the tensor, its leaf) for each input that is no parent, None for
    the others; it is None if all are parents.
    """

    __slots__ = ("constants", "grad", "notes", "op", "parents", "saved", "seq", "value")

    op: Operation
    parents: tuple[Any, ...]
    saved: tuple[Any, ...] | None
    seq: int
    notes: Any
    value: Any
    grad: Any
    constants: tuple[Any, ...] | None
    version: Version | None = None
    shape: tuple[int, ...] = ()

    @property
    def dtype(self) -> Any:
        return self.value.dtype


def below(roots: Iterable[Any], ends: Callable[[Any], bool] | None = None) -> dict[Any, None]:
    """Return `roots` and all that they depend on, without what only those depend on for which `ends` is true."""
    seen = dict.fromkeys(roots)
    stack = list(seen)
    while stack:
        node = stack.pop()
        if ends is not None and ends(node):
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen[parent] = None
                stack.append(parent)
    return seen


def leading_to(targets: Collection[Any], roots: Iterable[Any], partial: bool) -> set[Any]:
    """Return the nodes below `roots` that depend on one of `targets`, and the targets themselves.

    With `partial`, nothing below a target is walked.
    """
    leads = set(targets)
    for node in sorted(below(roots, leads.__contains__ if partial else None), key=lambda node: node.seq):
        if not leads.isdisjoint(node.parents):
            leads.add(node)
    return leads


def is_rows(gradient: Any) -> bool:
    """Whether it is an array that a matrix product can read as rows of floating numbers."""
    return gradient.__class__ is np.ndarray and gradient.dtype.kind == "f" and gradient.flags.c_contiguous


def unbroadcast(gradient: Any, shape: tuple[int, ...]) -> Any:
    """Sum `gradient` over the axes along which an operand of `shape` was broadcast."""
    extra = len(gradient.shape) - len(shape)
    if extra == 1 and gradient.shape[1:] == shape and gradient.size <= LARGE_SUM:  # a layer's bias
        if gradient.__class__ is not np.ndarray:
            return gradient.sum(axis=0)
        return sum_of_rows(gradient) if gradient.ndim == 2 and is_rows(gradient) else add_up(gradient, 0)
    leading = [i for i in range(extra) if gradient.shape[i] != 1]
    axes = (*leading, *(i + extra for i, n in enumerate(shape) if n == 1 != gradient.shape[i + extra]))
    if axes and axes[-1] < extra and gradient.size > LARGE_SUM and is_rows(gradient):
        return sum_of_rows(gradient.reshape(-1, math.prod(shape))).reshape(shape)
    if axes:
        gradient = gradient.sum(axis=axes, keepdims=True)
    return gradient.reshape(shape)


def fit(gradient: Any, place: Any, op: Operation) -> Any:
    """Return `gradient` in the shape and dtype of `place`."""
    if isinstance(gradient, Part):
        return gradient
    gradient = settled(gradient)
    if gradient.shape != place.shape:
        try:
            gradient = unbroadcast(gradient, place.shape)
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(
                f"a rule of {op.name} returned a gradient of shape {gradient.shape} for an input of shape {place.shape}"
            ) from error
    if gradient.dtype != place.dtype:
        if gradient.dtype.kind == "c" != np.dtype(place.dtype).kind:
            gradient = gradient.real
        gradient = gradient.astype(place.dtype)
    return gradient


def goes_on(node: Any, targets: Any) -> bool:
    """Whether the rule of a node can go on from a gradient that was put off.

    Nobody else may read it, and there has to be one such rule: each for itself would compute the gradient again.
    """
    return (
        node.op.defers
        and node.value is None
        and (targets is None or node not in targets)
        and sum(parent is not None for parent in node.parents) == 1
    )


def settle(pending: dict[Any, Any]) -> None:
    """Compute all gradients that were put off."""
    for place, gradient in pending.items():
        pending[place] = settled(gradient)


def backward(
    roots: Sequence[Any],
    gradients: Sequence[Any],
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
    targets: dict[Any, Any] | None = None,
    partial: bool = False,
) -> None:
    """Send `gradients` of `roots` back through the graph, each node after all that use it.

    Without `targets`, gradients accumulate in the leaves. With `targets`, no leaf is touched: the gradient
    that reaches each key is stored as its value, and only what leads to a key is walked; with
    `partial` nothing beyond the keys, as if each were a leaf.
    """
    leads = None if targets is None else leading_to(targets, roots, partial)
    mode = modes.current.get()
    searching = mode is not None and mode.anomaly
    pending: dict[Any, Any] = {}
    owned: set[Any] = set()  # the places whose pending gradient is an array that was made here
    ready: list[tuple[int, Any]] = []  # a heap, newest first: when a place comes up, all that use it have been
    leaves: list[Any] = []
    stacked = any(isinstance(gradient, Stack) for gradient in gradients)
    special = create_graph or stacked
    deferring = False
    waiting: list[Any] = []  # the places whose gradient was put off, unless it has been sent on since
    get, pop, ndarray, getrefcount = pending.get, pending.pop, np.ndarray, sys.getrefcount
    for root, gradient in zip(roots, gradients, strict=True):
        if root in pending:
            pending[root] = pending[root] + gradient
        elif leads is None or root in leads:
            pending[root] = gradient
            if root.op is None:
                leaves.append(root)
            else:
                heappush(ready, (-root.seq, root))

    with np.errstate(all="ignore"):
        upcoming = None  # held apart from the heap, which a chain then never touches (70 ns a node)
        while ready or upcoming is not None:
            if upcoming is None:
                node = heappop(ready)[1]
            elif ready and ready[0][0] < -upcoming.seq:
                node = heapreplace(ready, (-upcoming.seq, upcoming))[1]
            else:
                node = upcoming
            upcoming = None
            gradient = pop(node)
            notes = node.notes
            listening = notes is not None and notes.listens()
            if deferring:
                if listening:  # hooks may change what rules are yet to read
                    settle(pending)
                    gradient = settled(gradient)
                elif gradient.__class__ is Deferred and not goes_on(node, targets):
                    gradient = gradient.array()
            if listening:
                gradient = notes.arrive(gradient)
            if targets is not None and node in targets:
                targets[node] = gradient
                if partial or leads is None or leads.isdisjoint(node.parents):
                    continue
            op = node.op
            saved = node.saved
            if saved is None:
                raise RuntimeError(
                    f"backward through {op.name} a second time: the first pass released what its gradient "
                    "reads. Pass retain_graph=True to the first, or run the forward pass again. What one training step "
                    "hands to the next, as the state of a recurrent net, is to be detached: h = h.detach()"
                )
            if node.value is not None and not stacked:
                node.grad = gradient._array if create_graph else gradient
            rules = op.rules
            if special or not op.plain:
                if deferring and op.joint is not None:  # it may call what users wrote, which may change arrays
                    settle(pending)
                deferring = deferring or op.defers
                gradient, rules, saved = op.prepare(node, gradient, create_graph)
            position = -1
            for parent in node.parents:  # not a zip: that would cost 100 ns a node
                position += 1
                if parent is None or (leads is not None and parent not in leads):
                    continue
                version = parent.version
                if version is not None and version.time > node.seq:
                    op.refuse_stale(node)
                rule = rules[position]
                sent = gradient if rule is None else rule(gradient, saved[position])
                if sent is None:
                    if op.joint is None:
                        raise TypeError(f"a rule of {op.name} returned None, not a gradient")
                    continue
                before = get(parent)
                try:
                    # Two scalars of one type agree at a glance (70 ns less than shape and dtype).
                    # Dtypes that are equal are mostly one object; where an array was unpickled, they are not.
                    unlike = (sent.__class__ is ndarray or sent.__class__ is not parent.value.__class__) and (
                        sent.shape != parent.shape or (sent.dtype is not parent.dtype and sent.dtype != parent.dtype)
                    )
                except AttributeError:
                    raise TypeError(f"a rule of {op.name} returned {type(sent).__name__}, not an array") from None
                if unlike:
                    sent = fit(sent, parent, op)
                    if sent.shape is None:
                        if searching:
                            op.search_gradient(sent.gradient, node)
                        sent = sent.added_to(settled(before), parent, owned)
                        if before is not None:
                            pending[parent] = sent
                            continue
                if searching and not isinstance(sent, list):
                    sent = settled(sent)
                    op.search_gradient(sent, node)
                if before is None:
                    pending[parent] = sent
                    if parent.op is None:
                        leaves.append(parent)
                    elif upcoming is None:
                        upcoming = parent
                    else:
                        heappush(ready, (-parent.seq, parent))
                elif sent.__class__ is not ndarray or before.__class__ is not ndarray or before.ndim == 0:
                    pending[parent] = before + sent  # those of 0-d arrays are scalars
                elif parent in owned:
                    before += sent
                elif getrefcount(before) <= PENDING and before.base is None and before.flags.writeable:
                    before += sent  # nothing else holds it: half of the time of a new array, where they are large
                    owned.add(parent)
                else:
                    pending[parent] = before + sent
                    owned.add(parent)
                if deferring and sent.__class__ is Deferred:
                    waiting.append(parent)
                    if len(waiting) > MOST_WAITING and (oldest := waiting.pop(0)) in pending:
                        pending[oldest] = settled(pending[oldest])
            if not retain_graph:
                node.saved = None

        sent = before = saved = None  # else they would count as further holders of a gradient below
        if deferring:
            settle(pending)
        for leaf in leaves:  # last, so that a pass that fails has changed no gradient
            gradient = pop(leaf)
            if leaf.notes is not None:
                gradient = leaf.notes.arrive(gradient)
            if targets is None:
                fresh = sys.getrefcount(gradient) <= ONE_HOLDER
                leaf.deposit(gradient, fresh, create_graph)
            elif leaf in targets:
                targets[leaf] = gradient
