"""Going on with a plan: what was begun keeps its trials, groups and numbers.

A device's facts differ from one day to the next (free memory, a target that can't be reached
today), and with them the plan; recorded rounds refer to groups by number.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from profiler.schema.record.plan import Plan


def go_on(new: Plan, old: Plan, begun: Collection[str]) -> Plan:
    """`new`, but targets in `begun` as they are in `old`; new groups get free numbers."""
    kept = [group for group in old.groups if group.target in begun]
    free = max((group.index for group in kept), default=-1) + 1
    added = [group for group in new.groups if group.target not in begun]
    return replace(
        new,
        groups=(*kept, *(replace(group, index=free + i) for i, group in enumerate(added))),
        exclusions=(
            *(e for e in old.exclusions if e.trial.target in begun),
            *(e for e in new.exclusions if e.trial.target not in begun),
        ),
    )
