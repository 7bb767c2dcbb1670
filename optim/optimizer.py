"""Optimizer: parameter groups and their options, state that can be saved, and the step."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from autograd import Tensor, enable_grad
from optim.flat import Array, Flat, Group

Params = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]
Closure = Callable[[], Any]

# What a group may hold beside the options of its optimiser: schedules keep their notes there.
NOTES: Final = frozenset(
    {"params", "param_names", "name", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"}
)
COUNTERS: Final = frozenset({"step", "n_iter", "func_evals"})  # state that is a whole number
EMPTY: Final = (
    "optimizer got an empty parameter list. A generator such as net.parameters() can be read once, and modules in a "
    "plain list are not found: nn.ModuleList is for them"
)
TITLES: Final = {"lr": "learning rate", "eps": "epsilon value"}


class Optimizer:
    """What every optimiser has: groups of parameters, options for each group, state for each parameter, `step`.

    An optimiser of your own defines `update`, which changes flat arrays in place: `x` are the parameters, `g` their
    gradients (not to be changed), `a`, `b` and `c` scratch arrays of the same length. It is called for parts of all
    parameters, by several threads at once where they are many. State that it needs is named by `buffers`;
    `state["step"]` counts from 1.

    Parameters
    ----------
    params : tensors, pairs (name, tensor) as `named_parameters()` gives, or dicts {"params": tensors, option: value, …}
        whose options stand in for the defaults.
    defaults : the options, by name.

    Raises
    ------
    ValueError : no parameters, one given twice, one that is the result of an operation, an option out of its range.
    TypeError : something that is no tensor of floats.

    Attributes
    ----------
    param_groups : the groups, dicts of "params" and the options: set `group["lr"]` to change the rate of one.
    state : for each parameter that was stepped, its state by name.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def update(self, group, state, x, g, a, b, c):
    ...         np.sign(g, out=a)
    ...         a *= group["lr"]
    ...         x -= a
    >>> x = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignDescent([x])
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([ 0.9, -1.9])
    """

    def __init__(self, params: Params, defaults: Mapping[str, Any]) -> None:
        self.defaults = {name: as_number(value) for name, value in defaults.items()}
        self.param_groups: list[Group] = []
        self._flats: list[list[Flat]] = []
        self._flattened: list[list[Tensor]] = []  # the parameters of each group when its buffers were made
        if isinstance(params, (Tensor, np.ndarray, str)) or not isinstance(params, Iterable) or of_module(params):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}{of_module(params)}"
            )
        given: list[Any] = list(params)
        if not given:
            raise ValueError(EMPTY)
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    # What a kind of optimiser defines

    def check(self, group: Group) -> None:
        """Raise ValueError if an option of `group` is out of its range."""
        not_negative(group, "lr")

    def buffers(self, group: Group) -> Mapping[str, float]:
        """Return the name of each array of state, and what it is filled with at first."""
        return {}

    def count(self, group: Group, numbers: dict[str, Any]) -> None:
        """Bring the state of a parameter that is plain numbers to this step."""
        numbers["step"] = numbers.get("step", 0) + 1

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        """Change `x` and the arrays in `state` in place, by the gradients `g`."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    # Groups

    def add_param_group(self, group: Group) -> None:
        """Add a group, {"params": …, option: value, …}: parameters unfrozen in the middle of training, say."""
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError("a parameter group is a dict with the key 'params'")
        unknown = group.keys() - self.defaults.keys() - NOTES
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no option {', '.join(map(repr, sorted(unknown)))}; "
                f"its options are {', '.join(self.defaults)}"
            )
        given = group["params"]
        if isinstance(given, (set, frozenset)):
            raise TypeError("optimizer parameters need to be ordered, but a set has no order: give a list")
        given = [given] if isinstance(given, Tensor) else list(given)
        names = [entry[0] for entry in given if isinstance(entry, tuple)]
        if names and len(names) < len(given):
            raise ValueError("all parameters of a group have names, or none has")
        params = [entry[1] if isinstance(entry, tuple) else entry for entry in given]
        if not params:
            raise ValueError(EMPTY)
        taken = {id(p) for other in self.param_groups for p in other["params"]}
        for i, p in enumerate(params):
            refuse(p, f"parameter {names[i]!r}" if names else f"parameter {i}")
        if len({id(p) for p in params}) < len(params):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        if not taken.isdisjoint(id(p) for p in params):
            raise ValueError("some parameters appear in more than one parameter group")
        options = {name: as_number(value) for name, value in group.items() if name != "params"}
        complete = {"params": params, **self.defaults, **options}
        if names:
            complete["param_names"] = names
        self.check(complete)
        self.param_groups.append(complete)
        self._flats.append([])
        self._flattened.append([])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: None, or with `set_to_none=False` zeros, which a step takes for gradients."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = Tensor(np.zeros(p.shape, p.dtype))

    # The step

    def step(self, closure: Closure | None = None) -> Any:
        """Change the parameters by their gradients; those whose `.grad` is None stay as they are.

        With a `closure`, which computes the loss and its gradients, that is called first and its loss returned.
        Graphs recorded before the step read the old parameters: `backward` through them then raises.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with np.errstate(all="ignore"):  # as in backward: what diverges shows in the loss
            for position, group in enumerate(self.param_groups):
                for flat in self.flats(position):
                    flat.step(group, self)
        return loss

    def flats(self, position: int) -> list[Flat]:
        """Return the buffers of a group: one for each dtype. They are made at the first step, and again if need be."""
        if len(self._flats) != len(self.param_groups):  # somebody has changed that list
            self.flatten_all(self.state)
        params = self.param_groups[position]["params"]
        flattened = self._flattened[position]
        same = len(flattened) == len(params) and all(map(operator.is_, flattened, params))
        if not (same and all(flat.fits() for flat in self._flats[position])):
            self.flatten(position, self.state)
        return self._flats[position]

    def flatten_all(self, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        """Make the buffers of all groups anew, with `state` in them."""
        self._flats = [[] for _ in self.param_groups]
        self._flattened = [[] for _ in self.param_groups]
        for position in range(len(self.param_groups)):
            self.flatten(position, state)

    def flatten(self, position: int, state: Mapping[Tensor, Mapping[str, Any]]) -> None:
        """Make the buffers of a group anew, with `state` in them."""
        group = self.param_groups[position]
        kinds: dict[np.dtype[Any], list[Tensor]] = {}
        for p in group["params"]:
            kinds.setdefault(p.dtype, []).append(p)
        flats = [Flat(params) for params in kinds.values()]
        for flat in flats:
            flat.restore(state, self.buffers(group))
        self._flats[position] = flats
        self._flattened[position] = list(group["params"])

    # State

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """For each parameter that was stepped, its state: numbers, and arrays that can be changed in place."""
        return dict(pair for flats in self._flats for flat in flats for pair in flat.state())

    def state_dict(self) -> dict[str, Any]:
        """Return options and state, in copies: numbers, strings and arrays, with parameters as positions.

        As in PyTorch, {"state": {position: {name: value}}, "param_groups": [{"params": [position, …], option: …}]}.
        """
        positions = {id(p): i for i, p in enumerate(self.parameters())}
        return {
            "state": {positions[id(p)]: copied(state) for p, state in self.state.items()},
            "param_groups": [
                {**group, "params": [positions[id(p)] for p in group["params"]]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over options and state from `state_dict()`: training goes on as if it had never stopped.

        Raises
        ------
        ValueError : it is not of an optimiser with groups and parameters like these; nothing is changed then.
        """
        groups, states = self.compatible(state_dict)
        self.param_groups = groups
        with np.errstate(all="ignore"):  # a number too large for float32 becomes infinite, without ado
            for position in range(len(groups)):
                self.flatten(position, states)

    def compatible(self, state_dict: Mapping[str, Any]) -> tuple[list[Group], dict[Tensor, dict[str, Any]]]:
        """Return the groups and states of a `state_dict()`, or raise if they do not fit."""
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError("this is no state of an optimizer: it needs the keys 'state' and 'param_groups'")
        given, given_states = state_dict["param_groups"], state_dict["state"]
        if not isinstance(given, (list, tuple)) or not all(isinstance(group, Mapping) for group in given):
            raise ValueError("this is no state of an optimizer: its 'param_groups' are no list of dicts")
        if not isinstance(given_states, Mapping) or not all(isinstance(s, Mapping) for s in given_states.values()):
            raise ValueError("this is no state of an optimizer: its 'state' is no dict of dicts")
        if len(given) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(given)}, not "
                f"{len(self.param_groups)}"
            )
        groups: list[Group] = []
        owners: dict[int, tuple[Tensor, Group]] = {}
        for old, new in zip(self.param_groups, given, strict=True):
            positions = [place(i) for i in listed(new.get("params"))]
            if len(positions) != len(old["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"{len(positions)} parameters, not {len(old['params'])}"
                )
            options = {name: as_number(value) for name, value in new.items() if name != "params"}
            self.check_kinds(old, options)
            group = {**old, **options}
            self.check(group)
            groups.append(group)
            for i, p in zip(positions, old["params"], strict=True):
                if i in owners:
                    raise ValueError(f"loaded state dict has the parameter {i} in its groups twice")
                owners[i] = p, group
        states: dict[Tensor, dict[str, Any]] = {}
        for key, state in given_states.items():
            position = place(key)
            if position not in owners:
                raise ValueError(f"loaded state dict has state of a parameter {position} that is in none of its groups")
            p, group = owners[position]
            if p in states:
                raise ValueError(f"loaded state dict has state of the parameter {position} twice")
            states[p] = copied(state)
            self.check_state(p, group, states[p])
        return groups, states

    def check_kinds(self, old: Group, options: Mapping[str, Any]) -> None:
        """Raise ValueError if loaded options are not those of this kind of optimiser, of the kinds that they have."""
        missing = self.defaults.keys() - options.keys()
        if missing:
            raise ValueError(
                f"loaded state dict is of another optimizer than {type(self).__name__}: its group lacks "
                f"{', '.join(map(repr, sorted(missing)))}"
            )
        for name, value in options.items():
            if name == "param_names":
                fits = len(listed(value)) == len(old["params"]) and all(isinstance(part, str) for part in value)
            elif name in NOTES:
                fits = alike(value, "" if name == "name" else 0.0)
            elif name in self.defaults:
                fits = alike(value, self.defaults[name])
            else:  # of another version, or PyTorch's: it means nothing here
                fits = alike(value, None)
            if not fits:
                raise ValueError(f"loaded option {name!r:.60} cannot be {value!r:.60}")

    def check_state(self, p: Tensor, group: Group, state: dict[str, Any]) -> None:
        """Raise ValueError if `state` is not that of a parameter like `p`."""
        arrays = self.buffers(group)
        missing = (arrays.keys() | {"step"} if arrays else set()) - state.keys()
        if missing:
            raise ValueError(f"loaded state of a parameter lacks {', '.join(map(repr, sorted(missing)))}")
        numbers: dict[str, Any] = {}
        self.count(group, numbers)
        for name, value in state.items():
            if name in arrays or (name not in numbers and isinstance(value, np.ndarray) and value.shape == p.shape):
                state[name] = value = np.asarray(value)
            else:
                state[name] = value = as_number(value)  # of a number a file may have made an array
            misshapen = isinstance(value, np.ndarray) and value.shape != p.shape
            refuse_state(name, value, misshapen, f"the parameter has {p.shape}", p.dtype)

    def parameters(self) -> list[Tensor]:
        """Return the parameters of all groups, in order."""
        return [p for group in self.param_groups for p in group["params"]]

    def __getstate__(self) -> dict[str, Any]:
        # Copies hold copies of the parameters, which are no views of the buffers: those are made anew.
        rest = {name: value for name, value in self.__dict__.items() if name not in ("_flats", "_flattened")}
        states = self.state
        found = [copied(states[p]) if p in states else None for p in self.parameters()]
        return {**rest, "_states": found}

    def __setstate__(self, state: dict[str, Any]) -> None:
        found = state.pop("_states")
        self.__dict__.update(state)
        states = {p: s for p, s in zip(self.parameters(), found, strict=True) if s is not None}
        self.flatten_all(states)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}: {sum(p.size for p in group['params']):,} numbers")
            lines += [f"    {name}: {group[name]}" for name in sorted(group.keys() - {"params", "param_names"})]
        return "\n".join([*lines, ")"])


def descent(group: Group, x: Array, g: Array, out: Array) -> Array:
    """Return the gradient to go down: with `weight_decay` λ g + λx, the gradient of ½λ‖x‖² added; −g to maximise."""
    decay = group["weight_decay"]
    if decay:
        np.multiply(x, decay, out=out)
        return np.subtract(out, g, out=out) if group["maximize"] else np.add(out, g, out=out)
    return np.negative(g, out=out) if group["maximize"] else g


def of_module(given: Any) -> str:
    """Return what to write where a module was given, or its method, and not what that returns; else ""."""
    return ": write parameters(), of the module" if hasattr(given, "parameters") or callable(given) else ""


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def not_negative(group: Group, *names: str) -> None:
    """Raise ValueError if an option is negative, NaN, or no number."""
    for name in names:
        if not is_number(group[name]) or not group[name] >= 0:
            raise ValueError(f"Invalid {TITLES.get(name, name + ' value')}: {group[name]!r}")


def below_one(group: Group, *names: str) -> None:
    """Raise ValueError if an option is not in [0, 1); of a pair, each."""
    for name in names:
        value = group[name]
        if name == "betas" and (not isinstance(value, tuple) or len(value) != 2):
            raise ValueError(f"Invalid betas: {value!r}; they are two numbers")
        for i, number in enumerate(value if isinstance(value, tuple) else (value,)):
            if not is_number(number) or not 0 <= number < 1:
                which = f"beta parameter at index {i}" if name == "betas" else f"{name} value"
                raise ValueError(f"Invalid {which}: {number!r}")


def as_number(value: Any) -> Any:
    """Return an option as a Python number: a NumPy one would turn float32 arithmetic into float64."""
    if isinstance(value, (np.generic, Tensor)) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, numbers.Real):  # a fraction
        return float(value)
    if isinstance(value, (tuple, list)):
        return tuple(as_number(part) for part in value)
    return value


def copied(value: Any) -> Any:
    """Return a copy of nested state."""
    if isinstance(value, Mapping):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(copied(part) for part in value)
    if isinstance(value, Tensor):
        return value.numpy().copy()
    return value.copy() if isinstance(value, np.ndarray) else value


def refuse_state(name: Any, value: Any, misshapen: bool, fitting: str, dtype: np.dtype[Any]) -> None:
    """Raise ValueError if `value` is no state of a parameter of `dtype`, or not in the shape that is `fitting`."""
    if not isinstance(name, str):
        raise ValueError(f"loaded state has a name that is no string: {name!r:.60}")
    if name in COUNTERS:
        refuse_count(name, value)
    elif isinstance(value, np.ndarray) and (value.dtype.kind in "fiu" or value.dtype.kind == dtype.kind):
        if misshapen:
            raise ValueError(f"loaded state {name!r} has shape {value.shape}, but {fitting}")
    elif not isinstance(value, (int, float)):
        raise ValueError(f"loaded state {name!r} is neither a number nor an array of numbers: {value!r:.60}")


def refuse_count(name: str, value: Any) -> None:
    """Raise ValueError if `value` is no count: a whole number from 0 to below 2**53."""
    if not isinstance(value, (int, float)):
        raise ValueError(f"loaded state {name!r} is neither a number nor an array of numbers: {value!r:.60}")
    if not 0 <= value < 2**53 or value % 1:
        raise ValueError(f"loaded state {name!r} is no count: {value!r:.60}")


def place(key: Any) -> int:
    """Return the position of a parameter that a state names; of integers a file may have made strings."""
    if isinstance(key, (int, np.integer)) or (isinstance(key, str) and key.isdecimal()):
        return int(key)
    raise ValueError(f"loaded state dict names a parameter by {key!r:.60}, which is no position")


def listed(value: Any) -> Any:
    """Return `value` if it is a list or a tuple, or raise ValueError."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"loaded state dict has {value!r:.60} where a list is expected")
    return value


def alike(value: Any, like: Any) -> bool:
    """Whether a loaded value is of the kind of `like`: a number, a string, a list, a tuple of as many; None is of any.

    NaN is no number here.
    """
    if like is None:
        return value is None or isinstance(value, (int, float, str))
    if isinstance(like, (int, float)):
        return isinstance(value, (int, float)) and value == value
    if isinstance(like, list):
        return isinstance(value, (list, tuple)) and all(alike(part, like[0] if like else 0.0) for part in value)
    if isinstance(like, tuple):
        same_length = isinstance(value, (list, tuple)) and len(value) == len(like)
        return same_length and all(map(alike, value, like))
    return isinstance(value, type(like))


def refuse(p: Any, what: str) -> None:
    """Raise if `p` is not a leaf tensor of floats."""
    if not isinstance(p, Tensor):
        raise TypeError(f"optimizer can only optimize Tensors, but {what} is {type(p).__name__}")
    if not p.is_leaf:
        raise ValueError(f"can't optimize a non-leaf Tensor: {what}, {p.label()}, is the result of an operation")
    if p.dtype.kind not in "fc":
        raise TypeError(f"can't optimize a tensor of {p.dtype}, which has no gradient: {what}, {p.label()}")
