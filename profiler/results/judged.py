"""What a results folder holds of predictions: accuracy, and what stress took from it."""

from __future__ import annotations

from functools import cached_property

from profiler.analysis.quality.accuracy import Accuracy
from profiler.results import predictions
from profiler.results.opened import Opened
from profiler.results.stress import Stress, read
from profiler.schema.columns import Row
from profiler.statistics.pieces import Rows
from profiler.store import metric_file
from profiler.store.blobs import read_array


class Judged:
    """The predictions of an opened folder, read and judged when first asked for."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @cached_property
    def _predicted(self) -> tuple[dict[str, Rows], tuple[str, ...]]:
        spec, evaluation = self._opened.study.data, self._opened.prepared.evaluation
        if evaluation is None or spec is None:
            return {}, ()
        return predictions.of_trials(self._opened.samples, self._opened.folder, evaluation, spec)

    @property
    def outputs(self) -> dict[str, Rows]:
        """Trial id -> its predictions: evaluation rows, then confirmation rows."""
        return self._predicted[0]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Predictions and answers that can't be read, and why."""
        return (*self._predicted[1], *self.stress.left_out)

    @cached_property
    def stress(self) -> Stress:
        """Extra loss on perturbed rows, and what the failure probes brought."""
        opened = self._opened
        if opened.study.stress is None:
            return Stress()
        timed = [trial for trial, taken in opened.samples.items() if taken.taken]
        return read(
            opened.record.rows, opened.trials, timed, self.outputs, opened.prepared, opened.study,
            opened.folder,
        )  # fmt: skip

    @cached_property
    def accuracy(self) -> Accuracy:
        """What is known of the predictions on the evaluation rows: metrics, damage, flips."""
        assert self._opened.prepared.evaluation is not None
        return self._accuracy("evaluation", slice(None, self._opened.prepared.evaluation.rows))

    @cached_property
    def confirmation(self) -> Accuracy | None:
        """The same on the rows kept apart; None without such rows."""
        evaluation = self._opened.prepared.evaluation
        if (
            evaluation is None
            or len(read_array(self._opened.folder, evaluation.numbers)) == evaluation.rows
        ):
            return None
        return self._accuracy("confirmation", slice(evaluation.rows, None))

    def _accuracy(self, name: str, part: slice) -> Accuracy:
        opened = self._opened
        assert opened.prepared.evaluation is not None
        baselines = {trial.id: trial.baseline for trial in opened.trials.values()}
        return predictions.judged(
            self.outputs, part, baselines, opened.prepared.evaluation, opened.study, opened.folder,
            getattr(metric_file.recorded(opened.folder), name),
        )  # fmt: skip

    @cached_property
    def columns(self) -> dict[str, Row]:
        """Trial -> its columns on accuracy, agreement, damage and costs."""
        if self._opened.prepared.evaluation is None:
            return {}
        return self.accuracy.rows()

    @cached_property
    def confirmed(self) -> dict[str, Row]:
        """Trial -> the same on the confirmation rows; empty without them."""
        if self.confirmation is None:
            return {}
        return self.confirmation.rows()
