"""Sheets: what each table says, as text cells. Rich, Markdown and HTML render the same sheets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from profiler.analysis.trials.speeds import in_words
from profiler.report.model.cells import (
    ENERGIES,
    MARKS,
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
    ratio_text,
    signed,
    standing,
)
from profiler.report.model.records import (
    Group,
    group_name,
    judged_legend,
    measured,
    setting_name,
    threads_name,
)
from profiler.schema.columns import COLUMNS, Row, half_width_of, interval_of, value_of
from profiler.wire.scenarios import known

DOES_NOT_FIT: Final = "does not fit"


def _values(rows: Sequence[Row], *columns: str) -> list[float]:
    return [at for row in rows for c in columns if (at := value_of(row, c)) is not None]


def _has(rows: Sequence[Row], column: str) -> bool:
    return bool(_values(measured(rows), column))


def baseline_name(rows: Sequence[Row]) -> str:
    """'fp32', or 'baseline' when models have differently named ones."""
    names = {row["variant"] for row in rows if row["is_baseline"]}
    return str(names.pop()) if len(names) == 1 else "baseline"


def identity_columns(rows: Sequence[Row]) -> tuple[list[Column], Callable[[Row], list[str]]]:
    """The columns that name a row. Threads and other settings only when they vary."""
    vary = len({row["threads"] for row in rows}) > 1
    set_apart = len({setting_name(row) for row in rows}) > 1
    columns = [Column(title="model", number=False), Column(title="variant", number=False)]
    if vary:
        columns.append(Column(title="thr"))
    if set_apart:
        columns.append(Column(title="setting", number=False))

    def cells(row: Row) -> list[str]:
        named = [row["model"] or MISSING, row["variant"] or MISSING]
        if vary:
            named.append(threads_name(row).removeprefix("t") or MISSING)
        if set_apart:
            named.append(setting_name(row) or MISSING)
        return named

    return columns, cells


def _title(what: str, group: Group, among: Sequence[Group]) -> str:
    threads = {row["threads"] for row in group.rows}
    only = next(iter(threads)) if len(threads) == 1 else None
    tail = "" if only is None else f", {only} thread{'s' if only != 1 else ''}"
    return f"{what}: {group_name(group, among)}{tail}"


def out_of_memory(row: Row) -> bool:
    """Whether it failed because the model did not fit, which is a result."""
    return row["status"] == "failed" and str(row["reason"]).startswith("out of memory")


def _standings(lines: Sequence[Line]) -> list[str]:
    words = {"chosen": "chosen", "frontier": "frontier", "failed": "failed", "excluded": "excluded"}
    present = {line.standing for line in lines}
    legend = [f"{MARKS[key]} {words[key]}" for key in words if key in present]
    return [*legend, "dim: dominated"] if "dominated" in present else legend


def _p50_cell(row: Row, unit: float, notes: Notes) -> str:
    value = row["p50_ns"]
    if value is None:
        return MISSING
    tilde = "" if interval_of(row, "p50_ns") else "~"
    return tilde + figure(value / unit) + _marks(row, notes)


def _marks(row: Row, notes: Notes) -> str:
    """Footnotes of what a latency owes to: noise, a partial provider, an unsuited recipe."""
    return "".join(notes.mark(value_of(row, key)) for key in ("noise", "placed_note", "advice"))


def _p99_cell(row: Row, unit: float, notes: Notes) -> str:
    value = row["p99_ns"]
    if value is None:
        return MISSING + notes.mark(row["p99_note"])
    return ("" if interval_of(row, "p99_ns") else "~") + figure(value / unit)


def _half_width(row: Row) -> str:
    half = half_width_of(row, "p50_ns")
    if half is None:
        return MISSING
    return f"{half * 100:.1f}" if half < 0.0995 else f"{half * 100:.0f}"


def _throughput(row: Row) -> str:
    value = row["throughput"]
    if value is None:
        return MISSING
    return ("" if interval_of(row, "throughput") else "~") + figure(value)


def _ratio_cells(row: Row, notes: Notes) -> tuple[str, str]:
    if row["is_baseline"]:
        return "1", "baseline"
    if row["ratio"] is None:
        return MISSING, MISSING
    mark = VERDICTS.get(row["verdict"] or "", " ")
    needed = row["rounds_needed"]
    hint = ""
    if row["verdict"] == "undecided" and needed is not None:
        hint = notes.mark(f"about {math.ceil(needed)} rounds would decide")
    if not interval_of(row, "ratio"):
        return f"~{ratio_text(row['ratio'])}", MISSING
    span = f"{ratio_text(row['ratio_low'])}–{ratio_text(row['ratio_high'])}"
    if slowed := interval_of(row, "ratio_slowed"):
        low, high = map(ratio_text, slowed)
        hint += notes.mark(
            f"at full speed; {ratio_text(row['ratio_slowed'])} ({low}–{high}) when slowed"
        )
    return f"{mark} {ratio_text(row['ratio'])}", span + hint


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
    unit, unit_name = common_unit(_values(measured(rows), "p50_ns"))
    columns, identity = identity_columns(rows)
    by_throughput = known(group.scenario).headline == "throughput"
    base = baseline_name(rows)
    compared = _has(rows, "ratio")
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
            third = _throughput(row) if by_throughput else _p99_cell(row, unit, notes)
            cells = [*identity(row), _p50_cell(row, unit, notes), _half_width(row), third]
            if compared:
                cells += _ratio_cells(row, notes)
        lines.append(Line(standing=rank, cells=tuple(cells)))
    legend = _standings(lines)
    verdicts = {r["verdict"] for r in measured(rows) if interval_of(r, "ratio")}
    ratio_words = [f"{VERDICTS[v]} {v}" for v in VERDICTS if v in verdicts]
    if any(cell.startswith("~") for line in lines for cell in line.cells):
        ratio_words.append(f"~ no interval: {_why_none(rows)}")
    ended = dict.fromkeys(row["stopped"] for row in rows if row["stopped"])
    if told := in_words(measured(rows)):
        ratio_words.append(told)
    ratio_words += [f"stopped: {why}" for why in ended]
    return Sheet(
        title=_title("Latency", group, among),
        columns=tuple(columns),
        lines=tuple(lines),
        legend=(*legend, *ratio_words),
        notes=notes.lines(),
    )


def _scaled(key: str, unit: float) -> Callable[[Row], str]:
    return lambda row: MISSING if (at := value_of(row, key)) is None else figure(at / unit)


def _points_digits(rows: Sequence[Row]) -> int:
    """Decimals of percentages: one when the accuracy interval is wider than 0.4 points."""
    widths = [ends[1] - ends[0] for r in measured(rows) if (ends := interval_of(r, "accuracy"))]
    return 2 if widths and max(widths) < 0.004 else 1


def _accuracy_cell(row: Row, digits: int) -> str:
    value = row["accuracy"]
    if value is None:
        return MISSING
    ends = interval_of(row, "accuracy")
    if ends is None:
        return f"~{value * 100:.{digits}f}"
    half = (ends[1] - ends[0]) / 2
    return f"{value * 100:.{digits}f} ±{half * 100:.{digits}f}"


def _drop_cell(row: Row, digits: int, notes: Notes) -> str:
    if row["is_baseline"]:
        return "baseline"
    if row["drop"] is None:
        return MISSING
    ends = interval_of(row, "drop")
    if ends is None:
        return f"~{signed(row['drop'] * 100, digits)}"
    mark = QUALITIES.get(row["quality"] or "", " ")
    low, high = (signed(end * 100, digits) for end in ends)
    hint, needed = "", row["quality_n_needed"]
    if row["quality"] == "undecided" and needed is not None:
        hint = notes.mark(f"undecided, needs n = {math.ceil(needed)} labelled rows")
    hint += notes.mark(row["damaged"])
    return f"{mark} {signed(row['drop'] * 100, digits)} [{low}, {high}]{hint}"


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
    if not _has(rows, "energy_j_per_query"):
        return []
    found = dict.fromkeys((row["energy_label"], row["energy_note"]) for row in rows)
    return [
        f"{'≈ ' if label == 'estimated' else ''}energy {label}: {note}"
        for label, note in found
        if label
    ]


def _dollars(row: Row, notes: Notes) -> str:
    return figure(row["usd_per_million"]) + notes.mark(row["throughput_note"])


def quality_sheet(group: Group, among: Sequence[Group]) -> Sheet:
    """Accuracy, its loss against the baseline, memory, file size, cost and the SLO verdict."""
    rows, notes = measured(group.rows), Notes()
    digits = _points_digits(rows)
    columns, identity = identity_columns(group.rows)
    makers: list[Callable[[Row], str]] = []

    def add(column: Column, maker: Callable[[Row], str]) -> None:
        columns.append(column)
        makers.append(maker)

    if _has(rows, "accuracy"):
        add(Column(title="accuracy %"), lambda row: _accuracy_cell(row, digits))
    if _has(rows, "drop"):
        add(Column(title="loss, points"), lambda row: _drop_cell(row, digits, notes))
    elif _has(rows, "agreement"):
        add(Column(title="agreement %"), _agreement)
    for title, key, drop in (("memory", "memory_peak_bytes", 0), ("file", "file_bytes", 2)):
        if _has(rows, key):
            unit, unit_name = common_unit(_values(rows, key), SIZES)
            add(Column(title=f"{title} {unit_name}", drop=drop), _scaled(key, unit))
    if _has(rows, "output_error"):
        add(Column(title="off %", drop=1), _off_cell)
    if _has(rows, "usd_per_million"):
        add(Column(title="$/M"), lambda row: _dollars(row, notes))
    if _has(rows, "energy_j_per_query"):
        unit, unit_name = common_unit(_values(rows, "energy_j_per_query"), ENERGIES)
        add(Column(title=f"energy {unit_name}", drop=1), _energy(unit))
    if any(row["slo"] for row in rows):
        add(Column(title="SLO", number=False), lambda row: row["slo"] or MISSING)
    lines = tuple(
        Line(standing=standing(row), cells=(*identity(row), *(make(row) for make in makers)))
        for row in rows
    )
    legend = _standings(lines)
    seen = {row["quality"] for row in rows if interval_of(row, "drop")}
    legend += [f"{QUALITIES[q]} {q}" for q in QUALITIES if q in seen]
    if any(cell.startswith("~") for line in lines for cell in line.cells):
        legend.append("~ no interval")
    legend += judged_legend(rows)
    if _has(rows, "output_error"):
        legend.append("off: outputs against the first target's, relative RMS")
    if _has(rows, "usd_per_million"):
        prices = dict.fromkeys(p for row in rows if isinstance(p := row["price"], str))
        declared = f", at {' and '.join(prices)}, declared" if prices else ""
        legend.append(f"$/M: US dollars per million samples{declared}")
    legend += _energy_legend(rows)
    what = "Accuracy and cost" if _has(rows, "accuracy") else "Memory and cost"
    return Sheet(
        title=_title(what, group, among),
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
    if _has(group.rows, "steady_ns"):
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
    if _has(group.rows, "placed"):
        fields.append((Column(title="placed %", drop=2), plain("placed", _placed)))
    columns += [column for column, _ in fields]
    lines = tuple(
        Line(standing=standing(row), cells=(*identity(row), *(make(row) for _, make in fields)))
        for row in measured(group.rows)
    )
    return Sheet(
        title=_title("Start and memory", group, among),
        columns=tuple(columns),
        lines=lines,
        legend=tuple(_standings(lines)),
    )
