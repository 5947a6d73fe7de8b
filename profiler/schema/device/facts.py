"""What a worker says of its device, typed: a fact is None where the device does not offer it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, Optional, get_type_hints

from profiler.wire.codec import DecodeError, decode, encode

_LARGEST = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreGroup:
    """Cores that are equally fast."""

    cpus: tuple[int, ...]
    capacity: Optional[int]
    mhz: Optional[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFacts:
    """A card as NVML describes it."""

    index: int
    name: Optional[str]
    uuid: Optional[str]
    memory_bytes: Optional[int]
    driver: Optional[str]
    power_limit_mw: Optional[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDevice:
    """A device that a plug-in provider offers."""

    provider: str
    vendor: str
    device: str
    device_vendor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`worker.facts.gather`, key by key."""

    architecture: str
    cpu: Optional[str]
    cpu_flags: tuple[str, ...]
    microcode: Optional[str]
    cores: Optional[int]
    usable_cores: int
    usable_cpus: Optional[tuple[int, ...]]
    """None where no process can be kept on chosen ones (macOS)"""
    can_limit_memory: bool
    """whether a process can be kept within so much memory"""
    core_groups: tuple[CoreGroup, ...]
    memory_bytes: Optional[int]
    memory_available_bytes: Optional[int]
    disk_free_bytes: Optional[int] = None
    """where our folder lies"""
    energy_source: Optional[str] = None
    """the counter that a CPU's energy is read from"""
    energy_missing: Optional[str] = None
    """why there is no such counter"""
    heat_sources: tuple[str, ...] = ()
    """what is read of heat: temperature, clocks, throttling"""
    os: Optional[str]
    kernel: str
    libc: Optional[str]
    virtualised: Optional[bool]
    device: Optional[str]
    governor: Optional[str]
    power_mode: Optional[str] = None
    """of a Jetson: name and number"""
    throttled_since_boot: Optional[tuple[str, ...]] = None
    """what has limited a Raspberry Pi's clock since it was switched on"""
    turbo: Optional[bool]
    clocksource: Optional[str]
    huge_pages: Optional[str]
    load_1min: Optional[float]
    temperatures_celsius: dict[str, float]
    python: str
    numpy: Optional[str]
    onnxruntime: Optional[str]
    numpy_error: Optional[str] = None
    """why it is there and can't be used"""
    onnxruntime_error: Optional[str] = None
    int8_saturates: Optional[bool] = None
    """whether 8-bit products do on this processor"""
    max_ir: Optional[int] = None
    """newest IR version of a model that its onnxruntime takes"""
    max_opset: Optional[int] = None
    """newest opset that it takes"""
    torch: Optional[str]
    providers: tuple[str, ...]
    gpus: tuple[GpuFacts, ...]
    plugin_providers: tuple[str, ...] = ()
    plugin_version: Optional[str] = None
    plugin_error: Optional[str] = None
    ep_devices: tuple[ProviderDevice, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, least in (("cores", 1), ("usable_cores", 1), ("memory_bytes", 0),
                            ("memory_available_bytes", 0), ("disk_free_bytes", 0),
                            ("load_1min", 0), ("max_ir", 1), ("max_opset", 1)):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not least <= value <= _LARGEST:
                raise DecodeError(name, f"a number from {least} to {_LARGEST:g}", value)


def checked(found: Any) -> dict[str, Any]:
    """Facts as a device told them: only keys that are known, each of its type.

    Raises DecodeError. Keys that it left out stay out: those of plug-ins, where none was asked for.
    """
    plain: dict[str, Any] = encode(decode(Facts, found))
    return {key: value for key, value in plain.items() if key in found}


_KINDS = {**get_type_hints(Facts), "worker": str, "shipped": dict[str, str]}
_Recorded = make_dataclass(
    "_Recorded",
    [(name, Optional[kind], field(default=None)) for name, kind in _KINDS.items()],
)
"""Folders written before a fact was asked for lack it; `worker` is the program that told, and
`shipped` what was brought to a device that had no runtime: package -> version and hash."""


def recorded(held: Any) -> dict[str, Any]:
    """Facts as a results folder keeps them, each of its type. Raises DecodeError."""
    found: Any = decode(_Recorded, held)
    plain: dict[str, Any] = encode({f.name: getattr(found, f.name) for f in fields(_Recorded)})
    return {key: value for key, value in plain.items() if key in held}
