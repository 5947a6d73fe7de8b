"""What a run makes before it measures, as artifacts.json keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from profiler.errors import ResultsError
from profiler.planning.baselines import called
from profiler.schema.artifact import Artifact, Yardstick
from profiler.schema.axes import open_names
from profiler.schema.record.recorded import Evaluation, Recorded
from profiler.schema.study.study import BASELINE, Study
from profiler.store import reading
from profiler.store.blobs import keep_array
from profiler.store.folder import Store
from profiler.wire.messages import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything the campaign needs that does not depend on a target."""

    artifacts: Mapping[tuple[str, str], Artifact]
    failed: Mapping[tuple[str, str], str]
    inputs: Mapping[str, Mapping[str, str]]
    """model (with data) or `workload` (made-up queries) -> input name -> sha of an .npy"""
    fixed_batch: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """model -> open dimensions that count the samples of a query"""
    evaluation: Optional[Evaluation] = None
    yardstick: Optional[Yardstick] = None

    def inputs_of(
        self, model: str, batch: int, shapes: Mapping[str, int]
    ) -> tuple[Mapping[str, str], bool]:
        """(input name -> sha, whether a query stacks rows) of one workload."""
        if model in self.inputs:
            return self.inputs[model], True
        return self.inputs[workload(model, batch, shapes)], False

    def baseline_of(self, model: str, artifact: Artifact) -> Artifact:
        """What `artifact` was made of; itself where that is not measured."""
        return self.baselines.get(model, artifact)

    @property
    def baselines(self) -> dict[str, Artifact]:
        """Model -> its untransformed artifact."""
        every = self.artifacts.items()
        return {m: a for (m, _), a in every if a.made_by.get("recipe") == BASELINE.recipe}

    def named(self, study: Study) -> Study:
        """`study` with the baselines that nobody named called as they are here."""
        return called(study, {model: made.variant for model, made in self.baselines.items()})

    @property
    def symbolic(self) -> dict[str, set[str]]:
        """Model -> names of its symbolic dimensions."""
        return {
            model: open_names(made.inputs, self.samples.get(model, ()))
            for (model, _), made in self.artifacts.items()
        }

    @property
    def every_artifact(self) -> tuple[Artifact, ...]:
        """Every artifact, the yardstick's too."""
        beside = () if self.yardstick is None else (self.yardstick.artifact,)
        return (*self.artifacts.values(), *beside)

    def data_of(self, sha: Optional[str]) -> tuple[str, ...]:
        """The external weights of the artifact `sha`."""
        return next((a.data for a in self.artifacts.values() if a.sha == sha), ())

    def file(self, folder: Path, sha: str) -> Path:
        """Where the blob `sha` lies in the results folder. Raises ResultsError.

        What it names is copied to devices, so it is a regular file within the folder.
        """
        name = f"outputs/{sha}.npy"
        for artifact in self.every_artifact:
            if artifact.sha == sha:
                name = artifact.path
                break
            if sha in artifact.data:
                name = str(PurePosixPath(artifact.path).with_name(sha))
                break
        try:
            return reading.regular(folder, name)
        except FileNotFoundError:
            raise ResultsError(f"{folder / name}: is missing", hint=reading.DAMAGED) from None

    def files(self, folder: Path, jobs: Iterable[Job]) -> dict[Path, str]:
        """Everything that must be on a device before it can do `jobs`, and a name for a person."""
        found = {}
        for job in jobs:
            made = next((a for a in self.every_artifact if a.sha == job.artifact), None)
            model = "the model" if made is None else f"{made.model}/{made.variant}"
            if job.artifact is not None:
                found[self.file(folder, job.artifact)] = model
            for sha in self.data_of(job.artifact):
                found[self.file(folder, sha)] = f"weights of {model}"
            for sha in job.inputs.values():
                found[self.file(folder, sha)] = f"rows for {model}"
        return found


def recall(held: dict[str, Any], where: object) -> Prepared:
    """What an earlier run prepared, from its artifacts.json at `where`. Raises ResultsError."""
    recorded = reading.decoded(Recorded, held, where)
    samples = dict(recorded.samples)
    for made in recorded.artifacts:  # folders written before: every first axis is one of samples
        first = [t.shape[0] for t in made.inputs if t.shape]
        samples.setdefault(made.model, tuple(n for n in first if isinstance(n, str)))
    return Prepared(
        artifacts={(a.model, a.variant): a for a in recorded.artifacts},
        failed={(model, variant): reason for model, variant, reason in recorded.failed},
        inputs=recorded.inputs,
        fixed_batch=recorded.fixed_batch,
        samples=samples,
        evaluation=recorded.evaluation,
        yardstick=recorded.yardstick,
    )


def workload(model: str, batch: int, shapes: Mapping[str, int]) -> str:
    """'bert#8', 'bert#8#sequence=128': names made-up queries."""
    sizes = ",".join(f"{name}={size}" for name, size in shapes.items())
    return f"{model}#{batch}" + (f"#{sizes}" if sizes else "")


def keep(store: Store, values: Any, rows: Any = None) -> str:
    """Store an array, or the `rows` of it, by content; returns its sha."""
    return keep_array(store.folder / "outputs", values, rows)
