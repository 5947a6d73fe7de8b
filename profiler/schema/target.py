"""A target: a device and how to reach it, one TOML file each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Optional

from profiler.schema.codec import DecodeError
from profiler.schema.ssh import SshSpec
from profiler.units import parse_size

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Provider = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an hour on this target costs, and when that price was read."""

    usd_per_hour: float
    as_of: str

    def __post_init__(self) -> None:
        if self.usd_per_hour < 0:
            raise DecodeError("usd_per_hour", "a price of 0 or more", self.usd_per_hour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the file says the device is; what is found there may differ, which is a warning."""

    architecture: Optional[str] = None
    cores: Optional[int] = None
    memory_gb: Optional[float] = None
    watts: Optional[float] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device, the way to it, and the execution provider used there."""

    name: str
    description: str = ""
    transport: Literal["local", "ssh"] = "local"
    ssh: Optional[SshSpec] = None
    """how to reach it; stays out of results, which other people read"""
    backend: Literal["onnxruntime", "null"] = "onnxruntime"
    provider: Provider = "CPUExecutionProvider"
    provider_options: dict[str, str] = field(default_factory=dict)
    session_options: dict[str, str] = field(default_factory=dict)
    strict_provider: bool = False
    backend_options: dict[str, float] = field(default_factory=dict)
    """null backend: sleep_ns, spin_ns and rehearsed faults"""
    memory_limit: Optional[int] = field(
        default=None,
        metadata={
            "parse": parse_size,
            "write": "{}B".format,
            "expected": "a size such as '512MB'",
            "text_only": True,
        },
    )
    """most memory a trial may take there; going beyond is a result, not an error"""
    python: Optional[str] = None
    """interpreter of the worker; default: the one that runs profiler, over ssh `python3`"""
    emulated: bool = False
    """a made-up device: its answers count, its times mean nothing for a real one"""
    cost: Optional[Cost] = None
    declares: Declared = field(default_factory=Declared)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DecodeError("name", "letters, digits, '.', '_' and '-' (64 at most)", self.name)
        if self.transport == "local" and self.ssh is not None:
            raise DecodeError("transport", '"ssh", as there is an [ssh] table', self.transport)


def shareable(target: Target) -> Target:
    """The target as results may tell of it: what it is, without the way to it."""
    return replace(target, ssh=None)


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
