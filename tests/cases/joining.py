"""Cases of the operations that join tensors or take one apart."""

import numpy as np

from autograd import ops
from tests.cases import Case, normal

A, B, C = normal(2, 3), normal(2, 1, seed=1), normal(2, 4, seed=2)
V, W = normal(3), normal(3, seed=1)


def joined(parts):
    """Return the parts flattened into one, each with a factor of its own, so that no two look alike."""
    return np.concatenate([part * (i + 1.0) for i, part in enumerate(parts)], axis=None)


CASES = [
    Case("concatenate", lambda x, y, z: ops.concatenate([x, y, z], 1), (A, B, C)),
    Case("concatenate", lambda x, y: ops.concatenate((x, y), axis=-1), (A, B), "negative axis"),
    Case("concatenate", lambda x, y: ops.concatenate((x, y), axis=None), (A, B), "flat"),
    Case("concatenate", lambda x: ops.concatenate([x, x * x, x]), (V,), "the same thrice"),
    Case("concatenate", lambda x: ops.concatenate([np.ones((2, 2), np.float32), x], 1), (A,), "with an array"),
    Case("concatenate", lambda x, y: ops.concatenate([x, y]), (normal(0, 3), A), "an empty one"),
    Case("stack", lambda x, y: ops.stack([x, y]), (V, W)),
    Case("stack", lambda x, y: ops.stack([x, y], -1), (A, A + 1), "last axis"),
    Case("stack", lambda x, y: ops.stack([x, np.float32(2), y]), (normal(), normal(seed=1)), "0-d and a number"),
    Case("vstack", lambda x, y: np.vstack([x, y]), (A, V)),
    Case("hstack", lambda x, y: np.hstack([x, y]), (A, B)),
    Case("hstack", lambda x, y: np.hstack([x, y]), (V, normal()), "vectors"),
    Case("dstack", lambda x, y: np.dstack([x, y]), (A, A + 1)),
    Case("column_stack", lambda x, y: np.column_stack([x, y]), (V, normal(3, 2))),
    Case("append", lambda x, y: np.append(x, y, 1), (A, B)),
    Case("append", lambda x, y: np.append(x, y), (A, V), "flat"),
    Case("block", lambda x, y, z: np.block([[x, y], [z]]), (A, B, normal(1, 4))),
    Case("block", lambda x, y: np.block([x, y]), (V, normal()), "vectors"),
    Case("split", lambda x: joined(np.split(x, 3, 1)), (A,)),
    Case("split", lambda x: joined(np.split(x, [1, 3], -1)), (C,), "before indices"),
    Case("array_split", lambda x: joined(np.array_split(x, 3)), (normal(7),)),
    Case("hsplit", lambda x: joined(np.hsplit(x, 3)), (A,)),
    Case("vsplit", lambda x: joined(np.vsplit(x, 2)), (A,)),
    Case("dsplit", lambda x: joined(np.dsplit(x, 2)), (normal(2, 3, 4),)),
    Case("unstack", lambda x: joined(ops.COMPOSED["unstack"](x, axis=1)), (A,)),
    Case("meshgrid", lambda x, y, z: joined(np.meshgrid(x, y, z)), (V, normal(2), normal(4))),
    Case("meshgrid", lambda x, y: joined(np.meshgrid(x, y, indexing="ij")), (V, normal(2)), "ij"),
    Case("meshgrid", lambda x, y: joined(np.meshgrid(x, y, sparse=True)), (V, normal(2)), "sparse"),
    Case("broadcast_arrays", lambda x, y: joined(np.broadcast_arrays(x, y)), (B, normal(3))),
]
