"""One cycle of the rate over the whole training, and of momentum against it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from optim.lr_scheduler.schedule import AbsoluteLR, each, positive
from optim.optimizer import Optimizer

ENDS: Final = frozenset({"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"})  # of phases, in the group


class OneCycleLR(AbsoluteLR):
    """One cycle: the rate rises from max_lr/div_factor to max_lr, then falls to a tiny one; momentum does the opposite.

    Parameters
    ----------
    optimizer : with the option `momentum` or `betas`, unless `cycle_momentum=False`.
    max_lr : the largest rate, or one for each group.
    total_steps : the length of the cycle; or `epochs` × `steps_per_epoch`.
    epochs : see above.
    steps_per_epoch : see above. `step` is called after every batch.
    pct_start : the share of the cycle in which the rate rises.
    anneal_strategy : "cos" or "linear".
    cycle_momentum : whether momentum (β₁ where there are betas) changes too.
    base_momentum : the smallest momentum, or one for each group.
    max_momentum : the largest.
    div_factor : max_lr over the first rate.
    final_div_factor : the first rate over the last.
    three_phase : fall as slowly as it rose, and to the last rate in a third phase.
    last_epoch : as for every schedule.

    References
    ----------
    Smith, Topin, Super-convergence: very fast training of neural networks using large learning rates, 2018.

    Examples
    --------
    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    >>> rates(OneCycleLR(optimizer, max_lr=1.0, total_steps=10, anneal_strategy="linear"), 4)
    [0.04, 0.52, 1.0, 0.857]
    """

    counts = ("total_steps",)
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {"anneal_strategy": ("cos", "linear")}

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            total_steps = positive("epochs", epochs) * positive("steps_per_epoch", steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in self.words["anneal_strategy"]:
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps = positive("total_steps", total_steps)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        top = float(pct_start * total_steps) - 1
        # Where each phase ends, and between which of the group's rates and momenta it leads.
        self.phases: list[tuple[float, tuple[str, str], tuple[str, str]]] = [
            (top, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))
        ]
        if three_phase:
            self.phases += [
                (2 * top, ("max_lr", "initial_lr"), ("base_momentum", "max_momentum")),
                (total_steps - 1, ("initial_lr", "min_lr"), ("max_momentum", "max_momentum")),
            ]
        else:
            self.phases += [(total_steps - 1, ("max_lr", "min_lr"), ("base_momentum", "max_momentum"))]
        groups = optimizer.param_groups
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        if last_epoch == -1:
            for group, rate in zip(groups, each("max_lr", max_lr, groups), strict=True):
                first = rate / div_factor
                group.update(initial_lr=first, max_lr=rate, min_lr=first / final_div_factor)
            if cycle_momentum:
                lows, highs = each("base_momentum", base_momentum, groups), each("max_momentum", max_momentum, groups)
                for group, low, high in zip(groups, lows, highs, strict=True):
                    group.update(base_momentum=low, max_momentum=high)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")
        ends = [end for end, _, _ in self.phases]
        phase = min(bisect_left(ends, t), len(ends) - 1)
        begin = ends[phase - 1] if phase else 0.0
        end, lrs, momenta = self.phases[phase]
        share = (t - begin) / (end - begin) if end != begin else 1.0
        found = []
        for group in self.optimizer.param_groups:
            found.append(self.between(group[lrs[0]], group[lrs[1]], share))
            if self.cycle_momentum:
                momentum = self.between(group[momenta[0]], group[momenta[1]], share)
                if "betas" in self.optimizer.defaults:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        return found

    def check(self, state_dict: Mapping[str, Any]) -> None:
        super().check(state_dict)
        ends = {end for _, lrs, momenta in state_dict["phases"] for end in (*lrs, *momenta)}
        if not state_dict["phases"] or not ends <= ENDS:
            raise ValueError(f"the state of OneCycleLR has phases between {', '.join(sorted(ends)) or 'nothing'}")

    def between(self, start: float, end: float, share: float) -> float:
        """Return the value after `share` of the way from `start` to `end`."""
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2 * (math.cos(math.pi * share) + 1)
        return start + (end - start) * share
