"""Reading and writing parts, with every kind of index."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import ops
from tests.cases import Case, distinct, normal

MASK = np.array([[True, False, True, False], [False, True, True, False], [False, False, False, True]])
INDICES: dict[str, Any] = {
    "an integer": 1,
    "a negative integer": -1,
    "a slice": slice(1, 3),
    "a negative step": slice(None, None, -2),
    "an empty slice": slice(2, 2),
    "Ellipsis": ...,
    "Ellipsis and an integer": (..., 1),
    "None": None,
    "None among others": (1, None, slice(None, 2)),
    "an empty tuple": (),
    "one element": (1, 2),
    "a list": [2, 0, 2],
    "an empty list": [],
    "an integer array": np.array([[0, 2], [-1, 2]]),
    "a 0-d array": np.array(1),
    "an unsigned array": np.array([2, 2, 1], np.uint8),
    "two integer arrays": (np.array([0, 0, 2]), np.array([-1, -1, 1])),
    "arrays that broadcast": (np.array([[0], [2]]), np.array([1, 1, 3])),
    "an array and an integer": (np.array([0, 0, 1]), 2),
    "an array, then a slice": ([1, 1], slice(None)),
    "an array, then Ellipsis": ([1, 1, 0], ...),
    "a slice, then an array": (slice(None), np.array([3, 0, 3, 3, 1])),
    "a slice, then a short array": (slice(1, None), np.array([3, 3])),
    "a step, then an array": (slice(None, None, -1), [0, 0]),
    "None, then arrays": (None, [0, 0], slice(1, 3)),
    "arrays apart": ([0, 0], None, [1, 1]),
    "a mask": MASK,
    "a mask of rows": np.array([True, False, True]),
    "a mask of columns": (slice(None), np.array([True, False, True, True])),
    "a mask and an array": (np.array([True, False, True]), [1, 1]),
    "an empty mask": np.zeros((3, 4), bool),
    "True": True,
    "False": False,
}
SCALAR_INDICES: dict[str, Any] = {
    "an empty tuple": (),
    "Ellipsis": ...,
    "None": None,
    "two Nones": (None, None),
    "True": True,
}


def with_options(name: str, x: np.ndarray, label: str, **options: Any) -> Case:
    function = getattr(ops, name)
    return Case(name, lambda x: function(x, **options), (x,), label)


def written(index: Any) -> np.ndarray:
    return normal(*np.zeros((3, 4))[index].shape, seed=1)


CASES = [
    *(Case("getitem", lambda x, i=i: ops.getitem(x, i), (normal(3, 4),), label) for label, i in INDICES.items()),
    *(
        Case("getitem", lambda x, i=i: ops.getitem(x, i), (normal(),), f"0-d, {label}")
        for label, i in SCALAR_INDICES.items()
    ),
    Case(
        "getitem",
        lambda x: ops.getitem(x, ([0, 1, 1], slice(None), [2, 0, 0])),
        (normal(2, 3, 4),),
        "a slice between arrays",
    ),
    Case(
        "getitem",
        lambda x: ops.getitem(x, (slice(None), [0, 0, 1], [2, 2, 0])),
        (normal(2, 3, 4),),
        "arrays after a slice",
    ),
    Case("getitem", lambda x: ops.getitem(x, [1, 1, 0]), (normal(4, 3).T,), "transposed"),
    Case("getitem", lambda x: ops.getitem(x, [1, 1, 0]), (normal(2, 2) + 1j * normal(2, 2, seed=1),), "complex"),
    *(Case("scatter", lambda x, i=i: ops.scatter(x, i, (3, 4)), (written(i),), label) for label, i in INDICES.items()),
    *(
        Case("setitem", lambda x, y, i=i: ops.setitem(x, i, y), (normal(3, 4), written(i)), label)
        for label, i in INDICES.items()
    ),
    *(
        Case("setitem", lambda x, y, i=i: ops.setitem(x, i, y), (normal(), normal(seed=1)), f"0-d, {label}")
        for label, i in SCALAR_INDICES.items()
    ),
    Case("setitem", lambda x, y: ops.setitem(x, slice(0, 2), y), (normal(3, 4), normal(seed=1)), "a number broadcast"),
    Case("setitem", lambda x, y: ops.setitem(x, slice(0, 2), y), (normal(3, 4), normal(4)), "a row broadcast"),
    Case("setitem", lambda x, y: ops.setitem(x, [0, 0, 2], y), (normal(3, 4), normal(3, 1)), "repeated rows broadcast"),
    Case(
        "setitem",
        lambda x, y: ops.setitem(x, (0, slice(0, 2)), y),
        (normal(3, 4), normal(1, 1, 2)),
        "more axes than selected",
    ),
    Case("setitem", lambda x, y: ops.setitem(x, MASK, y), (normal(3, 4), normal(1)), "a mask filled"),
    Case("setitem", lambda x: ops.setitem(x, 1, 2.0), (normal(3),), "a plain number"),
    Case("setitem", lambda y: ops.setitem(np.zeros(3, y.dtype), 1, y), (normal(),), "into a plain array"),
    *(
        with_options("take", normal(2, 3, 4), f"axis={axis} {np.shape(indices)}", indices=indices, axis=axis)
        for axis in (None, 0, 1, -1)
        for indices in (1, [0, -1, 1, 1], [[1, 0], [1, 1]], [])
        if indices != [] or axis is not None
    ),
    with_options("take", normal(2, 3), "an empty integer array", indices=np.zeros(0, int)),
    *(
        with_options(
            "take_along_axis", distinct(3, 4), f"argsort axis={axis}", indices=distinct(3, 4).argsort(axis), axis=axis
        )
        for axis in (0, 1, -1, None)
    ),
    with_options("take_along_axis", normal(2, 3), "repeated", indices=np.array([[0, 0, 0, -1], [1, 1, 2, 2]]), axis=1),
    with_options("take_along_axis", normal(2, 3), "indices broadcast", indices=np.array([[0, 2]]), axis=1),
    with_options("take_along_axis", normal(1, 3), "array broadcast", indices=np.array([[0, 2], [1, 1]]), axis=1),
    *(
        Case(
            "compress", lambda x, axis=axis: ops.compress([True, False, True], x, axis), (normal(3, 4),), f"axis={axis}"
        )
        for axis in (None, 0, 1, -1)
    ),
    Case("extract", lambda x: ops.extract(MASK, x), (normal(3, 4),), "mask"),
    *(
        with_options("delete", normal(3, 4), f"axis={axis} {obj}", obj=obj, axis=axis)
        for axis in (None, 0, 1, -1)
        for obj in (1, [0, -1], slice(0, 2), [])
    ),
    *(
        Case(
            "insert",
            lambda x, y, axis=axis, obj=obj: ops.insert(x, obj, y, axis),
            (normal(3, 3), y),
            f"axis={axis} {obj} {y.shape}",
        )
        for axis, obj, y in (
            (None, 2, normal(seed=1)),
            (None, [1, 1, 4], normal(3, seed=1)),
            (0, 1, normal(3, seed=1)),
            (1, 1, normal(2, 3, seed=1)),
            (1, [0, 2], normal(3, 2, seed=1)),
            (-1, [0, 2], normal(seed=1)),
            (0, slice(0, 2), normal(1, seed=1)),
        )
    ),
    Case("append", lambda x, y: ops.append(x, y), (normal(2, 3), normal(seed=1)), "a number"),
    Case("append", lambda x, y: ops.append(x, y), (normal(2, 3), normal(2, 2)), "flattened"),
    Case("append", lambda x, y: ops.append(x, y, 0), (normal(2, 3), normal(1, 3)), "rows"),
    Case("append", lambda x, y: ops.append(x, y, -1), (normal(2, 3), normal(2, 2)), "columns"),
]
