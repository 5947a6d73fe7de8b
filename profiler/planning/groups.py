"""Packing trials into groups that fit the device's memory and stay comparable.

A family is a model's variants in one configuration: they are compared with their baseline, so they
share a group. Every group also carries the target's reference, so that trials of different groups
have a paired ratio to the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from profiler.schema.record.plan import Group, Trial

Fits = Callable[[list[Trial]], bool]

MAX_RESIDENT = 24
_PROCESS_BYTES = 90_000_000
"""A runner with numpy and onnxruntime imported, before any model (measured: 60-80 MB)."""


def resident_bytes(artifact_bytes: int) -> int:
    """Estimated memory of one runner: weights twice (file and packed) and activations."""
    return _PROCESS_BYTES + 3 * artifact_bytes


def pack(
    trials: Iterable[Trial],
    artifact_bytes: Mapping[tuple[str, str], int],
    memory_bytes: Mapping[str, int],
) -> tuple[Group, ...]:
    """Groups per target, in the study's order.

    artifact_bytes: (model, variant) -> file size; memory_bytes: target -> memory that may be used.
    """
    groups: list[Group] = []
    by_target: dict[str, list[Trial]] = {}
    for trial in trials:
        by_target.setdefault(trial.target, []).append(trial)
    for target, members in by_target.items():
        reference = next((t for t in members if t.is_baseline), members[0])
        limit = memory_bytes.get(target)

        def fits(chosen: list[Trial], limit: int | None = limit) -> bool:
            needed = sum(
                resident_bytes(artifact_bytes.get((t.model, t.variant), 0)) for t in chosen
            )
            return len(chosen) <= MAX_RESIDENT and (limit is None or needed <= limit)

        for chosen in _fill(_families(members), reference, fits):
            groups.append(
                Group(
                    index=len(groups),
                    target=target,
                    trials=tuple(chosen),
                    reference=reference.id,
                )
            )
    return tuple(groups)


def _families(trials: list[Trial]) -> list[list[Trial]]:
    families: dict[str, list[Trial]] = {}
    for trial in trials:
        families.setdefault(trial.baseline, []).append(trial)
    return list(families.values())


def _fill(families: list[list[Trial]], reference: Trial, fits: Fits) -> Iterator[list[Trial]]:
    """Greedy in order: a family goes into the open group if it fits, else opens a new one."""
    open_group: list[Trial] = []
    for family in families:
        for part in _parts(family, reference, fits):
            if open_group and not fits(_union(open_group, part)):
                yield open_group
                open_group = []
            open_group = _union(open_group or [reference], part)
    if open_group:
        yield open_group


def _parts(family: list[Trial], reference: Trial, fits: Fits) -> Iterator[list[Trial]]:
    """A family too large for one group is split; every part carries its baseline."""
    head = [t for t in family if t.is_baseline]
    part = list(head)
    for trial in family:
        if trial.is_baseline:
            continue
        if len(part) > len(head) and not fits(_union([reference], [*part, trial])):
            yield part
            part = list(head)
        part.append(trial)
    yield part


def _union(first: list[Trial], second: list[Trial]) -> list[Trial]:
    return list({t.id: t for t in [*first, *second]}.values())
