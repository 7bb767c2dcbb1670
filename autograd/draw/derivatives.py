"""What a gate did to the gradient: the local derivative for each operand, and what was sent there.

A pass releases what its rules read, so rules are asked again with the values that pictures keep;
a rule that reads more than values (an axis, say) is answered for by the gradients that were recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import graph
from autograd.parts import Part

UNKNOWN: Any = object()


def copied(value: Any) -> Any:
    """Return a value that later changes in place do not reach."""
    return value.copy() if isinstance(value, np.ndarray) else value


def shown_gradient(gradient: Any) -> Any:
    """Return a gradient of a node, as users see it: conjugated where complex."""
    if gradient is None or isinstance(gradient, list):
        return None
    data = getattr(gradient, "_array", gradient)
    return np.conj(data) if np.iscomplexobj(data) else copied(data)


def through(node: Any, position: int, alone: bool) -> tuple[Any, Any]:
    """Return the local derivative with respect to one operand and the gradient sent to it, None where unknown.

    `alone` says that no other wire leads to that operand: all of its gradient came from here.
    """
    if node.value is None:
        return None, None
    parent = node.parents[position]
    arrived = getattr(node.grad, "_array", node.grad)
    recorded = getattr(parent.grad, "_array", parent.grad) if alone and parent.op is not None else None
    scalar = not node.shape and not parent.shape
    local = answer(node, position, node.value.dtype.type(1)) if scalar else None
    if local is None and scalar and node.op.name == "where":
        local = taken(node, position)
    sent = recorded
    if sent is None and arrived is not None:
        sent = answer(node, position, arrived)
        if sent is None and local is not None:
            sent = arrived * local
    if scalar and recorded is not None and arrived is not None and not agree(local, arrived, recorded):
        local = recorded / arrived if arrived != 0 else None
    return copied(local), shown_gradient(sent)


def taken(node: Any, position: int) -> Any:
    """Return 1 if a choice took this operand, 0 if another; None where their values do not tell."""
    values = [operand(node, i) for i in range(len(node.parents))]
    equal = [value is not UNKNOWN and bool(value == node.value) for value in values]
    return node.value.dtype.type(equal[position]) if sum(equal) == 1 and UNKNOWN not in values else None


def agree(local: Any, arrived: Any, sent: Any) -> bool:
    with np.errstate(all="ignore"):
        return local is not None and bool(np.allclose(arrived * local, sent, equal_nan=True))


def answer(node: Any, position: int, gradient: Any) -> Any:
    """Return what the rule of one operand makes of `gradient`; None if what it reads is gone."""
    op, parent = node.op, node.parents[position]
    with np.errstate(all="ignore"):
        try:
            if op.joint is not None:
                read = node.saved[0] if node.saved is not None else arguments(node, position, op.reads[0], True)
                needs = tuple(p is not None for p in node.parents)
                sent = UNKNOWN if read is UNKNOWN else op.joint(gradient, needs, *read)[position]
            elif op.outputs:
                return None
            else:
                which = 0 if op.variadic else position
                rule = op.rules[which]
                if rule is None:
                    sent = gradient
                else:
                    read = (
                        node.saved[position] if node.saved is not None else arguments(node, position, op.reads[which])
                    )
                    sent = UNKNOWN if read is UNKNOWN else rule(gradient, read)
            if sent is UNKNOWN or sent is None:
                return None
            sent = graph.fit(sent, parent, op)
            if isinstance(sent, Part):
                place = sent.start(parent)
                sent.add_to(place)
                sent = place
            return getattr(sent, "_array", sent)
        except Exception:  # a rule of the user's own may fail in any way; the picture then goes without
            return None


def arguments(node: Any, position: int, reads: tuple[str, ...], whole: bool = False) -> Any:
    """Return what a rule reads, found again by name, in the form in which the engine hands it over."""
    found = [argument(node, position, name) for name in reads]
    if any(value is UNKNOWN for value in found):
        return UNKNOWN
    return found[0] if len(reads) == 1 and not whole else tuple(found)


def argument(node: Any, position: int, name: str) -> Any:
    op = node.op
    if name == "out":
        return node.value
    if name == "i" and op.variadic:
        return position
    tensor = name.removesuffix("_shape")
    if name not in op.inputs and tensor in op.inputs:
        if op.variadic:
            return tuple(operand_shape(node, i) for i in range(len(node.parents)))
        return operand_shape(node, op.inputs.index(tensor))
    if name in op.inputs:
        if not op.variadic:
            return operand(node, op.inputs.index(name))
        values = tuple(operand(node, i) for i in range(len(node.parents)))
        return UNKNOWN if any(v is UNKNOWN for v in values) else values
    return UNKNOWN


def operand(node: Any, position: int) -> Any:
    """Return the value of an operand: that of its node, if it was not overwritten since, or the constant."""
    parent = node.parents[position]
    if node.constants is not None and node.constants[position] is not None:
        return node.constants[position][0]
    if parent is None or parent.value is None:
        return UNKNOWN
    if parent.version is not None and parent.version.time > node.seq:
        return UNKNOWN
    return parent.value


def operand_shape(node: Any, position: int) -> Any:
    parent = node.parents[position]
    if parent is not None:
        return parent.shape
    value = operand(node, position)
    return UNKNOWN if value is UNKNOWN else np.shape(value)
