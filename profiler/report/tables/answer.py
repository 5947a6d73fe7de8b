"""How a run ends on a terminal: the rows of the frontier, and one table of hardware."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from profiler.report.model.cells import (
    MISSING,
    Column,
    Line,
    Notes,
    Sheet,
    common_unit,
    standing,
)
from profiler.report.model.records import judged_legend, measured
from profiler.report.tables.parts import (
    accuracy_cell,
    baseline_name,
    half_width_cell,
    has,
    identity_columns,
    p50_cell,
    p99_cell,
    points_digits,
    ratio_cells,
    standings,
    values_of,
)
from profiler.report.tables.pivot import hardware_sheets, load_of
from profiler.schema.columns import Row

MOST: Final = 10
"""lines of one table"""


def frontier_sheet(rows: Sequence[Row]) -> Sheet | None:
    """What no other trial dominates, and the chosen one, the fastest first; None without any."""
    found = [row for row in measured(rows) if row["frontier"] or row["chosen"]]
    if not found:
        return None
    found.sort(key=lambda row: (not row["chosen"], _p50(row)))
    shown = found[:MOST]
    unit, unit_name = common_unit(values_of(shown, "p50_ns"))
    columns, identity = identity_columns(rows)
    makers: list[Callable[[Row], str]] = []

    def add(title: str, maker: Callable[[Row], str], *, number: bool = True, drop: int = 0) -> None:
        columns.append(Column(title=title, number=number, drop=drop))
        makers.append(maker)

    if len({row["target"] for row in rows}) > 1:
        add("target", lambda row: row["target"] or MISSING, number=False)
    if len({load_of(row) for row in rows}) > 1:
        add("load", load_of, number=False)
    add(f"p50 {unit_name}", lambda row: p50_cell(row, unit))
    add("± %", half_width_cell)
    add(f"p99 {unit_name}", lambda row: p99_cell(row, unit), drop=1)
    if has(shown, "ratio"):
        base = baseline_name(rows)
        add(f"vs {base}", lambda row: ratio_cells(row, Notes())[0], drop=2)
    if has(shown, "accuracy"):
        digits = points_digits(rows)
        add("accuracy %", lambda row: accuracy_cell(row, digits))
    if any(row["slo"] for row in shown):
        add("SLO", lambda row: row["slo"] or MISSING, number=False)
    lines = tuple(
        Line(standing=standing(row), cells=(*identity(row), *(make(row) for make in makers)))
        for row in shown
    )
    left = len(found) - len(shown)
    return Sheet(
        title=f"Frontier: {len(found)} of {len(measured(rows))} trials",
        columns=tuple(columns),
        lines=lines,
        legend=(
            *standings(lines),
            *judged_legend(shown),
            *([f"{left} more: profiler table"] if left else []),
        ),
    )


def hardware_sheet(rows: Sequence[Row]) -> Sheet | None:
    """p50 of each variant by target, those on the frontier before others; None where there is one
    target, or several loads, whose latencies are not comparable."""
    usable = measured(rows)
    sheets = hardware_sheets(usable)
    if len(sheets) != 1 or len({row["target"] for row in usable}) < 2:
        return None
    (sheet,) = sheets
    on = {(row["model"], row["variant"]) for row in usable if row["frontier"] or row["chosen"]}
    ranked = sorted(sheet.lines, key=lambda line: (line.cells[0], line.cells[1]) not in on)
    kept = [line for line in sheet.lines if line in ranked[:MOST]]
    left = len(sheet.lines) - len(kept)
    more = (f"{left} more: profiler table",) if left else ()
    return replace(sheet, lines=tuple(kept), legend=(*sheet.legend, *more))


def _p50(row: Row) -> float:
    return math.inf if row["p50_ns"] is None else row["p50_ns"]
