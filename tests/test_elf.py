"""Where functions lie that a library keeps to itself."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd import elf, openblas
from tests.conftest import needs_openblas

KNOWN = openblas.function("get_num_threads")
NAMES = [name.format("get_num_threads") for name in openblas.NAMES]


def address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


@needs_openblas
def test_a_function_is_where_its_library_says() -> None:
    found = [elf.beside(KNOWN, name) for name in NAMES]
    if not any(found):
        pytest.skip("no table of symbols")
    assert {x for x in found if x is not None} == {address(KNOWN)}


@needs_openblas
def test_of_what_is_exported_the_library_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf, "beside", lambda *args: pytest.fail("the file was read"))
    (name,) = (name for name in NAMES if getattr(openblas.library(), name, None))
    assert openblas.private.__wrapped__(name) == address(KNOWN)


@needs_openblas
def test_of_what_is_not_there_nothing_is_found() -> None:
    assert elf.beside(KNOWN, "gotoblas_nothing") is None
    assert elf.beside(KNOWN, "malloc") is None  # of another library, but in its table
    assert openblas.private("gotoblas_nothing") is None


def test_without_openblas_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openblas, "function", lambda name: None)
    assert openblas.private.__wrapped__("gotoblas_nothing") is None


def test_a_file_that_is_gone_or_no_library_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def dladdr(address: Any, place: Any) -> int:
        place._obj.file, place._obj.base = str(path).encode(), 0x1000
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: type("Libc", (), {"dladdr": staticmethod(dladdr)}))
    path = tmp_path / "library.so"
    assert elf.beside(KNOWN or 0, "name") is None
    symbols = np.zeros(1, elf.SECTION)
    symbols["type"], symbols["link"] = elf.SYMBOLS, 7  # which there is not
    header = bytearray(elf.MAGIC + bytes(100))
    header[elf.KIND], header[elf.SECTIONS], header[elf.SECTION_COUNT] = elf.SHARED, len(header), 1
    for content in (b"", b"MZ\0\0", elf.MAGIC, elf.MAGIC + bytes(100), bytes(header) + symbols.tobytes()):
        path.write_bytes(content)
        assert elf.beside(KNOWN or 0, "name") is None


def test_where_addresses_cannot_be_looked_up_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert elf.beside(0, "name") is None
