"""EarlyStopping: end training when the validation metric no longer improves, and go back to the best weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.tensor import overwrite
from optim.optimizer import alike, as_number, copied, refuse_count


class EarlyStopping:
    """Says when a metric has not improved for `patience` epochs, and keeps the weights of the best.

    Parameters
    ----------
    keep : whose values are kept: a model (anything with `state_dict` and `load_state_dict`) or tensors; None for none.
    patience : how many epochs in a row without improvement end the training.
    min_delta : an improvement is one by more than this.
    mode : "min" if the metric is to fall, "max" if it is to rise.

    Attributes
    ----------
    best : the best metric.
    best_epoch : when it was, counted from 0.
    bad_epochs : the number of epochs since then.

    References
    ----------
    Prechelt, Early stopping – but when?, 1998.

    Examples
    --------
    >>> x = Tensor([0.0], requires_grad=True)
    >>> stopping = EarlyStopping([x], patience=2)
    >>> for loss in [3.0, 1.0, 2.0, 4.0, 0.0]:
    ...     x.data = [loss]
    ...     if stopping.step(loss):
    ...         break
    >>> stopping.best, stopping.best_epoch, x.item()
    (1.0, 1, 4.0)
    >>> stopping.restore()
    >>> x.item()
    1.0
    """

    def __init__(self, keep: Any = None, patience: int = 10, min_delta: float = 0.0, mode: str = "min") -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode is 'min' or 'max', not {mode!r}")
        if patience < 1 or min_delta < 0:
            raise ValueError(f"patience is at least 1 and min_delta at least 0, not {patience} and {min_delta}")
        self.is_model = hasattr(keep, "state_dict") and hasattr(keep, "load_state_dict")
        if not (keep is None or self.is_model or isinstance(keep, Iterable)):
            raise TypeError(f"keep is a model or several tensors, not {type(keep).__name__}")
        self.keep: Any = keep if self.is_model or keep is None else [keep] if isinstance(keep, Tensor) else list(keep)
        self.patience = patience
        self.min_delta = float(min_delta)
        self.mode = mode
        self.best = math.inf if mode == "min" else -math.inf
        self.best_epoch: int | None = None
        self.bad_epochs = 0
        self.epoch = 0
        self.kept: Any = None

    def step(self, metric: Any) -> bool:
        """Take the metric of the epoch that ended; return whether to stop. NaN is no improvement."""
        value = float(as_number(metric))
        better = value < self.best - self.min_delta if self.mode == "min" else value > self.best + self.min_delta
        if better:
            self.best, self.best_epoch, self.bad_epochs = value, self.epoch, 0
            self.kept = self.values()
        else:
            self.bad_epochs += 1
        self.epoch += 1
        return self.bad_epochs >= self.patience

    def values(self) -> Any:
        """Return a copy of what is kept."""
        if self.keep is None:
            return None
        return copied(self.keep.state_dict() if self.is_model else self.keep)

    def restore(self) -> None:
        """Put back the values of the best epoch."""
        if self.keep is None:
            raise RuntimeError("there is nothing to restore: EarlyStopping was made without `keep`")
        if self.kept is None:
            raise RuntimeError("there is nothing to restore: no epoch has improved the metric yet")
        if self.is_model:
            self.keep.load_state_dict(copied(self.kept))
        else:
            for p, values in zip(self.keep, self.kept, strict=True):
                overwrite(p, values)

    def state_dict(self) -> dict[str, Any]:
        """Return how far it is and what it keeps, in copies."""
        names = ("best", "best_epoch", "bad_epochs", "epoch")
        return {**{name: getattr(self, name) for name in names}, "kept": copied(self.kept)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict()` returned.

        Raises
        ------
        ValueError : it is not the state of one that keeps the like; nothing is changed then.
        """
        own = self.state_dict()
        if not isinstance(state_dict, Mapping) or state_dict.keys() != own.keys():
            raise ValueError(f"this is no state of EarlyStopping: it needs the keys {', '.join(own)}")
        numbers = {name: as_number(value) for name, value in state_dict.items() if name != "kept"}
        for name, value in numbers.items():
            if name == "best":
                if not alike(value, 0.0):
                    raise ValueError(f"loaded state 'best' is no number: {value!r:.60}")
            elif name != "best_epoch" or value is not None:
                refuse_count(name, value)
        kept = copied(state_dict["kept"])
        if kept is not None and outline(kept) != outline(self.values()):
            raise ValueError("what this state keeps is not like what is to be kept: other names or shapes")
        self.best, self.kept = float(numbers["best"]), kept
        self.best_epoch, self.bad_epochs, self.epoch = (numbers[n] for n in ("best_epoch", "bad_epochs", "epoch"))


def outline(kept: Any) -> Any:
    """Return names, numbers and shapes of nested arrays."""
    if isinstance(kept, Mapping):
        return {name: outline(part) for name, part in kept.items()}
    return [outline(part) for part in kept] if isinstance(kept, (list, tuple)) else np.shape(kept)
