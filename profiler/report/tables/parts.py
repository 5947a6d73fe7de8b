"""Cells, titles and legends that several sheets share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from profiler.report.model.cells import (
    MARKS,
    MISSING,
    QUALITIES,
    VERDICTS,
    Column,
    Line,
    Notes,
    figure,
    ratio_text,
    signed,
)
from profiler.report.model.records import (
    Group,
    group_name,
    measured,
    setting_name,
    threads_name,
)
from profiler.schema.columns import Row, half_width_of, interval_of, value_of

DOES_NOT_FIT: Final = "does not fit"


def values_of(rows: Sequence[Row], *columns: str) -> list[float]:
    return [at for row in rows for c in columns if (at := value_of(row, c)) is not None]


def has(rows: Sequence[Row], column: str) -> bool:
    return bool(values_of(measured(rows), column))


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


def title_of(what: str, group: Group, among: Sequence[Group]) -> str:
    threads = {row["threads"] for row in group.rows}
    only = next(iter(threads)) if len(threads) == 1 else None
    tail = "" if only is None else f", {only} thread{'s' if only != 1 else ''}"
    return f"{what}: {group_name(group, among)}{tail}"


def out_of_memory(row: Row) -> bool:
    """Whether it failed because the model did not fit, which is a result."""
    return row["status"] == "failed" and str(row["reason"]).startswith("out of memory")


def standings(lines: Sequence[Line]) -> list[str]:
    words = {"chosen": "chosen", "frontier": "frontier", "failed": "failed", "excluded": "excluded"}
    present = {line.standing for line in lines}
    legend = [f"{MARKS[key]} {words[key]}" for key in words if key in present]
    return [*legend, "dim: dominated"] if "dominated" in present else legend


def p50_cell(row: Row, unit: float, notes: Notes | None = None) -> str:
    value = row["p50_ns"]
    if value is None:
        return MISSING
    tilde = "" if interval_of(row, "p50_ns") else "~"
    return tilde + figure(value / unit) + ("" if notes is None else _marks(row, notes))


def _marks(row: Row, notes: Notes) -> str:
    """Footnotes of what a latency owes to: noise, a partial provider, an unsuited recipe."""
    return "".join(notes.mark(value_of(row, key)) for key in ("noise", "placed_note", "advice"))


def p99_cell(row: Row, unit: float, notes: Notes | None = None) -> str:
    value = row["p99_ns"]
    if value is None:
        return MISSING + ("" if notes is None else notes.mark(row["p99_note"]))
    return ("" if interval_of(row, "p99_ns") else "~") + figure(value / unit)


def half_width_cell(row: Row) -> str:
    half = half_width_of(row, "p50_ns")
    if half is None:
        return MISSING
    return f"{half * 100:.1f}" if half < 0.0995 else f"{half * 100:.0f}"


def throughput_cell(row: Row) -> str:
    value = row["throughput"]
    if value is None:
        return MISSING
    return ("" if interval_of(row, "throughput") else "~") + figure(value)


def ratio_cells(row: Row, notes: Notes) -> tuple[str, str]:
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


def points_digits(rows: Sequence[Row]) -> int:
    """Decimals of percentages: one when the accuracy interval is wider than 0.4 points."""
    widths = [ends[1] - ends[0] for r in measured(rows) if (ends := interval_of(r, "accuracy"))]
    return 2 if widths and max(widths) < 0.004 else 1


def accuracy_cell(row: Row, digits: int) -> str:
    value = row["accuracy"]
    if value is None:
        return MISSING
    ends = interval_of(row, "accuracy")
    if ends is None:
        return f"~{value * 100:.{digits}f}"
    half = (ends[1] - ends[0]) / 2
    return f"{value * 100:.{digits}f} ±{half * 100:.{digits}f}"


def drop_cell(row: Row, digits: int, notes: Notes) -> str:
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
