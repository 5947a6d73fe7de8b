"""The page cache of a model file, on the file system the tests run on."""

import os
import subprocess
from pathlib import Path

import pytest

from profiler.devices.session import Session
from profiler.transport.local import LocalTransport
from profiler.wire.messages import Job, RoundRequest
from profiler.worker.instruments import page_cache


def share(path: Path) -> float:
    with path.open("rb") as file:
        return page_cache.resident_share(file.fileno())


ON_DISK = ("ext2/ext3", "xfs", "btrfs")
"""File systems whose files can leave memory, so that a failure here is ours."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A file just written, so with dirty pages; skips where the cache can't be dropped at all."""
    path = tmp_path / "model"
    path.write_bytes(os.urandom(2_000_000))
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=False
    ).stdout.strip()
    if kind not in ON_DISK:
        try:
            page_cache.drop([path])
        except page_cache.NotAvailable as error:
            pytest.skip(f"{kind}: {error}; put TMPDIR on a disk to run this")
    path.write_bytes(os.urandom(2_000_000))
    return path


def test_a_file_is_dropped_although_it_was_just_written_and_filled_again(written: Path) -> None:
    assert share(written) == 1.0
    page_cache.drop([written])
    assert share(written) <= page_cache.LEFT_SHARE
    page_cache.fill([written])
    assert share(written) == 1.0


def test_a_file_in_use_is_not_available(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps what others have mapped; here nothing is asked of it at all."""
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: None)
    with pytest.raises(page_cache.NotAvailable, match=r"100% of the model file stayed in memory"):
        page_cache.drop([written])


def test_without_posix_fadvise_it_says_so(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise")
    with pytest.raises(page_cache.NotAvailable, match="posix_fadvise"):
        page_cache.drop([written])


def test_what_can_not_be_cold_is_a_row_with_that_reason(tmp_path: Path) -> None:
    job = {"scenario": "cold_start", "backend": "null", "starts": 2}
    with Session(LocalTransport(home=tmp_path / "home")) as session:
        request = RoundRequest(
            jobs=(Job(trial="cold", cache="cold", **job), Job(trial="warm", **job)),
            round=0, seed=1, warmup_ns=1_000_000,
        )  # fmt: skip
        cold, warm = session.round(request, lambda event: None)
    assert (cold.status, cold.reason) == ("failed", "not available")
    assert "no model file" in (cold.detail or "")
    assert warm.status == "ok", warm.detail
    assert len(warm.starts) == 2
    assert all(s.load_ns > 0 and s.first_query_ns > 0 and s.steady_ns > 0 for s in warm.starts)
