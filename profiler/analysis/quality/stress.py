"""What a variant loses beyond its baseline when both answer the same perturbed rows.

The question is not whether a perturbation hurts (it hurts every model) but whether it hurts the
variant more than the baseline: the paired loss on the same rows under the same perturbation. Many
cells (variant, perturbation, severity) are asked at once, so the verdicts are Holm's over all of
them and the intervals Bonferroni's: in at most 5 % of studies is any "worse" false, in at most 5 %
any "non-inferior", and in at most 5 % does any interval miss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.tasks.stressed import Loss, Stressed
from profiler.tasks.task import task_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

ALPHA = 0.05

Verdict = Literal["non-inferior", "worse", "undecided"]
Cell = tuple[str, str, int]
"""(trial, perturbation, severity)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One trial under one perturbation at one severity; shares, a loss is positive.

    `accuracy` is R² for regression and None without labels. `drop` is the extra loss over the
    baseline, without labels the share of rows answered differently from it; None for a baseline.
    """

    trial: str
    perturbation: str
    severity: int
    """0: the same rows unperturbed"""
    n: int
    accuracy: float | None
    drop: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Verdict | None = None
    not_finite: int = 0
    """rows answered with NaN or infinity"""


_BY_BATCH = ("int8-dynamic", "file")
"""Recipes that may measure the range of activations over a whole query, so that a row's answer
depends on the rows beside it; of a file of one's own nobody knows."""


def recipe(trial: Trial) -> tuple[Any, ...]:
    """What decides the answers of a trial; threads and load do not, the batch as a rule neither."""
    options = tuple(sorted({**trial.session_options, **trial.provider_options}.items()))
    shapes = tuple(sorted(trial.shapes.items()))
    settings = (trial.provider, trial.optimization, options, shapes)
    batch = trial.batch if trial.recipe in _BY_BATCH else None
    return (trial.model, trial.variant, trial.target, batch, *settings)


def representatives(trials: Iterable[Trial]) -> dict[str, str]:
    """Trial -> the first trial with the same recipe, which answers for it."""
    first: dict[tuple[Any, ...], str] = {}
    return {trial.id: first.setdefault(recipe(trial), trial.id) for trial in trials}


def judge(
    answers: Mapping[Cell, Array],
    baselines: Mapping[str, str],
    labels: Array | None,
    task: str,
    margin: float,
) -> list[Point]:
    """Every cell against its baseline's, in the order given.

    answers: cell -> what `Stressed.reduced` kept of the rows of `labels`; severity 0 holds the
    unperturbed rows. baselines: trial -> its baseline's trial. A cell without its baseline's has
    no loss.
    """
    stressed = task_of(task).stressed
    compared = [
        cell for cell in answers
        if cell[0] != baselines[cell[0]] and (baselines[cell[0]], *cell[1:]) in answers
    ]  # fmt: skip
    # The unperturbed rows were judged by the ordinary accuracy; they are shown, not asked again.
    family = [cell for cell in compared if cell[2] > 0]
    confidence = 1 - ALPHA / max(1, len(family))
    losses = {
        cell: _loss(
            stressed, answers[(baselines[cell[0]], *cell[1:])], answers[cell], labels, margin,
            confidence,
        )
        for cell in compared
    }  # fmt: skip
    verdicts = _verdicts({cell: losses[cell] for cell in family}) if labels is not None else {}
    points = []
    for cell, values in answers.items():
        loss = losses.get(cell)
        points.append(
            Point(
                trial=cell[0],
                perturbation=cell[1],
                severity=cell[2],
                n=len(values),
                accuracy=None if labels is None else stressed.accuracy(values, labels),
                drop=None if loss is None else loss.drop,
                low=None if loss is None else loss.low,
                high=None if loss is None else loss.high,
                verdict=verdicts.get(cell),
                not_finite=stressed.not_finite(values),
            )
        )
    return points


def _loss(
    stressed: Stressed,
    base: Array,
    values: Array,
    labels: Array | None,
    margin: float,
    confidence: float,
) -> Loss:
    """Of one cell; without labels the share of rows answered differently."""
    if labels is not None:
        return stressed.loss(base, values, labels, margin, confidence)
    from profiler.statistics.paired import proportion_interval

    different = proportion_interval(int((base != values).sum()), len(base), confidence=confidence)
    return Loss(drop=different.value, low=different.low, high=different.high)


def _verdicts(losses: Mapping[Cell, Loss]) -> dict[Cell, Verdict]:
    """Holm over all cells, each direction for itself: two claims that can't both be false."""
    from profiler.statistics.ratio import holm

    if not losses:
        return {}
    cells = list(losses)
    less = holm([losses[cell].p_less for cell in cells])
    more = holm([losses[cell].p_more for cell in cells])
    return {
        cell: "worse" if up <= ALPHA else "non-inferior" if down <= ALPHA else "undecided"
        for cell, down, up in zip(cells, less, more, strict=True)
    }


def broken(points: Sequence[Point], trial: str) -> list[Point]:
    """The mildest severity of each perturbation at which a trial loses more than the margin."""
    first: dict[str, Point] = {}
    for point in sorted(points, key=lambda p: p.severity):
        if point.trial == trial and point.verdict == "worse":
            first.setdefault(point.perturbation, point)
    return list(first.values())


def columns(points: Sequence[Point], trial: str) -> Row:
    """The table's columns of one trial: its largest extra loss, and where it breaks."""
    found: Row = {"stress_broken": "; ".join(words(p) for p in broken(points, trial)) or None}
    own = [p for p in points if p.trial == trial and p.severity > 0 and p.drop is not None]
    if own:
        worst = max(own, key=lambda p: (p.drop or 0.0, p.severity))
        found |= {
            "stress_worst": f"{worst.perturbation} {worst.severity}",
            "stress_drop": worst.drop,
            "stress_drop_low": worst.low,
            "stress_drop_high": worst.high,
        }
    return found


def words(point: Point) -> str:
    """'blur from severity 3: 12.0 points lost beyond the baseline (5.1 to 19.0)'."""
    if point.drop is None or point.low is None or point.high is None:
        return f"{point.perturbation} from severity {point.severity}: answers that are not finite"
    return (
        f"{point.perturbation} from severity {point.severity}: {point.drop * 100:.1f} points lost"
        f" beyond the baseline ({point.low * 100:.1f} to {point.high * 100:.1f})"
    )
