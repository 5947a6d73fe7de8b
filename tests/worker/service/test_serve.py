"""What one session's worker removes while another session works on the same device."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from profiler.worker.blobs import BlobFolder
from profiler.worker.service.serve import Server


def session(home: Path) -> Server:
    return Server(SimpleNamespace(send=None), home)  # type: ignore[arg-type]


def test_a_blob_is_kept_while_another_session_needs_it(tmp_path: Path) -> None:
    first, second = session(tmp_path), session(tmp_path)
    sha = BlobFolder(tmp_path / "blobs").add(b"perturbed rows")
    for one in (first, second):
        assert one.have([sha]) == {"missing": []}
    first.forget([sha])
    assert second.have([sha]) == {"missing": []}, "removed although the other one needs it"
    second.forget([sha])
    assert second.have([sha]) == {"missing": [sha]}


def test_a_session_that_has_ended_needs_nothing(tmp_path: Path) -> None:
    first, second = session(tmp_path), session(tmp_path)
    sha = BlobFolder(tmp_path / "blobs").add(b"perturbed rows")
    second.have([sha])
    second.clean()
    first.forget([sha])
    assert first.have([sha]) == {"missing": [sha]}


def test_a_wrong_name_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a blob name"):
        session(tmp_path).have(["../mine"])
    with pytest.raises(ValueError, match="not a blob name"):
        session(tmp_path).forget(["../mine"])
    assert list(tmp_path.glob("**/*.held")) == []


def test_what_somebody_else_removed_is_noticed(tmp_path: Path) -> None:
    server = session(tmp_path)
    kept, taken = (BlobFolder(tmp_path / "blobs").add(data) for data in (b"model", b"rows"))
    server.have([kept, taken])
    (tmp_path / "blobs" / taken).unlink()
    assert server.held.taken()
    server.forget([taken])
    assert not server.held.taken(), "this session needs it no more"
    server.clean()
    assert server.held.taken(), "results have no place"
