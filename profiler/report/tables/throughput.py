"""Best throughput over batch and queries in flight: one line for each variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.report.model.cells import (
    MISSING,
    SIZES,
    Column,
    Line,
    Sheet,
    common_unit,
    figure,
    standing,
)
from profiler.report.model.records import measured, setting_name, threads_name
from profiler.report.tables.parts import DOES_NOT_FIT, out_of_memory
from profiler.schema.columns import Row, half_width_of, value_of
from profiler.wire.scenarios import known


def _setting(row: Row) -> str:
    """The setting without the number of queries in flight, which is what is compared."""
    lanes = f"c{row['concurrency']}"
    return " ".join(part for part in setting_name(row).split() if part != lanes)


def _combination(row: Row) -> str:
    return f"b{row['batch']} c{row['concurrency']}"


def _relied_on(row: Row) -> float:
    """The low end of the interval, so that a wide interval wins nothing; without one the value."""
    low = row["throughput_low"]
    return float(value_of(row, "throughput") if low is None else low)


def _half_width(row: Row) -> str:
    half = half_width_of(row, "throughput")
    return MISSING if half is None else figure(half * 100, 2)


def _as_good(row: Row, best: Row) -> bool:
    """Whether the intervals overlap: nothing shows that the best one is better."""
    high, low = row["throughput_high"], best["throughput_low"]
    return high is not None and low is not None and high >= low


def throughput_sheets(rows: Sequence[Row]) -> list[Sheet]:
    """One sheet for each target and scenario of throughput that has more than one combination.

    Best is the highest low end of the samples/s interval. A combination that went out of memory
    counts as a result: it is said how many did.
    """
    places: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        scenario = row["scenario"] or ""
        if known(scenario).headline == "throughput" and row["status"] in ("ok", "failed"):
            key = (row["target"], row["provider"], scenario)
            places.setdefault(key, []).append(row)
    return [
        _sheet(f"{target}, {scenario}", members)
        for (target, _, scenario), members in places.items()
        if len({_combination(row) for row in members}) > 1
    ]


def _sheet(place: str, rows: Sequence[Row]) -> Sheet:
    settings = len({_setting(row) for row in rows}) > 1
    unit, unit_name = common_unit(
        [r["memory_peak_bytes"] for r in measured(rows) if r["memory_peak_bytes"]], SIZES
    )
    several = len({row["threads"] for row in rows}) > 1
    columns = [Column(title="model", number=False), Column(title="variant", number=False)]
    columns += [Column(title="thr")] if several else []
    columns += [Column(title="setting", number=False)] if settings else []
    columns += [Column(title=title) for title in ("samples/s", "± %", "batch", "conc")]
    columns += [Column(title=f"memory {unit_name}", drop=1), Column(title="no fit")]
    columns += [Column(title="as good", number=False, drop=2)]
    variants: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row["model"], row["variant"], threads_name(row), _setting(row))
        variants.setdefault(key, []).append(row)
    lines = []
    for (model, variant, threads, setting), members in variants.items():
        names = [model or MISSING, variant or MISSING]
        names += [threads.removeprefix("t") or MISSING] if several else []
        names += [setting or MISSING] if settings else []
        known = [row for row in measured(members) if row["throughput"] is not None]
        gone = sum(map(out_of_memory, members))
        short = f"{gone} of {len(members)}"
        if not known:
            word = DOES_NOT_FIT if gone else "failed"
            lines.append(Line(standing="failed", cells=(*names, word, *[""] * 4, short, "")))
            continue
        best = max(known, key=_relied_on)
        memory = best["memory_peak_bytes"]
        others = [_combination(r) for r in known if r is not best and _as_good(r, best)]
        cells = (
            *names, figure(best["throughput"]), _half_width(best), str(best["batch"]),
            str(best["concurrency"]), MISSING if memory is None else figure(memory / unit),
            short if gone else "0", ", ".join(others) or MISSING,
        )  # fmt: skip
        lines.append(Line(standing=standing(best), cells=cells))
    return Sheet(
        title=f"Best throughput: {place}",
        columns=tuple(columns),
        lines=tuple(lines),
        legend=(
            "best by the low end of its 95 % interval",
            "no fit: combinations out of memory",
            "as good: intervals that overlap it",
        ),
    )
