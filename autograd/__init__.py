"""A reverse-mode autograd engine on NumPy: expressions of tensors, and their gradients.

>>> from autograd import Tensor
>>> x, y, z = Tensor(-2.0, requires_grad=True), Tensor(5.0, requires_grad=True), Tensor(-4.0, requires_grad=True)
>>> f = (x + y) * z
>>> f.backward()
>>> x.grad, y.grad, z.grad
(Tensor(-4.0), Tensor(-4.0), Tensor(3.0))

Tensors : `Tensor` and its methods, `tensor`, `from_numpy`, `zeros`, `ones`, `full`, `eye`, `arange`, `linspace`,
    `zeros_like`, `ones_like`, `full_like`, `rand`, `randn`, `randint`, `randperm`. NumPy's functions take them.
Gradients : `Tensor.backward`, `gradients`; of functions `grad`, `value_and_grad`, `elementwise_grad`, `jacobian`,
    `hessian`, `hvp`, `vjp`, `jvp`; `checkpoint` keeps less in memory.
Modes : `no_grad`, `enable_grad`, `set_grad_enabled`, `is_grad_enabled`, `record`, `anomaly_mode`.
Pictures : `draw`.
Operations of your own : `operation`, `gradcheck`, `gradgradcheck`, `GradcheckError`.
Chance and threads : `manual_seed`, `get_rng_state`, `set_rng_state`, `get_num_threads`, `set_num_threads`.
"""

from typing import TYPE_CHECKING

# First: the one circle of imports (see CONTRIBUTING.md) is entered here.
from autograd.tensor import Tensor

# isort: split
from autograd.check import GradcheckError, gradcheck, gradgradcheck
from autograd.checkpointing import checkpoint
from autograd.creation import (
    arange,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from autograd.draw import draw
from autograd.functional import (
    elementwise_grad,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from autograd.memory import keep_freed_by_default
from autograd.modes import anomaly_mode, enable_grad, is_grad_enabled, no_grad, record, set_grad_enabled
from autograd.operation import operation
from autograd.random import get_rng_state, manual_seed, rand, randint, randn, randperm, set_rng_state
from autograd.threads import get_num_threads, set_num_threads
from autograd.words import missing

__version__ = "0.1.0"
__all__ = [
    "GradcheckError",
    "Tensor",
    "anomaly_mode",
    "arange",
    "checkpoint",
    "draw",
    "elementwise_grad",
    "enable_grad",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "get_num_threads",
    "get_rng_state",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "gradients",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "linspace",
    "manual_seed",
    "no_grad",
    "ones",
    "ones_like",
    "operation",
    "rand",
    "randint",
    "randn",
    "randperm",
    "record",
    "set_grad_enabled",
    "set_num_threads",
    "set_rng_state",
    "tensor",
    "value_and_grad",
    "vjp",
    "zeros",
    "zeros_like",
]

keep_freed_by_default()


if not TYPE_CHECKING:  # to which it would say that there is everything

    def __getattr__(name):
        raise missing(name)
