"""Options and arguments that several commands take."""

from pathlib import Path
from typing import Annotated, Optional

import typer

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
