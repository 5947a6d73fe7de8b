"""What every task answers, and how the one of a study is found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import DataSpec
from profiler.schema.study.tasks import TASKS
from profiler.statistics.pieces import Rows
from profiler.tasks.agreement import agreement
from profiler.tasks.outputs import predicted_classes
from profiler.tasks.stressed import ByValue, Stressed

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

Columns = dict[str, dict[str, Any]]
"""trial -> columns of the table"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What trials predicted for the same rows, in the same order."""

    outputs: Mapping[str, Rows]
    """trial -> (rows, …)"""
    baselines: Mapping[str, str]
    """trial -> its baseline, which is itself for a baseline"""
    margin: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What is known of those rows."""

    spec: DataSpec
    labels: Array | None
    """(rows, …) as `Task.labels` gave them"""
    pairs: Mapping[str, Array] = field(default_factory=dict)
    """embedding: pairs and similarity, both (rows,)"""

    @property
    def known(self) -> Array:
        """The labels, where only labelled rows are asked about."""
        assert self.labels is not None
        return self.labels


class Task(Protocol):
    """A module of this folder holds one as TASK, and `schema.study.tasks` names it.

    Heavy libraries are imported where they are needed. Whatever does not fit raises DataError.
    """

    titles: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """key in `metrics` -> title of its column, in their order: with "%" a share, else a number; a
    key with {} stands for several with a number in its place"""
    one_class: bool = False
    """whether a row has one class: parts are drawn by it, a change of it is a flip, and the share
    of the most frequent one is told"""
    stressed: Stressed = ByValue()
    """what is kept of answers to perturbed rows, and how they are compared"""
    stress_needs_labels: bool = False

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """A column of labels, checked, as the other members get it. `where` opens messages."""
        ...

    def check_some(self, spec: DataSpec, labels: Array, where: str) -> None:
        """Whether there is a row with a label that counts."""
        return

    def check_scores(self, spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
        """Whether the labels fit the output `scores` of a model, where its shape tells."""
        return

    def distance(self, spec: DataSpec, output: Tensor, labels: Array) -> float | None:
        """How badly an output fits the labels, from 0 to infinity; None where it doesn't tell."""
        try:
            self.check_scores(spec, "", output, labels)
        except DataError:
            return float("inf")
        return 0

    def mask_axis(self, spec: DataSpec) -> int | None:
        """Axis of the scores of which a device sends only the number of the best; None: all."""
        return None

    def joined(self, outputs: Sequence[Array]) -> Array:
        """Several outputs as one, for a study that names several."""
        raise DataError("data.detections: this task is judged by one output")

    def check_usable(self, output: Array, truth: Truth) -> None:
        """Whether predictions can be judged; `output` and `truth` are of the first row."""
        ...

    def near(self, answers: Answers, truth: Truth) -> Columns:
        """How near each trial's outputs are to its baseline's; labels may be missing."""
        return agreement(answers.outputs, answers.baselines, self.one_class)

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        """Accuracy with its interval, its loss against the baseline and the verdict.

        `verdicts` makes these columns; `accuracy_is` names the metric.
        """
        ...

    def right(self, output: Rows, truth: Truth) -> Array | None:
        """Whether each row is answered right, boolean (rows,); None where that has no meaning."""
        return None

    def classes(self, output: Rows) -> Array:
        """The class of each row, int64 (rows,), where a row has one."""
        return predicted_classes(output)

    def costs(self, output: Rows, truth: Truth) -> Array | None:
        """What each row's decision costs, (rows,); None where the study says nothing of it."""
        return None

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        """More metrics of one trial: those of `titles`, and `per_class`."""
        return {}


def task_of(name: str) -> Task:
    """The task that a study calls so."""
    found: Task = importlib.import_module(TASKS[name].module).TASK
    return found
