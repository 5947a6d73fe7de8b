import os
import stat
from pathlib import Path

import pytest

from profiler.wire.whole import making, write_whole


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize(("private", "mode"), [(False, 0o640), (True, 0o600)])
def test_who_may_read_it(tmp_path, umask, private, mode):
    write_whole(tmp_path / "file", b"all of it", private=private)
    assert (tmp_path / "file").read_bytes() == b"all of it"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_private_part_is_private_before_anything_is_in_it(tmp_path):
    with making(tmp_path / "file", private=True) as part:
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        assert part.parent == tmp_path  # a rename over file systems is a copy
        assert part.name.endswith(".part")  # what a later run removes after a kill


@pytest.mark.parametrize("end", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, end):
    write_whole(tmp_path / "file", b"old")

    def cut(*_: object) -> None:
        raise end

    for broken, synced in ((os, True), (Path, False)):
        with monkeypatch.context() as patch:
            patch.setattr(broken, "fsync" if synced else "replace", cut)
            with pytest.raises(end):
                write_whole(tmp_path / "file", b"new", synced=synced)
        assert (tmp_path / "file").read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [tmp_path / "file"]
