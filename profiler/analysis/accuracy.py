"""Everything that predictions on the evaluation rows tell: one object, derived on read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profiler.analysis import agreement, damage, quality, task_metrics
from profiler.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LEAST_ROWS = 10
"""a class or slice with fewer rows is not tested: nothing could be told"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accuracy:
    """Predictions of all trials on the same rows, in the same order."""

    outputs: Mapping[str, Array]
    baselines: Mapping[str, str]
    """trial -> its baseline, which is itself for a baseline"""
    task: str
    labels: Array | None
    numbers: Array
    """(rows,) number of each row in the data file"""
    slices: Mapping[str, Array] = field(default_factory=dict)
    costs: Sequence[Sequence[float]] = ()
    margin: float = 0.01
    seed: int = 0

    @property
    def _classes(self) -> bool:
        return self.task == "classification"

    def rows(self) -> dict[str, dict[str, Any]]:
        """Trial -> the table's columns on accuracy, agreement, damage and costs."""
        found: dict[str, dict[str, Any]] = {trial: {} for trial in self.outputs}
        near = agreement.agreement(self.outputs, self.baselines, self._classes)
        for trial, columns in near.items():
            found[trial].update(columns)
        if self.labels is None:
            return found
        if self._classes:
            judged = quality.classification(self.outputs, self.baselines, self.labels, self.margin)
        else:
            judged = quality.regression(self.outputs, self.baselines, self.labels, self.seed)
        for trial, columns in judged.items():
            found[trial].update(columns)
            found[trial].update(self._cost(trial))
            cells = [cell for cell in self.damage(trial) if cell.damaged]
            found[trial]["damaged"] = "; ".join(map(words, cells)) or None
        return found

    def _base(self, trial: str) -> Array | None:
        """The baseline's output; None for a baseline itself."""
        base = self.baselines[trial]
        return None if base == trial else self.outputs.get(base)

    def _cost(self, trial: str) -> dict[str, Any]:
        """Mean cost of a decision, and how much more than the baseline's with a paired interval."""
        if not self.costs or self.labels is None:
            return {}
        import numpy as np

        from profiler.statistics.paired import mean_difference_interval

        costs = np.asarray(self.costs)

        labels = self.labels

        def of(output: Array) -> Array:
            predicted = quality.predicted_classes(output)
            return task_metrics.decision_costs(predicted, labels, costs)

        own, base = of(self.outputs[trial]), self._base(trial)
        row: dict[str, Any] = {"decision_cost": float(own.mean())}
        if base is not None:
            more = mean_difference_interval(own, of(base))
            row.update(
                decision_cost_more=more.value,
                decision_cost_more_low=more.low,
                decision_cost_more_high=more.high,
            )
        return row

    def damage(self, trial: str) -> list[damage.Cell]:
        """Classes and slices of a trial against its baseline, the worst first."""
        import numpy as np

        base = self._base(trial)
        if base is None or self.labels is None or not self._classes:
            return []
        right = [
            quality.predicted_classes(output) == self.labels
            for output in (base, self.outputs[trial])
        ]
        groups = {"class": self.labels.astype(np.str_), **self.slices}
        tested = {}
        for name, values in groups.items():
            known, counts = np.unique(values, return_counts=True)
            large = np.isin(values, known[counts >= LEAST_ROWS])
            tested[name] = np.where(large, values, "(small)")
        cells = damage.damage(right[0], right[1], tested)
        return [cell for cell in cells if cell.value != "(small)"]

    def metrics(self, trial: str) -> dict[str, Any]:
        """Task metrics of one trial; empty without labels."""
        if self.labels is None:
            return {}
        if self._classes:
            return task_metrics.classification(self.outputs[trial], self.labels)
        return task_metrics.regression(self.outputs[trial], self.labels)

    def flips(self, trial: str) -> list[dict[str, Any]]:
        """Rows whose class differs from the baseline's. Raises InputError for another task."""
        import numpy as np

        base = self._base(trial)
        if base is None:
            raise InputError(
                f"{trial} is a baseline", hint="name a variant, whose answers may differ from it"
            )
        if not self._classes:
            raise InputError(f"flips are changes of class; the task is {self.task}")
        one, other = quality.predicted_classes(base), quality.predicted_classes(self.outputs[trial])
        rows = []
        for i in np.flatnonzero(one != other):
            label = None if self.labels is None else int(self.labels[i])
            direction = "changed"
            if label is not None and label in (one[i], other[i]):
                direction = "lost" if label == one[i] else "gained"
            rows.append(
                {
                    "row": int(self.numbers[i]),
                    "label": label,
                    "baseline": int(one[i]),
                    "variant": int(other[i]),
                    "direction": direction,
                }
            )
        return rows


def words(cell: damage.Cell) -> str:
    """'class 3: 10.0 points lost (5 of 50 rows lost, 0 gained)'."""
    return (
        f"{cell.column} {cell.value}: {cell.drop * 100:.1f} points lost"
        f" ({cell.lost} of {cell.n} rows lost, {cell.gained} gained)"
    )
