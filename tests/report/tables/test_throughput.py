"""The best throughput over batch and queries in flight."""

from typing import Any

from profiler.report.tables.throughput import throughput_sheets
from profiler.schema.columns import Row, row_of


def row(variant: str, batch: int, lanes: int, rate: float | None, **more: Any) -> Row:
    lanes_name = f"/c{lanes}" if lanes > 1 else ""
    limit = "/mem-1GB" if more.pop("limit", False) else ""
    found = {
        "trial": f"m/{variant}@cpu/offline/b{batch}/t1{lanes_name}{limit}", "model": "m",
        "variant": variant, "threads": 1, "target": "cpu", "provider": "p", "scenario": "offline",
        "batch": batch, "concurrency": lanes, "status": "ok", "throughput": rate,
        "throughput_low": None if rate is None else 0.95 * rate,
        "throughput_high": None if rate is None else 1.05 * rate, "memory_peak_bytes": 2e6,
    }  # fmt: skip
    if rate is None:
        found.update(status="failed", reason="out of memory: at its limit of 1000 MB")
    return row_of(found, more)


def cells(rows: list[Row]) -> list[dict[str, str]]:
    (sheet,) = throughput_sheets(rows)
    titles = [column.title for column in sheet.columns]
    return [dict(zip(titles, line.cells, strict=True)) for line in sheet.lines]


def test_the_best_combination_of_each_variant_is_named() -> None:
    first, second = cells([
        row("a", 1, 1, 100.0), row("a", 8, 2, 300.0), row("a", 8, 1, 290.0),
        row("b", 1, 1, 50.0), row("b", 8, 2, None), row("b", 8, 1, None),
    ])  # fmt: skip
    assert (first["samples/s"], first["batch"], first["conc"]) == ("300", "8", "2")
    assert (first["as good"], first["no fit"]) == ("b8 c1", "0")
    assert (second["samples/s"], second["no fit"]) == ("50.0", "2 of 3")


def test_a_wide_interval_wins_nothing() -> None:
    wide = row("a", 8, 1, 200.0, throughput_low=10.0, throughput_high=390.0)
    (only,) = cells([row("a", 1, 1, 100.0), wide])
    assert (only["batch"], only["as good"]) == ("1", "b8 c1")


def test_what_fits_nowhere_says_so_and_limits_are_told_apart() -> None:
    free, limited = cells([
        row("a", 1, 1, 100.0), row("a", 8, 1, 200.0),
        row("a", 1, 1, None, limit=True), row("a", 8, 1, None, limit=True),
    ])  # fmt: skip
    assert (free["setting"], free["batch"]) == ("–", "8")
    assert limited["setting"] == "mem-1GB"
    assert (limited["samples/s"], limited["no fit"]) == ("does not fit", "2 of 2")


def test_one_combination_needs_no_sheet() -> None:
    assert throughput_sheets([row("a", 8, 1, 1.0)]) == []
