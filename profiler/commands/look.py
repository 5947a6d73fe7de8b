"""Commands that read: plan, targets, table, report, choose, compare."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from profiler.errors import InputError
from profiler.results import Results
from profiler.schema.codec import encode, nearest
from profiler.units import format_elapsed

WIDTH = 80


def _console() -> Console:
    """80 columns at most in a pipe; the terminal's width, but no less, on a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    return console


def _print_json(value: Any) -> None:
    sys.stdout.write(jsonlib.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plan(what: Path, *, json: bool) -> None:
    """Print the plan of a study."""
    from profiler.campaign import find_facts, study_targets
    from profiler.planning import Known, make_plan, recipes
    from profiler.schema.study import Study

    study = Study.read(what)
    targets = study_targets(study)
    facts = find_facts(targets)
    study = recipes.resolve(study, {t.name: t for t in targets}, facts)
    made = make_plan(study, targets, Known(facts=facts))
    if json:
        _print_json({**encode(made), "trials": encode(made.trials)})
        return
    console = _console()
    shown = Table(title=f"{study.name}: {len(made.trials)} trials", title_justify="left", box=None)
    for heading in ("trial", "scenario", "batch", "threads", "group"):
        shown.add_column(heading, justify="left" if heading in ("trial", "scenario") else "right")
    groups = {t.id: group.index for group in made.groups for t in group.trials}
    for trial in made.trials:
        shown.add_row(
            f"{trial.model}/{trial.variant}@{trial.target}", trial.scenario,
            str(trial.batch), str(trial.threads), str(groups[trial.id] + 1),
        )  # fmt: skip
    console.print(shown)
    for exclusion in made.exclusions:
        hint = f" ({exclusion.hint})" if exclusion.hint else ""
        console.print(f"not run: {exclusion.trial.id}: {exclusion.reason}{hint}", markup=False)
    cost = "" if made.most_usd is None else f", at most ${made.most_usd:.2f}"
    console.print(
        f"{len(made.groups)} group(s); estimated {format_elapsed(made.least_s)} to"
        f" {format_elapsed(made.most_s)} of measuring{cost}. Nothing was run."
    )


def targets(*, json: bool) -> None:
    """Print the targets there are."""
    from profiler.schema.files import known_targets, read_target

    found = [read_target(path) for path in known_targets(Path.cwd()).values()]
    if json:
        _print_json(encode(found))
        return
    shown = Table(box=None)
    for heading in ("target", "transport", "provider", "description"):
        shown.add_column(heading)
    for target in found:
        shown.add_row(target.name, target.transport, target.provider, target.description)
    _console().print(shown)


def table(results: Results, form: str) -> None:
    """Print the table as text, markdown, csv or json."""
    from profiler.report.tables import FORMATS, render, summary

    if form not in FORMATS:
        raise InputError(
            f"--format: expected one of {', '.join(FORMATS)}, got {form!r}",
            hint=nearest(form, FORMATS),
        )
    if form == "text":
        console = _console()
        console.print(summary(results.table(), width=min(console.width, 120)))
    else:
        sys.stdout.write(render(results.table(), form))


def write(results: Results, folder: Path) -> dict[str, Path]:
    """Write pictures, page and tables."""
    from profiler.brief import brief
    from profiler.report.write import write_all

    return write_all(brief(results), folder)


def report(results: Results, folder: Path, *, json: bool) -> None:
    """Write the report and say where it is."""
    paths = write(results, folder)
    if json:
        _print_json({name: str(path) for name, path in paths.items()})
    else:
        print_paths(results, paths)


def print_paths(results: Results, paths: Mapping[str, Path]) -> None:
    """Where everything lies."""
    console = _console()
    for path in paths.values():
        if path.suffix in (".png", ".html"):
            console.print(f"{path}", markup=False, soft_wrap=True)
    console.print(f"results: {results.folder}", markup=False, soft_wrap=True)


def print_choice(results: Results) -> None:
    """The recommendation under the study's SLO."""
    from profiler.brief import choice_text, confirmation_text, warnings

    console = _console()
    console.print()
    chosen = results.choose()
    console.print(f"[bold]choice[/bold]  {_escaped(choice_text(chosen))}")
    if confirmed := confirmation_text(results, chosen):
        console.print(_escaped(confirmed))
    for text in warnings(results):
        console.print(f"[yellow]warning[/yellow] {_escaped(text)}")
    console.print()


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def choose(
    results: Results, limits: Mapping[str, str], objective: str | None, *, json: bool
) -> None:
    """Print the choice, and why each other trial is not it."""
    from profiler.analysis.metrics import METRICS
    from profiler.brief import choice_text

    if objective is not None and objective not in METRICS:
        raise InputError(
            f"--objective: expected one of {', '.join(METRICS)}, got {objective!r}",
            hint=nearest(objective, METRICS),
        )
    choice = results.choose(objective=objective, **limits)
    if json:
        _print_json(encode(choice))
        return
    console = _console()
    console.print(f"[bold]choice[/bold]  {_escaped(choice_text(choice))}")
    for title, trials in (("undecided", choice.undecided), ("not chosen", choice.rejected)):
        for trial, why in trials:
            console.print(f"{title}: {trial}: {why}", markup=False)


def flips(results: Results, trial: str, form: str) -> None:
    """Print the rows that a variant answers differently from its baseline."""
    import csv

    if form not in ("text", "csv", "json"):
        raise InputError(
            f"--format: expected one of text, csv, json, got {form!r}",
            hint=nearest(form, ("text", "csv", "json")),
        )
    found = results.flips(trial)
    if form == "json":
        _print_json(found)
        return
    columns = ("row", "label", "baseline", "variant", "direction")
    if form == "csv":
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
        return
    console = _console()
    shown = Table(box=None)
    for heading in columns:
        shown.add_column(heading, justify="left" if heading == "direction" else "right")
    for row in found:
        shown.add_row(*("–" if row[key] is None else str(row[key]) for key in columns))
    console.print(shown)
    counts = {way: sum(r["direction"] == way for r in found) for way in ("lost", "gained")}
    console.print(
        f"{len(found)} of {len(results.accuracy.numbers)} rows flipped: {counts['lost']} lost,"
        f" {counts['gained']} gained. Rows count from 0."
    )


def compare(results: Results, first: str, others: Sequence[str], *, json: bool) -> None:
    """Print each comparison's effect, interval and verdict."""
    found = results.compare([(first, other) for other in others])
    if json:
        _print_json([{"first": a, "second": b, **encode(c)} for (a, b), c in found.items()])
        return
    console = _console()
    for (a, b), comparison in found.items():
        ratio = comparison.ratio
        console.print(f"{a}\n  against {b}", markup=False)
        if ratio.low is None or ratio.high is None:
            console.print(f"  p50 ratio {ratio.value:.4f} ({ratio.note})")
        else:
            console.print(
                f"  p50 ratio {ratio.value:.4f}, 95 % interval {ratio.low:.4f} to"
                f" {ratio.high:.4f} ({ratio.rounds} rounds)"
            )
        more = ""
        if comparison.verdict == "undecided" and comparison.rounds_needed:
            each_s = sum(r["elapsed_s"] for r in results.rounds) / max(1, len(results.rounds))
            left = max(0, comparison.rounds_needed - ratio.rounds)
            more = f"; about {left} more rounds would decide ({format_elapsed(left * each_s)})"
        console.print(f"  [bold]{comparison.verdict}[/bold]{more}")
