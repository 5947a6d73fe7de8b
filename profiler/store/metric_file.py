"""What the user's own metric said when the run ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from profiler.store import reading

RECORD = "metric.json"


_Columns = dict[str, dict[str, Union[int, float, str, None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the function said when the run ended: trial -> accuracy columns."""

    evaluation: _Columns = field(default_factory=dict)
    confirmation: _Columns = field(default_factory=dict)


def recorded(folder: Path) -> Recorded:
    """Read back from a results folder; empty without a metric. Raises ResultsError."""
    try:
        held = reading.json_of(folder, RECORD)
    except FileNotFoundError:
        return Recorded()
    return reading.decoded(Recorded, held, folder / RECORD)
