from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from profiler.errors import ResultsError
from profiler.report.write import contents, write_all

NAMES = {"frontier.png", "frontier.svg", "report.html", "table.csv", "table.md"}


def test_writes_all_files_and_leaves_nothing_else(report, tmp_path):
    folder = tmp_path / "new" / "folder"
    written = write_all(contents(report), folder)
    assert set(written) == NAMES
    assert {path.name for path in folder.iterdir()} == NAMES
    assert all(path.stat().st_size > 500 for path in written.values())
    assert stat.S_IMODE(written["table.csv"].stat().st_mode) & 0o400


def test_a_figure_of_an_earlier_report_does_not_stay(frame, make_report, tmp_path):
    (tmp_path / "frontier.png").write_bytes(b"old")
    written = write_all(contents(make_report(frame.assign(status="failed", reason="x"))), tmp_path)
    assert set(written) == NAMES - {"frontier.png", "frontier.svg"}
    assert not (tmp_path / "frontier.png").exists()


def test_a_folder_that_is_a_file(frame, make_report, tmp_path):
    place = tmp_path / "taken"
    place.write_text("")
    with pytest.raises(ResultsError, match="can't write") as caught:
        write_all(contents(make_report(frame.assign(status="failed", reason="x"))), place)
    assert caught.value.hint


def test_a_failed_write_keeps_the_old_file(frame, make_report, tmp_path, monkeypatch):
    from pathlib import Path

    (tmp_path / "table.csv").write_text("old")

    def refuse(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ResultsError, match="No space left"):
        write_all(contents(make_report(frame.assign(status="failed", reason="x"))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    assert (tmp_path / "table.csv").read_text() == "old"


def test_importing_is_light():
    modules = ("tables.render", "write", "charts.plots", "page.html", "model.contents")
    code = (
        "import sys\n"
        + "".join(f"import profiler.report.{m}\n" for m in modules)
        + (
            "heavy = {'pandas', 'altair', 'vl_convert', 'rich', 'numpy'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
    )
    subprocess.run([sys.executable, "-c", code], check=True)
