"""How a run ends on a terminal: short, at 80 columns, and with the twins told as twins."""

import io
from typing import Any

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from profiler.report.reasons import grouped
from profiler.report.tables.answer import MOST, frontier_sheet, hardware_sheet
from profiler.report.tables.render import answer
from profiler.schema.columns import Row, row_of


def drawn(frame: pd.DataFrame) -> list[str]:
    out = Console(file=io.StringIO(), width=80, color_system=None, legacy_windows=False)
    with out.capture() as captured:
        out.print(answer(frame, width=80))
    return captured.get().splitlines()


def on(target: str, variant: str, p50_us: float, half: float = 0.01, **more: Any) -> Row:
    ns = p50_us * 1e3
    values: dict[str, Any] = {
        "trial": f"m/{variant}@{target}", "model": "m", "variant": variant, "target": target,
        "status": "ok", "scenario": "single_stream", "batch": 1, "threads": 1, "p50_ns": ns,
        "p50_low_ns": ns * (1 - half), "p50_high_ns": ns * (1 + half), "p99_ns": 2 * ns,
        "provider": "CPUExecutionProvider",
    }  # fmt: skip
    return row_of({**values, **more})


def test_the_frontier_alone_is_shown_at_80_columns(frame: pd.DataFrame) -> None:
    lines = drawn(frame)
    assert max(map(cell_len, lines)) <= 80
    wanted = frame[frame["frontier"] | frame["chosen"]]
    assert lines[0].startswith(f"Frontier: {len(wanted)} of 18 trials")
    shown = [line for line in lines if line[:1] in "●★"][: len(wanted)]
    assert len(shown) == len(wanted)
    assert shown[0].startswith("★"), "the chosen one comes first"


def test_a_long_frontier_is_cut_and_says_so() -> None:
    rows = [on("cpu", f"v{n}", 10 + n, frontier=True) for n in range(MOST + 4)]
    sheet = frontier_sheet(rows)
    assert sheet is not None
    assert len(sheet.lines) == MOST
    assert "4 more: profiler table" in sheet.legend
    assert frontier_sheet([on("cpu", "v", 1)]) is None


def test_hardware_stands_side_by_side_at_its_best_threads() -> None:
    rows = [
        on("cpu", "fp32", 100), on("cpu", "fp32", 60, threads=2), on("npu", "fp32", 20),
        on("cpu", "int8", 30.0), on("npu", "int8", 30.2),
    ]  # fmt: skip
    sheet = hardware_sheet(rows)
    assert sheet is not None
    assert [line.cells for line in sheet.lines] == [
        ("m", "fp32", "60.00 ±0.60", "20.00 ±0.20*"),
        ("m", "int8", "30.00 ±0.30", "30.20 ±0.30"),
    ], "twins are not told apart, and neither is marked"
    assert "each at the number of threads with its lowest p50" in sheet.legend


@pytest.mark.parametrize(
    "rows",
    [
        [on("cpu", "fp32", 1)],
        [on("cpu", "fp32", 1), on("npu", "fp32", 1, scenario="offline")],
        [on("cpu", "fp32", 1), on("npu", "fp32", 1, status="failed")],
    ],
    ids=["one target", "two loads", "one failed"],
)
def test_no_hardware_table_of_what_does_not_compare(rows: list[Row]) -> None:
    assert hardware_sheet(rows) is None


def test_many_like_reasons_are_one_line() -> None:
    limit = "the limit of 2.00 ms"
    lines = grouped(
        [
            ("a", f"p99 3.00 ms to 4.00 ms breaks {limit}"),
            ("b", "p50 4.00 ms, the chosen one p50 1.00 ms"),
            ("c", f"p99 5.00 ms to 6.00 ms breaks {limit}"),
            ("d", f"p99 1.00 ms to 6.00 ms spans {limit}"),
            ("e", "worse than its baseline: 4.6 points lost (3.2 to 6.4), more than the margin"),
            ("f", "worse than its baseline: 5.0 points lost (3.2 to 6.4), more than the margin"),
            ("g", "8-bit sums saturate here"),
            ("h", "8-bit sums saturate here"),
        ]
    )
    assert lines == [
        f"p99 breaks {limit} (2 trials, e.g. a: p99 3.00 ms to 4.00 ms)",
        "b: p50 4.00 ms, the chosen one p50 1.00 ms",
        f"d: p99 1.00 ms to 6.00 ms spans {limit}",
        "worse than its baseline (2 trials, e.g. e: worse than its baseline: 4.6 points lost"
        " (3.2 to 6.4), more than the margin)",
        "8-bit sums saturate here (2 trials, e.g. g)",
    ]
