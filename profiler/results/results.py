"""A results folder, read: tables, frontier, comparison and choice, derived from its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.analysis.choice import across, relative, slo, stopped
from profiler.analysis.choice.across import AcrossRuns
from profiler.analysis.choice.choose import Choice, choose
from profiler.analysis.choice.frontier import load_of, mark_frontier, usable_objectives
from profiler.analysis.choice.names import find_trial, identity
from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.trials import placement, samples, speeds, summary
from profiler.analysis.trials.rate import Rates
from profiler.analysis.trials.reproducibility import Point, card
from profiler.errors import InputError, ResultsError
from profiler.planning import recipes
from profiler.results import predictions
from profiler.results.derived import Derived
from profiler.results.stress import Stress, read
from profiler.schema.columns import COLUMNS, Row, row_of
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.record.recorded import Lost, Round
from profiler.schema.study.measure import Slo
from profiler.schema.study.study import Study
from profiler.statistics.pieces import Rows
from profiler.store import metric_file, reading, record
from profiler.store.blobs import read_array
from profiler.store.folder import META, Store
from profiler.store.prepared import Prepared
from profiler.tasks.task import task_of
from profiler.tasks.verdicts import majority_share

if TYPE_CHECKING:
    import pandas as pd

    from profiler.statistics.ratio import Comparison


class Results:
    """What a study measured. Use `load` or `run`."""

    def __init__(self, store: Store) -> None:
        self.folder = store.folder
        self.derived = Derived(self.folder)  # the state before anything is read
        self.meta = store.meta()
        self._store = store
        where = self.folder / META
        self.study = reading.decoded(Study, self.meta["study"], where, "study")
        targets = (
            reading.decoded(Target, held, where, f"targets[{number}]")
            for number, held in enumerate(self.meta["targets"])
        )
        self.targets = {target.name: target for target in targets}
        self.plan = record.planned(store, self.study, self.targets)
        self.wall_meter: dict[str, float] = {}
        """trial -> joules a query from the user's own meter; set before anything is read"""
        self.prepared: Prepared = record.prepared(store, self.study)

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read a results folder. Raises ResultsError."""
        return cls(Store.read(Path(folder)))

    @cached_property
    def record(self) -> record.Record:
        """What is recorded, as far as it can be read."""
        return record.read(self._store, self.plan, self.prepared, self.meta["study_hash"])

    @property
    def faults(self) -> tuple[str, ...]:
        """What was left out, as it can't be read or does not fit: file, key, expected and got."""
        return tuple(self.derived.kept("faults", {}, lambda: [
            *self.record.faults, *self._predicted[1], *self.stress.left_out
        ]))  # fmt: skip

    @cached_property
    def rounds(self) -> list[Round]:
        """The rows of all rounds, as recorded."""
        return [row for row in self.record.rows if isinstance(row, Round)]

    @property
    def samples(self) -> dict[str, samples.Samples]:
        """Trial id -> its repetitions with their latencies."""
        return self.record.samples

    @cached_property
    def adaptive(self) -> bool:
        """Whether any group stopped because its intervals looked narrow enough."""
        return any(row.stopped == "precision" for row in self.rounds)

    @cached_property
    def lost(self) -> dict[str, Lost]:
        """Target -> its row with reason and hint, where the last we know is that it failed."""
        last = {row.target: row for row in self.record.rows}
        return {name: row for name, row in last.items() if isinstance(row, Lost)}

    @property
    def complete(self) -> bool:
        """Whether every group has stopped for a reason of its own."""
        done = {row.group for row in self.rounds if row.stopped}
        return done == {group.index for group in self.plan.groups}

    def stopped_by(self) -> dict[int, str]:
        """Group -> what ended its measuring: precision, budget, rounds, a lost target."""
        return stopped.reasons(self.plan, self.rounds, self.study.measure, self.lost)

    def facts(self) -> dict[str, dict[str, Any]]:
        """Target -> what its worker found in the last round."""
        return self.record.facts

    @cached_property
    def typical(self) -> relative.Typical:
        """Trial -> round -> ns at a typical moment of that round: what trials are compared by."""
        return samples.at_same_moment(self.samples.values())

    @cached_property
    def speeds(self) -> speeds.Speeds:
        """The two speeds of a machine, where its trials show two."""
        return speeds.of_samples(self.samples, self.trials)

    @property
    def _compared_by(self) -> dict[str, Any]:
        delta = self.study.measure.equivalence
        return {"delta": delta, "adaptive": self.adaptive, "speeds": self.speeds}

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """All planned trials by id."""
        return {trial.id: trial for trial in self.plan.trials}

    @cached_property
    def rows(self) -> list[Row]:
        """One dict per trial: every column of the table. Excluded trials come last."""
        return self.evaluate(self.study.slo)

    def evaluate(self, limits: Slo) -> list[Row]:
        """The table's rows under other limits than the study's."""
        rows = [row_of(row) for row in self._at(limits)]
        marks: dict[str, Row] = {}
        # Times of an emulated device are no rivals of real ones.
        kinds = [(load_of(row), self.targets[row["target"]].emulated) for row in rows]
        for kind in set(kinds):
            same = [row for row, own in zip(rows, kinds, strict=True) if own == kind]
            marks.update(mark_frontier(same, usable_objectives(same, self.study.objectives)))
        chosen = self._choose(rows, limits)
        for row in rows:
            row.update(marks[row["trial"]])
            row["slo"] = slo.overall(slo.check(row, limits)) if row["status"] == "ok" else None
            row["chosen"] = row["trial"] == chosen.trial
        return rows

    @cached_property
    def _measured(self) -> list[Row]:
        ratios = relative.against_baseline(self.trials.values(), self.typical, **self._compared_by)
        accuracy = {} if self.prepared.evaluation is None else self.accuracy.rows()
        ended = stopped.of_trials(self.plan, self.stopped_by())
        errors = placement.output_errors(self.outputs, self.trials, self.study.targets[0])
        judged = predictions.named(self.prepared, self.study.data)
        rows = []
        for trial in self.trials.values():
            taken = self.samples.get(trial.id)
            row = row_of(
                identity(trial), summary.summarise(trial, taken, adaptive=self.adaptive),
                ratios.get(trial.id, {}), accuracy.get(trial.id, {}), errors.get(trial.id, {}),
                self.stress.columns(trial.id),
            )  # fmt: skip
            row["stopped"] = ended[trial.id]
            row.update(self.speeds.columns(trial.id))
            artifact = self.prepared.artifacts.get((trial.model, trial.variant))
            row["judged"] = judged.get(trial.model) if trial.id in self.outputs else None
            target = self.targets[trial.target]
            # torch runs the source; the ONNX file of its baseline is not what it loads
            row["file_bytes"] = artifact.bytes if artifact and target.backend != "torch" else None
            if target.gpu is not None:
                row["copies"] = {"host": "included", "device": "excluded"}[target.gpu.binding]
            if artifact is not None:
                known = self.facts().get(target.name, {})
                row.update(recipes.advised(artifact, trial, target, known, row["sqnr_db"]))
            row.update(self._rates.columns(trial, self.study.slo.p99))
            if row["status"] == "pending" and trial.target in self.lost:
                row["status"], row["reason"] = "failed", self.lost[trial.target].reason
            rows.append(row)
        for exclusion in self.plan.exclusions:
            reason = exclusion.reason + (f" ({exclusion.hint})" if exclusion.hint else "")
            why: Row = {"status": "excluded", "reason": reason}
            rows.append(row_of(identity(exclusion.trial), why))
        return rows

    @property
    def _rates(self) -> Rates:
        return Rates(samples=self.samples, targets=self.targets, wall_meter=self.wall_meter,
                     adaptive=self.adaptive)  # fmt: skip

    def _at(self, limits: Slo) -> list[Row]:
        """The measured rows, each goodput at the limit on p99, where there is one."""
        if limits.p99 in (None, self.study.slo.p99):
            return self._measured
        return self._rates.at(limits.p99, self._measured, self.trials)

    @cached_property
    def _predicted(self) -> tuple[dict[str, Rows], tuple[str, ...]]:
        asked, evaluation = self.study.data, self.prepared.evaluation
        if evaluation is None or asked is None:
            return {}, ()
        return predictions.of_trials(self.samples, self.folder, evaluation, asked)

    @property
    def outputs(self) -> dict[str, Rows]:
        """Trial id -> its predictions: evaluation rows, then confirmation rows."""
        return self._predicted[0]

    @cached_property
    def stress(self) -> Stress:
        """Extra loss on perturbed rows, and what the failure probes brought."""
        if self.study.stress is None:
            return Stress()
        timed = [trial for trial, taken in self.samples.items() if taken.taken]
        return read(
            self.record.rows, self.trials, timed, self.outputs, self.prepared, self.study,
            self.folder,
        )  # fmt: skip

    @cached_property
    def accuracy(self) -> Accuracy:
        """What is known of the predictions on the evaluation rows: metrics, damage, flips."""
        assert self.prepared.evaluation is not None
        return self._accuracy("evaluation", slice(None, self.prepared.evaluation.rows))

    @cached_property
    def confirmation(self) -> Accuracy | None:
        """The same on the rows kept apart; None without such rows."""
        evaluation = self.prepared.evaluation
        if (
            evaluation is None
            or len(read_array(self.folder, evaluation.numbers)) == evaluation.rows
        ):
            return None
        return self._accuracy("confirmation", slice(evaluation.rows, None))

    def _accuracy(self, name: str, part: slice) -> Accuracy:
        assert self.prepared.evaluation is not None
        baselines = {trial.id: trial.baseline for trial in self.trials.values()}
        return predictions.judged(
            self.outputs, part, baselines, self.prepared.evaluation, self.study, self.folder,
            getattr(metric_file.recorded(self.folder), name),
        )  # fmt: skip

    def confirmed(self, trial: str) -> dict[str, Any] | None:
        """Accuracy columns of one trial on the confirmation rows; None without them.

        The best of many variants looks better on the rows that chose it than it is; these rows
        had no part in the choice.
        """
        if self.confirmation is None:
            return None
        return self.confirmation.rows().get(find_trial(trial, self.trials))

    def reproducibility(self) -> list[Point]:
        """The twelve points another person needs, and which of them hold."""
        evaluation = self.prepared.evaluation
        return card(
            self.meta,
            self.facts(),
            [artifact.sha for artifact in self.prepared.artifacts.values()],
            None if evaluation is None else evaluation.data,
            self.rounds,
        )

    def flips(self, trial: str) -> list[dict[str, Any]]:
        """Rows of the data file that the trial answers differently from its baseline.

        Each has row (counted from 0), label, baseline, variant and direction. Raises InputError
        when there are no predictions of classes.
        """
        known = find_trial(trial, self.trials)
        if self.prepared.evaluation is None or known not in self.outputs:
            raise InputError(
                f"{known}: no predictions were recorded", hint="add [data] to the study"
            )
        return self.accuracy.flips(known)

    def majority_share(self) -> float | None:
        """Accuracy of always answering the most frequent class; None without labelled classes."""
        evaluation = self.prepared.evaluation
        if evaluation is None or not evaluation.labels or not task_of(evaluation.task).one_class:
            return None
        return majority_share(read_array(self.folder, evaluation.labels)[: evaluation.rows])

    def table(self) -> pd.DataFrame:
        """One row per trial; units are in the column names, missing values are None or NaN."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(COLUMNS))

    def frontier(self) -> pd.DataFrame:
        """The rows of the table that no other trial dominates."""
        table = self.table()
        return table[table["frontier"]]

    def raw(self, trial: str) -> pd.DataFrame:
        """Every latency of a trial: columns round, latency_ns."""
        import pandas as pd

        known = find_trial(trial, self.trials)
        parts = [
            pd.DataFrame({"round": key[1], "latency_ns": taken.latencies})
            for key, taken in self.samples[known].taken.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Comparison]:
        """Latency of a against b with a verdict, corrected for all pairs asked at once.

        A trial may be named by its id, or by 'model/variant' and as many parts of the rest as make
        it unambiguous, e.g. 'mlp/fp32/t2'. Raises
        InputError when a pair shares too few rounds.
        """
        known = [(find_trial(a, self.trials), find_trial(b, self.trials)) for a, b in pairs]
        found = relative.compare_pairs(known, self.typical, **self._compared_by)
        for pair in known:
            if pair not in found:
                raise InputError(
                    f"{pair[0]} and {pair[1]} were not measured together often enough",
                    hint="measure both in one study, on one target",
                )
        return found

    def compare_with(self, other: Results) -> list[AcrossRuns]:
        """p50 of every trial both folders have, this one over the other.

        Raises ResultsError naming the fact in which the machines differ.
        """
        across.refuse_unlike(self.folder, self.facts(), other.folder, other.facts())
        shared = [t for t in self.samples if t in other.samples]
        if not shared:
            raise ResultsError(
                f"{self.folder} and {other.folder} have no trial in common",
                hint=f"trials here: {', '.join(list(self.samples)[:3])}",
            )
        common = {
            group.target: group.reference
            for group in reversed(self.plan.groups)
            if group.reference in shared
            and self._artifact_of(group.reference) == other._artifact_of(group.reference)
        }
        return across.compare_runs(
            self.samples,
            other.samples,
            references={
                trial: common[own.target]
                for trial, own in self.trials.items()
                if own.target in common
            },
            adaptive=self.adaptive or other.adaptive,
            delta=self.study.measure.equivalence,
        )

    def _artifact_of(self, trial: str) -> str | None:
        found = self.trials[trial]
        artifact = self.prepared.artifacts.get((found.model, found.variant))
        return artifact.sha if artifact else None

    def choose(self, *, objective: str | None = None, **limits: str | int | float) -> Choice:
        """One recommendation under limits such as p99="5ms", max_drop="1pp" (default: the SLO)."""
        own = self.study.own_metric
        wanted = slo.parse_limits(limits, own_metric=own) if limits else self.study.slo
        return self._choose(self._at(wanted), wanted, objective)

    def _choose(self, rows: Sequence[Row], limits: Slo, objective: str | None = None) -> Choice:
        # Latencies under different loads don't compare: the first scenario and shape decide.
        rows = [row for row in rows if row["scenario"] == self.study.scenarios[0].kind]
        first = {row["model"]: row["shapes"] for row in reversed(rows)}
        rows = [row for row in rows if row["shapes"] == first[row["model"]]]
        real = [row for row in rows if not self.targets[row["target"]].emulated]
        if real:
            rows = real
        available = usable_objectives(rows, (objective or self.study.objectives[0],))
        separated = relative.separated(
            self.trials,
            self.typical,
            delta=self.study.measure.equivalence,
            adaptive=self.adaptive,
        )
        best_in = available[0] if available else "p50"
        found = choose(rows, limits, best_in, separated=separated)
        breaks = self.stress.warnings(found.trial) if found.trial else ()
        told = [f"under stress: {text}" for text in breaks]
        for row in (row for row in rows if row["trial"] == found.trial):
            told += [row["advice"]] if row["saturable"] and row["advice"] else []
            if best_in == "throughput" and row["throughput_note"]:
                told.append(row["throughput_note"])
        return replace(found, warnings=tuple(told))


load = Results.load
