"""Who works in our folder on a device, and whether what they need still lies there.

A session's worker holds a shared lock on one file as long as it lives, so that nobody removes the
folder under it; the kernel lets go of it for a process that dies. Cleaners that know nothing of
locks take files all the same: `blobs.Held` finds that out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path

LOCK = "in-use"
CARD = "session.json"
"""in a session's output folder: who it is, for who wants to remove the whole"""


def enter(home: Path) -> int:
    """Hold the folder until this process ends; the descriptor that does it."""
    while True:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = home / LOCK
        fd = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):  # a file system that knows no locks
            fcntl.flock(fd, fcntl.LOCK_SH)
        try:
            there = path.stat()
        except FileNotFoundError:  # removed while we waited, and the whole folder with it
            os.close(fd)
            continue
        here = os.fstat(fd)
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return fd
        os.close(fd)


def introduce(out: Path) -> None:
    """Say in a session's output folder since when which process works."""
    card = {"pid": os.getpid(), "since": time.time()}
    (out / CARD).write_text(json.dumps(card), encoding="utf-8")
