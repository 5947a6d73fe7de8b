"""Which CPUs a process may use, where the system lets one ask and choose (Linux; not macOS)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Optional

ABSENT = "this system keeps no process on chosen CPUs"


def usable_cpus() -> Optional[list[int]]:
    """Numbers of the CPUs that this process may use; None where the system has no such sets."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return None


def usable_cores() -> int:
    """How many CPUs this process may use: all there are where none can be chosen."""
    cpus = usable_cpus()
    return (os.cpu_count() or 1) if cpus is None else len(cpus)


def keep_to(cpus: Iterable[int]) -> None:
    """Keep this process on these CPUs. Raises OSError for those it may not use, or where none can
    be chosen.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise OSError(ABSENT)
    os.sched_setaffinity(0, cpus)
