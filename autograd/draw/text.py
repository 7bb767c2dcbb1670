"""Text that is safe to draw: cleaned, shortened, measured and escaped; numbers as the lectures write them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from html import escape as escape_html
from typing import Any, Final

import numpy as np

LONGEST_LABEL: Final = 28
FEW: Final = 6  # arrays of so many elements are written out
JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")  # invisible, but what holds an emoji together

# Advance widths in em, those of a wide sans-serif: whatever font the viewer has, the text fits its box.
WIDTHS: Final = {
    **dict.fromkeys("iIjl|!.,:;'` ", 0.36),
    **dict.fromkeys('frt()[]{}-/\\"J', 0.46),
    **dict.fromkeys("mwMW@%", 1.0),
    **dict.fromkeys("+=<>~^#±−×÷·→∂‖", 0.84),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZΣ&", 0.76),
}


def clean(text: Any) -> str:
    """Return `text` on one line, without characters that XML forbids or that turn the reading direction."""
    shown = []
    for c in str(text):
        if c in "\n\r\u2028\u2029":
            shown.append("↵")
        elif c == "\t":
            shown.append(" ")
        elif c in JOINERS:
            shown.append(c)
        elif unicodedata.category(c) in ("Cc", "Cs", "Cf", "Cn"):
            shown.append("\ufffd")
        else:
            shown.append(c)
    return "".join(shown)


def shorten(text: Any, longest: int = LONGEST_LABEL) -> str:
    """Return `text`, cleaned, with an ellipsis in place of its middle where it is too long for a label."""
    whole = clean(text)
    if len(whole) <= longest:
        return whole
    tail = longest // 3
    return f"{whole[: longest - tail - 1]}…{whole[-tail:]}"


def escape(text: Any) -> str:
    """Return `text`, cleaned, for use between tags and in attributes, of XML and of Graphviz's HTML-like labels."""
    return escape_html(clean(text))


def width(text: str, size: float) -> float:
    """Return how wide `text` may get in a font of `size` pixels."""
    total = 0.0
    for c in text:
        if c in WIDTHS:
            total += WIDTHS[c]
        elif ord(c) < 0x2000:
            total += 0 if unicodedata.combining(c) else 0.66
        elif c in JOINERS:
            continue
        else:
            total += 1.35 if unicodedata.east_asian_width(c) in "WF" else 0.9
    return total * size


class Numbers:
    """How the numbers of one picture are written: without decimals if all of them are whole.

    Else with two, and small ones with two digits that count.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.whole = all(is_whole(v) for v in values if v is not None)

    def __call__(self, value: Any) -> str:
        """Return a scalar, or a small array, as text."""
        if getattr(value, "shape", ()):
            return self.array(np.asarray(value))
        if np.iscomplexobj(value):
            imaginary = self.real(float(value.imag))
            sign = "" if imaginary.startswith("−") else "+"
            return f"{self.real(float(value.real))}{sign}{imaginary}i"
        if isinstance(value, (bool, np.bool_)):
            return str(bool(value))
        return self.real(float(value))

    def real(self, value: float) -> str:
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
        size = abs(value)
        if self.whole and size < 1e6:
            text = f"{value + 0.0:.0f}"
        elif size == 0 or 0.0995 <= size < 1e5:
            text = f"{value + 0.0:.2f}"
        elif 0.00095 <= size < 0.0995:
            text = f"{value:#.2g}"
        else:
            text = f"{value:.1e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
        return text.replace("-", "−")

    def array(self, value: Any) -> str:
        if value.size > FEW:
            return shape_text(value.shape)
        return self.nested(value)

    def nested(self, value: Any) -> str:
        if not value.ndim:
            return self(value[()])
        return f"[{' '.join(self.nested(part) for part in value)}]"


def is_whole(value: Any) -> bool:
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return True
    finite = array[np.isfinite(array)]
    return bool(np.all(finite == np.round(finite)) and np.all(np.abs(finite) < 1e6))


def short_number(value: float) -> str:
    """Return a norm in three significant digits, or as a whole number where that has four or five."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞"
    if 999.5 <= value < 99_999.5:
        return f"{value:.0f}"
    return f"{value:.3g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


def constant_text(value: Any) -> str:
    """Return a constant as short as it is exact enough: it stands on a gate."""
    value = value.item() if hasattr(value, "item") else value
    return str(value) if isinstance(value, bool) else f"{value:.4g}".replace("-", "−")


def shape_text(shape: tuple[Any, ...]) -> str:
    if shape and isinstance(shape[0], tuple):
        return ", ".join(shape_text(s) for s in shape)
    return f"({'×'.join(str(n) for n in shape)})" if shape else "scalar"


def count_text(count: int, thing: str, things: str | None = None) -> str:
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"
