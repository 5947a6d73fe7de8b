"""Any metrics side by side, in the forms that papers take."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import InputError
from profiler.report.tables.pivot import blinded, check, pivots
from profiler.report.tables.render import in_form
from profiler.schema.columns import Row, row_of


def on(target: str, variant: str, p50_us: float, half: float = 0.01, **more: Any) -> Row:
    ns = p50_us * 1e3
    values: dict[str, Any] = {
        "trial": f"m/{variant}@{target}/x/b1/t1", "model": "m", "variant": variant,
        "target": target, "status": "ok", "scenario": "single_stream", "batch": 1, "threads": 1,
        "p50_ns": ns, "p50_low_ns": ns * (1 - half), "p50_high_ns": ns * (1 + half),
        "provider": "CPUExecutionProvider",
    }  # fmt: skip
    return row_of({**values, **more})


ROWS = [
    on("cpu", "fp32", 100, accuracy=0.98, accuracy_low=0.97, accuracy_high=0.99, file_bytes=4000),
    on("npu", "fp32", 20.04, 0.0005, cost_per_million=2.0, currency="USD"),
    on("cpu", "int8_x&y", 31.7, cost_per_million=1.0, currency="EUR", file_bytes=1000),
    on("npu", "int8_x&y", 31.5, status="failed"),
]


def cells(metric: str, rows: str = "variant", columns: str = "target") -> list[tuple[str, ...]]:
    (sheet,) = pivots(ROWS, [metric], rows, columns)
    return [line.cells for line in sheet.lines]


def test_digits_follow_the_interval() -> None:
    assert cells("p50") == [
        ("m", "fp32", "100.0 ±1.0", "20.040 ±0.010*"), ("m", "int8_x&y", "31.70 ±0.32", "–"),
    ]  # fmt: skip
    assert cells("p50", "target", "variant")[0] == ("cpu", "100.0 ±1.0", "31.70 ±0.32*")


def test_what_is_exact_has_no_interval_and_what_is_missing_is_not_ranked() -> None:
    assert cells("size") == [("m", "fp32", "4.00"), ("m", "int8_x&y", "1.00")]
    assert cells("accuracy") == [("m", "fp32", "98.0 ±1.0")]
    assert all("*" not in text for row in cells("cost") for text in row), "two currencies"


def test_loads_stand_apart_unless_they_are_an_axis() -> None:
    rows = [on("cpu", "fp32", 10), on("cpu", "fp32", 70, scenario="offline", batch=8)]
    assert [s.title for s in pivots(rows, ["p50"], "variant", "target")] == [
        "p50 latency in µs, single_stream", "p50 latency in µs, offline b8"
    ]  # fmt: skip
    (one,) = pivots(rows, ["p50"], "load", "target")
    assert [line.cells[0] for line in one.lines] == ["single_stream", "offline b8"]


def test_latex_is_escaped_and_has_caption_and_notes() -> None:
    text = in_form(pivots(ROWS, ["p50"], "variant", "target"), "latex", ["cpu: 50% of a_b"])
    assert r"int8\_x\&y" in text
    assert r"\caption{p50 latency in $\mu$s, single\_stream}" in text
    assert r"100.0 $\pm$1.0" in text
    assert r"cpu: 50\% of a\_b." in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    assert not re.search("[±−µ–]", text)


def test_html_is_escaped() -> None:
    rows = [on("cpu", "<script>", 10)]
    text = in_form(pivots(rows, ["p50"], "variant", "target"), "html", ["<b>"])
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;" in text
    assert "<caption>p50 latency in µs, single_stream</caption>" in text


def test_csv_and_json_hold_the_cells() -> None:
    sheets = pivots(ROWS, ["p50", "size"], "variant", "target")
    lines = list(csv.reader(io.StringIO(in_form(sheets, "csv", []))))
    assert lines[0] == ["table", "model", "variant", "cpu", "npu"]
    assert lines[1][3] == "100.0 ±1.0"
    held = json.loads(in_form(sheets, "json", ["note"]))
    assert [table["title"] for table in held["tables"]] == [s.title for s in sheets]
    assert held["notes"] == ["note"]


def test_blind_hides_every_name_and_keeps_who_is_who() -> None:
    hidden, key = blinded(ROWS, "seed")
    (sheet,) = pivots(hidden, ["p50"], "variant", "target")
    text = in_form([sheet], "markdown", [])
    assert not re.search("cpu|npu|fp32|int8", text)
    assert sorted(key.values()) == ["cpu", "fp32", "int8_x&y", "m", "npu"]
    again, _ = blinded(ROWS, "seed")
    assert again == hidden


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((["p5O"], "variant", "target"), "--metric: expected some of p50"),
        ((["p50"], "model", "target"), "--rows: expected one of variant"),
        ((["p50"], "variant", "host"), "--columns: expected one of"),
        ((["p50"], "target", "target"), "both target"),
    ],
)
def test_slips_are_named(given: tuple[list[str], str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(*given)


def test_as_it_is_typed(measured: Callable[..., Path], program: Callable[..., Any]) -> None:
    measured('variants = ["fp32", "int8-dynamic"]')
    told = program("table", "theirs", "--metric", "p50,accuracy", "--format", "latex")
    assert told.returncode == 0, told.stderr
    assert told.stdout.count(r"\begin{tabular}") == 2
    assert "onnxruntime" in told.stdout
    blind = program("table", "theirs", "--metric", "p50", "--blind").stdout
    assert "int8" not in blind
    assert "local-cpu" not in blind
    assert "variant A: " in program("table", "theirs", "--metric", "p50", "--reveal").stdout
    wrong = program("table", "theirs", "--metric", "p50", "--format", "docx")
    assert wrong.returncode == 2
    assert "expected one of text, markdown, latex, html, csv, json, got 'docx'" in wrong.stderr
