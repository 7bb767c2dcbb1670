"""Schedules that let the rate fall: in steps, exponentially, as 1/t, as a polynomial, or as any function."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from optim.lr_scheduler.schedule import AbsoluteLR, LRScheduler, positive
from optim.optimizer import Optimizer

Factor = Callable[[int], float]


class StepLR(LRScheduler):
    """Step decay: the rate is multiplied by γ every `step_size` epochs.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    counts = ("step_size",)

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = positive("step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Step decay: the rate is multiplied by γ at each epoch in `milestones`.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5), 4)
    [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** bisect_right(self.milestones, epoch))


class ExponentialLR(LRScheduler):
    """Exponential decay: α = α₀ γᵗ, that is α₀ e^(−kt) with γ = e^(−k).

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(ExponentialLR(optimizer, gamma=0.5), 4)
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)


class InverseTimeLR(LRScheduler):
    """1/t decay: α = α₀ / (1 + kt), which PyTorch lacks.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(InverseTimeLR(optimizer, k=1.0), 4)
    [1.0, 0.5, 0.3333, 0.25]
    """

    def __init__(self, optimizer: Optimizer, k: float, last_epoch: int = -1) -> None:
        if k < 0:
            raise ValueError(f"k is the decay of the rate and cannot be negative: {k}")
        self.k = k
        super().__init__(optimizer, last_epoch)

    def check(self, state_dict: Mapping[str, Any]) -> None:
        super().check(state_dict)
        if state_dict["k"] < 0:
            raise ValueError(f"the state of InverseTimeLR has a negative k: {state_dict['k']}")

    def factor(self, epoch: int) -> float:
        return 1 / (1 + self.k * epoch)


class PolynomialLR(LRScheduler):
    """α = α₀ (1 − t/T)^power until T = `total_iters`, and zero after.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(PolynomialLR(optimizer, total_iters=4), 6)
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    counts = ("total_iters",)

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = positive("total_iters", total_iters)
        self.power = power
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float((1 - min(epoch / self.total_iters, 1.0)) ** self.power)


class LambdaLR(AbsoluteLR):
    """α = α₀ f(t): `lr_lambda` is f, or a list with one for each group. The functions are no part of the state.

    >>> import optim
    >>> from autograd import Tensor
    >>> from optim.lr_scheduler import rates
    >>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
    >>> rates(LambdaLR(optimizer, lambda t: 0.9**t), 3)
    [1.0, 0.9, 0.81]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | Sequence[Factor], last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 0
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]
