"""Data in batches: datasets, their parts, and loaders that shuffle them anew in each epoch.

>>> import autograd, numpy as np
>>> from nn.data import DataLoader, TensorDataset, random_split
>>> _ = autograd.manual_seed(0)
>>> digits = TensorDataset(np.arange(20.0).reshape(10, 2), np.arange(10))
>>> train, test = random_split(digits, [0.8, 0.2])
>>> [(images.shape, labels.shape) for images, labels in DataLoader(train, batch_size=3, shuffle=True)]
[((3, 2), (3,)), ((3, 2), (3,)), ((2, 2), (2,))]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from autograd import Tensor
from autograd.random import shared_generator

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "collate", "random_split"]


class Dataset(Protocol):
    """What a loader takes: anything with a length whose examples are found by number, a list say.

    >>> class Squares:
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, i):
    ...         return i * i
    >>> [batch.tolist() for batch in DataLoader(Squares(), batch_size=2)]
    [[0, 1], [4, 9]]
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class TensorDataset:
    """Examples that lie side by side in arrays or tensors: number i is a tuple of what each has at i.

    Whole batches are taken at once, which is quick: `dataset[indices]`.

    >>> TensorDataset([[1.0, 2.0], [3.0, 4.0]], [0, 1])[1]
    (Tensor([3., 4.], shape=(2,), dtype=float64), Tensor(1, dtype=int64))
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(t.detach() if isinstance(t, Tensor) else Tensor(t) for t in tensors)
        sizes = {t.shape[:1] for t in self.tensors}
        if len(sizes) != 1 or sizes == {()}:
            raise ValueError(
                f"TensorDataset: expected tensors with as many examples each, got {[t.shape for t in self.tensors]}"
            )

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)


class Subset:
    """The examples of a dataset with the given numbers, a list or array, in that order; or where a mask is True.

    >>> list(Subset([10, 20, 30], [2, 0]))
    [30, 10]
    """

    def __init__(self, dataset: Dataset, indices: Any) -> None:
        self.dataset = dataset
        given = np.asarray(indices)
        if given.dtype.kind == "b" and given.shape == (len(dataset),):
            given = given.nonzero()[0]
        if given.size and (given.dtype.kind not in "iu" or given.ndim != 1):
            raise ValueError(
                f"Subset: expected a list of whole numbers, or a mask of {len(dataset)}, got {indices!r:.60}"
            )
        self.indices = given.astype(np.intp)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        found = self.indices[index]
        return self.dataset[int(found) if np.ndim(found) == 0 else found]

    def whole(self) -> bool:
        """Whether a batch can be taken at once."""
        return takes_batches(self.dataset)


def takes_batches(dataset: Any) -> bool:
    """Whether a dataset is one of ours: what a subclass does with a number, it may not do with an array of them."""
    getitem = type(dataset).__getitem__
    return getitem is TensorDataset.__getitem__ or (getitem is Subset.__getitem__ and dataset.whole())


def random_split(dataset: Dataset, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Return parts of a dataset without overlap, drawn at random: so many examples each, or shares that sum to 1.

    What rounding shares down leaves over goes to the parts in turn. The shared generator draws if none is given.

    Raises
    ------
    ValueError : the lengths do not sum to that of the dataset, nor to 1.

    Examples
    --------
    >>> [len(part) for part in random_split(range(10), [0.7, 0.3])]
    [7, 3]
    """
    size = len(dataset)
    counts = [int(n) for n in lengths]
    if math.isclose(sum(lengths), 1) and sum(counts) != size:
        counts = [math.floor(size * share) for share in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
    shares = sum(counts) == size and math.isclose(sum(lengths), 1)
    if sum(counts) != size or min(counts, default=0) < 0 or not (shares or counts == list(lengths)):
        raise ValueError(f"random_split: {list(lengths)} sum neither to 1 nor to the {size} examples")
    order = (generator or shared_generator()).permutation(size)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(counts)[:-1])]


def collate(examples: Sequence[Any]) -> Any:
    """Make one batch of examples: tensors, arrays and numbers are stacked; tuples, lists and dicts member by member.

    >>> [part.tolist() for part in collate([(np.zeros(2), 3), (np.ones(2), 6)])]
    [[[0.0, 0.0], [1.0, 1.0]], [3, 6]]
    """
    first = examples[0]
    if isinstance(first, dict):
        return {key: collate([example[key] for example in examples]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(collate(members) for members in zip(*examples, strict=True))
    if isinstance(first, (Tensor, np.ndarray, np.generic, int, float)):
        arrays = [e.data if isinstance(e, Tensor) else np.asarray(e) for e in examples]
        shapes = {a.shape for a in arrays}
        if len(shapes) > 1:
            raise ValueError(
                f"a batch is of examples of one shape, these have {', '.join(map(str, sorted(shapes)))}: pass a "
                "`collate_fn` that pads them, say"
            )
        return Tensor(np.stack(arrays))
    return list(examples)


class DataLoader:
    """Batches of a dataset, one pass for each `for` loop.

    Parameters
    ----------
    dataset : a `TensorDataset`, or anything with a length whose examples are found by number.
    batch_size : how many examples a batch has; the last may have fewer.
    shuffle : put the examples in a new random order for each pass.
    drop_last : leave out a last batch that is not full.
    collate_fn : makes a batch of a list of examples; `collate` if left out.
    generator : draws the order; the shared one, which `autograd.manual_seed` starts afresh, if left out.
    num_workers, pin_memory : PyTorch's, without effect: examples are found in this thread, and stay on the CPU.

    Examples
    --------
    >>> [batch.tolist() for batch in DataLoader(np.arange(5), batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        collate_fn: Callable[[Sequence[Any]], Any] | None = None,
        generator: Generator | None = None,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size is a positive integer, not {batch_size!r}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.collate_fn = collate_fn
        self.generator = generator

    def __len__(self) -> int:
        size = len(self.dataset)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        size = len(self.dataset)
        order = (self.generator or shared_generator()).permutation(size) if self.shuffle else np.arange(size)
        at_once = self.collate_fn is None and takes_batches(self.dataset)
        make = self.collate_fn or collate
        for i in range(len(self)):
            batch = order[i * self.batch_size : (i + 1) * self.batch_size]
            yield self.dataset[batch] if at_once else make([self.dataset[int(n)] for n in batch])
