"""Programs that a connection needs on this side; from any thread they end with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional, Protocol
from weakref import WeakSet

from profiler.errors import TransientError

_LOOK_AGAIN_S = 0.2


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Killable(Protocol):
    """What can be ended at once, again and again, and from any thread."""

    def kill(self) -> None:
        """End it."""


def kill_group(leader: int) -> None:
    """End the processes of a group; one that ended by now is no error."""
    # macOS says "not permitted" of a group that has ended and waits to be collected.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


class Group:
    """A program with all that it starts: pip starts others, to build what it installs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def kill(self) -> None:
        """End all of them at once."""
        if self._process.poll() is None:  # else the number may be another's by now
            kill_group(self._process.pid)


class Children:
    """Runs programs one after the other or side by side, until `end`: then none is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakSet[Killable] = WeakSet()
        self.ended = threading.Event()

    def refuse(self) -> None:
        """Raises TransientError after `end`: nothing is begun any more."""
        if self.ended.is_set():
            raise TransientError("stopped while it connected")

    def adopt(self, child: Killable) -> None:
        """What was started elsewhere ends with the others. Raises as `refuse` does."""
        with self._lock:
            self._known.add(child)
        if self.ended.is_set():
            child.kill()
        self.refuse()

    def dismiss(self, child: Killable) -> None:
        """From now on it ends when its owner wants."""
        with self._lock:
            self._known.discard(child)

    def run(
        self,
        command: Sequence[str],
        timeout_s: float,
        *,
        words: bool = True,
        environment: Optional[Mapping[str, str]] = None,
    ) -> subprocess.CompletedProcess[str]:
        """Wait for a program; its stdout (with `words`, its stderr among it) as text.

        Whatever ends the waiting ends the program. Raises OSError, subprocess.TimeoutExpired, and
        TransientError when `end` was called.
        """
        self.refuse()
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if words else subprocess.DEVNULL,
            env=None if environment is None else dict(environment),
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            group = Group(process)
            try:
                self.adopt(group)
                said, _ = process.communicate(timeout=timeout_s)
            except BaseException:
                group.kill()
                process.wait()
                raise
        self.refuse()
        return subprocess.CompletedProcess(command, process.returncode, said)

    @contextlib.contextmanager
    def alone(self, path: Path) -> Iterator[None]:
        """Have the lock on a file, which others have for a while. Raises as `refuse` does."""
        with open(path, "a", opener=_private) as file:
            while True:
                self.refuse()
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self.ended.wait(_LOOK_AGAIN_S)
                except OSError:  # a file system that knows no locks
                    break
            yield

    def end(self) -> None:
        """End what runs, from any thread; nothing else begins."""
        self.ended.set()
        with self._lock:
            known = list(self._known)
        for child in known:
            child.kill()
