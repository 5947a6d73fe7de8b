"""p50 across targets: the sheets that put hardware side by side."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.report.model.cells import MISSING, Column, Line, Sheet, standing
from profiler.report.model.records import groups, threads_name
from profiler.schema.columns import Row
from profiler.units import format_duration
from profiler.wire.providers import short


def hardware_sheets(rows: Sequence[Row]) -> list[Sheet]:
    """p50 of each model and variant (rows) on each target and thread count (columns).

    One sheet for each scenario, batch and shape: their latencies are not comparable.
    """
    sheets = []
    every = groups(rows)
    for load in dict.fromkeys((g.scenario, g.batch, g.shapes) for g in every):
        part = [g for g in every if (g.scenario, g.batch, g.shapes) == load]
        scenario, batch, shapes = load
        providers = len({(g.target, g.provider) for g in part}) > len({g.target for g in part})
        cells: dict[tuple[str, str], dict[str, str]] = {}
        heads: dict[str, None] = {}
        for group in part:
            for row in group.rows:
                where = [group.target, short(group.provider)]
                head = "\n".join([*where[: 1 + providers], threads_name(row)]).rstrip("\n")
                heads[head] = None
                key = (row["model"] or MISSING, row["variant"] or MISSING)
                rank = standing(row)
                value = rank if rank in ("failed", "excluded") else format_duration(row["p50_ns"])
                cells.setdefault(key, {})[head] = value
        shown = f"{scenario}, batch {batch}" if batch not in (None, 1) else scenario
        shown += f", {shapes}" if shapes else ""
        names = (Column(title="model", number=False), Column(title="variant", number=False))
        sheets.append(
            Sheet(
                title=f"p50 by hardware: {shown}",
                columns=(*names, *(Column(title=head) for head in heads)),
                lines=tuple(
                    Line(standing="plain", cells=(*key, *(row.get(h, MISSING) for h in heads)))
                    for key, row in cells.items()
                ),
            )
        )
    return sheets
