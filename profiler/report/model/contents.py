"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality.stress import Point
from profiler.report.model.cells import Sheet
from profiler.schema.record.recorded import Probe

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportInput:
    """Everything a report shows. Not comparable: it holds data frames."""

    frame: pd.DataFrame
    """one row per trial; columns as in `Results.table()`, units in names, missing = NaN or None"""
    study_name: str
    created: str
    """ISO 8601 time of writing"""
    targets: Sequence[Mapping[str, str]] = ()
    """facts of each target, label -> text. 'target' is its name in the frame; 'machine' or 'cpu'
    names the hardware in the figures' subtitle"""
    artifacts: Sequence[Mapping[str, Any]] = ()
    """model, variant, sha, bytes, made_by (mapping), parity (text) of each file"""
    choice: str = ""
    """the recommendation and its reason"""
    runners_up: Sequence[str] = ()
    """why each other candidate was not chosen"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """how it was measured, label -> value"""
    warnings: Sequence[str] = ()
    objectives: Sequence[str] = ("p50", "accuracy")
    """the first two are x and y axis of the frontier; names of `metrics.METRICS`"""
    limits: Mapping[str, float] = field(default_factory=dict)
    """the SLO by its names in the study: p50, p90, p99 (ns), memory (bytes), min_accuracy (0..1)"""
    equivalence: float = 0.01
    """half-width of the band of latency ratios too close to 1 to matter"""
    sheets: Sequence[Sheet] = ()
    """further tables, shown after those of the trials"""
    stress: Sequence[StressSection] = ()
    reliability: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    """trial -> bins with confidence, accuracy (0..1) and n"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressSection:
    """One model on one target."""

    name: str
    """'convnet on local-cpu'"""
    variants: Mapping[str, str]
    """trial that was asked -> what to call it, the baseline first"""
    points: Sequence[Point] = ()
    probes: Sequence[Probe] = ()
    margin: float = 0.01
    labelled: bool = True
    """False: the loss is the share of rows answered differently from the baseline"""
    notes: Sequence[str] = field(default_factory=tuple)
    """what could not be answered, and which probes ended badly"""
