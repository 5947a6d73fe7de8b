"""Hardware side by side: any metrics, with what is compared in rows and in columns."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from profiler.analysis.metrics import bounds, value
from profiler.errors import InputError
from profiler.report.model.cells import (
    DURATIONS,
    ENERGIES,
    MISSING,
    SIZES,
    Column,
    Line,
    Sheet,
    common_unit,
)
from profiler.report.model.records import measured, setting_name, threads_name
from profiler.schema.columns import Row
from profiler.schema.study.metrics import METRICS
from profiler.wire.codec import nearest
from profiler.wire.providers import short

UNITS: Final = {"duration": DURATIONS, "size": SIZES, "energy": ENERGIES}
AXES: Final[Mapping[str, Callable[[Row], tuple[str, ...]]]] = {
    "variant": lambda row: (row["model"] or MISSING, row["variant"] or MISSING),
    "target": lambda row: (row["target"] or MISSING,),
    "provider": lambda row: (row["target"] or MISSING, short(row["provider"] or MISSING)),
    "threads": lambda row: (threads_name(row) or MISSING,),
    "load": lambda row: (load_of(row),),
}
"""what can stand in rows and columns"""
HEADS: Final = {"variant": ("model", "variant"), "provider": ("target", "provider"),
                "target": ("target",), "threads": ("threads",), "load": ("load",)}  # fmt: skip


def load_of(row: Row) -> str:
    """'offline b8 sequence=128': latencies under different loads do not compare."""
    batch = "" if row["batch"] in (None, 1) else f" b{row['batch']}"
    return f"{row['scenario']}{batch} {row['shapes'] or ''}".rstrip()


def check(metrics: Sequence[str], rows_by: str, columns_by: str) -> None:
    """Raise InputError for a metric or an axis that there is not."""
    for name in metrics:
        if name not in METRICS:
            raise InputError(
                f"--metric: expected some of {', '.join(METRICS)}, got {name!r}",
                hint=nearest(name, METRICS),
            )
    for option, axis in (("rows", rows_by), ("columns", columns_by)):
        if axis not in AXES:
            raise InputError(
                f"--{option}: expected one of {', '.join(AXES)}, got {axis!r}",
                hint=nearest(axis, AXES),
            )
    if rows_by == columns_by:
        raise InputError(f"--rows and --columns are both {rows_by}", hint="choose two axes")


def pivots(
    rows: Sequence[Row], metrics: Sequence[str], rows_by: str, columns_by: str
) -> list[Sheet]:
    """One sheet for each metric and load. Where several trials fall into one cell (threads and
    other settings), it holds the one with the lowest p50, and the legend says so.
    """
    usable = measured(rows)
    loads = [None] if "load" in (rows_by, columns_by) else list(dict.fromkeys(map(load_of, usable)))
    sheets = []
    for load in loads:
        part = [row for row in usable if load is None or load_of(row) == load]
        for metric in metrics:
            known = [row for row in part if value(row, metric) is not None]
            if known:
                sheets.append(_sheet(known, metric, rows_by, columns_by, load))
    return sheets


def hardware_sheets(rows: Sequence[Row]) -> list[Sheet]:
    """p50 of each variant on each target, or on each provider where a target has several."""
    places = {(row["target"], row["provider"]) for row in measured(rows)}
    several = len(places) > len({target for target, _ in places})
    sheets = pivots(rows, ["p50"], "variant", "provider" if several else "target")
    return [replace(sheet, title=f"By hardware: {sheet.title}") for sheet in sheets]


def _sheet(rows: Sequence[Row], metric: str, rows_by: str, columns_by: str,
           load: str | None) -> Sheet:  # fmt: skip
    cells: dict[tuple[str, ...], dict[tuple[str, ...], Row]] = {}
    heads: dict[tuple[str, ...], None] = {}
    several = False
    for row in rows:
        key, head = AXES[rows_by](row), AXES[columns_by](row)
        heads[head] = None
        line = cells.setdefault(key, {})
        several = several or head in line
        line[head] = min(line.get(head, row), row, key=_p50)
    unit, unit_name = _unit(metric, rows)
    title = METRICS[metric].title or metric
    lines = []
    for key, line in cells.items():
        best = _best(line, metric)
        shown = (_cell(line.get(head), metric, unit, best=head in best) for head in heads)
        lines.append(Line(standing="plain", cells=(*key, *shown)))
    legend = [f"± half of the 95 % interval{', across rounds' if metric != 'accuracy' else ''}",
              "* best of its row, or not told apart from it"]  # fmt: skip
    if several:
        settings = (
            "number of threads" if len({setting_name(row) for row in rows}) == 1 else "settings"
        )
        legend.append(f"each at the {settings} with its lowest p50")
    return Sheet(
        title=f"{title}{f' in {unit_name}' if unit_name else ''}{f', {load}' if load else ''}",
        columns=(
            *(Column(title=name, number=False) for name in HEADS[rows_by]),
            *(Column(title="\n".join(head)) for head in heads),
        ),
        lines=tuple(lines),
        legend=tuple(legend),
    )


def _p50(row: Row) -> float:
    return math.inf if row["p50_ns"] is None else row["p50_ns"]


def _unit(metric: str, rows: Sequence[Row]) -> tuple[float, str]:
    entry = METRICS[metric].entry
    if entry.kind in UNITS:
        values = [found for row in rows if (found := value(row, metric)) is not None]
        return common_unit(values, UNITS[entry.kind])
    if entry.kind in ("share", "points"):
        return 0.01, "%" if entry.kind == "share" else "points"
    if entry.kind == "money":
        return 1.0, "/".join(dict.fromkeys(str(r["currency"]) for r in rows if r["currency"]))
    return 1.0, {"rate": "samples/s"}.get(entry.kind, "")


def _cell(row: Row | None, metric: str, unit: float, *, best: bool) -> str:
    if row is None or (found := value(row, metric)) is None:
        return MISSING
    low, high = bounds(row, metric)
    star, exact = "*" if best else "", METRICS[metric].entry.ends is None
    if exact or low is None or high is None:
        return f"{'' if exact else '~'}{_digits(found / unit, None)}{star}"
    half = (high - low) / 2 / unit
    return f"{_digits(found / unit, half)} ±{_digits(half, half)}{star}"


def _digits(number: float, half: float | None) -> str:
    """As many digits as the interval supports: the last one is that of its second digit."""
    if number == 0:
        return "0"
    if half:
        decimals = max(0, 1 - math.floor(math.log10(abs(half))))
    else:
        decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:.{min(decimals, 6)}f}".replace("-", "−")


def _best(line: Mapping[tuple[str, ...], Row], metric: str) -> set[tuple[str, ...]]:
    """Those whose interval no other's lies wholly below (or above, where more is better); none
    where that is all of them, and of prices in two currencies."""
    if METRICS[metric].entry.kind == "money" and len({r["currency"] for r in line.values()}) > 1:
        return set()
    ends: dict[tuple[str, ...], tuple[float, float]] = {}
    for head, row in line.items():
        low, high = bounds(row, metric)
        if low is not None and high is not None:
            ends[head] = (low, high) if METRICS[metric].lower_is_better else (-high, -low)
    if not ends:
        return set()
    nearest_end = min(high for _, high in ends.values())
    best = {head for head, (low, _) in ends.items() if low <= nearest_end}
    return best if len(best) < len(line) else set()


def blinded(rows: Sequence[Row], seed: str) -> tuple[list[Row], dict[str, str]]:
    """The rows with targets, models and variants called by letters, and letter -> name; the same
    letters for the same folder, in an order that tells nothing."""
    key: dict[str, str] = {}
    called: dict[tuple[str, str], str] = {}
    for column, prefix in (("target", "target"), ("model", "model"), ("variant", "variant")):
        names = list(dict.fromkeys(str(row[column]) for row in rows))  # type: ignore[literal-required]
        random.Random(f"{seed}/{column}").shuffle(names)
        for number, name in enumerate(names):
            letter = f"{prefix} {chr(ord('A') + number) if number < 26 else number + 1}"
            called[column, name] = letter
            key[letter] = name
    changed: list[Row] = []
    for row in rows:
        new = row.copy()
        new["target"] = called["target", str(row["target"])]
        new["model"] = called["model", str(row["model"])]
        new["variant"] = called["variant", str(row["variant"])]
        changed.append(new)
    changed.sort(key=lambda row: (row["model"], row["variant"], row["target"]))
    return changed, key
