"""A report as files. Each is complete or not there: written beside its place, then renamed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from profiler.errors import InputError, ResultsError
from profiler.report.model.contents import ReportInput
from profiler.wire.whole import write_whole


def contents(report: ReportInput) -> dict[str, bytes | None]:
    """File name -> content: frontier.png, frontier.svg, report.html, table.csv and table.md.

    None for the figures without a measured trial.
    """
    from profiler.report.page.html import page
    from profiler.report.tables.render import render

    return {
        "table.csv": render(report.frame, "csv").encode(),
        "table.md": render(report.frame, "markdown").encode(),
        "report.html": page(report).encode(),
        **_figures(report),
    }


def write_all(files: Mapping[str, bytes | None], folder: Path) -> dict[str, Path]:
    """Write the files of a report; returns file name -> path of what was written.

    One without content that an earlier report left is removed. Raises ResultsError where writing
    fails.
    """
    written = {}
    for name, content in files.items():
        path = folder / name
        try:
            if content is None:
                path.unlink(missing_ok=True)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise ResultsError(
                f"can't write {path}: {error.strerror or error}",
                hint="name a folder that can be written to",
            ) from error
        written[name] = path
    return written


def _figures(report: ReportInput) -> dict[str, bytes | None]:
    from profiler.report.charts.plots import frontier_chart, specification, to_png, to_svg

    try:
        spec = specification(frontier_chart(report))
    except InputError:  # nothing measured; an unknown axis is refused by `page` before this
        return {"frontier.png": None, "frontier.svg": None}
    return {"frontier.png": to_png(spec), "frontier.svg": to_svg(spec).encode()}
