"""`checkpoint`: recompute in the backward pass instead of keeping."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd import graph, modes, random, tree
from autograd.functional import outer
from autograd.graph import Node, clock
from autograd.operation import Operation, identity, operation
from autograd.recording import finish
from autograd.tensor import Tensor, wrap

Function = Callable[..., Any]


def checkpoint(f: Function, *args: Any, **kwargs: Any) -> Any:
    """Return `f(*args, **kwargs)`, keeping nothing but its arguments: the backward pass runs it again.

    That trades time for memory: of a network in n such segments, the activations of one are there at a time. Gradients
    flow to the arguments and to whatever else `f` uses, parameters say; they can be differentiated again. The
    shared random generator is put back for the second run, so that dropout drops the same. Other
    effects of `f`, running averages say, happen twice.

    Parameters
    ----------
    f : returns a tensor, or a nested structure with tensors in it.
    args, kwargs : its arguments; tensors may be anywhere in nested dicts, lists and tuples. Arrays are copied.

    Raises
    ------
    RuntimeError : in the backward pass: the second run returned other shapes or dtypes, or a parameter has been
        overwritten since the first.

    Examples
    --------
    >>> import numpy as np
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> checkpoint(lambda x: np.exp(x) * x, x).sum().backward()
    >>> bool(np.allclose(x.grad, np.exp(x.data) * (x.data + 1)))
    True
    """
    if not modes.is_grad_enabled():
        return f(*args, **kwargs)
    segment = Segment(f, args, kwargs)
    tensors = tree.mapped(lambda x: snapshot(x) if isinstance(x, Tensor) else x, (args, kwargs))
    returned, tracked = segment.run(*tensors)
    places = reached(tracked, segment.start)[1]
    if not places:
        return returned
    segment.expect(places, tracked)
    arrays = tuple(out._array for out in tracked)
    several = len(arrays) > 1
    nothing = (None,) * len(places)  # in place of their arrays, which no rule reads
    op = checkpointed(len(arrays))
    made = finish(op, arrays if several else arrays[0], [nothing, segment], nothing, places, 1, modes.current.get())
    results = iter(made if several else (made,))
    return tree.mapped(lambda x: next(results) if is_tracked(x) else x, returned)


class Segment:
    """What a checkpoint keeps: the function, its arguments, and the nodes outside that it depends on, its places."""

    def __init__(self, f: Function, args: Any, kwargs: Any) -> None:
        self.f = f
        self.kept = tree.mapped(snapshot, (args, kwargs))
        self.random_state = random.shared_generator().bit_generator.state
        self.around = outer.get()
        self.start = next(clock)
        self.places: list[Any] = []
        self.kinds: list[Any] = []

    def run(self, args: Any, kwargs: Any) -> tuple[Any, list[Tensor]]:
        """Return what the function returns, and the tensors in it that need a gradient."""
        token = outer.set(self.around)
        try:
            with modes.enable_grad():
                returned = self.f(*args, **kwargs)
        finally:
            outer.reset(token)
        return returned, [x for x in tree.leaves(returned) if is_tracked(x)]

    def expect(self, places: list[Any], tracked: list[Tensor]) -> None:
        """Remember what the second run has to agree with."""
        self.end = next(clock)
        self.places = places
        self.kinds = [(out.shape, out.dtype) for out in tracked]

    def back(self, gradients: list[Any]) -> list[Any]:
        """Run the function again, and return the gradient of each place."""
        for place in self.places:
            version = place.version
            if version is not None and (version.changed if place.op is None else version.time) > self.end:
                raise RuntimeError(
                    f"checkpoint: a tensor of shape {place.shape} that the function reads was overwritten since the "
                    "forward pass, by an optimiser's step say: run it again first"
                )
        stand_ins = {place: stand_in(place) for place in self.places}
        start = next(clock)
        with restored(self.random_state):
            _, tracked = self.run(*tree.mapped(snapshot, self.kept))  # anew, since it may change them in place
        if [(out.shape, out.dtype) for out in tracked] != self.kinds:
            raise RuntimeError(
                "checkpoint: run again for the backward pass, the function returned other shapes or dtypes"
            )
        newer, older = reached(tracked, start)
        if self.from_outside(older) != self.from_outside(self.places):
            raise RuntimeError(
                "checkpoint: run again for the backward pass, the function read other tensors: one that it finds "
                "outside was changed in place, by h += 1 say, or replaced"
            )
        # The pass through the second run ends at stand-ins, so that hooks of the places see the whole gradient, once.
        for node in newer:
            node.parents = tuple(stand_ins.get(parent, parent) for parent in node.parents)
        roots = [stand_ins.get(out._node, out._node) for out in tracked]
        found: dict[Any, Any] = dict.fromkeys(stand_ins.values())
        create_graph = isinstance(gradients[0], Tensor)
        graph.backward(
            roots, gradients, create_graph=create_graph, retain_graph=create_graph, targets=found, partial=True
        )
        return list(found.values())

    def from_outside(self, places: list[Any]) -> set[Any]:
        """Return those that were there before the first run; leaves that the function makes are of each run."""
        return {p for p in places if (p.version.born if p.op is None else p.seq) < self.start}


@functools.cache
def checkpointed(outputs: int) -> Operation:
    """Return the operation that a checkpoint with so many results is recorded as."""
    op: Operation = operation(
        lambda *xs, segment: None,
        name="checkpoint",
        inputs=("xs",),
        joint=lambda g, needs, segment: segment.back(g if outputs > 1 else [g]),
        outputs=(True,) * outputs if outputs > 1 else (),
    ).operation
    return op


def stand_in(place: Any) -> Node:
    """Return a node just above `place`."""
    node = Node()
    node.shape, node.dtype = place.shape, place.dtype
    node.op = identity.operation
    node.parents = (place,)
    node.saved = ((),)
    node.seq = next(clock)
    node.notes = None
    return node


def reached(outputs: Sequence[Tensor], start: int) -> tuple[list[Any], list[Any]]:
    """Return the nodes below `outputs` made since `start`, and the older ones that those depend on."""
    nodes = graph.below((out._node for out in outputs), lambda node: node.seq < start)
    return [node for node in nodes if node.seq >= start], [node for node in nodes if node.seq < start]


def snapshot(x: Any) -> Any:
    """Return a tensor, or an array, that stays as `x` is now, whatever is assigned to `x` later."""
    if isinstance(x, np.ndarray):
        return x.copy()
    return wrap(x._array, x._node) if isinstance(x, Tensor) else x


def is_tracked(x: Any) -> bool:
    return isinstance(x, Tensor) and x._node is not None


@contextmanager
def restored(state: Any) -> Iterator[None]:
    """Let the shared random generator repeat what it drew from `state` on, for a while."""
    generator = random.shared_generator().bit_generator
    before = generator.state
    generator.state = state
    try:
        yield
    finally:
        generator.state = before
