"""The targets of a study, and what they say of themselves."""

from __future__ import annotations

from typing import Any

from profiler.devices.session import open_session
from profiler.errors import EnvironmentMissing, ProfilerError, TransportError, WorkerError
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
    found, lost = {}, []
    progress = progress or Silent()
    for target in targets:
        try:
            with open_session(target, progress.stage, progress.update) as session:
                found[target.name] = session.facts
        except (EnvironmentMissing, TransportError, WorkerError) as error:
            found[target.name] = unavailable(error)
            lost.append(error)
    if len(lost) == len(targets) and isinstance(lost[0], TransportError):
        raise lost[0]
    return found


def unavailable(error: ProfilerError) -> dict[str, Any]:
    """Facts of a target that can't be used now: its trials are excluded with this reason."""
    reason, hint = error.recorded()
    return {"unavailable": reason, "unavailable_hint": hint}


def study_targets(study: Study) -> tuple[Target, ...]:
    """The targets a study names."""
    return tuple(find_target(name, study.folder) for name in study.targets)
