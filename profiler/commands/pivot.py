"""`table` with --metric, --rows or --columns: hardware side by side, to be put into a document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date

from profiler.commands.look import console
from profiler.errors import InputError
from profiler.results.results import Results
from profiler.units import format_size
from profiler.wire.codec import nearest

FORMS = ("text", "markdown", "latex", "html", "csv", "json")


def machines(results: Results) -> list[str]:
    """One line a target: what it is, and when it was measured."""
    told = []
    for name, facts in results.facts().items():
        machine = facts.get("device") or facts.get("cpu") or "unknown"
        told.append(
            f"{name}: {machine}, {facts.get('usable_cores')} cores,"
            f" {format_size(facts.get('memory_bytes'))},"
            f" {facts.get('os')}, onnxruntime {facts.get('onnxruntime') or 'none'}"
        )
    day = date.fromisoformat(str(results.meta["created"])[:10])
    return [*told, f"{results.study.name}, measured on {day.isoformat()}"]


def pivot(
    results: Results,
    form: str,
    *,
    metrics: Sequence[str],
    rows: str,
    columns: str,
    blind: bool,
    reveal: bool,
) -> None:
    """Print the tables. With `blind` names are letters; `reveal` prints whose they are."""
    from profiler.report.model.records import records
    from profiler.report.tables.pivot import blinded, check, pivots
    from profiler.report.tables.render import in_form, stacked

    if form not in FORMS:
        raise InputError(
            f"--format: expected one of {', '.join(FORMS)}, got {form!r}", hint=nearest(form, FORMS)
        )
    check(metrics, rows, columns)
    known, key = records(results.table()), dict[str, str]()
    notes = machines(results)
    if blind or reveal:
        known, key = blinded(known, results.meta["study_hash"])
        notes = notes[-1:]
    if reveal:
        for letter, name in key.items():
            console().print(f"{letter}: {name}", markup=False)
        return
    sheets = pivots(known, metrics, rows, columns)
    if not sheets:
        raise InputError(f"{results.folder}: no trial has {' or '.join(metrics)}")
    out = console()
    if form == "text":
        out.print(stacked(sheets, width=min(out.width, 120)))
        for text in notes:
            out.print(text, markup=False, style="dim")
    else:
        sys.stdout.write(in_form(sheets, form, notes))
