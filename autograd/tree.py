"""Nested dicts, lists, tuples and namedtuples: what is in them, and the same structure of other things."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def leaves(structure: Any) -> Iterator[Any]:
    """Yield what is in `structure`, in order, or itself where it is none; None stands for nothing."""
    if isinstance(structure, dict):
        structure = structure.values()
    elif not isinstance(structure, (list, tuple)):
        if structure is not None:
            yield structure
        return
    for part in structure:
        yield from leaves(part)


def rebuilt(structure: Any, values: Iterable[Any]) -> Any:
    """Return the same structure with `values` in place of its leaves."""
    following = iter(values)
    return mapped(lambda _: next(following), structure)


def mapped(function: Callable[[Any], Any], structure: Any) -> Any:
    """Return the same structure with `function` of each leaf."""
    if isinstance(structure, dict):
        result = copy.copy(structure)  # which keeps the kind of dict, and its order
        for key, part in structure.items():
            result[key] = mapped(function, part)
        return result
    if isinstance(structure, (list, tuple)):
        parts = [mapped(function, part) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return None if structure is None else function(structure)
