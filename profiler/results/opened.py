"""A results folder, opened: what was asked, planned, made and recorded."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from profiler.analysis.choice import relative, stopped, yardstick
from profiler.analysis.trials import samples, speeds
from profiler.results.derived import Derived
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.record.recorded import Lost, Round
from profiler.schema.study.study import Study
from profiler.store import reading, record
from profiler.store.folder import META, Store
from profiler.store.prepared import Prepared


class Opened:
    """What a folder says, each file read once, when it is first asked for."""

    def __init__(self, store: Store) -> None:
        """Raises ResultsError for a folder without a study, plan or artifacts that fit."""
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
        self.prepared: Prepared = record.prepared(store, self.study)

    @cached_property
    def record(self) -> record.Record:
        """What is recorded, as far as it can be read."""
        return record.read(self._store, self.plan, self.prepared, self.meta["study_hash"])

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
    def followed(self) -> set[str]:
        """Trials that were measured on because a limit on their latency was open."""
        aside = {group.index: (group.reference, group.yardstick) for group in self.plan.groups}
        return {
            one.trial
            for row in self.rounds
            if row.open_limits
            for one in row.repetitions
            if one.trial not in aside[row.group]
        }

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
    def multiples(self) -> yardstick.Multiples:
        """Trial -> round -> multiple of the yardstick; of those that were measured beside one."""
        return yardstick.multiples(
            self.plan.trials, self.samples, self.record.yardsticks, self.typical
        )

    @cached_property
    def speeds(self) -> speeds.Speeds:
        """The two speeds of a machine, where its trials show two."""
        beside = self.record.yardsticks.values()
        return speeds.of_samples(self.samples, self.trials, beside)

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """All planned trials by id."""
        return {trial.id: trial for trial in self.plan.trials}
