"""table, choose and report of a folder that was read before: the same words, nothing computed."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from profiler import cli
from profiler.results import derived
from profiler.results.results import Results

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
Say = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A made-up folder of two trials, copied for each test."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        import reading_folders

        home = tmp_path_factory.mktemp("made") / "study"
        shape = reading_folders.Shape(targets=1, models=1, batches=1, variants=2, threads=1)
        yield reading_folders.make(home, shape, rounds=5, rows=60, queries=10)
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(derived, "SETTLED_NS", -1)
    return Path(shutil.copytree(made, tmp_path / "study"))


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """What a command prints on stdout and stderr."""

    def run(*words: str) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["profiler", *words])
        try:
            cli.main()
        except SystemExit as ended:
            assert not ended.code
        told = capsys.readouterr()
        return told.out, told.err

    return run


def refuse(*_: object) -> None:
    raise AssertionError("computed again")


@pytest.mark.parametrize(
    "words",
    [("table",), ("table", "--format", "csv"), ("table", "--json"), ("choose",),
     ("choose", "--p99", "1s", "--json"), ("report",)],
)  # fmt: skip
def test_the_second_reading_says_the_same_and_reads_no_record(
    folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    command, *options = words
    first = say(command, str(folder), *options)
    page = folder / "report.html"
    before = page.read_bytes() if page.exists() else None
    page.unlink(missing_ok=True)
    monkeypatch.setattr("profiler.store.record.read", refuse)
    assert say(command, str(folder), *options) == first
    if before is not None:
        assert page.read_bytes() == before


def test_other_limits_are_another_question(folder: Path, say: Say) -> None:
    assert "Nothing demonstrably" in say("choose", str(folder), "--p50", "1ns")[0]
    assert "Nothing demonstrably" not in say("choose", str(folder), "--p50", "10s")[0]


def test_damage_is_told_on_the_second_reading_too_and_a_changed_file_on_the_next(
    folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = say("table", str(folder))[0]
    rows = folder / "rows.jsonl"
    lines = rows.read_text().splitlines()
    held = json.loads(lines[1])
    before = rows.stat()
    rows.write_text("\n".join([lines[0], json.dumps({**held, "group": "x"}), *lines[2:]]) + "\n")
    os.utime(rows, ns=(before.st_atime_ns, before.st_mtime_ns))
    first = say("table", str(folder))
    assert "left out" in first[1]
    assert "1 fault in the folder" in first[0]
    assert first[0] != whole
    with monkeypatch.context() as patch:
        patch.setattr("profiler.store.record.read", refuse)
        assert say("table", str(folder)) == first


def test_a_meter_of_ones_own_is_another_report(folder: Path, say: Say, tmp_path: Path) -> None:
    say("report", str(folder))
    plain = (folder / "table.csv").read_text()
    meter = tmp_path / "meter.csv"
    trial = next(iter(Results.load(folder).trials))
    meter.write_text(f"trial,energy_j_per_query\n{trial},2.5\n")
    say("report", str(folder), "--wall-meter", str(meter))
    assert "2.5" in (folder / "table.csv").read_text()
    say("report", str(folder))
    assert (folder / "table.csv").read_text() == plain
