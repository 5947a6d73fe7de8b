"""Files that are written whole or not at all, and what the disk says in one clear message."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from profiler.errors import ResultsError
from profiler.wire.whole import making, write_whole


def _failed(path: Path, error: OSError) -> ResultsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResultsError(
            f"{path}: disk full; what was recorded before is safe",
            hint="free some space, then give the same command: it goes on from there",
        )
    if error.errno == errno.ENOENT and not path.parent.exists():
        gone = path.parent
        while not gone.parent.exists():
            gone = gone.parent
        return ResultsError(
            f"{gone}: is gone: it was removed or renamed while results were written there",
            hint="put it back and give the same command, which goes on from there; without it the"
            " command measures anew",
        )
    return ResultsError(
        f"{path}: can't be written ({error.strerror})",
        hint="choose another folder with --output",
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the operating system says into one clear message."""
    try:
        yield
    except OSError as error:
        raise _failed(path, error) from None


@contextmanager
def incoming(folder: Path) -> Iterator[Path]:
    """Where a file from a device is put first; nothing stays there. Raises ResultsError.

    The file may be moved to its place or read; what the disk here says on the way is ours to tell.
    """
    place = folder / "raw" / "incoming"
    with writing(place), making(place) as part:
        yield part


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, synced. Raises ResultsError."""
    with writing(path):
        write_whole(path, data, synced=True)
