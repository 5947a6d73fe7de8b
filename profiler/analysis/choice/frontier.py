"""The non-dominated set, and who dominates the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analysis.metrics import value
from profiler.schema.columns import Row
from profiler.schema.study.metrics import METRICS
from profiler.wire.scenarios import known


def _signed(row: Row, objectives: Sequence[str]) -> tuple[float, ...] | None:
    """Objectives turned so that smaller is better; None when one is missing."""
    signed = []
    for name in objectives:
        found = value(row, name)
        if found is None:
            return None
        signed.append(found if METRICS[name].lower_is_better else -found)
    return tuple(signed)


def usable_objectives(rows: Sequence[Row], objectives: Sequence[str]) -> tuple[str, ...]:
    """The objectives that at least one trial has a value for (no data: no accuracy)."""
    return tuple(o for o in objectives if any(value(row, o) is not None for row in rows))


def mark_frontier(rows: Sequence[Row], objectives: Sequence[str]) -> dict[str, Row]:
    """Trial id -> frontier (bool) and dominated_by (id or None).

    A trial that failed or lacks an objective is never on the frontier. Of several that dominate a
    trial, the one named is the best in the first objective.
    """
    import numpy as np

    points = {
        str(row["trial"]): point
        for row in rows
        if row["status"] == "ok" and (point := _signed(row, objectives)) is not None
    }
    marks: dict[str, Row] = {
        str(row["trial"]): {"frontier": False, "dominated_by": None} for row in rows
    }
    ordered: dict[tuple[float, ...], list[str]] = {}
    for name in sorted(points, key=points.__getitem__):
        ordered.setdefault(points[name], []).append(name)
    # In rising order, whoever dominates a point first is on the frontier itself: each point needs
    # to be held against the frontier so far alone.
    front = np.empty((len(ordered), len(objectives)))
    on_front: list[str] = []
    for point, names in ordered.items():
        covers = (front[: len(on_front)] <= point).all(axis=1)
        best = on_front[int(covers.argmax())] if covers.any() else None
        if best is None:
            front[len(on_front)] = point
            on_front.append(names[0])
        for name in names:
            marks[name] = {"frontier": best is None, "dominated_by": best}
    return marks


def load_of(row: Row) -> tuple[Any, ...]:
    """Trials under the same load compare; batch and concurrency are choices within it."""
    rate = row["rate"] if known(row["scenario"]).open_loop else None
    return row["scenario"], row["gap_ns"], rate, row["shapes"]
