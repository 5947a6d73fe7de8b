"""Cheap readings of what the machine did, taken before and after a timed block, never inside.

Every reader returns None where the kernel does not offer the figure.
"""

from __future__ import annotations

import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from profiler.worker.instruments import mac

_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
_TASKS = "/proc/self/task"


def read_text(path: str) -> Optional[str]:
    """A small /proc or /sys file, or None. Raw: some are read twice a block, which takes 10 ms."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            return file.read().decode(errors="replace")
    except OSError:
        return None


def _threads() -> list[str]:
    """Numbers of this process's threads. Raises OSError where there is no /proc."""
    with os.scandir(_TASKS) as entries:
        return [entry.name for entry in entries]


def parse_status_bytes(status: str, key: str) -> Optional[int]:
    """'VmHWM:   1234 kB' of /proc/self/status as bytes."""
    for line in status.splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return None


def parse_cpu_line(stat: str) -> tuple[int, int]:
    """(busy_ns, steal_ns) of all CPUs since boot from /proc/stat; busy has no idle, no steal."""
    user, nice, system, _idle, _iowait, irq, softirq, *rest = map(
        int, stat.split("\n", 1)[0].split()[1:]
    )
    steal = rest[0] if rest else 0
    return (user + nice + system + irq + softirq) * _TICK_NS, steal * _TICK_NS


def parse_busy_ticks(stat: str) -> dict[int, int]:
    """CPU -> ticks since boot that it was not idle, or was taken by the hypervisor (/proc/stat)."""
    found = {}
    for line in stat.splitlines():
        name, *counts = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _idle, _iowait, irq, softirq, *rest = map(int, counts)
            found[int(name[3:])] = user + nice + system + irq + softirq + (rest[0] if rest else 0)
    return found


def busy_ticks() -> dict[int, int]:
    """`parse_busy_ticks` now; empty where there is no /proc/stat."""
    return parse_busy_ticks(read_text("/proc/stat") or "")


def _run_delay_ns() -> Optional[int]:
    """Time all threads of this process waited for a CPU (2nd field of schedstat)."""
    total, seen = 0, False
    try:
        tasks = _threads()
    except OSError:
        return None
    for task in tasks:
        text = read_text(f"{_TASKS}/{task}/schedstat")
        if text:
            total, seen = total + int(text.split()[1]), True
    return total if seen else None


@dataclass(frozen=True)
class Reading:
    """Counters at one instant; two of them bracket a block."""

    cpu_ns: int
    run_delay_ns: Optional[int]
    involuntary_switches: int
    busy_ns: Optional[int]
    steal_ns: Optional[int]


def read() -> Reading:
    """Read all counters now."""
    stat = read_text("/proc/stat")
    busy_ns, steal_ns = parse_cpu_line(stat) if stat else (None, None)
    return Reading(
        cpu_ns=time.process_time_ns(),
        run_delay_ns=_run_delay_ns(),
        involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        busy_ns=busy_ns,
        steal_ns=steal_ns,
    )


def reset_peak_memory() -> bool:
    """Reset VmHWM to the present resident set; False where the kernel refuses."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def resident_bytes() -> Optional[int]:
    """Resident set now."""
    if mac.is_mac():
        return mac.resident_bytes()
    status = read_text("/proc/self/status")
    return parse_status_bytes(status, "VmRSS") if status else None


def peak_bytes() -> Optional[int]:
    """Highest resident set since the last reset (VmHWM); on a Mac, since the process began."""
    if mac.is_mac():
        return mac.peak_bytes()
    status = read_text("/proc/self/status")
    return parse_status_bytes(status, "VmHWM") if status else None


def proportional_bytes() -> Optional[int]:
    """PSS: shared pages divided among those who map them."""
    rollup = read_text("/proc/self/smaps_rollup")
    return parse_status_bytes(rollup, "Pss") if rollup else None


def working_threads(own: int) -> int:
    """Threads of this process, other than `own`, that run or want to run right now."""
    busy = 0
    for task in _threads():
        if int(task) == own:
            continue
        stat = read_text(f"{_TASKS}/{task}/stat")
        # The state follows the name, which may itself hold spaces and parentheses.
        if stat and stat.rpartition(")")[2].split()[0] == "R":
            busy += 1
    return busy


def settle(limit_ns: int = 200_000_000) -> None:
    """Wait until no thread of this process works: thread pools spin for a while after a query.

    Thread states are asked, because the CPU time of a thread that runs without pause is brought
    up to date only at the kernel's ticks, some milliseconds apart.
    """
    own = threading.get_native_id()
    end = time.monotonic_ns() + limit_ns
    try:
        while working_threads(own) and time.monotonic_ns() < end:
            time.sleep(0.0005)
    except OSError:
        time.sleep(0.02)  # no /proc: longer than such pools spin
