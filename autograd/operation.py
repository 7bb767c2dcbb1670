"""Operations: a forward on arrays and a gradient rule for each input."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, overload

import numpy as np

from autograd import anomaly, graph, modes
from autograd.deferred import Deferred, deferred
from autograd.parts import OutputPart
from autograd.recording import PYTHON_NUMBERS, binary, general, make_node, observed, unary, variadic
from autograd.stacked import joined, of_rows, row, stacks_in
from autograd.tensor import Tensor, wrap

Array = Any  # what rules are written for: np.ndarray, or Tensor while the backward pass is recorded
PASS: Final = lambda g: g  # noqa: E731 -- what rules that change nothing look like


class Operation:
    """What the graph knows of an operation; `operation` makes one and the function that calls it."""

    def __init__(
        self,
        forward: Callable[..., Any],
        rules: dict[str, Callable[..., Any]],
        *,
        name: str,
        joint: Callable[..., Any] | None,
        composed: Callable[..., Any] | None,
        inputs: tuple[str, ...],
        aux: bool | Callable[..., Any],
        outputs: tuple[bool, ...],
        views: bool,
        elementwise: bool,
    ) -> None:
        self.name = name
        self.joint = joint
        self.composed = composed and by_position(composed)
        self.aux = aux is True
        self.aux_of = by_position(aux) if callable(aux) else None
        self.outputs = outputs
        self.views = views
        self.elementwise = elementwise
        if elementwise and (aux or outputs or joint):
            raise TypeError(
                f"{name}: an elementwise operation has one result, rules of its own for each input, and no aux"
            )
        self.names, self.defaults, self.variadic = (
            # Those of NumPy and of `operator` do not name theirs as the rules do.
            (tuple(rules), {}, False) if isinstance(forward, (np.ufunc, BuiltinFunctionType)) else parameters(forward)
        )
        self.forward = forward if self.variadic else by_position(forward)
        self.inputs = inputs or tuple(rules)
        for given in self.inputs:
            if given not in self.names:
                raise TypeError(f"{name}: a rule for {given!r}, but it takes {', '.join(self.names)}")
        self.positions = tuple(self.names.index(n) for n in self.inputs)
        self.others = tuple(i for i, n in enumerate(self.names) if n not in self.inputs)
        if joint is None:
            written = tuple(rules[n] for n in self.inputs)
            self.reads = tuple(self.read_by(rule, 1) for rule in written)
            self.written = written
            self.rules = tuple(with_one_argument(rule, r) for rule, r in zip(written, self.reads, strict=True))
        else:
            self.reads, self.rules, self.written = (self.read_by(joint, 2),), (), ()
        self.at_once = self.rules  # also where those of `large` are put off
        self.plain = joint is None and not outputs and not self.variadic
        self.defers = False
        self.special = bool(joint or aux or outputs or views)
        self.keeps_inputs = composed is not None or any(n in self.inputs for reads in self.reads for n in reads)
        self.reads_shapes = any(n.endswith("_shape") for reads in self.reads for n in reads)

    def __repr__(self) -> str:
        return f"<operation {self.name}({', '.join(self.names)})>"

    def read_by(self, rule: Callable[..., Any], skip: int) -> tuple[str, ...]:
        """Return the names of what `rule` reads: its parameters after the first `skip` that have no default."""
        names, defaults, _ = parameters(rule)
        reads = tuple(name for name in names[skip:] if name not in defaults)
        for name in keyword_only(rule):
            if name in reads:
                raise TypeError(f"{self.name}: a rule takes what it reads by position, not {name!r} by keyword")
        known = {*self.names, *(f"{n}_shape" for n in self.inputs), "out"}
        known |= {"aux"} if self.aux or self.aux_of else set()
        known |= {"i"} if self.variadic and self.joint is None else set()
        for name in reads:
            if name not in known:
                raise TypeError(f"{self.name}: a rule reads {name!r}; it may read {', '.join(sorted(known))}")
        return reads

    @functools.cached_property
    def keep(self) -> list[Callable[..., Any]]:
        """For each set of inputs that need a gradient, what picks the things that their rules read.

        For `multiply` with both it is `lambda x, y, out, aux: (y, x)`. Compiled, since this runs at every
        record: 50 ns, against 400 for a loop over the names; most at first use, since compiling all takes 7 ms.
        """

        def source(name: str) -> str:
            tensor = name.removesuffix("_shape")
            if name in self.names or tensor not in self.inputs:
                return name
            return f"tuple(a.shape for a in {tensor})" if self.variadic else f"{tensor}.shape"

        def picked(reads: tuple[str, ...]) -> str:
            if len(reads) == 1 and self.joint is None:
                return source(reads[0])
            return f"({' '.join(source(name) + ',' for name in reads)})" if reads else "()"

        head = f"lambda {', '.join((*self.names, 'out', 'aux'))}: "
        if self.joint is not None:
            arguments = picked(self.names) if self.composed is not None else "()"
            return [compiled(f"{head}({picked(self.reads[0])}, {arguments})")]
        if self.variadic:
            return [compiled(f"{head}tuple([{picked(self.reads[0])} for i in range(len({self.inputs[0]}))])")]
        return [
            compiled(
                head
                + f"({' '.join((picked(r) if needed >> i & 1 else 'None') + ',' for i, r in enumerate(self.reads))})"
            )
            for needed in range(2 ** len(self.inputs))
        ]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return the arguments of a call in the order of the forward's parameters, defaults filled in."""
        names = self.names
        if self.variadic:
            first = self.positions[0]
            given = dict(zip(names, args[:first], strict=False))
            given[names[first]] = args[first:]
        else:
            if len(args) > len(names):
                raise TypeError(f"{self.name} takes {', '.join(names)}; got {len(args)} arguments")
            given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name not in names or (self.variadic and name == self.inputs[0]):
                raise TypeError(f"{self.name} has no argument {name!r}; it takes {', '.join(names)}")
            if name in given:
                raise TypeError(f"{self.name} got {name!r} twice")
            given[name] = value
        for name in names:
            if name not in given and name not in self.defaults:
                raise TypeError(f"{self.name} misses {name!r}; it takes {', '.join(names)}")
        return [given[n] if n in given else self.defaults[n] for n in names]

    def constant(self, x: Any, matters: bool, other: Any = None) -> Any:
        """Return an operand that is no Tensor as an array: a copy if a rule will read it, as the user may change it."""
        if type(x) in PYTHON_NUMBERS or (isinstance(x, np.generic) and x.dtype.kind in "fciub"):
            if self.reads_shapes:
                return np.asarray(x)
            # Beside a float64, which is a Python float too, Python's arithmetic would keep it a Python number.
            return np.complex128(x) if type(x) is complex and isinstance(other, float) else x
        array = np.asarray(x)
        if array.dtype.kind not in "fciub":
            raise TypeError(f"{self.name}: an operand is a number, an array or a tensor, not {type(x).__name__}")
        made_here = isinstance(x, (list, tuple))
        return np.array(array) if matters and self.keeps_inputs and not made_here else array

    def prepare(self, node: Any, gradient: Any, create_graph: bool) -> tuple[Any, Sequence[Any], Sequence[Any]]:
        """Return gradient, rules and their arguments for `backward`, where they are not simply rules on arrays."""
        if self.outputs:
            gradient = self.fill(node, gradient, create_graph)
        saved = node.saved
        if stacks_in(gradient):
            return self.prepare_rows(node, gradient)
        if self.joint is None:
            rules = self.rules * len(saved) if self.variadic else self.rules
            if create_graph:
                reads = self.reads * len(saved) if self.variadic else self.reads
                saved = [self.as_tensors(node, r, s) for r, s in zip(reads, saved, strict=True)]
            return gradient, rules, saved
        needs = tuple(p is not None for p in node.parents)
        read, arguments = saved
        if not create_graph:
            sent = self.joint(gradient, needs, *read)
        elif self.composed is None:
            sent = self.joint(gradient, needs, *self.as_tensors(node, self.reads[0], read, whole=True))
        else:
            sent = self.through_composed(gradient, self.as_tensors(node, self.names, arguments, whole=True))
        self.check_count(sent, needs)
        return gradient, (pass_on,) * len(sent), sent

    def prepare_rows(self, node: Any, gradient: Any) -> tuple[Any, Sequence[Any], Sequence[Any]]:
        """Do the same where the gradient is a Stack, or has some: a joint rule computes row by row."""
        saved = node.saved
        if self.joint is None:
            rules = self.at_once * len(saved) if self.variadic else self.at_once
            return gradient, [of_rows(rule) for rule in rules], saved
        needs = tuple(p is not None for p in node.parents)
        count = len(stacks_in(gradient)[0].data)
        sent = [self.joint(row(gradient, i), needs, *saved[0]) for i in range(count)]
        for of_one in sent:
            self.check_count(of_one, needs)
        found = [joined(of_one) for of_one in zip(*sent, strict=True)]
        return gradient, (pass_on,) * len(found), found

    def check_count(self, sent: Sequence[Any], needs: Sequence[bool]) -> None:
        """Refuse what a joint rule returned if it is not a gradient, or None, for each input."""
        if len(sent) != len(needs):
            raise TypeError(
                f"the joint rule of {self.name} returned {len(sent)} for {len(needs)} inputs: one or None for each"
            )

    @functools.cached_property
    def large(self) -> Operation:
        """The same operation for nodes of large arrays, where it is elementwise: its rules are put off."""
        twin = copy.copy(self)
        twin.rules = tuple(map(deferring, self.rules, self.written, self.reads))
        twin.plain, twin.defers = False, True
        return twin

    def as_tensors(self, node: Any, reads: tuple[str, ...], saved: Any, whole: bool = False) -> Any:
        """Return what was saved for a rule with its arrays as Tensors of the graph, so that the rule is recorded."""
        if saved is None:
            return None
        single = len(reads) == 1 and not whole
        found = []
        for name, value in zip(reads, (saved,) if single else saved, strict=True):
            if name == "out":
                value = self.wrap_outputs(value, node) if self.outputs else wrap(value, node)
            elif name in self.inputs and self.variadic:
                value = tuple(attach(v, parent) for v, parent in zip(value, node.parents, strict=True))
            elif name in self.inputs:
                value = attach(value, node.parents[self.inputs.index(name)])
            found.append(value)
        return found[0] if single else tuple(found)

    def through_composed(self, gradient: Any, arguments: tuple[Any, ...]) -> list[Tensor | None]:
        """Return the gradient of each input by a recorded backward pass through the composed form."""
        assert self.composed is not None
        # Each input goes through a node of its own: the walk ends there, and one tensor given twice stays two inputs.
        with modes.enable_grad():
            inputs = {
                i: identity(arguments[i])
                for i in self.positions
                if isinstance(arguments[i], Tensor) and arguments[i]._node is not None
            }
            out = self.composed(*(inputs.get(i, argument) for i, argument in enumerate(arguments)))
        found: dict[Any, Any] = {x._node: None for x in inputs.values()}
        pairs = zip(out, gradient, strict=True) if self.outputs else ((out, gradient),)
        reached = [(result._node, sent) for result, sent in pairs if result._node is not None]
        if reached:
            roots, gradients = zip(*reached, strict=True)
            graph.backward(roots, gradients, retain_graph=True, create_graph=True, targets=found, partial=True)
        return [found[inputs[i]._node] if i in inputs else None for i in self.positions]

    def wrap_outputs(self, out: Any, node: Any, mode: modes.Mode | None = None) -> Any:
        """Return several results as Tensors, in the kind of tuple that the forward gave."""
        tensors = []
        if len(out) != len(self.outputs):
            raise TypeError(f"{self.name} returned {len(out)} results, of which outputs counts {len(self.outputs)}")
        for position, (array, differentiable) in enumerate(zip(out, self.outputs, strict=True)):
            part = None
            if node is not None and differentiable:
                part = make_node(OUTPUT, array, (node,), (position,))
                if mode is not None:
                    part = observed(mode, part, array, ((None, None),))
            tensors.append(wrap(array, part))
        return type(out)(*tensors) if hasattr(out, "_fields") else tuple(tensors)

    def fill(self, node: Any, gradients: list[Any], create_graph: bool) -> list[Any]:
        """Return the gradients of several outputs, with zeros for those that none reached."""
        filled = []
        for gradient, shape, dtype in zip(gradients, node.shape, node.dtype, strict=True):
            if gradient is None:
                gradient = np.zeros(shape, dtype)
                gradient = wrap(gradient, None) if create_graph else gradient
            filled.append(gradient)
        return filled

    def refuse_stale(self, node: Any) -> None:
        """Raise if a rule of `node` that is to run reads an array that was overwritten since."""
        for name, parent in zip(self.inputs, node.parents, strict=False):
            version = getattr(parent, "version", None)
            if version is None or version.time < node.seq:
                continue
            reading = self.reads if len(self.reads) == len(node.parents) else self.reads * len(node.parents)
            if self.composed is not None or any(
                name in reads and needs is not None for reads, needs in zip(reading, node.parents, strict=True)
            ):
                raise RuntimeError(
                    f"{self.name} was recorded with a value of {called(parent)} {parent.shape} that has since been "
                    "overwritten in place, by an optimiser's step say: run the forward pass again before backward()"
                )

    def search_gradient(self, sent: Any, node: Any) -> None:
        """In anomaly mode: raise if the gradient that a rule returned holds NaN or Inf."""
        line = node.notes.line if node.notes is not None else None
        anomaly.search(sent._array if isinstance(sent, Tensor) else sent, f"the gradient of {self.name}", line)


def parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Any], bool]:
    """Return the names of a function's parameters, their defaults, and whether one of them is `*inputs`."""
    if isinstance(function, np.ufunc):  # which say what they take since NumPy 2.4
        return tuple(f"x{i}" for i in range(1, function.nin + 1)), {}, False
    if not isinstance(function, FunctionType):
        found = inspect.signature(function).parameters.values()
        defaults = {p.name: p.default for p in found if p.default is not p.empty}
        return tuple(p.name for p in found), defaults, any(p.kind is p.VAR_POSITIONAL for p in found)
    # What `inspect.signature` says, in a tenth of the time: 9 ms of the import.
    code, keywords = function.__code__, function.__kwdefaults__ or {}
    positional = code.co_varnames[: code.co_argcount]
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    if variadic:
        names = (*positional, code.co_varnames[len(names)], *names[len(positional) :])
    given = function.__defaults__ or ()
    return names, {**dict(zip(positional[len(positional) - len(given) :], given, strict=True)), **keywords}, variadic


def keyword_only(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that a function takes by keyword alone."""
    if isinstance(function, FunctionType):
        code = function.__code__
        return code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    if isinstance(function, (np.ufunc, BuiltinFunctionType)):
        return ()
    found = inspect.signature(function).parameters.values()
    return tuple(p.name for p in found if p.kind is p.KEYWORD_ONLY)


def by_position(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes all its arguments by position, as operations pass them."""
    keywords = keyword_only(function)
    if not keywords:
        return function

    def call(*args: Any) -> Any:
        first = len(args) - len(keywords)
        return function(*args[:first], **dict(zip(keywords, args[first:], strict=True)))

    return functools.update_wrapper(call, function)


@functools.cache
def compiled(source: str) -> Callable[..., Any]:
    """Return the function that `source` stands for; many operations share one."""
    return eval(source)


def with_one_argument(rule: Callable[..., Any], reads: tuple[str, ...]) -> Callable[[Any, Any], Any] | None:
    """Return `rule` as a function of the gradient and one argument, or None if it passes the gradient on as it is."""
    if len(reads) == 1:
        return rule
    if reads:
        return lambda gradient, arguments: rule(gradient, *arguments)
    if isinstance(rule, FunctionType) and rule.__code__.co_code == PASS.__code__.co_code:
        return None
    return lambda gradient, _: rule(gradient)


def deferring(
    rule: Callable[..., Any] | None, written: Callable[..., Any], reads: tuple[str, ...]
) -> Callable[[Any, Any], Any] | None:
    """Return an elementwise rule, of the gradient and one argument, that is put off given arrays."""
    if rule is None:
        return None

    def call(gradient: Any, saved: Any) -> Any:
        if gradient.__class__ is np.ndarray or gradient.__class__ is Deferred:
            return deferred(written, (gradient, saved) if len(reads) == 1 else (gradient, *saved))
        return rule(gradient, saved)

    return call


def pass_on(gradient: Any, sent: Any) -> Any:
    """Stand for the rule of one input where a joint rule has computed `sent` already."""
    return sent


def attach(value: Any, node: Any) -> Any:
    """Return a saved operand as the Tensor that it was; Python numbers stay, being weakly typed."""
    return value if type(value) in PYTHON_NUMBERS or value is None else wrap(value, node)


def called(place: Any) -> str:
    return repr(place.notes.name) if place.notes is not None and place.notes.name else "a tensor"


@overload
def operation(forward: None = None, /, **how: Any) -> Callable[[Callable[..., Any]], Any]: ...
@overload
def operation(forward: Callable[..., Any], /, **how: Any) -> Any: ...
def operation(
    forward: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    joint: Callable[..., Any] | None = None,
    composed: Callable[..., Any] | None = None,
    inputs: tuple[str, ...] = (),
    aux: bool | Callable[..., Any] = False,
    outputs: tuple[bool, ...] = (),
    views: bool = False,
    elementwise: bool = False,
    **rules: Callable[..., Any],
) -> Any:
    """Make a differentiable operation of a function on arrays and the gradient rule of each of its inputs.

    A rule takes the gradient of the result and returns that of its input. Its further parameters say by
    name what it reads, and the graph keeps just that: an input (`x`), the shape of one
    (`x_shape`), an option of the forward, the result (`out`). Rules are written in NumPy and may use
    differentiable operations: recorded, they give the higher derivatives. The gradient of a broadcast
    input is summed to its shape by the engine.

    Parameters
    ----------
    forward : the function on arrays. Its parameters without a rule are options, of which NumPy's whole numbers come as
        Python's. Left out, this is a decorator.
    name : what pictures and messages call it; the forward's name if left out.
    joint : one rule for all inputs, `joint(g, needs, ...)`, where their gradients share work. `needs` has a bool for
        each input; return a gradient (or None) for each. Without `composed` it is written in NumPy like any rule.
    composed : the same function of Tensors in terms of other operations, which higher derivatives go through where the
        joint rule cannot be recorded (`out=`, strides).
    inputs : with `joint`, the names of the differentiable parameters; a `*inputs` parameter takes any number.
    aux : the forward returns `(result, aux)`, and rules may read `aux` (indices of the winners, say). Where it is a
        function, `aux(result, *arguments)` is computed only if there is a gradient to be.
    outputs : for a forward that returns a tuple: whether each member is differentiable. Rules get a list of gradients.
    views : the result may share memory with the first input.
    elementwise : each number of the result, and of a gradient, comes from the numbers in its place alone: large arrays
        go through forward and rules a block at a time.

    Returns
    -------
    The function, of tensors and of arrays: a tensor, or several, with what made it; of arrays alone, an array.

    Raises
    ------
    TypeError : there is no rule, one reads what the forward does not have, or the options contradict each other.

    Examples
    --------
    >>> import autograd
    >>> @autograd.operation(x=lambda g, x: g * 3 * x**2)
    ... def cube(x):
    ...     return x * x * x
    >>> x = autograd.Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    Tensor(12.0)
    >>> autograd.gradgradcheck(cube, x)
    True
    """

    def make(forward: Callable[..., Any]) -> Any:
        op = Operation(
            forward,
            rules,
            name=name or str(getattr(forward, "__name__", type(forward).__name__)),
            joint=joint,
            composed=composed,
            inputs=inputs,
            aux=aux,
            outputs=outputs,
            views=views,
            elementwise=elementwise,
        )
        if op.variadic:
            call = variadic(op)
        elif op.plain and not (aux or views or op.others) and len(op.inputs) <= 2:
            call = (unary if len(op.inputs) == 1 else binary)(op)
        else:
            call = general(op)
        if isinstance(forward, np.ufunc):
            call.__doc__ = f"NumPy's `{forward.__name__}`, differentiable."
        else:
            functools.update_wrapper(call, forward)
        call.__name__ = call.__qualname__ = op.name
        call.operation = op  # type: ignore[attr-defined]
        return call

    if not rules and joint is None:
        raise TypeError("operation: give a rule for each differentiable input, or one joint rule")
    return make if forward is None else make(forward)


def pointwise(forward: Callable[..., Any], /, **how: Any) -> Any:
    """Make an operation of a function that is elementwise, as its rules are: a line of the tables."""
    return operation(forward, elementwise=True, **how)


OUTPUT: Final = operation(
    lambda x, position: x[position], name="result", x=lambda g, position: OutputPart(g, position)
).operation
identity = operation(lambda x: x, name="identity", x=lambda g: g, views=True)
