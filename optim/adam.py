"""Adam and its kin: running means of the gradient and of its square, corrected for their start at zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.openblas import axpby
from optim.flat import Array, Group
from optim.optimizer import Optimizer, Params, below_one, descent, not_negative


class Adam(Optimizer):
    """Adam: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², x ← x − α m̂ / (√v̂ + ε).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) are the means corrected for their start at zero.

    Parameters
    ----------
    params : tensors, pairs (name, tensor), or groups with options of their own.
    lr : the rate α.
    betas : (β₁, β₂), how much of the running means is kept.
    eps : ε, which keeps the quotient finite.
    weight_decay : λ; λx is added to the gradient (`AdamW` takes it off the parameters).
    amsgrad : divide by the largest v so far.
    maximize : go up.

    References
    ----------
    Kingma, Ba, Adam: a method for stochastic optimization, ICLR 2015. Reddi, Kale, Kumar, On the convergence of Adam
    and beyond, ICLR 2018, for `amsgrad`.

    Examples
    --------
    The first step is α whatever the gradient's size.

    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.9, -199.9])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay")
        below_one(group, "betas")

    def buffers(self, group: Group) -> Mapping[str, float]:
        names = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        return names | {"max_exp_avg_sq": 0.0} if group["amsgrad"] else names

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        lr, t, (beta1, beta2) = group["lr"], state["step"], group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        g = decayed(group, x, g, c)
        running_means(m, v, g, beta1, beta2, a, b)
        if group["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        rest = math.sqrt(1 - beta2**t)
        np.sqrt(v, out=a)  # √(1 − β₂ᵗ) (√v̂ + ε)
        a += group["eps"] * rest
        np.divide(m, a, out=a)  # x ← x − α m̂ / (√v̂ + ε)
        axpby(-lr * rest / (1 - beta1**t), a, 1, x, b)


class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − αλ)x first, and nothing added to the gradient.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize : as in `Adam`.
    weight_decay : λ.

    References
    ----------
    Loshchilov, Hutter, Decoupled weight decay regularization, ICLR 2019.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.85, -189.9 ])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square: u ← max(β₂u, |g| + ε), x ← x − α m̂ / u.

    Parameters
    ----------
    params, lr, betas, weight_decay, maximize : as in `Adam`.
    eps : ε, which keeps u above zero.

    References
    ----------
    Kingma, Ba, Adam: a method for stochastic optimization, ICLR 2015, section 7.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = Adamax([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.9, -199.9])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay")
        below_one(group, "betas")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        beta1, beta2 = group["betas"]
        m, u = state["exp_avg"], state["exp_inf"]
        g = descent(group, x, g, c)
        axpby(1 - beta1, g, beta1, m, a)  # m ← β₁m + (1 − β₁) g
        u *= beta2  # u ← max(β₂u, |g| + ε)
        np.absolute(g, out=a)
        a += group["eps"]
        np.maximum(u, a, out=u)
        np.divide(m, u, out=a)  # x ← x − α m̂ / u
        axpby(-group["lr"] / (1 - beta1 ** state["step"]), a, 1, x, b)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead along the mean of the next step.

    With μₜ = β₁(1 − ½·0.96^(tψ)) and Πₜ = μ₁ ⋯ μₜ:
    x ← x − α ((1 − μₜ) g / (1 − Πₜ) + μₜ₊₁ m / (1 − Πₜ₊₁)) / (√v̂ + ε).

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, maximize : as in `Adam`.
    momentum_decay : ψ.
    decoupled_weight_decay : take the decay off the parameters, as in `AdamW`.

    References
    ----------
    Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.

    Examples
    --------
    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = NAdam([x], lr=0.1)
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     (x * x).sum().backward()
    ...     optimizer.step()
    >>> optimizer.state[x]["step"], bool(x.data[0] < 0.8)
    (3, True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay", "momentum_decay")
        below_one(group, "betas")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def count(self, group: Group, numbers: dict[str, Any]) -> None:
        super().count(group, numbers)
        numbers["mu_product"] = numbers.get("mu_product", 1.0) * self.momentum(group, numbers["step"])

    def check_state(self, p: Tensor, group: Group, state: dict[str, Any]) -> None:
        super().check_state(p, group, state)
        product = state.get("mu_product")
        if not isinstance(product, (int, float)) or not 0 <= product <= 1:
            raise ValueError(f"loaded state of NAdam needs 'mu_product', Πₜ, a number between 0 and 1: {product!r:.60}")

    def momentum(self, group: Group, t: int) -> float:
        """Return μₜ, which grows from near β₁ / 2 to β₁."""
        return float(group["betas"][0] * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])))

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        lr, t, (beta1, beta2) = group["lr"], state["step"], group["betas"]
        m, v, product = state["exp_avg"], state["exp_avg_sq"], state["mu_product"]
        mu, upcoming = self.momentum(group, t), self.momentum(group, t + 1)
        g = decayed(group, x, g, c)
        running_means(m, v, g, beta1, beta2, a, b)
        np.sqrt(v, out=a)  # √v̂ + ε
        a *= 1 / math.sqrt(1 - beta2**t)
        a += group["eps"]
        np.divide(g, a, out=b)  # x ← x − α (1 − μₜ) / (1 − Πₜ) g / (√v̂ + ε)
        axpby(-lr * (1 - mu) / (1 - product), b, 1, x, c)
        np.divide(m, a, out=b)  # x ← x − α μₜ₊₁ / (1 − Πₜ₊₁) m / (√v̂ + ε)
        axpby(-lr * upcoming / (1 - product * upcoming), b, 1, x, c)


class RAdam(Optimizer):
    """Adam that holds back until its mean square is known well: a rectified rate, and plain momentum before.

    With ρ∞ = 2 / (1 − β₂) − 1 and ρₜ = ρ∞ − 2tβ₂ᵗ / (1 − β₂ᵗ), the length of the running mean of squares:
    x ← x − α m̂ r / √v̂ with r² = (ρₜ − 4)(ρₜ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρₜ) where ρₜ > 5, else x ← x − α m̂.

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, maximize : as in `Adam`; ε is added to √v.
    decoupled_weight_decay : take the decay off the parameters, as in `AdamW`.

    References
    ----------
    Liu et al., On the variance of the adaptive learning rate and beyond, ICLR 2020.

    Examples
    --------
    The first steps are those of momentum: proportional to the gradient.

    >>> from autograd import Tensor
    >>> x = Tensor([1.0, -200.0], requires_grad=True)
    >>> optimizer = RAdam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.data
    array([   0.8, -160. ])
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    def check(self, group: Group) -> None:
        not_negative(group, "lr", "eps", "weight_decay")
        below_one(group, "betas")

    def buffers(self, group: Group) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def update(self, group: Group, state: Mapping[str, Any], x: Array, g: Array, a: Array, b: Array, c: Array) -> None:
        lr, t, (beta1, beta2) = group["lr"], state["step"], group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        g = decayed(group, x, g, c)
        running_means(m, v, g, beta1, beta2, a, b)
        rest = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / rest
        rate = lr / (1 - beta1**t)
        if length > 5:
            rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            np.sqrt(v, out=a)
            a += group["eps"]
            np.divide(m, a, out=a)
            axpby(-rate * math.sqrt(rectified * rest), a, 1, x, b)
        else:
            axpby(-rate, m, 1, x, b)


def decayed(group: Group, x: Array, g: Array, out: Array) -> Array:
    """Return the gradient to go down; a decoupled weight decay is taken off `x` at once: x ← (1 − αλ)x."""
    if not group["decoupled_weight_decay"]:
        return descent(group, x, g, out)
    x *= 1 - group["lr"] * group["weight_decay"]
    return np.negative(g, out=out) if group["maximize"] else g


def running_means(m: Array, v: Array, g: Array, beta1: float, beta2: float, a: Array, b: Array) -> None:
    """Bring the means up to date: m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²."""
    axpby(1 - beta1, g, beta1, m, a)
    np.multiply(g, g, out=a)
    axpby(1 - beta2, a, beta2, v, b)
