"""How far to go along a direction: line searches on the function of the step, φ(α) = f(x + αd).

Each takes `ray`, which evaluates φ, the `start` ray(0), and the first step to try, and returns the point it chose. A
point comes with φ′(α), since whoever computes a loss through a graph has its gradient for little more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from optim.flat import Array


class Point(NamedTuple):
    """One evaluation along the ray."""

    step: float
    value: float
    slope: float
    gradient: Array
    loss: Any = None  # what the closure returned


Ray = Callable[[float], Point]


def backtracking(ray: Ray, start: Point, step: float, c1: float = 1e-4, shrink: float = 0.5, tries: int = 60) -> Point:
    """Return the first of step, step/2, step/4, … that goes down enough: φ(α) ≤ φ(0) + c₁αφ′(0) (Armijo).

    If none does, that is the start.

    >>> import numpy as np
    >>> def ray(step):
    ...     return Point(step, (step - 1.0) ** 2, 2 * (step - 1.0), np.zeros(1))
    >>> backtracking(ray, ray(0.0), 8.0).step
    1.0
    """
    for _ in range(tries):
        point = ray(step)
        if enough(point, start, c1):
            return point
        step *= shrink
    return start


def exact(ray: Ray, start: Point, step: float, tolerance: float = 1e-6, tries: int = 100) -> Point:
    """Return a minimum along the ray, where |φ′(α)| ≤ tolerance·|φ′(0)|.

    The step doubles until a minimum is passed; the secant of φ′ then closes in on it, which is one evaluation where φ
    is a parabola, with a bisection whenever that is slow.

    >>> import numpy as np
    >>> def ray(step):
    ...     return Point(step, (step - 3.0) ** 2, 2 * (step - 3.0), np.zeros(1))
    >>> exact(ray, ray(0.0), 1.0).step
    3.0
    """
    small = tolerance * abs(start.slope)
    low, high = start, ray(step)
    while high.slope < -small and high.value < low.value:  # a minimum lies beyond
        tries -= 1
        if tries <= 0:
            return high
        low, high = high, ray(2 * high.step)
    secant = True
    for _ in range(tries):
        if abs(high.slope) <= small and high.value <= start.value:
            return high
        width = high.step - low.step
        if width <= 1e-15 * high.step:
            break
        middle = low.step + 0.5 * width
        if secant and high.slope > 0:
            middle = low.step - low.slope * width / (high.slope - low.slope)
        point = ray(middle)
        if abs(point.slope) <= small and point.value <= start.value:
            return point
        if point.slope < 0 and point.value < low.value:
            low = point
        else:
            high = point
        secant = high.step - low.step < 0.5 * width
    return low


def strong_wolfe(
    ray: Ray,
    start: Point,
    step: float,
    width: float = 1.0,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
    tries: int = 25,
) -> Point:
    """Return a step that goes down enough and reaches flatter ground: Armijo, and |φ′(α)| ≤ c₂|φ′(0)|.

    The step grows until it brackets such a point; cubic interpolation narrows the bracket. `width` is the largest
    element of the direction; the search ends where the bracket, so measured, is below `tolerance`, or after `tries`
    evaluations beyond the first, with the best it has.

    From Nocedal and Wright, Numerical optimization, 2006, algorithms 3.5 and 3.6, with PyTorch's safeguards.

    >>> import numpy as np
    >>> def ray(step):
    ...     return Point(step, (step - 3.0) ** 2, 2 * (step - 3.0), np.zeros(1))
    >>> strong_wolfe(ray, ray(0.0), 0.1).step
    1.0
    """
    before, point = start, ray(step)
    used = 0
    while used < tries:
        if not enough(point, start, c1) or (used > 1 and point.value >= before.value):
            break
        if is_flat(point, start, c2):
            return point
        if point.slope >= 0:
            break
        step = cubic_minimum(before, point, point.step + 0.01 * (point.step - before.step), 10 * point.step)
        before, point = point, ray(step)
        used += 1
    else:
        before = start
    low, high = (point, before) if point.value < before.value else (before, point)
    near_end = False
    while used < tries:
        left, right = sorted((low.step, high.step))
        if (right - left) * width < tolerance:
            break
        step = cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        if min(right - step, step - left) >= margin:
            near_end = False
        elif near_end or not left < step < right:  # a tenth off the end, so that the bracket shrinks
            step = right - margin if right - step < step - left else left + margin
            near_end = False
        else:
            near_end = True
        point = ray(step)
        used += 1
        if not enough(point, start, c1) or point.value >= low.value:
            high = point
            continue
        if is_flat(point, start, c2):
            return point
        if point.slope * (high.step - low.step) >= 0:
            high = low
        low = point
    return low


def enough(point: Point, start: Point, c1: float) -> bool:
    """Whether the value fell by at least the share `c1` of what the slope at the start promised."""
    return point.value <= start.value + c1 * point.step * start.slope


def is_flat(point: Point, start: Point, c2: float) -> bool:
    """Whether the slope is at most the share `c2` of that at the start."""
    return abs(point.slope) <= -c2 * start.slope


def cubic_minimum(p: Point, q: Point, low: float, high: float) -> float:
    """Return where, in [low, high], the cubic through the values and slopes of two points is least."""
    p, q = (p, q) if p.step <= q.step else (q, p)
    if p.step == q.step:  # a rate of 0
        return (low + high) / 2
    bend = p.slope + q.slope - 3 * (p.value - q.value) / (p.step - q.step)
    square = bend * bend - p.slope * q.slope
    if not square >= 0:  # no minimum, or NaN
        return (low + high) / 2
    root = math.sqrt(square)
    divisor = q.slope - p.slope + 2 * root
    if divisor == 0:
        return (low + high) / 2
    step = q.step - (q.step - p.step) * ((q.slope + root - bend) / divisor)
    return min(max(step, low), high) if math.isfinite(step) else (low + high) / 2
