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

from profiler.analysis.quality.verdicts import first_values, predicted_classes
from profiler.schema.record.plan import Trial
from profiler.statistics.pieces import Rows, by_piece

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

ALPHA = 0.05
NUISANCE_SHARE = 0.01
"""Part of the smallest p that Holm asks for which bounding the rate of disagreement may cost."""

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


def reduced(output: Rows, task: str) -> Array:
    """What is kept of predictions: int32 classes, -1 for a row that is not finite; or values."""
    import numpy as np

    if task != "classification":
        return first_values(output)
    classes = predicted_classes(output).astype(np.int32)
    if output.dtype.kind == "f":
        finite = by_piece(lambda x: np.isfinite(x).reshape(len(x), -1).all(axis=1), output)
        classes[~finite] = -1
    return classes


def judge(
    answers: Mapping[Cell, Array],
    baselines: Mapping[str, str],
    labels: Array | None,
    task: str,
    margin: float,
) -> list[Point]:
    """Every cell against its baseline's, in the order given.

    answers: cell -> what `reduced` kept of the rows of `labels`; severity 0 holds the unperturbed
    rows. baselines: trial -> its baseline's trial. A cell without its baseline's has no loss.
    """
    compared = [
        cell for cell in answers
        if cell[0] != baselines[cell[0]] and (baselines[cell[0]], *cell[1:]) in answers
    ]  # fmt: skip
    # The unperturbed rows were judged by the ordinary accuracy; they are shown, not asked again.
    family = [cell for cell in compared if cell[2] > 0]
    confidence = 1 - ALPHA / max(1, len(family))
    losses = {
        cell: _loss(answers[(baselines[cell[0]], *cell[1:])], answers[cell], labels, task, margin,
                    confidence)
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
                accuracy=_accuracy(values, labels, task),
                drop=None if loss is None else loss.drop,
                low=None if loss is None else loss.low,
                high=None if loss is None else loss.high,
                verdict=verdicts.get(cell),
                not_finite=_not_finite(values, task),
            )
        )
    return points


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    drop: float | None
    """None: answers that are not finite have no R²"""
    low: float | None
    high: float | None
    p_less: float = 1.0
    """of "the loss is the margin or more" """
    p_more: float = 1.0
    """of "the loss is the margin or less" """


def _accuracy(values: Array, labels: Array | None, task: str) -> float | None:
    import numpy as np

    if labels is None:
        return None
    if task == "classification":
        return float(np.mean(values == labels))
    with np.errstate(invalid="ignore", over="ignore"):
        shares = _errors(values, labels)
        return float(1 - shares.mean()) if np.isfinite(shares).all() else None


def _not_finite(values: Array, task: str) -> int:
    import numpy as np

    return int(np.sum(values == -1 if task == "classification" else ~np.isfinite(values)))


def _errors(values: Array, labels: Array) -> Array:
    """Squared error of each row over the variance of the labels; 1 - its mean is R²."""
    truth = labels.reshape(len(labels), -1)[:, 0].astype(float)
    found: Array = (values - truth) ** 2 / (float(truth.var()) or 1.0)
    return found


def _loss(
    base: Array, values: Array, labels: Array | None, task: str, margin: float, confidence: float
) -> _Loss:
    import numpy as np

    from profiler.statistics import paired

    if labels is None:
        different = paired.proportion_interval(
            int(np.sum(base != values)), len(base), confidence=confidence
        )
        return _Loss(drop=different.value, low=different.low, high=different.high)
    if task == "classification":
        n, lost, gained = paired.discordance(base == labels, values == labels)
        limits = paired.tango_interval(lost, gained, n, confidence=confidence)
        drop, risk = limits.value, (1 - confidence) * NUISANCE_SHARE
        # Only the side on which the loss lies can be shown; the other p would be near 1.
        p_less = paired.exact_margin_p(lost, gained, n, margin, risk) if drop < margin else 1.0
        p_more = paired.exact_margin_p(gained, lost, n, -margin, risk) if drop > margin else 1.0
        return _Loss(drop=drop, low=limits.low, high=limits.high, p_less=p_less, p_more=p_more)
    return _regression(_errors(values, labels), _errors(base, labels), margin, confidence)


def _regression(own: Array, base: Array, margin: float, confidence: float) -> _Loss:
    """Loss of R² by a paired t test of squared errors; the labels' variance is taken as fixed."""
    import numpy as np
    from scipy.special import stdtr

    from profiler.statistics.paired import mean_difference_interval

    step = own - base
    if not np.isfinite(step).all():
        # No value at all is as bad as a loss can be, if the baseline has one.
        bad = bool(np.isfinite(base).all())
        return _Loss(drop=None, low=None, high=None, p_more=0.0 if bad else 1.0)
    found = mean_difference_interval(own, base, confidence=confidence)
    spread = float(step.std(ddof=1)) if len(step) > 1 else 0.0
    if spread == 0.0:
        exact = found.value
        return _Loss(drop=exact, low=exact, high=exact, p_less=float(exact >= margin),
                     p_more=float(exact <= margin))  # fmt: skip
    t = (found.value - margin) / (spread / np.sqrt(len(step)))
    below = float(stdtr(len(step) - 1, t))
    return _Loss(drop=found.value, low=found.low, high=found.high, p_less=below, p_more=1 - below)


def _verdicts(losses: Mapping[Cell, _Loss]) -> dict[Cell, Verdict]:
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


def columns(points: Sequence[Point], trial: str) -> dict[str, Any]:
    """The table's columns of one trial: its largest extra loss, and where it breaks."""
    found: dict[str, Any] = {
        "stress_broken": "; ".join(words(p) for p in broken(points, trial)) or None
    }
    own = [p for p in points if p.trial == trial and p.severity > 0 and p.drop is not None]
    if own:
        worst = max(own, key=lambda p: (p.drop or 0.0, p.severity))
        found.update(
            stress_worst=f"{worst.perturbation} {worst.severity}",
            stress_drop=worst.drop,
            stress_drop_low=worst.low,
            stress_drop_high=worst.high,
        )
    return found


def words(point: Point) -> str:
    """'blur from severity 3: 12.0 points lost beyond the baseline (5.1 to 19.0)'."""
    if point.drop is None or point.low is None or point.high is None:
        return f"{point.perturbation} from severity {point.severity}: answers that are not finite"
    return (
        f"{point.perturbation} from severity {point.severity}: {point.drop * 100:.1f} points lost"
        f" beyond the baseline ({point.low * 100:.1f} to {point.high * 100:.1f})"
    )
