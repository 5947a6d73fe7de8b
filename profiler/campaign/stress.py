"""The stress of one target, after its timing: perturbed rows and probes, one recorded row each.

Rows are perturbed here, once for all variants of a model, and predicted there by fresh sessions of
the recipe that was timed. Threads, batch and load don't change what is computed, so trials which
differ only in those share one answer (`analysis.stress.representatives`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from profiler.analysis.quality.stress import representatives
from profiler.campaign import arrivals
from profiler.devices.session import Session
from profiler.errors import InputError, WorkerError
from profiler.progress import Progress
from profiler.schema.record.plan import Plan, Trial
from profiler.schema.record.recorded import Entry, Probe, Round, Stressed
from profiler.schema.study.study import Study
from profiler.store.files import incoming
from profiler.store.folder import Store
from profiler.store.prepared import Prepared, keep
from profiler.stress.perturb import chosen_inputs, perturb
from profiler.stress.reader import Reader
from profiler.tasks.task import task_of
from profiler.wire.cases import CASES
from profiler.wire.messages import Job

PREDICT_QUERIES = 20
"""predictions may take as long as this many queries that time out, like the ordinary ones"""
PROBE_QUERIES = 2

Array = npt.NDArray[Any]


def check(study: Study, prepared: Prepared, folder: Path) -> None:
    """Whatever can't be done is told before anything is measured. Raises InputError."""
    spec = study.stress
    if spec is None or not spec.names:
        return
    if "jpeg" in spec.names and importlib.util.find_spec("PIL") is None:
        raise InputError(
            "stress.perturbations: jpeg needs Pillow, which is not installed",
            hint="pip install 'hardware-profiler[images]', or take jpeg out of the list",
        )
    evaluation = prepared.evaluation
    if (
        evaluation is not None
        and evaluation.labels is None
        and task_of(evaluation.task).stress_needs_labels
    ):
        raise InputError(
            f"stress.perturbations: a {evaluation.task} without labels has no loss to compare",
            hint='name the column of true values: [data] labels = "..."',
        )
    if spec.text:
        Reader(study, prepared, folder).check(prepared.inputs)
    for model in study.models:
        given = _rows(prepared, folder, model.name)
        for name in spec.inputs:
            if name not in given:
                raise InputError(
                    f"stress.inputs: {model.name} has no input {name!r}",
                    hint=f"it has {', '.join(given)}",
                )
        for name in spec.names:
            if name not in spec.text:
                _check_fits(given, name, study, model.name)


def _check_fits(given: dict[str, Array], name: str, study: Study, model: str) -> None:
    assert study.stress is not None
    try:
        chosen_inputs(given, name, study.stress.inputs, model)
    except InputError as error:
        if study.data is not None and study.data.text is not None:
            error.hint = 'take it out of the list: rows of text take perturbations = ["text"]'
        raise


def _rows(prepared: Prepared, folder: Path, model: str) -> dict[str, Array]:
    """Model input -> all judged rows, read from disk as they are needed."""
    return {
        name: np.load(prepared.file(folder, sha), mmap_mode="r", allow_pickle=False)
        for name, sha in prepared.inputs[model].items()
    }


def positions(rows: int, most: int, seed: int) -> Array:
    """Which of the evaluation rows are used: all, or `most` drawn with the seed; ascending."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def measured(plan: Plan, target: str, rows: Sequence[Entry]) -> list[Trial]:
    """The trials of a target that are stressed: of each recipe the first that could be timed."""
    good = {
        repetition.trial
        for row in rows if isinstance(row, Round)
        for repetition in row.repetitions if repetition.status == "ok"
    }  # fmt: skip
    trials = [t for t in plan.trials if t.target == target and t.id in good]
    first = representatives(trials)
    return [t for t in trials if first[t.id] == t.id]


class Visit:
    """Everything that is still to do on one target."""

    def __init__(
        self,
        session: Session,
        jobs: Mapping[str, Job],
        trials: Sequence[Trial],
        *,
        study: Study,
        prepared: Prepared,
        store: Store,
        rows: Sequence[Entry],
        append: Callable[[Entry], None],
        progress: Progress,
    ) -> None:
        """`trials` are representatives, `jobs` their jobs, `rows` what is recorded so far;
        `append` records one more."""
        assert study.stress is not None
        self.session, self.jobs, self.trials = session, jobs, trials
        self.study, self.spec, self.prepared, self.store = study, study.stress, prepared, store
        self.append, self.progress = append, progress
        self.reader = Reader(study, prepared, store.folder) if self.spec.text else None
        self.done: set[tuple[Any, ...]] = set()
        for row in rows:
            if isinstance(row, Stressed):
                self.done.add((row.trial, row.perturbation, row.severity))
            elif isinstance(row, Probe):
                self.done.add((row.trial, row.case))

    def run(self) -> None:
        """Predictions on perturbed rows, then probes, model by model."""
        cells = [(n, s) for n in self.spec.names for s in sorted(self.spec.severities)]
        cases = CASES if self.spec.probes else ()
        wanted = [(t.id, *cell) for t in self.trials for cell in cells]
        probes = [(t.id, case) for t in self.trials for case in cases]
        self.left = len({*wanted, *probes} - self.done)
        if not self.left:
            return
        self.total, self.start = self.left, time.monotonic()
        self.progress.stage(
            f"stress on {self.trials[0].target}: {len(self.trials)} variants,"
            f" {len(cells)} perturbed sets of rows, {len(cases)} probes"
        )
        for model in dict.fromkeys(t.model for t in self.trials):
            own = [t for t in self.trials if t.model == model]
            for name, severity in cells:
                if any((t.id, name, severity) not in self.done for t in own):
                    self._steady(partial(self._cell, own, name, severity))
            for trial in own:
                for case in cases:
                    if (trial.id, case) not in self.done:
                        self._steady(partial(self._probe, trial, case))
            self._steady(self.session.release)

    def _steady(self, work: Callable[[], None]) -> None:
        self.session.steady(work, self.progress.note)

    def _tell(self, text: str) -> None:
        finished = self.total - self.left
        each_s = (time.monotonic() - self.start) / max(1, finished)
        self.progress.update(text, finished / self.total, self.left * each_s)

    def _cell(self, trials: Sequence[Trial], name: str, severity: int) -> None:
        """One perturbation at one severity, for all variants of a model."""
        evaluation = self.prepared.evaluation
        assert evaluation is not None
        chosen = positions(evaluation.rows, self.spec.rows, self.study.seed)
        numbers = keep(self.store, chosen)
        self._tell(f"{name} {severity}")
        with tempfile.TemporaryDirectory(prefix="profiler-") as folder:
            files, changed = self._perturbed(Path(folder), trials[0].model, chosen, name, severity)
            self.session.stage(files.values(), dict.fromkeys(files.values(), "perturbed rows"))
            shas = {tensor: path.stem for tensor, path in files.items()}
            for trial in trials:
                if (trial.id, name, severity) not in self.done:
                    self._predict(trial, shas, numbers, name, severity)
            self.session.forget([shas[tensor] for tensor in changed])

    def _perturbed(
        self, folder: Path, model: str, chosen: Array, name: str, severity: int
    ) -> tuple[dict[str, Path], tuple[str, ...]]:
        """(model input -> file named by its content, inputs that were changed)."""
        given = _rows(self.prepared, self.store.folder, model)
        if self.reader is not None and name in self.spec.text:
            changed = self.reader.perturbed(chosen, name, severity, given)
        else:
            changed = {
                tensor: perturb(
                    np.ascontiguousarray(given[tensor][chosen]), name, severity,
                    seed=self.study.seed, tensor=tensor, limits=self.spec.range,
                )
                for tensor in chosen_inputs(given, name, self.spec.inputs, model)
            }  # fmt: skip
        files = {}
        for tensor, every in given.items():
            values = changed[tensor] if tensor in changed else np.ascontiguousarray(every[chosen])
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            data = buffer.getvalue()
            files[tensor] = folder / f"{hashlib.sha256(data).hexdigest()}.npy"
            files[tensor].write_bytes(data)
        return files, tuple(changed)

    def _ready(self, trial: Trial) -> Job:
        job = self.jobs[trial.id]
        self.session.stage(files := self.prepared.files(self.store.folder, [job]), files)
        return job

    def _predict(
        self, trial: Trial, shas: dict[str, str], numbers: str, name: str, severity: int
    ) -> None:
        job, begun = self._ready(trial), time.monotonic()
        limit_ns = PREDICT_QUERIES * self.study.measure.query_timeout
        answer = self.session.predict(job, shas, limit_ns)
        kept = None
        if answer.status == "ok":
            kept = self._keep(trial, answer.outputs)
            self.session.forget(list(answer.outputs.values()))
        else:
            self.progress.note(f"{trial.id}: {name} {severity}: {answer.reason}: {answer.detail}")
        self.append(
            Stressed(
                target=trial.target,
                trial=trial.id,
                perturbation=name,
                severity=severity,
                inputs=shas,
                numbers=numbers,
                status=answer.status,
                reason=answer.reason,
                detail=answer.detail,
                answers=kept,
                elapsed_s=time.monotonic() - begun,
            )
        )
        self.done.add((trial.id, name, severity))
        self.left -= 1
        self._tell(f"{name} {severity}")

    def _keep(self, trial: Trial, outputs: Mapping[str, str]) -> str:
        """Bring the predictions here; what is kept of them is small: class or value of each row."""
        evaluation = self.prepared.evaluation
        assert evaluation is not None
        name = evaluation.output or next(iter(outputs))
        arrivals.check_names(trial.id, outputs, [name])
        rows = min(evaluation.rows, self.spec.rows)
        what = f"{trial.id}: {name} of perturbed rows"
        with incoming(self.store.folder) as place:
            self.session.fetch(outputs[name], place)
            values = arrivals.predictions(place, rows, what)
            try:
                answers = task_of(evaluation.task).stressed.reduced(np.asarray(values))
            except (InputError, ValueError, TypeError, IndexError) as error:
                raise WorkerError(f"{what}: can't be used: {error}") from None
        return keep(self.store, answers)

    def _probe(self, trial: Trial, case: str) -> None:
        self._tell(f"asking for {case.replace('_', ' ')}")
        limit_ns = PROBE_QUERIES * self.study.measure.query_timeout
        found = self.session.probe(self._ready(trial), case, limit_ns)
        self.append(
            Probe(
                target=trial.target,
                trial=trial.id,
                case=case,
                outcome=found.outcome,
                detail=found.detail,
                wall_ns=found.wall_ns,
                plain_ns=found.plain_ns,
            )
        )
        self.done.add((trial.id, case))
        self.left -= 1
