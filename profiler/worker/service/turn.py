"""One measurement at a time on a device: sessions of several hosts, or of several runs, take turns.

Two that measure at once would each be the other's noisy neighbour. So whatever burns the device
(a round, a trace, a prediction, a probe) holds a lock on a file in our folder, and only while it
lasts: a session holds nothing between two of its rounds, so that nothing can wait in a circle, and
the kernel lets go of it for a process that dies. Sessions that use another folder (another user)
are not seen.

A link that is lost in silence leaves its worker at work until the heartbeat is missed. When that
worker's own host is back it does not wait for that: it ends the old one.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from profiler.worker.instruments import mac
from profiler.worker.instruments.counters import read_text

SAY_EVERY_S = 20.0
"""Well below the silence after which a host gives up."""
GRACE_S = 5.0
"""for a worker that was asked to end, before it is killed"""
_POLL_S = 0.05


def started(pid: int) -> Optional[str]:
    """When a process began: with the pid, it names a process for good. Linux: ticks since boot."""
    if mac.is_mac():
        return mac.started(pid)
    fields = (read_text(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


class Turn:
    """Holds the device while something is measured. Use as a context manager, again and again.

    `owner` names the session, however many workers it had; empty for one that nobody else knows.
    `say` is told {"waiting": {"pid", "for_s"}} from time to time, then {"waited_s"}.
    """

    def __init__(self, home: Path, say: Callable[[dict[str, Any]], None]) -> None:
        self.path, self.say, self.owner = home / "measuring", say, ""
        self._since = time.time()
        self._fd: Optional[int] = None

    def __enter__(self) -> Turn:
        fd = os.open(str(self.path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock(fd, fcntl.LOCK_NB):
                begin = time.monotonic()
                self._wait(fd)
                self.say({"waited_s": time.monotonic() - begin})
            me = {"pid": os.getpid(), "started": started(os.getpid()), "since": self._since,
                  "owner": self.owner}  # fmt: skip
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(me).encode(), 0)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(self, *_: object) -> None:
        assert self._fd is not None
        fd, self._fd = self._fd, None
        os.ftruncate(fd, 0)
        os.close(fd)

    def _wait(self, fd: int) -> None:
        holder = _holder(fd)
        if self.owner and holder.get("owner") == self.owner and _end(holder, fd):
            return
        over = threading.Event()

        def tell() -> None:
            while True:
                holder = _holder(fd)
                age_s = max(0.0, time.time() - holder.get("since", time.time()))
                self.say({"waiting": {"pid": holder.get("pid"), "for_s": age_s}})
                if over.wait(SAY_EVERY_S):
                    return

        # The lock itself is waited for by the kernel: a process that looks again and again would
        # disturb what the other one measures.
        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        _lock(fd, 0)
        over.set()
        teller.join()


def _lock(fd: int, how: int) -> bool:
    """Whether the lock is ours. A file system that knows no locks gives it to everybody."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | how)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _holder(fd: int) -> dict[str, Any]:
    """Who holds the lock, as it said itself; nothing when it had no time to."""
    try:
        found = json.loads(os.pread(fd, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _end(holder: dict[str, Any], fd: int) -> bool:
    """End an earlier worker of this very session; whether the lock is ours then."""
    pid = holder.get("pid")
    for number in (signal.SIGTERM, signal.SIGKILL):
        # Its runners are in its process group, which it leads.
        if not isinstance(pid, int) or started(pid) != holder.get("started"):
            break
        try:
            if os.getpgid(pid) == pid:
                os.killpg(pid, number) if number == signal.SIGKILL else os.kill(pid, number)
        except OSError:
            break
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline:
            if _lock(fd, fcntl.LOCK_NB):
                return True
            time.sleep(_POLL_S)
    return _lock(fd, fcntl.LOCK_NB)
