"""Made-up results folders in the real format, of any number of trials, for `bench_reading`."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import profiler
from profiler.planning import Known, make_plan
from profiler.schema.artifact import Artifact, Tensor
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Plan
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.study import Study
from profiler.store import timings as raw
from profiler.store.blobs import keep_array
from profiler.wire.codec import decode, encode
from profiler.wire.messages import SCHEMA_VERSION, Block, Memory, Repetition

VARIANTS = ("fp32", "fp16", "int8-dynamic", "int8-static", "int4")
SPEED = dict(zip(VARIANTS, (1.0, 0.96, 0.62, 0.5, 0.71), strict=True))
FLIPPED = dict(zip(VARIANTS, (0.0, 0.0, 0.01, 0.02, 0.04), strict=True))
THREADS = (1, 2, 4, 8)
FACTS = {
    "architecture": "x86_64", "cpu": "made up", "cpu_flags": ["avx2"], "cores": 8,
    "usable_cores": 8, "memory_bytes": 16 * 2**30, "kernel": "6.1", "os": "made up",
    "onnxruntime": "1.31.1", "python": "3.11.2", "providers": ["CPUExecutionProvider"],
    "worker": "0" * 64, "load_1min": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """How many trials a folder holds: targets × models × 5 variants × 4 threads × batches."""

    targets: int
    models: int
    batches: int
    variants: int = 5
    threads: int = 4

    @property
    def trials(self) -> int:
        return self.targets * self.models * self.variants * self.threads * self.batches


SHAPES = {
    1: Shape(1, 1, 1, 1, 1),
    20: Shape(1, 1, 1), 60: Shape(1, 3, 1), 100: Shape(1, 1, 5), 1_000: Shape(2, 5, 5),
    10_000: Shape(5, 20, 5),
}  # fmt: skip


def planned(name: str, shape: Shape) -> tuple[Study, tuple[Target, ...], Plan]:
    """A study of that shape, its targets and its plan."""
    targets = tuple(
        Target(name=f"host{n}") if n else Target(name="local-cpu") for n in range(shape.targets)
    )
    kinds = [{"kind": "single_stream"}]
    if shape.batches > 1:
        kinds.append({"kind": "offline", "batch": [2**n for n in range(1, shape.batches)]})
    study = decode(Study, {
        "name": name, "targets": [t.name for t in targets],
        "variants": list(VARIANTS[: shape.variants]), "threads": list(THREADS[: shape.threads]),
        "scenarios": kinds, "objectives": ["p50", "accuracy"],
        "models": [{"name": f"m{n:02}", "onnx": f"m{n:02}.onnx"} for n in range(shape.models)],
        "data": {"file": "rows.npz", "labels": "labels"},
        "slo": {"p99": "200ms", "max_drop": "3pp"},
    })  # fmt: skip
    plan = make_plan(study, targets, Known(facts={t.name: FACTS for t in targets}))
    assert len(plan.trials) == shape.trials, len(plan.trials)
    return study, targets, plan


def make(
    folder: Path, shape: Shape, *, rounds: int = 10, blocks: int = 5, queries: int = 40,
    rows: int = 500, classes: int = 10, seed: int = 0,
) -> Path:  # fmt: skip
    """Write a folder as a run would have left it: every query, every prediction, all complete.

    Latencies have a bias of each process, noise of each query, and now and then a slow block.
    """
    rng = np.random.default_rng(seed)
    for name in ("facts", "raw", "outputs", "artifacts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    study, targets, plan = planned(folder.name, shape)
    models = [model.name for model in study.models]
    _json(folder / "meta.json", {
        "schema_version": SCHEMA_VERSION, "profiler": profiler.__version__, "study_hash": "0" * 64,
        "study": encode(study), "targets": encode(targets), "inputs": {},
        "created": "2026-01-15T10:24:00+00:00", "fingerprint": {"git": None},
    })  # fmt: skip
    _json(folder / "plan.json", encode(plan))
    labels, outputs = _predictions(folder, models, shape, rows, classes, rng)
    _artifacts(folder, models, shape, labels, rows, classes)
    facts = json.dumps(FACTS, sort_keys=True).encode()
    name = hashlib.sha256(facts).hexdigest()
    (folder / "facts" / f"{name}.json").write_bytes(facts)
    pace = {m: float(p) for m, p in zip(models, rng.uniform(0.5, 8.0, len(models)), strict=True)}
    with (folder / "rows.jsonl").open("w") as file:
        for group in plan.groups:
            for number in range(rounds):
                repetitions, timings = [], {}
                for trial in group.trials:
                    typical = 1e6 * pace[trial.model] * SPEED[trial.variant]
                    typical *= trial.batch**0.8 / trial.threads**0.7
                    found = _repetition(trial.id, number, typical, blocks, queries, rng)
                    repetition, latencies = found
                    if number == 0:
                        sent = {"scores": outputs[trial.model, trial.variant]}
                        repetition["outputs"] = sent
                    repetitions.append(repetition)
                    timings[trial.id] = (
                        [Block(**b) for b in repetition["blocks"]],
                        raw.Timings(latencies=latencies),
                    )
                where = f"raw/g{group.index}-r{number:04d}.parquet"
                raw.write(folder / where, timings)
                row = {
                    "schema_version": SCHEMA_VERSION, "kind": "round", "study_hash": "0" * 64,
                    "group": group.index, "target": group.target, "round": number, "seed": number,
                    "facts": name, "worker": "0" * 64,
                    "artifacts": {t.id: _sha(t.model, t.variant) for t in group.trials},
                    "elapsed_s": 12.0, "raw": where,
                    "stopped": "rounds" if number == rounds - 1 else None,
                    "repetitions": repetitions,
                }  # fmt: skip
                file.write(json.dumps(row) + "\n")
    return folder


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def _sha(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _repetition(trial, number, typical, blocks, queries, rng):
    bias = typical * np.exp(rng.normal(0.0, 0.01))
    noise = rng.normal(0.0, 0.03, (blocks, queries)) + rng.exponential(0.02, (blocks, queries))
    noise[rng.random(blocks) < 0.02] += 0.3
    latencies = np.maximum(1, bias * np.exp(noise)).astype(np.int64)
    made = [
        {"position": n, "queries": queries, "wall_ns": int(part.sum()), "cpu_ns": int(part.sum()),
         "run_delay_ns": 1000, "involuntary_switches": 0, "steal_ns": 0, "other_cpu_ns": 0}
        for n, part in enumerate(latencies)
    ]  # fmt: skip
    found = Repetition(
        trial=trial, round=number, status="ok", latencies=_sha(trial, number),
        load_ns=int(20 * bias), first_query_ns=int(3 * bias), warmup_ns=100_000_000,
        warmup_queries=50, warmup_level=True,
        memory=Memory(imports_bytes=60_000_000, loaded_bytes=70_000_000,
                      first_query_bytes=75_000_000, peak_bytes=80_000_000),
        providers=("CPUExecutionProvider",),
    )  # fmt: skip
    row = encode(found)
    row["blocks"] = [encode(Block(**b)) for b in made]
    return row, latencies.ravel()


def _predictions(folder, models, shape, rows, classes, rng):
    """sha of the labels, and of the scores of each model and variant."""
    truth = rng.integers(0, classes, rows)
    found = {}
    for model in models:
        base = rng.normal(0.0, 1.0, (rows, classes)).astype(np.float32)
        base[np.arange(rows), truth] += 6.0
        for variant in VARIANTS[: shape.variants]:
            scores = base + rng.normal(0.0, 0.02, base.shape).astype(np.float32)
            scores[rng.random(rows) < FLIPPED[variant]] *= -1
            found[model, variant] = keep_array(folder / "outputs", scores)
    return keep_array(folder / "outputs", truth), found


def _artifacts(folder, models, shape, labels, rows, classes):
    tensor = Tensor(name="x", dtype="float32", shape=("batch", 16))
    scores = Tensor(name="scores", dtype="float32", shape=("batch", classes))
    made = [
        Artifact(model=m, variant=v, sha=_sha(m, v), path=f"artifacts/{_sha(m, v)}.onnx",
                 bytes=1_000_000, inputs=(tensor,), outputs=(scores,), made_by={"recipe": v})
        for m in models for v in VARIANTS[: shape.variants]
    ]  # fmt: skip
    evaluation = Evaluation(
        labels=labels, rows=rows, task="classification", classes=classes, output="scores",
        data="0" * 64, numbers=keep_array(folder / "outputs", np.arange(rows)),
    )  # fmt: skip
    _json(folder / "artifacts.json", {
        "artifacts": encode(made), "failed": [], "inputs": {}, "fixed_batch": {},
        "evaluation": encode(evaluation),
    })  # fmt: skip
