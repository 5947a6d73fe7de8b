"""The targets of a study, and what they say of themselves."""

from __future__ import annotations

from typing import Any

from profiler.devices.fleet import Fleet
from profiler.devices.session import Session, open_session
from profiler.errors import ProfilerError, TransportError
from profiler.progress import Progress, Silent
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import find_target
from profiler.schema.study.study import Study


def find_facts(
    targets: tuple[Target, ...], progress: Progress | None = None
) -> dict[str, dict[str, Any]]:
    """Target -> what its worker found, or why it can't be asked. Measures nothing.

    Raises the TransportError of the first target when none can be reached.
    """
    progress = progress or Silent()

    def connect(target: Target) -> Session:
        return open_session(target, progress.stage, progress.update)

    # In the fleet's threads, never in the main one: a Ctrl-C there could strike between the start
    # of a program and the moment it is known, and leave it running.
    with Fleet({target.name: target for target in targets}, connect) as fleet:
        facts = fleet.facts()
    refused = {**fleet.lost, **fleet.missing}
    for name, error in refused.items():
        facts[name] = unavailable(error)
    first = refused.get(targets[0].name) if targets else None
    if len(refused) == len(targets) and isinstance(first, TransportError):
        raise first
    return {target.name: facts[target.name] for target in targets}


def unavailable(error: ProfilerError) -> dict[str, Any]:
    """Facts of a target that can't be used now: its trials are excluded with this reason."""
    reason, hint = error.recorded()
    return {"unavailable": reason, "unavailable_hint": hint}


def study_targets(study: Study) -> tuple[Target, ...]:
    """The targets a study names."""
    return tuple(find_target(name, study.folder) for name in study.targets)
