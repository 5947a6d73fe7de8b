"""The tables in a terminal, and the same rows as Markdown, CSV and JSON."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from profiler.errors import InputError
from profiler.report.model.cells import MARKS, Line, Sheet, number_parts
from profiler.report.model.records import Group, csv_cell, groups, records
from profiler.report.tables.answer import frontier_sheet, hardware_sheet
from profiler.report.tables.missing import missing_sheet
from profiler.report.tables.pivot import hardware_sheets
from profiler.report.tables.sheets import (
    latency_sheet,
    quality_sheet,
    start_sheet,
)
from profiler.report.tables.throughput import throughput_sheets
from profiler.report.tables.yardstick import yardstick_sheets
from profiler.schema.columns import Row, value_of
from profiler.wire.scenarios import known

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType
    from rich.table import Table

WIDTH: Final = 80

_STYLES: Final = {
    "chosen": "bold",
    "frontier": "",
    "plain": "",
    "dominated": "dim",
    "failed": "red",
    "excluded": "dim",
}


def aligned(texts: Sequence[str]) -> list[str]:
    """Pad numbers on the right so that, set flush right, their decimal points line up."""
    parts = number_parts(texts)
    tails = [len(part[1] + part[2]) if part else 0 for part in parts]
    longest = max(tails, default=0)
    return [
        text + " " * (longest - tail) if part else text
        for text, tail, part in zip(texts, tails, parts, strict=True)
    ]


def summary(frame: pd.DataFrame, *, width: int = WIDTH, yardstick: bool = False) -> RenderableType:
    """Everything for a terminal: tables of each target and scenario, hardware, not measured.

    `width` is the number of character cells that may be used. `yardstick`: with what trials take
    as multiples of it.
    """
    from rich.console import Group as Stack
    from rich.text import Text

    rows = records(frame)
    parts: list[Any] = []
    for sheet in [*main_sheets(rows), *(yardstick_sheets(rows) if yardstick else ())]:
        parts += [*_blocks(sheet, width), ""]
    if len({row["target"] for row in rows}) > 1:
        for sheet in hardware_sheets(rows):
            legend = [Text(line, style="dim") for line in _packed(sheet.legend, width)]
            parts += [*_chunks(sheet, width), *legend, ""]
    gone = missing_sheet(rows)
    if gone is not None:
        parts += _paragraphs(gone, width)
    elif parts:
        parts.pop()
    return Stack(*parts)


def answer(frame: pd.DataFrame, *, width: int = WIDTH) -> RenderableType:
    """What a run ends with: the frontier's rows, and the hardware where there are several."""
    rows = records(frame)
    sheets = [frontier_sheet(rows), hardware_sheet(rows)]
    return stacked([sheet for sheet in sheets if sheet is not None], width=width)


def in_form(sheets: Sequence[Sheet], form: str, notes: Sequence[str]) -> str:
    """Sheets as 'markdown', 'latex', 'html', 'csv' or 'json'; csv and json hold the cells."""
    from profiler.report.tables import papers

    if form == "markdown":
        return "\n\n".join([*map(_markdown_table, sheets), *map(escaped_markdown, notes)]) + "\n"
    if form in ("latex", "html"):
        return (papers.latex if form == "latex" else papers.html)(sheets, notes)
    tables = [
        {"title": sheet.title, "columns": [column.title.replace("\n", " ") for column in
         sheet.columns], "rows": [list(line.cells) for line in sheet.lines]}
        for sheet in sheets
    ]  # fmt: skip
    if form == "json":
        return json.dumps({"tables": tables, "notes": list(notes)}, indent=2,
                          ensure_ascii=False) + "\n"  # fmt: skip
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for made in tables:
        writer.writerow([csv_cell(cell) for cell in ("table", *made["columns"])])
        writer.writerows([csv_cell(cell) for cell in (made["title"], *row)] for row in made["rows"])
    return out.getvalue()


def stacked(sheets: Sequence[Sheet], *, width: int = WIDTH) -> RenderableType:
    """Any sheets for a terminal, one below the other."""
    from rich.console import Group as Stack

    return Stack(*(part for sheet in sheets for part in (*_blocks(sheet, width), "")))


def _text(frame: pd.DataFrame, width: int) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(summary(frame, width=width))
    lines = captured.get().splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _columns(frame: pd.DataFrame) -> list[str]:
    return [str(column) for column in frame.columns]


def _json(frame: pd.DataFrame, width: int) -> str:
    columns = _columns(frame)
    plain = [{column: value_of(row, column) for column in columns} for row in records(frame)]
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[pd.DataFrame, int], str]] = {
    "text": _text,
    "markdown": lambda frame, width: markdown(records(frame)),
    "csv": lambda frame, width: _csv(records(frame), _columns(frame)),
    "json": _json,
}
"""name -> (rows, most columns of a line, where lines are cut) -> text"""


def render(frame: pd.DataFrame, fmt: str, *, width: int = WIDTH) -> str:
    """The rows of `frame` in one of FORMATS; text has at most `width` columns.

    CSV and JSON hold every column unrounded; missing is empty or null. Raises InputError for
    another format.
    """
    if fmt not in FORMATS:
        raise InputError(f"unknown table format {fmt!r}", hint="use one of " + ", ".join(FORMATS))
    return FORMATS[fmt](frame, width)


def main_sheets(rows: Sequence[Row]) -> list[Sheet]:
    """Two sheets for each group that has something measured, one for each that has not; then the
    best throughput where several batches or queries in flight were tried."""
    among = groups(rows)
    sheets = []
    for group in among:
        sheets.append(latency_sheet(group, among))
        if _measured_any(group):
            if known(group.scenario).fresh:
                sheets.append(start_sheet(group, among))
            sheets.append(quality_sheet(group, among))
    return [*sheets, *throughput_sheets(rows)]


def other_starts(among: Sequence[Group]) -> list[Sheet]:
    """Start and memory of what is measured; cold starts have that in their main sheets."""
    return [
        start_sheet(group, among)
        for group in among
        if _measured_any(group) and not known(group.scenario).fresh
    ]


def _measured_any(group: Group) -> bool:
    return any(row["status"] == "ok" for row in group.rows)


def _blocks(sheet: Sheet, width: int) -> list[Any]:
    """Title, table, legend and footnotes."""
    from rich.text import Text

    kept, gap = _fit(sheet, width)
    legend = list(sheet.legend)
    if dropped := [c.title for i, c in enumerate(sheet.columns) if i not in kept]:
        legend.append("not shown: " + ", ".join(dropped))
    below = [*_packed(legend, width), *sheet.notes]
    return [
        Text(sheet.title, style="bold"),
        _table(sheet, kept, gap),
        *(Text(line, style="dim") for line in below),
    ]


def _paragraphs(sheet: Sheet, width: int) -> list[Any]:
    """Failed and excluded trials above their reason: reasons are long, and often shared."""
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = [Text(sheet.title, style="bold")]
    shared: dict[str, list[Line]] = {}
    for line in sheet.lines:
        shared.setdefault(line.cells[3], []).append(line)
    for reason, lines in shared.items():
        for line in lines:
            model, trial, status, _ = line.cells
            head = f"{MARKS[line.standing]}  {model} {trial}: {status}"
            parts.append(Text(head, style=_STYLES[line.standing], overflow="fold"))
        parts.append(Padding(Text(reason, overflow="fold"), (0, 0, 0, 3)))
    return parts


def _packed(parts: Sequence[str], width: int) -> list[str]:
    """Legend entries set apart by three spaces, in lines of at most `width`; none is broken."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += "   " + part
        else:
            lines.append(part)
    return [piece for line in lines for piece in textwrap.wrap(line, width) or [line]]


def _widths(sheet: Sheet) -> list[int]:
    from rich.cells import cell_len

    widths = []
    for i, column in enumerate(sheet.columns):
        texts = [line.cells[i] for line in sheet.lines]
        texts = aligned(texts) if column.number else texts
        widths.append(max(cell_len(t) for t in (*texts, *column.title.split("\n"))))
    return widths


def _fit(sheet: Sheet, width: int) -> tuple[list[int], int]:
    """Columns to show and the gap between them: narrow the gap first, then leave out columns."""
    widths = _widths(sheet)
    kept = list(range(len(widths)))
    optional = sorted(kept, key=lambda i: -sheet.columns[i].drop)
    while True:
        need = 1 + sum(widths[i] for i in kept)  # the mark, then the columns
        for gap in (2, 1):
            if need + gap * len(kept) <= width:
                return kept, gap
        if not optional or sheet.columns[optional[0]].drop == 0:
            return kept, 1
        kept.remove(optional.pop(0))


def _table(sheet: Sheet, kept: Sequence[int], gap: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # cells are Text, not markup: a name such as '[red]' must appear as it is. The box has a
    # divider of one space, so the padding is one less than the gap.
    table = Table(
        box=box.Box("    \n    \n ── \n    \n    \n    \n    \n    \n"),
        pad_edge=False,
        padding=(0, gap - 1, 0, 0),
        header_style="bold",
        show_edge=False,
        highlight=False,
    )
    table.add_column("", no_wrap=True)
    widths = _widths(sheet)
    texts = []
    for i in kept:
        column, cells = sheet.columns[i], [line.cells[i] for line in sheet.lines]
        if not column.number:
            table.add_column(Text(column.title), overflow="fold")
            texts.append(cells)
            continue
        # padded by hand: rich takes trailing spaces away before it sets a text flush right
        title = "\n".join(part.rjust(widths[i]) for part in column.title.split("\n"))
        table.add_column(Text(title), no_wrap=True)
        texts.append([cell.rjust(widths[i]) for cell in aligned(cells)])
    for n, line in enumerate(sheet.lines):
        cells = [MARKS[line.standing], *(column_texts[n] for column_texts in texts)]
        table.add_row(*(Text(cell) for cell in cells), style=_STYLES[line.standing])
    return table


def _chunks(sheet: Sheet, width: int) -> list[Table]:
    """A sheet of two name columns and many number columns, in tables that fit."""
    widths = _widths(sheet)
    start = 1 + widths[0] + widths[1] + 4
    tables, kept, used = [], [0, 1], start
    for i in range(2, len(widths)):
        if used + widths[i] + 2 > width and len(kept) > 2:
            tables.append(_table(sheet, kept, 2))
            kept, used = [0, 1], start
        kept.append(i)
        used += widths[i] + 2
    tables.append(_table(sheet, kept, 2))
    for table in tables:
        table.title, table.title_justify, table.title_style = sheet.title, "left", "bold"
    return tables


def markdown(rows: Sequence[Row]) -> str:
    """Pipe tables for a decision paper: the terminal's sheets, start-up and memory."""
    among = groups(rows)
    sheets = main_sheets(rows)
    sheets += other_starts(among)
    if len({row["target"] for row in rows}) > 1:
        sheets += hardware_sheets(rows)
    gone = missing_sheet(rows)
    sheets += [gone] if gone is not None else []
    return "\n\n".join(_markdown_table(sheet) for sheet in sheets) + "\n"


def _markdown_table(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(escaped_markdown(cell) for cell in cells) + " |"

    rules = ["---", *("---:" if c.number else "---" for c in sheet.columns)]
    body = [line((MARKS[row.standing], *row.cells)) for row in sheet.lines]
    below = " · ".join(escaped_markdown(part) for part in sheet.legend if part != "dim: dominated")
    notes = [escaped_markdown(note) for note in sheet.notes]
    table = [line(["", *(c.title for c in sheet.columns)]), "|" + "|".join(rules) + "|", *body]
    parts = [f"**{escaped_markdown(sheet.title)}**", "\n".join(table)]
    parts += ["  \n".join(filter(None, [below, *notes]))] if below or notes else []
    return "\n\n".join(parts)


def escaped_markdown(text: str) -> str:
    """Characters that Markdown would read as its own, escaped."""
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", text.replace("\n", " "))


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> str:
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    for row in rows:
        writer.writerow(csv_cell(value_of(row, column)) for column in columns)
    return out.getvalue()
