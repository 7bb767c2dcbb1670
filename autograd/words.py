"""What users of PyTorch type, on a tensor or the package, in the words that we have: for the message of an error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import numpy as np

NUMPYS: Final = "NumPy's functions take tensors, "
ON_THE_CPU: Final = "leave it out: all is computed on the CPU"
IN_NUMPY: Final = {
    "add": "t + other",
    "add_": "t += other",
    "bmm": "t @ other",
    "bool": "t.astype(bool)",
    "chunk": "np.array_split(t, chunks, axis)",
    "clamp": "t.clip(min, max)",
    "clamp_": "t[...] = t.clip(min, max)",
    "contiguous": "leave it out: order in memory is nobody's concern",
    "copy_": "t[...] = other",
    "cpu": ON_THE_CPU,
    "cuda": ON_THE_CPU,
    "device": ON_THE_CPU,
    "dim": "t.ndim",
    "div": "t / other",
    "double": "t.astype(np.float64)",
    "eq": "t == other",
    "expand": "np.broadcast_to(t, shape)",
    "expand_as": "np.broadcast_to(t, other.shape)",
    "fill_": "t[...] = value",
    "float": "t.astype(np.float32)",
    "gather": "np.take_along_axis(t, indices, axis)",
    "half": "t.astype(np.float16)",
    "int": "t.astype(np.int32)",
    "log_softmax": "nn.functional.log_softmax(t, dim)",
    "long": "t.astype(np.int64)",
    "masked_fill": "np.where(mask, value, t)",
    "matmul": "t @ other",
    "mm": "t @ other",
    "mul": "t * other",
    "mul_": "t *= other",
    "norm": "np.linalg.norm(t)",
    "normal_": "nn.init.normal_(t)",
    "numel": "t.size",
    "permute": "t.transpose(axes)",
    "pow": "t ** exponent",
    "split": "np.split(t, sections, axis)",
    "sub": "t - other",
    "sub_": "t -= other",
    "t": "t.T",
    "to": "t.astype(dtype); all is computed on the CPU",
    "topk": "np.sort(t, axis)[..., -k:]",
    "type": "t.astype(dtype)",
    "uniform_": "nn.init.uniform_(t)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(shape)",
    "zero_": "t[...] = 0",
}


FUNCTIONS: Final = {  # of PyTorch's, which are no methods
    **{word: NUMPYS + IN_NUMPY[word] for word in ("chunk", "gather", "norm", "topk", "unsqueeze")},
    "Function": "operation(...) makes one of a function and its gradient rules",
    "Variable": "Tensor(data, requires_grad=True)",
    "array": f"{NUMPYS}np.stack(tensors); of numbers, Tensor(numbers) makes one",
    "as_tensor": "Tensor(data), or from_numpy(array) to share memory",
    "bmm": "x @ y",
    "cat": f"{NUMPYS}np.concatenate(tensors, axis)",
    "clamp": f"{NUMPYS}np.clip(t, min, max)",
    "cuda": ON_THE_CPU,
    "device": ON_THE_CPU,
    "float32": "np.float32",
    "float64": "np.float64",
    "inference_mode": "no_grad",
    "is_tensor": "isinstance(x, Tensor)",
    "load": "nn.load(path)",
    "mm": "x @ y",
    "mul": "x * y",
    "nn": "a package of its own, import nn",
    "optim": "a package of its own, import optim",
    "pow": "x ** y",
    "relu": "nn.functional.relu(t)",
    "save": "nn.save(state, path)",
    "sigmoid": "nn.functional.sigmoid(t)",
    "softmax": "nn.functional.softmax(t, dim)",
    "sub": "x - y",
}


class Elsewhere:
    """An attribute that is not there, and says what there is instead.

    One for each word: a `__getattr__` for all of them would slow every attribute of a tensor, and a step of an MLP by a
    tenth.
    """

    def __init__(self, word: str, hint: str) -> None:
        self.word = word
        self.hint = hint

    def __get__(self, instance: Any, kind: type) -> NoReturn:
        raise AttributeError(f"{kind.__name__!r} object has no attribute {self.word!r}: {self.hint}")


def point_elsewhere(kind: type, hints: Mapping[str, str]) -> None:
    """Have a class say for each of these words that it is not there, and what is."""
    for word, hint in hints.items():
        setattr(kind, word, Elsewhere(word, hint))


def missing(name: str) -> AttributeError:
    """Return the error for a name that the package has not: NumPy's functions take tensors."""
    theirs = getattr(np, name, None)
    numpys = f"{NUMPYS}np.{name}" if callable(theirs) and not isinstance(theirs, type) else None
    found = FUNCTIONS.get(name) or numpys
    hint = f": {found}" if found else ""
    error = AttributeError(f"module 'autograd' has no attribute {name!r}{hint}", name=name)
    if not found:  # Python may know a name that is much like it
        error.obj = sys.modules["autograd"]
    return error
