"""The files meta.json and artifacts.json of a results folder, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Optional, get_args

from profiler.schema.artifact import Artifact
from profiler.schema.codec import DecodeError
from profiler.schema.data import Task
from profiler.schema.outside import is_sha


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What meta.json must hold, whatever the study; who uses a part decodes it."""

    study_hash: str
    study: dict[str, Any]
    targets: tuple[dict[str, Any], ...]
    profiler: str = "unknown"
    inputs: dict[str, str] = field(default_factory=dict)
    created: str = ""
    fingerprint: dict[str, Any] = field(default_factory=dict)


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

    def __post_init__(self) -> None:
        # Whatever becomes part of a path is a hash, or a file below artifacts/.
        blobs: dict[str, str] = {}
        for number, artifact in enumerate(self.artifacts):
            key = f"artifacts[{number}]"
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
            if one.task not in get_args(Task):
                tasks = ", ".join(get_args(Task))
                raise DecodeError("evaluation.task", f"one of {tasks}", one.task)
            named = {"numbers": one.numbers, "labels": one.labels, "text": one.text}
            named |= {f"slices.{name}": sha for name, sha in one.slices.items()}
            named |= {f"pairs.{name}": sha for name, sha in one.pairs.items()}
            blobs |= {f"evaluation.{name}": sha for name, sha in named.items() if sha is not None}
        for key, sha in blobs.items():
            if not is_sha(sha):
                raise DecodeError(key, "a SHA-256 (64 hex digits)", sha)
