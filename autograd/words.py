"""What users of PyTorch type, on a tensor or the package, in the words that we have: for the message of an error."""

from __future__ import annotations

from typing import Any, Final, NoReturn

import numpy as np

ON_THE_CPU: Final = "leave it out: all is computed on the CPU"
IN_NUMPY: Final = {
    "add_": "t += other",
    "bmm": "t @ other",
    "bool": "t.astype(bool)",
    "chunk": "np.array_split(t, chunks, axis)",
    "clamp": "t.clip(min, max)",
    "contiguous": "leave it out: order in memory is nobody's concern",
    "cpu": ON_THE_CPU,
    "cuda": ON_THE_CPU,
    "dim": "t.ndim",
    "double": "t.astype(np.float64)",
    "eq": "t == other",
    "expand": "np.broadcast_to(t, shape)",
    "expand_as": "np.broadcast_to(t, other.shape)",
    "fill_": "t[...] = value",
    "float": "t.astype(np.float32)",
    "gather": "np.take_along_axis(t, indices, axis)",
    "half": "t.astype(np.float16)",
    "int": "t.astype(np.int32)",
    "log_softmax": "nn.functional.log_softmax(t, axis)",
    "long": "t.astype(np.int64)",
    "masked_fill": "np.where(mask, value, t)",
    "matmul": "t @ other",
    "mm": "t @ other",
    "mul_": "t *= other",
    "norm": "np.linalg.norm(t)",
    "numel": "t.size",
    "permute": "t.transpose(axes)",
    "pow": "t ** exponent",
    "split": "np.split(t, sections, axis)",
    "sub_": "t -= other",
    "t": "t.T",
    "to": "t.astype(dtype)",
    "type": "t.astype(dtype)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(shape)",
    "zero_": "t[...] = 0",
}


FUNCTIONS: Final = {  # of PyTorch's, which are no methods
    **{word: IN_NUMPY[word] for word in ("chunk", "gather", "norm", "unsqueeze")},
    "array": "np.stack(tensors); of numbers, Tensor(numbers) makes one",
    "bmm": "x @ y",
    "cat": "np.concatenate(tensors, axis)",
    "clamp": "np.clip(t, min, max)",
    "mm": "x @ y",
    "mul": "x * y",
    "pow": "x ** y",
    "relu": "nn.functional.relu(t)",
    "sigmoid": "nn.functional.sigmoid(t)",
    "softmax": "nn.functional.softmax(t, axis)",
    "sub": "x - y",
}


class Elsewhere:
    """An attribute that is not there, and says what there is instead.

    One for each word: a `__getattr__` for all of them would slow every attribute of a tensor, and a step of an MLP by a
    tenth.
    """

    def __init__(self, word: str) -> None:
        self.word = word

    def __get__(self, tensor: Any, kind: type) -> NoReturn:
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {self.word!r}: in NumPy's words, {IN_NUMPY[self.word]}"
        )


def point_elsewhere(kind: type) -> None:
    """Have a class say for each of these words that it is not there, and what is."""
    for word in IN_NUMPY:
        setattr(kind, word, Elsewhere(word))


def missing(name: str) -> AttributeError:
    """Return the error for a function that the package has not: NumPy's functions take tensors."""
    theirs = getattr(np, name, None)
    found = FUNCTIONS.get(name) or (f"np.{name}" if callable(theirs) and not isinstance(theirs, type) else None)
    hint = f": NumPy's functions take tensors, {found}" if found else ""
    return AttributeError(f"module 'autograd' has no attribute {name!r}{hint}", name=name)
