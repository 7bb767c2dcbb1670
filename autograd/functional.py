"""Functions of functions: gradients, Jacobians, Hessians, and products with them.

They take functions of floats, arrays, tensors, and nested dicts, lists and tuples of those. Arrays in,
arrays out: tensors come back where tensors went in, or where an outer derivative has to go on through the result.
So they nest to any depth.

>>> import numpy as np
>>> def f(x):
...     return np.sin(x) * x
>>> bool(np.isclose(grad(grad(f))(1.0), 2 * np.cos(1.0) - np.sin(1.0)))
True
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Final

import numpy as np

from autograd import graph, modes, tree
from autograd.graph import ONE_HOLDER
from autograd.operation import identity
from autograd.stacked import Stack
from autograd.tensor import Tensor, conjugate, wrap

Function = Callable[..., Any]
Argnum = int | tuple[int, ...]
MOST_AT_ONCE: Final = 1 << 22  # numbers of the largest gradient, of all rows of a Jacobian that one pass computes

# The nodes of what outer functions are being differentiated in: an inner result that depends on one stays recorded.
outer: Final[ContextVar[tuple[Any, ...]]] = ContextVar("autograd outer variables", default=())


def gradients(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    gradient: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Any:
    """Return the gradient of `outputs` with respect to `inputs`; no `.grad` is touched.

    Parameters
    ----------
    outputs : a tensor, or a sequence of them whose gradients add up.
    inputs : a tensor, or a sequence of them: leaves or results. What `outputs` do not depend on gets zeros.
    gradient : of `outputs`, in their shapes (for a sequence, a sequence); left out it is 1, for tensors of one element.
    create_graph : record the backward pass, so that the gradients can be differentiated.
    retain_graph : keep what the rules read, so that a backward pass can run again; `create_graph` if left out.

    Returns
    -------
    A tensor for a tensor, a list for a sequence; each owns its array.

    Raises
    ------
    RuntimeError : an output or an input needs no gradient, or the graph was released.
    ValueError : `gradient` has another shape, or is left out for more than one element.

    Examples
    --------
    >>> x = Tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> gradients(y * y, y), gradients(y, x)
    (Tensor(18.0), Tensor(6.0))
    """
    roots = listed(outputs, "an output")
    wanted = listed(inputs, "an input")
    given = [gradient] if isinstance(outputs, Tensor) else gradient
    given = [None] * len(roots) if given is None else list(given)
    if len(given) != len(roots):
        raise ValueError(f"gradients: {len(given)} gradients for {len(roots)} outputs")
    for position, x in enumerate(wanted):
        if x._node is None:
            raise RuntimeError(
                f"gradients: input {position}, {x.label()}, needs no gradient: it has no requires_grad=True and "
                "depends on nothing that has, or it was computed under no_grad"
            )
    places = [x._node for x in wanted]
    beyond = [parent for place in set(places) for parent in place.parents if parent is not None]
    # Where no input depends on another, the walk ends at each: what made it is neither run nor released.
    ends = len(set(places)) == 1 or graph.leading_to(set(places), beyond, True).isdisjoint(beyond)
    found = sent_back(
        roots,
        given,
        places,
        create_graph=create_graph,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        partial=ends,
    )
    return found[0] if isinstance(inputs, Tensor) else found


def listed(tensors: Any, what: str) -> list[Tensor]:
    if not isinstance(tensors, (Tensor, list, tuple)):
        raise TypeError(f"gradients: {what} is a tensor, or there is a list of them, not {type(tensors).__name__}")
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for position, x in enumerate(found):
        if not isinstance(x, Tensor):
            raise TypeError(f"gradients: {what} is a tensor, not {type(x).__name__} (position {position})")
    return found


def sent_back(
    roots: Sequence[Tensor],
    given: Sequence[Any],
    places: Sequence[Any],
    *,
    create_graph: bool,
    retain_graph: bool,
    partial: bool = True,
) -> list[Tensor]:
    """Return the gradient at each of `places` when `roots` get those in `given`: tensors that own their arrays."""
    found: dict[Any, Any] = dict.fromkeys(places)
    starts = [root._seed(g, create_graph) for root, g in zip(roots, given, strict=True)]
    nodes, seeds = [node for node, _ in starts], [seed for _, seed in starts]
    if create_graph:
        with modes.enable_grad():
            graph.backward(nodes, seeds, retain_graph=True, create_graph=True, targets=found, partial=partial)
            # Each a tensor of its own: one that is changed in place is then no other.
            return [zeros(p) if found[p] is None else identity(conjugate(found[p])) for p in places]
    graph.backward(nodes, seeds, retain_graph=retain_graph, targets=found, partial=partial)
    results: list[Tensor] = []
    seen: dict[Any, int] = {}
    for place in places:
        if place in seen:
            results.append(results[seen[place]].detach().clone())
            continue
        seen[place] = len(results)
        gradient = found.pop(place)
        if gradient is None:
            results.append(zeros(place))
            continue
        fresh = sys.getrefcount(gradient) <= ONE_HOLDER
        if gradient.dtype.kind == "c":
            gradient = np.conjugate(gradient, order="C")
        elif not (fresh and isinstance(gradient, np.ndarray) and gradient.base is None and gradient.flags.carray):
            gradient = np.array(gradient, order="C")
        results.append(wrap(gradient[()] if gradient.shape == () else gradient, None))
    return results


def zeros(place: Any) -> Tensor:
    """Return the gradient of what nothing depends on."""
    return wrap(np.zeros(place.shape, place.dtype) if place.shape else np.dtype(place.dtype).type(0), None)


class Call:
    """One call of a function, with variables in place of what it is differentiated in.

    A variable is the result of `identity` on an argument: a node of its own, at which this derivative ends and through
    which an outer one goes on. `recording` says whether there is an outer one.
    """

    def __init__(self, who: str, f: Function, argnum: Argnum, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.who = who
        self.name = getattr(f, "__name__", type(f).__name__)
        chosen = argnum if isinstance(argnum, tuple) else (argnum,)
        for position in chosen:
            if not -len(args) <= position < len(args):
                raise TypeError(
                    f"{who}: argnum is {position}, but {self.name} was given {len(args)} positional arguments"
                )
        chosen = tuple(position % len(args) for position in chosen)
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"{who}: argnum names an argument twice: {argnum}")
        # What is differentiated in: the argument itself, or a tuple of arguments.
        self.given = tuple(args[i] for i in chosen) if isinstance(argnum, tuple) else args[chosen[0]]
        self.originals = list(tree.leaves(self.given))
        enabled = modes.is_grad_enabled()
        self.recording = enabled and any(isinstance(x, Tensor) and x.requires_grad for x in tree.leaves((args, kwargs)))
        around = outer.get()
        with modes.enable_grad():
            variables = [self.variable(x) for x in self.originals]
            self.places = [x._node for x in variables]
            structures = tree.rebuilt(self.given, variables)
            replaced = dict(zip(chosen, structures if isinstance(argnum, tuple) else (structures,), strict=True))
            token = outer.set((*around, *self.places))
            try:
                self.returned = f(*(replaced.get(i, x) for i, x in enumerate(args)), **kwargs)
            finally:
                outer.reset(token)
        self.outputs = [
            x if isinstance(x, Tensor) else wrap(np.asarray(x)[()], None) for x in tree.leaves(self.returned)
        ]
        roots = [out._node for out in self.outputs if out._node is not None]
        if enabled and around and not self.recording:
            self.recording = not graph.leading_to(set(around), roots, True).isdisjoint(roots)
        self.refuse_detour(roots)

    def refuse_detour(self, roots: Sequence[Any]) -> None:
        """Raise if the function does not use the tensor that it was given, but that tensor by another way."""
        given: dict[Any, Any] = {}  # of a leaf: the variable that stands for it
        ends = set(self.places)
        for x, place in zip(self.originals, self.places, strict=True):
            node = x._node if isinstance(x, Tensor) else None
            while node is not None and node.op is identity.operation:  # the variable of a derivative around this one
                ends.add(node)
                node = node.parents[0]
            if node is not None and node.op is None:
                given[node] = place
        seen = graph.below(roots, ends.__contains__) if given else {}
        for leaf, place in given.items():
            if leaf in seen and place not in seen:
                raise ValueError(
                    f"{self.who}: {self.name} does not use its argument, but the tensor given for it, which it reached "
                    "by another way, as a module its parameter. For gradients with respect to tensors write "
                    "gradients(outputs, inputs)"
                )

    def variable(self, x: Any) -> Tensor:
        """Return the tensor that stands for one float, array or tensor of the arguments."""
        if isinstance(x, Tensor):
            if x._node is not None:
                return identity(x)
            array, what = np.asarray(x._array), f"a tensor of {x.dtype}"
        else:
            array = np.asarray(x)
            what = repr(x) if isinstance(x, (int, str)) else f"{type(x).__name__} of {array.dtype}"
        if array.dtype.kind not in "fc":
            cure = f"write {x}.0" if type(x) is int else "write 2.0 for 2, or use .astype(float)"
            raise TypeError(f"{self.who}: {self.name} is differentiated in floats, not {what}: {cure}")
        return identity(wrap(array if array.shape else array[()], None).requires_grad_())

    def back(
        self, roots: Sequence[Tensor], given: Sequence[Any], create_graph: bool, retain_graph: bool = True
    ) -> list[Tensor]:
        """Return the gradient of each variable; roots that need no gradient are passed over."""
        connected = [(root, g) for root, g in zip(roots, given, strict=True) if root._node is not None]
        return sent_back(
            [root for root, _ in connected],
            [g for _, g in connected],
            self.places,
            create_graph=create_graph,
            retain_graph=retain_graph,
        )

    def scalar(self) -> Tensor:
        """Return the one real number that the function returned, or raise."""
        if not isinstance(self.returned, (Tensor, float, int, np.ndarray, np.generic)):
            raise TypeError(f"{self.who}: {self.name} returned a {type(self.returned).__name__}, not one number")
        (out,) = self.outputs
        if out.size != 1:
            raise ValueError(
                f"{self.who}: {self.name} returned shape {out.shape}, not one number: sum it, or use jacobian for the "
                "derivative of each element, elementwise_grad where each depends on one element of the argument alone"
            )
        self.refuse_complex()
        return out

    def refuse_complex(self) -> None:
        for out in self.outputs:
            if out.dtype.kind == "c":
                raise TypeError(
                    f"{self.who}: {self.name} returned complex numbers: differentiate its real and imaginary parts, or "
                    "use vjp with a gradient"
                )

    def goes_on(self, vectors: Sequence[Any]) -> bool:
        """Return whether an outer derivative goes on through what is computed with `vectors`."""
        return modes.is_grad_enabled() and (
            self.recording or any(isinstance(x, Tensor) and x.requires_grad for x in vectors)
        )

    def as_given(self, results: Sequence[Tensor]) -> Any:
        """Return a result for each variable in the structure of the arguments: arrays for arrays."""
        found = [handed(r, isinstance(x, Tensor)) for r, x in zip(results, self.originals, strict=True)]
        return tree.rebuilt(self.given, found)

    def as_returned(self, results: Sequence[Any]) -> Any:
        """Return a result for each output in the structure that the function returned."""
        tensors = any(isinstance(x, Tensor) for x in self.originals)
        return tree.rebuilt(self.returned, [handed(r, tensors) if isinstance(r, Tensor) else r for r in results])

    def value(self) -> Any:
        """Return what the function returned, without history unless an outer derivative goes on through it."""
        return self.as_returned(self.outputs if self.recording else [wrap(out._array, None) for out in self.outputs])


def handed(x: Tensor, as_tensor: bool) -> Any:
    """Return a result as the caller gets it: as a tensor where that was given, or where it has a history."""
    return x if as_tensor or x._node is not None else x._array


def titled(function: Function, who: str, f: Function) -> Function:
    """Give a derivative its name."""
    name = f"{who}({getattr(f, '__name__', type(f).__name__)})"
    function.__name__ = function.__qualname__ = name
    return function


def check(who: str, f: Any, argnum: Any) -> None:
    """Refuse what is no function, as in `grad(loss, x)`, and what is no position, as in `jacobian(f, x)`."""
    if not callable(f):
        raise TypeError(
            f"{who} takes a function and returns one, {who}(f)(x); this is {type(f).__name__}. For gradients of "
            "tensors write gradients(outputs, inputs)"
        )
    for position in argnum if isinstance(argnum, tuple) else (argnum,):
        if not isinstance(position, (int, np.integer)):
            raise TypeError(
                f"{who}: argnum is the position of an argument, or a tuple of them, not {type(position).__name__}: "
                f"write {who}(f)(x)"
            )


def value_and_grad(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns both `f(...)`, one number, and its gradient.

    Parameters
    ----------
    f : a function that returns one real number.
    argnum : the position of the argument to differentiate in, or a tuple of positions for a tuple of gradients.

    Returns
    -------
    A function of the arguments of `f`. The gradient has the structure of the argument; an argument that `f` does not
    depend on gets zeros.

    Raises
    ------
    ValueError : `f` returned more than one number.
    TypeError : the argument is no float (write 2.0 for 2), or `f` returned a complex number or several things.

    Examples
    --------
    >>> import numpy as np
    >>> value, gradient = value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    >>> float(value), gradient
    (5.0, array([2., 4.]))

    SciPy minimises it as it is: `scipy.optimize.minimize(value_and_grad(f), x0, jac=True)`.
    """
    check("value_and_grad", f, argnum)

    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        return value_and_gradient("value_and_grad", f, argnum, args, kwargs)

    return titled(both, "value_and_grad", f)


def grad(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns the gradient of `f(...)`, one number.

    Parameters and errors are those of `value_and_grad`.

    >>> grad(lambda x: x**3)(2.0)
    np.float64(12.0)
    >>> grad(lambda p, x: p["w"] * x + p["b"])({"w": 2.0, "b": 1.0}, 5.0)
    {'w': np.float64(5.0), 'b': np.float64(1.0)}
    """
    check("grad", f, argnum)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return value_and_gradient("grad", f, argnum, args, kwargs)[1]

    return titled(gradient, "grad", f)


def value_and_gradient(
    who: str, f: Function, argnum: Argnum, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    call = Call(who, f, argnum, args, kwargs)
    out = call.scalar()
    found = call.back([out], [None], call.recording, retain_graph=False)
    return call.value(), call.as_given(found)


def elementwise_grad(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns the derivative of each element of `f(...)` by the same element of its argument.

    What it computes is the gradient of the sum of all results: the derivatives, where each result depends on one
    element of the argument alone, as those of `np.tanh` do. TypeError: an argument or a result that is no float.

    >>> import numpy as np
    >>> elementwise_grad(lambda x: x**2)(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """
    check("elementwise_grad", f, argnum)

    def derivative(*args: Any, **kwargs: Any) -> Any:
        call = Call("elementwise_grad", f, argnum, args, kwargs)
        call.refuse_complex()
        ones = [np.ones(out.shape) for out in call.outputs]
        found = call.back(call.outputs, ones, call.recording, retain_graph=False)
        return call.as_given(found)

    return titled(derivative, "elementwise_grad", f)


def jacobian(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns the derivative of each element of `f(...)` by each element of its argument.

    The result has shape `f(...).shape + argument.shape`. One backward pass computes a row for each element of `f(...)`,
    some rows at a time where there are many and the tensors are large.
    For structures it is a structure like what `f` returns, of structures like the argument. TypeError: an argument or a
    result that is no float.

    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    check("jacobian", f, argnum)

    def derivatives(*args: Any, **kwargs: Any) -> Any:
        call = Call("jacobian", f, argnum, args, kwargs)
        call.refuse_complex()
        return call.as_returned([call.as_given(blocks(call, out)) for out in call.outputs])

    return titled(derivatives, "jacobian", f)


def blocks(call: Call, out: Tensor) -> list[Tensor]:
    """Return the Jacobian of one output by each variable."""
    at_once = 1 if out._node is None or call.recording else rows_at_once(out)
    if at_once > 1:
        return [wrap(rows.reshape(*out.shape, *rows.shape[1:]), None) for rows in many_rows(call, out, at_once)]
    rows: list[list[Tensor]] = []
    if out._node is not None:
        for i in range(out.size):
            seed = np.zeros(out.size, out.dtype)
            seed[i] = 1
            rows.append(call.back([out], [seed.reshape(out.shape)], call.recording))
    found = []
    for k, place in enumerate(call.places):
        shape = (*out.shape, *place.shape)
        if not rows:
            whole = wrap(np.zeros(shape, place.dtype)[()], None)
        elif call.recording:
            with modes.enable_grad():
                whole = np.stack([row[k] for row in rows]).reshape(shape)  # type: ignore[assignment]
        else:
            whole = wrap(np.array([row[k]._array for row in rows]).reshape(shape)[()], None)
        found.append(whole)
    return found


def rows_at_once(out: Tensor) -> int:
    """Return how many rows of the Jacobian of `out` one backward pass may compute: all, if memory allows."""
    mode = modes.current.get()
    if out.size == 1 or (mode is not None and mode.anomaly):
        return 1
    largest, stack, seen = out.size, [out._node], {out._node}
    while stack:
        node = stack.pop()
        if node.notes is not None and (node.notes.hooks or node.notes.retain):
            return 1  # hooks are for one gradient
        for shape in node.shape if node.op is not None and node.op.outputs else (node.shape,):
            largest = max(largest, math.prod(shape))
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return min(out.size, max(1, MOST_AT_ONCE // max(1, largest)))


def many_rows(call: Call, out: Tensor, at_once: int) -> list[Any]:
    """Return for each variable the rows of the Jacobian of one output by it, some at once."""
    found = [np.zeros((out.size, *place.shape), place.dtype) for place in call.places]
    for start in range(0, out.size, at_once):
        count = min(at_once, out.size - start)
        seeds = np.eye(count, out.size, start, out.dtype).reshape(count, *out.shape)
        reached: dict[Any, Any] = dict.fromkeys(call.places)
        graph.backward([out._node], [Stack(seeds)], retain_graph=True, targets=reached, partial=True)
        for rows, place in zip(found, call.places, strict=True):
            if reached[place] is not None:
                rows[start : start + count] = conjugate(reached[place].data)
    return found


def hessian(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns the second derivatives of `f(...)`, one number.

    The result has shape `argument.shape + argument.shape`; for structures, a structure of structures. Errors are those
    of `value_and_grad`.

    >>> import numpy as np
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 5.0]))
    array([[10.,  6.],
           [ 6.,  0.]])
    """
    check("hessian", f, argnum)
    return titled(jacobian(grad(f, argnum), argnum), "hessian", f)


def hvp(f: Function, argnum: Argnum = 0) -> Function:
    """Return the function that returns the product of the Hessian of `f(...)`, one number, with a vector.

    It takes the arguments of `f` and after them the vector, in the structure of the argument that is differentiated in.
    It costs a few gradients, whatever the size: the Hessian is never formed. ValueError: the vector has another shape
    than the argument; other errors are those of `value_and_grad`.

    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([  6., 120.])
    """
    check("hvp", f, argnum)

    def product(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise TypeError("hvp: the last argument is the vector, after those of the function: hvp(f)(x, v)")
        *arguments, vector = args
        call = Call("hvp", f, argnum, tuple(arguments), kwargs)
        vectors = matching(call, vector, call.given, "the vector")
        found = call.back([call.scalar()], [None], create_graph=True)
        return call.as_given(call.back(found, vectors, create_graph=call.goes_on(vectors)))

    return titled(product, "hvp", f)


def matching(call: Call, vectors: Any, like: Any, what: str) -> list[Any]:
    """Return the leaves of a structure that must be like another in structure and shapes."""
    found, expected = list(tree.leaves(vectors)), list(tree.leaves(like))
    if len(found) != len(expected):
        raise ValueError(f"{call.who}: {what} has {len(found)} parts where {call.name} has {len(expected)}")
    for x, y in zip(found, expected, strict=True):
        if np.shape(x) != np.shape(y):
            raise ValueError(f"{call.who}: {what} has shape {np.shape(x)} where {call.name} has {np.shape(y)}")
    return found


def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """Return `f(*args)`, and the function that multiplies a vector with the Jacobian from the left.

    That function takes a gradient of the result, in its structure, and returns that of the argument, or a tuple of them
    where there are several. It can be called any number of times. ValueError: the gradient has another shape than the
    result.

    >>> import numpy as np
    >>> out, pull = vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    call = Call("vjp", f, tuple(range(len(args))), args, {})

    def pull(gradient: Any) -> Any:
        given = matching(call, gradient, call.returned, "the gradient")
        found = call.as_given(call.back(call.outputs, given, call.goes_on(given)))
        return found[0] if len(args) == 1 else found

    return call.value(), pull


def jvp(f: Function, args: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return `f(*args)`, and its derivative along `tangents`: the product of the Jacobian with them.

    The product with the Jacobian from the left is linear in its vector; this is its derivative. So it costs
    a few gradients, whatever the sizes, and is exact. ValueError: the tangents have other shapes than the arguments.

    >>> import numpy as np
    >>> jvp(lambda x: x**2, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([1., 4.]), array([ 2., 40.]))
    """
    if not isinstance(args, tuple) or not isinstance(tangents, tuple):
        raise TypeError("jvp: the arguments and their tangents are tuples: jvp(f, (x,), (v,))")
    call = Call("jvp", f, tuple(range(len(args))), args, {})
    given = matching(call, tangents, call.given, "the tangent")
    recording = call.goes_on(given)
    vectors = [zeros(out) for out in call.outputs]
    along = [zeros(out) for out in call.outputs]
    connected = [i for i, out in enumerate(call.outputs) if out._node is not None]
    for i in connected:
        vectors[i].requires_grad_()
    pulled = call.back(call.outputs, vectors, create_graph=True)
    linear = [(p, t) for p, t in zip(pulled, given, strict=True) if p._node is not None]
    found = sent_back(
        [p for p, _ in linear],
        [t for _, t in linear],
        [vectors[i]._node for i in connected],
        create_graph=recording,
        retain_graph=False,
    )
    for i, tangent in zip(connected, found, strict=True):
        along[i] = tangent
    return call.value(), call.as_returned(along)
