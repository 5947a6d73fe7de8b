"""A results folder as commands open it: what is damaged is told beforehand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from profiler.results.results import Results

_SHOWN = 5


def opened(
    folder: Path,
    wall_meter: Optional[Path] = None,
    prices: Optional[list[str]] = None,
    spot: bool = False,
) -> Results:
    """The results in a folder. Raises ResultsError and InputError."""
    from profiler.results.results import Results

    found = Results.load(folder, wall_meter=wall_meter, prices=prices or [], spot=spot)
    for text in _first(found.faults):
        print(f"warning: {shown(f'{folder}: left out: {text}')}", file=sys.stderr)  # noqa: T201
    return found


def _first(faults: Sequence[str]) -> Sequence[str]:
    """A few of what was left out of a damaged folder; `check` and the report list all."""
    if len(faults) <= _SHOWN:
        return faults
    return [*faults[:_SHOWN], f"{len(faults) - _SHOWN} more, which `profiler check` lists"]


def shown(text: str) -> str:
    """Control characters as escapes: a message may quote a file, which no terminal may obey."""
    from profiler.wire.outside import printable

    return "\n".join(map(printable, text.split("\n")))
