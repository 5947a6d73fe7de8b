"""The figures, each one Altair definition for PNG, SVG and HTML.

`frontier_chart` what each trial costs and gives; `ratio_panel` p50 against the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from profiler.errors import InputError
from profiler.report.charts.frontier_chart import frontier_panel
from profiler.report.charts.panel import crowded, place_name
from profiler.report.model.cells import ratio_text
from profiler.report.model.chart_labels import text_width
from profiler.report.model.contents import ReportInput
from profiler.report.model.formats import ticks
from profiler.report.model.records import (
    Group,
    drawn,
    drawn_groups,
    groups,
    measured,
    name,
    not_drawn,
    records,
)
from profiler.report.model.theme import (
    LIGHT,
    PLAIN,
    WIDE,
    Size,
    Theme,
    config,
    fixed_scale,
)
from profiler.schema.columns import Row, interval_of

if TYPE_CHECKING:
    import altair as alt

PNG_SCALE: Final = 2  # pixels per point: sharp on screens and in print


def frontier_chart(report: ReportInput, *, size: Size = WIDE, theme: Theme = LIGHT) -> alt.Chart:
    """One panel for each target and scenario, below each other.

    Raises InputError when no trial has a value on both axes.
    """
    import altair as alt

    every = groups(records(report.frame))
    drawn_panels = [
        frontier_panel(report, group, every, size=size, theme=theme)
        for group in drawn_groups(every)
    ]
    panels = [panel for panel in drawn_panels if panel is not None]
    if not panels:
        raise InputError("no measured trial: nothing to plot")
    chart = (
        panels[0]
        if len(panels) == 1
        else alt.vconcat(*panels, spacing=36).resolve_scale(
            color="independent", shape="independent"
        )
    )
    if left := not_drawn(every):
        chart = chart.properties(title=left)
    return configured(chart, size, theme)


def configured(chart: Any, size: Size, theme: Theme) -> alt.Chart:
    """The chart with its look; only a top-level chart may carry it."""
    chart = chart.copy(deep=False)
    chart.config = config(theme, size)
    return chart


def ratio_panel(
    report: ReportInput,
    group: Group,
    among: Sequence[Group],
    *,
    size: Size = WIDE,
    theme: Theme = LIGHT,
) -> alt.LayerChart | None:
    """The forest plot of one target and scenario; None when nothing was compared."""
    import altair as alt

    compared = [
        row for row in measured(group.rows) if row["ratio"] is not None and not row["is_baseline"]
    ]
    if not compared:
        return None
    rows = drawn(compared)
    band = (1 - report.equivalence, 1 + report.equivalence)
    data = [_ratio_datum(row, theme) for row in rows]
    ends = [d[key] for d in data for key in ("low", "high", "ratio") if key in d]
    low, high = min(*ends, band[0]), max(*ends, band[1])
    log = high / low > 4
    margin = 0.04 * (high - low)
    low, high = (low / 1.1, high * 1.1) if log else (low - margin, high + margin)
    wide = size.legend == "right"
    names = max(text_width(d["trial"], size.font - 1) for d in data)
    # beside the plot: the names, and on a wide figure the numbers and verdicts
    width = round(max(150.0, size.width - names - 65) if wide else max(110.0, 320 - names))
    order = [d["trial"] for d in data]
    y = alt.Y(
        "trial:N",
        sort=order,
        title=None,
        axis=alt.Axis(
            grid=False,
            ticks=False,
            domain=False,
            labelLimit=0,
            labelPadding=8,
        ),
    )
    scale = fixed_scale(low, high, log=log)
    x_axis = alt.Axis(
        values=list(ticks(low, high, log=log, most=max(3, width // 70))), labelExpr=PLAIN
    )
    title = "p50 ratio to baseline" + (", log scale" if log else "") + " (below 1 is faster)"

    def x(field: str) -> Any:
        return alt.X(f"{field}:Q", scale=scale, axis=x_axis, title=title)

    colour = alt.Color("colour:N", scale=None, legend=None)
    values = alt.InlineData(values=data)
    intervals = alt.InlineData(values=[d for d in data if "low" in d])
    tooltip = [
        alt.Tooltip("trial:N", title="trial"),
        alt.Tooltip("text:N", title="ratio, 95 % interval"),
        alt.Tooltip("verdict:N", title="verdict"),
    ]
    layers = [
        alt.Chart(alt.InlineData(values=[{"a": band[0], "b": band[1]}]))
        .mark_rect(color=theme.muted, opacity=0.16, tooltip=None)
        .encode(x=x("a"), x2="b"),
        alt.Chart(alt.InlineData(values=[{"a": 1.0}]))
        .mark_rule(color=theme.muted, strokeWidth=1, tooltip=None)
        .encode(x=x("a")),
        alt.Chart(intervals)
        .mark_rule(strokeWidth=1.6, tooltip=None)
        .encode(x=x("low"), x2="high", y=y, color=colour),
        alt.Chart(values)
        .mark_point(filled=True, size=40, opacity=1)
        .encode(x=x("ratio"), y=y, color=colour, tooltip=tooltip),
    ]
    if wide:
        for field, offset in (("text", 14), ("verdict", 134)):
            layers.append(
                alt.Chart(values)
                .mark_text(align="left", fontSize=size.font - 1, color=theme.ink, tooltip=None)
                .encode(x=alt.value(width + offset), y=y, text=f"{field}:N")
            )
    percent = f"{report.equivalence * 100:g}"
    about = [
        place_name(report, group, among),
        "bars: 95\u00a0% intervals across paired rounds; "
        f"band: ±{percent}\u00a0%, too close to matter",
    ]
    if len(compared) > len(rows):
        about.append(crowded(len(compared) - len(rows)))
    faster = sum(row["verdict"] == "faster" for row in rows)
    return alt.layer(*layers).properties(
        width=width,
        height=alt.Step(20),
        title=alt.TitleParams(
            text=size.lines("Is each variant faster than its baseline?", size.font + 3),
            subtitle=[line for text in about for line in size.lines(text, size.font)],
        ),
        description=(
            f"Forest plot of p50 ratios to the baseline of {len(rows)} trials, {faster} faster: "
            + "; ".join(f"{d['trial']} {d['text']} {d['verdict']}" for d in data)
            + "."
        ),
    )


def _ratio_datum(row: Row, theme: Theme) -> dict[str, Any]:
    verdict = row["verdict"] or "no verdict"
    known = interval_of(row, "ratio")
    text = ratio_text(row["ratio"])
    span = (
        f" [{ratio_text(row['ratio_low'])}, {ratio_text(row['ratio_high'])}]"
        if known
        else (" (no interval)")
    )
    found = {
        "trial": name(row),
        "ratio": row["ratio"],
        "verdict": verdict,
        "text": text + span,
        "colour": {"faster": theme.palette[0], "slower": theme.palette[1]}.get(
            verdict, theme.muted
        ),
    }
    return found | ({"low": row["ratio_low"], "high": row["ratio_high"]} if known else {})


def specification(chart: Any) -> dict[str, Any]:
    """The Vega-Lite specification as a dictionary, data included.

    Altair's checks of every part against the schema take most of the time, and what is drawn here
    does not depend on a user's input but for its values; the tests check it.
    """
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec


def vegalite_version(spec: dict[str, Any]) -> str:
    """The version the converter knows for a specification's schema: '…/v6.4.1.json' -> '6.4'."""
    number = str(spec["$schema"]).rsplit("/", 1)[-1].removeprefix("v").removesuffix(".json")
    return ".".join(number.split(".")[:2])


def to_png(spec: dict[str, Any]) -> bytes:
    """A PNG of a specification, with PNG_SCALE pixels per point; no network, no browser."""
    import vl_convert

    image: bytes = vl_convert.vegalite_to_png(
        spec, vl_version=vegalite_version(spec), scale=PNG_SCALE, allowed_base_urls=[]
    )
    return image


def to_svg(spec: dict[str, Any]) -> str:
    """An SVG of a specification."""
    import vl_convert

    image: str = vl_convert.vegalite_to_svg(
        spec, vl_version=vegalite_version(spec), allowed_base_urls=[]
    )
    return image
