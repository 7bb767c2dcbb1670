"""The backward pass in steps: what arrives at each gate, what it does with it, what it sends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.draw import signs
from autograd.draw.circuit import sign_of
from autograd.draw.text import Numbers, clean, count_text, shape_text, short_number, shorten
from autograd.draw.trace import Link, Vertex


@dataclass(frozen=True, slots=True)
class Step:
    """One visit of the backward pass.

    `gate` is the operation at work and `name` that of its result, `arrived` the gradient of its result, `local` its
    derivative with respect to each operand that needs a gradient and `sent` what goes on to each of those; None where
    it is not known.
    """

    gate: str
    name: str | None
    arrived: Any
    local: tuple[Any, ...]
    sent: tuple[Any, ...]
    caption: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.caption[0]}: {self.caption[1]}"


def steps_of(vertices: list[Vertex]) -> list[Step]:
    """Return the steps in the order in which `backward` visits: newest operation first."""
    gates = sorted((v for v in vertices if v.visit is not None), key=lambda v: v.visit or 0)
    if not gates:
        raise ValueError("steps: this is a leaf, or needs no gradient: nothing was sent back through it")
    if all(v.grad is None for v in vertices):
        raise ValueError(
            "steps replay what a backward pass recorded, and none has: call .backward() first, and for tensors of more "
            "than one element run forward and backward inside `with autograd.record():`"
        )
    numbers = Numbers(x for v in gates for x in (v.grad, *(y for link in v.links for y in (link.sent, link.local))))
    return [step(v, i, len(gates), numbers) for i, v in enumerate(gates)]


def step(v: Vertex, i: int, total: int, numbers: Numbers) -> Step:
    links = [link for link in v.links if link.source.kind != "constant"]
    role = signs.role(v.op, len(v.links))
    sign = sign_of(v)
    title = f"Step {i + 1} of {total}:  {shorten(v.op)}" + (f"  {shorten(sign)}" if sign != v.op else "")
    title += f"  {role}" if role else ""
    if v.name:
        title += f",  result {shorten(v.name)}"
    parts = []
    if v.grad is not None:
        parts.append(f"arrives {amount(v.grad, numbers)}")
    local = [link.local for link in links]
    if local and all(x is not None for x in local):
        parts.append("local derivative " + ", ".join(numbers(x) for x in local[:4]) + (", …" if len(local) > 4 else ""))
    sent = [f"{amount(link.sent, numbers)}{target(link)}" for link in links[:4] if link.sent is not None]
    if sent:
        parts.append("sends " + ", ".join(sent) + (", …" if len(links) > 4 else ""))
    elif v.grad is None:
        parts.append(f"result {shape_text(v.shape)}; its gradient was not recorded")
    caption = (title, "   ·   ".join(parts))
    return Step(v.op, v.name, v.grad, tuple(local), tuple(link.sent for link in links), caption)


def target(link: Link) -> str:
    source = link.source
    name = source.name or (sign_of(source) if source.op else "")
    return f" to {shorten(name, 16)}" if name else ""


def amount(value: Any, numbers: Numbers) -> str:
    array = np.asarray(value)
    if not array.ndim or array.size <= 4:
        return clean(numbers(value))
    with np.errstate(all="ignore"):
        return f"‖{short_number(float(np.linalg.norm(array)))}‖ {shape_text(array.shape)}"


def captions(steps: list[Step], vertices: list[Vertex]) -> list[tuple[str, str]]:
    """Return the captions of an animation: before the first step, of each, and after the last."""
    root = next(v for v in vertices if v.visit == 0)
    start = "" if root.grad is None else f" of {amount(root.grad, Numbers([root.grad]))}"
    leaves = sum(v.kind == "leaf" and v.grad is not None for v in vertices)
    return [
        ("Forward", f"Every wire has its value. The backward pass starts at the end, with a gradient{start}."),
        *(step.caption for step in steps),
        ("Done", f"{count_text(len(steps), 'gate')} visited; {count_text(leaves, 'leaf', 'leaves')} with a gradient."),
    ]
