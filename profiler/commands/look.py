"""Commands that read: plan, targets, table, report, choose, compare."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from profiler.commands.letters import json_within
from profiler.commands.progress_bar import Screen, json_text
from profiler.errors import InputError
from profiler.results.results import Results
from profiler.units import counted, format_elapsed
from profiler.wire.codec import encode, nearest
from profiler.wire.messages import SCHEMA_VERSION

WIDTH = 80


def console() -> Screen:
    """80 columns at most in a pipe; the terminal's width, but no less, on a terminal."""
    wide = Screen(highlight=False)
    return wide if wide.is_terminal else Screen(highlight=False, width=WIDTH)


def print_json(value: Any) -> None:
    _write_json(json_text(value) + "\n")


def _write_json(text: str) -> None:
    sys.stdout.write(json_within(text, sys.stdout.encoding or "utf-8"))


def plan(what: Path, *, json: bool) -> None:
    """Print the plan of a study. A mistake in its data or model files shows now, not in the run."""
    from profiler import data
    from profiler.devices.facts import find_facts, study_targets
    from profiler.planning import Known, baselines, make_plan, recipes
    from profiler.planning.dimensions import check_axes, check_dimensions
    from profiler.schema.axes import find_batch, open_names
    from profiler.schema.study.study import Study
    from profiler.sources import inspect

    study = Study.read(what)
    dimensions, types = {}, {}
    for model in study.models:
        if model.onnx is not None:
            loaded = inspect.load(study.folder / model.onnx)
            inputs, outputs = inspect.tensors(loaded)
            types[model.name] = inspect.computes(loaded)
            check_axes(model, inputs)
            given = {*model.shapes, *(name for sizes in study.sweep.shapes for name in sizes)}
            counts = find_batch(inputs, outputs, axes=model.batch, given=given)
            dimensions[model.name] = open_names(inputs, counts.names)
    check_dimensions(study, dimensions)
    if study.data is not None:
        data.read(study.data, study.folder, study.seed)
    targets = study_targets(study)
    facts = find_facts(targets)
    study = recipes.resolve(study, {t.name: t for t in targets}, facts)
    study = baselines.called_after(study, types)
    made = make_plan(study, targets, Known(facts=facts, symbolic=dimensions))
    if json:
        print_json({**encode(made), "trials": encode(made.trials)})
        return
    out = console()
    title = f"{study.name}: {counted(len(made.trials), 'trial')}"
    shown = Table(title=title, title_justify="left", box=None)
    for heading in ("trial", "scenario", "batch", "threads", "group"):
        shown.add_column(heading, justify="left" if heading in ("trial", "scenario") else "right")
    groups = {t.id: group.index for group in made.groups for t in group.trials}
    for trial in made.trials:
        shown.add_row(
            f"{trial.model}/{trial.variant}@{trial.target}", trial.scenario,
            str(trial.batch), str(trial.threads), str(groups[trial.id] + 1),
        )  # fmt: skip
    out.print(shown)
    for exclusion in made.exclusions:
        hint = f" ({exclusion.hint})" if exclusion.hint else ""
        out.print(f"not run: {exclusion.trial.id}: {exclusion.reason}{hint}", markup=False)
    cost = "" if made.most_usd is None else f", at most ${made.most_usd:.2f} at declared prices"
    out.print(
        f"{counted(len(made.groups), 'group')}; estimated {format_elapsed(made.least_s)} to"
        f" {format_elapsed(made.most_s)} of measuring{cost}. Nothing was run."
    )
    if study.stress is not None:
        asked = len(study.stress.names) * len(study.stress.severities)
        out.print(
            f"Stress comes on top, without an estimate: {asked} perturbed sets of at most"
            f" {study.stress.rows} rows for each variant{', and probes' * study.stress.probes}."
        )
        for text in study.stress.left_out:
            out.print(text, markup=False)


def table(results: Results, form: str, *, yardstick: bool = False) -> None:
    """Print the table as text, markdown, csv or json; as text, with the `yardstick`'s if asked."""
    from profiler.report.tables.render import FORMATS, render, summary

    if form not in FORMATS:
        raise InputError(
            f"--format: expected one of {', '.join(FORMATS)}, got {form!r}",
            hint=nearest(form, FORMATS),
        )

    def draw(out: Screen) -> None:
        if yardstick and not any(results.multiples.values()):
            raise InputError(
                f"{results.folder}: nothing was measured beside the yardstick",
                hint="measure with [measure] yardstick = true, on a target whose processor ONNX"
                " Runtime computes on; cold starts alone and limited memory leave it no place",
            )
        shown = summary(results.table(), width=min(out.width, 120), yardstick=yardstick)
        out.print(shown)
        if results.faults:
            left = counted(len(results.faults), "fault")
            out.print(f"\n{left} in the folder: what can't be read is left out (profiler check)")

    if form == "text":
        print_kept(results, "table", {"yardstick": yardstick}, draw)
    else:
        made = results.derived.kept("table", {"form": form}, lambda: render(results.table(), form))
        (_write_json if form == "json" else sys.stdout.write)(made)


def print_kept(
    results: Results, name: str, question: Mapping[str, Any], draw: Callable[[Screen], None]
) -> None:
    """What is drawn on a screen like ours, or was drawn there before of the same folder."""
    out = console()
    looks = {
        "width": out.width, "colours": out.color_system, "plain": out.no_color,
        "encoding": out.encoding, "terminal": out.is_terminal, "legacy": out.legacy_windows,
    }  # fmt: skip

    def make() -> str:
        with out.capture() as captured:
            draw(out)
        return captured.get()

    sys.stdout.write(results.derived.kept(name, {**question, **looks}, make))


def write(results: Results, folder: Path) -> dict[str, Path]:
    """Write pictures, page and tables."""
    from base64 import b64decode, b64encode

    from profiler.report.brief import brief
    from profiler.report.write import contents, write_all

    def make() -> dict[str, str | None]:
        files = contents(brief(results))
        return {n: None if f is None else b64encode(f).decode() for n, f in files.items()}

    kept = results.derived.kept("report", {"joules": results.joules}, make)
    return write_all({n: None if f is None else b64decode(f) for n, f in kept.items()}, folder)


def report(results: Results, folder: Path, *, json: bool) -> None:
    """Write the report and say where it is."""
    paths = write(results, folder)
    if json:
        print_json({name: str(path) for name, path in paths.items()})
    else:
        print_paths(results, paths)


def print_paths(results: Results, paths: Mapping[str, Path]) -> None:
    """Where everything lies."""
    out = console()
    for path in paths.values():
        if path.suffix in (".png", ".html"):
            out.print(f"{path}", markup=False, soft_wrap=True)
    out.print(f"results: {results.folder}", markup=False, soft_wrap=True)


MOST_WARNINGS = 4


def print_answer(results: Results) -> None:
    """The recommendation under the study's SLO, what it was chosen from, and what to know of it."""
    from profiler.report.brief import choice_text, confirmation_text
    from profiler.report.tables.render import answer
    from profiler.report.warnings import warnings

    out = console()
    chosen = results.choose()
    out.print()
    out.print(f"[bold]choice[/bold]  {escaped(choice_text(chosen))}")
    if confirmed := confirmation_text(results, chosen):
        out.print(escaped(confirmed))
    out.print()
    out.print(answer(results.table(), width=min(out.width, 120)))
    told = warnings(results)
    for text in told[:MOST_WARNINGS]:
        out.print(f"[yellow]warning[/yellow] {escaped(text)}")
    if len(told) > MOST_WARNINGS:
        out.print(f"{counted(len(told) - MOST_WARNINGS, 'warning')} more in the report")
    out.print(f"every trial: profiler table {results.folder}", markup=False, soft_wrap=True)


def escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def stress(results: Results, *, json: bool) -> None:
    """Print what stress takes from each variant beyond its baseline, and the failure probes."""
    from profiler.report.brief import stress_sections
    from profiler.report.tables import stress as sheets
    from profiler.report.tables.render import stacked

    stressed, sections = results.stress, stress_sections(results)
    if not sections:
        raise InputError(
            f"{results.folder}: nothing was stressed",
            hint='add [stress] with perturbations = ["images"] (or "tabular", "text") to the study',
        )
    if json:
        probes = [{"schema_version": SCHEMA_VERSION, **encode(probe)} for probe in stressed.probes]
        print_json({"points": encode(stressed.points), "failures": encode(stressed.failures),
                    "probes": probes})  # fmt: skip
        return
    out = console()
    for section in sections:
        out.print(stacked(sheets.sheets(section), width=min(out.width, 120)))
    for trial, answering in (stressed.answered_by or {}).items():
        if trial == answering:
            for text in stressed.warnings(trial):
                out.print(f"[yellow]warning[/yellow] {escaped(trial)}: {escaped(text)}")


def flips(results: Results, trial: str, form: str) -> None:
    """Print the rows that a variant answers differently from its baseline."""
    import csv

    from profiler.report.model.records import csv_cell

    if form not in ("text", "csv", "json"):
        raise InputError(
            f"--format: expected one of text, csv, json, got {form!r}",
            hint=nearest(form, ("text", "csv", "json")),
        )
    flipped = results.flips(trial)
    if form == "json":
        print_json(flipped)
        return
    columns = ("row", "label", "baseline", "variant", "direction")
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([csv_cell(row[key]) for key in columns] for row in flipped)
        return
    out = console()
    shown = Table(box=None)
    for heading in columns:
        shown.add_column(heading, justify="left" if heading == "direction" else "right")
    for row in flipped:
        shown.add_row(*("–" if row[key] is None else str(row[key]) for key in columns))
    out.print(shown)
    counts = {way: sum(r["direction"] == way for r in flipped) for way in ("lost", "gained")}
    out.print(
        f"{len(flipped)} of {len(results.accuracy.numbers)} rows flipped: {counts['lost']} lost,"
        f" {counts['gained']} gained. Rows count from 0."
    )
