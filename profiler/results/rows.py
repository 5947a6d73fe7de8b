"""The rows of the table: what each trial's own rounds and predictions say, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from profiler.analysis.choice import relative, stopped, yardstick
from profiler.analysis.choice.names import identity
from profiler.analysis.trials import placement, summary
from profiler.analysis.trials.rate import Rates
from profiler.planning import recipes
from profiler.results import predictions
from profiler.results.judged import Judged
from profiler.results.opened import Opened
from profiler.schema.columns import Row, row_of
from profiler.schema.study.measure import Slo


class TrialRows:
    """One row for each trial, without what rests on other trials' rows: frontier and choice."""

    def __init__(
        self, opened: Opened, judged: Judged, wall_meter: Mapping[str, float], *, spot: bool
    ) -> None:
        """wall_meter: trial -> joules a query from the user's own meter; spot: see `Rates`"""
        self._opened, self._judged = opened, judged
        self.rates = Rates(
            samples=opened.samples,
            targets=opened.targets,
            wall_meter=wall_meter,
            adaptive=opened.adaptive,
            spot=spot,
        )

    def at(self, limits: Slo) -> list[Row]:
        """The rows, each goodput at the limit on p99, where there is one."""
        if limits.p99 in (None, self._opened.study.slo.p99):
            return self.measured
        return self.rates.at(limits.p99, self.measured, self._opened.trials)

    @cached_property
    def measured(self) -> list[Row]:
        """The rows at the study's own limits; excluded trials come last."""
        opened, judged = self._opened, self._judged
        ratios = relative.against_baseline(
            opened.trials.values(), opened.typical,
            delta=opened.study.measure.equivalence, adaptive=opened.adaptive, speeds=opened.speeds,
        )  # fmt: skip
        ended = stopped.of_trials(opened.plan, opened.stopped_by())
        first = opened.study.targets[0]
        errors = placement.output_errors(judged.outputs, opened.trials, first)
        named = predictions.named(opened.prepared, opened.study.data)
        rows = []
        for trial in opened.trials.values():
            taken = opened.samples.get(trial.id)
            row = row_of(
                identity(trial),
                summary.summarise(
                    trial, taken, adaptive=opened.adaptive,
                    followed=opened.study.slo if trial.id in opened.followed else None,
                ),
                ratios.get(trial.id, {}), judged.columns.get(trial.id, {}),
                errors.get(trial.id, {}), judged.stress.columns(trial.id),
                opened.speeds.columns(trial.id),
                self.rates.columns(trial, opened.study.slo.p99),
            )  # fmt: skip
            if multiples := opened.multiples.get(trial.id):
                beside = opened.record.yardsticks[trial.target]
                row.update(yardstick.columns(multiples, beside, adaptive=opened.adaptive))
            row["stopped"] = ended[trial.id]
            row["judged"] = named.get(trial.model) if trial.id in judged.outputs else None
            artifact = opened.prepared.artifacts.get((trial.model, trial.variant))
            target = opened.targets[trial.target]
            # torch runs the source; the ONNX file of its baseline is not what it loads
            row["file_bytes"] = artifact.bytes if artifact and target.backend != "torch" else None
            if target.gpu is not None:
                row["copies"] = {"host": "included", "device": "excluded"}[target.gpu.binding]
            if artifact is not None:
                known = opened.facts().get(target.name, {})
                row.update(recipes.advised(artifact, trial, target, known, row["sqnr_db"]))
            if row["status"] == "pending" and trial.target in opened.lost:
                row["status"], row["reason"] = "failed", opened.lost[trial.target].reason
            rows.append(row)
        for exclusion in opened.plan.exclusions:
            reason = exclusion.reason + (f" ({exclusion.hint})" if exclusion.hint else "")
            why: Row = {"status": "excluded", "reason": reason}
            rows.append(row_of(identity(exclusion.trial), why))
        return rows
