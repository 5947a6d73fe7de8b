"""Options and arguments that several commands take, and the results folder that they open."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from profiler.commands.letters import shown

if TYPE_CHECKING:
    from profiler.results.results import Results

_SHOWN = 5

Folder = Annotated[Path, typer.Argument(help="A results folder.", metavar="RESULTS")]
Output = Annotated[
    Optional[Path], typer.Option("--output", "-o", help="Results folder.", metavar="FOLDER")
]
Price = Annotated[
    Optional[list[str]], typer.Option(help="TARGET=0.20USD/h; may be given several times.")
]
Spot = Annotated[bool, typer.Option("--spot", help="Rented machines at their spot price.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Target = Annotated[Optional[list[str]], typer.Option(help="Target; may be given several times.")]

P50 = Annotated[Optional[str], typer.Option(help="Limit, e.g. 2ms.")]
P90 = Annotated[Optional[str], typer.Option(help="Limit, e.g. 3ms.")]
P99 = Annotated[Optional[str], typer.Option(help="Limit, e.g. 5ms.")]
MaxDrop = Annotated[Optional[str], typer.Option(help="Accuracy loss allowed, 1pp.")]
MinAccuracy = Annotated[Optional[str], typer.Option(help="Accuracy asked, 95%.")]
Memory = Annotated[Optional[str], typer.Option(help="Limit, e.g. 200MB.")]
Size = Annotated[Optional[str], typer.Option(help="Limit on the file, e.g. 20MB.")]
Energy = Annotated[Optional[str], typer.Option(help="Limit a query, e.g. 5mJ.")]
CostLimit = Annotated[Optional[str], typer.Option(help="Limit, e.g. '5 USD/million'.")]


def limits(**given: Optional[str]) -> dict[str, str]:
    """Those that were typed."""
    return {name: text for name, text in given.items() if text is not None}


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
