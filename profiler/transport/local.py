"""This machine as a device: the same worker, the same protocol, over a child process."""

from __future__ import annotations

import errno
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from profiler.errors import TransientError, TransportError
from profiler.places import cache_folder
from profiler.transport import endings, helper
from profiler.transport.children import Children
from profiler.transport.process import ProcessPipe, last_lines
from profiler.transport.said import Busy, refuse_while
from profiler.wire.messages import GONE
from profiler.wire.outside import sha_name
from profiler.wire.whole import making

_OUR_DISK = (errno.ENOSPC, errno.EDQUOT)
"""The device's files are whole; it is the results folder's disk that takes no more."""


def _explain(code: Optional[int], stderr: str) -> TransportError:
    if code is not None and code < 0:
        return endings.killed(-code)
    status = "still running" if code is None else f"exit status {code}"
    words = f"the worker is gone: {' | '.join([status, *last_lines(stderr)])}"
    kind = TransientError if "MemoryError" in stderr else TransportError
    return kind(words, kept=f"the worker is gone: {status}")


class LocalTransport:
    """Files are linked or copied into a folder of ours, exactly as they would be on a device."""

    name = "local"

    def __init__(
        self,
        python: Optional[str] = None,
        home: Optional[Path] = None,
        *,
        install: Optional[Callable[[Children], str]] = None,
    ) -> None:
        """`install` is called when a worker is to be started, and says which interpreter has all
        that the target asks for; what it runs ends with this transport.
        """
        self._python, self._install = python or sys.executable, install
        self._children = Children()
        self._home = home or cache_folder() / "device"
        try:
            (self._home / "blobs").mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise TransportError(
                f"{self._home}: can't be written ({error.strerror})",
                hint="set XDG_CACHE_HOME to a folder you can write",
                kept=f"the cache folder can't be written ({error.strerror})",
            ) from None

    def stage(self, path: Path, sha: str, called: str = "") -> None:
        """Copy (copy-on-write where the file system can) and rename, so no half blob is seen."""
        try:
            (self._home / "blobs").mkdir(parents=True, exist_ok=True, mode=0o700)
            # Copying would disturb what another run measures on this machine.
            with self._children.alone(self._home / helper.MEASURING):
                helper.make_room(str(self._home), path.stat().st_size)
                blob = self._home / "blobs" / sha
                with making(blob, private=True) as part:
                    shutil.copyfile(path, part)
                    part.replace(blob)
        except OSError as error:
            words = f"{error.strerror} while staging {path.name}"
            raise TransportError(f"{self._home}: {words}", kept=words) from None

    def spawn(self, worker_sha: str) -> ProcessPipe:
        """Start the worker with the target's interpreter."""
        if self._install is not None:
            self._python, self._install = self._install(self._children), None
        archive = self._home / "blobs" / worker_sha
        return ProcessPipe(
            [self._python, "-X", "utf8", str(archive), "serve", str(self._home)],
            _explain,
            folder=self._home,
            hint="set `python` in the target file to a Python 3.8 or newer",
        )

    def fetch(self, folder: str, sha: str, to: Path, limit_bytes: int) -> None:
        """Move the blob here: a worker could name any file of this machine."""
        place = Path(folder) / sha_name(sha)
        if Path(folder).parent != self._home or ".." in Path(folder).parts:
            words = "the worker keeps results outside of our folder"
            raise TransportError(f"{words}, in {folder}", kept=words)
        try:
            found = place.lstat()
            if not stat.S_ISREG(found.st_mode):
                words = "the worker's result is not an ordinary file"
                raise TransportError(f"{place}: {words}", kept=words)
            if found.st_size > limit_bytes:
                words = f"{found.st_size} bytes from the worker, {limit_bytes} are the most"
                raise TransportError(f"{place}: {words}", kept=words)
            shutil.move(place, to)
        except OSError as error:
            if error.errno in _OUR_DISK or not to.parent.exists():
                raise
            if not place.exists():
                raise TransientError(GONE) from None
            words = f"{error.strerror} while fetching results"
            raise TransportError(f"{to}: {words}", kept=words) from None

    def require_packages(self) -> None:
        """None are needed."""

    def packages(self, cache: Path) -> Optional[Path]:
        """None: this machine's interpreter has what the target file says it has."""
        return None

    def provide(self, cache: Path) -> dict[str, str]:
        """Nothing."""
        return {}

    def clean(self) -> None:
        """Remove our folder. Raises TransportError while a worker is in it."""
        try:
            busy = helper.remove(str(self._home))
            refuse_while(None if busy is None else Busy(**busy), "this machine")
        except OSError as error:
            raise TransportError(f"{self._home}: {error.strerror} while it was removed") from None

    def stop(self) -> None:
        """End what installs."""
        self._children.end()

    def drop(self) -> None:
        """Nothing: there is no connection."""

    def close(self) -> None:
        """Nothing: there is no connection."""
