"""How a run ends on a terminal: the rows of the frontier, and one table of hardware."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
from profiler.report.model.records import measured
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
from profiler.schema.columns import Row, interval_of
from profiler.wire.providers import short

MOST: Final = 10
"""lines of one table"""


def _load(row: Row) -> str:
    batch = "" if row["batch"] in (None, 1) else f" b{row['batch']}"
    return f"{row['scenario']}{batch} {row['shapes'] or ''}".rstrip()


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
    if len({_load(row) for row in rows}) > 1:
        add("load", _load, number=False)
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
        legend=(*standings(lines), *([f"{left} more: profiler table"] if left else [])),
    )


def hardware_sheet(rows: Sequence[Row]) -> Sheet | None:
    """p50 of each variant with its interval, by target at its best thread count; None where there
    is one target, or several loads, whose latencies are not comparable."""
    usable = [row for row in measured(rows) if row["p50_ns"] is not None]
    if len({_load(row) for row in usable}) != 1 or len({r["target"] for r in usable}) < 2:
        return None
    providers = len({(r["target"], r["provider"]) for r in usable}) > len(
        {r["target"] for r in usable}
    )
    best: dict[tuple[str, str], dict[str, Row]] = {}
    heads: dict[str, None] = {}
    for row in usable:
        head = "\n".join([row["target"] or "", *[short(row["provider"] or "")][: int(providers)]])
        heads[head] = None
        cells = best.setdefault((row["model"] or MISSING, row["variant"] or MISSING), {})
        known = cells.get(head)
        cells[head] = row if known is None else min(known, row, key=_p50)
    unit, unit_name = common_unit(values_of(usable, "p50_ns"))
    marked = sorted(best, key=lambda key: not any(_on(row) for row in best[key].values()))
    lines = [
        Line(
            standing="plain",
            cells=(*key, *(_cell(best[key].get(head), best[key], unit) for head in heads)),
        )
        for key in [key for key in best if key in set(marked[:MOST])]
    ]
    left = len(best) - len(lines)
    return Sheet(
        title=f"p50 in {unit_name} by hardware, at the best number of threads",
        columns=(
            Column(title="model", number=False),
            Column(title="variant", number=False),
            *(Column(title=head) for head in heads),
        ),
        lines=tuple(lines),
        legend=("* fastest here, or not told apart from it",
                *([f"{left} more: profiler table"] if left else [])),
    )  # fmt: skip


def _p50(row: Row) -> float:
    return math.inf if row["p50_ns"] is None else row["p50_ns"]


def _on(row: Row) -> bool:
    return bool(row["frontier"] or row["chosen"])


def _cell(row: Row | None, among: dict[str, Row], unit: float) -> str:
    if row is None:
        return MISSING
    half = half_width_cell(row)
    star = "*" if len(among) > 1 and _unbeaten(row, list(among.values())) else " "
    return f"{p50_cell(row, unit)} ±{half} %{star}" if half != MISSING else p50_cell(row, unit)


def _unbeaten(row: Row, among: Sequence[Row]) -> bool:
    """Whether no other's whole interval lies below this one's."""
    ends = interval_of(row, "p50_ns")
    others = [interval_of(other, "p50_ns") for other in among if other is not row]
    return ends is not None and all(o is None or o[1] >= ends[0] for o in others)
