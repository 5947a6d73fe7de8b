"""From a study to its trials, and the exclusions that can be known before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any

from profiler.errors import InputError
from profiler.planning.lacking import lacks, not_torch
from profiler.planning.loadable import Format, too_new
from profiler.schema.device.cores import KINDS, resolve
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Exclusion, Trial
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.recipes import EXACT
from profiler.schema.study.study import Study
from profiler.schema.study.sweep import setting_name
from profiler.schema.study.variant import VariantSpec
from profiler.units import format_duration, parse_cpus
from profiler.wire.codec import show
from profiler.wire.providers import CPU
from profiler.wire.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known besides the study. Empty tables: nothing is known yet."""

    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """target -> facts found there"""
    fixed_batch: Mapping[str, int] = field(default_factory=dict)
    """model -> samples a query, where the model's file fixes it"""
    failed_variants: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(model, variant) -> why it could not be made"""
    formats: Mapping[tuple[str, str], Format] = field(default_factory=dict)
    """(model, variant) -> how new its file is"""
    symbolic: Mapping[str, Collection[str]] = field(default_factory=dict)
    """model -> names of its symbolic dimensions"""
    yardstick: bool = True
    """whether its file is there: a folder that was begun without one goes on without one"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything of a trial but its model, variant and target."""

    scenario: str
    batch: int
    threads: int
    concurrency: int = 1
    gap_ns: int = 0
    rate: float | None = None
    starts: int = 3
    cache: str = "warm"
    optimization: str = "all"
    affinity: str = ""
    cpus: tuple[int, ...] = ()
    arena: bool = True
    memory_limit: str = ""
    session_options: dict[str, str] = field(default_factory=dict)
    provider_options: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)

    def name(self) -> str:
        """What differs from the plain case, readable: 'single_stream/b1/t2/opt-basic'."""
        parts = [self.scenario, f"b{self.batch}", f"t{self.threads}"]
        if self.concurrency > 1:
            parts.append(f"c{self.concurrency}")
        if self.cache != "warm":
            parts.append(f"{self.cache}-cache")
        if self.gap_ns:
            parts.append(f"gap-{format_duration(self.gap_ns).replace(' ', '')}")
        if self.rate is not None:
            parts.append(f"rate-{self.rate:g}")
        if self.optimization != "all":
            parts.append(f"opt-{self.optimization}")
        if self.affinity:
            parts.append(f"cpu-{self.affinity}")
        if not self.arena:
            parts.append("no-arena")
        if self.memory_limit:
            parts.append(f"mem-{self.memory_limit}")
        swept = (self.shapes, self.session_options, self.provider_options)
        parts += [setting_name(entries) for entries in swept if entries]
        return "/".join(parts)


def expand(
    study: Study, targets: tuple[Target, ...], known: Known
) -> tuple[tuple[Trial, ...], tuple[Exclusion, ...]]:
    """All trials in the study's order, and those left out with their reasons.

    Raises InputError where two would have one name: one of them would be lost.
    """
    kept: list[Trial] = []
    left: list[Exclusion] = []
    named: dict[str, Trial] = {}
    for target in targets:
        for trial, model, variant in _all(study, target, known):
            if (other := named.setdefault(trial.id, trial)) is not trial:
                raise _of_one_name(other, trial)
            exclusion = _exclude(study, target, trial, model, variant, known)
            if exclusion is None:
                kept.append(trial)
            else:
                left.append(exclusion)
    return tuple(kept), tuple(left)


def _of_one_name(one: Trial, other: Trial) -> InputError:
    differs = (f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name))
    key = next(differs, None)
    if key is None:
        return InputError(f"{one.id}: is asked for twice", hint="take one of them out of the study")
    values = f"{show(getattr(one, key))} and {show(getattr(other, key))}"
    return InputError(
        f"{one.id}: two trials would have this name, with {key} {values}",
        hint="choose values that differ in their first three digits, or in their letters",
    )


def _all(
    study: Study, target: Target, known: Known
) -> Iterator[tuple[Trial, ModelSpec, VariantSpec]]:
    for model in study.models:
        variants = study.variants_of(model)
        for configuration in _configurations(study, target, known, model):
            where = f"@{target.name}/{configuration.name()}"
            for variant in variants:
                if variant.targets and target.name not in variant.targets:
                    continue
                swept = {f.name: getattr(configuration, f.name) for f in fields(configuration)}
                if variant.strict:
                    swept["session_options"] = {**configuration.session_options, EXACT: "1"}
                trial = Trial(
                    id=f"{model.name}/{variant.name}{where}",
                    model=model.name,
                    variant=variant.name,
                    recipe=variant.recipe or variant.name,
                    target=target.name,
                    provider=target.provider,
                    baseline=f"{model.name}/{variants[0].name}{where}",
                    **swept,
                )
                yield trial, model, variant


def _configurations(
    study: Study, target: Target, known: Known, model: ModelSpec
) -> Iterator[Configuration]:
    """Every setting. One query of a fixed-batch model is that many samples."""
    cores = known.facts.get(target.name, {}).get("usable_cores") or target.declares.cores or 1
    fixed = known.fixed_batch.get(model.name)
    for scenario in study.scenarios:
        sizes = scenario.batch
        if fixed is not None and not SCENARIOS[scenario.kind].compares_batches:
            sizes = (fixed,)
        for batch, concurrency, cache, threads in product(
            sizes, scenario.concurrency, scenario.cache, study.threads or (None,)
        ):
            for settings in _settings(study, target, known, model):
                cpus: tuple[int, ...] = ()
                if settings["affinity"] in KINDS:
                    cpus, _ = resolve(settings["affinity"], known.facts.get(target.name, {}))
                yield Configuration(
                    scenario=scenario.kind,
                    batch=batch,
                    threads=threads or len(cpus) or cores,
                    cpus=cpus,
                    concurrency=concurrency,
                    gap_ns=scenario.gap,
                    rate=None if scenario.rate == "max" else scenario.rate,
                    starts=scenario.starts,
                    cache=cache,
                    **settings,
                )


def _settings(
    study: Study, target: Target, known: Known, model: ModelSpec
) -> Iterator[dict[str, Any]]:
    """Every combination of what [sweep] lists."""
    sweep = study.sweep
    lists: dict[str, Sequence[Any]] = {
        "optimization": sweep.optimization,
        "affinity": sweep.affinity,
        "arena": sweep.arena,
        "memory_limit": sweep.memory_limit,
        "session_options": sweep.session_options or ({},),
        "provider_options": _provider_options(study, target),
        "shapes": _shapes(study, model, known),
    }
    for values in product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def _provider_options(study: Study, target: Target) -> tuple[dict[str, str], ...]:
    """The swept sets, where the target's provider takes options."""
    takes = target.backend == "onnxruntime" and target.provider != CPU
    return (takes and study.sweep.provider_options) or ({},)


def _shapes(study: Study, model: ModelSpec, known: Known) -> list[dict[str, int]]:
    """The swept sizes of dimensions that the model has; each set once."""
    own = known.symbolic.get(model.name)
    found = [
        {name: size for name, size in sizes.items() if own is None or name in own}
        for sizes in study.sweep.shapes
    ]
    return [sizes for i, sizes in enumerate(found) if sizes not in found[:i]] or [{}]


def _not_of_kind(trial: Trial, facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """(why a trial can't be kept on the kind of CPUs it names, what to do), or None."""
    kind = trial.affinity
    _, reason = resolve(kind, facts)
    if reason is not None:
        return f'affinity "{kind}": {reason}', 'affinity = ["all"], or CPU numbers'
    if trial.cpus and trial.threads > len(trial.cpus):
        named = ", ".join(map(str, trial.cpus))
        return (
            f'affinity "{kind}": {trial.threads} threads asked, {len(trial.cpus)} such CPUs found'
            f" ({named})",
            f"threads = [{len(trial.cpus)}], or leave threads out: as many as each kind has",
        )
    return None


def _exclude(
    study: Study,
    target: Target,
    trial: Trial,
    model: ModelSpec,
    variant: VariantSpec,
    known: Known,
) -> Exclusion | None:
    facts = known.facts.get(target.name, {})
    if facts.get("unavailable"):
        return Exclusion(
            trial=trial, reason=facts["unavailable"], hint=facts.get("unavailable_hint")
        )
    failed = known.failed_variants.get((model.name, variant.name))
    cores, fixed = facts.get("usable_cores"), known.fixed_batch.get(model.name)
    if variant.needs_rows and study.data is None:
        return Exclusion(
            trial=trial,
            reason=f"{variant.name} needs rows to calibrate with",
            hint='add [data] with file = "rows.npz" to the study',
        )
    if failed is not None:
        return Exclusion(trial=trial, reason=failed)
    reason = not_torch(model, variant) if target.backend == "torch" else None
    if (reason := reason or lacks(target, facts)) is not None:
        return Exclusion(trial=trial, reason=reason[0], hint=reason[1])
    made = known.formats.get((model.name, variant.name))
    if made is not None and target.backend == "onnxruntime" and (new := too_new(made, facts)):
        return Exclusion(trial=trial, reason=new[0], hint=new[1])
    if not trial.arena and target.backend != "onnxruntime":
        return Exclusion(
            trial=trial,
            reason=f"the arena is ONNX Runtime's; {target.backend} has none to switch off",
        )
    if cores is not None and trial.threads > cores:
        return Exclusion(
            trial=trial,
            reason=f"{trial.threads} threads asked, {cores} usable cores found",
            hint=f"threads = [{cores}]",
        )
    usable = facts.get("usable_cpus")
    if trial.affinity in KINDS and (kind := _not_of_kind(trial, facts)) is not None:
        return Exclusion(trial=trial, reason=kind[0], hint=kind[1])
    if trial.affinity not in ("", "all") and usable is None and "usable_cpus" in facts:
        return Exclusion(
            trial=trial,
            reason="affinity: not available, its system keeps no process on chosen CPUs",
            hint="leave affinity out of [sweep]",
        )
    limited = trial.memory_limit or study.measure.memory_limit or target.memory_limit
    if limited and not facts.get("can_limit_memory", True):
        return Exclusion(
            trial=trial,
            reason="memory limits: not available, its system limits no process's memory",
            hint="leave memory_limit out",
        )
    numbers = () if trial.affinity in KINDS else parse_cpus(trial.affinity)
    if usable is not None and (gone := set(numbers) - set(usable)):
        return Exclusion(
            trial=trial,
            reason=f"CPU {min(gone)} is not usable there",
            hint=f"usable CPUs: {', '.join(map(str, usable))}",
        )
    if fixed is not None and trial.batch != fixed:
        return Exclusion(
            trial=trial,
            reason=f"the model's batch is fixed at {fixed}",
            hint="export it with a dynamic batch dimension",
        )
    return None
