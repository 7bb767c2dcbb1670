"""Losses as modules, with PyTorch's names and arguments. The functions of `nn.functional` say more."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from nn import loss_functions as F
from nn.casting import plain, without_gradient
from nn.cross_entropy import reduction_of
from nn.module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SmoothL1Loss",
    "TripletMarginLoss",
]


class Loss(Module):
    """What losses have in common: how the losses of the examples become the result.

    reduction : "mean", "sum" or "none".
    """

    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction_of(reduction, type(self).__name__, self.reductions)

    def extra_repr(self) -> str:
        """Return the options that are not the usual ones."""
        shown = [] if self.reduction == "mean" else [f"reduction={self.reduction!r}"]
        return ", ".join([*(f"{name}={value!r}" for name, value in self.options().items()), *shown])

    def options(self) -> dict[str, Any]:
        """Return what else the repr shows."""
        return {}


class WeightedLoss(Loss):
    """A loss with a weight for each class or each element: a buffer, which is saved if it is given."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if isinstance(weight, Tensor) and weight.requires_grad:
            kind = type(self).__name__
            raise TypeError(
                f"{kind}: a weight has no gradient; scores go to the loss itself: nn.{kind}()(scores, target)"
            )
        self.register_buffer("weight", None if weight is None else Tensor(plain(weight)))


class MSELoss(Loss):
    """Squared error (input - target)².

    >>> import nn
    >>> nn.MSELoss()([1.0, 3.0], [0.0, 0.0]).item()
    5.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """Absolute error |input - target|.

    >>> import nn
    >>> nn.L1Loss()([1.0, 4.0], [1.0, 2.0]).item()
    1.0
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(Loss):
    """Absolute error, rounded off by a parabola where it is less than `beta`.

    >>> import nn
    >>> nn.SmoothL1Loss(reduction="none")([0.5, 3.0], [0.0, 0.0]).tolist()
    [0.125, 2.5]
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)

    def options(self) -> dict[str, Any]:
        return {"beta": self.beta}


class HuberLoss(Loss):
    """Half the squared error, continued by straight lines where the error exceeds `delta`.

    >>> import nn
    >>> nn.HuberLoss(reduction="none")([0.5, 3.0], [0.0, 0.0]).tolist()
    [0.125, 2.5]
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)

    def options(self) -> dict[str, Any]:
        return {"delta": self.delta}


class BCELoss(WeightedLoss):
    """Cross-entropy of probabilities with targets from 0 to 1; `weight` broadcasts to them.

    >>> import nn
    >>> nn.BCELoss()([0.5, 0.9], [1, 1]).item()
    0.3993
    """

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """Cross-entropy of the sigmoids of scores with targets from 0 to 1, stable however large the scores are.

    weight, pos_weight : broadcast to the scores; `pos_weight` multiplies the term of the positive class.

    >>> import nn
    >>> nn.BCEWithLogitsLoss(pos_weight=[3.0])([[0.0]], [[1.0]]).item()
    2.079442
    """

    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer(
            "pos_weight", None if pos_weight is None else Tensor(without_gradient(pos_weight, "pos_weight"))
        )

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class NLLLoss(WeightedLoss):
    """The negative log-probability of the right class, from log-probabilities; arguments as in `CrossEntropyLoss`.

    >>> import nn
    >>> nn.NLLLoss()([[-0.5, -0.9], [-2.3, -0.1]], [0, 1]).item()
    0.3
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(WeightedLoss):
    """Softmax cross-entropy of scores with class indices, or with probabilities; its gradient is softmax(z) - gold.

    Parameters
    ----------
    weight : of each class, (C,).
    ignore_index : the class index of examples that do not count.
    reduction : "mean", "sum" or "none".
    label_smoothing : the share of the probability that is spread evenly over all classes.

    Scores are (C,), (N, C) or (N, C, d1, ...); indices the same without the axis of classes, probabilities the same.

    Examples
    --------
    >>> import nn
    >>> nn.CrossEntropyLoss()([[0.0, 0.0]], [1]).item()
    0.693147
    """

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)

    def options(self) -> dict[str, Any]:
        return {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}


class KLDivLoss(Loss):
    """Kullback-Leibler divergence of log-probabilities from a target of probabilities, or of logarithms of them.

    reduction : "batchmean" is the divergence of an example; "mean" divides by the number of elements.

    >>> import nn, numpy as np
    >>> nn.KLDivLoss("sum")(np.log([0.5, 0.5]), [0.25, 0.75]).item()
    0.1308
    """

    reductions = ("mean", "batchmean", "sum", "none")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.kl_div(input, target, self.reduction, self.log_target)


class MultiMarginLoss(WeightedLoss):
    """Multi-class hinge loss, with p = 2 squared, over the number of classes.

    >>> import nn
    >>> nn.MultiMarginLoss()([[0.1, 0.8, 0.3]], [1]).item()
    0.2667
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)

    def options(self) -> dict[str, Any]:
        return {"p": self.p, "margin": self.margin}


class HingeLoss(Loss):
    """Multi-class hinge loss of the lectures, summed over the classes rather than averaged. The name is ours.

    >>> import nn
    >>> nn.HingeLoss()([[0.1, 0.8, 0.3]], [1]).item()
    0.8
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Tensor:
        return F.hinge_loss(input, target, self.margin, self.reduction)

    def options(self) -> dict[str, Any]:
        return {"margin": self.margin}


class CosineEmbeddingLoss(Loss):
    """1 - cos of two vectors where the target is 1, and what cos exceeds `margin` by where it is -1.

    >>> import nn
    >>> nn.CosineEmbeddingLoss()([[1.0, 0.0]], [[0.0, 1.0]], [1]).item()
    1.0
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)

    def options(self) -> dict[str, Any]:
        return {"margin": self.margin}


class TripletMarginLoss(Loss):
    """What the distance of an anchor to a positive, plus `margin`, exceeds that to a negative by.

    >>> import nn
    >>> nn.TripletMarginLoss()([[0.0]], [[1.0]], [[1.5]]).item()
    0.5
    """

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Tensor:
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction
        )

    def options(self) -> dict[str, Any]:
        return {"margin": self.margin, "p": self.p}
