"""A study from beginning to end: prepare, plan, measure in rounds, record.

A resumed campaign is plan minus store: the same call on the same folder goes on from the last
whole round.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Optional

import profiler
from profiler import fingerprint, raw
from profiler.analysis.converge import Convergence
from profiler.errors import EnvironmentMissing, InputError, Interrupted, ProfilerError
from profiler.fleet import Fleet
from profiler.jobs import make_job
from profiler.planning import Known, go_on, make_plan, recipes
from profiler.prepare import Prepared, input_hashes, prepare
from profiler.progress import Progress, Silent
from profiler.results import Results
from profiler.schema.codec import decode, encode
from profiler.schema.files import find_target, study_hash
from profiler.schema.plan import Group, Plan
from profiler.schema.study import Study
from profiler.schema.target import Target, shareable
from profiler.schema.variant import AUTO
from profiler.schema.wire import Job, Repetition, RoundRequest
from profiler.session import Session, open_session
from profiler.store import Store
from profiler.stress import visit
from profiler.transport.local import cache_folder

STABLE = ("error",)
"""Reasons which trying again can't mend."""
FAILURES_ALLOWED = 2


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


def find_facts(targets: tuple[Target, ...]) -> dict[str, dict[str, Any]]:
    """Target -> what its worker found. Measures nothing."""
    found = {}
    for target in targets:
        try:
            with open_session(target) as session:
                found[target.name] = session.facts
        except EnvironmentMissing as error:
            found[target.name] = unavailable(error)
    return found


def unavailable(error: EnvironmentMissing) -> dict[str, Any]:
    """Facts of a target whose packages can't be had: its trials are excluded with this reason."""
    return {"unavailable": error.message, "unavailable_hint": error.hint}


def study_targets(study: Study) -> tuple[Target, ...]:
    """The targets a study names."""
    return tuple(find_target(name, study.folder) for name in study.targets)


class Campaign:
    """One run of a study in one results folder."""

    def __init__(self, study: Study, folder: Path, progress: Progress) -> None:
        self.study, self.progress = study, progress
        self.targets = {t.name: t for t in study_targets(study)}
        self.store = Store.open(folder, self._meta())
        self._recording = threading.Lock()

    def close(self) -> None:
        """Release the results folder."""
        self.store.close()

    def _meta(self) -> dict[str, Any]:
        study, targets = self.study, tuple(map(shareable, self.targets.values()))
        inputs = input_hashes(study)
        digest = hashlib.sha256((study_hash(study, targets) + repr(inputs)).encode()).hexdigest()
        return {
            "profiler": profiler.__version__,
            "study_hash": digest,
            "study": encode(study),
            "targets": encode(targets),
            "inputs": inputs,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "fingerprint": fingerprint.take(study.folder),
        }

    def run(self) -> None:
        """Everything that is still to do."""
        if any(v.recipe == AUTO for v in self.study.every_variant):
            self.progress.stage("asking the targets what they are")
            found = find_facts(tuple(self.targets.values()))
            self.study = recipes.resolve(self.study, self.targets, found)
        prepared = prepare(self.study, self.store, cache_folder() / "variants", self.progress)
        visit.check(self.study, prepared, self.store.folder)
        self.progress.stage(f"connecting to {', '.join(self.targets)}")
        with Fleet(self.targets, lambda t: open_session(t, self.progress.stage)) as fleet:
            if fleet.lost and not fleet.sessions:
                raise next(iter(fleet.lost.values()))
            for name, error in fleet.missing.items():
                self.progress.note(f"{name}: {error.message}")
            missing = {name: unavailable(error) for name, error in fleet.missing.items()}
            plan = self._plan(prepared, {**fleet.facts(), **missing})
            self.store.write_json("plan.json", encode(plan))
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
                    self._lost(name, fleet.lost[name])

    def _lane(self, name: str) -> Progress:
        return self.progress.lane(name) if len(self.targets) > 1 else self.progress

    def _visit(self, name: str, session: Session, plan: Plan, prepared: Prepared) -> None:
        """All groups of one target, one after the other."""
        progress = self._lane(name)
        for group in plan.groups:
            if group.target == name:
                self._measure(group, prepared, session, progress)

    def _stress(self, name: str, session: Session, plan: Plan, prepared: Prepared) -> None:
        target, trials = self.targets[name], visit.measured(plan, name, self.store)
        if target.backend == "null" or not trials:
            return
        jobs = {t.id: make_job(t, target, prepared, self.study) for t in trials}
        visit.Visit(
            session, jobs, trials, study=self.study, prepared=prepared, store=self.store,
            append=self._append, progress=self._lane(name),
        ).run()  # fmt: skip

    def _record_lost(self, fleet: Fleet, plan: Plan, known: Collection[str] = ()) -> None:
        """A target that left is a row with the reason, until a round of it is recorded again."""
        for name, error in fleet.lost.items():
            if name in known or all(
                GroupState(group, self.study, self.store).stopped
                for group in plan.groups if group.target == name
            ):  # fmt: skip
                continue
            self._lost(name, error)

    def _lost(self, name: str, error: ProfilerError) -> None:
        self.progress.note(f"{name}: {error.message}")
        self._append({"kind": "lost", "target": name, "reason": error.message, "hint": error.hint})

    def _plan(self, prepared: Prepared, facts: dict[str, dict[str, Any]]) -> Plan:
        known = Known(
            facts=facts, fixed_batch=prepared.fixed_batch, failed_variants=prepared.failed
        )
        sizes = {key: artifact.bytes for key, artifact in prepared.artifacts.items()}
        plan = make_plan(self.study, tuple(self.targets.values()), known, sizes)
        before = self.store.read_json("plan.json")
        begun = {row["target"] for row in self.store.rows() if row["kind"] == "round"}
        return plan if before is None else go_on(plan, decode(Plan, before), begun)

    def _measure(
        self, group: Group, prepared: Prepared, session: Session, progress: Progress
    ) -> None:
        state = GroupState(group, self.study, self.store)
        if state.stopped:
            return
        target = self.targets[group.target]
        jobs = {t.id: make_job(t, target, prepared, self.study) for t in group.trials}
        files: list[Path] = []
        if target.backend != "null":
            files = prepared.files(self.store.folder, jobs.values())
        title = f"{group.target}: {len(group.trials)} trials"
        progress.group(title, state.budget_s, state.spent_s)
        while not state.stopped:
            active = tuple(jobs[t] for t in state.active())
            request = self._request(state, active, prepared)
            repetitions, timings, elapsed_s = session.steady(
                partial(self._round, session, group.target, files, request,
                        lambda e: state.tell(progress, e)),
                progress.note,
            )  # fmt: skip
            blocks = {r.trial: (r.blocks, timings[r.trial]) for r in repetitions
                      if r.trial in timings}  # fmt: skip
            name = f"g{group.index}-r{request.round:04d}.parquet"
            raw.write(self.store.folder / "raw" / name, blocks)
            reason = state.add(repetitions, timings, elapsed_s)
            with self._recording:
                facts = self.store.add_facts(session.facts)
            self._append(
                {
                    "kind": "round",
                    "study_hash": self.store.meta()["study_hash"],
                    "group": group.index,
                    "target": group.target,
                    "round": request.round,
                    "seed": request.seed,
                    "facts": facts,
                    "worker": session.facts["worker"],
                    "artifacts": {j.trial: j.artifact for j in active},
                    "elapsed_s": elapsed_s,
                    "raw": f"raw/{name}",
                    "stopped": reason,
                    "repetitions": encode(repetitions),
                }
            )
            for repetition in repetitions:
                if repetition.status != "ok":
                    progress.note(f"{repetition.trial}: {repetition.reason}")

    def _append(self, row: dict[str, Any]) -> None:
        with self._recording:
            self.store.append(row)

    def _round(
        self,
        session: Session,
        target: str,
        files: list[Path],
        request: RoundRequest,
        event: Callable[[dict[str, Any]], None],
    ) -> tuple[tuple[Repetition, ...], dict[str, raw.Timings], float]:
        """One round with all it needs and all it made; done anew as a whole after a broken link."""
        session.stage(files)
        start = time.monotonic()
        repetitions = session.round(request, event)
        timings = self._fetch(session, target, repetitions)
        return repetitions, timings, time.monotonic() - start

    def _request(
        self, state: GroupState, jobs: tuple[Job, ...], prepared: Prepared
    ) -> RoundRequest:
        measure = self.study.measure
        text = f"{self.study.seed}/{state.group.index}/{state.next_round}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        wanted = () if prepared.evaluation is None else tuple(state.unpredicted())
        return RoundRequest(
            jobs=jobs,
            round=state.next_round,
            seed=seed,
            block_ns=measure.block_time,
            measure_ns=measure.round_time,
            query_timeout_ns=measure.query_timeout,
            predict=wanted,
        )

    def _fetch(
        self, session: Session, target: str, repetitions: tuple[Repetition, ...]
    ) -> dict[str, raw.Timings]:
        """Timings of the good repetitions; predictions go into the store by content."""
        import numpy as np

        place = self.store.folder / "raw" / f"incoming-{target}"

        def numbers(sha: str) -> Any:
            session.fetch(sha, place)
            found = np.fromfile(place, dtype="<i8")
            place.unlink()
            return found

        timings = {}
        for repetition in repetitions:
            if repetition.latencies is not None:
                timings[repetition.trial] = raw.Timings(
                    latencies=numbers(repetition.latencies),
                    services=numbers(repetition.services) if repetition.services else None,
                )
            for sha in repetition.outputs.values():
                path = self.store.folder / "outputs" / f"{sha}.npy"
                if not path.exists():
                    session.fetch(sha, place)
                    place.replace(path)
        return timings


class GroupState:
    """How far a group is: what is recorded, who still runs, whether it is precise enough."""

    def __init__(self, group: Group, study: Study, store: Store) -> None:
        self.group, self.measure = group, study.measure
        self.budget_s = study.measure.budget / 1e9
        self.spent_s = 0.0
        self.next_round = 0
        self.stopped: Optional[str] = None
        self._failures: dict[str, list[str]] = {}
        self._predicted: set[str] = set()
        self._convergence = Convergence(group, study.measure.precision)
        self._widest: Optional[float] = None
        for row in store.rows():
            if row["kind"] == "round" and row["group"] == group.index:
                repetitions = tuple(decode(Repetition, r) for r in row["repetitions"])
                timings = raw.read(store.folder / row["raw"])
                self.add(repetitions, timings, row["elapsed_s"])

    def active(self) -> list[str]:
        """Trials of the next round, in the plan's order."""
        return [t.id for t in self.group.trials if not self._given_up(t.id)]

    def _given_up(self, trial: str) -> bool:
        reasons = self._failures.get(trial, [])
        return len(reasons) >= FAILURES_ALLOWED or any(r in STABLE for r in reasons)

    def unpredicted(self) -> list[str]:
        """Trials whose predictions are still wanted."""
        return [t for t in self.active() if t not in self._predicted]

    def add(
        self,
        repetitions: tuple[Repetition, ...],
        timings: Mapping[str, raw.Timings],
        elapsed_s: float,
    ) -> Optional[str]:
        """Take in a round; returns why the group stops now, or None."""
        for repetition in repetitions:
            if repetition.status == "ok":
                self._convergence.add(repetition, timings[repetition.trial].latencies)
                if repetition.outputs:
                    self._predicted.add(repetition.trial)
            else:
                self._failures.setdefault(repetition.trial, []).append(repetition.reason or "")
        self.next_round = repetitions[0].round + 1
        self.spent_s += elapsed_s
        # Once a round, not for every event: the host shares its cores with what it times.
        self._widest = self._convergence.widest()
        self.stopped = self._stop()
        return self.stopped

    def _stop(self) -> Optional[str]:
        if not self.active():
            return "every trial failed"
        if self.next_round < self.measure.min_rounds:
            return None
        if self._convergence.reached(self.active()):
            return "precision"
        if self.next_round >= self.measure.max_rounds:
            return "rounds"
        each_s = self.spent_s / self.next_round
        return "budget" if self.spent_s + each_s > self.budget_s else None

    def tell(self, progress: Progress, event: dict[str, Any]) -> None:
        """Translate a worker's event into a share of the group's budget."""
        weights = {"load": (0.0, 0.35), "measure": (0.35, 0.6), "predict": (0.95, 0.05)}
        start, span = weights[event["stage"]]
        in_round = start + span * event["done"] / max(1, event["of"])
        if self.next_round:
            each_s = self.spent_s / self.next_round
            most = max(self.measure.min_rounds, min(self.measure.max_rounds,
                       int(self.budget_s // max(each_s, 1e-9))))  # fmt: skip
            left_s = max(0.0, (most - self.next_round - in_round) * each_s)
        else:
            most, left_s = self.measure.min_rounds, self.budget_s
        done = min(1.0, (self.next_round + in_round) / most)
        half = self._widest
        width = f", ±{half * 100:.1f} %" if half is not None else ""
        progress.update(f"round {self.next_round + 1}{width}", done, left_s)
