"""Initialisation: fill a parameter in place with constants or random numbers, in its own dtype.

The shared generator draws, which `autograd.manual_seed` starts afresh, or the `generator` that is given. `fan_in` and
`fan_out` count the numbers that come into and go out of one unit: for a weight (out, in, *kernel) they are in and out
times the size of the kernel. Of the lectures, Xavier and He are `xavier_*_` and `kaiming_*_`, and U[-1/√n, 1/√n] is
`uniform_(w, -n**-0.5, n**-0.5)`.

>>> import autograd, nn
>>> _ = autograd.manual_seed(0)
>>> layer = nn.Linear(400, 100)
>>> _ = nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
>>> bool(abs(layer.weight.numpy().std() - (2 / 400) ** 0.5) < 1e-3)
True
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from autograd import Tensor
from autograd.random import shared_generator
from autograd.tensor import overwrite

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "fans",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

T = TypeVar("T", bound=Tensor)
GAINS = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75, "linear": 1.0, "sigmoid": 1.0, "identity": 1.0}
GAINS |= dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0)


def write(tensor: T, values: Any, name: str) -> T:
    """Overwrite a tensor's numbers; graphs that read the old ones refuse to go on, or keep them."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a tensor or parameter, got {type(tensor).__name__}")
    if not tensor.is_leaf:
        raise ValueError(f"{name}: {tensor.label()} is the result of an operation; fill the parameter it comes from")
    overwrite(tensor, values)
    return tensor


def drawn(tensor: Tensor, kind: str, generator: Generator | None) -> Any:
    """Return numbers in the shape of a tensor: "uniform" from [0, 1) or "normal" standard ones."""
    source = generator or shared_generator()
    single: Any = np.float32 if tensor.dtype.itemsize <= 4 else np.float64
    return source.random(tensor.shape, single) if kind == "uniform" else source.standard_normal(tensor.shape, single)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    """Draw from U[a, b].

    >>> import nn, numpy as np
    >>> bool((nn.init.uniform_(nn.Parameter(np.zeros(100)), 2.0, 3.0).numpy() >= 2.0).all())
    True
    """
    return write(tensor, drawn(tensor, "uniform", generator) * (b - a) + a, "uniform_")


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    """Draw from the normal distribution N(mean, std²).

    >>> import nn, numpy as np
    >>> bool(abs(nn.init.normal_(nn.Parameter(np.zeros(10_000)), 2.0, 0.1).numpy().mean() - 2.0) < 0.01)
    True
    """
    if std < 0:
        raise ValueError(f"normal_: std is not negative, got {std}")
    return write(tensor, drawn(tensor, "normal", generator) * std + mean, "normal_")


def constant_(tensor: T, val: float) -> T:
    """Fill with one number.

    >>> import nn
    >>> nn.init.constant_(nn.Parameter([0.0, 0.0]), 3.0).tolist()
    [3.0, 3.0]
    """
    return write(tensor, val, "constant_")


def zeros_(tensor: T) -> T:
    """Fill with zeros.

    >>> import nn
    >>> nn.init.zeros_(nn.Parameter([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return write(tensor, 0, "zeros_")


def ones_(tensor: T) -> T:
    """Fill with ones.

    >>> import nn
    >>> nn.init.ones_(nn.Parameter([0.0, 0.0])).tolist()
    [1.0, 1.0]
    """
    return write(tensor, 1, "ones_")


def eye_(tensor: T) -> T:
    """Fill a matrix with the identity: as many inputs as possible pass unchanged.

    >>> import nn, numpy as np
    >>> nn.init.eye_(nn.Parameter(np.zeros((2, 3)))).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: expected a matrix, got {tensor.shape}")
    return write(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return `fan_in` and `fan_out` of a weight (out, in, *kernel).

    >>> fans(Tensor(np.zeros((16, 3, 5, 5))))
    (75, 400)
    """
    if tensor.ndim < 2:
        raise ValueError(f"fan_in and fan_out need a weight (out, in, ...) of two or more axes, got {tensor.shape}")
    size = math.prod(tensor.shape[2:])
    return tensor.shape[1] * size, tensor.shape[0] * size


def fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out', not {mode!r}")
    return max(1, fans(tensor)[mode == "fan_out"])


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which weights before an activation are to be larger, so that signals keep their size.

    nonlinearity : "linear", "sigmoid", "tanh", "relu", "selu", the name of a convolution, or "leaky_relu", whose
        slope is `param`, 0.01 if left out.

    >>> import nn
    >>> nn.init.calculate_gain("relu"), nn.init.calculate_gain("leaky_relu", 1.0)
    (1.4142, 1.0)
    """
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, (int, float, type(None))):
            raise ValueError(f"calculate_gain: the slope of leaky_relu is a number, not {param!r}")
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: expected leaky_relu, {', '.join(GAINS)}; got {nonlinearity!r}")
    return GAINS[nonlinearity]


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Draw from U[-b, b] with b = gain * √(6 / (fan_in + fan_out)): Glorot's, for sigmoid and tanh.

    >>> import nn, numpy as np
    >>> bool(abs(nn.init.xavier_uniform_(nn.Parameter(np.zeros((4, 6)))).numpy()).max() <= (6 / 10) ** 0.5)
    True
    """
    bound = gain * math.sqrt(6 / max(1, sum(fans(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Draw from N(0, gain² * 2 / (fan_in + fan_out)).

    >>> import nn, numpy as np
    >>> nn.init.xavier_normal_(nn.Parameter(np.zeros((4, 6)))).shape
    (4, 6)
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(1, sum(fans(tensor)))), generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """Draw from U[-b, b] with b = gain * √(3 / fan): He's, for rectifiers; arguments as in `kaiming_normal_`.

    >>> import nn, numpy as np
    >>> bool(abs(nn.init.kaiming_uniform_(nn.Parameter(np.zeros((4, 6))), nonlinearity="relu").numpy()).max() <= 1.0)
    True
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """Draw from N(0, gain² / fan): He's, for rectifiers.

    a : the slope of the leaky ReLU that follows; 0 is ReLU.
    mode : "fan_in" keeps the size of signals forward, "fan_out" that of gradients backward.
    nonlinearity : which gain; see `calculate_gain`.

    >>> import nn, numpy as np
    >>> nn.init.kaiming_normal_(nn.Parameter(np.zeros((4, 6))), mode="fan_out", nonlinearity="relu").shape
    (4, 6)
    """
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(fan(tensor, mode)), generator)


def lecun_uniform_(tensor: T, generator: Generator | None = None) -> T:
    """Draw from U[-b, b] with b = √(3 / fan_in): LeCun's, also for SELU.

    >>> import nn, numpy as np
    >>> bool(abs(nn.init.lecun_uniform_(nn.Parameter(np.zeros((4, 3)))).numpy()).max() <= 1.0)
    True
    """
    bound = math.sqrt(3 / fan(tensor, "fan_in"))
    return uniform_(tensor, -bound, bound, generator)


def lecun_normal_(tensor: T, generator: Generator | None = None) -> T:
    """Draw from N(0, 1 / fan_in).

    >>> import nn, numpy as np
    >>> nn.init.lecun_normal_(nn.Parameter(np.zeros((4, 3)))).shape
    (4, 3)
    """
    return normal_(tensor, 0.0, 1 / math.sqrt(fan(tensor, "fan_in")), generator)


def orthogonal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Fill with a random matrix whose rows, or columns if these are fewer, are orthonormal, times `gain`.

    Axes after the first count as one: a kernel (out, in, *kernel) is a matrix (out, in * kernel).

    >>> import nn, numpy as np
    >>> w = nn.init.orthogonal_(nn.Parameter(np.zeros((2, 5))))
    >>> bool(np.allclose(w.data @ w.data.T, np.eye(2), atol=1e-6))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: expected two or more axes, got {tensor.shape}")
    rows = tensor.shape[0]
    flat = (generator or shared_generator()).standard_normal((rows, math.prod(tensor.shape[1:])))
    q, r = np.linalg.qr(flat.T if rows < flat.shape[1] else flat)
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # else not every such matrix would be equally likely
    return write(tensor, gain * (q.T if rows < flat.shape[1] else q).reshape(tensor.shape), "orthogonal_")


def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> T:
    """Draw from N(mean, std²) what falls within [a, b]. The bounds are numbers, not multiples of std, as in PyTorch.

    >>> import nn, numpy as np
    >>> bool(abs(nn.init.trunc_normal_(nn.Parameter(np.zeros(100)), a=-1.0, b=1.0).numpy()).max() <= 1.0)
    True
    """
    if not (std > 0 and a < b):
        raise ValueError(f"trunc_normal_: expected std > 0 and a < b, got std={std}, a={a}, b={b}")
    source = generator or shared_generator()
    low, high = (a - mean) / std, (b - mean) / std
    found = truncated(tensor.size, low, high, source).reshape(tensor.shape)
    return write(tensor, np.clip(found * std + mean, a, b), "trunc_normal_")


def truncated(count: int, low: float, high: float, source: Generator) -> Any:
    """Return standard normal numbers within [low, high], by drawing again what is to be rejected."""
    inside = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    nearest = min(max(low, 0.0), high)
    # Where few normal numbers would be inside, uniform ones are thinned out, of which enough are kept: none of them
    # lies so far from 0 that its density is less than e^-36 of the greatest.
    far = math.sqrt(nearest * nearest + 72)
    low, high = max(low, -far), min(high, far)
    found = np.empty(count)
    missing = np.arange(count)
    while len(missing):
        if inside > 0.1:
            candidates = source.standard_normal(len(missing))
            kept = (candidates >= low) & (candidates <= high)
        else:
            candidates = source.uniform(low, high, len(missing))
            kept = source.random(len(missing)) < np.exp(0.5 * (nearest * nearest - candidates * candidates))
        found[missing[kept]] = candidates[kept]
        missing = missing[~kept]
    return found
