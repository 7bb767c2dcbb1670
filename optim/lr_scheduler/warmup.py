"""Schedules that begin with a smaller rate: constant for a while, or rising in a line."""

from __future__ import annotations

from optim.lr_scheduler.schedule import LRScheduler, positive
from optim.optimizer import Optimizer


class ConstantLR(LRScheduler):
    """The rate is multiplied by `factor` until epoch `total_iters`.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(ConstantLR(optimizer, factor=0.5, total_iters=2), 4)
    [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"factor is expected between 0 and 1: {factor}")
        self.first_factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.first_factor if epoch < self.total_iters else 1.0


class LinearLR(LRScheduler):
    """Linear warm-up: the factor on the rate goes from `start_factor` to `end_factor` in `total_iters` epochs.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(LinearLR(optimizer, start_factor=0.25, total_iters=3), 5)
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    counts = ("total_iters",)

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor is expected above 0 and at most 1: {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor is expected between 0 and 1: {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = positive("total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * min(epoch / self.total_iters, 1.0)
