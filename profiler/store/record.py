"""What a results folder's rows say, with the files that they name.

A row that can't be read, or that does not fit the plan and the files beside it, is left out and
listed; what is left stands. So a damaged folder shows what it still holds, and says what is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from profiler.analysis.trials.samples import Samples, gather
from profiler.errors import ResultsError
from profiler.schema.device import replies
from profiler.schema.record.plan import Plan, Trial, yardstick_of
from profiler.schema.record.recorded import KINDS, Entry, Probe, Round, Stressed
from profiler.schema.study.study import Study
from profiler.store import reading, timings
from profiler.store.folder import ARTIFACTS, PLAN, ROWS, Store
from profiler.store.prepared import Prepared, recall
from profiler.wire.codec import DecodeError, decode, show
from profiler.wire.hashes import sha_of
from profiler.wire.messages import Repetition


@dataclass(slots=True, kw_only=True)
class Record:
    """All rows that can be read, in the order of writing."""

    rows: list[Entry] = field(default_factory=list)
    """each checked"""
    samples: dict[str, Samples] = field(default_factory=dict)
    """trial -> its repetitions with their latencies"""
    yardsticks: dict[str, Samples] = field(default_factory=dict)
    """target -> those of its yardstick"""
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """target -> what its worker found in the last round"""
    faults: list[str] = field(default_factory=list)
    """what was left out, e.g. 'rows.jsonl: line 3: group: expected a whole number, got "x"'"""


def read(store: Store, plan: Plan, prepared: Prepared, study_hash: str) -> Record:
    """Everything on record. Raises ResultsError where no round can be read, though some were."""
    record, reader = Record(), _Reader(store, plan, prepared, study_hash)
    taken: list[tuple[int, Repetition, timings.Timings | None]] = []
    for line in store.lines():
        where = f"{ROWS}: line {line.number}"
        try:
            row = reader.row(line.held())
            if isinstance(row, Round):
                timings, facts = reader.timings(row), reader.facts(row.facts)
                record.facts[row.target] = facts
                taken += [(row.group, one, timings.get(one.trial)) for one in row.repetitions]
            reader.count(row, line)
            record.rows.append(row)
        except DecodeError as error:
            record.faults.append(reading.told(error, where).message)
        except ResultsError as error:
            record.faults.append(f"{where}: {error.message.removeprefix(f'{store.folder}/')}")
    if not taken:
        refuse_damaged(record.faults, store.folder)
    record.samples = gather(
        (group, one, None, None) if times is None else (group, one, times.latencies, times.services)
        for group, one, times in taken
    )
    for target in {group.target for group in plan.groups}:
        if (beside := record.samples.pop(yardstick_of(target), None)) is not None:
            record.yardsticks[target] = beside
    return record


def planned(store: Store, study: Study, targets: Collection[str]) -> Plan:
    """The plan, checked against itself and the targets of meta.json. Raises ResultsError."""
    where = store.folder / PLAN
    held = store.read_json(PLAN)
    if held is None:
        raise ResultsError(
            f"{store.folder}: nothing was measured yet", hint="give the `run` command again"
        )
    plan = reading.decoded(Plan, held, where)
    try:
        _check_plan(plan, study, targets)
    except DecodeError as error:
        raise reading.told(error, where) from None
    return plan


def prepared(store: Store, study: Study) -> Prepared:
    """What was made from what, checked against the study of meta.json. Raises ResultsError."""
    held, where = store.read_json(ARTIFACTS), store.folder / ARTIFACTS
    if held is None:
        raise ResultsError(f"{where}: is missing", hint=reading.DAMAGED)
    found = recall(held, where)
    task = None if study.data is None else study.data.task
    told = None if found.evaluation is None else found.evaluation.task
    if task != told:
        text = f"{where}: evaluation.task: expected {show(task)} of meta.json, got {show(told)}"
        raise ResultsError(text, hint=reading.DAMAGED)
    return found


def wrong_files(folder: Path, prepared: Prepared) -> list[str]:
    """Models, weights and queries that are gone or not what was measured, a line each.

    All are read in full. No number is derived from them, but explaining and going on need them.
    """
    wanted: dict[str, str] = {}
    for made in prepared.every_artifact:
        wanted[made.path] = made.sha
        wanted |= {str(PurePosixPath(made.path).with_name(sha)): sha for sha in made.data}
    beside = [] if prepared.yardstick is None else [prepared.yardstick.inputs]
    for queries in (*prepared.inputs.values(), *beside):
        wanted |= {f"outputs/{sha}.npy": sha for sha in queries.values()}
    told = []
    for name, sha in wanted.items():
        try:
            found = sha_of(reading.regular(folder, name))
        except FileNotFoundError:
            told.append(f"{name}: is missing")
        except ResultsError as error:
            told.append(error.message.removeprefix(f"{folder}/"))
        except OSError as error:
            told.append(f"{name}: can't be read ({error.strerror})")
        else:
            if found != sha:
                told.append(f"{name}: expected content with the hash {sha}, found {found}")
    return told


def _check_plan(plan: Plan, study: Study, targets: Collection[str]) -> None:
    for name in study.targets:
        if name not in targets:
            raise DecodeError("groups", f"targets of meta.json, which lacks {show(name)}", name)
    known = {t.id: t for t in (*plan.trials, *(e.trial for e in plan.exclusions))}
    indices: set[int] = set()
    for number, group in enumerate(plan.groups):
        path = f"groups[{number}]"
        if group.index in indices or group.index < 0:
            raise DecodeError(f"{path}.index", "a number of its own from 0", group.index)
        indices.add(group.index)
        if group.target not in targets:
            raise DecodeError(f"{path}.target", "a target of meta.json", group.target)
        seen: set[str] = set()
        for position, trial in enumerate(group.trials):
            _check_trial(trial, f"{path}.trials[{position}]", group.target, known, seen)
            seen.add(trial.id)
        if group.reference not in seen:
            raise DecodeError(f"{path}.reference", "a trial of the group", group.reference)
        name = yardstick_of(group.target)
        if group.yardstick not in (None, name):
            raise DecodeError(f"{path}.yardstick", f"{show(name)} or nothing", group.yardstick)
    for number, exclusion in enumerate(plan.exclusions):
        _check_numbers(exclusion.trial, f"exclusions[{number}].trial")


def _check_trial(
    trial: Trial, path: str, target: str, known: Mapping[str, Trial], seen: Collection[str]
) -> None:
    if trial.target != target:
        raise DecodeError(f"{path}.target", f"{show(target)}, as its group", trial.target)
    if trial.id in seen or known[trial.id] != trial:
        raise DecodeError(f"{path}.id", "one trial of that name", trial.id)
    if trial.baseline not in known:
        raise DecodeError(f"{path}.baseline", "a trial of the plan", trial.baseline)
    _check_numbers(trial, path)


def _check_numbers(trial: Trial, path: str) -> None:
    for name, least in (("threads", 1), ("batch", 1), ("concurrency", 1), ("gap_ns", 0),
                        ("rate", 1e-9), ("starts", 1)):  # fmt: skip
        replies.ranged(getattr(trial, name), f"{path}.{name}", least, 10**15)


def refuse_damaged(faults: Sequence[str], folder: Path) -> None:
    """A record that can't be read in full is not gone on with. Raises ResultsError."""
    if faults:
        more = f" (and {len(faults) - 1} more lines)" if faults[1:] else ""
        raise ResultsError(f"{folder}/{faults[0]}{more}", hint=reading.DAMAGED)


class _Reader:
    """Checks one row after the other against the rest of the folder. All raise DecodeError for
    what does not fit in the row, ResultsError for a file."""

    def __init__(self, store: Store, plan: Plan, prepared: Prepared, study_hash: str) -> None:
        self._folder, self._study_hash = store.folder, study_hash
        made = {key: artifact.sha for key, artifact in prepared.artifacts.items()}
        own = None if prepared.yardstick is None else prepared.yardstick.artifact.sha
        self._groups = {
            group.index: (
                group.target,
                {t.id: made.get((t.model, t.variant)) for t in group.trials}
                | ({} if group.yardstick is None else {group.yardstick: own}),
            )
            for group in plan.groups
        }
        self._targets = {trial.id: trial.target for trial in plan.trials}
        self._lines: dict[tuple[object, ...], int] = {}
        self.facts = cache(store.facts)

    def row(self, held: Mapping[str, Any]) -> Entry:
        """One row, decoded and checked."""
        kind = held.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise DecodeError("kind", "one of " + ", ".join(KINDS), kind)
        row = decode(KINDS[kind], {k: v for k, v in held.items() if k != "schema_version"})
        if isinstance(row, Round):
            self._round(row)
        elif isinstance(row, (Stressed, Probe)):
            if self._targets.get(row.trial) != row.target:
                raise DecodeError("trial", f"a planned trial of {show(row.target)}", row.trial)
            if isinstance(row, Probe) and row.outcome not in replies.OUTCOMES:
                expected = "one of " + ", ".join(replies.OUTCOMES)
                raise DecodeError("outcome", expected, row.outcome)
        return row

    def count(self, row: Entry, line: reading.Line) -> None:
        """A row that stands in the file twice counts once."""
        if isinstance(row, Round):
            key: tuple[object, ...] = (row.group, row.round)
        elif isinstance(row, Stressed):
            key = (row.trial, row.perturbation, row.severity)
        elif isinstance(row, Probe):
            key = (row.trial, row.case)
        else:
            return
        before = self._lines.setdefault((row.kind, *key), line.number)
        if before != line.number:
            raise ResultsError(f"says what line {before} says, which counts")

    def _round(self, row: Round) -> None:
        if row.study_hash != self._study_hash:
            raise DecodeError("study_hash", f"{self._study_hash} of meta.json", row.study_hash)
        target, trials = self._groups.get(row.group, (None, {}))
        if target is None:
            raise DecodeError("group", "a group of plan.json", row.group)
        replies.same("target", target, row.target)
        for number, one in enumerate(row.repetitions):
            path = f"repetitions[{number}]"
            if one.trial not in trials:
                raise DecodeError(f"{path}.trial", f"a trial of group {row.group}", one.trial)
            try:
                replies.sound(one)
            except DecodeError as error:
                inner = f"{path}.{error.path}"
                raise DecodeError(inner, error.expected, error.got, error.hint) from None
        for trial, sha in row.artifacts.items():
            if trial not in trials:
                raise DecodeError("artifacts", f"trials of group {row.group}", trial)
            made = trials[trial]
            if sha is not None and sha != made:
                expected = "no file" if made is None else f"{made} of artifacts.json"
                raise DecodeError(f"artifacts.{trial}", expected, sha)

    def timings(self, row: Round) -> Mapping[str, timings.Timings]:
        """Trial -> its latencies in a round: as many as the blocks say, each a time."""
        found = timings.read(self._folder, row.raw)
        good = {one.trial: one for one in row.repetitions if one.status == "ok"}
        for trial in found:
            if trial not in good:
                raise ResultsError(f"{row.raw}: column trial: {show(trial)} was not measured then")
        for trial, one in good.items():
            count = sum(block.queries for block in one.blocks)
            times = found.get(trial)
            _check(f"{row.raw}: {trial}", "latencies", count, times and times.latencies, 1)
            if times is not None and times.services is not None:
                _check(f"{row.raw}: {trial}", "service times", count, times.services, 0)
        return found


def _check(where: str, what: str, count: int, times: Any, least: int) -> None:
    got: Optional[str] = None
    if times is None or len(times) != count:
        got = str(0 if times is None else len(times))
    elif not least <= times.min() <= times.max() <= replies.MOST_NS:
        got = f"{times.min()} to {times.max()} ns"
    if got is not None:
        raise ResultsError(
            f"{where}: expected {count} {what} of {least} to {replies.MOST_NS:g} ns, as its blocks"
            f" say, got {got}"
        )
