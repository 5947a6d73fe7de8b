"""Sheets: what each table says, as text cells. Rich, Markdown and HTML render the same sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from profiler.analysis.trials.speeds import in_words
from profiler.report.model.cells import (
    ENERGIES,
    MISSING,
    QUALITIES,
    SIZES,
    VERDICTS,
    Column,
    Line,
    Notes,
    Sheet,
    common_unit,
    figure,
    figure_whole,
    percent_text,
    standing,
)
from profiler.report.model.records import (
    Group,
    judged_legend,
    measured,
)
from profiler.report.tables.parts import (
    DOES_NOT_FIT,
    accuracy_cell,
    baseline_name,
    drop_cell,
    half_width_cell,
    has,
    identity_columns,
    out_of_memory,
    p50_cell,
    p99_cell,
    points_digits,
    ratio_cells,
    standings,
    throughput_cell,
    title_of,
    values_of,
)
from profiler.schema.columns import COLUMNS, Row, half_width_of, interval_of, value_of
from profiler.wire.scenarios import known


def _why_none(rows: Sequence[Row]) -> str:
    """Too few queries to bound a percentile, too few rounds, or rounds that agree to the tick."""
    from profiler.statistics.intervals import NO_SPREAD, NOT_ENOUGH_ROUNDS, TOO_FEW_QUERIES

    notes = {
        value_of(row, f"{name}_note")
        for row in measured(rows)
        for name in ("p50", "p99")
        if value_of(row, f"{name}_ns") is not None
    }
    words = {
        NOT_ENOUGH_ROUNDS: "too few rounds",
        TOO_FEW_QUERIES: "too few queries",
        NO_SPREAD: NO_SPREAD,
    }
    return ", ".join(words[note] for note in words if note in notes) or "too few rounds"


def latency_sheet(group: Group, among: Sequence[Group]) -> Sheet:
    """p50 with its interval, p99 or throughput by the scenario, and p50 against the baseline."""
    rows, notes = group.rows, Notes()
    unit, unit_name = common_unit(values_of(measured(rows), "p50_ns"))
    columns, identity = identity_columns(rows)
    by_throughput = known(group.scenario).headline == "throughput"
    base = baseline_name(rows)
    compared = has(rows, "ratio")
    columns += [
        Column(title=f"p50 {unit_name}"),
        Column(title="± %"),
        Column(title="samples/s" if by_throughput else f"p99 {unit_name}"),
    ]
    if compared:
        columns += [Column(title=f"vs {base}"), Column(title="95 % interval")]
    lines = []
    for row in rows:
        rank = standing(row)
        if rank in ("failed", "excluded"):
            word = DOES_NOT_FIT if out_of_memory(row) else rank
            cells = [*identity(row), word] + [""] * (4 if compared else 2)
        else:
            third = throughput_cell(row) if by_throughput else p99_cell(row, unit, notes)
            cells = [*identity(row), p50_cell(row, unit, notes), half_width_cell(row), third]
            if compared:
                cells += ratio_cells(row, notes)
        lines.append(Line(standing=rank, cells=tuple(cells)))
    legend = standings(lines)
    verdicts = {r["verdict"] for r in measured(rows) if interval_of(r, "ratio")}
    ratio_words = [f"{VERDICTS[v]} {v}" for v in VERDICTS if v in verdicts]
    if any(cell.startswith("~") for line in lines for cell in line.cells):
        ratio_words.append(f"~ no interval: {_why_none(rows)}")
    ended = dict.fromkeys(row["stopped"] for row in rows if row["stopped"])
    if told := in_words(measured(rows)):
        ratio_words.append(told)
    ratio_words += [f"stopped: {why}" for why in ended]
    return Sheet(
        title=title_of("Latency", group, among),
        columns=tuple(columns),
        lines=tuple(lines),
        legend=(*legend, *ratio_words),
        notes=notes.lines(),
    )


def _scaled(key: str, unit: float) -> Callable[[Row], str]:
    return lambda row: MISSING if (at := value_of(row, key)) is None else figure(at / unit)


def _agreement(row: Row) -> str:
    return "baseline" if row["is_baseline"] else percent_text(row["agreement"], 2)


def _off_cell(row: Row) -> str:
    value = row["output_error"]
    if value is None:
        return MISSING
    return "<0.001" if 0 < value < 1e-5 else figure(value * 100, 2)


def _energy(unit: float) -> Callable[[Row], str]:
    """Joules a query; what is estimated is marked, where it comes from stands in the legend."""

    def cell(row: Row) -> str:
        value = row["energy_j_per_query"]
        sign = "≈" if row["energy_label"] == "estimated" else ""
        return MISSING if value is None else sign + figure(value / unit)

    return cell


def _energy_legend(rows: Sequence[Row]) -> list[str]:
    """'energy measured: RAPL, …', each once; the mark of an estimate with its source."""
    if not has(rows, "energy_j_per_query"):
        return []
    found = dict.fromkeys((row["energy_label"], row["energy_note"]) for row in rows)
    return [
        f"{'≈ ' if label == 'estimated' else ''}energy {label}: {note}"
        for label, note in found
        if label
    ]


def _cost_cell(row: Row, notes: Notes) -> str:
    half = half_width_of(row, "cost_per_million")
    width = "" if half is None else f" ±{figure(100 * half, 2)} %"
    return figure(row["cost_per_million"]) + width + notes.mark(row["cost_note"])


def quality_sheet(group: Group, among: Sequence[Group]) -> Sheet:
    """Accuracy, its loss against the baseline, memory, file size, cost and the SLO verdict."""
    rows, notes = measured(group.rows), Notes()
    digits = points_digits(rows)
    columns, identity = identity_columns(group.rows)
    makers: list[Callable[[Row], str]] = []

    def add(column: Column, maker: Callable[[Row], str]) -> None:
        columns.append(column)
        makers.append(maker)

    if has(rows, "accuracy"):
        add(Column(title="accuracy %"), lambda row: accuracy_cell(row, digits))
    if has(rows, "drop"):
        add(Column(title="loss, points"), lambda row: drop_cell(row, digits, notes))
    elif has(rows, "agreement"):
        add(Column(title="agreement %"), _agreement)
    for title, key, drop in (("memory", "memory_peak_bytes", 0), ("file", "file_bytes", 2)):
        if has(rows, key):
            unit, unit_name = common_unit(values_of(rows, key), SIZES)
            add(Column(title=f"{title} {unit_name}", drop=drop), _scaled(key, unit))
    if has(rows, "output_error"):
        add(Column(title="off %", drop=1), _off_cell)
    if has(rows, "cost_per_million"):
        currencies = dict.fromkeys(str(row["currency"]) for row in rows if row["currency"])
        add(Column(title=f"{'/'.join(currencies)}/M"), lambda row: _cost_cell(row, notes))
    if has(rows, "energy_j_per_query"):
        unit, unit_name = common_unit(values_of(rows, "energy_j_per_query"), ENERGIES)
        add(Column(title=f"energy {unit_name}", drop=1), _energy(unit))
    if any(row["slo"] for row in rows):
        add(Column(title="SLO", number=False), lambda row: row["slo"] or MISSING)
    lines = tuple(
        Line(standing=standing(row), cells=(*identity(row), *(make(row) for make in makers)))
        for row in rows
    )
    legend = standings(lines)
    seen = {row["quality"] for row in rows if interval_of(row, "drop")}
    legend += [f"{QUALITIES[q]} {q}" for q in QUALITIES if q in seen]
    if any(cell.startswith("~") for line in lines for cell in line.cells):
        legend.append("~ no interval")
    legend += judged_legend(rows)
    if has(rows, "output_error"):
        legend.append("off: outputs against the first target's, relative RMS")
    if has(rows, "cost_per_million"):
        prices = dict.fromkeys(p for row in rows if isinstance(p := row["price"], str))
        declared = f", at {' and '.join(prices)}, declared" if prices else ""
        legend.append(f"/M: cost of a million samples at the capacity{declared}")
    legend += _energy_legend(rows)
    what = "Accuracy and cost" if has(rows, "accuracy") else "Memory and cost"
    return Sheet(
        title=title_of(what, group, among),
        columns=tuple(columns),
        lines=lines,
        legend=tuple(legend),
        notes=notes.lines(),
    )


def _placed(share: float | None) -> str:
    """Share of nodes on the provider, rounded down: 100 means every one."""
    return MISSING if share is None else f"{math.floor(share * 100)}"


def _half_text(row: Row, column: str) -> str:
    """' ±4 %' of the value; empty without an interval."""
    half = half_width_of(row, column)
    return "" if half is None else f" ±{figure(half * 100, 2)} %"


def start_sheet(group: Group, among: Sequence[Group]) -> Sheet:
    """What happens once per process: loading, the first query, and memory by stage."""
    columns, identity = identity_columns(group.rows)

    def spanned(key: str) -> Callable[[Row], str]:
        return lambda row: COLUMNS[key].show(value_of(row, key)) + _half_text(row, key)

    def plain(key: str, show: Callable[[Any], str] | None = None) -> Callable[[Row], str]:
        return lambda row: (show or COLUMNS[key].show)(value_of(row, key))

    fields = [
        (Column(title="load"), spanned("load_ns")),
        (Column(title="first query"), spanned("first_query_ns")),
    ]
    if has(group.rows, "steady_ns"):
        fields += [
            (Column(title="steady"), spanned("steady_ns")),
            (Column(title="n"), plain("processes", figure_whole)),
        ]
    else:
        fields += [
            (Column(title="rounds", drop=2), plain("rounds", figure_whole)),
            (Column(title="queries", drop=2), plain("queries", figure_whole)),
        ]
    for title in ("imports", "loaded", "peak"):
        column = Column(title=title, drop=1 if title == "peak" else 3)
        fields.append((column, plain(f"memory_{title}_bytes")))
    if has(group.rows, "placed"):
        fields.append((Column(title="placed %", drop=2), plain("placed", _placed)))
    columns += [column for column, _ in fields]
    lines = tuple(
        Line(standing=standing(row), cells=(*identity(row), *(make(row) for _, make in fields)))
        for row in measured(group.rows)
    )
    return Sheet(
        title=title_of("Start and memory", group, among),
        columns=tuple(columns),
        lines=lines,
        legend=tuple(standings(lines)),
    )
