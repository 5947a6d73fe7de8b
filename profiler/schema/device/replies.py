"""What a device may answer: each reply is held against what was asked, and nothing is believed.

A device that lies, or whose worker is not ours, must be a target that failed with one line. So
every number has a range, every list a length, and trials, rounds, cases and names of blobs are
those that were asked for. All raise DecodeError, which says what was expected where.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, Optional

from profiler.errors import WorkerError
from profiler.wire.codec import DecodeError, decode
from profiler.wire.messages import (
    MIN_SEGMENTS,
    MOST_BLOCKS,
    PROTOCOL,
    SEGMENT_NS,
    SEGMENT_QUERIES,
    Answer,
    Block,
    Job,
    Probed,
    Repetition,
    RoundRequest,
    Trace,
    TraceRequest,
)
from profiler.wire.scenarios import known

MOST_NS = 10**15
"""No time in a record is longer than these eleven days."""
MOST_QUERIES = 10**8
"""of one repetition; their latencies take 800 MB"""
_MOST_COUNT = 10**18
_CHATTER, _CHATTER_PER_S = 30, 3
"""Events that tell of no progress before a device is called a liar; a pause tells two a second."""
_PROCESS_NS = 480e9
"""that starting a process, its last words and a pause for cooling may take"""
_MOST_WAIT_S = 86_400.0
"""that a round of another run may take, which is waited for"""
OUTCOMES = (
    "answer", "wrong answer", "NaN out", "error", "crash", "timeout", "out of memory",
    "not applicable", "not available", "no space",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The device's word on how the worker ended: a shell's exit status."""

    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, or why there is none."""

    id: int
    ok: bool
    result: Optional[dict[str, Any]] = None
    error: Optional[str] = None

    def __post_init__(self) -> None:
        if self.ok and self.result is None:
            raise DecodeError("result", "a table", None)
        if not self.ok and self.error is None:
            raise DecodeError("error", "text", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who answers."""

    protocol: int
    worker: str
    pid: int
    out: str
    """folder there that outputs lie in"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Blobs that must still be staged."""

    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetitions:
    """A round."""

    repetitions: tuple[Repetition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """How far a round is. `cooling` beside it: it pauses until the processor is cooler."""

    stage: Literal["load", "measure", "predict"]
    trial: str
    done: int
    of: int
    cooling: Optional[float] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who else measures there."""

    pid: Optional[int]
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Another run measures on the device."""

    waiting: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """It does no more."""

    waited_s: float


def ranged(value: float | None, name: str, low: float, high: float) -> None:
    """Refuse a number outside of low to high; None is not there to be refused."""
    if value is not None and not low <= value <= high:
        raise DecodeError(name, f"a number from {low:g} to {high:g}", value)


def same(name: str, wanted: object, got: object) -> None:
    """Refuse what is not what was asked for."""
    if wanted != got:
        raise DecodeError(name, repr(wanted), got)


def hello(result: dict[str, Any]) -> Hello:
    """Who answers. Another worker than was sent is the caller's to replace: its file is damaged."""
    found = decode(Hello, result)
    same("protocol", PROTOCOL, found.protocol)
    return found


def missing(result: dict[str, Any], asked: Collection[str]) -> tuple[str, ...]:
    """Which of the blobs that were asked about are not there."""
    found = decode(Missing, result).missing
    for position, sha in enumerate(found):
        if sha not in asked:
            raise DecodeError(f"missing[{position}]", "a blob that was asked about", sha)
    return found


def repetitions(result: dict[str, Any], request: RoundRequest) -> tuple[Repetition, ...]:
    """One repetition of each job, in order."""
    found = decode(Repetitions, result).repetitions
    same("repetitions", len(request.every_job), len(found))
    for position, (job, one) in enumerate(zip(request.every_job, found, strict=True)):
        try:
            _answers(job, one, request)
            sound(one)
        except DecodeError as error:
            raise _inside(f"repetitions[{position}]", error) from None
    return found


def _inside(path: str, error: DecodeError) -> DecodeError:
    inner = f"{path}.{error.path}" if error.path else path
    return DecodeError(inner, error.expected, error.got, error.hint)


def _answers(job: Job, one: Repetition, request: RoundRequest) -> None:
    """Whether a repetition is the one that was asked for."""
    same("trial", job.trial, one.trial)
    same("round", request.round, one.round)
    scenario = known(job.scenario)
    most = max(job.starts if scenario.fresh else MOST_BLOCKS, request.min_blocks)
    if len(one.blocks) > 2 * most:
        raise DecodeError("blocks", f"at most {2 * most}", len(one.blocks))
    if one.services is not None and not scenario.open_loop:
        raise DecodeError("services", "nothing but from a server", one.services)
    if one.outputs and job.trial not in request.predict:
        raise DecodeError("outputs", "nothing, as no predictions were asked for", [*one.outputs])
    if job.judged and not set(one.outputs) <= set(job.judged):
        raise DecodeError("outputs", f"those of {', '.join(job.judged)}", [*one.outputs])
    if one.status == "ok":
        same("starts", len(one.blocks) if scenario.fresh else 0, len(one.starts))


def sound(one: Repetition) -> None:
    """Whether a repetition's parts can be true and fit each other, whoever recorded it."""
    if one.status == "failed":
        if one.reason is None:
            raise DecodeError("reason", "text, as it failed", None)
        if one.blocks or one.latencies or one.services or one.outputs:
            raise DecodeError("status", '"ok", as there are measurements', one.status)
        return
    if one.latencies is None:
        raise DecodeError("latencies", "a blob's name, as it is ok", None)
    if not one.blocks:
        raise DecodeError("blocks", "one block or more, as it is ok", [])
    last = -1
    for number, block in enumerate(one.blocks):
        path = f"blocks[{number}]"
        ranged(block.position, f"{path}.position", last + 1, 2**31 - 1)
        last = block.position
        _block(block, path)
    ranged(sum(b.queries for b in one.blocks), "blocks", 1, MOST_QUERIES)
    for name in ("load_ns", "first_query_ns", "warmup_ns", "engine_build_ns"):
        ranged(getattr(one, name), name, 0, MOST_NS)
    ranged(one.warmup_queries, "warmup_queries", 0, _MOST_COUNT)
    for number, start in enumerate(one.starts):
        counts(start, f"starts[{number}]", MOST_NS)
    for part in ("memory", "energy", "placement"):
        if (record := getattr(one, part)) is not None:
            counts(record, part)
    for cpu in one.affinity:
        ranged(cpu, "affinity", 0, 2**16)


def _block(block: Block, path: str) -> None:
    ranged(block.queries, f"{path}.queries", 1, MOST_QUERIES)
    ranged(block.wall_ns, f"{path}.wall_ns", 1, MOST_NS)
    ranged(block.other_cpu_ns, f"{path}.other_cpu_ns", -_MOST_COUNT, _MOST_COUNT)
    for name in ("cpu_ns", "run_delay_ns", "involuntary_switches", "steal_ns", "rate",
                 "lateness_ns"):  # fmt: skip
        ranged(getattr(block, name), f"{path}.{name}", 0, _MOST_COUNT)
    if block.gpu is not None:
        counts(block.gpu, f"{path}.gpu")
    if block.thermal is not None:
        for name in ("celsius", "before_celsius"):
            ranged(getattr(block.thermal, name), f"{path}.thermal.{name}", -300, 10_000)


def counts(record: Any, path: str, most: float = _MOST_COUNT) -> None:
    """Refuse a record of counts in which one is below 0 or absurdly large."""
    assert is_dataclass(record)
    for spec in fields(record):
        value = getattr(record, spec.name)
        if isinstance(value, (int, float)):
            ranged(value, f"{path}.{spec.name}", 0, most)


def trace(result: dict[str, Any], request: TraceRequest) -> Trace:
    """A trace of the job that was asked for."""
    found = decode(Trace, result)
    same("trial", request.job.trial, found.trial)
    if found.status == "ok":
        if found.blob is None:
            raise DecodeError("blob", "a blob's name, as it is ok", None)
        # Queries come in turns of a few, so the last turn may go beyond.
        ranged(found.queries, "queries", 1, 2 * request.queries + 10)
        same("plain_ns", found.queries, len(found.plain_ns))
        for value in found.plain_ns:
            ranged(value, "plain_ns", 1, MOST_NS)
    return found


def answer(result: dict[str, Any]) -> Answer:
    """Predictions, by name of the output."""
    found = decode(Answer, result)
    if found.status == "ok" and not found.outputs:
        raise DecodeError("outputs", "one output or more, as it is ok", {})
    return found


def probed(result: dict[str, Any], case: str) -> Probed:
    """What came of the case that was asked for."""
    found = decode(Probed, result)
    same("case", case, found.case)
    if found.outcome not in OUTCOMES:
        raise DecodeError("outcome", "one of " + ", ".join(OUTCOMES), found.outcome)
    ranged(found.wall_ns, "wall_ns", 0, MOST_NS)
    ranged(found.plain_ns, "plain_ns", 0, MOST_NS)
    return found


def longest_s(request: RoundRequest) -> float:
    """What a round can take at most, if every query takes as long as it may: hours, but an end."""
    again_ns = request.load_timeout_ns + request.max_warmup_ns + request.query_timeout_ns
    total_ns = 0.0
    for job in request.every_job:
        scenario = known(job.scenario)
        starts = job.starts if scenario.fresh else 1
        blocks = 2 * max(MOST_BLOCKS, request.min_blocks)
        total_ns += starts * (again_ns + _PROCESS_NS) + (blocks + 20) * request.query_timeout_ns
        total_ns += 20 * request.measure_ns
        if scenario.open_loop:
            segment_ns = max(SEGMENT_NS, SEGMENT_QUERIES / (job.rate or 1) * 1e9)
            total_ns += 40 * MIN_SEGMENTS * segment_ns
    return total_ns / 1e9


@dataclass(slots=True)
class Listener:
    """The events while one question is open. Those of a round must go on, or say why not.

    `trials` are those of the round; none where only waiting is to be told of. After `most_s`, the
    waiting for another run apart, no event is taken any more.
    """

    trials: Sequence[str] = ()
    most_s: float = _MOST_WAIT_S
    clock: Callable[[], float] = time.monotonic
    _begun_s: float = field(init=False)
    _waited_s: float = 0.0
    _still: int = 0
    """events that told of no progress"""
    _reached: dict[str, int] = field(default_factory=dict)
    _predicted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._begun_s = self.clock()

    def take(self, event: Any) -> None:
        """Check one."""
        path, spent_s = "event", self.clock() - self._begun_s
        if spent_s - self._waited_s > self.most_s:
            raise DecodeError(path, f"the end within {self.most_s:.0f} s", event)
        if isinstance(event, dict) and "waiting" in event:
            holder = decode(Waiting, event, path).waiting
            ranged(holder.pid, "event.waiting.pid", 0, 2**31)
            ranged(holder.for_s, "event.waiting.for_s", 0, MOST_NS)
            self._waited_s = min(spent_s, _MOST_WAIT_S)
        elif isinstance(event, dict) and "waited_s" in event:
            waited_s = decode(Waited, event, path).waited_s
            ranged(waited_s, "event.waited_s", 0, spent_s + 1)
        else:
            told = decode(Progressed, event, path)
            if told.trial not in self.trials:
                raise DecodeError("event.trial", "a trial of this round", told.trial)
            ranged(told.of, "event.of", 1, MOST_QUERIES)
            # Disturbed blocks are done once more, beyond those that were planned.
            ranged(told.done, "event.done", 0, 2 * told.of)
            if self._moved(told):
                return
        self._still += 1
        if self._still > _CHATTER + _CHATTER_PER_S * spent_s:
            raise DecodeError(path, "progress", event)

    def _moved(self, told: Progressed) -> bool:
        if told.stage == "predict":
            new = told.trial not in self._predicted
            self._predicted.add(told.trial)
            return new
        if told.done <= self._reached.get(told.stage, -1):
            return False
        self._reached[told.stage] = told.done
        return True


@contextmanager
def strict(operation: str) -> Iterator[None]:
    """A wrong answer is the device's failure: one line."""
    try:
        yield
    except DecodeError as error:
        raise WorkerError(
            f"{operation}: a wrong answer from the device: {error}",
            hint="is its `python` an ordinary interpreter? What it answers is not our worker's",
        ) from None


def waiting(event: dict[str, Any]) -> str:
    """What a worker's event says that waits until another run has measured on its device."""
    holder = event["waiting"]
    who = "" if holder["pid"] is None else f" (pid {holder['pid']}, for {holder['for_s']:.0f} s)"
    return f"another profiler run is measuring on this device{who}: taking turns with it"
