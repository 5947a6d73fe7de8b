from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import pandas as pd
import pytest
from rich.cells import cell_len

from profiler.errors import InputError
from profiler.report.model.cells import common_unit, figure, number_parts, signed
from profiler.report.model.records import clean, records
from profiler.report.page.html import page as html_page
from profiler.report.tables.render import FORMATS, aligned, render

NAN = float("nan")


def rows_of(text: str, title: str) -> list[str]:
    """The lines below the rule of the table whose title starts with `title`."""
    block = next(part for part in text.split("\n\n") if part.startswith(title))
    lines = block.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("──")) + 1
    return lines[start:]


def row_of(text: str, title: str, *words: str) -> str:
    pattern = r"\s+".join(re.escape(word) for word in words)
    return next(line for line in rows_of(text, title) if re.search(rf"{pattern}\b", line))


def test_text_fits_80_columns_and_keeps_every_trial_on_one_line(frame):
    text = render(frame, "text")
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    for row in frame.itertuples():
        assert row_of(text, "Latency", row.model, row.variant, str(row.threads))


def folded(name: str, lines: list[str]) -> bool:
    """Whether a name stands whole in one line, or in two pieces in lines that follow."""
    return any(name in line for line in lines) or any(
        name[:cut] in one and name[cut:] in two
        for one, two in pairwise(lines)
        for cut in range(4, len(name))
    )


@pytest.mark.parametrize("width", [80, 120])
def test_long_names_are_folded_never_cut(frame, width):
    names = {"convnet": "resnet50-v1.5-imagenet-pretrained", "mlp": "distilbert-base-uncased-sst2"}
    text = render(frame.replace({"model": names}), "text", width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for name in names.values():
        assert folded(name, rows_of(text, "Latency"))
        assert folded(name, rows_of(text, "Accuracy"))


def test_marks_and_legend(frame):
    text = render(frame, "text")
    table = rows_of(text, "Latency")
    marked = {mark: [line for line in table[:20] if line.startswith(mark)] for mark in "★●✗○"}
    assert len(marked["★"]) == 1
    assert "convnet" in marked["★"][0]
    # the chosen one is on the frontier too and shows the stronger mark
    assert len(marked["●"]) == frame["frontier"].sum() - 1
    assert len(marked["✗"]) == len(marked["○"]) == 1
    legend = "\n".join(table[20:])
    for word in (
        "★ chosen",
        "● frontier",
        "✗ failed",
        "○ excluded",
        "dim: dominated",
        "▼ faster",
        "▲ slower",
        "= equivalent",
        "? undecided",
        "~ no interval",
    ):
        assert word in legend


def test_legend_explains_only_what_occurs(frame):
    text = render(frame[frame["trial"] == "mlp.fp32.t1"].assign(frontier=False), "text")
    assert "★" not in text
    assert "●" not in text
    assert "undecided" not in text


def test_failed_and_excluded_rows_show_their_reason(frame):
    text = render(frame, "text")
    assert "failed" in row_of(text, "Latency", "attention", "int8-static", "1")
    joined = " ".join(text.split())
    assert "Could not find an implementation for DynamicQuantizeMatMul(1)" in joined
    assert "linear has one operator: threads change nothing" in joined


def test_a_reason_that_trials_share_is_said_once(frame):
    models = frame.loc[frame["variant"] == "fp32", "model"].unique()
    assert len(models) > 1
    frame.loc[frame["variant"] == "fp32", ["status", "reason"]] = ["excluded", "no such device"]
    text = render(frame, "text")
    assert text.count("no such device") == 1
    for model in models:
        assert re.search(rf"○  {model} fp32 .*: excluded", text)


def test_a_failed_trial_never_shows_numbers_or_a_winning_mark(frame):
    frame.loc[frame["status"] == "failed", ["chosen", "frontier", "p50_ns"]] = [True, True, 1.0]
    line = row_of(render(frame, "text"), "Latency", "attention", "int8-static", "1")
    assert line.startswith("✗")
    assert re.search(r"failed\s*$", line)


def test_missing_values_are_neither_zero_nor_text(frame):
    for fmt in ("text", "markdown"):
        shown = render(frame, fmt)
        assert not re.search(r"\b(nan|None|inf|NaT)\b", shown)
    line = row_of(render(frame, "text"), "Latency", "mlp", "int8-static", "2")
    assert "~14.7" in line
    assert "–" in line
    assert not re.search(r"\s0\s", line)


def test_why_there_is_no_interval(frame):
    assert "~ no interval: too few rounds\n" in render(frame, "text")
    row = frame.index[(frame["status"] == "ok") & frame["p99_low_ns"].notna()][0]
    frame.loc[row, ["p99_low_ns", "p99_high_ns"]] = None
    frame.loc[row, "p99_note"] = "n too small"
    assert "~ no interval: too few queries" in render(frame, "text")


def test_footnotes_say_why(frame):
    notes = rows_of(render(frame, "text"), "Latency")[-3:]
    assert notes == ["ᵃ busy neighbour", "ᵇ n too small", "ᶜ about 34 rounds would decide"]
    assert "undecided, needs n = 2140 labelled rows" in render(frame, "text")


def test_without_labels_there_is_no_accuracy_column(unlabelled):
    text = render(unlabelled, "text")
    assert "accuracy" not in text.lower()
    assert "Memory and cost" in text
    assert "agreement %" in text


def test_a_column_with_no_known_value_is_left_out(frame):
    assert "USD/M" not in render(frame, "text")
    priced = render(frame.assign(cost_per_million=0.0123, currency="USD"), "text")
    assert "USD/M" in priced
    assert max(map(cell_len, priced.splitlines())) <= 80
    price = "0.1 USD/h of 2026-06-17"
    dated = render(frame.assign(cost_per_million=0.0123, currency="USD", price=price), "text")
    assert f"at {price}, declared" in " ".join(dated.split())


def test_offline_shows_throughput_in_place_of_a_tail(frame):
    text = render(frame.assign(scenario="offline", batch=32), "text")
    assert "offline, batch 32" in text
    assert "samples/s" in text
    assert "p99" not in text


def test_what_does_not_vary_stands_in_the_title(frame):
    one = render(frame[frame["threads"] == 2], "text")
    assert "single_stream, 2 threads" in one
    assert " thr " not in one
    two = render(pd.concat([frame, frame.assign(scenario="offline", batch=8)]), "text")
    assert "Latency: local-cpu, single_stream" in two
    assert "Latency: local-cpu, offline, batch 8" in two


def test_hardware_table(frame):
    names = ("raspberry-pi-5", "jetson-orin-nano", "cloud-8x", "another-cloud-16x", "npu-board")
    several = pd.concat([frame, *(frame.assign(target=name) for name in names)])
    text = render(several, "text")
    assert max(cell_len(line) for line in text.splitlines()) <= 80
    assert text.count("By hardware: p50") > 1  # too wide for one
    for name in names:
        assert name in text
    assert "By hardware" not in render(frame, "text")


def test_names_are_not_markup(frame):
    frame.loc[0, "model"] = "[red]x[/red]"
    assert "[red]x[/red]" in render(frame, "text")


def test_device_text_can_not_control_the_terminal(frame):
    frame.loc[frame["status"] == "failed", "reason"] = "bad\x1b[2J\nthing\x07"
    for fmt in ("text", "markdown", "csv"):
        assert "\x1b" not in render(frame, fmt)
    assert clean("a\x1b[2J\r\n b") == "a\\x1b[2J b"


def test_all_failed(frame):
    text = render(frame.assign(status="failed", reason="link down"), "text")
    missing = text[text.index("Not measured") :]
    assert missing.count(": failed") == len(frame)
    assert missing.count("link down") == 1
    assert "Accuracy" not in text


def test_markdown_is_a_table_in_every_row(frame):
    frame.loc[0, "model"] = "a|b*c"
    shown = render(frame, "markdown")
    assert r"a\|b\*c" in shown
    blocks = [b for b in shown.split("\n\n") if b.startswith("|")]
    assert len(blocks) == 4
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1


def test_csv_and_json_hold_all_columns_unrounded(frame):
    back = pd.read_csv(io.StringIO(render(frame, "csv")))
    assert list(back.columns) == list(frame.columns)
    merged = back.set_index("trial")["p50_ns"]
    for row in frame.itertuples():
        expected = row.p50_ns
        assert (merged[row.trial] == expected) or (pd.isna(merged[row.trial]) and pd.isna(expected))
    loaded = json.loads(render(frame, "json"))
    assert len(loaded) == len(frame)
    failed = next(row for row in loaded if row["status"] == "failed")
    assert failed["p50_ns"] is None
    assert failed["accuracy"] is None


def test_no_cell_of_csv_is_a_formula(frame):
    hostile = frame.copy()
    hostile["energy_j_per_query"] = -1.5
    texts = ["=HYPERLINK(1)", "+1+cmd", "-2+3", "@SUM(1)", "plain"]
    hostile["placed_note"] = [texts[i % 5] for i in range(len(hostile))]
    shown = render(hostile, "csv")
    back = pd.read_csv(io.StringIO(shown))
    assert set(back["placed_note"]) == {f"'{text}" for text in texts[:4]} | {"plain"}
    assert ",-1.5," in shown, "a number is no text"
    with pytest.raises(KeyError, match="=1"):
        render(hostile.assign(**{"=1+1": "a=b"}), "csv")


def test_markdown_and_page_obey_no_name(report):
    name = "a|b<img src=x>`c`\n\x9b2Jd"
    frame = report.frame.replace({"mlp": name})
    shown = render(frame, "markdown")
    assert "a\\|b\\<img src=x\\>\\`c\\` \\\\x9b2Jd" in shown
    assert "<img" not in re.sub(r"\\.", "", shown)
    page = html_page(replace(report, frame=frame))
    assert "<img src=x>" not in page
    assert "a|b&lt;img src=x&gt;" in page
    for text in (shown, page, render(frame, "json"), render(frame, "csv"), render(frame, "text")):
        assert "\x9b" not in text


def test_unknown_format(frame):
    with pytest.raises(InputError) as caught:
        render(frame, "excel")
    assert all(fmt in (caught.value.hint or "") for fmt in FORMATS)


def test_order_is_the_baseline_first(frame):
    shuffled = frame.sample(frac=1, random_state=1)
    rows = records(shuffled)
    seen: set[str] = set()
    for row in rows:
        if row["model"] not in seen:
            assert row["is_baseline"]
            seen.add(row["model"])
    assert [r["threads"] for r in rows[:2]] == [1, 2]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (0.012345, "0.0123"),
        (1.2345, "1.23"),
        (99.96, "100.0"),
        (1234, "1234"),
    ],
)
def test_figure(value, shown):
    assert figure(value) == shown


def test_signed():
    assert signed(-0.04, 1) == "0.0"
    assert signed(-0.3, 1) == "−0.3"


def test_common_unit():
    assert common_unit([12_000.0, 3_200_000.0]) == (1e3, "µs")
    assert common_unit([]) == (1e6, "ms")


def test_decimal_points_line_up():
    texts = aligned(["21.5", "142", "6.09", "~14.7", "13.2ᵃ", "failed"])
    width = max(map(len, texts))
    points = [t.rjust(width).find(".") for t in texts if "." in t]
    assert len(set(points)) == 1
    assert number_parts(["5.4 kB", "310 kB"]) == [None, None]


def test_a_partly_placed_trial_carries_a_footnote(report):
    frame = report.frame.copy()
    frame["placed"] = 1.0
    frame["placed_note"] = None
    frame.loc[0, ["placed", "placed_note"]] = [0.996, "1 of 250 nodes not on X: NonZero ×1"]
    frame["output_error"] = None
    frame.loc[1, "output_error"] = 0.0042
    text = render(frame, "markdown")
    assert "1 of 250 nodes not on X: NonZero ×1" in text
    assert "off %" in text
    assert "0.42" in text
    assert "placed %" in text
    assert "| 99 |" in text, "rounded down: 100 means every node"


def test_energy_is_shown_where_known_and_says_where_it_comes_from(unlabelled):
    assert "energy" not in render(unlabelled, "text")
    known = unlabelled.assign(
        energy_j_per_query=0.0123, energy_label="estimated", energy_note="15 W as declared"
    )
    known.loc[known.index[0], ["energy_label", "energy_note"]] = ["measured", "RAPL"]
    text = render(known, "text")
    assert "energy mJ" in text
    assert "≈12.3" in text
    assert "≈ energy estimated: 15 W as declared" in text
    assert "energy measured: RAPL" in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_the_judged_output_is_named_where_a_model_has_several(frame):
    assert "judged" not in render(frame, "text").split("accuracy %")[-1]
    first = frame["model"].iloc[0]
    named = frame.assign(judged=['"logits"' if m == first else None for m in frame["model"]])
    assert 'judged: output "logits"' in render(named, "text")
    other = frame.assign(judged=['"a"' if m == first else '"b"' for m in frame["model"]])
    text = " ".join(render(other, "text").split())
    assert f'judged: output "a" of {first}' in text
    assert 'judged: output "b" of' in text
