"""Modules that hold others: in a row, in a list, by name."""

from __future__ import annotations

import itertools
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, Generic, TypeVar, overload

from autograd import Tensor
from autograd.modes import NO_GRAD, current
from nn.module import Module, indented, tree
from nn.parameter import Parameter
from nn.unrecorded import call_in_row

S = TypeVar("S", bound="Numbered[Any]")
R = TypeVar("R", bound="Row")
V = TypeVar("V")


class Holding(Module, Generic[V]):
    """What holds attributes of one kind."""

    _kind: type[V]

    def _named(self) -> dict[str, V]:
        return {name: value for name, value in vars(self).items() if isinstance(value, self._kind)}

    def __len__(self) -> int:
        return len(self._named())


class Numbered(Holding[V]):
    """What `Row` and `ParameterList` share: attributes "0", "1", ..."""

    def __iter__(self) -> Iterator[V]:
        return iter(self._named().values())

    def _made(self, value: Any) -> V:
        """Return what comes in for a value, or refuse it."""
        raise NotImplementedError

    def append(self: S, value: Any) -> S:
        """Add one at the end."""
        names = self._named()
        free = (str(i) for i in itertools.count(len(names)))  # a slice of a row goes on with its own numbers
        setattr(self, next(name for name in free if name not in names), self._made(value))
        return self

    def extend(self: S, values: Iterable[Any]) -> S:
        """Add some at the end."""
        for value in list(values):
            self.append(value)
        return self


class Row(Numbered[Module]):
    """What `Sequential` and `ModuleList` share."""

    _kind = Module

    def _made(self, value: Any) -> Module:
        return checked(value)

    def _rename(self, modules: Iterable[Module]) -> None:
        for name in self._named():
            delattr(self, name)
        for i, module in enumerate(modules):
            setattr(self, str(i), module)

    def _name_at(self, index: int) -> str:
        names = list(self._named())
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} of {type(self).__name__} with {len(names)} modules")
        return names[index]

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self: R, index: slice) -> R: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return self._slice(index)
        return self._named()[self._name_at(index)]

    def _slice(self, index: slice) -> Module:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), checked(module))

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._rename(modules)

    def insert(self: R, index: int, module: Module) -> R:
        """Add a module before the one at `index`."""
        modules = list(self)
        modules.insert(index, checked(module))
        self._rename(modules)
        return self


class Sequential(Row):
    """Modules in a row: the result of each is the input of the next.

    Parameters
    ----------
    modules : the modules, or one dict of them by name.

    Examples
    --------
    >>> import nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> model([[1.0, 2.0]]).shape
    (1, 1)
    >>> model[:2]
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        first = modules[0] if len(modules) == 1 else None
        named = first if isinstance(first, Mapping) else {str(i): module for i, module in enumerate(modules)}
        for name, module in named.items():
            self.add_module(name, checked(module))

    def _slice(self, index: slice) -> Sequential:
        return type(self)(dict(list(self._named().items())[index]))

    def forward(self, input: Any) -> Any:
        modules: Sequence[Module] = [value for value in tuple(vars(self).values()) if isinstance(value, Module)]
        if current.get() is NO_GRAD and isinstance(input, Tensor):
            input, modules = call_in_row(modules, input)
        for module in modules:
            input = module(input)
        return input


class ModuleList(Row):
    """A list of modules, which `parameters()` finds, unlike those of a plain list.

    >>> import nn
    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def _slice(self, index: slice) -> ModuleList:
        return type(self)(list(self)[index])

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return type(self)([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> ModuleList:
        self.extend(other)
        return self

    def __repr__(self) -> str:
        runs: list[list[Any]] = []  # first index, last index, text
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        lines = [
            f"({a}): {indented(text)}" if a == b else f"({a}-{b}): {b - a + 1} x {indented(text)}"
            for a, b, text in runs
        ]
        return tree(type(self).__name__, "", lines)


class ByName(Holding[V]):
    """What `ModuleDict` and `ParameterDict` share: attributes by their names."""

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.update(values)

    def __getitem__(self, key: str) -> V:
        return self._named()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        raise NotImplementedError

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        delattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self._named()

    def __iter__(self) -> Iterator[str]:
        return iter(self._named())

    def keys(self) -> KeysView[str]:
        return self._named().keys()

    def values(self) -> ValuesView[V]:
        return self._named().values()

    def items(self) -> ItemsView[str, V]:
        return self._named().items()

    def pop(self, key: str) -> V:
        """Remove what has that name, and return it."""
        value = self[key]
        del self[key]
        return value

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add some by name, in place of those that had the names."""
        for key, value in dict(values).items():
            self[key] = value


class ModuleDict(ByName[Module]):
    """Modules by name, which `parameters()` finds, unlike those of a plain dict.

    >>> import nn
    >>> heads = nn.ModuleDict({"mean": nn.Linear(4, 2), "spread": nn.Linear(4, 2)})
    >>> heads["mean"]([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 2)
    >>> list(heads)
    ['mean', 'spread']
    """

    _kind = Module

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, checked(module))


class ParameterList(Numbered[Parameter]):
    """Parameters in a list, which `parameters()` finds; what is none yet becomes one.

    >>> import nn, numpy as np
    >>> weights = nn.ParameterList([np.ones((2, 3)), np.zeros(2)])
    >>> [p.shape for p in weights], list(weights.state_dict())
    ([(2, 3), (2,)], ['0', '1'])
    """

    _kind = Parameter

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(values)

    def _made(self, value: Any) -> Parameter:
        return learned(value)

    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: int | slice) -> Parameter | ParameterList:
        found = list(self)[index]
        return type(self)(found) if isinstance(found, list) else found

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, list(self._named())[index], learned(value))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def __contains__(self, value: object) -> bool:
        return any(value is p for p in self)

    def extra_repr(self) -> str:
        return listed(self._named())


class ParameterDict(ByName[Parameter]):
    """Parameters by name, which `parameters()` finds; what is none yet becomes one.

    >>> import nn, numpy as np
    >>> scales = nn.ParameterDict({"mean": np.ones(2), "spread": np.zeros(2)})
    >>> scales["mean"].tolist(), list(scales)
    ([1.0, 1.0], ['mean', 'spread'])
    """

    _kind = Parameter

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, learned(value))

    def extra_repr(self) -> str:
        return listed(self._named())


def listed(parameters: Mapping[str, Parameter]) -> str:
    return ", ".join(f"{name}: {p.shape} {p.dtype}" for name, p in parameters.items())


def learned(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def checked(module: Any) -> Module:
    if not isinstance(module, Module):
        hint = ""
        if isinstance(module, type) and issubclass(module, Module):
            hint = ": pass an instance of it, with ()"
        elif isinstance(module, (list, tuple)):
            hint = ": pass its members one by one, with *"
        elif callable(module):
            hint = ": take the layer, nn.ReLU() for F.relu, or call it in the forward() of a Module of your own"
        raise TypeError(f"{module!r} is not a module{hint}")
    return module
