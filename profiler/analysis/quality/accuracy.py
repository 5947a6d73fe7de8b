"""Everything that predictions on the evaluation rows tell: one object, derived on read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality import damage
from profiler.analysis.quality.damage import Cell
from profiler.errors import InputError
from profiler.schema.columns import Row, part_of
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import Rows
from profiler.tasks.task import Answers, Columns, Task, Truth, task_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LEAST_ROWS = 10
"""a class or slice with fewer rows is not tested: nothing could be told"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accuracy:
    """Predictions of all trials on the same rows, in the same order."""

    outputs: Mapping[str, Rows]
    baselines: Mapping[str, str]
    """trial -> its baseline, which is itself for a baseline"""
    task: str
    labels: Array | None
    numbers: Array
    """(rows,) number of each row in the data file"""
    slices: Mapping[str, Array] = field(default_factory=dict)
    pairs: Mapping[str, Array] = field(default_factory=dict)
    """embedding: pairs and similarity, both (rows,)"""
    spec: DataSpec = field(default_factory=lambda: DataSpec(file="rows"))
    """the study's [data] table: top_k, costs, tags and ignore"""
    own: Mapping[str, Mapping[str, Any]] | None = None
    """trial -> accuracy columns by the study's own metric; None: the task's"""
    margin: float = 0.01
    seed: int = 0
    _cells: dict[tuple[int, int], list[Cell]] = field(default_factory=dict)
    _metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    _rights: dict[int, Array | None] = field(default_factory=dict)
    """all by the `id` of outputs: trials with equal predictions share them"""

    @property
    def _judge(self) -> Task:
        return task_of(self.task)

    @property
    def _answers(self) -> Answers:
        return Answers(
            outputs=self.outputs, baselines=self.baselines, margin=self.margin, seed=self.seed
        )

    @property
    def _truth(self) -> Truth:
        return Truth(spec=self.spec, labels=self.labels, pairs=self.pairs)

    def rows(self) -> dict[str, Row]:
        """Trial -> the table's columns on accuracy, agreement, damage and costs."""
        found: dict[str, dict[str, Any]] = {trial: {} for trial in self.outputs}
        for trial, columns in self._judge.near(self._answers, self._truth).items():
            found[trial].update(columns)
        for trial, columns in self._judged().items():
            found[trial].update(columns)
            found[trial].update(self._cost(trial))
            cells = [cell for cell in self.damage(trial) if cell.damaged]
            found[trial]["damaged"] = "; ".join(map(words, cells)) or None
        return {trial: part_of(columns) for trial, columns in found.items()}

    def _judged(self) -> Columns:
        """Trial -> accuracy, its loss and the verdict; empty where nothing says what is right."""
        if self.own is not None:
            return {t: dict(row) for t, row in self.own.items() if t in self.outputs}
        if self.labels is None and not self.pairs:
            return {}
        return self._judge.judged(self._answers, self._truth)

    def _right(self, output: Rows) -> Array | None:
        """Whether each row is answered right, boolean (rows,); None where that has no meaning."""
        if id(output) not in self._rights:
            right = None if self.labels is None else self._judge.right(output, self._truth)
            self._rights[id(output)] = right
        return self._rights[id(output)]

    def _base(self, trial: str) -> Rows | None:
        """The baseline's output; None for a baseline itself."""
        base = self.baselines[trial]
        return None if base == trial else self.outputs.get(base)

    def _costs(self, output: Rows) -> Array | None:
        """What each row's decision costs, (rows,); None where that has no meaning."""
        return None if self.labels is None else self._judge.costs(output, self._truth)

    def _cost(self, trial: str) -> dict[str, Any]:
        """Mean cost of a decision, and how much more than the baseline's with a paired interval."""
        from profiler.statistics.paired import mean_difference_interval

        own, output = self._costs(self.outputs[trial]), self._base(trial)
        if own is None:
            return {}
        row: dict[str, Any] = {"decision_cost": float(own.mean())}
        base = None if output is None else self._costs(output)
        if base is not None:
            more = mean_difference_interval(own, base)
            row.update(
                decision_cost_more=more.value,
                decision_cost_more_low=more.low,
                decision_cost_more_high=more.high,
            )
        return row

    def damage(self, trial: str) -> list[Cell]:
        """Classes and slices of a trial against its baseline, the worst first."""
        base, output = self._base(trial), self.outputs[trial]
        if base is None or self.labels is None:
            return []
        key = (id(base), id(output))
        if key not in self._cells:
            self._cells[key] = self._damage(base, output, self.labels)
        return self._cells[key]

    def _damage(self, base: Rows, output: Rows, labels: Array) -> list[Cell]:
        import numpy as np

        before, after = self._right(base), self._right(output)
        if before is None or after is None:
            return []
        groups = {"class": labels.astype(np.str_), **self.slices}
        tested = {}
        for name, values in groups.items():
            known, counts = np.unique(values, return_counts=True)
            large = np.isin(values, known[counts >= LEAST_ROWS])
            tested[name] = np.where(large, values, "(small)")
        cells = damage.damage(before, after, tested)
        return [cell for cell in cells if cell.value != "(small)"]

    @property
    def titles(self) -> Mapping[str, str]:
        """Key of a task metric -> its title, as `Task.titles` says."""
        return self._judge.titles

    def metrics(self, trial: str) -> dict[str, Any]:
        """Task metrics of one trial; empty without labels or scored pairs."""
        output = self.outputs[trial]
        if self.labels is None and not self.pairs:
            return {}
        if id(output) not in self._metrics:
            self._metrics[id(output)] = self._judge.metrics(output, self._truth)
        return self._metrics[id(output)]

    def flips(self, trial: str) -> list[dict[str, Any]]:
        """Rows whose class differs from the baseline's. Raises InputError for another task."""
        import numpy as np

        base = self._base(trial)
        if base is None:
            raise InputError(
                f"{trial} is a baseline", hint="name a variant, whose answers may differ from it"
            )
        if not self._judge.one_class:
            raise InputError(f"flips are changes of class; the task is {self.task}")
        one, other = self._judge.classes(base), self._judge.classes(self.outputs[trial])
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


def words(cell: Cell) -> str:
    """'class 3: 10.0 points lost (5 of 50 rows lost, 0 gained)'."""
    return (
        f"{cell.column} {cell.value}: {cell.drop * 100:.1f} points lost"
        f" ({cell.lost} of {cell.n} rows lost, {cell.gained} gained)"
    )
