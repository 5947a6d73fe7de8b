"""Where the time goes: traces of a study's trials, taken once on the target and then kept.

    traces/TRIAL.json        ONNX Runtime's trace; opens in ui.perfetto.dev and chrome://tracing
    traces/TRIAL.meta.json   of which artifact and device, and the latencies without the profiler

A trace is never a result: the profiler slows down every node. How slow a trial is comes from its
rounds; how that time is divided comes from here.

A results folder may come from somebody else, so nothing it names is run, loaded or connected to:
a trace is taken on the reader's own target of that name, and a torch source runs only where the
reader said yes to it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from profiler.analysis.choice import across
from profiler.devices.jobs import make_job
from profiler.devices.session import TRACE_BYTES, Session, open_session
from profiler.errors import InputError, ResultsError, StudyError, WorkerError
from profiler.explain.compare import Difference, differences
from profiler.explain.diagnose import Case, Diagnosis, Setting, diagnose
from profiler.explain.profile import Profile, parse
from profiler.progress import Progress, Silent
from profiler.results.results import Results
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import find_target, known_targets
from profiler.schema.record.plan import Trial
from profiler.sources.inspect import external_tensors
from profiler.store import reading
from profiler.store.files import write_atomic, writing
from profiler.wire.codec import DecodeError, decode, encode, nearest, show
from profiler.wire.messages import Trace, TraceRequest
from profiler.wire.whole import making

EVENTS = 40_000
"""Events aimed at in one trace, about 16 MB: graphs of many nodes get fewer queries."""
MOST_QUERIES, LEAST_QUERIES = 60, 10
Allow = Callable[[str], None]
"""told of a torch source ('module:callable') before it runs; raises where it must not"""
_PLACE = re.compile(r"[/\\]|\.(so|dll|dylib|onnx)\b|path|file|folder|lib|dir(_|$)", re.IGNORECASE)
"""an option's name or value that could mean a file: providers load libraries by such options"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One trial: its profile, its causes, and how it differs from its baseline."""

    trial: str
    trace: Path
    profile: Profile
    diagnoses: tuple[Diagnosis, ...]
    baseline: Optional[str] = None
    baseline_profile: Optional[Profile] = None
    ratio: Optional[float] = None
    """p50 over the baseline's p50 as measured in the rounds, not in the traces"""
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()


def select(results: Results, what: str | None) -> tuple[Trial, ...]:
    """Trials called `what`: an id, 'model/variant', a variant or a model; None is all of them.

    Only trials with measurements count. Raises InputError with the nearest name.
    """
    measured = [row["trial"] for row in results.rows if row["status"] == "ok"]
    trials = [results.trials[name] for name in measured]
    if not trials:
        raise InputError(
            f"{results.folder}: no trial was measured, so there is nothing to explain",
            hint=f"profiler table {results.folder} shows why",
        )
    if what is None:
        return tuple(trials)
    found = tuple(t for t in trials if what in (t.id, f"{t.model}/{t.variant}", t.variant, t.model))
    if not found:
        names = [name for t in trials for name in (t.id, f"{t.model}/{t.variant}", t.variant)]
        known = ", ".join(dict.fromkeys(t.variant for t in trials))
        raise InputError(
            f"no measured trial, variant or model is called {what!r}",
            hint=nearest(what, dict.fromkeys(names)) or f"variants: {known}",
        )
    return found


def explain(
    results: Results,
    what: str | None = None,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
    allow: Allow | None = None,
) -> tuple[Explanation, ...]:
    """Explain trials; those without a trace (or all, if `fresh`) are traced on their target.

    The target is the reader's own of that name, never what the folder says of it. `allow` is asked
    before a torch source that the folder names is imported and run; without it none is.

    Raises InputError for an unknown name or a source that was not allowed, StudyError where the
    reader has no such target, TransportError where a target can't be reached, WorkerError where a
    model can't be traced.
    """
    trials = select(results, what)
    baselines = [results.trials[t.baseline] for t in trials if t.baseline in results.samples]
    needed = {t.id: t for t in (*trials, *baselines)}
    _trace(
        results, needed.values(), fresh=fresh, progress=progress or Silent(), allow=allow or _never
    )
    cases = {name: _read(results, trial) for name, trial in needed.items()}
    return tuple(_explained(results, trial, cases) for trial in trials)


def _place(results: Results, trial: str) -> Path:
    return results.folder / _name(trial, ".json")


def _name(trial: str, suffix: str) -> str:
    # Names hold no '~', so two trials never share a file.
    return f"traces/{trial.replace('/', '~')}{suffix}"


def _meta(results: Results, trial: Trial) -> Optional[dict[str, Any]]:
    """What is known of a stored trace, if it is whole and of this very artifact."""
    place = _place(results, trial.id)
    try:
        meta = reading.json_of(results.folder, _name(trial.id, ".meta.json"))
        artifact = results.prepared.artifacts[(trial.model, trial.variant)].sha
        return meta if place.is_file() and meta["artifact"] == artifact else None
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ResultsError) as error:
        raise ResultsError(
            f"{place.with_suffix('.meta.json')}: can't be read ({error})",
            hint="trace again: profiler explain --fresh",
        ) from None


def _trace(
    results: Results, trials: Iterable[Trial], *, fresh: bool, progress: Progress, allow: Allow
) -> None:
    wanted = [t for t in trials if fresh or _meta(results, t) is None]
    place = reading.inside(results.folder, "traces")  # a link would have us write elsewhere
    with writing(place):
        place.mkdir(exist_ok=True)
    targets = {}
    for name in dict.fromkeys(t.target for t in wanted):
        mine = [t for t in wanted if t.target == name]
        targets[name], path = _own_target(name)
        for trial in mine:
            _refuse_foreign(trial, targets[name], path)
        if targets[name].backend == "torch":
            for source in dict.fromkeys(_source(results, t) for t in mine):
                allow(source)
        progress.note(f"{name}: traced on your own target {path}, not as the results describe it")
    for name, target in targets.items():
        progress.stage(f"connecting to {name}")
        with open_session(target, progress.stage, progress.update) as session:
            for trial in (t for t in wanted if t.target == name):
                progress.stage(f"tracing {trial.id}")
                _trace_one(results, trial, target, session)


def _own_target(name: str) -> tuple[Target, Path]:
    """The reader's target called `name`, looked up as `run` does here, and its file."""
    here = Path.cwd()
    try:
        target = find_target(name, here)
    except StudyError as error:
        raise StudyError(
            f"{error.message}: a trace is taken on your own target of that name",
            hint=f"write targets/{name}.toml (profiler targets add makes one for ssh);"
            f" {error.hint or ''}".rstrip("; "),
        ) from None
    if target.backend == "null":
        raise InputError(
            f"{name}: the null backend has no operators to explain",
            hint="explain a trial of another target",
        )
    return target, known_targets(here)[name]


def _refuse_foreign(trial: Trial, target: Target, path: Path) -> None:
    """Whatever could load a library or write a file comes from the reader's target alone."""
    if trial.provider != target.provider:
        raise InputError(
            f"{trial.id}: was measured with {trial.provider}, but your target {path} has"
            f" {target.provider}",
            hint="explain it where its target means the same",
        )
    for part in ("provider_options", "session_options"):
        own = getattr(target, part)
        for key, value in getattr(trial, part).items():
            if own.get(key) != value and (_PLACE.search(key) or _PLACE.search(value)):
                raise InputError(
                    f"{trial.id}: {part} {key} = {show(value)} names a file, which explain takes"
                    " from nobody's folder",
                    hint=f"if you trust it, write it into [{part}] of {path}",
                )


def _source(results: Results, trial: Trial) -> str:
    """'module:callable' of a trial's model, as the folder names it."""
    model = next((m for m in results.study.models if m.name == trial.model), None)
    if model is None or model.torch is None:
        raise InputError(
            f"{trial.id}: the folder names no torch source of {trial.model}",
            hint="explain a trial of another target",
        )
    return model.torch


def _never(source: str) -> None:
    raise InputError(
        f"{source}: a torch source that a results folder names is not run unasked",
        hint="give explain(…, allow=…), or profiler explain --yes",
    )


def _trace_one(results: Results, trial: Trial, target: Target, session: Session) -> None:
    prepared = results.prepared
    job = make_job(trial, target, prepared, results.study)
    nodes = sum(_graph(results, trial).values())
    session.stage(files := prepared.files(results.folder, [job]), files)
    queries = max(LEAST_QUERIES, min(MOST_QUERIES, EVENTS // max(1, nodes)))
    found = session.trace(TraceRequest(job=job, queries=queries))
    if found.blob is None:
        raise WorkerError(f"{trial.id}: can't be traced: {found.reason}: {found.detail}")
    place = _place(results, trial.id)
    with writing(place), making(place) as part:
        session.fetch(found.blob, part, TRACE_BYTES)
        part.replace(place)
    facts = {key: session.facts.get(key) for key in across.COMPARED_FACTS}
    meta = {"artifact": job.artifact, "optimization": job.optimization, "facts": facts,
            "record": encode(found)}  # fmt: skip
    write_atomic(place.with_suffix(".meta.json"), json.dumps(meta, indent=1).encode())


def _graph(results: Results, trial: Trial) -> Mapping[str, int]:
    """Operator types in the model file, as it was before ONNX Runtime optimized it."""
    import onnx

    artifact = results.prepared.artifacts[(trial.model, trial.variant)]
    path = results.prepared.file(results.folder, artifact.sha)
    try:
        model = onnx.load(path, load_external_data=False)
        named = {e.value for t in external_tensors(model) for e in t.external_data
                 if e.key == "location"}  # fmt: skip
    except Exception as error:  # protobuf and the operating system raise many kinds
        raise ResultsError(f"{path}: can't be read ({error})") from None
    if strange := sorted(named - {*artifact.data}):
        raise ResultsError(
            f"{path}: takes its weights from {show(strange[0])}, which is not beside it in the"
            " results folder",
            hint="explain reads a model's weights from the results folder only",
        )
    return Counter(node.op_type for node in model.graph.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    profile: Profile
    setting: Setting
    warnings: tuple[str, ...]


def _read(results: Results, trial: Trial) -> _Read:
    meta = _meta(results, trial)
    assert meta is not None
    place = _place(results, trial.id)
    try:
        record = decode(Trace, meta["record"])
        profile = parse(
            reading.bytes_of(results.folder, _name(trial.id, ".json")),
            record.queries,
            record.plain_ns,
        )
    except (DecodeError, KeyError, ResultsError, OSError) as error:
        raise ResultsError(
            f"{place}: can't be used ({error})", hint="trace again: profiler explain --fresh"
        ) from None
    measured, traced = results.facts().get(trial.target, {}), meta["facts"]
    warnings = tuple(
        f"{trial.id}: measured with {key} {across.short(here)}, traced with {across.short(there)}"
        for key, here, there in across.differing_facts(measured, traced)
        if here is not None and key in traced
    )
    if profile.contradictory:
        warnings += (
            f"{trial.id}: the machine was busy while tracing, so shares are rough;"
            " --fresh traces again",
        )
    setting = Setting(
        threads=trial.threads,
        optimization=meta["optimization"],
        provider=trial.provider,
        architecture=traced.get("architecture") or "",
        graph=_graph(results, trial),
        one_thread_us=_one_thread_us(results, trial, profile.plain_us),
    )
    return _Read(profile=profile, setting=setting, warnings=warnings)


def _p50(results: Results, trial: str) -> Optional[float]:
    found = next((row["p50_ns"] for row in results.rows if row["trial"] == trial), None)
    return None if found is None else float(found)


def _one_thread_us(results: Results, trial: Trial, plain_us: float) -> Optional[float]:
    """Latency with one thread on the trace's scale: the measured ratio, from the rounds."""

    def alike(t: Trial) -> tuple[object, ...]:
        return t.model, t.variant, t.target, t.provider, t.scenario, t.batch

    for other in results.trials.values():
        if other.threads == 1 and trial.threads > 1 and alike(other) == alike(trial):
            one, mine = _p50(results, other.id), _p50(results, trial.id)
            return plain_us * one / mine if one and mine else None
    return None


def _explained(results: Results, trial: Trial, cases: Mapping[str, _Read]) -> Explanation:
    mine = cases[trial.id]
    other = None if trial.is_baseline else cases.get(trial.baseline)
    one, base = _p50(results, trial.id), _p50(results, trial.baseline)
    baseline = other.profile if other else None
    return Explanation(
        trial=trial.id,
        trace=_place(results, trial.id),
        profile=mine.profile,
        diagnoses=diagnose(Case(profile=mine.profile, setting=mine.setting, baseline=baseline)),
        baseline=trial.baseline if other else None,
        baseline_profile=baseline,
        ratio=one / base if other and one and base else None,
        differences=differences(mine.profile, baseline) if baseline else (),
        warnings=mine.warnings,
    )


def warnings(found: Sequence[Explanation]) -> tuple[str, ...]:
    """What a reader must know, each once."""
    return tuple(dict.fromkeys(text for one in found for text in one.warnings))
