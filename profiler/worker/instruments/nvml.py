"""What NVIDIA's management library says, read between timed blocks, never inside them.

The only file of the worker that may import pynvml (package nvidia-ml-py); without it, or without a
driver, everything is None. Reads only: no clock, power or mode is ever set.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Optional

from profiler.wire.messages import GpuReading

REASONS = {
    0x1: "idle", 0x2: "application clocks", 0x4: "power cap", 0x8: "hardware slowdown",
    0x10: "sync boost", 0x20: "thermal (software)", 0x40: "thermal (hardware)",
    0x80: "power brake", 0x100: "display clocks",
}  # fmt: skip
"""Bits of nvmlClocksEventReasons (nvml.h)."""


def reasons(bits: int) -> tuple[str, ...]:
    """Names of the set bits; an unknown bit is shown as it is."""
    named = [name for bit, name in REASONS.items() if bits & bit]
    unknown = bits & ~sum(REASONS)
    return (*named, *((f"0x{unknown:x}",) if unknown else ()))


def library() -> Optional[Any]:
    """pynvml, started; None where it is not installed or there is no driver."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def find(nvml: Any, select: str) -> Any:
    """Handle of a GPU by index as nvidia-smi counts, or by UUID."""
    if select.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(select))
    return nvml.nvmlDeviceGetHandleByUUID(select)


def _ask(nvml: Any, call: Callable[[], Any]) -> Any:
    """A value, or None where this GPU does not offer it."""
    try:
        return call()
    except nvml.NVMLError:
        return None


class Gpu:
    """One GPU of this machine, as NVML sees it."""

    def __init__(self, nvml: Any, select: str) -> None:
        self._nvml = nvml
        self._handle = find(nvml, select)

    def read(self) -> GpuReading:
        """Clocks, temperature, power, energy, why it is slowed, and this process's memory."""
        n, h = self._nvml, self._handle
        bits = _ask(n, lambda: n.nvmlDeviceGetCurrentClocksEventReasons(h))
        return GpuReading(
            sm_mhz=_ask(n, lambda: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM)),
            memory_mhz=_ask(n, lambda: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_MEM)),
            celsius=_ask(n, lambda: n.nvmlDeviceGetTemperature(h, n.NVML_TEMPERATURE_GPU)),
            power_mw=_ask(n, lambda: n.nvmlDeviceGetPowerUsage(h)),
            energy_mj=self.energy_mj(),
            reasons=None if bits is None else reasons(bits),
            process_bytes=self._own_memory(),
        )

    def energy_mj(self) -> Optional[int]:
        """The card's energy since the driver was loaded; None before Volta."""
        n, h = self._nvml, self._handle
        found: Optional[int] = _ask(n, lambda: n.nvmlDeviceGetTotalEnergyConsumption(h))
        return found

    def _own_memory(self) -> Optional[int]:
        """Device memory of this process; None in containers, where NVML sees other process ids."""
        n = self._nvml
        found = _ask(n, lambda: n.nvmlDeviceGetComputeRunningProcesses(self._handle)) or []
        mine = [p.usedGpuMemory for p in found if p.pid == os.getpid()]
        return mine[0] if mine else None


def gpu(select: str) -> Optional[Gpu]:
    """The GPU, or None without NVML. Raises ValueError for one that is not there."""
    nvml = library()
    if nvml is None:
        return None
    try:
        return Gpu(nvml, select)
    except nvml.NVMLError as error:
        raise ValueError(f"gpu.select: there is no GPU {select!r} here ({error})") from None


def facts() -> list[dict[str, Any]]:
    """GPUs of this machine: name, UUID, memory, driver, power limit. Empty without NVML."""
    nvml = library()
    if nvml is None:
        return []
    count = _ask(nvml, nvml.nvmlDeviceGetCount) or 0
    return [_describe(nvml, index) for index in range(count)]


def _describe(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _ask(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return {
        "index": index,
        "name": _ask(nvml, lambda: nvml.nvmlDeviceGetName(handle)),
        "uuid": _ask(nvml, lambda: nvml.nvmlDeviceGetUUID(handle)),
        "memory_bytes": memory.total if memory else None,
        "driver": _ask(nvml, nvml.nvmlSystemGetDriverVersion),
        "power_limit_mw": _ask(nvml, lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
    }
