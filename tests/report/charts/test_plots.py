from __future__ import annotations

import dataclasses
import itertools
import json
import struct

import pytest

from profiler.errors import InputError
from profiler.report.charts.panel import build_panel, placed_labels
from profiler.report.charts.plots import (
    configured,
    frontier_chart,
    ratio_panel,
    specification,
    to_png,
    to_svg,
    vegalite_version,
)
from profiler.report.model.chart_labels import around, shared
from profiler.report.model.records import (
    MOST_DRAWN,
    drawn_groups,
    groups,
    not_drawn,
    records,
)
from profiler.report.model.theme import DARK, LIGHT, NARROW, WIDE, recoloured
from profiler.report.page.html import page

NAN = float("nan")


def layers(spec):
    return spec["layer"]


def data_of(spec, layer):
    data = layer["data"]
    return data["values"] if "values" in data else spec["datasets"][data["name"]]


def marks(spec, kind):
    return [layer for layer in layers(spec) if layer["mark"]["type"] == kind]


def title_text(spec):
    return " ".join([*spec["title"]["text"], *spec["title"]["subtitle"]])


def panel_of(report, size):
    among = groups(records(report.frame))
    return build_panel(report, among[0], among, size=size, theme=LIGHT)


@pytest.fixture
def spec(report):
    return specification(frontier_chart(report))


def test_error_bars_on_both_axes(spec, frame):
    bars = [layer for layer in marks(spec, "rule") if {"x2", "y2"} & set(layer["encoding"])]
    assert {("x2" in b["encoding"], "y2" in b["encoding"]) for b in bars} == {
        (True, False),
        (False, True),
    }
    for bar in bars:
        axis = "x" if "x2" in bar["encoding"] else "y"
        for row in data_of(spec, bar):
            assert row[f"{axis}_low"] < row[axis] < row[f"{axis}_high"]
    across = next(b for b in bars if "x2" in b["encoding"])
    known = frame["p50_low_ns"].notna().sum()
    assert len(data_of(spec, across)) == known  # no interval, no bar


def test_every_measured_trial_is_a_point_and_no_other(spec, frame):
    points = data_of(spec, marks(spec, "point")[0])
    assert len(points) == (frame["status"] == "ok").sum()
    assert all(p["x"] > 0 and p["y"] > 0 for p in points)


def test_dominated_points_are_visible_but_quiet(spec):
    points = data_of(spec, marks(spec, "point")[0])
    quiet = [p["opacity"] for p in points if p["state"].startswith("dominated")]
    assert quiet
    assert all(0.2 < value < 0.5 for value in quiet)
    assert all(p["opacity"] == 1 for p in points if p["state"] in ("frontier", "chosen"))


def test_the_chosen_point_is_ringed(spec):
    (ring,) = [m for m in marks(spec, "point") if not m["mark"]["filled"]]
    assert [d["trial"] for d in data_of(spec, ring)] == ["convnet int8-static t2"]


def test_title_asks_and_subtitle_says_how(spec):
    text = title_text(spec)
    assert text.startswith("Which variants give the highest accuracy for their p50 latency?")
    assert "AMD EPYC 7763" in text
    assert "single_stream" in text
    assert "95\u00a0% intervals across fresh processes" in text
    assert "no bar: interval not available" in text


def test_axes_name_unit_scale_and_direction(spec):
    encoding = marks(spec, "point")[0]["encoding"]
    assert encoding["x"]["title"] == "p50 latency (µs, log scale), lower is better"
    assert encoding["y"]["title"] == "accuracy (%), higher is better"
    assert encoding["x"]["scale"]["type"] == "log"


def test_limits_are_dashed_rules(spec, make_report):
    dashed = [m for m in marks(spec, "rule") if m["mark"].get("strokeDash")]
    assert [data_of(spec, m)[0]["x"] for m in dashed] == [70.0]
    far = specification(frontier_chart(make_report(limits={"p50": 9e9, "min_accuracy": 0.95})))
    dashed = [m for m in marks(far, "rule") if m["mark"].get("strokeDash")]
    assert [data_of(far, m)[0] for m in dashed] == [{"y": 95.0}]
    assert "limit outside the plot: SLO p50" in title_text(far)


def test_the_frontier_line_is_made_of_steps(spec):
    line = data_of(spec, marks(spec, "line")[0])
    for one, two in itertools.pairwise(line):
        assert one["x"] == two["x"] or one["y"] == two["y"]
        assert two["x"] >= one["x"]
        assert two["y"] >= one["y"]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_labels_cover_neither_points_nor_each_other(report, size):
    panel = panel_of(report, size)
    placed = placed_labels(panel)
    boxes = [box for _, _, box in placed if box is not None]
    assert len(boxes) >= len(placed) - (0 if size is WIDE else 3)
    assert not any(shared(a, b) for a, b in itertools.combinations(boxes, 2))
    for row in panel.rows:
        x = panel.x.pixel(row["p50_ns"] / panel.x.factor, size.width)
        y = size.height - panel.y.pixel(row["accuracy"] / panel.y.factor, size.height)
        assert not any(shared(box, around(x, y, 5)) for box in boxes)


def test_labels_hold_the_thread_count(spec):
    texts = {d["text"] for layer in marks(spec, "text") for d in data_of(spec, layer)}
    assert {"convnet int8-static t2", "linear fp32 t1", "SLO p50 ≤ 70 µs"} <= texts


def test_without_accuracy_memory_is_the_other_axis(unlabelled, make_report):
    shown = specification(frontier_chart(make_report(unlabelled)))
    assert "peak memory" in marks(shown, "point")[0]["encoding"]["y"]["title"]
    assert "lowest peak memory" in title_text(shown)
    assert "frontier is that of these two axes" in title_text(shown)
    sizes = unlabelled.assign(memory_peak_bytes=NAN)
    shown = specification(frontier_chart(make_report(sizes)))
    assert "file size" in marks(shown, "point")[0]["encoding"]["y"]["title"]


def test_one_point(frame, make_report):
    report = make_report(frame.iloc[[0]], limits={})
    shown = specification(frontier_chart(report))
    assert not marks(shown, "line")
    assert to_png(shown).startswith(b"\x89PNG")


def test_a_trial_without_a_value_is_counted_not_drawn_at_zero(frame, make_report):
    frame.loc[0, "accuracy"] = NAN
    shown = specification(frontier_chart(make_report(frame)))
    assert len(data_of(shown, marks(shown, "point")[0])) == 17
    assert "not shown: 1 trial" in title_text(shown)


def ratios(report):
    """The forest plot of the first group, as the page shows it; None where nothing was compared."""
    among = groups(records(report.frame))
    chart = ratio_panel(report, among[0], among, size=WIDE, theme=LIGHT)
    return None if chart is None else configured(chart, WIDE, LIGHT)


def test_nothing_measured(frame, make_report):
    report = make_report(frame.assign(status="failed"))
    with pytest.raises(InputError):
        frontier_chart(report)
    assert ratios(report) is None


def test_targets_get_their_own_panels(frame, make_report):
    import pandas as pd

    two = pd.concat([frame, frame.assign(target="raspberry-pi-5")])
    assert len(specification(frontier_chart(make_report(two)))["vconcat"]) == 2


def test_png_has_twice_the_pixels_of_the_svg(spec):
    png, svg = to_png(spec), to_svg(spec)
    wide, high = struct.unpack(">II", png[16:24])
    assert f'width="{wide // 2}" height="{high // 2}"' in svg
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_ratio_chart_has_the_band_and_every_comparison(report, frame):
    shown = specification(ratios(report))
    (band,) = marks(shown, "rect")
    assert data_of(shown, band) == [{"a": 0.99, "b": 1.01}]
    (points,) = marks(shown, "point")
    assert len(data_of(shown, points)) == frame["ratio"].notna().sum()
    bars = [m for m in marks(shown, "rule") if "x2" in m["encoding"]]
    assert all(d["low"] <= d["ratio"] <= d["high"] for m in bars for d in data_of(shown, m))
    assert "too close to matter" in title_text(shown)


def test_version_of_the_schema():
    assert vegalite_version({"$schema": "https://vega.github.io/schema/vega-lite/v6.4.1.json"}) == (
        "6.4"
    )


def test_dark_is_light_in_other_colours(report):
    light = specification(frontier_chart(report, theme=LIGHT))
    dark = specification(frontier_chart(report, theme=DARK))
    for theirs in (light, dark):  # names of generated data differ from chart to chart
        theirs.pop("datasets", None)

    def unnamed(spec):
        return json.dumps(spec, sort_keys=True)

    assert unnamed(recoloured(light, LIGHT, DARK)) == unnamed(dark)


def many(report, trials=200):
    import pandas as pd

    frames = []
    for n in range(-(-trials // len(report.frame))):
        frame = report.frame.assign(batch=n % 10 + 1, chosen=False)
        frame["trial"] += f".{n}"
        frames.append(frame)
    frame = pd.concat([*frames, *frames, *frames], ignore_index=True)
    return dataclasses.replace(report, frame=frame)


def test_figures_hold_what_can_be_told_apart_and_say_what_they_leave_out(report):
    crowded = dataclasses.replace(
        report, frame=many(report, 400).frame.assign(batch=1, frontier=False)
    )
    crowded.frame.loc[300, "chosen"] = True
    among = groups(records(crowded.frame))
    panel = build_panel(crowded, among[0], among, size=WIDE, theme=LIGHT)
    assert len(panel.rows) == MOST_DRAWN
    assert sum(bool(row["chosen"]) for row in panel.rows) == 1
    text = title_text(specification(frontier_chart(crowded)))
    assert f"not drawn for want of room: {panel.crowded_out} trials" in " ".join(text.split())
    forest = specification(ratios(crowded))
    assert len(data_of(forest, marks(forest, "point")[0])) == MOST_DRAWN
    assert "not drawn for want of room" in title_text(forest)


@pytest.fixture
def two_groups(monkeypatch):
    """Figures are for two groups: six of them take long."""
    monkeypatch.setattr("profiler.report.model.records.MOST_GROUPS", 2)


@pytest.mark.usefixtures("two_groups")
def test_few_groups_of_many_get_figures_and_that_of_the_choice_is_one(report):
    crowded = many(report)
    last = crowded.frame.index[crowded.frame["batch"] == 10][0]
    crowded.frame.loc[last, "chosen"] = True
    among = groups(records(crowded.frame))
    kept = drawn_groups(among)
    assert len(kept) == 2 < len(among)
    assert any(row["chosen"] for group in kept for row in group.rows)
    spec = specification(frontier_chart(crowded))
    assert len(spec["vconcat"]) == 2
    assert not_drawn(among) in spec["title"]
    assert not_drawn(among) in page(crowded)
    assert not_drawn(kept) == ""


@pytest.mark.usefixtures("two_groups")
def test_figures_fit_the_schema(report):
    for chart in (frontier_chart(report), ratios(report), frontier_chart(many(report))):
        chart.to_dict(validate=True)
