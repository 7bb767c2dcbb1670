"""Optimisers, schedules and the training loop for what `autograd` computes gradients of."""

from nn import _siblings

_siblings.check("autograd")

from optim import lr_scheduler  # noqa: E402
from optim.adadelta import Adadelta  # noqa: E402
from optim.adagrad import Adagrad  # noqa: E402
from optim.adam import Adam, Adamax, AdamW, NAdam, RAdam  # noqa: E402
from optim.averaging import SWA, ExponentialMovingAverage  # noqa: E402
from optim.clip import clip_grad_norm_, clip_grad_norm_per_tensor_, clip_grad_value_  # noqa: E402
from optim.early_stopping import EarlyStopping  # noqa: E402
from optim.gradient_descent import GradientDescent  # noqa: E402
from optim.lbfgs import LBFGS  # noqa: E402
from optim.newton import Newton  # noqa: E402
from optim.optimizer import Optimizer  # noqa: E402
from optim.rmsprop import RMSprop  # noqa: E402
from optim.sgd import SGD  # noqa: E402

__all__ = [
    "LBFGS",
    "SGD",
    "SWA",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "EarlyStopping",
    "ExponentialMovingAverage",
    "GradientDescent",
    "NAdam",
    "Newton",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_norm_per_tensor_",
    "clip_grad_value_",
    "lr_scheduler",
]
