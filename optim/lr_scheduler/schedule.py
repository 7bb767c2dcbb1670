"""What every schedule has.

A schedule sets the rates of an optimiser when it is made and at each `step()`, which comes after the optimiser's. Those
that multiply the present rate can be combined: two schedules of one optimiser both take effect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from optim.flat import Group
from optim.optimizer import Optimizer, alike, as_number, copied

PER_GROUP: Final = ("base_lrs", "min_lrs", "_last_lr")  # state that has a number for each group


class LRScheduler:
    """What every schedule has. One of your own defines `rate`, or `factor` if it is to combine with others.

    Parameters
    ----------
    optimizer : whose rates are set. What they are now, α₀, is kept in each group as "initial_lr".
    last_epoch : the number of the last epoch when training is resumed; -1 starts afresh.

    Attributes
    ----------
    last_epoch : t, the number of `step` calls so far.
    base_lrs : α₀ of each group.
    """

    counts: ClassVar[tuple[str, ...]] = ()  # the options that are positive whole numbers
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # the options that are words, and which they can be

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming a schedule")
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.begin(last_epoch + 1)

    def begin(self, epoch: int) -> None:
        """Take the first step, of epoch 0; where training is resumed the rates stay as they are."""
        self.last_epoch = epoch
        self.set_rates([self.first(group) if epoch == 0 else group["lr"] for group in self.optimizer.param_groups])

    def restart(self) -> None:
        """Begin at epoch 0 from α₀, whatever the rates are now."""
        self.last_epoch = 0
        self.set_rates([self.rate(base, group, 0) for base, group in self.pairs()])

    def step(self) -> None:
        """Go on to the next epoch."""
        self.last_epoch += 1
        self.set_rates(self.get_lr())

    def get_lr(self) -> list[float]:
        """Return the rates of this epoch."""
        return [self.following(base, group, self.last_epoch) for base, group in self.pairs()]

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one a group."""
        return list(self._last_lr)

    def factor(self, epoch: int) -> float:
        """Return α/α₀ at `epoch`."""
        raise NotImplementedError(f"{type(self).__name__} defines neither rate nor factor")

    def rate(self, base: float, group: Group, epoch: int) -> float:
        """Return α at `epoch`, where no other schedule interferes."""
        return base * self.factor(epoch)

    def first(self, group: Group) -> float:
        """Return α at epoch 0 from the present one."""
        if type(self).factor is LRScheduler.factor:
            return self.rate(float(group["initial_lr"]), group, 0)
        return float(group["lr"]) * self.factor(0)

    def following(self, base: float, group: Group, epoch: int) -> float:
        """Return α at `epoch` from the present one, which another schedule may have changed."""
        if type(self).factor is LRScheduler.factor:
            return self.rate(base, group, epoch)
        before, factor = self.factor(epoch - 1), self.factor(epoch)
        if before == factor:  # at zero too, the end of some
            return float(group["lr"])
        return float(group["lr"]) * (factor / before) if before else self.rate(base, group, epoch)

    def pairs(self) -> Iterable[tuple[float, Group]]:
        """Return α₀ and options of each group."""
        if len(self.base_lrs) != len(self.optimizer.param_groups):
            raise RuntimeError(
                f"{type(self).__name__} was made for {len(self.base_lrs)} parameter groups, but the optimizer has "
                f"{len(self.optimizer.param_groups)} now: make the schedule after add_param_group"
            )
        return zip(self.base_lrs, self.optimizer.param_groups, strict=True)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each group."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = float(rate)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimiser and functions, in copies; the rates are the optimiser's state too."""
        return {name: copied(value) for name, value in self.__dict__.items() if self.is_state(name, value)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict()` returned; the optimiser's own state is loaded by itself.

        Raises
        ------
        ValueError : it is not the state of such a schedule of such an optimiser; nothing is changed then.
        """
        self.check(state_dict)
        self.take(state_dict)

    def check(self, state_dict: Mapping[str, Any]) -> None:
        """Raise ValueError if `state_dict` is not the state of such a schedule."""
        own = self.state_dict()
        if not isinstance(state_dict, Mapping) or state_dict.keys() != own.keys():
            raise ValueError(f"this is no state of {type(self).__name__}: it needs the keys {', '.join(sorted(own))}")
        for name in own.keys() - set(self.nested()):
            value = as_number(state_dict[name])
            fits = alike(value, own[name])
            if name in PER_GROUP:
                fits = fits and len(value) == len(self.optimizer.param_groups)
            elif name in self.words:
                fits = value in self.words[name]
            elif fits and isinstance(value, (int, float)) and not isinstance(value, bool):
                least = 1 if name in self.counts else 0 if name == "last_epoch" else -math.inf
                fits = value >= least and (least == -math.inf or value % 1 == 0)
                fits = fits and (math.isfinite(value) or name == "best")
            if not fits:
                raise ValueError(f"the state of {type(self).__name__} cannot have {value!r:.60} as {name!r}")

    def take(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state that was checked."""
        for name, value in state_dict.items():
            if name not in self.nested():
                value = as_number(value)
                self.__dict__[name] = list(value) if isinstance(value, tuple) else value

    def nested(self) -> tuple[str, ...]:
        """Return the names of attributes that hold schedules."""
        return ()

    def is_state(self, name: str, value: Any) -> bool:
        return name not in ("optimizer", *self.nested()) and not callable(value) and name != "lr_lambdas"


class AbsoluteLR(LRScheduler):
    """A schedule that sets rates whatever they were: it defines `rate`, or `get_lr` for the present `last_epoch`."""

    def begin(self, epoch: int) -> None:
        self.last_epoch = epoch
        self.set_rates(self.get_lr())

    def restart(self) -> None:
        self.begin(0)


def rates(schedule: LRScheduler, epochs: int) -> list[float]:
    """Return the rate of the first group in each of the next `epochs`, this one included: what a plot of it shows."""
    found = []
    for epoch in range(epochs):
        if epoch:
            schedule.step()
        found.append(schedule.get_last_lr()[0])
    return found


def each(name: str, value: float | Sequence[float], groups: Sequence[Group]) -> list[float]:
    """Return an option that is one number, or a list of one for each group, as the list."""
    if not isinstance(value, (list, tuple)):
        return [float(as_number(value))] * len(groups)
    if len(value) != len(groups):
        raise ValueError(f"expected {len(groups)} values for {name}, got {len(value)}")
    return [float(as_number(part)) for part in value]


def positive(name: str, value: int) -> int:
    """Return `value`, or raise ValueError if it is not a positive whole number."""
    if int(value) != value or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return int(value)
