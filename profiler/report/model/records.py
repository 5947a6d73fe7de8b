"""The frame as plain rows: missing values are None, order and names are the reader's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from profiler.schema.columns import Row, row_of, value_of
from profiler.wire.outside import printable
from profiler.wire.providers import short

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_DRAWN = 60
"""trials in one figure"""
MOST_GROUPS = 6
"""groups of trials that get figures"""
_GROUP = ("target", "provider", "scenario", "batch", "shapes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trials that may be compared with each other: of one target, provider and load."""

    target: str
    provider: str
    scenario: str
    batch: int | None
    shapes: str
    """swept sizes, e.g. 'sequence=128'"""
    rows: tuple[Row, ...]


def clean(text: object) -> str:
    """One printable line: text from a device may hold newlines or terminal control sequences."""
    return printable(" ".join(str(text).split()))


def csv_cell(value: Any) -> Any:
    """What a spreadsheet may read: a text it would take for a formula is marked as text by a '.

    Numbers stay as they are. The characters are those of OWASP's page on CSV injection.
    """
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _plain(value: Any) -> Any:
    """A Python value; NaN, infinity, NaT and NA become None so that no one mistakes them for 0."""
    if value is None:
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean(value)
    return None if type(value).__name__ in ("NAType", "NaTType") else clean(value)


def records(frame: pd.DataFrame) -> list[Row]:
    """Rows in reading order: models as first seen, the baseline first, then variant and threads."""
    rows = [
        row_of({str(column): _plain(held) for column, held in line.items()})
        for line in frame.to_dict(orient="records")
    ]
    models = _ranks(rows, "model")
    variants = _ranks(rows, "variant")

    def place(row: Row) -> tuple[int, bool, int, int]:
        return (
            models[row["model"]],
            not row["is_baseline"],
            variants[row["variant"]],
            row["threads"] or 0,
        )

    return sorted(rows, key=place)


def _ranks(rows: Sequence[Row], column: str) -> dict[Any, int]:
    return {name: i for i, name in enumerate(dict.fromkeys(value_of(row, column) for row in rows))}


def groups(rows: Sequence[Row]) -> list[Group]:
    """Rows by target, provider, scenario, batch and shapes, in order of first appearance."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(value_of(row, name) for name in _GROUP), []).append(row)
    return [
        Group(
            target=key[0] or "",
            provider=key[1] or "",
            scenario=key[2] or "",
            batch=key[3],
            shapes=key[4] or "",
            rows=tuple(members),
        )
        for key, members in found.items()
    ]


def group_name(group: Group, among: Sequence[Group]) -> str:
    """'local-cpu, single_stream'; provider and batch only where they tell groups apart."""
    parts = [group.target, group.scenario]
    if len({g.provider for g in among}) > 1:
        parts.insert(1, short(group.provider))
    if group.batch is not None and (group.batch != 1 or len({g.batch for g in among}) > 1):
        parts.append(f"batch {group.batch}")
    parts.append(group.shapes)
    return ", ".join(part for part in parts if part)


def measured(rows: Sequence[Row]) -> list[Row]:
    """Rows that hold numbers."""
    return [row for row in rows if row["status"] == "ok"]


def drawn(rows: Sequence[Row]) -> list[Row]:
    """At most MOST_DRAWN rows for a figure, in their order: the chosen one, the frontier, the rest.

    More could not be told apart, and each takes its time to draw; the tables hold every trial.
    """
    ranked = sorted(
        range(len(rows)),
        key=lambda n: (not rows[n].get("chosen"), not rows[n].get("frontier")),
    )
    return [rows[n] for n in sorted(ranked[:MOST_DRAWN])]


def drawn_groups(among: Sequence[Group]) -> list[Group]:
    """At most MOST_GROUPS groups that get figures: that of the choice, then in their order."""
    ranked = sorted(
        range(len(among)), key=lambda n: not any(row["chosen"] for row in among[n].rows)
    )
    return [among[n] for n in sorted(ranked[:MOST_GROUPS])]


def not_drawn(among: Sequence[Group]) -> str:
    """What the figures leave out, in words; empty when all groups are drawn."""
    left = len(among) - len(drawn_groups(among))
    return f"figures of {MOST_GROUPS} of {len(among)} groups; the tables hold all" if left else ""


def threads_name(row: Row) -> str:
    """'t2'; empty when the thread count is unknown."""
    return "" if row["threads"] is None else f"t{row['threads']}"


def setting_name(row: Row) -> str:
    """What the trial's id says beyond target, scenario, batch and threads: 'c4 mem-512MB'."""
    parts = str(row["trial"] or "").partition("@")[2].split("/")
    return " ".join(parts[4:])


def name(row: Row) -> str:
    """'convnet int8-dynamic t2'"""
    parts = (row["model"] or "", row["variant"] or "", threads_name(row))
    return " ".join(part for part in parts if part)


def judged_legend(rows: Sequence[Row]) -> list[str]:
    """What the accuracy is where it is no share of rows; of which output, where there are more."""
    meanings = dict.fromkeys(row["accuracy_is"] for row in rows if row["accuracy_is"])
    legend = [f"accuracy: {clean(meaning)}" for meaning in meanings]
    found = {row["model"]: clean(row["judged"]) for row in rows if row["judged"]}
    if len(set(found.values())) == 1:
        return [*legend, f"judged: output {next(iter(found.values()))}"]
    return [*legend, *(f"judged: output {name} of {clean(m)}" for m, name in found.items())]
