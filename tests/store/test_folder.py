import errno
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from profiler.errors import ResultsError
from profiler.store.blobs import keep_array, read_array
from profiler.store.files import incoming, write_atomic
from profiler.store.folder import Store
from profiler.wire.whole import unfinished

META = {"study_hash": "h", "study": {"name": "s", "threads": [1]}, "targets": [], "profiler": "0"}


def rows(folder: Path) -> list[int]:
    return [line.held()["n"] for line in Store.read(folder).lines() if line.whole]


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "r", META)
    for n in range(3):
        store.append({"n": n})
    store.close()
    assert rows(tmp_path / "r") == [0, 1, 2]


def test_a_torn_last_line_is_dropped_and_the_next_row_is_whole(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "r", META)
    store.append({"n": 0})
    store.close()
    with (tmp_path / "r" / "rows.jsonl").open("ab") as file:
        file.write(b'{"schema_version": 1, "n": 1, "half')
    assert rows(tmp_path / "r") == [0]
    store = Store.open(tmp_path / "r", META)
    store.append({"n": 2})
    store.close()
    assert rows(tmp_path / "r") == [0, 2]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "r", META)
    store.append({"n": 0})
    store.append({"n": 1})
    store.close()
    path = tmp_path / "r" / "rows.jsonl"
    path.write_bytes(b"x" + path.read_bytes())
    (first, second) = Store.read(tmp_path / "r").lines()
    assert (first.number, second.held()["n"]) == (1, 1)
    with pytest.raises(ResultsError, match="is damaged"):
        first.held()


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "r", META)
    with pytest.raises(ResultsError, match="another run is writing here"):
        Store.open(tmp_path / "r", META)
    store.close()
    Store.open(tmp_path / "r", META).close()


@pytest.mark.parametrize("kept", ["artifacts.json", "rows.jsonl"])
def test_a_changed_study_says_what_changed(tmp_path: Path, kept: str) -> None:
    Store.open(tmp_path / "r", META).close()
    (tmp_path / "r" / kept).write_text("")
    changed = {**META, "study_hash": "other", "study": {"name": "s", "threads": [2]}}
    with pytest.raises(ResultsError, match=r"another version.*changed: threads") as caught:
        Store.open(tmp_path / "r", changed)
    assert "--output" in (caught.value.hint or "")


def test_a_study_mended_before_anything_was_done_takes_the_folder_over(tmp_path: Path) -> None:
    Store.open(tmp_path / "r", META).close()
    changed = {**META, "study_hash": "other", "study": {"name": "s", "threads": [2]}}
    store = Store.open(tmp_path / "r", changed)
    assert store.meta().items() >= {"schema_version": 1, **changed}.items()
    store.close()


def test_another_schema_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    Store.open(tmp_path / "r", META).close()
    path = tmp_path / "r" / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(ResultsError, match="expected 1, got 99"):
        Store.read(tmp_path / "r")
    with pytest.raises(ResultsError, match="expected 1, got 99"):
        Store.open(tmp_path / "r", META)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ResultsError, match=r"not a results folder \(it has thesis.txt\)"):
        Store.open(tmp_path, META)
    with pytest.raises(ResultsError, match="not a results folder"):
        Store.read(tmp_path)


def test_disk_full_while_appending_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "r", META)
    store.append({"n": 0})

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="disk full; what was recorded before is safe"):
        store.append({"n": 1})
    monkeypatch.undo()
    store.append({"n": 2})
    store.close()
    assert rows(tmp_path / "r") == [0, 2]


def test_disk_full_while_writing_a_file_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old")

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="disk full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("kind", ["file in the way", "unwritable"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, kind: str) -> None:
    if kind == "file in the way":
        (tmp_path / "r").write_text("")
        place = tmp_path / "r" / "deeper"
    else:
        place = Path("/proc/profiler-results")  # not even root writes there
    with pytest.raises(ResultsError, match="can't be written") as caught:
        Store.open(place, META)
    assert "--output" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["[]", "17", "null", '"x"', '{"schema_version'])
def test_a_file_that_is_no_json_object_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(ResultsError, match=r"meta\.json: can't be read"):
        Store.read(tmp_path)
    (tmp_path / "rows.jsonl").write_text(text + "\n")
    with pytest.raises(ResultsError, match="is damaged"):
        next(Store(tmp_path).lines()).held()


def test_many_writers_of_one_content_never_meet(tmp_path: Path) -> None:
    """Two targets under stress keep equal and unequal arrays at once, in one folder."""
    store = Store.open(tmp_path / "r", META)
    folder = tmp_path / "r" / "outputs"
    arrays = [np.full(50_000, number) for number in range(4)]

    def work(number: int) -> list[str]:
        return [keep_array(folder, arrays[(number + i) % 4]) for i in range(10)]

    with ThreadPoolExecutor(8) as pool:
        found = {sha for shas in pool.map(work, range(8)) for sha in shas}
    assert len(found) == 4
    for path in folder.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    assert {int(read_array(store.folder, sha)[0]) for sha in found} == {0, 1, 2, 3}
    store.close()


def test_a_file_whose_content_is_not_its_name_is_not_used(tmp_path: Path) -> None:
    Store.open(tmp_path / "r", META).close()
    sha = keep_array(tmp_path / "r" / "outputs", np.arange(5))
    path = tmp_path / "r" / "outputs" / f"{sha}.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ResultsError, match=f"{sha}.npy: damaged") as caught:
        read_array(tmp_path / "r", sha)
    assert "--output" in (caught.value.hint or "")


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path) -> None:
    Store.open(tmp_path / "r", META).close()
    for place in ("", "raw", "outputs"):
        unfinished(tmp_path / "r" / place / "x").write_text("half")
    Store.open(tmp_path / "r", META).close()
    assert not list((tmp_path / "r").rglob("*.part"))


def test_a_run_killed_before_its_first_file_was_whole_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    unfinished(tmp_path / "meta.json").write_text("{")
    Store.open(tmp_path, META).close()
    assert Store.read(tmp_path).meta()["study_hash"] == "h"


@pytest.mark.parametrize("what", ["thesis.txt", "meta.json"])
def test_a_refused_folder_gets_no_lock(tmp_path: Path, what: str) -> None:
    (tmp_path / what).write_text("{}")
    with pytest.raises(ResultsError):
        Store.open(tmp_path, META)
    assert [path.name for path in tmp_path.iterdir()] == [what]


def test_a_refused_opening_lets_go_of_the_folder(tmp_path: Path) -> None:
    Store.open(tmp_path / "r", META).close()
    (tmp_path / "r" / "rows.jsonl").write_text("")
    with pytest.raises(ResultsError, match="another version"):
        Store.open(tmp_path / "r", {**META, "study_hash": "other"})
    Store.open(tmp_path / "r", META).close()


def test_a_folder_that_was_removed_is_named_as_gone(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "r", META)
    shutil.rmtree(tmp_path / "r")
    for write in (
        lambda: store.append({"n": 1}),
        lambda: store.write_json("plan.json", {}),
        lambda: keep_array(tmp_path / "r" / "outputs", np.arange(3)),
    ):
        with pytest.raises(ResultsError, match=rf"{tmp_path}/r: is gone"):
            write()
    store.close()


def test_no_space_for_what_a_device_sends_is_a_full_disk_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    Store.open(tmp_path / "r", META).close()

    def fetch() -> None:
        with incoming(tmp_path / "r") as place:
            place.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResultsError, match="disk full"):
        fetch()
    assert list((tmp_path / "r" / "raw").iterdir()) == []


def test_what_is_written_names_no_place_of_this_machine(tmp_path):
    store = Store.open(tmp_path / "r", META)
    store.hidden = {str(tmp_path): ".", "board.example": "pi"}
    said = f"board.example: {tmp_path}/key\x1b[2J: /home/ada/id"
    store.append({"kind": "lost", "reason": said, "hint": None})
    store.write_json("plan.json", {"exclusions": [{"reason": said}]})
    store.write_json("artifacts.json", {"failed": [["m", "v", said]]})
    facts = store.facts(store.add_facts({"plugin_error": said}))
    told = "pi: ./key\\x1b[2J: id"
    assert next(store.lines()).held()["reason"] == told
    assert store.read_json("plan.json") == {"exclusions": [{"reason": told}]}
    assert store.read_json("artifacts.json") == {"failed": [["m", "v", told]]}
    assert facts["plugin_error"] == told
    store.close()
