"""Schedules: how the learning rate changes from epoch to epoch, or from step to step.

>>> import optim
>>> from autograd import Tensor
>>> optimizer = optim.SGD([Tensor([1.0], requires_grad=True)], lr=1.0)
>>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
>>> for epoch in range(4):  # each of them would train, with optimizer.step() after every batch
...     schedule.step()
>>> schedule.get_last_lr()
[0.25]
"""

from optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from optim.lr_scheduler.decay import ExponentialLR, InverseTimeLR, LambdaLR, MultiStepLR, PolynomialLR, StepLR
from optim.lr_scheduler.one_cycle import OneCycleLR
from optim.lr_scheduler.plateau import ReduceLROnPlateau
from optim.lr_scheduler.schedule import AbsoluteLR, LRScheduler, rates
from optim.lr_scheduler.warmup import ConstantLR, LinearLR

__all__ = [
    "AbsoluteLR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "InverseTimeLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "rates",
]
