"""A report as files. Each is complete or not there: written beside its place, then renamed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from profiler.errors import InputError, ResultsError
from profiler.report.model import ReportInput


def write_all(report: ReportInput, folder: Path) -> dict[str, Path]:
    """Write frontier.png, frontier.svg, report.html, table.csv and table.md.

    Returns file name -> path of what was written. Without a measured trial there is no figure,
    and one left by an earlier report is removed. Raises ResultsError where writing fails.
    """
    from profiler.report.html import page
    from profiler.report.tables import render

    contents: dict[str, bytes | None] = {
        "table.csv": render(report.frame, "csv").encode(),
        "table.md": render(report.frame, "markdown").encode(),
        "report.html": page(report).encode(),
        **_figures(report),
    }
    written = {}
    for name, content in contents.items():
        path = folder / name
        try:
            if content is None:
                path.unlink(missing_ok=True)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as error:
            raise ResultsError(
                f"can't write {path}: {error.strerror or error}",
                hint="name a folder that can be written to",
            ) from error
        written[name] = path
    return written


def _figures(report: ReportInput) -> dict[str, bytes | None]:
    from profiler.report.plots import frontier_chart, specification, to_png, to_svg

    try:
        spec = specification(frontier_chart(report))
    except InputError:  # nothing measured; an unknown axis is refused by `page` before this
        return {"frontier.png": None, "frontier.svg": None}
    return {"frontier.png": to_png(spec), "frontier.svg": to_svg(spec).encode()}


def _replace(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, never a part."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's umask: mkstemp makes private files, a report is made to be shared."""
    current = os.umask(0)
    os.umask(current)
    return current
