"""np.exp(tensor), np.concatenate([...]), array + tensor: NumPy's own dispatch, served from the table of operations.

A function without a gradient (argmax, floor, comparisons) returns NumPy's plain result. One that
has a gradient for which there is no rule runs on tensors that need none, and raises a TypeError on those that do:
nothing is silently disconnected.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autograd import modes, ops, tensor, tree
from autograd.stacked import WRITING
from autograd.tensor import Tensor

# Piecewise constant, or no function of the values: they always run.
PLAIN_NAMES: Final = """
    all allclose any argmax argmin argpartition argsort argwhere around array2string array_equal array_equiv
    array_repr array_str can_cast ceil common_type count_nonzero diag_indices_from digitize empty_like equal fix
    flatnonzero floor floor_divide greater greater_equal heaviside isclose iscomplex iscomplexobj isfinite isin
    isinf isnan isneginf isposinf isreal isrealobj less less_equal lexsort logical_and logical_not logical_or
    logical_xor may_share_memory min_scalar_type nanargmax nanargmin ndim nonzero not_equal ones_like result_type
    rint round searchsorted shape shares_memory sign signbit size spacing tril_indices_from triu_indices_from trunc
    unique_counts zeros_like
"""
PLAIN: Final = {getattr(np, name) for name in PLAIN_NAMES.split() if hasattr(np, name)} | {np.linalg.matrix_rank}
REDUCE: Final = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logaddexp": "logsumexp"}
ACCUMULATE: Final = {"add": "cumsum", "multiply": "cumprod"}
RENAMED: Final = {"a_min": "min", "a_max": "max"}
IN_C: Final[dict[str, Callable[..., Any]]] = {  # what the functions written in C take, which say so since NumPy 2.4
    "concatenate": lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": ...,
    "dot": lambda a, b, out=None: ...,
    "inner": lambda a, b, /: ...,
    "vdot": lambda a, b, /: ...,
    "where": lambda condition, x=None, y=None, /: ...,
}


@functools.cache
def by_numpy_name() -> dict[Any, Callable[..., Any]]:
    """Return our function for each of NumPy's that has the name of one in the table.

    Found at first use, since to look into `np.fft` is to import it.
    """
    served = {**ops.TABLE, **ops.COMPOSED}
    found: dict[Any, Callable[..., Any]] = {}
    for module in (np.linalg, np.fft, np):
        for name, function in served.items():
            theirs = getattr(module, name, None)
            if callable(theirs) and not isinstance(theirs, type):
                found[theirs] = function
    found.update({np.amax: ops.max, np.amin: ops.min, np.astype: Tensor.astype})
    found.update({np.linalg.diagonal: last_diagonal, np.linalg.trace: last_trace})
    found.update({np.linalg.vector_norm: vector_norm, np.linalg.matrix_norm: matrix_norm})
    found[np.linalg.outer] = vector_outer
    return found


def last_diagonal(x: Tensor, offset: int = 0) -> Tensor:
    return ops.diagonal(x, offset, -2, -1)


def last_trace(x: Tensor, offset: int = 0) -> Tensor:
    return ops.trace(x, offset, -2, -1)


def vector_norm(x: Tensor, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    """Norm over any number of axes taken as one, unlike `np.linalg.norm`, which takes two for a matrix."""
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    kept = [a for a in range(x.ndim) if a not in axes]
    flat = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), -1)
    norm = ops.norm(flat, ord, -1)
    return norm.reshape(tuple(1 if a in axes else n for a, n in enumerate(x.shape))) if keepdims else norm


def vector_outer(x: Any, y: Any) -> Tensor:
    """Outer product of vectors alone, unlike `np.outer`, which takes any arrays as vectors."""
    if np.ndim(plain(x)) != 1 or np.ndim(plain(y)) != 1:
        raise ValueError(f"np.linalg.outer: expected one-dimensional inputs, got {np.shape(x)} and {np.shape(y)}")
    return ops.outer(x, y)


def matrix_norm(x: Tensor, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    return ops.norm(x, ord, (-2, -1), keepdims)


def tensors_in(structure: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists, tuples and dicts of arguments."""
    return (x for x in tree.leaves(structure) if isinstance(x, Tensor))


def plain(structure: Any) -> Any:
    """Return arguments with arrays in place of tensors."""
    return tree.mapped(tensor.plain, structure)


def refuse_to_write(name: str, written: Any) -> None:
    """Raise if something that a function writes to is a tensor."""
    if next(tensors_in((written,)), None) is not None:
        raise TypeError(
            f"{name}: a tensor cannot be what it writes into, as out= or in place, since rules may read its values: "
            "assign the result, or t[...] = values"
        )


def run_plain(function: Callable[..., Any], name: str, args: Any, kwargs: Any, loses: bool) -> Any:
    """Run NumPy's function on arrays; where that would lose a gradient (`loses`), only if no tensor needs one."""
    if loses and modes.is_grad_enabled():
        for found in tensors_in((args, kwargs)):
            if found._node is not None:
                raise TypeError(
                    f"{name} has no gradient rule, and {found.label()} requires a gradient: use .detach() or .numpy() "
                    "if none is wanted, other operations, or write a rule with autograd.operation"
                )
    return function(*plain(args), **plain(kwargs))


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve `ufunc(...)`, `ufunc.reduce(...)`, `ufunc.accumulate(...)` and `ufunc.outer(...)` on tensors."""
    if method == "__call__" and not kwargs:
        ours = by_numpy_name().get(ufunc)
        if ours is not None:
            return ours(*inputs)
    known = getattr(np, ufunc.__name__, None) is ufunc  # SciPy has others
    name = f"np.{ufunc.__name__}" if known else ufunc.__name__
    name += "" if method == "__call__" else f".{method}"
    function = getattr(ufunc, method)
    out = kwargs.pop("out", None)
    refuse_to_write(name, (out, inputs[0] if method == "at" else None))
    if out is not None:
        return run_plain(function, f"{name} with out=", inputs, {**kwargs, "out": out}, loses=True)
    if ufunc in PLAIN:
        turns = ufunc is np.sign and np.iscomplexobj(plain(inputs[0]))  # z / |z|, which has a gradient
        return run_plain(function, name, inputs, kwargs, loses=turns)
    ours = None
    if method == "__call__":
        ours = by_numpy_name().get(ufunc)
    elif method == "outer" and ufunc in by_numpy_name():
        x, y = inputs
        y_ndim = len(np.shape(plain(y)))
        inputs = (x[(..., *(None,) * y_ndim)] if isinstance(x, Tensor) else np.asarray(x)[(..., *(None,) * y_ndim)], y)
        ours = by_numpy_name()[ufunc]
    elif method in ("reduce", "accumulate"):
        ours = ops.TABLE.get((REDUCE if method == "reduce" else ACCUMULATE).get(ufunc.__name__, ""))
        kwargs = {"axis": 0, **kwargs}
        if len(inputs) > 1:
            inputs, kwargs["axis"] = inputs[:1], inputs[1]
    if ours is None:
        return run_plain(function, name, inputs, kwargs, loses=True)
    for option, value in kwargs.items():
        if option not in ("axis", "keepdims") or method in ("__call__", "outer"):
            raise TypeError(f"{name}: {option}={value!r} is not supported for tensors")
    return ours(*inputs, **kwargs)


def call_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve any other NumPy function on tensors."""
    module = function.__module__ if function.__module__ in ("numpy.linalg", "numpy.fft") else "numpy"
    name = f"{module.replace('numpy', 'np')}.{function.__name__}"
    refuse_to_write(name, kwargs.get("out"))
    if function in WRITING:
        refuse_to_write(name, args[0] if args else kwargs.get(WRITING[function]))
    plain_result = function in PLAIN or (function is np.where and len(args) == 1)
    if function is np.full_like:  # of its first argument it has no more than shape and dtype
        if "a" in kwargs:
            args, kwargs = (kwargs["a"], *args), {key: value for key, value in kwargs.items() if key != "a"}
        return run_plain(function, name, (plain(args[0]), *args[1:]), kwargs, loses=True)
    ours = None if plain_result else by_numpy_name().get(function)
    if ours is None:
        return run_plain(function, name, args, kwargs, loses=not plain_result)
    translate = translations(function, ours)
    if translate is None:
        return ours(*args, **kwargs)
    theirs, names = translate
    try:
        bound = theirs.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from error
    given: dict[str, Any] = {}
    for parameter, value in bound.items():
        if theirs.parameters[parameter].kind is inspect.Parameter.VAR_KEYWORD:
            more = value
        elif parameter in names:
            more = {names[parameter]: value}
        else:
            more = {}
            default = theirs.parameters[parameter].default
            given_default = value is default or value is None or (isinstance(default, (bool, str)) and value == default)
            if not (given_default or value is np._NoValue):
                raise TypeError(f"{name}: {parameter}={value!r} is not supported for tensors")
        twice = given.keys() & more.keys()
        if twice:
            raise ValueError(f"{name}: {', '.join(sorted(twice))} is given twice")
        given.update(more)
    return ours(**given)


@functools.cache
def translations(
    function: Callable[..., Any], ours: Callable[..., Any]
) -> tuple[inspect.Signature, dict[str, str]] | None:
    """Return the signature of NumPy's function and our name of each parameter; None where both take `*args`."""
    try:
        theirs = inspect.signature(function)
    except ValueError:
        if function.__name__ not in IN_C:
            raise
        theirs = inspect.signature(IN_C[function.__name__])
    operation = getattr(ours, "operation", None)
    mine = list(inspect.signature(ours).parameters) if operation is None else list(operation.names)
    if any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        return None
    names = {}
    for position, (parameter, details) in enumerate(theirs.parameters.items()):
        if details.kind is details.VAR_KEYWORD:
            continue
        renamed = RENAMED.get(parameter, parameter)
        if renamed in mine:
            names[parameter] = renamed
        elif position < len(mine) and mine[position] not in theirs.parameters:
            names[parameter] = mine[position]
    return theirs, names
