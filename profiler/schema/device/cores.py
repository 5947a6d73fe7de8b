"""Kinds of cores by name: which CPUs are the big and which the little ones, by a target's facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

KINDS = ("big", "little", "all")
ALIKE = 0.9
"""CPUs this near to the fastest (or slowest) are of its kind: x86 lets some cores of one kind boost
5 % higher than others, while the kinds of big.LITTLE and hybrids differ by a quarter and more."""


def resolve(kind: str, facts: Mapping[str, Any]) -> tuple[tuple[int, ...], Optional[str]]:
    """(the usable CPUs of one of KINDS, why there are none).

    Both are empty where the facts are not known yet, or the system keeps no process on chosen CPUs.
    Speeds are the kernel's capacities, else the highest clocks; "all" needs neither.
    """
    usable = facts.get("usable_cpus")
    if usable is None:
        return (), None
    if kind == "all":
        return tuple(usable), None
    groups = facts.get("core_groups") or ()
    told = {cpu for group in groups for cpu in group["cpus"]}
    for key in ("capacity", "mhz"):
        if groups and set(usable) <= told and all(group[key] for group in groups):
            break
    else:
        return (), "it does not tell how fast each CPU is (no cpu_capacity, no cpufreq)"
    speeds = [group[key] for group in groups]
    slowest, fastest = min(speeds), max(speeds)
    if slowest >= ALIKE * fastest:
        return (), "its CPUs are all of one kind"
    cpus = sorted(
        cpu
        for group, speed in zip(groups, speeds)  # noqa: B905 (Python 3.8 has no strict=)
        if (speed >= ALIKE * fastest if kind == "big" else ALIKE * speed <= slowest)
        for cpu in group["cpus"]
    )
    free = tuple(cpu for cpu in cpus if cpu in usable)
    named = ", ".join(map(str, cpus))
    return free, None if free else f"its {kind} CPUs ({named}) are not usable there"
