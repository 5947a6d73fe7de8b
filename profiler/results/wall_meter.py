"""Energy from a meter the user read: a CSV file with the columns trial and energy_j_per_query.

Joules a query and no watts: trials take turns within a round, so that a meter at the wall can't
tell them apart. The user runs one trial alone, divides, and writes down the quotient.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path

from profiler.errors import InputError
from profiler.schema.toml import not_regular
from profiler.wire.codec import nearest

COLUMNS = ("trial", "energy_j_per_query")


def read(path: Path, trials: Collection[str]) -> dict[str, float]:
    """Trial -> joules a query. Raises InputError for a wrong file, column, trial or value."""
    try:
        if (other := not_regular(path)) is not None:
            raise InputError(f"--wall-meter: {path}: expected a CSV file, got {other}")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}: expected the columns {' and '.join(COLUMNS)}, {missing[0]} is missing"
                )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"--wall-meter: {path}: can't be read ({error})", hint="give a CSV file in UTF-8"
        ) from None
    found: dict[str, float] = {}
    for number, row in enumerate(rows, 2):
        trial, text = (row["trial"] or "").strip(), (row["energy_j_per_query"] or "").strip()
        if trial not in trials:
            hint = nearest(trial, trials) or f"trials: {', '.join(list(trials)[:4])}"
            raise InputError(f"{path}: line {number}: no trial is called {trial!r}", hint=hint)
        if trial in found:
            raise InputError(f"{path}: line {number}: {trial} occurs twice")
        found[trial] = _joules(text, path, number)
    return found


def _joules(text: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(
            f"{path}: line {number}: energy_j_per_query: expected a number above 0, got {text!r}"
        )
    return value
