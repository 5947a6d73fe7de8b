"""What the host is: hardware, versions and the state of the code, so a number can be placed.

Nothing personal: no user, host or path names, no environment variables but PYTHONHASHSEED, and of
what is installed only that on which numbers depend.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

import profiler

PACKAGES = (
    "numpy", "onnx", "onnxruntime", "onnxscript", "pandas", "pillow", "psutil", "pyarrow",
    "scikit-learn", "scipy", "skl2onnx", "tokenizers", "torch", "transformers",
)  # fmt: skip
"""What reads rows, makes models or computes numbers here. Whatever else is installed is nobody's
business; a target's worker tells of its own libraries, see `schema.facts`."""


def versions() -> dict[str, str]:
    """Versions of Python, of this program and of PACKAGES; absent ones are left out."""
    found = {"python": platform.python_version(), "profiler": profiler.__version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def gpus() -> list[dict[str, Any]]:
    """GPUs that NVML sees; an empty list where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        found = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            found.append(
                {
                    "name": pynvml.nvmlDeviceGetName(handle),
                    "memory_bytes": pynvml.nvmlDeviceGetMemoryInfo(handle).total,
                    "driver": pynvml.nvmlSystemGetDriverVersion(),
                }
            )
        return found
    finally:
        pynvml.nvmlShutdown()


def git_state(folder: Path) -> Optional[dict[str, Any]]:
    """Commit and whether tracked files differ from it; None outside of a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607 (git from PATH is the user's git)
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip

    try:
        commit = git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None


def take(folder: Path) -> dict[str, Any]:
    """The fingerprint of this host. `folder` is the study's, for its git state."""
    import cpuinfo
    import psutil

    cpu = cpuinfo.get_cpu_info()
    frequency = psutil.cpu_freq()
    return {
        "cpu": cpu.get("brand_raw"),
        "architecture": cpu.get("arch_string_raw"),
        "cpu_flags": sorted(cpu.get("flags", [])),
        "l2_cache_bytes": cpu.get("l2_cache_size"),
        "l3_cache_bytes": cpu.get("l3_cache_size"),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_logical": psutil.cpu_count(),
        "frequency_mhz": frequency.current if frequency else None,
        "memory_bytes": psutil.virtual_memory().total,
        "os": platform.platform(),
        "gpus": gpus(),
        "versions": versions(),
        # This one variable and no other: it decides the order of sets.
        "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
        "git": git_state(folder),
    }
