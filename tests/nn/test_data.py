"""Loaders: each example once a pass, in an order that follows from the seed."""

from __future__ import annotations

import numpy as np
import pytest

from autograd import Tensor, manual_seed
from nn.data import DataLoader, Subset, TensorDataset, random_split

X, Y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10)
DATA = TensorDataset(X, Y)


def flat(batches):
    return [n for batch in batches for n in batch]


def labels(loader):
    return [batch[1].tolist() for batch in loader]


def test_batches_are_slices_in_order():
    loader = DataLoader(DATA, 4)
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(loader) == 3
    x, _ = next(iter(loader))
    assert isinstance(x, Tensor)
    assert (x == X[:4]).all()
    assert x.dtype == np.float32


def test_a_last_batch_that_is_not_full_can_be_dropped():
    loader = DataLoader(DATA, 4, drop_last=True)
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(loader) == 2


def test_shuffling_gives_each_example_once_in_an_order_of_its_own_each_pass():
    manual_seed(0)
    loader = DataLoader(DATA, 3, shuffle=True)
    first, second = (flat(labels(loader)) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    manual_seed(0)
    assert flat(labels(loader)) == first
    assert labels(DataLoader(DATA, 3, True, generator=np.random.default_rng(1))) == labels(
        DataLoader(DATA, 3, True, generator=np.random.default_rng(1))
    )


def test_any_sequence_is_a_dataset_and_its_examples_are_stacked():
    examples = [{"image": X[i], "label": i} for i in range(10)]
    batch = next(iter(DataLoader(examples, 3)))
    assert batch["image"].tolist() == X[:3].tolist()
    assert batch["label"].tolist() == [0, 1, 2]
    assert list(DataLoader(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]
    assert list(DataLoader([1, 2, 3], 2, collate_fn=sum)) == [3, 3]


def test_splits_cover_the_data_without_overlap():
    for lengths, sizes in (([7, 3], [7, 3]), ([0.8, 0.2], [8, 2]), ([0.55, 0.45], [6, 4]), ([1.0], [10])):
        parts = random_split(DATA, lengths, np.random.default_rng(0))
        assert [len(p) for p in parts] == sizes
        assert sorted(n for p in parts for n in p.indices) == list(range(10))
    part = random_split(DATA, [5, 5], np.random.default_rng(0))[0]
    assert flat(labels(DataLoader(part, 2))) == part.indices.tolist()
    assert part[0][1].item() == part.indices[0]


def test_parts_of_sequences():
    part = Subset(["a", "b", "c"], [2, 0])
    assert [part[0], part[1]] == ["c", "a"]
    assert list(DataLoader(part, 2)) == [["c", "a"]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="as many examples each"):
        TensorDataset(X, Y[:5])
    with pytest.raises(ValueError, match="as many examples each"):
        TensorDataset()
    with pytest.raises(ValueError, match="batch_size is a positive integer, not 0"):
        DataLoader(DATA, 0)
    with pytest.raises(ValueError, match=r"examples of one shape, these have \(2,\), \(3,\): pass a `collate_fn`"):
        list(DataLoader([np.zeros(2), np.zeros(3)], 2))
    with pytest.raises(ValueError, match="sum neither to 1 nor to the 10 examples"):
        random_split(DATA, [5, 4])


def test_examples_of_a_subclass_are_asked_for_one_by_one():
    class Flipped(Subset):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x[::-1], y

    whole = TensorDataset(np.arange(6.0).reshape(3, 2), np.arange(3))
    ((x, y),) = DataLoader(Flipped(whole, [0, 1, 2]), batch_size=3)
    assert (x.tolist(), y.tolist()) == ([[1, 0], [3, 2], [5, 4]], [0, 1, 2])


def test_a_subset_by_a_mask_and_by_what_is_no_number():
    chosen = Subset([5, 6, 7], np.array([True, False, True]))
    assert [chosen[i] for i in range(len(chosen))] == [5, 7]
    for wrong in ([0.5, 1.5], [True, False], [[0, 1]]):
        with pytest.raises(ValueError, match="a list of whole numbers, or a mask of 3"):
            Subset([5, 6, 7], wrong)
    with pytest.raises(ValueError, match="sum neither"):
        random_split(range(9), [2.5, 7.5])


def test_what_loaders_of_others_take_is_taken_without_effect():
    loader = DataLoader(np.arange(3), batch_size=2, num_workers=4, pin_memory=True)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2]]
