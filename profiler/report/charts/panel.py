"""The frontier figure without its drawing: what is shown, in which words, at which pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from profiler.report.model import chart_labels
from profiler.report.model.cells import ratio_text
from profiler.report.model.contents import ReportInput
from profiler.report.model.formats import Axis, axes_for, axis_for, wanted_axes
from profiler.report.model.records import Group, drawn, group_name, measured, name
from profiler.report.model.theme import Size, Theme
from profiler.schema.columns import Row, interval_of, value_of
from profiler.schema.study.metrics import Metric
from profiler.units import counted

LABEL_SIZE: Final = 11.0
BARS: Final = "bars: 95\u00a0% intervals across fresh processes"
_QUIET: Final = 0.32  # opacity of dominated points: visible, not the subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One figure's rows (with both values), its axes and its look.

    `models` and `variants` are those of the whole report: a name looks alike in every figure.
    """

    rows: Sequence[Row]
    models: tuple[str, ...]
    variants: tuple[str, ...]
    left_out: int
    """measured trials without a value on one of the axes"""
    crowded_out: int
    """trials beyond those that a figure can hold"""
    replaced: bool
    """whether the axes are not the report's objectives, for want of values"""
    x: Axis
    y: Axis
    size: Size
    theme: Theme
    limits: Mapping[str, float]


def is_quiet(row: Row) -> bool:
    """Neither on the frontier nor chosen."""
    return not (row["frontier"] or row["chosen"])


def build_panel(
    report: ReportInput, group: Group, among: Sequence[Group], *, size: Size, theme: Theme
) -> Panel | None:
    """The figure of one target and scenario; None when no trial has a value on both axes."""
    every = measured(group.rows)
    x_metric, y_metric = axes_for(report.objectives, every)
    rows = [
        row
        for row in every
        if value_of(row, x_metric.column) is not None and value_of(row, y_metric.column) is not None
    ]
    if not rows:
        return None
    replaced = (x_metric, y_metric) != wanted_axes(report.objectives)
    if replaced:
        rows = _own_frontier(rows, x_metric, y_metric)
    x_limit, y_limit = (report.limits.get(m.limit or "") for m in (x_metric, y_metric))
    shown = [row for g in among for row in measured(g.rows)]
    kept = drawn(rows)
    return Panel(
        # the subject is drawn last, on top
        rows=sorted(kept, key=lambda row: not is_quiet(row)),
        models=tuple(dict.fromkeys(row["model"] or "" for row in shown)),
        variants=tuple(dict.fromkeys(row["variant"] or "" for row in shown)),
        left_out=len(every) - len(rows),
        crowded_out=len(rows) - len(kept),
        replaced=replaced,
        x=axis_for(x_metric, kept, size.width, x_limit),
        y=axis_for(y_metric, kept, size.height * 1.3, y_limit),  # ticks may stand closer
        size=size,
        theme=theme,
        limits=report.limits,
    )


def _own_frontier(rows: Sequence[Row], x: Metric, y: Metric) -> list[Row]:
    """The rows with the frontier of the two plotted metrics, by their values.

    The analysis judged by objectives that this figure can't show.
    """
    signs = [(m.column, 1 if m.lower_is_better else -1) for m in (x, y)]

    def beats(one: Row, other: Row) -> bool:
        pairs = [
            (sign * value_of(one, column), sign * value_of(other, column)) for column, sign in signs
        ]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    return [
        row | {"frontier": not any(beats(other, row) for other in rows), "dominated_by": None}
        for row in rows
    ]


def machine(report: ReportInput, target: str) -> str:
    """The hardware's name from the facts; the target's own name without them."""
    for facts in report.targets:
        if facts.get("target") == target:
            return facts.get("machine") or facts.get("cpu") or target
    return target


def place_name(report: ReportInput, group: Group, among: Sequence[Group]) -> str:
    """'AMD EPYC 7763 · local-cpu, single_stream'"""
    hardware, where = machine(report, group.target), group_name(group, among)
    return where if hardware == group.target else f"{hardware} · {where}"


def subtitle(report: ReportInput, group: Group, among: Sequence[Group], panel: Panel) -> list[str]:
    """Machine and scenario, what the bars are, and what the figure does not show."""
    lines = [place_name(report, group, among)]
    known = {
        m: [interval_of(row, m) is not None for row in panel.rows]
        for m in (panel.x.metric.column, panel.y.metric.column)
    }
    if any(any(found) for found in known.values()):
        bars = BARS
        if panel.y.metric.column == "accuracy" and any(known["accuracy"]):
            bars += " (accuracy: across evaluation rows)"
        lines.append(bars)
    if not all(known[panel.x.metric.column]):
        lines.append("no bar: interval not available")
    for axis in (panel.x, panel.y):
        limit = panel.limits.get(axis.metric.limit or "")
        if limit is not None and not axis.low <= limit / axis.factor <= axis.high:
            lines.append(f"limit outside the plot: {limit_text(axis, limit / axis.factor)}")
    if panel.replaced:
        lines.append("an objective was not measured: the frontier is that of these two axes")
    if panel.left_out:
        plural = "s" if panel.left_out > 1 else ""
        lines.append(f"not shown: {panel.left_out} trial{plural} without a value on one axis")
    if panel.crowded_out:
        lines.append(crowded(panel.crowded_out))
    return lines


def crowded(count: int) -> str:
    """What a figure of many trials leaves out."""
    return f"not drawn for want of room: {counted(count, 'trial')}; the tables hold all"


def shown_value(row: Row, axis: Axis, *, interval: bool = True) -> str:
    """'57.2 µs (56.8 µs to 57.6 µs)'"""
    value, span = value_of(row, axis.metric.column), interval_of(row, axis.metric.column)
    text = _one(value, axis)
    if not interval:
        return text
    if span is None:
        return f"{text} (no interval)" if axis.metric.entry.kind in ("duration", "share") else text
    return f"{text} ({_one(span[0], axis)} to {_one(span[1], axis)})"


def _one(value: float, axis: Axis) -> str:
    entry = axis.metric.entry
    return entry.show(value) + (f" {entry.unit}" if entry.kind == "money" else "")


def alt_text(panel: Panel) -> str:
    """The figure in words, for those who do not see it."""
    front = [row for row in panel.rows if not is_quiet(row)]
    front.sort(key=lambda row: float(value_of(row, panel.x.metric.column)))
    items = [
        f"{name(row)}{' (chosen)' if row['chosen'] else ''} "
        f"{shown_value(row, panel.x, interval=False)}, "
        f"{shown_value(row, panel.y, interval=False)}"
        for row in front
    ]
    head = (
        f"Scatter plot of {panel.y.metric.title} against {panel.x.metric.title} "
        f"of {len(panel.rows)} trials."
    )
    return f"{head} On the frontier: {'; '.join(items)}." if items else head


def datum(row: Row, panel: Panel) -> dict[str, Any]:
    """A point for Vega: values in shown units, looks, and the tooltip's texts."""
    quiet = is_quiet(row)
    point: dict[str, Any] = {
        "x": value_of(row, panel.x.metric.column) / panel.x.factor,
        "y": value_of(row, panel.y.metric.column) / panel.y.factor,
        "model": row["model"],
        "variant": row["variant"],
        "opacity": _QUIET if quiet else 1.0,
        "bar": _QUIET * 0.7 if quiet else 0.85,
        "trial": name(row),
        "first": shown_value(row, panel.x),
        "second": shown_value(row, panel.y),
        "ratio": "baseline" if row["is_baseline"] else ratio_text(row["ratio"]),
        "state": "chosen"
        if row["chosen"]
        else "frontier"
        if not quiet
        else (f"dominated by {row['dominated_by']}" if row["dominated_by"] else "not on frontier"),
    }
    for key, axis in (("x", panel.x), ("y", panel.y)):
        span = interval_of(row, axis.metric.column)
        if span is not None:
            point[f"{key}_low"], point[f"{key}_high"] = (v / axis.factor for v in span)
    return point


def step_line(points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Corners of the boundary of what the points dominate; dominated points are left out.

    `points` in shown units. A plotted pair of metrics may be fewer than the objectives, so being
    on the frontier does not imply being on this line.
    """
    x_sign = 1 if x.metric.lower_is_better else -1
    y_sign = 1 if y.metric.lower_is_better else -1
    corners: list[tuple[float, float]] = []
    best = None
    for px, py in sorted(points, key=lambda p: (x_sign * p[0], y_sign * p[1])):
        if best is not None and y_sign * py >= y_sign * best:
            continue
        if best is not None:
            corners.append((px, best))
        corners.append((px, py))
        best = py
    return corners


def front_points(panel: Panel) -> list[tuple[float, float]]:
    """Frontier points in shown units."""
    return [
        (
            value_of(row, panel.x.metric.column) / panel.x.factor,
            value_of(row, panel.y.metric.column) / panel.y.factor,
        )
        for row in panel.rows
        if row["frontier"]
    ]


def limit_text(axis: Axis, value: float) -> str:
    """'SLO p50 ≤ 70 µs'; `value` in the shown unit."""
    sign = "≤" if axis.metric.lower_is_better else "≥"
    short = axis.metric.title.removesuffix(" latency")
    return f"SLO {short} {sign} {value:.4g} {axis.unit}"


def limits_inside(panel: Panel) -> list[tuple[str, Axis, float]]:
    """Limits inside the plot: channel, axis, value in its shown unit."""
    found = []
    for channel, axis in (("x", panel.x), ("y", panel.y)):
        limit = panel.limits.get(axis.metric.limit or "")
        if limit is not None and axis.low <= limit / axis.factor <= axis.high:
            found.append((channel, axis, limit / axis.factor))
    return found


def limit_box(panel: Panel, channel: str, axis: Axis, value: float) -> chart_labels.Box:
    """Where a limit's name stands: at the top or right end of its rule, inside the plot."""
    wide = chart_labels.text_width(limit_text(axis, value), LABEL_SIZE)
    high, width, height = LABEL_SIZE + 2, panel.size.width, panel.size.height
    if channel == "x":
        left = axis.pixel(value, width) + 4
        left = left - wide - 8 if left + wide > width else left
        return chart_labels.Box(left=left, top=0.0, right=left + wide, bottom=high)
    top = height - axis.pixel(value, height) - high - 2
    top = top + high + 4 if top < 0 else top
    return chart_labels.Box(left=width - wide, top=top, right=float(width), bottom=top + high)


def _obstacles(panel: Panel) -> tuple[list[chart_labels.Box], list[chart_labels.Box]]:
    """Boxes no label may cover (points, names of limits), and those it should not (lines)."""
    width, height = panel.size.width, panel.size.height

    def at(px: float, py: float) -> tuple[float, float]:
        return panel.x.pixel(px, width), height - panel.y.pixel(py, height)

    hard, soft = [], []
    for row in panel.rows:
        found = datum(row, panel)
        hard.append(
            chart_labels.around(*at(found["x"], found["y"]), 10.0 if row["chosen"] else 6.0)
        )
        for key in ("x", "y"):
            if f"{key}_low" in found:
                low, high = found[f"{key}_low"], found[f"{key}_high"]
                pair = (
                    ((low, found["y"]), (high, found["y"]))
                    if key == "x"
                    else ((found["x"], low), (found["x"], high))
                )
                soft.append(_segment(at(*pair[0]), at(*pair[1])))
    corners = [at(*corner) for corner in step_line(front_points(panel), panel.x, panel.y)]
    soft += [_segment(a, b) for a, b in pairwise(corners)]
    for channel, axis, value in limits_inside(panel):
        hard.append(limit_box(panel, channel, axis, value))
        if channel == "x":
            place = axis.pixel(value, width)
            soft.append(_segment((place, 0.0), (place, height)))
        else:
            place = height - axis.pixel(value, height)
            soft.append(_segment((0.0, place), (width, place)))
    return hard, soft


def _segment(one: tuple[float, float], other: tuple[float, float]) -> chart_labels.Box:
    """The box of an upright or level line."""
    (x1, y1), (x2, y2) = one, other
    return chart_labels.Box(
        left=min(x1, x2) - 1, top=min(y1, y2) - 1, right=max(x1, x2) + 1, bottom=max(y1, y2) + 1
    )


def placed_labels(panel: Panel) -> list[tuple[Row, tuple[float, float], chart_labels.Box | None]]:
    """Frontier and chosen rows, the pixels of their point and of their label (None: no room)."""
    rows = [row for row in panel.rows if not is_quiet(row)]
    width, height = panel.size.width, panel.size.height
    anchors = [
        (
            panel.x.pixel(value_of(row, panel.x.metric.column) / panel.x.factor, width),
            height - panel.y.pixel(value_of(row, panel.y.metric.column) / panel.y.factor, height),
        )
        for row in rows
    ]
    sizes = [(chart_labels.text_width(name(row), LABEL_SIZE), LABEL_SIZE + 2) for row in rows]
    hard, soft = _obstacles(panel)
    boxes = chart_labels.place(
        anchors, sizes, width=width, height=height, hard=hard, soft=soft, reach=panel.size.reach
    )
    return list(zip(rows, anchors, boxes, strict=True))
