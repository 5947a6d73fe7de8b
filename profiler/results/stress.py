"""What a results folder holds on stress, read: curves of extra loss, and what probes brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.analysis.quality import stress as analysis
from profiler.errors import ResultsError
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.schema.record.recorded import Entry, Probe, Stressed
from profiler.schema.study.study import Study
from profiler.statistics.pieces import Rows
from profiler.store import arrays
from profiler.store.prepared import Prepared
from profiler.store.reading import DAMAGED
from profiler.tasks.task import task_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A set of perturbed rows that a trial could not answer."""

    trial: str
    perturbation: str
    severity: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stress:
    """Everything on stress; empty for a study without [stress]."""

    points: tuple[analysis.Point, ...] = ()
    failures: tuple[Failure, ...] = ()
    probes: tuple[Probe, ...] = ()
    answered_by: Mapping[str, str] | None = None
    """trial -> the trial of the same recipe that was asked"""
    baselines: Mapping[str, str] | None = None
    """trial that was asked -> the one asked for its baseline"""
    margin: float = 0.01
    left_out: tuple[str, ...] = ()
    """answers that can't be read, and why"""

    def of(self, trial: str) -> str:
        """The trial whose answers stand for this one's."""
        return (self.answered_by or {}).get(trial, trial)

    def columns(self, trial: str) -> Row:
        """The table's columns of one trial."""
        return analysis.columns(self.points, self.of(trial)) if self.points else {}

    def warnings(self, trial: str) -> list[str]:
        """How a trial breaks, in words; empty when nothing shows that it does."""
        own = self.of(trial)
        broken = [analysis.words(point) for point in analysis.broken(self.points, own)]
        return [*broken, *self.mishaps(trial)]

    def mishaps(self, trial: str) -> list[str]:
        """Rows that could not be answered, and probes that ended badly."""
        own = self.of(trial)
        found = [
            f"{f.perturbation} {f.severity}: {f.reason}" for f in self.failures if f.trial == own
        ]
        base = (self.baselines or {}).get(own)
        plain = {row.case: row.outcome for row in self.probes if row.trial == base}
        for row in (row for row in self.probes if row.trial == own):
            case, outcome = row.case, row.outcome
            if outcome in BAD:
                found.append(f"asked for {case.replace('_', ' ')}: {outcome} ({row.detail})")
            elif case in HIDDEN and outcome == "answer" and plain.get(case) in SHOWN:
                what = f"an input of {HIDDEN[case]} gets a finite answer"
                found.append(f"{what}; its baseline's: {plain[case]}")
        return found


BAD = ("wrong answer", "crash", "timeout", "out of memory")
"""Outcomes of a probe that nobody may ship unaware; an error is what a bad query should get."""
HIDDEN = {"nan": "NaN", "inf": "infinity"}
SHOWN = ("NaN out", "error")
"""Rounding to 8 bits can turn NaN into a number: whoever looks for NaN in answers looks in vain."""


def read(
    rows: Sequence[Entry],
    trials: Mapping[str, Trial],
    timed: Sequence[str],
    outputs: Mapping[str, Rows],
    prepared: Prepared,
    study: Study,
    folder: Path,
) -> Stress:
    """From recorded rows; `timed` are the trials with measurements, `outputs` their ordinary
    predictions, of which the same rows are severity 0. Raises ResultsError."""
    evaluation = prepared.evaluation
    if study.stress is None:
        return Stress()
    first = analysis.representatives(trials[name] for name in trials if name in timed)
    baselines = {
        own: first.get(trials[own].baseline, trials[own].baseline) for own in set(first.values())
    }
    cells = [r for r in rows if isinstance(r, Stressed) and r.trial in baselines]
    answers: dict[analysis.Cell, Any] = {}
    labels, left_out = None, []
    if cells and evaluation is not None and study.data is not None:
        stressed = task_of(evaluation.task).stressed
        chosen = _numbers(folder, cells[0].numbers, evaluation.rows)
        judged = arrays.labels(folder, evaluation, study.data)
        labels = None if judged is None else judged[: evaluation.rows][chosen]
        for trial, name in dict.fromkeys((r.trial, r.perturbation) for r in cells):
            if trial in outputs:
                whole = outputs[trial][: evaluation.rows]
                answers[(trial, name, 0)] = stressed.reduced(whole)[chosen]
        for row in cells:
            if row.status == "ok":
                key = (row.trial, row.perturbation, row.severity)
                try:
                    answers[key] = _answers(folder, row, cells[0].numbers, len(chosen))
                except ResultsError as error:
                    told = error.message.removeprefix(f"{folder}/")
                    left_out.append(f"{' '.join(map(str, key))}: {told}")
    margin = study.stress.margin or study.measure.margin
    points: Sequence[analysis.Point] = ()
    if evaluation is not None:
        points = analysis.judge(answers, baselines, labels, evaluation.task, margin)
    return Stress(
        points=tuple(points),
        failures=tuple(
            Failure(
                trial=r.trial,
                perturbation=r.perturbation,
                severity=r.severity,
                reason=f"{r.reason}: {r.detail}",
            )
            for r in cells
            if r.status != "ok"
        ),
        probes=tuple(r for r in rows if isinstance(r, Probe)),
        answered_by=first,
        baselines=baselines,
        margin=margin,
        left_out=tuple(left_out),
    )


def _numbers(folder: Path, sha: str, rows: int) -> Any:
    """Which of the evaluated rows were perturbed. Raises ResultsError."""
    found = arrays.column(folder, sha, "iu")
    if not 0 <= found.min() <= found.max() < rows:
        got = f"{found.min()} to {found.max()}"
        raise arrays.refused(folder, sha, f"numbers of rows below {rows}", got)
    return found


def _answers(folder: Path, row: Stressed, numbers: str, count: int) -> Any:
    """A trial's answers on perturbed rows, one a row. Raises ResultsError."""
    if row.numbers != numbers:
        raise ResultsError("answers other rows than the first set", hint=DAMAGED)
    assert row.answers is not None  # of one that is ok
    return arrays.column(folder, row.answers, "iuf", count)
