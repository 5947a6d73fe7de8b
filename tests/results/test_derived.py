"""What is kept beside a results folder: told once, and told anew whenever anything changed."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from profiler.results import derived
from profiler.results.derived import DERIVED, REPORT, Derived


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(derived, "SETTLED_NS", -1)
    home = tmp_path / "results"
    (home / "raw").mkdir(parents=True)
    (home / "meta.json").write_text("{}")
    (home / "raw" / "g0-r0000.parquet").write_bytes(b"1234")
    return home


def ask(folder, value=1, name="table", **asked):
    """(what was answered, whether it was computed)"""
    computed = []
    found = Derived(folder).kept(name, asked, lambda: computed.append(1) or value)
    return found, bool(computed)


def kept(folder):
    return sorted((folder / DERIVED).iterdir())


def test_the_second_reading_computes_nothing(folder):
    assert ask(folder, {"a": [1, None, "é"]}) == ({"a": [1, None, "é"]}, True)
    assert ask(folder) == ({"a": [1, None, "é"]}, False)


def test_another_question_is_answered_for_itself(folder):
    ask(folder, 1, p99="5ms")
    assert ask(folder, 2, p99="6ms") == (2, True)
    assert ask(folder, 3, name="choose", p99="5ms") == (3, True)
    assert ask(folder, 4, p99="5ms") == (1, False)


def test_a_changed_file_is_seen_though_size_and_date_were_put_back(folder):
    raw = folder / "raw" / "g0-r0000.parquet"
    before = raw.stat()
    ask(folder)
    raw.write_bytes(b"1235")
    os.utime(raw, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert raw.stat().st_mtime_ns == before.st_mtime_ns
    assert ask(folder, 2) == (2, True)
    assert len(kept(folder)) == 1, "what belongs to the folder as it was is gone"


@pytest.mark.parametrize("change", ["new", "gone", "renamed"])
def test_files_that_come_and_go_are_seen(folder, change):
    raw = folder / "raw" / "g0-r0000.parquet"
    ask(folder)
    if change == "new":
        (folder / "raw" / "g0-r0001.parquet").write_bytes(b"")
    elif change == "gone":
        raw.unlink()
    else:
        raw.rename(raw.with_name("g0-r0002.parquet"))
    assert ask(folder, 2) == (2, True)


def test_what_report_writes_changes_nothing(folder):
    ask(folder)
    for name in REPORT:
        (folder / name).write_text("drawn")
    assert ask(folder, 2) == (1, False)


def test_what_came_with_a_copied_folder_is_not_believed(folder, tmp_path):
    ask(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert ask(tmp_path / "copy", 2) == (2, True)


def test_a_library_for_drawing_alone_may_be_missing(folder, monkeypatch):
    derived._program.cache_clear()
    monkeypatch.setattr(derived, "_LIBRARIES", ("numpy", "no-such-library"))
    assert "('no-such-library', None)" in derived._program()
    derived._program.cache_clear()


def test_another_version_computes_anew(folder, monkeypatch):
    ask(folder)
    monkeypatch.setattr(derived, "_program", lambda: "newer")
    assert ask(folder, 2) == (2, True)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"value": 7}', "swap"])
def test_a_damaged_file_is_told_anew(folder, damage):
    ask(folder)
    (path,) = kept(folder)
    if damage == "swap":
        held = json.loads(path.read_text())
        damage = json.dumps({**held, "value": 7}).encode()
    path.write_bytes(damage)
    assert ask(folder, 2) == (2, True)
    assert ask(folder, 3) == (2, False)


def test_it_may_be_deleted_and_can_stand_as_a_file_or_a_link(folder, tmp_path):
    ask(folder)
    shutil.rmtree(folder / DERIVED)
    assert ask(folder, 2) == (2, True)
    shutil.rmtree(folder / DERIVED)
    (folder / DERIVED).write_text("mine")
    assert ask(folder, 3) == (3, True)
    (folder / DERIVED).unlink()
    (tmp_path / "elsewhere").mkdir()
    (folder / DERIVED).symlink_to(tmp_path / "elsewhere")
    assert ask(folder, 4) == (4, True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_that_can_not_be_written_is_read(folder, monkeypatch):
    def refuse(*_):
        raise derived.ResultsError("read-only")

    monkeypatch.setattr(derived, "write_atomic", refuse)
    assert ask(folder) == (1, True)
    assert ask(folder, 2) == (2, True)


def test_a_link_in_the_folder_keeps_nothing(folder, tmp_path):
    (tmp_path / "data").write_text("1")
    (folder / "raw" / "link").symlink_to(tmp_path / "data")
    ask(folder)
    assert not (folder / DERIVED).exists()


def test_a_file_that_has_just_changed_keeps_nothing(folder, monkeypatch):
    monkeypatch.setattr(derived, "SETTLED_NS", 3600 * 10**9)
    ask(folder)
    assert not (folder / DERIVED).exists()


def test_a_folder_that_changes_while_it_is_read_keeps_nothing(folder):
    def make():
        (folder / "rows.jsonl").write_text("more")
        return 1

    assert Derived(folder).kept("table", {}, make) == 1
    assert not (folder / DERIVED).exists()
