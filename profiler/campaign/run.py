"""A study from beginning to end: prepare, plan, measure in rounds, record.

A resumed campaign is plan minus store: the same call on the same folder goes on from the last
whole round.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Optional

import profiler
from profiler.analysis.choice import across
from profiler.campaign import arrivals, fingerprint, own_metric
from profiler.campaign import stress as visit
from profiler.campaign.group import GroupState, rounds_of
from profiler.campaign.input_hashes import input_hashes
from profiler.campaign.prepare import prepare
from profiler.devices.facts import find_facts, study_targets, unavailable
from profiler.devices.fleet import Fleet
from profiler.devices.jobs import make_job, make_yardstick
from profiler.devices.session import Session, open_session
from profiler.errors import (
    InputError,
    Interrupted,
    ProfilerError,
    UnlikeError,
)
from profiler.places import cache_folder
from profiler.planning import Known, go_on, make_plan, recipes
from profiler.planning.loadable import Format
from profiler.planning.yardstick import due
from profiler.progress import Progress, Silent
from profiler.results.results import Results
from profiler.schema.device.target import Target
from profiler.schema.record import shareable
from profiler.schema.record.plan import Plan
from profiler.schema.record.recorded import Entry, Lost, Round
from profiler.schema.study.identity import study_hash
from profiler.schema.study.study import Study
from profiler.schema.study.variant import AUTO
from profiler.store import metric_file, reading, record
from profiler.store import timings as raw
from profiler.store.folder import PLAN, Store
from profiler.store.prepared import Prepared
from profiler.units import counted
from profiler.wire.codec import encode
from profiler.wire.messages import Job, Repetition, RoundRequest


def run(
    study: Study | str | Path,
    output: str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> Results:
    """Measure a study, or go on with it. Returns its results.

    `output` is the results folder; default `results/<study name>` in the working folder. Raises
    the errors of `profiler.errors`; on Ctrl-C `Interrupted`, with everything recorded kept.
    """
    if not isinstance(study, Study):
        study = Study.read(study)
    folder = Path(output) if output is not None else Path("results") / study.name
    campaign = Campaign(study, folder, progress or Silent())
    try:
        campaign.run()
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped; everything measured so far is kept",
            hint=f"the same command goes on from there (results in {folder})",
        ) from None
    finally:
        campaign.close()
    return Results.load(folder)


class Campaign:
    """One run of a study in one results folder."""

    def __init__(self, study: Study, folder: Path, progress: Progress) -> None:
        self.study, self.progress = study, progress
        self._load = os.getloadavg()[0]
        """of this machine in the minute before"""
        self.targets = {t.name: t for t in study_targets(study)}
        self.store = Store.open(folder, self._meta())
        self.store.hidden = shareable.hidden(self.targets.values(), study.folder, folder)
        self._recording = threading.Lock()
        self._lanes: dict[str, Progress] = {}
        self._rows: list[Entry] = []
        """everything on record"""
        self._facts: dict[str, str] = {}
        """target -> name of the facts that its last recorded round was measured under"""

    def close(self) -> None:
        """Release the results folder."""
        self.store.close()

    def _meta(self) -> dict[str, Any]:
        study, targets = self.study, tuple(self.targets.values())
        inputs = input_hashes(study)
        asked = study_hash(study, tuple(replace(target, ssh=None) for target in targets))
        digest = hashlib.sha256((asked + repr(inputs)).encode()).hexdigest()
        return {
            "profiler": profiler.__version__,
            "study_hash": digest,
            "study": shareable.study(study),
            "targets": [shareable.target(target) for target in targets],
            "inputs": shareable.files(inputs),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprint": fingerprint.take(study.folder),
        }

    def run(self) -> None:
        """Everything that is still to do."""
        if self._planned() is not None:
            before = Results(self.store)
            record.refuse_damaged(before.faults, self.store.folder)
            self._rows = before.record.rows
        self._facts = {row.target: row.facts for row in self._rows if isinstance(row, Round)}
        if any(v.recipe == AUTO for v in self.study.every_variant):
            self.progress.stage("asking the targets what they are")
            found = find_facts(tuple(self.targets.values()), self.progress)
            self.study = recipes.resolve(self.study, self.targets, found)
        prepared = prepare(self.study, self.store, cache_folder() / "variants", self.progress)
        self.study = prepared.named(self.study)
        visit.check(self.study, prepared, self.store.folder)
        self.progress.stage(f"connecting to {', '.join(self.targets)}")
        with Fleet(self.targets, self._open) as fleet:
            for name, session in list(fleet.sessions.items()):
                if self._to_do(name) and (unlike := self._unlike(name, session)):
                    fleet.refuse(name, unlike)
            if fleet.lost and not fleet.sessions:
                raise next(iter(fleet.lost.values()))
            for name, error in fleet.missing.items():
                self.progress.note(f"{name}: {error.message}")
            missing = {name: unavailable(error) for name, error in fleet.missing.items()}
            plan = self._plan(prepared, {**fleet.facts(), **missing})
            self.store.write_json(PLAN, encode(plan))
            if not plan.groups:
                first = plan.exclusions[0]
                raise InputError(
                    f"nothing to measure: every trial is excluded, e.g. {first.trial.id}:"
                    f" {first.reason}",
                    hint=first.hint,
                )
            self._record_lost(fleet, plan)
            reached = set(fleet.lost)
            fleet.run(lambda name, session: self._visit(name, session, plan, prepared))
            self._record_lost(fleet, plan, known=reached)
            left = set(fleet.lost)  # stress begins when nothing is timed any more, on no target
            if self.study.stress is not None:
                fleet.run(lambda n, s: None if n in left else self._stress(n, s, plan, prepared))
                for name in set(fleet.lost) - left:
                    self._lost(name, fleet.lost[name], during="stress")
        if self.study.data is not None and self.study.data.metric is not None:
            self.progress.stage(f"judging by {self.study.data.metric}")
            results = Results(self.store)
            parts = {"evaluation": results.accuracy, "confirmation": results.confirmation}
            self.store.write_json(
                metric_file.RECORD,
                {n: own_metric.judge(self.study, p) for n, p in parts.items() if p is not None},
            )

    def _to_do(self, name: str) -> bool:
        """Whether a target of a folder that is gone on with may get another row."""
        plan = self._planned()
        return plan is not None and (
            self.study.stress is not None or not self._all_stopped(name, plan)
        )

    def _all_stopped(self, name: str, plan: Plan) -> bool:
        """Whether every group of a target is measured."""
        rounds = rounds_of(self._rows, name)
        return all(
            GroupState(group, self.study, self.store.folder, rounds[group.index]).stopped
            for group in plan.groups
            if group.target == name
        )

    def _planned(self) -> Optional[Plan]:
        """What an earlier run planned here."""
        plan = self.store.read_json(PLAN)
        return None if plan is None else reading.decoded(Plan, plan, self.store.folder / PLAN)

    def _unlike(self, name: str, session: Session) -> Optional[UnlikeError]:
        """Why another round of this target can't stand beside those that are recorded."""
        if name not in self._facts:
            return None
        before = self.store.facts(self._facts[name])
        for fact, there, here in across.differing_facts(before, session.facts, merging=True):
            return UnlikeError(
                f"{name}: {fact} is {across.short(here)} now, {across.short(there)} in the rounds"
                f" recorded in {self.store.folder}; unlike rounds are not merged",
                hint="keep both: add --output NEW_FOLDER; to go on here, make it as it was",
            )
        return None

    def _lane(self, name: str) -> Progress:
        if len(self.targets) == 1:
            return self.progress
        with self._recording:
            if name not in self._lanes:
                self._lanes[name] = self.progress.lane(name)
            return self._lanes[name]

    def _open(self, target: Target) -> Session:
        def tell(text: str, done: float, left_s: float) -> None:
            self._lane(target.name).update(text, done, left_s)

        return open_session(target, self.progress.stage, tell)

    def _told(self, target: Target, session: Session) -> dict[str, Any]:
        """The facts of a target; the load of this machine before we began: what came since was our
        own work."""
        ours = target.transport == "local" and session.facts.get("load_1min") is not None
        return {**session.facts, "load_1min": self._load} if ours else session.facts

    def _visit(self, name: str, session: Session, plan: Plan, prepared: Prepared) -> None:
        """All groups of one target, one after the other."""
        progress, rounds = self._lane(name), rounds_of(tuple(self._rows), name)
        awaited = arrivals.Awaited.of(self.study.data, prepared.evaluation, self.store.folder)
        for group in plan.groups:
            if group.target == name:
                state = GroupState(group, self.study, self.store.folder, rounds[group.index])
                self._measure(state, prepared, awaited, session, progress)

    def _stress(self, name: str, session: Session, plan: Plan, prepared: Prepared) -> None:
        target, trials = self.targets[name], visit.measured(plan, name, tuple(self._rows))
        if target.backend == "null" or not trials:
            return
        jobs = {t.id: make_job(t, target, prepared, self.study) for t in trials}
        visit.Visit(
            session, jobs, trials, study=self.study, prepared=prepared, store=self.store,
            rows=tuple(self._rows), append=self._append, progress=self._lane(name),
        ).run()  # fmt: skip

    def _record_lost(self, fleet: Fleet, plan: Plan, known: Collection[str] = ()) -> None:
        """A target that left is a row with the reason, until a round of it is recorded again."""
        for name, error in fleet.lost.items():
            if name not in known and not self._all_stopped(name, plan):
                self._lost(name, error)

    def _lost(self, name: str, error: ProfilerError, during: str = "measuring") -> None:
        self.progress.note(f"{name}: {error.message}")
        reason, hint = error.recorded()
        self._append(Lost(target=name, reason=reason, hint=hint, during=during))

    def _plan(self, prepared: Prepared, facts: dict[str, dict[str, Any]]) -> Plan:
        known = Known(
            facts=facts,
            fixed_batch=prepared.fixed_batch,
            failed_variants=prepared.failed,
            formats={key: Format(a.ir_version, a.opset) for key, a in prepared.artifacts.items()},
            symbolic=prepared.symbolic,
            yardstick=prepared.yardstick is not None,
        )
        sizes = {key: artifact.bytes for key, artifact in prepared.artifacts.items()}
        plan = make_plan(self.study, tuple(self.targets.values()), known, sizes)
        before = self._planned()
        return plan if before is None else go_on(plan, before, set(self._facts))

    def _measure(
        self,
        state: GroupState,
        prepared: Prepared,
        awaited: arrivals.Awaited,
        session: Session,
        progress: Progress,
    ) -> None:
        if state.stopped:
            return
        group = state.group
        target = self.targets[group.target]
        jobs = {t.id: make_job(t, target, prepared, self.study) for t in group.trials}
        yardstick = make_yardstick(group.yardstick, jobs.values(), prepared)
        files: dict[Path, str] = {}
        if target.backend != "null":
            beside = [] if yardstick is None else [yardstick]
            files = prepared.files(self.store.folder, [*jobs.values(), *beside])
        title = f"{group.target}: {counted(len(group.trials), 'trial')}"
        progress.group(title, state.budget_s, state.spent_s)
        while not state.stopped:
            active = tuple(jobs[t] for t in state.active())
            request = self._request(state, active, prepared)
            open_limits = state.about_limits
            repetitions, timings, elapsed_s = session.steady(
                partial(self._round, session, files, request, awaited,
                        lambda e: state.tell(progress, e)),
                progress.note,
            )  # fmt: skip
            if unlike := self._unlike(group.target, session):  # reconnected to something else
                raise unlike
            blocks = {r.trial: (r.blocks, timings[r.trial]) for r in repetitions
                      if r.trial in timings}  # fmt: skip
            name = f"g{group.index}-r{request.round:04d}.parquet"
            raw.write(self.store.folder / "raw" / name, blocks)
            reason = state.add(repetitions, timings, elapsed_s)
            with self._recording:
                facts = self.store.add_facts(self._told(target, session))
            self._append(
                Round(
                    study_hash=self.store.meta()["study_hash"],
                    group=group.index,
                    target=group.target,
                    round=request.round,
                    seed=request.seed,
                    facts=facts,
                    worker=session.facts["worker"],
                    artifacts={j.trial: j.artifact for j in request.every_job},
                    elapsed_s=elapsed_s,
                    raw=f"raw/{name}",
                    stopped=reason,
                    open_limits=open_limits,
                    repetitions=repetitions,
                )
            )
            for repetition in repetitions:
                if repetition.status != "ok" and repetition.trial != group.yardstick:
                    progress.note(f"{repetition.trial}: {repetition.reason}")

    def _append(self, row: Entry) -> None:
        with self._recording:
            self.store.append(encode(row))
            self._rows.append(row)
            if isinstance(row, Round):
                self._facts[row.target] = row.facts

    def _round(
        self,
        session: Session,
        files: dict[Path, str],
        request: RoundRequest,
        awaited: arrivals.Awaited,
        event: Callable[[dict[str, Any]], None],
    ) -> tuple[tuple[Repetition, ...], dict[str, raw.Timings], float]:
        """One round with all it needs and all it made; done anew as a whole after a broken link.

        The time while another run measured on the device is no part of what it took.
        """
        session.stage(files, files)
        waited_s = 0.0

        def tell(said: dict[str, Any]) -> None:
            nonlocal waited_s
            if "waited_s" in said:
                waited_s += said["waited_s"]
            else:
                event(said)

        start = time.monotonic()
        repetitions = session.round(request, tell)
        timings = arrivals.of_round(session, self.store.folder, repetitions, awaited)
        return repetitions, timings, max(0.0, time.monotonic() - start - waited_s)

    def _request(
        self, state: GroupState, jobs: tuple[Job, ...], prepared: Prepared
    ) -> RoundRequest:
        measure = self.study.measure
        group = state.group
        text = f"{self.study.seed}/{group.index}/{state.next_round}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        wanted = () if prepared.evaluation is None else tuple(state.unpredicted())
        return RoundRequest(
            jobs=jobs,
            round=state.next_round,
            seed=seed,
            block_ns=measure.block_time,
            measure_ns=state.round_time_ns(),
            query_timeout_ns=measure.query_timeout,
            predict=wanted,
            yardstick=make_yardstick(group.yardstick, jobs, prepared)
            if due(state.next_round, len(jobs))
            else None,
        )
