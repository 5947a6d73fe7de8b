"""Blobs on the device: files named by the SHA-256 of their content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path

from profiler.wire.hashes import sha_of
from profiler.wire.outside import is_sha
from profiler.wire.whole import write_whole


class BlobFolder:
    """A folder of blobs. Names are checked, so a message can't reach outside of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, sha: str) -> Path:
        """Where the blob lies or would lie. Raises ValueError for anything but a SHA-256."""
        if not is_sha(sha):
            raise ValueError(f"not a blob name: {sha!r}")
        return self.folder / sha

    def missing(self, shas: list[str]) -> list[str]:
        """Those which are not here whole; a damaged blob is removed and counts as missing."""
        absent = []
        for sha in shas:
            path = self.path(sha)
            if path.is_file():
                if sha_of(path) == sha:
                    continue
                path.unlink()
            absent.append(sha)
        return absent

    def add(self, data: bytes) -> str:
        """Write a blob atomically; returns its name."""
        sha = hashlib.sha256(data).hexdigest()
        write_whole(self.path(sha), data, private=True)
        return sha


class Held:
    """Which blobs this session needs. Several sessions share one folder of blobs.

    A mark is an empty file in the session's own output folder, so that it goes when that does.
    """

    def __init__(self, blobs: BlobFolder, home: Path, out: Path) -> None:
        self._blobs, self._home, self._out = blobs, home, out
        self._shas: set[str] = set()

    def hold(self, shas: list[str]) -> None:
        """From now on no other session removes these; call it before looking whether they lie."""
        with self._alone():
            for sha in shas:
                self._mark(self._out, sha).touch()
        self._shas.update(shas)

    def let_go(self, shas: list[str]) -> Iterator[str]:
        """Those of `shas` that no session needs any more; remove each as it comes."""
        self._shas.difference_update(shas)
        with self._alone():
            for sha in shas:
                self._mark(self._out, sha).unlink(missing_ok=True)
                if not any(self._mark(out, sha).exists() for out in self._home.glob("out-*")):
                    yield sha

    def taken(self) -> bool:
        """Whether somebody who asks nobody (a cleaner) removed one of these, or the folders."""
        held = (self._blobs.path(sha) for sha in self._shas)
        return not self._out.is_dir() or not all(path.is_file() for path in held)

    @staticmethod
    def _mark(out: Path, sha: str) -> Path:
        return out / f"{sha}.held"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One session at a time. A file system that knows no locks lets everybody in."""
        with (self._home / "holding").open("w") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
