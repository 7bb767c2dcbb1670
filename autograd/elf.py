"""Where a function lies that a shared library keeps to itself, by the table of symbols in its file.

That is for ELF, as on Linux (elf(5)). Of other files, and where the table was stripped off, nothing is known.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any, Final

import numpy as np

MAGIC: Final = b"\x7fELF\x02\x01"  # of 64 bits, the least significant byte first
KIND: Final = 0x10  # where the header says what the file is
SHARED: Final = 3  # of which only a shared library's addresses count from its beginning
SECTIONS: Final = 0x28  # where the header says where the sections' headers are,
SECTION_COUNT: Final = 0x3C  # and how many
SECTION: Final = np.dtype("<u4, <u4, <u8, <u8, <u8, <u8, <u4, <u4, <u8, <u8")
SECTION.names = ("name", "type", "flags", "address", "at", "size", "link", "info", "align", "entry")
SYMBOL: Final = np.dtype("<u4, u1, u1, <u2, <u8, <u8")
SYMBOL.names = ("name", "info", "other", "section", "value", "size")
SYMBOLS: Final = 2  # the type of a section,
FUNCTION: Final = 2  # and of a symbol


class Place(ctypes.Structure):
    """What dladdr(3) says of an address: the file that it belongs to, and where that begins in memory."""

    _fields_ = (("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("_", ctypes.c_void_p * 2))


def beside(function: Any, name: str) -> int | None:
    """Return the address of a function of that name in the library that has `function`, None if it is not found."""
    place = Place()
    try:
        dladdr = ctypes.CDLL(None).dladdr
    except (AttributeError, OSError, TypeError):  # as on Windows
        return None
    if not dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(place)) or not (place.file and place.base):
        return None
    try:
        with open(place.file, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            offset = offset_of(content, name.encode())
    except (OSError, ValueError, IndexError, OverflowError):  # gone, or no library after all
        return None
    return None if offset is None else place.base + offset


def offset_of(content: Any, name: bytes) -> int | None:
    """Return where a function lies from the beginning of a library on, given the content of its file."""
    if content[: len(MAGIC)] != MAGIC or int.from_bytes(content[KIND : KIND + 2], "little") != SHARED:
        return None
    start = int.from_bytes(content[SECTIONS : SECTIONS + 8], "little")
    count = int.from_bytes(content[SECTION_COUNT : SECTION_COUNT + 2], "little")
    sections = np.frombuffer(content[start : start + count * SECTION.itemsize], SECTION)
    for table in sections[sections["type"] == SYMBOLS]:
        names = sections[table["link"]]
        at = content.find(b"\0" + name + b"\0", int(names["at"]), int(names["at"] + names["size"]))
        if at < 0:
            continue
        symbols = np.frombuffer(content[int(table["at"]) : int(table["at"] + table["size"])], SYMBOL)
        named = (symbols["name"] == at + 1 - int(names["at"])) & (symbols["info"] & 15 == FUNCTION)
        found = symbols[named & (symbols["section"] != 0)]  # else it is another library's
        if len(found) == 1:
            return int(found["value"][0])
    return None
