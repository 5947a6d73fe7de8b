"""Reasons that many trials share, told once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiler.units import counted

_LIMIT = re.compile(r"(\w+) [^;]* ((?:breaks|spans) the limit of [^;]+)")
_TAIL = re.compile(r" (?:breaks|spans) the limit of [^;]+")
_BEHIND = re.compile(r"(\w+) .*, the chosen one \1 ")
_WORSE = "worse than its baseline"


def kind(why: str) -> str:
    """The reason without the trial's own figures: 'p99 breaks the limit of 2.00 ms'."""
    if found := _LIMIT.findall(why):
        return "; ".join(f"{name} {what}" for name, what in found)
    if behind := _BEHIND.match(why):
        return f"{behind[1]} is worse than the chosen one's"
    return _WORSE if why.startswith(_WORSE) else why


def grouped(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """(trial, why) as lines, one for each kind of reason: 'trial: why' of one trial; of several
    the reason, how many they are, and the first of them with its own figures."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for trial, why in reasons:
        kinds.setdefault(kind(why), []).append((trial, why))
    lines = []
    for shared, members in kinds.items():
        first, why = members[0]
        if len(members) == 1:
            lines.append(f"{first}: {why}")
            continue
        own = "" if why == shared else f": {_TAIL.sub('', why)}"
        lines.append(f"{shared} ({counted(len(members), 'trial')}, e.g. {first}{own})")
    return lines
