"""Every operation: one file a family, each a table of forwards with their gradient rules beside them.

Given arrays, an operation is its forward and returns an array; given a Tensor, it is recorded
and returns one. `TABLE` has them all by name; `COMPOSED` has NumPy's functions that are written in terms of them.
"""

from __future__ import annotations

from typing import Any

from autograd.ops import (
    activation,
    arithmetic,
    convolutional,
    cumulative,
    elementwise,
    fourier,
    indexing,
    joining,
    linalg,
    normalization,
    pooling,
    products,
    reduction,
    shape,
    signal,
    sorting,
)
from autograd.ops.activation import *  # noqa: F403
from autograd.ops.arithmetic import *  # noqa: F403
from autograd.ops.convolutional import *  # noqa: F403
from autograd.ops.cumulative import *  # noqa: F403
from autograd.ops.elementwise import *  # noqa: F403
from autograd.ops.fourier import *  # noqa: F403
from autograd.ops.indexing import *  # noqa: F403
from autograd.ops.joining import *  # noqa: F403
from autograd.ops.linalg import *  # noqa: F403
from autograd.ops.normalization import *  # noqa: F403
from autograd.ops.pooling import *  # noqa: F403
from autograd.ops.products import *  # noqa: F403
from autograd.ops.reduction import *  # noqa: F403
from autograd.ops.shape import *  # noqa: F403
from autograd.ops.signal import *  # noqa: F403
from autograd.ops.sorting import *  # noqa: F403

FAMILIES = (
    arithmetic,
    elementwise,
    activation,
    reduction,
    cumulative,
    sorting,
    shape,
    joining,
    indexing,
    products,
    linalg,
    fourier,
    signal,
    convolutional,
    pooling,
    normalization,
)  # fmt: skip
PUBLIC: dict[str, Any] = {name: getattr(family, name) for family in FAMILIES for name in family.__all__}
TABLE = {name: function for name, function in PUBLIC.items() if hasattr(function, "operation")}
COMPOSED = {name: function for name, function in PUBLIC.items() if name not in TABLE}
