"""A schedule that waits until a metric no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from optim.lr_scheduler.schedule import LRScheduler, each
from optim.optimizer import Optimizer, as_number


class ReduceLROnPlateau(LRScheduler):
    """The rate is multiplied by `factor` when a metric has not improved for more than `patience` epochs.

    Parameters
    ----------
    optimizer : whose rates are set.
    mode : "min" if the metric is to fall, "max" if it is to rise.
    factor : below 1.
    patience : how many epochs without improvement are borne.
    threshold : the improvement that counts, relative to the size of the best ("rel") or absolute ("abs"). PyTorch's
        relative one takes a metric below zero for improved when it stays as it is.
    threshold_mode : see above.
    cooldown : epochs after a reduction that are not counted.
    min_lr : no rate goes below this; or one for each group.
    eps : smaller changes of the rate are left out.

    Examples
    --------
    >>> import optim
    >>> from autograd import Tensor
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.1]
    """

    words: ClassVar[Mapping[str, tuple[str, ...]]] = {"mode": ("min", "max"), "threshold_mode": ("rel", "abs")}

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in self.words["mode"]:
            raise ValueError(f"mode {mode} is unknown: it is 'min' or 'max'")
        if threshold_mode not in self.words["threshold_mode"]:
            raise ValueError(f"threshold mode {threshold_mode} is unknown: it is 'rel' or 'abs'")
        self.optimizer = optimizer
        self.mode = mode
        self.reduction = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = each("min_lr", min_lr, optimizer.param_groups)
        self.eps = eps
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self.set_rates(self.base_lrs)

    def step(self, metrics: Any = None) -> None:
        """Take the metric of the epoch that ended, a number or a tensor of one."""
        if metrics is None:
            raise TypeError("ReduceLROnPlateau.step needs the metric: step(loss)")
        value = float(as_number(metrics))
        self.last_epoch += 1
        if self.is_better(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self.set_rates([group["lr"] for group in self.optimizer.param_groups])

    def reduce(self) -> None:
        """Multiply the rates."""
        for (_, group), least in zip(self.pairs(), self.min_lrs, strict=True):
            lower = max(group["lr"] * self.reduction, least)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower

    def is_better(self, value: float) -> bool:
        """Whether `value` improves on the best so far."""
        margin = self.threshold
        if self.threshold_mode == "rel":
            margin *= 0.0 if math.isinf(self.best) else abs(self.best)
        return value < self.best - margin if self.mode == "min" else value > self.best + margin
