"""The plan: ordered trials in groups, what is left out and why, and what it will take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One planned configuration. `id` names it everywhere."""

    id: str
    model: str
    variant: str
    recipe: str
    target: str
    provider: str
    threads: int
    scenario: str
    batch: int
    concurrency: int = 1
    gap_ns: int = 0
    rate: Optional[float] = None
    """server: queries a second; None: the highest that keeps slo.p99"""
    starts: int = 3
    cache: str = "warm"
    optimization: str = "all"
    affinity: str = ""
    cpus: tuple[int, ...] = ()
    """those that `affinity` means on this target, where it names a kind"""
    arena: bool = True
    memory_limit: str = ""
    """swept size it has to fit in; empty: the target's or the study's, if any"""
    session_options: dict[str, str] = field(default_factory=dict)
    provider_options: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)
    """swept sizes of the model's symbolic dimensions"""
    baseline: str
    """id of the trial with the untransformed variant in the same configuration"""

    @property
    def is_baseline(self) -> bool:
        """Whether this is the baseline itself."""
        return self.id == self.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A trial that is not run, and why."""

    trial: Trial
    reason: str
    hint: Optional[str] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trials of one target which are resident together and measured in turns."""

    index: int
    target: str
    trials: tuple[Trial, ...]
    reference: str
    """id of the trial that every group of this target carries"""
    yardstick: Optional[str] = None
    """id of the small fixed model that is measured beside the trials, in the process of one"""


def yardstick_of(target: str) -> str:
    """The id of a target's yardstick. No trial has such a one: theirs name a model's variant."""
    return f"yardstick@{target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a study will do."""

    groups: tuple[Group, ...]
    exclusions: tuple[Exclusion, ...]
    least_s: float
    most_s: float
    most_usd: Optional[float] = None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial once, in order."""
        seen = {trial.id: trial for group in self.groups for trial in group.trials}
        return tuple(seen.values())
