"""Averages of the parameters over the course of training, to evaluate and predict with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.tensor import overwrite
from optim.flat import Array
from optim.optimizer import as_number, listed, refuse_count


class Average:
    """What averages share: shadow values of parameters, which can stand in for them for a while.

    Parameters
    ----------
    parameters : tensors; buffers such as the running statistics of batch norm can be among them.

    Attributes
    ----------
    averages : the shadow values, one array for each tensor.
    updates : how often `update` was called.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__} got an empty parameter list")
        self.averages: list[Array] = [p.numpy().copy() for p in self.parameters]
        self.updates = 0

    def weight(self) -> float:
        """Return the weight of the present values in the average, at update number `updates`."""
        raise NotImplementedError

    def update(self) -> None:
        """Take the present values into the average: a ← a + w(x − a)."""
        self.updates += 1
        weight = self.weight()
        for average, p in zip(self.averages, self.parameters, strict=True):
            if average.dtype.kind in "fc":
                average += (p.numpy() - average) * weight
            else:  # a counter
                average[...] = p.numpy()

    def copy_to(self, parameters: Iterable[Tensor] | None = None) -> None:
        """Write the averages into the parameters, or into others of the same shapes."""
        targets = self.parameters if parameters is None else list(parameters)
        if [p.shape for p in targets] != [average.shape for average in self.averages]:
            raise ValueError("the averages do not fit: the tensors have other shapes, or there are more or fewer")
        for p, average in zip(targets, self.averages, strict=True):
            overwrite(p, average)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside the `with` block the parameters are the averages; afterwards they are what they were."""
        before = [p.numpy().copy() for p in self.parameters]
        self.copy_to()
        try:
            yield
        finally:
            for p, values in zip(self.parameters, before, strict=True):
                overwrite(p, values)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages and how many updates they have seen, in copies."""
        return {"updates": self.updates, "averages": [average.copy() for average in self.averages]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict()` returned.

        Raises
        ------
        ValueError : it is not of averages like these; nothing is changed then.
        """
        own = self.state_dict()
        if not isinstance(state_dict, Mapping) or state_dict.keys() != own.keys():
            raise ValueError(f"this is no state of {type(self).__name__}: it needs the keys {', '.join(own)}")
        given = [np.asarray(average) for average in listed(state_dict["averages"])]
        if [average.shape for average in given] != [average.shape for average in self.averages]:
            raise ValueError("the averages in this state have other shapes than the parameters")
        for values, average in zip(given, self.averages, strict=True):
            if values.dtype.kind not in "fciub" or not np.can_cast(values.dtype, average.dtype, "same_kind"):
                raise ValueError(f"an average in this state is {values.dtype}, the parameter {average.dtype}")
        updates = as_number(state_dict["updates"])
        refuse_count("updates", updates)
        with np.errstate(all="ignore"):
            for average, values in zip(self.averages, given, strict=True):
                average[...] = values
        self.updates = int(updates)


class ExponentialMovingAverage(Average):
    """The exponential moving average a ← βa + (1 − β)x, updated after each step.

    Parameters
    ----------
    parameters : tensors.
    decay : β. Updates number t of a run just begun use min(β, (1 + t)/(10 + t)) if `warmup`, so that the first values
        are soon forgotten.
    warmup : see above.

    References
    ----------
    Polyak, Juditsky, Acceleration of stochastic approximation by averaging, 1992. The warm-up is TensorFlow's.

    Examples
    --------
    >>> import optim
    >>> x = Tensor([1.0], requires_grad=True)
    >>> ema = ExponentialMovingAverage([x], decay=0.5)
    >>> optimizer = optim.SGD([x], lr=0.25)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x * x).sum().backward()
    ...     optimizer.step()
    ...     ema.update()
    >>> with ema.averaged():
    ...     x.item()
    0.5
    >>> x.item()
    0.25
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float = 0.999, *, warmup: bool = False) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay is expected between 0 and 1: {decay}")
        super().__init__(parameters)
        self.decay = float(decay)
        self.warmup = warmup

    def weight(self) -> float:
        if self.warmup:
            return 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        return 1 - self.decay


class SWA(Average):
    """Stochastic weight averaging: the plain mean of the parameters over the last stretch of training.

    `update()` is called at the end of each epoch of that stretch, in which the rate is constant or cyclic. Running
    statistics of batch norm belong to the weights: run the training data through the averaged model once in train mode.

    References
    ----------
    Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018.

    Examples
    --------
    >>> x = Tensor([1.0], requires_grad=True)
    >>> swa = SWA([x])
    >>> for value in [2.0, 4.0, 9.0]:
    ...     x.data = [value]
    ...     swa.update()
    >>> swa.copy_to()
    >>> x.item()
    5.0
    """

    def weight(self) -> float:
        return 1 / self.updates
