"""What is kept of answers to perturbed rows, and what a variant loses beyond its baseline.

Only one small number a row is kept: there are many perturbations of many severities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from profiler.statistics.pieces import Rows, by_piece
from profiler.tasks.outputs import first_values, predicted_classes

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

NUISANCE_SHARE = 0.01
"""Part of the smallest p that Holm asks for which bounding the rate of disagreement may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is lost beyond the baseline, paired by row; shares, a loss is positive."""

    drop: float | None
    """None: answers that are not finite have no R²"""
    low: float | None
    high: float | None
    p_less: float = 1.0
    """of "the loss is the margin or more" """
    p_more: float = 1.0
    """of "the loss is the margin or less" """


class Stressed(Protocol):
    """All arrays but an output are (rows,)."""

    def reduced(self, output: Rows) -> Array:
        """What is kept of predictions."""
        ...

    def accuracy(self, kept: Array, labels: Array) -> float | None:
        """From what is kept; None where that has no meaning."""
        ...

    def not_finite(self, kept: Array) -> int:
        """Rows answered with NaN or infinity."""
        ...

    def loss(
        self, base: Array, kept: Array, labels: Array, margin: float, confidence: float
    ) -> Loss:
        """Of `kept` against what is kept of its baseline."""
        ...


class ByClass:
    """int32 classes, -1 for a row that is not finite."""

    def reduced(self, output: Rows) -> Array:
        import numpy as np

        classes = predicted_classes(output).astype(np.int32)
        if output.dtype.kind == "f":
            finite = by_piece(lambda x: np.isfinite(x).reshape(len(x), -1).all(axis=1), output)
            classes[~finite] = -1
        return classes

    def accuracy(self, kept: Array, labels: Array) -> float:
        return float((kept == labels).mean())

    def not_finite(self, kept: Array) -> int:
        return int((kept == -1).sum())

    def loss(
        self, base: Array, kept: Array, labels: Array, margin: float, confidence: float
    ) -> Loss:
        from profiler.statistics import paired

        n, lost, gained = paired.discordance(base == labels, kept == labels)
        limits = paired.tango_interval(lost, gained, n, confidence=confidence)
        drop, risk = limits.value, (1 - confidence) * NUISANCE_SHARE
        # Only the side on which the loss lies can be shown; the other p would be near 1.
        p_less = paired.exact_margin_p(lost, gained, n, margin, risk) if drop < margin else 1.0
        p_more = paired.exact_margin_p(gained, lost, n, -margin, risk) if drop > margin else 1.0
        return Loss(drop=drop, low=limits.low, high=limits.high, p_less=p_less, p_more=p_more)


class ByValue:
    """The first value of each row, and R²; the labels' variance is taken as fixed."""

    def reduced(self, output: Rows) -> Array:
        return first_values(output)

    def accuracy(self, kept: Array, labels: Array) -> float | None:
        import numpy as np

        with np.errstate(invalid="ignore", over="ignore"):
            shares = _errors(kept, labels)
            return float(1 - shares.mean()) if np.isfinite(shares).all() else None

    def not_finite(self, kept: Array) -> int:
        import numpy as np

        return int((~np.isfinite(kept)).sum())

    def loss(
        self, base: Array, kept: Array, labels: Array, margin: float, confidence: float
    ) -> Loss:
        """By a paired t test of squared errors."""
        import numpy as np
        from scipy.special import stdtr

        from profiler.statistics.paired import mean_difference_interval

        own, other = _errors(kept, labels), _errors(base, labels)
        step = own - other
        if not np.isfinite(step).all():
            # No value at all is as bad as a loss can be, if the baseline has one.
            bad = bool(np.isfinite(other).all())
            return Loss(drop=None, low=None, high=None, p_more=0.0 if bad else 1.0)
        found = mean_difference_interval(own, other, confidence=confidence)
        spread = float(step.std(ddof=1)) if len(step) > 1 else 0.0
        if spread == 0.0:
            exact = found.value
            return Loss(drop=exact, low=exact, high=exact, p_less=float(exact >= margin),
                        p_more=float(exact <= margin))  # fmt: skip
        t = (found.value - margin) / (spread / np.sqrt(len(step)))
        below = float(stdtr(len(step) - 1, t))
        return Loss(
            drop=found.value, low=found.low, high=found.high, p_less=below, p_more=1 - below
        )


def _errors(values: Array, labels: Array) -> Array:
    """Squared error of each row over the variance of the labels; 1 - its mean is R²."""
    truth = labels.reshape(len(labels), -1)[:, 0].astype(float)
    found: Array = (values - truth) ** 2 / (float(truth.var()) or 1.0)
    return found
