"""The whole plan in one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from profiler.planning.estimate import estimate
from profiler.planning.expand import Known, expand
from profiler.planning.groups import pack
from profiler.planning.yardstick import fits
from profiler.schema.device.target import Target
from profiler.schema.record.plan import Plan, yardstick_of
from profiler.schema.study.study import Study

_MEMORY_SHARE = 0.6
"""Share of the memory that is free on the target which resident runners may take."""


def make_plan(
    study: Study,
    targets: tuple[Target, ...],
    known: Known,
    artifact_bytes: Mapping[tuple[str, str], int] | None = None,
) -> Plan:
    """Trials in groups, exclusions with reasons, and the estimate."""
    trials, exclusions = expand(study, targets, known)
    memory = {
        name: int(_MEMORY_SHARE * facts["memory_available_bytes"])
        for name, facts in known.facts.items()
        if facts.get("memory_available_bytes")
    }
    groups = pack(trials, artifact_bytes or {}, memory)
    if study.measure.yardstick and known.yardstick:
        beside = {target.name for target in targets if fits(target)}
        groups = tuple(
            replace(group, yardstick=yardstick_of(group.target))
            if group.target in beside else group
            for group in groups
        )  # fmt: skip
    least, most, dollars = estimate(groups, study.measure, {t.name: t for t in targets})
    return Plan(groups=groups, exclusions=exclusions, least_s=least, most_s=most, most_usd=dollars)
