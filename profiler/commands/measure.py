"""`run` and `demo`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiler.commands import look
from profiler.errors import InputError, TransportError, WorkerError
from profiler.results.results import Results
from profiler.schema.study.measure import MeasureSpec
from profiler.schema.study.study import Study
from profiler.wire.codec import DecodeError, decode, encode


def study_from(
    what: Path,
    *,
    targets: Sequence[str],
    limits: Mapping[str, str],
    model_options: Mapping[str, Any] | None = None,
) -> Study:
    """The study of a .toml file, or the one a model file stands for. Raises InputError."""
    options = {k: v for k, v in (model_options or {}).items() if v}
    if what.suffix != ".toml":
        from profiler.commands.model_study import study_of

        if what.suffix == ".py":
            raise InputError(
                f"{what}: a torch model needs a study",
                hint='write a study.toml with torch = "module:callable" under [[models]]',
            )
        return study_of([what], targets=targets, measure=dict(limits), **options)
    if options:
        first = next(iter(options))
        name = {"shapes": "shape", "batch_axes": "batch-axis"}.get(first, first)
        raise InputError(
            f"--{name} goes with a model file; {what} is a study",
            hint="write it in the study instead",
        )
    study = Study.read(what)
    folder = study.folder
    if targets:
        try:
            study = dataclasses.replace(study, targets=tuple(targets))
        except DecodeError as error:
            raise InputError(f"--target: {error}", hint=error.hint) from None
    if limits:
        try:
            measure = decode(MeasureSpec, {**encode(study.measure), **limits})
        except DecodeError as error:
            raise InputError(f"--{error}", hint=error.hint) from None
        study = dataclasses.replace(study, measure=measure)
    object.__setattr__(study, "folder", folder)
    return study


def default_folder(what: Path, study: Study) -> Path:
    """A study resumes in the same folder; a bare model gets a new one each time."""
    if what.suffix == ".toml":
        return Path("results") / study.name
    return Path("results") / f"{study.name}-{time.strftime('%Y%m%d-%H%M%S')}"


def measured(study: Study, folder: Path, *, quiet: bool) -> tuple[Results, dict[str, Path]]:
    """Measure with progress and draw; the results and the files that were written."""
    from profiler.campaign.run import run
    from profiler.commands.progress_bar import Bar

    with Bar(quiet=quiet) as bar:
        results = run(study, folder, progress=bar)
        bar.stage("drawing")
        return results, look.write(results, folder)


def run(study: Study, folder: Path, *, quiet: bool, json: bool) -> None:
    """Measure, then show the tables, the choice and where the pictures are."""
    results, paths = measured(study, folder, quiet=quiet)
    if json:
        look.table(results, "json")
    else:
        look.print_answer(results)
        look.print_paths(results, paths)
    refuse_lost(results)
    refuse_failed(results)


def refuse_failed(results: Results) -> None:
    """Raises WorkerError where not a single trial could be measured."""
    failed = [row for row in results.rows if row["status"] == "failed"]
    if failed and not any(row["status"] == "ok" for row in results.rows):
        raise WorkerError(
            f"every trial failed, e.g. {failed[0]['trial']}: {failed[0]['reason']}",
            hint="mend what it names; to measure again, add --output NEW_FOLDER",
        )


def refuse_lost(results: Results) -> None:
    """Raises TransportError for a target that could not be measured."""
    for name, row in results.lost.items():
        during = "lost during stress, its intervals are complete: "
        raise TransportError(
            f"{name}: {during * (row.during == 'stress')}{row.reason}",
            hint=f"{row.hint or 'see the message'}; what was measured is kept, the same command"
            " goes on",
        )


def demo_study(folder: Path) -> Path:
    """Write the demo's study and data into `folder`; returns the study file."""
    from importlib.resources import files

    from profiler.demo.data import write
    from profiler.store.files import writing

    study = folder / "study.toml"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        study.write_bytes(files("profiler.demo").joinpath("study.toml").read_bytes())
        write(folder)
    return study
