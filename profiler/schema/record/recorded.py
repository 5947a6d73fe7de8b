"""The files meta.json, artifacts.json and rows.jsonl of a results folder, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, Optional, Union

from profiler.schema.artifact import Artifact, Yardstick
from profiler.schema.study.tasks import TASKS
from profiler.wire.codec import DecodeError
from profiler.wire.messages import Repetition, Status
from profiler.wire.outside import is_sha, sha_name

_HEX = "a SHA-256 (64 hex digits)"
_SHA: dict[str, Any] = {"parse": sha_name, "expected": _HEX}
_LONGEST_S = 1e9
_LARGEST = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The state of a checkout."""

    commit: str
    dirty: bool
    """whether tracked files differ from the commit"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGpu:
    """A card of the host."""

    name: Optional[str] = None
    memory_bytes: Optional[int] = None
    driver: Optional[str] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """`fingerprint.take`, key by key; what a folder does not say is None."""

    cpu: Optional[str] = None
    architecture: Optional[str] = None
    cpu_flags: tuple[str, ...] = ()
    l2_cache_bytes: Optional[Union[int, str]] = None
    l3_cache_bytes: Optional[Union[int, str]] = None
    """text on some systems, e.g. '512 KB'"""
    cores_physical: Optional[int] = None
    cores_logical: Optional[int] = None
    frequency_mhz: Optional[float] = None
    memory_bytes: Optional[int] = None
    os: Optional[str] = None
    gpus: tuple[HostGpu, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    packages: Optional[dict[str, str]] = None
    """everything installed: only in folders written before it was left out"""
    hash_seed: Optional[str] = None
    git: Optional[Git] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What meta.json must hold, whatever the study; who uses a part decodes it."""

    study_hash: str
    study: dict[str, Any]
    targets: tuple[dict[str, Any], ...]
    profiler: str = "unknown"
    inputs: dict[str, str] = field(default_factory=dict)
    created: str = ""
    fingerprint: Fingerprint = field(default_factory=Fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What accuracy is derived from later. Blobs lie in the results folder's `outputs`."""

    labels: Optional[str]
    """sha of the labels of the predicted rows, in their order; None: only agreement is known"""
    rows: int
    """rows to evaluate; predictions hold the confirmation rows after them"""
    task: str
    classes: Optional[int]
    output: Optional[str]
    data: str
    """sha of the data file's content"""
    numbers: str
    """sha of the predicted rows' numbers in the data file, counted from 0"""
    slices: dict[str, str] = field(default_factory=dict)
    """slice column -> sha of its values as text"""
    pairs: dict[str, str] = field(default_factory=dict)
    """embedding with scored pairs: sha of pairs and of similarity"""
    text: Optional[str] = None
    """sha of the predicted rows' text, kept where [stress] perturbs it"""
    findings: tuple[str, ...] = ()
    """what in the rows speaks against what is told of them, in words"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was made from what."""

    artifacts: tuple[Artifact, ...]
    failed: tuple[tuple[str, ...], ...]
    """model, variant and reason each"""
    inputs: dict[str, dict[str, str]]
    fixed_batch: dict[str, int]
    evaluation: Optional[Evaluation]
    samples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """model -> dimensions that count samples; missing in folders written before"""
    yardstick: Optional[Yardstick] = None

    def __post_init__(self) -> None:
        # Whatever becomes part of a path is a hash, or a file below artifacts/.
        blobs: dict[str, str] = {}
        made = {f"artifacts[{number}]": one for number, one in enumerate(self.artifacts)}
        if self.yardstick is not None:
            made["yardstick.artifact"] = self.yardstick.artifact
            blobs |= {f"yardstick.inputs.{n}": sha for n, sha in self.yardstick.inputs.items()}
        for key, artifact in made.items():
            parts = PurePosixPath(artifact.path).parts
            if len(parts) < 2 or parts[0] != "artifacts" or ".." in parts:
                raise DecodeError(f"{key}.path", "a file below artifacts/", artifact.path)
            if not artifact.outputs:
                raise DecodeError(f"{key}.outputs", "one output or more", [])
            if artifact.bytes < 0:
                raise DecodeError(f"{key}.bytes", "0 or more", artifact.bytes)
            blobs[f"{key}.sha"] = artifact.sha
            blobs |= {f"{key}.data[{i}]": sha for i, sha in enumerate(artifact.data)}
        for number, entry in enumerate(self.failed):
            if len(entry) != 3:
                raise DecodeError(f"failed[{number}]", "model, variant and reason", list(entry))
        for name, inputs in self.inputs.items():
            blobs |= {f"inputs.{name}.{tensor}": sha for tensor, sha in inputs.items()}
        one = self.evaluation
        if one is not None:
            if one.rows < 1:
                raise DecodeError("evaluation.rows", "1 or more", one.rows)
            if one.task not in TASKS:
                raise DecodeError("evaluation.task", f"one of {', '.join(TASKS)}", one.task)
            named = {"numbers": one.numbers, "labels": one.labels, "text": one.text}
            named |= {f"slices.{name}": sha for name, sha in one.slices.items()}
            named |= {f"pairs.{name}": sha for name, sha in one.pairs.items()}
            blobs |= {f"evaluation.{name}": sha for name, sha in named.items() if sha is not None}
        for key, sha in blobs.items():
            if not is_sha(sha):
                raise DecodeError(key, _HEX, sha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A row: one round of a group."""

    kind: Literal["round"] = "round"
    study_hash: str
    group: int
    target: str
    round: int
    seed: int
    facts: str = field(metadata=_SHA)
    worker: str
    artifacts: dict[str, Optional[str]]
    """trial -> sha of its model file; None where the backend reads none"""
    elapsed_s: float
    raw: str
    stopped: Optional[str]
    """what ended the group with this round"""
    open_limits: bool = False
    """it was measured because limits of these trials, the reference aside, were open"""
    repetitions: tuple[Repetition, ...]

    def __post_init__(self) -> None:
        _ranged("elapsed_s", self.elapsed_s, _LONGEST_S)
        _ranged("round", self.round, _LARGEST)
        if not self.repetitions:
            raise DecodeError("repetitions", "one or more", [])
        seen: set[str] = set()
        for number, one in enumerate(self.repetitions):
            if one.trial in seen:
                raise DecodeError(f"repetitions[{number}].trial", "each trial once", one.trial)
            seen.add(one.trial)
            if one.round != self.round:
                raise DecodeError(f"repetitions[{number}].round", str(self.round), one.round)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stressed:
    """A row: the answers of a trial on one set of perturbed rows."""

    kind: Literal["stress"] = "stress"
    target: str
    trial: str
    perturbation: str
    severity: int
    inputs: dict[str, str]
    numbers: str = field(metadata=_SHA)
    """sha of the numbers of the rows, counted among those that are evaluated"""
    status: Status
    reason: Optional[str]
    detail: Optional[str]
    answers: Optional[str] = field(metadata=_SHA)
    elapsed_s: float

    def __post_init__(self) -> None:
        _ranged("elapsed_s", self.elapsed_s, _LONGEST_S)
        _ranged("severity", self.severity, 100, 1)
        if self.status == "ok" and self.answers is None:
            raise DecodeError("answers", _HEX + ", as it is ok", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A row: what came of a query that must not be asked."""

    kind: Literal["probe"] = "probe"
    target: str
    trial: str
    case: str
    outcome: str
    detail: Optional[str]
    wall_ns: Optional[int]
    plain_ns: Optional[int]

    def __post_init__(self) -> None:
        _ranged("wall_ns", self.wall_ns, _LARGEST)
        _ranged("plain_ns", self.plain_ns, _LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A row: a target that went away."""

    kind: Literal["lost"] = "lost"
    target: str
    reason: str
    hint: Optional[str] = None
    during: str = "measuring"


Entry = Union[Round, Stressed, Probe, Lost]
"""A row of rows.jsonl; its class and its `kind` say the same."""
KINDS: dict[str, type[Entry]] = {"round": Round, "stress": Stressed, "probe": Probe, "lost": Lost}


def _ranged(key: str, value: Optional[float], most: float, least: float = 0) -> None:
    if value is not None and not least <= value <= most:
        raise DecodeError(key, f"a number from {least:g} to {most:g}", value)
