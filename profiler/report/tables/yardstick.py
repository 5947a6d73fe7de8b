"""Trials as multiples of the yardstick: what compares over months, shown where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.report.model.cells import (
    MISSING,
    Column,
    Line,
    Sheet,
    common_unit,
    figure,
    ratio_text,
    standing,
)
from profiler.report.model.records import group_name, groups, measured
from profiler.report.tables.parts import identity_columns
from profiler.schema.columns import Row, interval_of


def yardstick_sheets(rows: Sequence[Row]) -> list[Sheet]:
    """One sheet for each group in which a trial was measured beside a yardstick."""
    among = groups(rows)
    sheets = []
    for group in among:
        told = [row for row in measured(group.rows) if row["yardsticks"] is not None]
        if not told:
            continue
        unit, unit_name = common_unit([ns for row in told if (ns := row["yardstick_ns"])])
        columns, identity = identity_columns(group.rows)
        columns += [
            Column(title="× yardstick"),
            Column(title="95 % interval"),
            Column(title=f"yardstick {unit_name}"),
        ]
        lines = []
        for row in told:
            ns = row["yardstick_ns"]
            own = MISSING if ns is None else figure(ns / unit)
            cells = (*identity(row), ratio_text(row["yardsticks"]), _span(row), own)
            lines.append(Line(standing=standing(row), cells=cells))
        sheets.append(
            Sheet(
                title=f"In yardsticks: {group_name(group, among)}",
                columns=tuple(columns),
                lines=tuple(lines),
                legend=("yardstick: a small fixed model, measured at the same moments",),
            )
        )
    return sheets


def _span(row: Row) -> str:
    ends = interval_of(row, "yardsticks")
    return MISSING if ends is None else f"{ratio_text(ends[0])}–{ratio_text(ends[1])}"
