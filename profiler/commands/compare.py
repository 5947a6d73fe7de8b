"""`compare`: trials of one folder, two folders, or model files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiler.commands import look, measure
from profiler.commands.look import console, print_json
from profiler.errors import InputError
from profiler.results.results import Results
from profiler.schema.columns import value_of
from profiler.statistics.intervals import Estimate
from profiler.statistics.ratio import Comparison
from profiler.units import format_elapsed
from profiler.wire.codec import encode


def _effect(ratio: Estimate, what: str = "ratio") -> str:
    if ratio.low is None or ratio.high is None:
        return f"{what} {ratio.value:.4f} ({ratio.note})"
    return (
        f"{what} {ratio.value:.4f}, 95 % interval {ratio.low:.4f} to {ratio.high:.4f}"
        f" ({ratio.rounds} rounds)"
    )


def _effects(comparison: Comparison) -> list[str]:
    """One line, or one for each speed of the machine where the ratio depends on it."""
    if comparison.slowed is None or comparison.slowed_share is None:
        return [_effect(comparison.ratio)]
    return [
        f"its machine was slow {comparison.slowed_share:.0%} of the time, with a ratio of its own:",
        f"{_effect(comparison.ratio)} at full speed",
        f"{_effect(comparison.slowed)} when slowed",
    ]


SETTINGS = ("target", "variant", "scenario", "batch", "threads", "shapes")


def models(
    files: Sequence[Path],
    folder: Path | None,
    options: Mapping[str, Any],
    *,
    quiet: bool,
    json: bool,
) -> None:
    """Measure model files in the same rounds and compare the first with each other one.

    options: of `single.study_of`.
    """
    from profiler.commands.model_study import study_of

    strange = next((file for file in files if file.suffix != ".onnx"), None)
    if strange is not None:
        raise InputError(
            f"{strange}: expected a model file (.onnx) like {files[0]}",
            hint="profiler compare A.onnx B.onnx, or profiler compare RESULTS TRIAL TRIAL",
        )
    study = study_of(files, **options)
    results, paths = measure.measured(
        study, folder or measure.default_folder(files[0], study), quiet=quiet
    )
    measure.refuse_lost(results)
    for row in results.rows:
        if row["status"] != "ok":
            raise InputError(
                f"{row['trial']}: {row['reason']}", hint=f"what was measured: {results.folder}"
            )
    by_model = {
        model.name: {
            tuple(value_of(row, key) for key in SETTINGS): row["trial"]
            for row in results.rows
            if row["model"] == model.name
        }
        for model in study.models
    }
    first, *others = by_model.values()
    pairs = [
        (trial, other[settings])
        for settings, trial in first.items()
        for other in others
        if settings in other
    ]
    _print_trials(results, pairs, json=json)
    if not json:
        look.print_paths(results, paths)


def trials(results: Results, first: str, others: Sequence[str], *, json: bool) -> None:
    """Print each comparison's effect, interval and verdict."""
    _print_trials(results, [(first, other) for other in others], json=json)


def _print_trials(results: Results, pairs: Sequence[tuple[str, str]], *, json: bool) -> None:
    found = results.compare(pairs)
    if json:
        print_json([{"first": a, "second": b, **encode(c)} for (a, b), c in found.items()])
        return
    out = console()
    for (a, b), comparison in found.items():
        ratio = comparison.ratio
        out.print(f"{a}\n  against {b}", markup=False)
        for line in _effects(comparison):
            out.print(f"  {line}", markup=False)
        more = ""
        if comparison.verdict == "undecided" and comparison.rounds_needed:
            each_s = sum(r.elapsed_s for r in results.rounds) / max(1, len(results.rounds))
            left = max(0, comparison.rounds_needed - ratio.rounds)
            more = f"; about {left} more rounds would decide ({format_elapsed(left * each_s)})"
        out.print(f"  [bold]{comparison.verdict}[/bold]{more}")


def folders(first: Results, second: Results, *, json: bool) -> None:
    """Print how the trials of the first folder stand to those of the second."""
    found = first.compare_with(second)
    if json:
        print_json(encode(found))
        return
    out = console()
    out.print(f"{first.folder} against {second.folder}", markup=False)
    for one in found:
        out.print(one.trial, markup=False)
        taken = "" if one.relative_to is None else f", relative to {one.relative_to}"
        what = "p50 ratio" if one.relative_to is None else "ratio"
        out.print(f"  {_effect(one.ratio, what)}{taken}", markup=False)
        out.print(f"  [bold]{one.verdict}[/bold]")
