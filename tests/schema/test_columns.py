"""A column is a line of the registry; a misspelt one is refused before anything is shown."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from profiler.report.model.records import records
from profiler.schema.columns import COLUMNS, half_width_of, interval_of, part_of, row_of, value_of
from profiler.schema.study.metrics import METRICS, Metric

ROOT = Path(__file__).resolve().parents[2]


def test_a_misspelt_column_is_refused() -> None:
    for wrong in (
        lambda: row_of({"p50_n": 1.0}),
        lambda: part_of({"p50_n": 1.0}),
        lambda: value_of(row_of(), "p50_n"),
        lambda: records(pd.DataFrame({"p50_n": [1.0]})),
    ):
        with pytest.raises(KeyError, match="p50_n"):
            wrong()
    with pytest.raises(AssertionError, match="p50_n"):
        Metric(name="toy", column="p50_n")


def test_mypy_refuses_a_misspelt_column(tmp_path: Path) -> None:
    """Where one is read, written, made and passed on; and what may be None is not reckoned with."""
    code = (
        "from profiler.schema.columns import Row\n"
        "def read(row: Row) -> None: print(row['p50_n'])\n"
        "def write(row: Row) -> None: row['chosn'] = True\n"
        "def make() -> Row: return {'trail': 'a'}\n"
        "def spread(row: Row) -> Row: return {**row, 'dorp': 1.0}\n"
        "def reckon(row: Row) -> float: return row['p50_ns'] * 2\n"
        "def right(row: Row) -> float: return row['p50_ns'] or 0.0\n"
    )
    options = ["--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    command = [sys.executable, "-m", "mypy", *options, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = re.findall(r"^<string>:(\d+): error", done.stdout, re.MULTILINE)
    assert lines == ["2", "3", "4", "5", "6"], done.stdout + done.stderr


def test_rows_are_read_by_subscript() -> None:
    """mypy has nothing to say of a name that `get` is given."""
    wrong = [
        f"{path.name}: {found}"
        for path in sorted((ROOT / "profiler").rglob("*.py"))
        for found in re.findall(r"\brow\.get\(\"\w+\"", path.read_text())
        if found[9:-1] in COLUMNS
    ]
    assert wrong == []


def test_an_interval_needs_both_ends_and_a_width_a_value() -> None:
    row = row_of({"p50_ns": 10.0, "p50_low_ns": 9.0, "p50_high_ns": 12.0, "ratio": 1.0,
                  "ratio_low": 0.9, "drop_low": 0.1, "drop_high": 0.2})  # fmt: skip
    assert interval_of(row, "p50_ns") == (9.0, 12.0)
    assert half_width_of(row, "p50_ns") == pytest.approx(0.15)
    assert interval_of(row, "ratio") is None
    assert interval_of(row, "file_bytes") is None
    assert half_width_of(row, "drop") is None
    assert row["throughput"] is None
    assert list(row) == list(COLUMNS)


def test_every_column_says_what_it_is() -> None:
    assert [name for name, entry in COLUMNS.items() if not entry.help] == []
    for name, entry in COLUMNS.items():
        assert name.endswith("_ns") == (entry.unit == "ns"), name
        assert name.endswith("_bytes") == (entry.unit == "bytes"), name
    for metric in METRICS.values():
        assert metric.entry.show(None) == "–"


def test_the_documented_list_is_the_registry() -> None:
    said = subprocess.run(
        [sys.executable, ROOT / "scripts" / "document_columns"],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (ROOT / "results" / "columns.md").read_text() == said.stdout, (
        "scripts/document_columns > results/columns.md"
    )
