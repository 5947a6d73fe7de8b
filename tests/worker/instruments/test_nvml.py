"""NVML at the seam to pynvml: a recorded card, a card that offers little, and no driver."""

import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from profiler.wire.messages import GpuReading
from profiler.worker.instruments import nvml


class NVMLError(Exception):
    pass


def fake(monkeypatch: pytest.MonkeyPatch, **calls: Any) -> ModuleType:
    """A pynvml that answers `calls`; every other question is 'not supported'."""
    module = ModuleType("pynvml")

    def refuse(*_: object) -> None:
        raise NVMLError("not supported")

    asked = [
        "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetTotalEnergyConsumption",
        "nvmlDeviceGetClockInfo", "nvmlDeviceGetTemperature", "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetHandleByIndex",
        "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetCount", "nvmlDeviceGetName",
        "nvmlDeviceGetUUID", "nvmlDeviceGetMemoryInfo", "nvmlSystemGetDriverVersion",
        "nvmlDeviceGetEnforcedPowerLimit",
    ]  # fmt: skip
    for name in asked:
        setattr(module, name, calls.get(name, refuse))
    module.nvmlInit = calls.get("nvmlInit", lambda: None)  # type: ignore[attr-defined]
    module.NVMLError = NVMLError  # type: ignore[attr-defined]
    module.NVML_CLOCK_SM, module.NVML_CLOCK_MEM, module.NVML_TEMPERATURE_GPU = 1, 2, 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


RECORDED = {
    "nvmlDeviceGetHandleByIndex": lambda index: f"handle-{index}",
    "nvmlDeviceGetHandleByUUID": lambda uuid: f"handle-{uuid}",
    "nvmlDeviceGetClockInfo": lambda handle, kind: {1: 1980, 2: 3201}[kind],
    "nvmlDeviceGetTemperature": lambda handle, kind: 41,
    "nvmlDeviceGetPowerUsage": lambda handle: 118_500,
    "nvmlDeviceGetTotalEnergyConsumption": lambda handle: 9_876_543,
    "nvmlDeviceGetCurrentClocksEventReasons": lambda handle: 0x4 | 0x20,
    "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
        SimpleNamespace(pid=1, usedGpuMemory=7),
        SimpleNamespace(pid=os.getpid(), usedGpuMemory=612_368_384),
    ],
}


def test_a_recorded_card(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, **RECORDED)
    found = nvml.gpu("0")
    assert found is not None
    assert found.read() == GpuReading(
        sm_mhz=1980, memory_mhz=3201, celsius=41, power_mw=118_500, energy_mj=9_876_543,
        reasons=("power cap", "thermal (software)"), process_bytes=612_368_384,
    )  # fmt: skip


def test_what_a_card_does_not_offer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, nvmlDeviceGetHandleByIndex=lambda index: index)
    found = nvml.gpu("0")
    assert found is not None
    assert found.read() == GpuReading()


def test_a_card_is_found_by_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    fake(monkeypatch, nvmlDeviceGetHandleByUUID=asked.append)
    nvml.gpu("GPU-0a1b2c3d")
    assert asked == ["GPU-0a1b2c3d"]


def test_a_card_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    with pytest.raises(ValueError, match=r"gpu.select: there is no GPU '7' here"):
        nvml.gpu("7")


def test_without_driver_or_package_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> None:
        raise NVMLError("driver not loaded")

    fake(monkeypatch, nvmlInit=no_driver)
    assert nvml.gpu("0") is None
    assert nvml.facts() == []
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if not installed
    assert nvml.gpu("0") is None


def test_facts_of_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(
        monkeypatch,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: "NVIDIA H200",
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=150_754_820_096),
    )
    assert nvml.facts() == [
        {"index": 0, "name": "NVIDIA H200", "uuid": None, "memory_bytes": 150_754_820_096,
         "driver": None, "power_limit_mw": None}
    ]  # fmt: skip


def test_reasons_of_unknown_bits_are_kept() -> None:
    assert nvml.reasons(0) == ()
    assert nvml.reasons(0x1 | 0x4000) == ("idle", "0x4000")
