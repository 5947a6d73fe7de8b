"""The frontier figure: what each trial costs in one metric and gives in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from profiler.report.charts.panel import (
    LABEL_SIZE,
    Panel,
    alt_text,
    build_panel,
    datum,
    front_points,
    limit_box,
    limit_text,
    limits_inside,
    placed_labels,
    step_line,
    subtitle,
)
from profiler.report.model import chart_labels
from profiler.report.model.contents import ReportInput
from profiler.report.model.records import Group, name
from profiler.report.model.theme import (
    LIGHT,
    PLAIN,
    WIDE,
    Size,
    Theme,
    colours,
    fixed_scale,
    shapes,
)

if TYPE_CHECKING:
    import altair as alt

_POINT_AREA: Final = 75


def frontier_panel(
    report: ReportInput,
    group: Group,
    among: Sequence[Group],
    *,
    size: Size = WIDE,
    theme: Theme = LIGHT,
) -> alt.LayerChart | None:
    """The figure of one target and scenario; None when nothing has both values."""
    import altair as alt

    panel = build_panel(report, group, among, size=size, theme=theme)
    if panel is None:
        return None
    layers = [
        *_limit_layers(panel),
        *_line_layer(panel),
        *_bar_layers(panel),
        _point_layer(panel),
        *_ring_layer(panel),
        *_label_layers(panel),
    ]
    x_metric, y_metric = panel.x.metric, panel.y.metric
    most = "lowest" if y_metric.lower_is_better else "highest"
    question = f"Which variants give the {most} {y_metric.title} for their {x_metric.title}?"
    title = alt.TitleParams(
        text=size.lines(question, size.font + 3),
        subtitle=[
            line
            for text in subtitle(report, group, among, panel)
            for line in size.lines(text, size.font)
        ],
    )
    return alt.layer(*layers).properties(
        width=size.width,
        height=size.height,
        title=title,
        description=alt_text(panel),
    )


def _position(alt: Any, panel: Panel) -> tuple[Any, Any]:
    # ticks are given: a log scale of little more than a decade gets either too many or one;
    # '~f' prints 0.05, 5 and 500 as they are
    encoded = []
    for channel, field, axis in ((alt.X, "x", panel.x), (alt.Y, "y", panel.y)):
        encoded.append(
            channel(
                f"{field}:Q",
                scale=fixed_scale(axis.low, axis.high, log=axis.log),
                title=axis.title,
                axis=alt.Axis(values=list(axis.ticks), labelExpr=PLAIN, labelOverlap=False),
            )
        )
    return encoded[0], encoded[1]


def _bar_layers(panel: Panel) -> list[Any]:
    import altair as alt

    x, y = _position(alt, panel)
    layers = []
    for key, start, end in (
        ("x", {"x": _at(x, "x_low"), "y": y}, {"x2": alt.X2("x_high")}),
        ("y", {"y": _at(y, "y_low"), "x": x}, {"y2": alt.Y2("y_high")}),
    ):
        data = [d for d in (datum(row, panel) for row in panel.rows) if f"{key}_low" in d]
        if data:
            layers.append(
                alt.Chart(_inline(alt, data))
                .mark_rule(strokeWidth=1.1, tooltip=None)
                .encode(
                    **start,
                    **end,
                    opacity=alt.Opacity("bar:Q", scale=None, legend=None),
                    color=_colour(alt, panel),
                )
            )
    return layers


def _at(channel: Any, field: str) -> Any:
    """The same channel, scale and axis, reading another field."""
    copied = channel.copy(deep=False)
    copied.shorthand = f"{field}:Q"
    return copied


def _inline(alt: Any, data: Sequence[Mapping[str, Any]]) -> Any:
    return alt.InlineData(values=list(data))


def _colour(alt: Any, panel: Panel) -> Any:
    models = list(panel.models)
    scale = alt.Scale(domain=models, range=colours(models, panel.theme))
    return alt.Color("model:N", scale=scale, title="model", legend=alt.Legend(symbolOpacity=1))


def _point_layer(panel: Panel) -> Any:
    import altair as alt

    x, y = _position(alt, panel)
    variants = list(panel.variants)
    tooltip = (
        ("trial", "trial"),
        ("first", panel.x.metric.title),
        ("second", panel.y.metric.title),
        ("ratio", "p50 ratio to baseline"),
        ("state", "standing"),
    )
    data = [datum(row, panel) for row in panel.rows]
    return (
        alt.Chart(_inline(alt, data))
        .mark_point(filled=True, size=_POINT_AREA, strokeWidth=0)
        .encode(
            x=x,
            y=y,
            color=_colour(alt, panel),
            shape=alt.Shape(
                "variant:N",
                scale=alt.Scale(domain=variants, range=shapes(variants)),
                title="variant",
                legend=alt.Legend(
                    symbolFillColor=panel.theme.muted, symbolStrokeWidth=0, symbolOpacity=1
                ),
            ),
            opacity=alt.Opacity("opacity:Q", scale=None, legend=None),
            tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tooltip],
        )
    )


def _line_layer(panel: Panel) -> list[Any]:
    import altair as alt

    corners = step_line(front_points(panel), panel.x, panel.y)
    if len(corners) < 2:
        return []
    x, y = _position(alt, panel)
    data = [{"x": px, "y": py, "order": i} for i, (px, py) in enumerate(corners)]
    return [
        alt.Chart(_inline(alt, data))
        .mark_line(color=panel.theme.muted, strokeWidth=1, opacity=0.75, tooltip=None)
        .encode(x=x, y=y, order="order:Q")
    ]


def _ring_layer(panel: Panel) -> list[Any]:
    import altair as alt

    data = [datum(row, panel) for row in panel.rows if row["chosen"]]
    if not data:
        return []
    x, y = _position(alt, panel)
    return [
        alt.Chart(_inline(alt, data))
        .mark_point(
            shape="circle",
            filled=False,
            size=_POINT_AREA * 4,
            strokeWidth=1.6,
            opacity=1,
            color=panel.theme.ink,
            tooltip=None,
        )
        .encode(x=x, y=y)
    ]


def _limit_layers(panel: Panel) -> list[Any]:
    import altair as alt

    x, y = _position(alt, panel)
    layers = []
    for channel, axis, value in limits_inside(panel):
        chart = alt.Chart(_inline(alt, [{channel: value}]))
        along = x if channel == "x" else y
        layers.append(
            chart.mark_rule(
                color=panel.theme.muted, strokeDash=[4, 3], strokeWidth=1, tooltip=None
            ).encode(**{channel: along})
        )
        box = limit_box(panel, channel, axis, value)
        layers += _text_layers(
            alt, panel, [(box, "left", limit_text(axis, value))], panel.theme.muted
        )
    return layers


def _text_layers(
    alt: Any, panel: Panel, texts: Sequence[tuple[chart_labels.Box, str, str]], colour: str
) -> list[Any]:
    """Texts (box in pixels, alignment, text) as data of the axes, so that the scales stay shared.

    Below each text lies its outline in the colour of the paper: lines stop short of it.
    """
    x, y = _position(alt, panel)
    data = []
    for box, align, text in texts:
        px = {"left": box.left + 1, "right": box.right - 1}.get(align, box.centre[0])
        data.append(
            {
                "x": panel.x.value(px, panel.size.width),
                "y": panel.y.value(panel.size.height - box.centre[1], panel.size.height),
                "text": text,
                "align": align,
            }
        )
    looks = (
        {"stroke": panel.theme.paper, "strokeWidth": 3, "strokeJoin": "round"},
        {"fill": colour},
    )
    return [
        alt.Chart(_inline(alt, data))
        .mark_text(
            fontSize=LABEL_SIZE,
            align=alt.expr("datum.align"),
            baseline="middle",
            tooltip=None,
            aria=False,
            **look,
        )
        .encode(x=x, y=y, text="text:N")
        for look in looks
    ]


def _label_layers(panel: Panel) -> list[Any]:
    import altair as alt

    placed = [(row, at, box) for row, at, box in placed_labels(panel) if box is not None]
    if not placed:
        return []
    width, height = panel.size.width, panel.size.height
    lines = []
    for row, at, box in placed:
        for i, (px, py) in enumerate(chart_labels.leader(at, box)):
            lines.append(
                {
                    "x": panel.x.value(px, width),
                    "y": panel.y.value(height - py, height),
                    "line": name(row),
                    "order": i,
                }
            )
    layers = []
    if lines:
        x, y = _position(alt, panel)
        layers.append(
            alt.Chart(_inline(alt, lines))
            .mark_line(color=panel.theme.muted, strokeWidth=0.7, tooltip=None)
            .encode(x=x, y=y, detail="line:N", order="order:Q")
        )
    texts = [(box, chart_labels.side(at, box), name(row)) for row, at, box in placed]
    return [*layers, *_text_layers(alt, panel, texts, panel.theme.ink)]
