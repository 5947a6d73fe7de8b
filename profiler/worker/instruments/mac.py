"""What a Mac says of itself: `sysctl`, the standard library, and psutil where that is installed.

Parsers are pure and tested on hand-written output after published ones; not run on a real Mac.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
from typing import Any, Optional

NAMES = ("hw", "machdep.cpu", "hw.model", "kern.hv_vmm_present")
_FLAGS = {
    "neon": "asimd", "AdvSIMD": "asimd", "arm.FEAT_FP16": "asimdhp", "arm.FEAT_DotProd": "asimddp",
    "arm.FEAT_I8MM": "i8mm", "arm.FEAT_BF16": "bf16", "arm.FEAT_SME": "sme",
}  # fmt: skip
"""hw.optional.NAME -> what Linux calls it"""


def is_mac() -> bool:
    """Whether this is macOS."""
    return sys.platform == "darwin"


def parse_sysctl(text: str) -> dict[str, str]:
    """'hw.memsize: 17179869184' lines as name -> value."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name: value.strip() for name, colon, value in pairs if colon}


def parse_flags(found: dict[str, str]) -> list[str]:
    """Feature flags by the names that Linux gives them, as far as both have one."""
    arm = {linux for name, linux in _FLAGS.items() if found.get(f"hw.optional.{name}") == "1"}
    intel = " ".join(
        found.get(f"machdep.cpu.{kind}", "") for kind in ("features", "leaf7_features")
    )
    return sorted(arm) + [flag.replace("avx1.0", "avx") for flag in intel.lower().split()]


def ask() -> dict[str, str]:
    """`sysctl` now; empty where it can't be run. It goes on after a name that it does not know."""
    program = shutil.which("sysctl") or "/usr/sbin/sysctl"  # not in every short PATH
    try:
        done = subprocess.run([program, *NAMES], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_sysctl(done.stdout.decode(errors="replace"))


def describe(found: dict[str, str]) -> dict[str, Any]:
    """Facts of `facts.machine` from what `ask` found; None for what it did not."""
    memory = found.get("hw.memsize", "")
    present = found.get("kern.hv_vmm_present")
    return {
        "cpu": found.get("machdep.cpu.brand_string"),
        "cpu_flags": parse_flags(found),
        "memory_bytes": int(memory) if memory.isdigit() else None,
        "memory_available_bytes": _available_bytes(),
        "os": f"macOS {platform.mac_ver()[0]}".strip(),
        "virtualised": None if present is None else present == "1",
        "device": found.get("hw.model"),
        "load_1min": os.getloadavg()[0],
    }


def started(pid: int) -> Optional[str]:
    """When a process began, as ps writes it; None for one that is not there."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 (the system's own)
            capture_output=True, timeout=20, check=False,
            env=environment,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() or None


def resident_bytes() -> Optional[int]:
    """Resident set of this process now, where psutil is installed."""
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """Highest resident set of this process since it began; getrusage(2) counts bytes here."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _available_bytes() -> Optional[int]:
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)
