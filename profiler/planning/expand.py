"""From a study to its trials, and the exclusions that can be known before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from profiler.schema.plan import Exclusion, Trial
from profiler.schema.study import ModelSpec, ScenarioSpec, Study, VariantSpec
from profiler.schema.target import Target

SHIPPED = {
    "MIGraphXExecutionProvider": ("migraphx", "onnxruntime-migraphx"),
    "QNNExecutionProvider": ("qnn", "onnxruntime onnxruntime-qnn"),
    "WebGpuExecutionProvider": ("webgpu", "onnxruntime onnxruntime-ep-webgpu"),
    "OpenVINOExecutionProvider": ("openvino-cpu", "onnxruntime-openvino"),
    "CUDAExecutionProvider": ("cuda", "'onnxruntime-gpu[cuda,cudnn]'"),
    "TensorrtExecutionProvider": ("tensorrt", "'onnxruntime-gpu[cuda,cudnn]' 'tensorrt-cu13<11'"),
}
"""Provider -> (target file that installs it, packages that have it)."""
OWN_BUILD = {
    "XnnpackExecutionProvider": "--use_xnnpack",
    "ACLExecutionProvider": "--use_acl",
    "DnnlExecutionProvider": "--use_dnnl",
}
"""Provider -> option of onnxruntime's build script; no published wheel has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known besides the study. Empty tables: nothing is known yet."""

    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """target -> facts found there"""
    fixed_batch: Mapping[str, int] = field(default_factory=dict)
    """model -> samples a query, where the model's file fixes it"""
    failed_variants: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(model, variant) -> why it could not be made"""


def trial_id(model: str, variant: str, target: str, scenario: str, batch: int, threads: int) -> str:
    """The readable name of a trial, unique within a study."""
    return f"{model}/{variant}@{target}/{scenario}/b{batch}/t{threads}"


def expand(
    study: Study, targets: tuple[Target, ...], known: Known
) -> tuple[tuple[Trial, ...], tuple[Exclusion, ...]]:
    """All trials in the study's order, and those left out with their reasons."""
    kept: list[Trial] = []
    left: list[Exclusion] = []
    for target in targets:
        for trial, model, variant in _all(study, target, known):
            exclusion = _exclude(study, target, trial, model, variant, known)
            if exclusion is None:
                kept.append(trial)
            else:
                left.append(exclusion)
    return tuple(kept), tuple(left)


def _all(
    study: Study, target: Target, known: Known
) -> Iterator[tuple[Trial, ModelSpec, VariantSpec]]:
    for model in study.models:
        for scenario, batch, threads in _configurations(study, target, known, model):

            def name(
                variant: str,
                s: ScenarioSpec = scenario,
                b: int = batch,
                t: int = threads,
                m: str = model.name,
            ) -> str:
                return trial_id(m, variant, target.name, s.kind, b, t)

            variants = study.variants_of(model)
            for variant in variants:
                yield (
                    Trial(
                        id=name(variant.name),
                        model=model.name,
                        variant=variant.name,
                        recipe=variant.recipe or variant.name,
                        target=target.name,
                        provider=target.provider,
                        threads=threads,
                        scenario=scenario.kind,
                        batch=batch,
                        baseline=name(variants[0].name),
                    ),
                    model,
                    variant,
                )


def _configurations(
    study: Study, target: Target, known: Known, model: ModelSpec
) -> Iterator[tuple[ScenarioSpec, int, int]]:
    """Scenario, batch and threads. One query of a fixed-batch model is that many samples."""
    cores = known.facts.get(target.name, {}).get("usable_cores") or target.declares.cores or 1
    for scenario in study.scenarios:
        single = scenario.kind == "single_stream"
        for batch in (known.fixed_batch.get(model.name, 1),) if single else scenario.batch:
            for threads in study.threads or (cores,):
                yield scenario, batch, threads


def _not_torch(
    model: ModelSpec, variant: VariantSpec, facts: Mapping[str, Any]
) -> tuple[str, str] | None:
    """(why PyTorch can't be the backend of a trial, what to do), or None."""
    if model.torch is None:
        return (
            "PyTorch runs a model from its source; this one is an ONNX file",
            'name the source: torch = "module:callable"',
        )
    if variant.recipe != "fp32":
        return (
            f"PyTorch runs the module as it came; {variant.name} exists as an ONNX file only",
            "compare it on an onnxruntime target",
        )
    if facts and not facts.get("torch"):
        return "torch is not installed on the target", "pip install 'hardware-profiler[torch]'"
    return None


def _absent(target: Target, facts: Mapping[str, Any]) -> str:
    """Why the provider is not there: no package, a broken plug-in, or no hardware for it."""
    if target.plugin is None:
        return f"{target.provider} is not in the target's onnxruntime"
    if facts.get("plugin_error"):
        return f"{target.plugin}: {facts['plugin_error']}"
    vendors = sorted({d["device_vendor"] for d in facts.get("ep_devices", ())})
    return (
        f"{target.provider} is installed ({target.plugin}) but offers no device on this machine"
        f" (hardware: {', '.join(vendors) or 'unknown'})"
    )


def _provider_hint(target: Target, providers: Sequence[str]) -> str:
    """What it has, and the shipped target file that would install what was asked."""
    has = f"it has {', '.join(providers)}"
    shipped = SHIPPED.get(target.provider)
    if target.provider in OWN_BUILD:
        return (
            f"{has}; build onnxruntime with {OWN_BUILD[target.provider]} --build_wheel, install"
            ' it, and name that interpreter: python = "…"'
        )
    if target.runtime is not None or shipped is None:
        return has
    name, package = shipped
    return f'{has}; use targets = ["{name}"], or pip install {package} in its Python'


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
    providers = facts.get("providers")
    if variant.recipe == "int8-static" and study.data is None:
        return Exclusion(
            trial=trial,
            reason="int8-static needs rows to calibrate with",
            hint='add [data] with file = "rows.npz" to the study',
        )
    if failed is not None:
        return Exclusion(trial=trial, reason=failed)
    if target.backend == "onnxruntime" and providers is not None:
        if not facts.get("onnxruntime"):
            return Exclusion(
                trial=trial,
                reason="onnxruntime is not installed on the target",
                hint="pip install onnxruntime (in the target's Python)",
            )
        if trial.provider not in providers:
            return Exclusion(
                trial=trial,
                reason=_absent(target, facts),
                hint=_provider_hint(target, providers),
            )
    if target.backend == "torch" and (reason := _not_torch(model, variant, facts)) is not None:
        return Exclusion(trial=trial, reason=reason[0], hint=reason[1])
    if cores is not None and trial.threads > cores:
        return Exclusion(
            trial=trial,
            reason=f"{trial.threads} threads asked, {cores} usable cores found",
            hint=f"threads = [{cores}]",
        )
    if fixed is not None and trial.batch != fixed:
        return Exclusion(
            trial=trial,
            reason=f"the model's batch is fixed at {fixed}",
            hint="export it with a dynamic batch dimension",
        )
    return None
