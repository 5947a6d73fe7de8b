"""What this device is, from /proc and /sys. Pure parsers apart from the reading, for tests.

A fact the device does not offer is None ("not available"), never a guess. Nothing here reads the
environment, user names or host names.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from profiler.wire.affinity import usable_cores, usable_cpus
from profiler.worker.instruments import control_group, energy, mac, nvml, software, thermal
from profiler.worker.instruments.counters import read_text
from profiler.worker.instruments.memory_limit import can_limit
from profiler.worker.instruments.power_mode import power_mode, throttled_since_boot
from profiler.worker.isolated import python

_CPU = "/sys/devices/system/cpu"


def parse_cpuinfo(text: str) -> dict[str, Any]:
    """Model name and feature flags of the first processor (x86 'flags', Arm 'Features')."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    parts = [fields[k] for k in ("CPU implementer", "CPU part") if k in fields]
    return {
        "cpu": fields.get("model name") or fields.get("Model") or " ".join(parts) or None,
        "cpu_flags": (fields.get("flags") or fields.get("Features") or "").split(),
        "microcode": fields.get("microcode"),
    }


def parse_meminfo(text: str) -> dict[str, Optional[int]]:
    """Total and available memory in bytes."""
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE))

    def value(key: str) -> Optional[int]:
        return int(found[key]) * 1024 if key in found else None

    return {"memory_bytes": value("MemTotal"), "memory_available_bytes": value("MemAvailable")}


def within(
    memory: dict[str, Optional[int]], group: Optional[control_group.Memory]
) -> dict[str, Optional[int]]:
    """The machine's memory as far as our control group may take it."""
    if group is None:
        return memory
    free = max(0, group.limit_bytes - group.used_bytes)
    total, available = memory["memory_bytes"], memory["memory_available_bytes"]
    return {
        "memory_bytes": min(total or group.limit_bytes, group.limit_bytes),
        "memory_available_bytes": min(free if available is None else available, free),
    }


def virtualised(flags: Sequence[str]) -> Optional[bool]:
    """Whether a hypervisor is told of; only x86 has a flag for it."""
    return "hypervisor" in flags if "fpu" in flags else None


def parse_bracketed(text: Optional[str]) -> Optional[str]:
    """'always [madvise] never' -> 'madvise'."""
    match = re.search(r"\[(\S+)\]", text or "")
    return match[1] if match else None


def parse_os_release(text: str) -> Optional[str]:
    """PRETTY_NAME of /etc/os-release."""
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)"?$', text, re.MULTILINE)
    return match[1] if match else None


def _first(text: Optional[str]) -> Optional[str]:
    return text.strip() if text else None


def _turbo() -> Optional[bool]:
    no_turbo = _first(read_text(f"{_CPU}/intel_pstate/no_turbo"))
    if no_turbo is not None:
        return no_turbo == "0"
    boost = _first(read_text(f"{_CPU}/cpufreq/boost"))
    return None if boost is None else boost == "1"


def _temperatures() -> dict[str, float]:
    found = {}
    for zone in sorted(Path("/sys/class/thermal").glob("thermal_zone*")):
        value, kind = read_text(f"{zone}/temp"), _first(read_text(f"{zone}/type"))
        if value and value.strip().lstrip("-").isdigit():
            found[kind or zone.name] = int(value) / 1000
    return found


def core_groups(root: Path = Path("/")) -> list[dict[str, Any]]:
    """Cores that are equally fast, slowest group first: more than one on big.LITTLE and hybrids.

    `capacity` is the kernel's own measure (1024 is the fastest core), on Arm; `mhz` the highest
    clock. Empty where neither is told. `root` is / except in tests.
    """
    found: dict[tuple[int, int], list[int]] = {}
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*"):
        told = [read_text(f"{folder}/{name}") for name in ("cpu_capacity",
                "cpufreq/cpuinfo_max_freq")]  # fmt: skip
        capacity, khz = (int(text) if text and text.strip().isdigit() else 0 for text in told)
        if capacity or khz:
            found.setdefault((capacity, khz), []).append(int(folder.name[3:]))
    return [
        {"cpus": sorted(cpus), "capacity": capacity or None, "mhz": khz // 1000 or None}
        for (capacity, khz), cpus in sorted(found.items())
    ]


def machine() -> dict[str, Any]:
    """Hardware and operating system."""
    found = _linux()
    return {**found, **mac.describe(mac.ask())} if mac.is_mac() else found


def _linux() -> dict[str, Any]:
    """What /proc and /sys say, and the standard library anywhere."""
    cpuinfo = read_text("/proc/cpuinfo") or ""
    flags = parse_cpuinfo(cpuinfo)
    load = read_text("/proc/loadavg")
    return {
        "architecture": platform.machine(),
        **flags,
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "usable_cpus": usable_cpus(),
        "can_limit_memory": can_limit(),
        "core_groups": core_groups(),
        **within(parse_meminfo(read_text("/proc/meminfo") or ""), control_group.memory()),
        "os": parse_os_release(read_text("/etc/os-release") or ""),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "virtualised": virtualised(flags["cpu_flags"]),
        "device": _first((read_text("/sys/firmware/devicetree/base/model") or "").rstrip("\0")),
        "governor": _first(read_text(f"{_CPU}/cpu0/cpufreq/scaling_governor")),
        "power_mode": power_mode(),
        "throttled_since_boot": throttled_since_boot(),
        "turbo": _turbo(),
        "clocksource": _first(
            read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        ),
        "huge_pages": parse_bracketed(read_text("/sys/kernel/mm/transparent_hugepage/enabled")),
        "load_1min": float(load.split()[0]) if load else None,
        "temperatures_celsius": _temperatures(),
    }


def plugin_providers(plugin: str) -> dict[str, Any]:
    """What a plug-in provider offers here: keys of `backends.ort_providers.offers`.

    Asked in a process of its own: loading a vendor's library may crash or print.
    """
    command = [*python(), sys.argv[0], "providers", plugin]
    try:
        done = subprocess.run(command, capture_output=True, timeout=100, check=False)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {"plugin_error": f"asking {plugin} what it offers failed"}
    return found


def disk_free_bytes(folder: Path) -> Optional[int]:
    """What a user may still write where our folder lies."""
    try:
        return shutil.disk_usage(str(folder)).free
    except OSError:
        return None


def sensors() -> dict[str, Any]:
    """What can be read around a measured block: of energy, and of heat."""
    heat = thermal.Thermometer().read()
    read = {} if heat is None else {
        "temperature": heat.celsius, "clocks": heat.mhz, "throttling": heat.throttled,
    }  # fmt: skip
    return {
        **energy.offered(),
        "heat_sources": [name for name, value in read.items() if value is not None],
    }


def gather(plugin: Optional[str] = None, home: Path = Path()) -> dict[str, Any]:
    """All facts, as plain JSON-ready data. `home` is our folder."""
    found = {
        **machine(), **software.ask(), **sensors(), "gpus": nvml.facts(),
        "disk_free_bytes": disk_free_bytes(home),
    }  # fmt: skip
    if plugin is not None and found["onnxruntime"] is not None:
        found.update(plugin_providers(plugin))
        found["plugin_version"] = software.version(plugin.partition(".")[0].replace("_", "-"))
    return found
