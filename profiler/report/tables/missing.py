"""Trials that have no numbers, and why."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.report.model.cells import MISSING, Column, Line, Sheet, standing
from profiler.report.model.records import group_name, groups, setting_name, threads_name
from profiler.schema.columns import Row


def missing_sheet(rows: Sequence[Row]) -> Sheet | None:
    """Failed and excluded trials with their reasons; None when there are none."""
    gone = [row for row in rows if standing(row) in ("failed", "excluded")]
    if not gone:
        return None
    among = groups(rows)
    lines = []
    for row in gone:
        named = (row["variant"] or "", threads_name(row), setting_name(row))
        trial = " ".join(filter(None, named))
        where = f", {group_name(groups([row])[0], among)}" if len(among) > 1 else ""
        cells = (
            row["model"] or MISSING,
            trial + where,
            standing(row),
            row["reason"] or "no reason recorded",
        )
        lines.append(Line(standing=standing(row), cells=cells))
    titles = ("model", "trial", "status", "reason")
    return Sheet(
        title="Not measured",
        columns=tuple(Column(title=t, number=False) for t in titles),
        lines=tuple(lines),
    )
