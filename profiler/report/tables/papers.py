"""Sheets as LaTeX and HTML, to be pasted into a paper: caption, footnotes, no style of our own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from profiler.report.model.cells import Sheet

if TYPE_CHECKING:
    import pandas as pd

_LATEX: Final = {"±": r"$\pm$", "−": "$-$", "–": "--", "µ": r"$\mu$", "×": r"$\times$",
                 "≤": r"$\leq$", "°": r"$^{\circ}$"}  # fmt: skip
"""letters that pdflatex has no glyph for, or another one"""


def _frame(sheet: Sheet) -> pd.DataFrame:
    import pandas as pd

    heads = [column.title.replace("\n", " ") for column in sheet.columns]
    return pd.DataFrame([line.cells for line in sheet.lines], columns=heads)


def latex(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """A `table` with booktabs' rules for each sheet; `notes` follow in small print."""
    parts = []
    for sheet in sheets:
        made = _frame(sheet).to_latex(
            index=False,
            escape=True,
            caption=_escaped(sheet.title),
            position="htbp",
            column_format="".join("r" if column.number else "l" for column in sheet.columns),
        )
        small = " ".join(f"{_escaped(text)}." for text in (*sheet.legend, *sheet.notes, *notes))
        head, end, tail = made.rpartition("\\end{table}")
        parts.append(f"{head}\\par\\footnotesize {small}\n{end}{tail}")
    text = "\n".join(parts)
    for letter, command in _LATEX.items():
        text = text.replace(letter, command)
    return "% needs \\usepackage{booktabs}\n" + text


def _escaped(text: str) -> str:
    for letter in "&%$#_{}":
        text = text.replace(letter, f"\\{letter}")
    return text


def html(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """A `table` for each sheet; `notes` follow in a paragraph."""
    parts = []
    for sheet in sheets:
        made = _frame(sheet).to_html(index=False, escape=True, border=0)
        start = made.index(">") + 1
        caption = f"\n  <caption>{escape(sheet.title)}</caption>"
        small = "; ".join(escape(text) for text in (*sheet.legend, *sheet.notes, *notes))
        parts.append(f"{made[:start]}{caption}{made[start:]}\n<p><small>{small}</small></p>")
    return "\n".join(parts) + "\n"
