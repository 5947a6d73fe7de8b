"""A results folder, read: tables, frontier, comparison and choice, derived from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from profiler.analysis.choice import across, fleet, relative, slo
from profiler.analysis.choice.across import AcrossRuns
from profiler.analysis.choice.choose import Choice
from profiler.analysis.choice.explore import Step
from profiler.analysis.choice.fleet import Fleet
from profiler.analysis.choice.names import find_trial
from profiler.analysis.choice.yardstick import Multiples
from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.trials.reproducibility import Point, card
from profiler.errors import InputError, ResultsError
from profiler.results import prices as given
from profiler.results import wall_meter as meter
from profiler.results.choice import Chooser
from profiler.results.judged import Judged
from profiler.results.opened import Opened
from profiler.results.rows import TrialRows
from profiler.results.stress import Stress
from profiler.schema.columns import COLUMNS, Row
from profiler.schema.study.measure import Slo
from profiler.statistics.pieces import Rows
from profiler.store.blobs import read_array
from profiler.store.folder import Store
from profiler.tasks.task import task_of
from profiler.tasks.verdicts import majority_share
from profiler.units import parse_price, parse_rate
from profiler.wire.codec import nearest

if TYPE_CHECKING:
    import pandas as pd

    from profiler.statistics.ratio import Comparison


class Results(Opened):
    """What a study measured. Use `load` or `run`."""

    def __init__(
        self,
        store: Store,
        *,
        wall_meter: Optional[Path] = None,
        prices: Sequence[str] = (),
        spot: bool = False,
    ) -> None:
        """`wall_meter`: a CSV file with what the user's own meter said, see `wall_meter.read`.
        `prices`: such as 'local-cpu=0.20USD/h', over what targets declare. `spot`: rented machines
        at their spot price, where they have one.

        Raises ResultsError, and InputError for that file and a price.
        """
        super().__init__(store)
        self.spot = spot
        for name, cost in given.read(prices, self.targets).items():
            self.targets[name] = replace(self.targets[name], cost=cost)
        if prices or spot:
            self.derived.assumed = {"prices": sorted(prices), "spot": spot}
        self.joules = {} if wall_meter is None else meter.read(wall_meter, self.trials)
        """trial -> joules a query from the user's own meter"""
        self._judged = Judged(self)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        wall_meter: Optional[Path] = None,
        prices: Sequence[str] = (),
        spot: bool = False,
    ) -> Results:
        """Read a results folder, with what `__init__` takes. Raises ResultsError and InputError."""
        return cls(Store.read(Path(folder)), wall_meter=wall_meter, prices=prices, spot=spot)

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """What was left out, as it can't be read or does not fit: file, key, expected and got."""
        return tuple(self.derived.kept("faults", {}, lambda: [
            *self.record.faults, *self._judged.left_out
        ]))  # fmt: skip

    @cached_property
    def _chooser(self) -> Chooser:
        rows = TrialRows(self, self._judged, self.joules, spot=self.spot)
        return Chooser(self, self._judged, rows)

    @cached_property
    def rows(self) -> list[Row]:
        """One row per trial: every column of the table. Excluded trials come last."""
        return self.evaluate(self.study.slo)

    def evaluate(self, limits: Slo) -> list[Row]:
        """The table's rows under other limits than the study's."""
        return self._chooser.table(limits)

    @property
    def outputs(self) -> dict[str, Rows]:
        """Trial id -> its predictions: evaluation rows, then confirmation rows."""
        return self._judged.outputs

    @property
    def stress(self) -> Stress:
        """Extra loss on perturbed rows, and what the failure probes brought."""
        return self._judged.stress

    @property
    def accuracy(self) -> Accuracy:
        """What is known of the predictions on the evaluation rows: metrics, damage, flips."""
        return self._judged.accuracy

    @property
    def confirmation(self) -> Accuracy | None:
        """The same on the rows kept apart; None without such rows."""
        return self._judged.confirmation

    def confirmed(self, trial: str) -> Row | None:
        """Accuracy columns of one trial on the confirmation rows; None without them.

        The best of many variants looks better on the rows that chose it than it is; these rows
        had no part in the choice.
        """
        if self.confirmation is None:
            return None
        return self._judged.confirmed.get(find_trial(trial, self.trials))

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
        found = relative.compare_pairs(
            known, self.typical, delta=self.study.measure.equivalence, adaptive=self.adaptive,
            speeds=self.speeds,
        )  # fmt: skip
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
            multiples=self._multiples_like(other),
            adaptive=self.adaptive or other.adaptive,
            delta=self.study.measure.equivalence,
        )

    def _multiples_like(self, other: Results) -> tuple[Multiples, Multiples]:
        """Of either folder, where both were measured beside the same yardstick."""
        own, theirs = self.prepared.yardstick, other.prepared.yardstick
        if own is None or theirs is None or own.artifact.sha != theirs.artifact.sha:
            return {}, {}
        return self.multiples, other.multiples

    def _artifact_of(self, trial: str) -> str | None:
        found = self.trials[trial]
        artifact = self.prepared.artifacts.get((found.model, found.variant))
        return artifact.sha if artifact else None

    def choose(
        self,
        *,
        objective: str | None = None,
        targets: Sequence[str] = (),
        **limits: str | int | float,
    ) -> Choice:
        """One recommendation under limits such as p99="5ms", max_drop="1pp" (default: the SLO),
        among the trials on `targets` (default: on all)."""
        return self._chooser.choose(self._limits(limits), objective, self._known(targets))

    def explore(
        self,
        *,
        objective: str | None = None,
        targets: Sequence[str] = (),
        **limits: str | int | float,
    ) -> list[Step]:
        """What would win under looser limits; limits and targets as of `choose`."""
        return self._chooser.explore(self._limits(limits), objective, self._known(targets))

    def fleet(
        self,
        load: str,
        *,
        budget: str | None = None,
        targets: Sequence[str] = (),
        **limits: str | int | float,
    ) -> Fleet:
        """Machines of which kind, with which variant, serve a load such as '500/s', and what they
        cost a month; limits and targets as of `choose`. Raises InputError."""
        wanted, among = self._limits(limits), self._known(targets)
        try:
            rate = parse_rate(load)
            amount = None if budget is None else parse_price(budget, "month")
        except ValueError as error:
            raise InputError(str(error)) from None
        rows = self._chooser.rivals(wanted, among)
        costs = {name: target.cost for name, target in self.targets.items() if target.cost}
        return fleet.plan(rows, wanted, costs, rate, budget=amount, spot=self.spot)

    def _limits(self, given: Mapping[str, str | int | float]) -> Slo:
        own = self.study.own_metric
        return slo.parse_limits(given, own_metric=own) if given else self.study.slo

    def _known(self, targets: Sequence[str]) -> tuple[str, ...]:
        for name in targets:
            if name not in self.targets:
                hint = nearest(name, self.targets) or f"targets: {', '.join(self.targets)}"
                raise InputError(f"no target is called {name!r}", hint=hint)
        return tuple(targets)


load = Results.load
