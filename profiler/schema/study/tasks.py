"""Every task by which rows are judged: a new one is an entry and a module in profiler/tasks/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

_ROOM = "profiler.tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEntry:
    """What a study file has to know of a task before its module is loaded."""

    module: str
    """holds its `tasks.task.Task` as TASK, loaded on first use"""
    settings: tuple[str, ...] = ()
    """keys of [data] that mean something only to tasks which name them"""
    own_metric: bool = False
    """whether nothing but the study's `metric` can judge it"""
    ignored: Optional[int] = None
    """of many labels a row, the one that does not count unless `ignore` names another; None: a row
    has one label"""
    stressed: bool = True
    """whether a loss on perturbed rows is defined"""


TASKS: dict[str, TaskEntry] = {
    "classification": TaskEntry(module=f"{_ROOM}.classification", settings=("costs",)),
    "regression": TaskEntry(module=f"{_ROOM}.regression"),
    "embedding": TaskEntry(module=f"{_ROOM}.embedding", settings=("pairs", "similarity")),
    "token-classification": TaskEntry(
        module=f"{_ROOM}.token_classification", settings=("tags",), ignored=-100, stressed=False
    ),
    "segmentation": TaskEntry(
        module=f"{_ROOM}.segmentation", settings=("class_axis",), ignored=255, stressed=False
    ),
    "detection": TaskEntry(
        module=f"{_ROOM}.detection", settings=("detections",), ignored=-1, stressed=False
    ),
    "custom": TaskEntry(module=f"{_ROOM}.custom", own_metric=True),
}
"""name in a study -> what is known of it"""


def those_with(setting: str, quote: str = '"') -> str:
    """The tasks to which a key of [data] means something, for a message."""
    named = [f"{quote}{name}{quote}" for name in TASKS if setting in TASKS[name].settings]
    return " or ".join(named)
