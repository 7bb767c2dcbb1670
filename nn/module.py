"""Module: what a network is made of. It finds its parameters, buffers and parts among its attributes."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from autograd import Tensor, scope
from autograd.modes import NO_GRAD, current
from autograd.tensor import overwrite
from autograd.words import ON_THE_CPU, point_elsewhere
from nn.casting import plain
from nn.parameter import Parameter
from nn.unrecorded import ON_ARRAY, call_in_row

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

M = TypeVar("M", bound="Module")
ForwardHook = Callable[["Module", tuple[Any, ...], Any], Any]
ForwardPreHook = Callable[["Module", tuple[Any, ...]], Any]
PREFIXED: Final = (ValueError, TypeError, IndexError, ArithmeticError)  # errors of what was passed in


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find in the state, and what it found there and did not need."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Place(NamedTuple):
    """Where a module is in the one that was called, and how many numbers its parameters have."""

    path: str
    parameters: int | None


NOWHERE: Final = Place("", None)


class Changes:
    """Counts the changes to what modules consist of, so that `places` knows when to look again."""

    count = 0


class Handle:
    """Removes a hook: `handle.remove()`, or at the end of a `with` block."""

    def __init__(self, hooks: dict[int, Any], hook: Any) -> None:
        self._hooks = hooks
        self._key = next(HOOK_KEYS)
        hooks[self._key] = hook

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


HOOK_KEYS: Final = itertools.count()
CALLED: Final[ContextVar[dict[int, Place] | None]] = ContextVar("places of the modules in the call", default=None)
PLACES: Final[WeakKeyDictionary[Module, tuple[int, dict[int, Place]]]] = WeakKeyDictionary()


def only_a_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return len(args) == 1 and not kwargs and isinstance(args[0], Tensor)


class Module:
    """A part of a network, or the whole. Subclasses make their parts in `__init__` and use them in `forward`.

    Whatever attribute is a `Parameter` is learned, a `Module` is a part, and a tensor given to `register_buffer` is
    state that is saved but not learned. A list of modules is not looked into: use `ModuleList`.

    Examples
    --------
    >>> import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 3)
    ...         self.out = nn.Linear(3, 2, bias=False)
    ...
    ...     def forward(self, x):
    ...         return self.out(self.hidden(x).relu())
    >>> net = Net()
    >>> [name for name, _ in net.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight']
    >>> net
    Net(
      (hidden): Linear(in_features=4, out_features=3, bias=True)
      (out): Linear(in_features=3, out_features=2, bias=False)
    )
    >>> net([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 2)
    """

    training: bool
    _buffers: dict[str, bool]  # names of buffers, and whether they belong to the state
    _forward_hooks: dict[int, ForwardHook]
    _forward_pre_hooks: dict[int, ForwardPreHook]

    def __new__(cls: type[M], *args: Any, **kwargs: Any) -> M:
        """Make the module ready for attributes, also where a subclass forgets `super().__init__()`."""
        module = object.__new__(cls)
        vars(module).update(training=True, _buffers={}, _forward_hooks={}, _forward_pre_hooks={})
        return module

    def __init__(self, *given: Any) -> None:
        if given:
            raise refused(self, "it has no options")
        super().__init__()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the result; what calling the module runs. Each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    # Calling it

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` with the hooks around it. Errors name the module's path in the model that was called."""
        mode, places = current.get(), None
        if mode is None or mode.grad:
            places = CALLED.get()
            if places is None:
                return self._call_as_root(args, kwargs)
            first = scope.enter()
        try:
            if mode is NO_GRAD and type(self).forward in ON_ARRAY and only_a_tensor(args, kwargs):
                result, left = call_in_row((self,), args[0])
                if not left:
                    return result
            if self._forward_pre_hooks:
                for pre_hook in tuple(self._forward_pre_hooks.values()):
                    changed = pre_hook(self, args)
                    if changed is not None:
                        args = changed if isinstance(changed, tuple) else (changed,)
            result = self.forward(*args, **kwargs)
            if self._forward_hooks:
                for hook in tuple(self._forward_hooks.values()):
                    changed = hook(self, args, result)
                    if changed is not None:
                        result = changed
        except Exception as error:
            name_place(error, self, args)
            raise
        if places is not None:
            path, count = places.get(id(self), NOWHERE)
            scope.leave(first, result, path, type(self).__name__, count, None if path else self)
        return result

    _plain_call: Final = __call__  # by which `call_in_row` knows where a subclass, or a user, has another

    def _call_as_root(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make the call with the places of all parts of this module known to them."""
        token = CALLED.set(places_in(self))
        try:
            return self(*args, **kwargs)
        finally:
            CALLED.reset(token)

    def register_forward_hook(self, hook: ForwardHook) -> Handle:
        """Call `hook(module, args, result)` after each forward; what it returns, if not None, replaces the result."""
        return Handle(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: ForwardPreHook) -> Handle:
        """Call `hook(module, args)` before each forward; what it returns, if not None, replaces the arguments."""
        return Handle(self._forward_pre_hooks, hook)

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        present = attributes.get(name)
        if isinstance(present, Parameter) and not (value is None or isinstance(value, Parameter)):
            raise TypeError(
                f"{name!r} is a parameter, and {type(value).__name__} is none: assign nn.Parameter(...) or None, or to "
                f"{name}.data to change its values"
            )
        if isinstance(present, Module) and not (value is None or isinstance(value, Module)):
            raise TypeError(f"{name!r} is a module, and {type(value).__name__} is none: assign one, or None")
        if name in self._buffers:
            if isinstance(value, Parameter):
                del self._buffers[name]
            elif not (value is None or isinstance(value, Tensor)):
                raise TypeError(f"{name!r} is a buffer: assign a tensor or None, not {type(value).__name__}")
        if isinstance(value, (Parameter, Module)) or isinstance(present, (Parameter, Module)):
            Changes.count += 1
        attributes[name] = value

    def __delattr__(self, name: str) -> None:
        if isinstance(self.__dict__.get(name), (Parameter, Module)):
            Changes.count += 1
        super().__delattr__(name)
        self._buffers.pop(name, None)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Make a tensor an attribute that is saved with the module (if `persistent`) but not learned."""
        self._check_new(name)
        if tensor is not None and not isinstance(tensor, Tensor):
            tensor = Tensor(tensor)
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Make a parameter an attribute: `self.name = parameter`."""
        if not (parameter is None or isinstance(parameter, Parameter)):
            raise TypeError(f"{name!r}: expected an nn.Parameter or None, not {type(parameter).__name__}")
        self._check_new(name)
        setattr(self, name, parameter)

    def add_module(self, name: str, module: Module | None) -> None:
        """Make a module an attribute: `self.name = module`."""
        if not (module is None or isinstance(module, Module)):
            raise TypeError(f"{name!r}: expected a module or None, not {type(module).__name__}")
        self._check_new(name)
        setattr(self, name, module)

    def _check_new(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"a name is not empty and has no dot: {name!r}")
        if not isinstance(getattr(self, name, None), (Tensor, Module, type(None))):
            raise KeyError(f"{type(self).__name__} has an attribute {name!r} already")

    # What is in it

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules among the attributes, with their names."""
        seen: set[int] = set()
        for name, value in vars(self).items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield this module and all parts of it with their paths, each once unless `remove_duplicate` is False."""
        seen: set[int] = set()
        stack: list[tuple[str, Module, tuple[Module, ...]]] = [(prefix, self, ())]
        while stack:
            path, module, around = stack.pop()
            if (remove_duplicate and id(module) in seen) or any(module is other for other in around):
                continue  # a part that refers back to the whole would lead round and round
            seen.add(id(module))
            yield path, module
            around = (*around, module)
            parts = [(joined(path, n), m, around) for n, m in vars(module).items() if isinstance(m, Module)]
            stack.extend(reversed(parts))

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their paths, each once unless `remove_duplicate` is False."""
        seen: set[int] = set()
        for path, module in self._owners(prefix, recurse, remove_duplicate):
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and name not in module._buffers and id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield joined(path, name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield all buffers with their paths, each once unless `remove_duplicate` is False."""
        seen: set[int] = set()
        for path, module in self._owners(prefix, recurse, remove_duplicate):
            for name in module._buffers:
                value = vars(module).get(name)
                if value is not None and id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield joined(path, name), value

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _owners(self, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Module]]:
        return self.named_modules(prefix, remove_duplicate) if recurse else iter([(prefix, self)])

    def get_submodule(self, path: str) -> Module:
        """Return the part at a path like "features.3"; "" is the module itself."""
        module = self
        for name in path.split(".") if path else ():
            part = vars(module).get(name)
            if not isinstance(part, Module):
                raise AttributeError(f"{type(module).__name__} has no module {name!r}, asked for by {path!r}")
            module = part
        return module

    def get_parameter(self, path: str) -> Parameter:
        """Return the parameter at a path like "features.3.weight"."""
        owner, _, name = path.rpartition(".")
        found = vars(self.get_submodule(owner)).get(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"there is no parameter {path!r}")
        return found

    # All of it at once

    def apply(self: M, function: Callable[[Module], Any]) -> M:
        """Call `function` on every part, in order but those inside one before it, and on the module itself last."""
        seen: set[int] = set()

        def visit(module: Module) -> None:
            if id(module) not in seen:
                seen.add(id(module))
                for child in module.children():
                    visit(child)
                function(module)

        visit(self)
        return self

    def train(self: M, mode: bool = True) -> M:
        """Switch to training, or to evaluation with False: dropout and batch norm differ."""
        if not isinstance(mode, bool):
            raise TypeError(f"train() takes a bool, not {type(mode).__name__}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch to evaluation."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Ask for gradients of all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters: each `.grad` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    def to(self: M, dtype: DTypeLike) -> M:
        """Change the dtype of parameters, their gradients, and floating buffers, in this very module."""
        try:
            dtype = np.dtype("none" if dtype is None else dtype)  # of None NumPy would make float64
        except TypeError:
            raise TypeError(f"to() takes a dtype, not {dtype!r}; all is computed on the CPU") from None
        if dtype.kind not in "fc":
            raise TypeError(f"parameters are of a floating or complex dtype, not {dtype}")
        for tensor in itertools.chain(self.parameters(), self.buffers()):
            if tensor.dtype.kind not in "fc" or tensor.dtype == dtype:
                continue
            if tensor.dtype.kind == "c" and dtype.kind == "f":
                raise TypeError(f"{tensor.label()} is complex: {dtype} would lose its imaginary part")
            gradient, tensor.grad = tensor.grad, None
            tensor.data = plain(tensor).astype(dtype)
            if gradient is not None:
                tensor.grad = Tensor(gradient.data, dtype=dtype)
        return self

    def float(self: M) -> M:
        return self.to(np.float32)

    def double(self: M) -> M:
        return self.to(np.float64)

    # State

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """Yield what the state consists of, with PyTorch's keys in PyTorch's order."""
        for path, module in self.named_modules(remove_duplicate=False):
            attributes = vars(module)
            for name, value in attributes.items():
                if isinstance(value, Parameter) and name not in module._buffers:
                    yield joined(path, name), value
            for name, persistent in module._buffers.items():
                if persistent and attributes.get(name) is not None:
                    yield joined(path, name), attributes[name]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays of all parameters and buffers, by path: PyTorch's keys and shapes.

        >>> import nn
        >>> {key: array.shape for key, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {key: np.array(tensor.data) for key, tensor in self._state()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy the arrays of `state_dict` into the parameters and buffers. All is checked before any is changed.

        Parameters
        ----------
        state_dict : arrays or tensors by path, such as `state_dict()` returns, of this package or of PyTorch.
        strict : refuse a state that misses something or has something more. With False those keys are returned.

        Raises
        ------
        ValueError : it is no dict; the keys do not fit (if `strict`), or a shape or dtype does not. The message lists
            them all, and the module is as it was.
        """
        if not isinstance(state_dict, Mapping):
            raise ValueError(f"a state is a dict of arrays by path, not {type(state_dict).__name__}")
        own = dict(self._state())
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        arrays, faults = {}, []
        for key in (key for key in own if key in state_dict):
            try:
                arrays[key] = plain(state_dict[key])
            except (TypeError, ValueError) as error:  # a dtype of PyTorch's that NumPy does not have, say
                faults.append(f"no array: {key}: {error}")
        faults += [fault for key, array in arrays.items() if (fault := misfit(key, array, own[key]))]
        if strict:
            faults[:0] = [
                *(f"missing: {key} {own[key].shape}" for key in missing),
                *(f"unexpected: {key}" for key in unexpected),
            ]
        if faults:
            raise ValueError(f"the state does not fit {type(self).__name__}:\n  " + "\n  ".join(faults))
        with np.errstate(all="ignore"):  # a number too large for float32 becomes infinite, without ado
            for key, array in arrays.items():
                overwrite(own[key], array)
        return IncompatibleKeys(missing, unexpected)

    # Text

    def extra_repr(self) -> str:
        """Return what the repr says of the module's own options."""
        return ""

    def __repr__(self) -> str:
        lines = [f"({name}): {indented(repr(m))}" for name, m in vars(self).items() if isinstance(m, Module)]
        return tree(type(self).__name__, self.extra_repr(), lines)

    def cost(self, args: tuple[Any, ...], result: Any) -> int:
        """Return how many multiply-adds the call `self(*args)` took that no part of it counts. `summary` shows it."""
        return 0


point_elsewhere(Module, dict.fromkeys(("cpu", "cuda"), ON_THE_CPU))


def refused(module: Module, what: str) -> TypeError:
    """Return the error for options that are none: data, it may be, which are for the module itself."""
    kind = type(module).__name__
    return TypeError(f"{kind}: {what}; data go to the module itself, {kind}(...)(x)")


def joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def tree(kind: str, options: str, lines: list[str]) -> str:
    """Return the repr of a module from those of its parts."""
    if not lines:
        return f"{kind}({options})"
    return "\n  ".join([f"{kind}(", *([options] if options else []), *lines]) + "\n)"


def places_in(root: Module) -> dict[int, Place]:
    """Return the place of each module in `root` by its id; found anew only if some module has changed since."""
    known = PLACES.get(root)
    if known is not None and known[0] == Changes.count:
        return known[1]
    places: dict[int, Place] = {}
    for path, module in root.named_modules():
        places[id(module)] = Place(path, sum(p.size for p in module.parameters()))
    PLACES[root] = (Changes.count, places)
    for module in root.modules():
        warn_of_lists(module, places)
    return places


def warn_of_lists(module: Module, places: dict[int, Place]) -> None:
    """Warn of modules in a list or dict among the attributes of `module` that are no part of the whole, its places."""
    for name, value in vars(module).items():
        if name.startswith("_") or not isinstance(value, (list, tuple, dict)):
            continue
        items = value.values() if isinstance(value, dict) else value
        if any(isinstance(item, Module) and id(item) not in places for item in items):
            warnings.warn(
                f"{type(module).__name__}.{name} is a {type(value).__name__} with modules in it, whose parameters it "
                "does not find: they are neither trained nor saved with it. Make it nn.ModuleList(...) or "
                "nn.ModuleDict(...), or, if they are another module's, let its name begin with _",
                stacklevel=5,
            )


class Raised(NamedTuple):
    """What an error remembers of the module that it came from: no reference to it, as errors are kept and pickled."""

    module: int  # its id
    kind: str  # its class
    message: str | None  # None where a note tells the place
    inputs: str


def name_place(error: Exception, module: Module, args: tuple[Any, ...]) -> None:
    """Put the path of the module that failed before an error's message, and the shapes of its inputs behind.

    Every module that the error passes calls this, from the innermost on: each knows the paths of its own parts. What
    somebody else has made of the message meanwhile stays.
    """
    raised: Raised | None = getattr(error, "module_raised", None)
    before = None
    if raised is None:
        shapes = [str(tuple(a.shape)) for a in args if isinstance(a, (Tensor, np.ndarray))]
        told = isinstance(error, PREFIXED) and len(error.args) == 1 and isinstance(error.args[0], str)
        inputs = f", input {', '.join(shapes)}" if shapes else ""
        raised = Raised(id(module), type(module).__name__, error.args[0] if told else None, inputs)
        error.module_raised = raised  # type: ignore[attr-defined]
        path = raised.kind
    else:
        place = places_in(module).get(raised.module)
        if place is None:
            return
        path, before = place.path or raised.kind, error.module_told  # type: ignore[attr-defined]
    if raised.message is None:
        told_now = f"in {path}{raised.inputs}"
        notes = getattr(error, "__notes__", [])
        if before in notes:
            notes[notes.index(before)] = told_now
        elif before is None:
            error.add_note(told_now)
    else:
        told_now = f"{path}: {raised.message}{raised.inputs}"
        if before is None:
            error.args = (told_now,)
        elif error.args and isinstance(error.args[0], str):
            error.args = (error.args[0].replace(before, told_now, 1), *error.args[1:])
    error.module_told = told_now  # type: ignore[attr-defined]


def misfit(key: str, array: NDArray[Any], tensor: Tensor) -> str | None:
    """Return why `array` cannot become the values of `tensor`, if it cannot."""
    if array.shape != tensor.shape:
        return f"misshapen: {key} is {tensor.shape}, the state has {array.shape}"
    if array.dtype.kind not in "fciub" or not np.can_cast(array.dtype, tensor.dtype, "same_kind"):
        return f"misshapen: {key} is {tensor.dtype}, the state has {array.dtype}"
    return None
