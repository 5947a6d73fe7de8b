"""A results folder, read: tables, frontier, comparison and choice, derived anew each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler import raw
from profiler.analysis import across, cost, placement, quality, relative, samples, slo, summary
from profiler.analysis.across import AcrossRuns
from profiler.analysis.choose import Choice, choose, separation
from profiler.analysis.frontier import mark_frontier, usable_objectives
from profiler.errors import InputError, ResultsError
from profiler.planning import recipes
from profiler.prepare import Prepared, recall
from profiler.schema.codec import DecodeError, decode, encode, nearest
from profiler.schema.plan import Plan, Trial
from profiler.schema.study import Slo, Study
from profiler.schema.target import Target
from profiler.schema.wire import Repetition
from profiler.store import ARTIFACTS, Store

if TYPE_CHECKING:
    import pandas as pd

    from profiler.statistics.compare import Comparison

LIMITS = tuple(Slo.__dataclass_fields__)
COLUMNS = (
    "trial", "model", "variant", "recipe", "is_baseline", "target", "provider", "threads",
    "scenario", "batch", "concurrency", "gap_ns", "rate", "optimization", "affinity",
    "status", "reason", "rounds", "queries",
    "p50_ns", "p50_low_ns", "p50_high_ns", "p50_note",
    "p90_ns", "p90_low_ns", "p90_high_ns", "p90_note",
    "p99_ns", "p99_low_ns", "p99_high_ns", "p99_note",
    "throughput", "throughput_low", "throughput_high",
    "load_ns", "first_query_ns", "warmup_ns",
    "memory_imports_bytes", "memory_loaded_bytes", "memory_first_query_bytes",
    "memory_peak_bytes", "memory_pss_bytes", "file_bytes",
    "providers", "placed", "placed_note", "output_error",
    "copies", "engine_build_ns", "gpu_memory_bytes", "gpu_sm_mhz_low", "gpu_celsius_high",
    "gpu_slowed",
    "ratio", "ratio_low", "ratio_high", "verdict", "rounds_needed",
    "accuracy", "accuracy_low", "accuracy_high",
    "drop", "drop_low", "drop_high", "quality", "quality_n_needed", "flips", "agreement",
    "gap", "gap_low", "gap_high", "usd_per_million",
    "noise", "advice", "slo", "frontier", "dominated_by", "chosen",
)  # fmt: skip
"""Columns of the table; units are in the names."""


class Results:
    """What a study measured. Use `load` or `run`."""

    def __init__(self, store: Store) -> None:
        self.folder = store.folder
        self.meta = store.meta()
        self._store = store
        self.study = decode(Study, self.meta["study"])
        self.targets = {t["name"]: decode(Target, t) for t in self.meta["targets"]}
        plan = store.read_json("plan.json")
        if plan is None:
            raise ResultsError(
                f"{self.folder}: nothing was measured yet", hint="give the `run` command again"
            )
        self.plan = decode(Plan, plan)
        self.prepared: Prepared = recall(store.read_json(ARTIFACTS) or {})

    @classmethod
    def load(cls, folder: str | Path) -> Results:
        """Read a results folder. Raises ResultsError."""
        return cls(Store.read(Path(folder)))

    @cached_property
    def rounds(self) -> list[dict[str, Any]]:
        """The rows of all rounds, as recorded."""
        return [row for row in self._store.rows() if row["kind"] == "round"]

    @cached_property
    def samples(self) -> dict[str, samples.Samples]:
        """Trial id -> its repetitions with their latencies."""
        records = []
        for row in self.rounds:
            timings = raw.read(self.folder / row["raw"])
            for plain in row["repetitions"]:
                repetition = decode(Repetition, plain)
                times = timings.get(repetition.trial)
                latencies = None if times is None else times.latencies
                services = None if times is None else times.services
                records.append((row["group"], repetition, latencies, services))
        return samples.gather(records)

    @property
    def adaptive(self) -> bool:
        """Whether any group stopped because its intervals looked narrow enough."""
        return any(row["stopped"] == "precision" for row in self.rounds)

    @cached_property
    def lost(self) -> dict[str, dict[str, Any]]:
        """Target -> its row with reason and hint, where the last we know is that it failed."""
        rows = [row for row in self._store.rows() if row["kind"] in ("round", "lost")]
        last = {row["target"]: row for row in rows}
        return {name: row for name, row in last.items() if row["kind"] == "lost"}

    @property
    def complete(self) -> bool:
        """Whether every group has stopped for a reason of its own."""
        done = {row["group"] for row in self.rounds if row["stopped"]}
        return done == {group.index for group in self.plan.groups}

    def stopped_by(self) -> dict[str, str]:
        """Target -> what ended its groups (precision, rounds, budget)."""
        found: dict[str, list[str]] = {}
        for row in self.rounds:
            if row["stopped"]:
                found.setdefault(row["target"], []).append(row["stopped"])
        return {target: ", ".join(sorted(set(why))) for target, why in found.items()}

    def facts(self) -> dict[str, dict[str, Any]]:
        """Target -> what its worker found in the last round."""
        found = {}
        for row in self.rounds:
            found[row["target"]] = self._store.read_json(f"facts/{row['facts']}.json") or {}
        return found

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """All planned trials by id."""
        return {trial.id: trial for trial in self.plan.trials}

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict per trial: every column of the table. Excluded trials come last."""
        return self.evaluate(self.study.slo)

    def evaluate(self, limits: Slo) -> list[dict[str, Any]]:
        """The table's rows under other limits than the study's."""
        rows = [{**dict.fromkeys(COLUMNS), **row} for row in self._measured]
        marks: dict[str, dict[str, Any]] = {}
        # Times of an emulated device are no rivals of real ones.
        kinds = [(_load_of(row), self.targets[row["target"]].emulated) for row in rows]
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
    def _measured(self) -> list[dict[str, Any]]:
        measure = self.study.measure
        ratios = relative.against_baseline(
            self.trials.values(), self.samples, delta=measure.equivalence, adaptive=self.adaptive
        )
        accuracy, facts = self._quality(), self.facts()
        errors = placement.output_errors(self._outputs, self.trials, self.study.targets[0])
        rows = []
        for trial in self.trials.values():
            row = {**_identity(trial), **summary.summarise(
                trial, self.samples.get(trial.id), adaptive=self.adaptive,
                slo_p99_ns=self.study.slo.p99)}  # fmt: skip
            artifact = self.prepared.artifacts.get((trial.model, trial.variant))
            row["file_bytes"] = artifact.bytes if artifact else None
            row.update(ratios.get(trial.id, {}))
            row.update(accuracy.get(trial.id, {}))
            row.update(errors.get(trial.id, {}))
            target = self.targets[trial.target]
            if target.gpu is not None:
                row["copies"] = {"host": "included", "device": "excluded"}[target.gpu.binding]
            if artifact is not None:
                row["advice"] = recipes.advice(artifact.made_by, target, facts.get(target.name, {}))
            row["usd_per_million"] = cost.usd_per_million(row.get("throughput"), target)
            if row["status"] == "pending" and trial.target in self.lost:
                row.update(status="failed", reason=self.lost[trial.target]["reason"])
            rows.append(row)
        for exclusion in self.plan.exclusions:
            reason = exclusion.reason + (f" ({exclusion.hint})" if exclusion.hint else "")
            rows.append({**_identity(exclusion.trial), "status": "excluded", "reason": reason})
        return rows

    @cached_property
    def _outputs(self) -> dict[str, Any]:
        """Trial id -> the output that is evaluated, one row a sample. Empty without labels."""
        evaluation = self.prepared.evaluation
        outputs: dict[str, Any] = {}
        if evaluation is None:
            return outputs
        for trial, taken in self.samples.items():
            for one in taken.taken.values():
                named = one.repetition.outputs
                if named:
                    name = evaluation.output or next(iter(named))
                    if name not in named:
                        raise InputError(
                            f"data.output: the model has no output {name!r}",
                            hint=f"it has {', '.join(named)}",
                        )
                    outputs[trial] = self._array(named[name])
                    break
        return outputs

    def _quality(self) -> dict[str, dict[str, Any]]:
        evaluation = self.prepared.evaluation
        if evaluation is None:
            return {}
        outputs = self._outputs
        baselines = {trial.id: trial.baseline for trial in self.trials.values()}
        labels = self._array(evaluation.labels)
        if evaluation.task == "regression":
            return quality.regression(outputs, baselines, labels, self.study.seed)
        return quality.classification(outputs, baselines, labels, self.study.measure.margin)

    def _array(self, sha: str) -> Any:
        import numpy as np

        path = self.folder / "outputs" / f"{sha}.npy"
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path}: can't be read ({error})") from None

    def majority_share(self) -> float | None:
        """Accuracy of always answering the most frequent class; None without labelled classes."""
        evaluation = self.prepared.evaluation
        if evaluation is None or evaluation.task != "classification":
            return None
        return quality.majority_share(self._array(evaluation.labels))

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

        known = self._known(trial)
        parts = [
            pd.DataFrame({"round": key[1], "latency_ns": taken.latencies})
            for key, taken in self.samples[known].taken.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def _known(self, trial: str) -> str:
        if trial in self.trials:
            return trial
        close = [name for name in self.trials if name.split("@")[0] == trial]
        if len(close) == 1:
            return close[0]
        hint = nearest(trial, self.trials) or f"trials: {', '.join(list(self.trials)[:6])}"
        if close:
            hint = f"which of {', '.join(close)}?"
        raise InputError(f"there is no single trial called {trial!r} here", hint=hint)

    def compare(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Comparison]:
        """p50 of a against b with a verdict, corrected for all pairs asked at once.

        A trial may be named by its id, or by 'model/variant' where that is unambiguous. Raises
        InputError when a pair shares too few rounds.
        """
        known = [(self._known(a), self._known(b)) for a, b in pairs]
        found = relative.compare_pairs(
            known,
            self.samples,
            delta=self.study.measure.equivalence,
            adaptive=self.adaptive,
        )
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
        mine, theirs = self.facts(), other.facts()
        for target in (name for name in mine if name in theirs):
            for name, here, there in across.differing_facts(mine[target], theirs[target]):
                raise ResultsError(
                    f"{self.folder} and {other.folder} don't compare: on {target} {name} is"
                    f" {_short(here)} in one and {_short(there)} in the other",
                    hint="measure both on one machine with the same software",
                )
        shared = [t for t in self.samples if t in other.samples]
        if not shared:
            raise ResultsError(
                f"{self.folder} and {other.folder} have no trial in common",
                hint=f"trials here: {', '.join(list(self.samples)[:3])}",
            )
        references = [g.reference for g in self.plan.groups if g.reference in shared]
        reference = references[0] if references else None
        if reference is not None and self._artifact_of(reference) != other._artifact_of(reference):
            reference = None
        return across.compare_runs(
            self.samples,
            other.samples,
            reference=reference,
            delta=self.study.measure.equivalence,
        )

    def _artifact_of(self, trial: str) -> str | None:
        found = self.trials[trial]
        artifact = self.prepared.artifacts.get((found.model, found.variant))
        return artifact.sha if artifact else None

    def choose(self, *, objective: str | None = None, **limits: str | int | float) -> Choice:
        """One recommendation under limits such as p99="5ms", max_drop="1pp" (default: the SLO)."""
        wanted = self.study.slo if not limits else _limits(limits)
        return self._choose(self._measured, wanted, objective)

    def _choose(
        self, rows: Sequence[Mapping[str, Any]], limits: Slo, objective: str | None = None
    ) -> Choice:
        # Latencies under different loads don't compare: the study's first scenario decides.
        rows = [row for row in rows if row["scenario"] == self.study.scenarios[0].kind]
        real = [row for row in rows if not self.targets[row["target"]].emulated]
        if real:
            rows = real
        available = usable_objectives(rows, (objective or self.study.objectives[0],))
        measured = [t for t in self.trials if t in self.samples and self.samples[t].taken]
        pairs = [(a, b) for i, a in enumerate(measured) for b in measured[i + 1 :]
                 if self.trials[a].target == self.trials[b].target]  # fmt: skip
        compared = relative.compare_pairs(
            pairs, self.samples, delta=self.study.measure.equivalence, adaptive=self.adaptive
        )
        apart = separation(compared)

        def separated(a: str, b: str) -> bool:
            if self.trials[a].target != self.trials[b].target:
                return True
            return apart(a, b)

        return choose(rows, limits, available[0] if available else "p50", separated=separated)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _load_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Trials under the same load compare; batch and concurrency are choices within it."""
    return row["scenario"], row["gap_ns"], row["rate"] if row["scenario"] == "server" else None


def _limits(given: Mapping[str, Any]) -> Slo:
    try:
        return decode(Slo, given)
    except DecodeError as error:
        raise InputError(str(error), hint=error.hint or f"limits: {', '.join(LIMITS)}") from None


def _identity(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.id,
        **{k: v for k, v in encode(trial).items() if k not in ("id", "baseline")},
        "is_baseline": trial.is_baseline,
    }


def load(folder: str | Path) -> Results:
    """Read a results folder."""
    return Results.load(folder)
