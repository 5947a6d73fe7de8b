"""What happens once a process: load, first query, and after a cold start the level queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.schema.columns import Row, part_of
from profiler.wire.messages import Repetition

STAGES = ("load", "first_query", "steady")


def columns(repetitions: Sequence[Repetition], *, adaptive: bool) -> Row:
    """Geometric mean and t interval of each stage over fresh processes, in ns; and how many.

    A round has one process, in the cold_start scenario several. The steady state after a start is
    known there only; elsewhere p50 is it.
    """
    from profiler.statistics.intervals import round_interval

    row: dict[str, Any] = {}
    count = 0
    for stage in STAGES:
        values = [
            value
            for one in repetitions
            for each in (one.starts or (one,))
            if (value := getattr(each, f"{stage}_ns", None)) is not None
        ]
        count = max(count, len(values))
        found = round_interval(values, adaptive=adaptive) if values and min(values) > 0 else None
        row[f"{stage}_ns"] = None if found is None else found.value
        row[f"{stage}_low_ns"] = None if found is None else found.low
        row[f"{stage}_high_ns"] = None if found is None else found.high
    return part_of({**row, "processes": count or None})
