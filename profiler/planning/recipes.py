"""Which recipes suit which processor, and what to say of those that don't.

ONNX Runtime's own advice for 8-bit models (docs, "Quantize ONNX models"): x86 with VNNI takes
U8S8; x86 without it adds pairs of u8 × s8 products in 16 bits, which saturate, hence
reduce_range; Arm takes S8S8. Published for one and the same ResNet-50 file: 74.8 % with VNNI,
69.0 % without.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional

from profiler.schema.artifact import Artifact, Saturable
from profiler.schema.columns import Row
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Trial
from profiler.schema.study.recipes import EXACT, RECIPES, TOO_NOISY_DB
from profiler.schema.study.study import Study
from profiler.schema.study.variant import AUTO, VariantSpec
from profiler.wire.providers import CPU, known

Cpu = Literal["x86-vnni", "x86", "arm", "unknown"]
_VNNI = ("avx512_vnni", "avx_vnni", "amx_int8")
_ARM_HALF = "asimdhp"


def cpu_kind(facts: Mapping[str, Any]) -> Cpu:
    """What is known of 8-bit products: what the runtime answered there, else what flags say."""
    architecture = str(facts.get("architecture") or "").lower()
    if architecture.startswith(("aarch64", "arm")):
        return "arm"
    if architecture in ("x86_64", "amd64", "i686"):
        saturates = facts.get("int8_saturates")
        if saturates is not None:
            return "x86" if saturates else "x86-vnni"
        flags = facts.get("cpu_flags") or ()
        return "x86-vnni" if any(flag in flags for flag in _VNNI) else "x86"
    return "unknown"


def suited(target: Target, facts: Mapping[str, Any]) -> tuple[VariantSpec, ...]:
    """What `auto` stands for on one target, each with the reason."""
    if known(target.provider).half:
        why = f"{target.provider} computes in half precision"
        return (dataclasses.replace(VariantSpec.from_text("fp16"), why=f"auto: {why}"),)
    if target.provider != CPU:
        return ()
    kind = cpu_kind(facts)
    chosen: dict[str, str] = {}
    if kind == "x86-vnni":
        flags = facts.get("cpu_flags") or ()
        flag = next((flag for flag in _VNNI if flag in flags), "no saturation")
        chosen["int8-static:u8s8"] = f"{flag} found: u8 × s8 products are exact and fastest"
        chosen["int8-dynamic:s8"] = f"{flag} found: u8 × s8 products are exact and fastest"
    elif kind == "x86":
        why = "x86 without VNNI: u8 × s8 sums saturate in 16 bits unless they are made exact"
        chosen["int8-static:u8s8-strict"] = why
        chosen["int8-dynamic:s8-strict"] = why
        why = "the same file without the option: faster, and its sums may saturate"
        chosen["int8-static:u8s8"] = why
        chosen["int8-dynamic:s8"] = why
    elif kind == "arm":
        chosen["int8-static:s8s8"] = "Arm: its dot products take signed by signed"
        chosen["int8-dynamic:s8"] = "Arm: signed weights"
        if _ARM_HALF in (facts.get("cpu_flags") or ()):
            chosen["fp16"] = f"{_ARM_HALF} found: half precision is computed natively"
    else:
        chosen["int8-static:u8s8"] = "processor unknown: ONNX Runtime's default"
        chosen["int8-dynamic:s8"] = "processor unknown: ONNX Runtime's default"
    return tuple(
        dataclasses.replace(VariantSpec.from_text(text), why=f"auto: {why}")
        for text, why in chosen.items()
    )


def resolve(
    study: Study, targets: Mapping[str, Target], facts: Mapping[str, Mapping[str, Any]]
) -> Study:
    """The study with `auto` replaced by what suits each of its targets.

    A recipe that the study names itself is not added again. Equal picks of several targets become
    one variant, measured only on the targets that picked it.
    """
    if not any(v.recipe == AUTO for v in study.every_variant):
        return study

    def replaced(variants: tuple[VariantSpec, ...]) -> tuple[VariantSpec, ...]:
        kept = [v for v in variants if v.recipe != AUTO]
        if len(kept) == len(variants):
            return variants
        asked = next(v for v in variants if v.recipe == AUTO)
        picked: dict[str, VariantSpec] = {}
        for name in asked.targets or study.targets:
            for spec in suited(targets[name], facts.get(name, {})):
                before = picked.get(spec.name)
                where = (*(before.targets if before else ()), name)
                picked[spec.name] = dataclasses.replace(before or spec, targets=where)
        there = {_settings(v) for v in kept}
        new = [v for v in picked.values() if _settings(v) not in there]
        taken = {v.name for v in kept}
        new = [dataclasses.replace(v, name=f"auto-{v.name}") if v.name in taken else v for v in new]
        return (*kept, *new)

    made = dataclasses.replace(
        study,
        variants=replaced(study.variants),
        models=tuple(
            dataclasses.replace(m, variants=replaced(m.variants)) if m.variants else m
            for m in study.models
        ),
    )
    object.__setattr__(made, "folder", study.folder)
    return made


def _settings(spec: VariantSpec) -> VariantSpec:
    return dataclasses.replace(spec, name="x", targets=(), why=None)


def at_risk(
    saturable: Optional[Sequence[Saturable]],
    target: Target,
    facts: Mapping[str, Any],
    options: Mapping[str, str],
) -> Optional[int]:
    """How many products of a file can saturate on this target under these session options.

    0: none can there; None: not known, since nobody looked at the file or at the processor.
    """
    if target.provider != CPU or target.backend != "onnxruntime":
        return None
    kind = cpu_kind(facts)
    if kind != "x86":
        return None if kind == "unknown" else 0
    if options.get(EXACT) == "1":
        return 0
    return None if saturable is None else len(saturable)


def _saturation(recipe: Optional[str], saturable: Sequence[Saturable]) -> str:
    """What can saturate, and what to type instead."""
    worst = max(saturable, key=lambda node: node.worst_sum)
    many = f"{len(saturable)} products" if len(saturable) > 1 else "1 product"
    ours = recipe in ("int8-static", "int8-dynamic")
    ways = []
    if not any(node.shared for node in saturable):  # else ONNX Runtime does not open the file
        ways.append(f"{recipe}:strict" if ours else f'session_options {{ "{EXACT}" = "1" }}')
    ways += [f"{recipe}:reduce"] if ours else []
    return (
        f"{many} can saturate on this processor (x86 without VNNI adds pairs of u8 × s8 in 16"
        f" bits), worst {worst.operator} {worst.node} in {worst.channels} of {worst.of_channels}"
        f" channels, and accuracy may collapse: use {' or '.join(ways) or '7-bit weights'}"
    )


def advice(
    made_by: Mapping[str, str],
    target: Target,
    facts: Mapping[str, Any],
    saturable: Optional[Sequence[Saturable]] = None,
    options: Optional[Mapping[str, str]] = None,
) -> Optional[str]:
    """What speaks against this variant on this target's processor; None where nothing does.

    `options` are the trial's session options (default: the target's); `saturable` is what a look
    at the file found. Where nobody looked, the recipe decides.
    """
    if target.provider != CPU:
        return None
    recipe, kind = made_by.get("recipe"), cpu_kind(facts)
    options = target.session_options if options is None else options
    said = []
    if saturable and at_risk(saturable, target, facts, options):
        said.append(_saturation(recipe, saturable))
    if recipe in ("fp16", "bf16"):
        native = kind == "arm" and _ARM_HALF in (facts.get("cpu_flags") or ())
        if not native and kind != "unknown":
            said.append(
                f"{recipe} is computed in float32 between casts on this processor: no gain expected"
            )
    if recipe not in ("int8-static", "int8-dynamic"):
        return "; ".join(said) or None
    signed = made_by.get("activations") == "int8"
    reduced = made_by.get("reduce_range") == "true"
    mixed = not signed and made_by.get("weights") == "int8" and not reduced
    if saturable is None and kind == "x86" and mixed and options.get(EXACT) != "1":
        said.append(
            "u8 × s8 sums saturate on this processor (x86 without VNNI), accuracy may collapse:"
            f" use {recipe}:{'u8s8' if recipe == 'int8-static' else 's8'}-strict"
        )
    if kind.startswith("x86") and signed:
        said.append("s8 × s8 is slow on x86: use int8-static:u8s8")
    if kind == "x86-vnni" and reduced:
        said.append("7-bit weights lose accuracy for nothing on a processor with VNNI")
    if kind == "arm" and recipe == "int8-static" and not signed:
        said.append("Arm takes signed activations: use int8-static:s8s8")
    if recipe == "int8-dynamic" and int(made_by.get("convolutions", "0")) > 0:
        said.append("convolutions become ConvInteger, slower than float on most processors")
    return "; ".join(said) or None


def damage(made_by: Mapping[str, str], sqnr_db: Optional[float]) -> Optional[str]:
    """What to type instead of a variant far noisier than its bits explain; None elsewhere."""
    recipe = made_by.get("recipe", "")
    entry = RECIPES.get(recipe)
    least = None if entry is None else entry.least_db
    if entry is None or sqnr_db is None or least is None or sqnr_db >= least:
        return None
    much = f"its bits explain {least:.0f} dB or more"
    if sqnr_db < TOO_NOISY_DB:
        much = "too little to use"
    said = f"outputs only {sqnr_db:.1f} dB above their quantization noise (SQNR), {much}"
    if recipe == "int8-static" and made_by.get("quantized", "all") == "all":
        return f"{said}: try int8-static:linear or int8-dynamic"
    return f"{said}: {entry.quieter}"


def advised(
    artifact: Artifact, trial: Trial, target: Target, facts: Mapping[str, Any], sqnr_db: Any
) -> Row:
    """A row's columns `saturable` and `advice`: what processor and outputs say against it."""
    options = {**target.session_options, **trial.session_options}
    said = (
        advice(artifact.made_by, target, facts, artifact.saturable, options),
        damage(artifact.made_by, sqnr_db),
    )
    return {
        "saturable": at_risk(artifact.saturable, target, facts, options),
        "advice": "; ".join(text for text in said if text) or None,
    }
