"""Sheets on predictions: task metrics, agreement with the baseline, damage of single classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiler.report.model.cells import (
    MISSING,
    Column,
    Line,
    Sheet,
    figure,
    percent_text,
    standing,
)
from profiler.report.model.records import clean
from profiler.schema.columns import Row, value_of

_COSTS = {"decision_cost": "cost/decision"}


def metrics_sheet(
    found: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str], rows: Sequence[Row]
) -> Sheet | None:
    """Task metrics of each trial, under the titles of the task; None without labels."""
    by_trial = {str(row["trial"]): row for row in rows}
    names = _named({key for metrics in found.values() for key in metrics}, titles)
    shares = [key for key, title in names.items() if title.endswith("%")]
    numbers = [key for key in names if key not in shares]
    if not shares and not numbers:
        return None
    costs = [key for key in _COSTS if any(value_of(r, key) is not None for r in by_trial.values())]
    lines = []
    for trial, metrics in found.items():
        row = by_trial[trial]
        cells = [clean(trial)]
        cells += [percent_text(metrics.get(key), 2) for key in shares]
        cells += [figure(metrics.get(key)) if metrics.get(key) is not None else MISSING
                  for key in numbers]  # fmt: skip
        cells += [figure(value_of(row, key)) for key in costs]
        lines.append(Line(standing=standing(row), cells=tuple(cells)))
    shown = [names[key] for key in (*shares, *numbers)] + [_COSTS[key] for key in costs]
    legend = ("ECE: calibration error, bins of equal mass",) if "ece" in shares else ()
    return Sheet(
        title="Task metrics",
        columns=(Column(title="trial", number=False), *(Column(title=t) for t in shown)),
        lines=tuple(lines),
        legend=legend,
    )


def _named(keys: set[str], titles: Mapping[str, str]) -> dict[str, str]:
    """Key -> title of those that are there; "{}" in both stands for a number, which sorts them."""
    named: dict[str, str] = {}
    for key, title in titles.items():
        start, several, _ = key.partition("{}")
        if not several:
            named |= {key: title} if key in keys else {}
            continue
        numbers = [k.removeprefix(start) for k in keys if k.startswith(start)]
        for number in sorted((n for n in numbers if n.isdecimal()), key=int):
            named[f"{start}{number}"] = title.format(number)
    return named


def agreement_sheet(rows: Sequence[Row]) -> Sheet | None:
    """How far each variant's outputs are from its baseline's; None where nothing is known."""
    known = [row for row in rows if row["cosine"] is not None]
    if not known:
        return None
    lines = tuple(
        Line(
            standing=standing(row),
            cells=(
                clean(row["trial"]),
                percent_text(row["agreement"], 2),
                MISSING if row["flips"] is None else str(row["flips"]),
                figure(row["sqnr_db"]) if row["sqnr_db"] is not None else MISSING,
                figure(row["kl"]),
                f"{row['cosine']:.6f}",
                figure(row["max_abs"]),
            ),
        )
        for row in known
    )
    titles = ("same top-1 %", "flips", "SQNR dB", "KL nats", "cosine", "max |Δ|")
    return Sheet(
        title="Agreement with the baseline, no labels needed",
        columns=(Column(title="trial", number=False), *(Column(title=t) for t in titles)),
        lines=lines,
    )


def damage_sheet(cells: Mapping[str, Sequence[Any]]) -> Sheet | None:
    """Classes and slices that lost more than the rest; None where nothing was tested."""
    tested = sum(len(found) for found in cells.values())
    if not tested:
        return None
    lines = tuple(
        Line(
            standing="plain",
            cells=(
                clean(trial), clean(f"{cell.column} {cell.value}"), str(cell.n),
                f"{cell.drop * 100:.1f}", str(cell.lost), str(cell.gained),
                f"{cell.p_adjusted:.2g}",
            ),
        )
        for trial, found in cells.items()
        for cell in found
        if cell.damaged
    )  # fmt: skip
    titles = ("rows", "loss, points", "lost", "gained", "adjusted p")
    note = f"{tested} classes and slices tested, false discovery rate 5 % per trial"
    return Sheet(
        title="Classes and slices damaged more than the rest",
        columns=(
            Column(title="trial", number=False), Column(title="slice", number=False),
            *(Column(title=t) for t in titles),
        ),
        lines=lines or (Line(standing="plain", cells=("none", *[""] * 6)),),
        notes=(note,),
    )  # fmt: skip
