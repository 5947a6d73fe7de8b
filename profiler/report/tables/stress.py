"""Stress in a report: curves of extra loss over severity, the same as tables, and the probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality.stress import Point
from profiler.report.model.cells import (
    MISSING,
    QUALITIES,
    Column,
    Line,
    Sheet,
    percent_text,
    signed,
)
from profiler.report.model.contents import StressSection
from profiler.report.model.formats import ticks
from profiler.report.model.records import clean
from profiler.report.model.theme import LIGHT, PLAIN, WIDE, Size, Theme, colours, fixed_scale
from profiler.schema.record.recorded import Probe
from profiler.units import format_duration

if TYPE_CHECKING:
    import altair as alt


def sheets(section: StressSection) -> list[Sheet]:
    """The baseline's own accuracy, the extra loss of the others, and the probes."""
    found = [_own(section), _extra(section), _probes(section)]
    return [sheet for sheet in found if sheet is not None]


def _severities(points: Sequence[Point]) -> list[int]:
    return sorted({point.severity for point in points})


def _columns(first: Sequence[str], severities: Sequence[int]) -> tuple[Column, ...]:
    names = [Column(title=title, number=False) for title in first]
    return (
        *names,
        *(Column(title=str(severity) if severity else "none") for severity in severities),
    )


def _own(section: StressSection) -> Sheet | None:
    """How much every model suffers: the baseline's accuracy."""
    points = [p for p in section.points if p.drop is None and p.accuracy is not None
              and p.verdict is None]  # fmt: skip
    first = next((t for t in section.variants if any(p.trial == t for p in points)), None)
    points = [p for p in points if p.trial == first]
    if first is None:
        return None
    severities = _severities(points)
    cells = {(p.perturbation, p.severity): percent_text(p.accuracy, 1) for p in points}
    return Sheet(
        title=f"Accuracy under stress, %: {section.name}, {section.variants[first]}",
        columns=_columns(("perturbation",), severities),
        lines=tuple(
            Line(standing="plain",
                 cells=(name, *(cells.get((name, s), MISSING) for s in severities)))
            for name in dict.fromkeys(p.perturbation for p in points)
        ),
        legend=("columns: severity",),
    )  # fmt: skip


def _loss(point: Point | None) -> str:
    if point is None:
        return MISSING
    if point.drop is None:
        return "not finite"
    mark = QUALITIES.get(point.verdict or "", " ")
    return f"{mark} {signed(point.drop * 100, 1)}".strip()


def _extra(section: StressSection) -> Sheet | None:
    points = [p for p in section.points if p.drop is not None or p.verdict is not None]
    if not points:
        return None
    severities = _severities(points)
    cells = {(p.trial, p.perturbation, p.severity): p for p in points}
    names = list(dict.fromkeys(p.perturbation for p in points))
    lines = []
    for trial, variant in section.variants.items():
        for name in names:
            own = [cells.get((trial, name, s)) for s in severities]
            if any(own):
                texts = (clean(variant), name, *(_loss(p) for p in own))
                lines.append(Line(standing="plain", cells=texts))
    seen = {p.verdict for p in points}
    legend = [f"{QUALITIES[v]} {v}" for v in QUALITIES if v in seen]
    if section.labelled:
        what = "Loss beyond the baseline under the same stress, points"
        count = sum(p.verdict is not None for p in points)
        legend.append(f"margin {section.margin * 100:g} points; corrected for all cells"
                      f" ({count} here)")  # fmt: skip
    else:
        what = "Rows answered differently from the baseline under the same stress, %"
    return Sheet(
        title=f"{what}: {section.name}",
        columns=_columns(("variant", "perturbation"), severities),
        lines=tuple(lines),
        legend=("columns: severity", f"{points[0].n} rows", *legend),
        notes=tuple(clean(note) for note in section.notes if not section.probes),
    )


def _probes(section: StressSection) -> Sheet | None:
    """What came back, and how long it took."""
    if not section.probes:
        return None
    cells = {(row.case, row.trial): row for row in section.probes}
    trials = [trial for trial in section.variants if any(trial == t for _, t in cells)]

    def cell(row: Probe | None) -> str:
        if row is None:
            return MISSING
        took = "" if row.wall_ns is None else f", {format_duration(row.wall_ns)}"
        return f"{row.outcome}{took}"

    ordinary = []
    for trial in trials:
        times = [r.plain_ns for (_, t), r in cells.items() if t == trial and r.plain_ns]
        ordinary.append(format_duration(min(times)) if times else MISSING)
    lines = [
        Line(standing="plain", cells=(case.replace("_", " "),
                                      *(cell(cells.get((case, trial))) for trial in trials)))
        for case in dict.fromkeys(case for case, _ in cells)
    ]  # fmt: skip
    return Sheet(
        title=f"Failure probes: {section.name}",
        columns=(
            Column(title="asked for", number=False),
            *(Column(title=clean(section.variants[t]), number=False) for t in trials),
        ),
        lines=(*lines, Line(standing="plain", cells=("(an ordinary query)", *ordinary))),
        legend=("overload: the slowest of many queries at once",),
        notes=tuple(clean(note) for note in section.notes),
    )


def draw(
    section: StressSection, size: Size = WIDE, *, theme: Theme = LIGHT
) -> alt.ConcatChart | None:
    """Extra loss over severity, one small plot for each perturbation; None without curves."""
    import altair as alt

    points = [p for p in section.points if p.drop is not None and p.low is not None]
    if not points:
        return None
    names = list(dict.fromkeys(p.perturbation for p in points))
    trials = [t for t in section.variants if any(p.trial == t for p in points)]
    variants = [section.variants[t] for t in trials]
    data = [_datum(p, section.variants[p.trial]) for p in points]
    shown = [v for d in data for v in (d["loss"], d["low"], d["high"])]
    margin = section.margin * 100
    low, high = min(*shown, 0.0), max(*shown, margin)
    room = 0.05 * (high - low)
    low, high = low - room, high + room
    columns = min(len(names), 3 if size.legend == "right" else 1)
    width = (size.width - 45 * (columns - 1)) // columns
    title = "extra loss (points)" if section.labelled else "differently (%)"
    y_axis = alt.Axis(values=list(ticks(low, high, log=False, most=4)), labelExpr=PLAIN,
                      labelOverlap=False)  # fmt: skip
    severities = _severities(points)
    domain = alt.Scale(domain=[severities[0] - 0.2, severities[-1] + 0.2], nice=False)
    x_axis = alt.Axis(values=severities, format="d")
    palette = alt.Scale(domain=variants, range=colours(variants, theme))
    colour = alt.Color("variant:N", title="variant", scale=palette,
                       legend=alt.Legend(symbolOpacity=1))  # fmt: skip
    tooltip = [
        alt.Tooltip(f"{key}:N", title=key) for key in ("variant", "severity", "text", "verdict")
    ]

    def panel(number: int, name: str) -> Any:
        """Axes are named where they stand at the edge: at the left, and below the last ones."""
        below = "severity" if number + columns >= len(names) else None
        x = alt.X("severity:Q", title=below, axis=x_axis, scale=domain)

        def y(column: str) -> Any:
            return alt.Y(f"{column}:Q", title=None if number % columns else title, axis=y_axis,
                         scale=fixed_scale(low, high, log=False))  # fmt: skip

        base = alt.Chart(alt.InlineData(values=[d for d in data if d["perturbation"] == name]))
        level = alt.Chart(alt.InlineData(values=[{"loss": margin if section.labelled else 0.0}]))
        return alt.layer(
            level.mark_rule(color=theme.muted, strokeDash=[4, 3]).encode(y=y("loss")),
            base.mark_area(opacity=0.13).encode(
                x=x, y=y("low"), y2="high:Q", color=colour, tooltip=tooltip
            ),
            base.mark_line(strokeWidth=1.5).encode(x=x, y=y("loss"), color=colour),
            base.mark_point(filled=True, opacity=1).encode(
                x=x, y=y("loss"), color=colour, tooltip=tooltip,
                size=alt.condition("datum.verdict == 'worse'", alt.value(90), alt.value(22)),
            ),
        ).properties(
            width=width,
            height=110,
            title=alt.TitleParams(text=name.replace("_", " "), fontSize=size.font,
                                  fontWeight="normal", offset=4, frame="group"),
        )  # fmt: skip

    panels = [panel(number, name) for number, name in enumerate(names)]
    told = f"{section.name}; bands hold together with 95 %"
    if section.labelled:
        told += f"; dashed: the margin, {margin:g} points; large: worse than that"
    return alt.concat(*panels, columns=columns, spacing=16).properties(
        title=alt.TitleParams(
            text=size.lines("What does a variant lose beyond its baseline under stress?",
                            size.font + 3),
            subtitle=size.lines(told, size.font),
        ),
        description=f"Extra loss over severity for {len(variants)} variants of {section.name}"
        f" under {len(names)} perturbations.",
    )  # fmt: skip


def _datum(point: Point, variant: str) -> dict[str, Any]:
    loss, low, high = (round((v or 0.0) * 100, 3) for v in (point.drop, point.low, point.high))
    return {
        "perturbation": point.perturbation,
        "severity": point.severity,
        "variant": variant,
        "loss": loss,
        "low": low,
        "high": high,
        "text": f"{signed(loss, 1)} ({signed(low, 1)} to {signed(high, 1)})",
        "verdict": point.verdict or ("unperturbed rows" if point.severity == 0 else "–"),
    }
