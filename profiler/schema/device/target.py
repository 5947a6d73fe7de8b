"""A target: a device and how to reach it, one TOML file each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

from profiler.schema.device.cost import Cost
from profiler.schema.device.runtime import Runtime
from profiler.schema.device.ssh import SshSpec
from profiler.schema.limits import MAY_BE_EMPTY, MEMORY, PROSE, check, numbers
from profiler.wire.codec import DecodeError
from profiler.wire.providers import CPU, PROVIDERS, known

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_GPU = re.compile(r"[0-9]{1,3}|(GPU|MIG)-[0-9a-fA-F-]{8,64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> None:
    """Raise DecodeError for what can't be the name of a target, study, model or variant."""
    if not NAME.fullmatch(name):
        raise DecodeError("name", "letters, digits, '.', '_' and '-' (64 at most)", name)


Provider = str
TORCH = ("torch-eager", "torch-compile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the file says the device is; what is found there may differ, which is a warning."""

    architecture: Optional[str] = None
    cores: Optional[int] = field(default=None, metadata=numbers(1, 65_536))
    memory_gb: Optional[float] = field(default=None, metadata=numbers(0.001, 1_000_000))
    watts: Optional[float] = field(default=None, metadata=numbers(0.001, 1_000_000))

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """How an NVIDIA GPU is used."""

    select: str = "0"
    """index as nvidia-smi counts, or UUID"""
    binding: Literal["device", "host"] = "device"
    """device: without copies between host and GPU; host: with them, both ways"""
    tf32: bool = False
    cuda_graph: bool = False

    def __post_init__(self) -> None:
        if not _GPU.fullmatch(self.select):
            raise DecodeError("select", 'an index such as "0", or a UUID', self.select)
        if self.cuda_graph and self.binding == "host":
            raise DecodeError("cuda_graph", 'binding = "device" beside it', self.binding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device, the way to it, and the execution provider used there."""

    name: str
    description: str = field(default="", metadata=PROSE)
    transport: Literal["local", "ssh"] = "local"
    ssh: Optional[SshSpec] = None
    """how to reach it; stays out of results, which other people read"""
    backend: Literal["onnxruntime", "torch", "null"] = "onnxruntime"
    provider: Provider = CPU
    plugin: Optional[str] = None
    """module of a plug-in provider, in the target's environment; it is imported there"""
    device: Optional[Literal["CPU", "GPU", "NPU"]] = None
    """with a plug-in: which of the kinds of device it offers (default: the first it offers)"""
    provider_options: dict[str, str] = field(default_factory=dict, metadata=MAY_BE_EMPTY)
    session_options: dict[str, str] = field(default_factory=dict, metadata=MAY_BE_EMPTY)
    strict_provider: bool = False
    backend_options: dict[str, float] = field(default_factory=dict, metadata=numbers(0, 1e15))
    """null backend: sleep_ns, spin_ns and rehearsed faults"""
    memory_limit: Optional[int] = field(default=None, metadata=MEMORY)
    """most memory a trial may take there; going beyond is a result, not an error"""
    gpu: Optional[Gpu] = None
    """CUDA and TensorRT: which GPU and how it is used (default: the first, without copies)"""
    python: Optional[str] = None
    """interpreter of the worker; default: the one that runs profiler, over ssh `python3`. A path
    that is relative or begins with ~/ lies in the home folder there"""
    emulated: bool = False
    """a made-up device: its answers count, its times mean nothing for a real one"""
    wheels: Optional[str] = None
    """folder of wheels, beside this file, that stands for the package index: no network is asked"""
    runtime: Optional[Runtime] = None
    """packages of its own; then `python` is what their environment is made with"""
    cost: Optional[Cost] = None
    declares: Declared = field(default_factory=Declared)

    def __post_init__(self) -> None:
        check_name(self.name)
        check(self)
        if self.backend == "torch":
            if self.provider not in TORCH:
                expected = "one of " + ", ".join(TORCH) + ' (backend = "torch")'
                raise DecodeError("provider", expected, self.provider)
            if self.transport != "local":
                raise DecodeError(
                    "backend", "a local transport: torch needs the model's source", self.transport
                )
        if known(self.provider).gpu_options and self.plugin is None:
            object.__setattr__(self, "gpu", self.gpu or Gpu())
        elif self.gpu is not None:
            takes = ", ".join(name for name, entry in PROVIDERS.items() if entry.gpu_options)
            raise DecodeError("gpu", f"one of the providers {takes}", self.provider)
        if self.plugin is not None and not _MODULE.fullmatch(self.plugin):
            raise DecodeError("plugin", 'a module, e.g. "onnxruntime_ep_openvino"', self.plugin)
        if self.device is not None and self.plugin is None:
            raise DecodeError("device", "a plugin beside it", self.device)
        if self.transport == "local" and self.ssh is not None:
            raise DecodeError("transport", '"ssh", as there is an [ssh] table', self.transport)
        if self.wheels is not None and self.transport == "local" and self.runtime is None:
            expected = "[runtime] packages beside it, or an ssh target"
            raise DecodeError("wheels", expected, self.wheels)
        if self.transport == "ssh" and self.runtime is not None:
            expected = "nothing: packages of its own are for local targets"
            hint = "install them on the device and set `python` to the interpreter that has them"
            raise DecodeError("runtime", expected, "a table", hint)


def differences(target: Target, facts: Mapping[str, Any]) -> list[str]:
    """Where the device found is not the one declared, in words."""
    declared, found = target.declares, []
    for label, said, seen in (
        ("architecture", declared.architecture, facts.get("architecture")),
        ("cores", declared.cores, facts.get("cores")),
    ):
        if said is not None and seen is not None and said != seen:
            found.append(f"declared {label} {said}, found {seen}")
    memory = facts.get("memory_bytes")
    # A board of 8 GB shows the system less: firmware and graphics take their part.
    if declared.memory_gb and memory and not 0.75 < memory / 1e9 / declared.memory_gb < 1.1:
        found.append(f"declared memory {declared.memory_gb:g} GB, found {memory / 1e9:.1f} GB")
    return found
