"""The power mode of a Jetson, by its own tool, and what a Raspberry Pi's firmware remembers.

Formats as their vendors document them: `nvpmodel -q` (NVIDIA, "Supported Modes and Power
Efficiency") and `vcgencmd get_throttled` (Raspberry Pi, "vcgencmd").
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from profiler.worker.instruments.counters import read_text
from profiler.worker.instruments.thermal import PI_BITS, throttled_text

_STATUS = "var/lib/nvpmodel/status"
"""where the tool keeps the mode's number; read where it answers root only"""
_SINCE_BOOT = 16
_MOST_S = 2.0


def _nvpmodel() -> Optional[str]:
    program = shutil.which("nvpmodel", path="/usr/sbin:/usr/bin")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "-q"], capture_output=True, text=True, timeout=_MOST_S,
                              check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def power_mode(
    root: Path = Path("/"), ask: Callable[[], Optional[str]] = _nvpmodel
) -> Optional[str]:
    """'MAXN (0)', 'mode 2' where only its number is told; None where there are no such modes."""
    found = re.search(r"NV Power Mode:\s*(\S[^\n]*)\n\s*(\d+)\b", ask() or "")
    if found:
        return f"{found[1].strip()} ({found[2]})"
    number = re.match(r"pmode:0*(\d+)", read_text(str(root / _STATUS)) or "")
    return f"mode {number[1]}" if number else None


def throttled_since_boot(
    root: Path = Path("/"), text: Callable[[Path], Optional[str]] = throttled_text
) -> Optional[tuple[str, ...]]:
    """What has limited a Raspberry Pi since it was switched on; None where nobody remembers."""
    try:
        bits = int((text(root) or "").strip().rpartition("=")[2], 16)
    except ValueError:
        return None
    return tuple(name for bit, name in PI_BITS.items() if bits >> (bit + _SINCE_BOOT) & 1)
