"""Why a target can't run where it is, and what to type: for plans, lists and `targets doctor`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from profiler.planning.unusable import unusable
from profiler.schema.device.target import Target
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.variant import VariantSpec
from profiler.wire.providers import X86, Place, known

Why = tuple[str, str]
"""(reason, what to do about it)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a look at a machine's files tells of it, before anything is started there."""

    system: str
    """Linux or Darwin"""
    architecture: str
    intel: bool
    """whether its processor is Intel's"""
    gpu: bool
    """whether a driver of any GPU is there"""
    rocm: bool
    """whether AMD's driver for computing is there"""


def _here(place: Place, machine: Machine) -> bool:
    """Whether a machine is where a provider runs."""
    return (
        place.system in (None, machine.system)
        and (not place.architectures or machine.architecture in place.architectures)
        and (place.driver != "gpu" or machine.gpu)
        and (place.driver != "rocm" or machine.rocm)
    )


def elsewhere(target: Target, machine: Machine) -> Why | None:
    """Why a local target is for other machines than this one, and where to run it; None: it may
    run here.
    """
    provider = known(target.provider)
    place = provider.place
    if place is not None and not _here(place, machine):
        absent = place.absent.format(system=machine.system, architecture=machine.architecture)
        return absent, place.advice
    runtime = target.runtime
    usual = runtime is not None and runtime.extra_index is None and target.wheels is None
    if usual and provider.only_x86_wheels and machine.architecture not in X86:
        return (
            f"its packages are for x86-64 processors; this one is {machine.architecture}",
            "run it on an x86-64 Linux machine, or name your vendor's index: [runtime]"
            ' extra_index = "https://…"',
        )
    if (target.plugin, target.device) == ("onnxruntime_ep_openvino", "CPU") and not machine.intel:
        return (
            "the OpenVINO plug-in offers Intel's devices only; this processor is another's",
            "target openvino-cpu runs on x86-64 processors of any maker",
        )
    return None


def lacks(target: Target, facts: Mapping[str, Any]) -> Why | None:
    """What a target's interpreter lacks by what its worker found there; None where all is there."""
    if target.backend == "torch" and facts and not facts.get("torch"):
        return "torch is not installed on the target", "pip install 'hardware-profiler[torch]'"
    providers = facts.get("providers")
    if target.backend != "onnxruntime" or providers is None:
        return None
    if (broken := unusable(facts)) is not None:
        return broken
    if target.provider not in providers:
        return _absent(target, facts), _provider_hint(target, providers)
    return None


def brought_lacks(target: Target) -> Why | None:
    """What would still be missing with the onnxruntime that is brought to devices without one.

    The user's own wheels may hold any.
    """
    if known(target.provider).brought or target.wheels is not None:
        return None
    return (
        f"{target.provider} is not in the onnxruntime that can be brought to a device",
        "install an onnxruntime there that has it, and set `python` in the target file to the"
        " interpreter that has that",
    )


def not_torch(model: ModelSpec, variant: VariantSpec) -> Why | None:
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
    provider = known(target.provider)
    if provider.build is not None:
        return (
            f"{has}; build onnxruntime with {provider.build} --build_wheel, install"
            ' it, and name that interpreter: python = "…"'
        )
    if target.runtime is not None or provider.packages is None:
        return has
    install = f"pip install {provider.packages} in its Python"
    if target.transport == "ssh":
        return f"{has}; {install}"
    return f'{has}; use targets = ["{provider.target}"], or {install}'
