"""Cosine annealing: half a wave from the first rate to the last, once or again and again."""

from __future__ import annotations

import math

from optim.flat import Group
from optim.lr_scheduler.schedule import AbsoluteLR, LRScheduler, positive
from optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """α = η + ½ (α₀ − η)(1 + cos(π t/T)): down to η = `eta_min` in T = `T_max` epochs, then up again.

    From Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(CosineAnnealingLR(optimizer, T_max=4), 5)
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    counts = ("T_max",)

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = positive("T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, group: Group, epoch: int) -> float:
        return self.eta_min + (base - self.eta_min) * self.height(epoch)

    def first(self, group: Group) -> float:
        return float(group["lr"])

    def following(self, base: float, group: Group, epoch: int) -> float:
        before = self.height(epoch - 1)
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # it was at the bottom, from which nothing can be scaled
            return float(group["lr"]) + (base - self.eta_min) * self.height(epoch)
        return self.eta_min + (float(group["lr"]) - self.eta_min) * self.height(epoch) / before

    def height(self, epoch: int) -> float:
        """Return ½ (1 + cos(π t/T))."""
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class CosineAnnealingWarmRestarts(AbsoluteLR):
    """Cosine annealing that starts again at α₀ after T_0 epochs, then after T_mult times as many, and so on.

    `step(epoch)` takes fractions, to change the rate within an epoch.

    From Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(CosineAnnealingWarmRestarts(optimizer, T_0=2), 5)
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    counts = ("T_0", "T_mult")

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = positive("T_0", T_0)
        self.T_mult = positive("T_mult", T_mult)
        self.eta_min = eta_min
        self.moment = float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def begin(self, epoch: int) -> None:
        self.step(epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to `epoch`."""
        self.moment = self.moment + 1 if epoch is None else float(epoch)
        if self.moment < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        self.last_epoch = math.floor(self.moment)
        self.set_rates(self.get_lr())

    def get_lr(self) -> list[float]:
        since, length = self.moment, float(self.T_0)
        if self.T_mult == 1:
            since %= length
        while since >= length:
            since -= length
            length *= self.T_mult
        height = (1 + math.cos(math.pi * since / length)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]
