"""What a sheet is made of: its data classes, its marks, and numbers as text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from profiler.schema.columns import Row

MISSING: Final = "–"
MARKS: Final = {
    "chosen": "★",
    "frontier": "●",
    "dominated": " ",
    "plain": " ",
    "failed": "✗",
    "excluded": "○",
}
VERDICTS: Final = {"faster": "▼", "slower": "▲", "equivalent": "=", "undecided": "?"}
QUALITIES: Final = {"non-inferior": "✓", "worse": "↓", "undecided": "?"}
_LETTERS: Final = "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
DURATIONS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
ENERGIES: Final = ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))
SIZES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))

_NUMBER = re.compile(r"([^\d–]*[−-]?\d[\d\u202f]*)(\.\d+)?([^A-Za-z]*)")

Standing = Literal["chosen", "frontier", "dominated", "plain", "failed", "excluded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`drop` > 0: may be left out where space is short, the highest first."""

    title: str
    number: bool = True
    drop: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a sheet; as many cells as the sheet has columns."""

    standing: Standing
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table. `legend` explains the marks that occur, `notes` are its footnotes."""

    title: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    legend: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Notes:
    """Footnotes of one sheet while it is built: equal texts share a letter."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str | None) -> str:
        """The letter of a footnote; empty without a text."""
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return _letter(self.texts.index(text))

    def lines(self) -> tuple[str, ...]:
        """The footnotes, each with its letter."""
        return tuple(f"{_letter(i)} {text}" for i, text in enumerate(self.texts))


def _letter(index: int) -> str:
    return _LETTERS[index % len(_LETTERS)] * (index // len(_LETTERS) + 1)


def standing(row: Row) -> Standing:
    """What the analysis says of a row; a failed row is never anything else."""
    if row["status"] == "failed":
        return "failed"
    if row["status"] != "ok":
        return "excluded"
    if row["chosen"]:
        return "chosen"
    if row["frontier"]:
        return "frontier"
    return "dominated" if row["dominated_by"] is not None else "plain"


def figure(value: float | None, digits: int = 3) -> str:
    """Significant digits without an exponent: 0.0123, 1.23, 12.3, 123, 1234."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def ratio_text(value: float | None) -> str:
    """Three decimals up to 10, where 1 % matters; three significant digits above."""
    if value is None:
        return MISSING
    return f"{value:.3f}" if abs(value) < 10 else figure(value)


def signed(value: float, digits: int) -> str:
    """With a real minus sign; never '-0.0'."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def common_unit(
    values: Sequence[float], steps: Sequence[tuple[float, str]] = DURATIONS
) -> tuple[float, str]:
    """One unit for a whole column, from the geometric mean: (values per unit, its name).

    `values` in ns with DURATIONS, in bytes with SIZES.
    """
    positive = [v for v in values if v > 0]
    if not positive:
        return steps[1]
    centre = math.exp(sum(map(math.log, positive)) / len(positive))
    return next(((f, u) for f, u in steps if centre >= f * 0.9995), steps[-1])


def figure_whole(value: float | None) -> str:
    """A count with thousands separated by a thin space."""
    return MISSING if value is None else f"{round(value):,}".replace(",", "\u202f")


def percent_text(value: float | None, digits: int) -> str:
    """A fraction in percent, without the sign."""
    return MISSING if value is None else f"{value * 100:.{digits}f}"


def number_parts(texts: Sequence[str]) -> list[tuple[str, str, str] | None]:
    """A column's numbers as (up to the units digit, decimals, what follows); None for words.

    All None when a unit follows the numbers: '5.4 kB' above '310 kB' reads better flush right.
    """
    if any(re.search(r"\d [A-Za-zµ]", text) for text in texts):
        return [None] * len(texts)
    matches = [_NUMBER.fullmatch(text) for text in texts]
    return [(m[1], m[2] or "", m[3]) if m else None for m in matches]


def split_note(text: str) -> tuple[str, str]:
    """A text and the footnote letters at its end."""
    bare = text.rstrip(_LETTERS)
    return bare, text[len(bare) :]
