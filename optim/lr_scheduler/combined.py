"""Schedules made of schedules: one after another, or several at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from optim.lr_scheduler.plateau import ReduceLROnPlateau
from optim.lr_scheduler.schedule import LRScheduler
from optim.optimizer import Optimizer, listed


class CombinedLR(LRScheduler):
    """A schedule of schedules, whose state holds theirs."""

    schedulers: list[LRScheduler]

    def nested(self) -> tuple[str, ...]:
        return ("schedulers",)

    def state_dict(self) -> dict[str, Any]:
        """Return its own state and that of each schedule."""
        return {**super().state_dict(), "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def check(self, state_dict: Mapping[str, Any]) -> None:
        super().check(state_dict)
        states = listed(state_dict["schedulers"])
        if len(states) != len(self.schedulers):
            raise ValueError(f"the state is of {len(states)} schedules, but there are {len(self.schedulers)}")
        for schedule, state in zip(self.schedulers, states, strict=True):
            schedule.check(state)

    def take(self, state_dict: Mapping[str, Any]) -> None:
        super().take(state_dict)
        for schedule, state in zip(self.schedulers, state_dict["schedulers"], strict=True):
            schedule.take(state)


class SequentialLR(CombinedLR):
    """Schedules one after another: the first until the first of the `milestones`, where the next begins at its epoch 0.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import ExponentialLR, LinearLR, rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> warmup = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> decay = ExponentialLR(optimizer, gamma=0.5)
    >>> rates(SequentialLR(optimizer, [warmup, decay], milestones=[2]), 5)
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        together(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got {len(schedulers)} schedulers and {len(milestones)} milestones"
            )
        self.schedulers = list(schedulers)
        self.milestones = list(milestones)
        for group in optimizer.param_groups:  # each schedule set the rates when it was made
            group["lr"] = group["initial_lr"]
        super().__init__(optimizer, last_epoch)

    def check(self, state_dict: Mapping[str, Any]) -> None:
        super().check(state_dict)
        if len(state_dict["milestones"]) != len(self.milestones):
            raise ValueError(f"the state has {len(state_dict['milestones'])} milestones, not {len(self.milestones)}")

    def begin(self, epoch: int) -> None:
        self.last_epoch = epoch
        self.present().restart()
        self._last_lr = self.present().get_last_lr()

    def restart(self) -> None:
        self.begin(0)

    def present(self) -> LRScheduler:
        """Return the schedule in force."""
        return self.schedulers[bisect_right(self.milestones, self.last_epoch)]

    def step(self) -> None:
        """Go on to the next epoch, of the schedule whose turn it is."""
        self.last_epoch += 1
        if self.last_epoch in self.milestones:
            self.present().restart()
        else:
            self.present().step()
        self._last_lr = self.present().get_last_lr()


class ChainedScheduler(CombinedLR):
    """Several schedules at once: each multiplies what the others made of the rate.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import ConstantLR, ExponentialLR, rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> both = [ConstantLR(optimizer, factor=0.1, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
    >>> rates(ChainedScheduler(both), 4)
    [0.1, 0.05, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler expects at least one scheduler")
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        together(self.optimizer, schedulers)
        self.schedulers = list(schedulers)
        self.last_epoch = 0
        self.base_lrs = list(schedulers[0].base_lrs)
        self.set_rates([group["lr"] for group in self.optimizer.param_groups])

    def restart(self) -> None:
        """Begin all at epoch 0, from α₀."""
        self.last_epoch = 0
        for base, group in self.pairs():
            group["lr"] = base
        for schedule in self.schedulers:
            if isinstance(schedule, CombinedLR):
                schedule.restart()
            else:
                schedule.begin(0)
        self.set_rates([group["lr"] for group in self.optimizer.param_groups])

    def step(self) -> None:
        """Go on to the next epoch of all."""
        self.last_epoch += 1
        for schedule in self.schedulers:
            schedule.step()
        self.set_rates([group["lr"] for group in self.optimizer.param_groups])


def together(optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
    """Raise unless all schedules are of one optimiser, and step without a metric."""
    if not schedulers:
        raise ValueError("expected at least one scheduler to be chained, but got none")
    for i, schedule in enumerate(schedulers):
        if isinstance(schedule, ReduceLROnPlateau):
            raise ValueError(f"ReduceLROnPlateau needs a metric at each step and cannot be combined (index {i})")
        if schedule.optimizer is not optimizer:
            raise ValueError(f"all schedulers need to belong to the same optimizer; the one at index {i} does not")
