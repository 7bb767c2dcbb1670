"""Optimisers and their schedules, clipping, averaging and early stopping, on the gradients that `autograd` computes.

Optimisers : `SGD`, `Adam`, `AdamW`, `Adamax`, `NAdam`, `RAdam`, `RMSprop`, `Adagrad`, `Adadelta`; those that evaluate
    the loss themselves are `LBFGS`, `Newton`, `GradientDescent`; one of your own is an `Optimizer`.
Schedules : `optim.lr_scheduler`.
Beside them : `clip_grad_norm_`, `clip_grad_value_`, `clip_grad_norm_per_tensor_`, `ExponentialMovingAverage`, `SWA`,
    `EarlyStopping`.
"""

try:
    from autograd import siblings

    siblings.check(__file__)
except ImportError as error:  # HIPS autograd, which has our import name, has no `siblings`
    fault = f"it is found in {error.path}" if error.name == "autograd" and error.path else error
    raise ImportError(
        f"the package 'autograd' of gategrad cannot be imported: {fault}. HIPS autograd uses the same import name, and "
        "one environment cannot hold both. Make a fresh virtual environment for gategrad, or in this one run\n"
        "    pip uninstall autograd gategrad\n"
        "    pip install path/to/gategrad"
    ) from error

from optim import lr_scheduler
from optim.adadelta import Adadelta
from optim.adagrad import Adagrad
from optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from optim.averaging import SWA, ExponentialMovingAverage
from optim.clip import clip_grad_norm_, clip_grad_norm_per_tensor_, clip_grad_value_
from optim.early_stopping import EarlyStopping
from optim.gradient_descent import GradientDescent
from optim.lbfgs import LBFGS
from optim.newton import Newton
from optim.optimizer import Optimizer
from optim.rmsprop import RMSprop
from optim.sgd import SGD

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
