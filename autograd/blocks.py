"""Work on large arrays some rows at a time, so that what is made on the way stays in cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from autograd.threads import share

Result = TypeVar("Result")
BLOCK: Final = 1 << 17  # numbers at a time: a few such arrays fit a cache
WORTH: Final = 1 << 17  # numbers that are worth a thread,
LIGHT_WORTH: Final = 3 << 16  # and where little is done to each: a LeNet takes 0.95 of the time so


def in_pieces(
    work: Callable[[slice], Result], rows: int, size: int, most: int = BLOCK, worth: int = WORTH
) -> list[Result]:
    """Return what `work` returns for the places of some rows at a time, of an array of `size` numbers.

    A piece has at most `most` numbers, if a row has not more. Threads share the pieces, `worth` numbers or more each.
    """
    if size <= min(most, worth):
        return [work(slice(0, rows))]
    step = max(1, most * rows // size)

    def part(start: int, stop: int) -> list[Result]:
        return [work(slice(a, min(a + step, stop))) for a in range(start, stop, step)]

    return [found for some in share(part, rows, -(-worth * rows // size)) for found in some]
