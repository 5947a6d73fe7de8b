"""Files that are written whole or not at all: under a name beside theirs, then renamed.

The one way in which this program replaces a file, on the host and on a device. Left to themselves
are whole folders (environments, the worker's code) and what a device takes in from a link that may
break, which goes on with the part that came.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".part"


def unfinished(path: Path) -> Path:
    """A name beside `path` for what is not whole yet, which no other thread or process takes.

    What a killed run left under such a name is removed when a results folder is opened again.
    """
    return path.with_name(f"{path.name}.{secrets.token_hex(8)}{UNFINISHED}")


@contextlib.contextmanager
def making(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Where to write what the block then moves to its place: `part.replace(path)`.

    What still lies there when the block ends is removed. `private`: the file is there, empty, and
    only its owner can read it; otherwise the block makes it, as the umask has it. Raises OSError.
    """
    part = unfinished(path)
    try:
        if private:
            part.touch(mode=0o600, exist_ok=False)
        yield part
    finally:
        with contextlib.suppress(OSError):  # what went wrong before is what is to be told
            part.unlink()


def write_whole(path: Path, data: bytes, *, private: bool = False, synced: bool = False) -> None:
    """Readers see the old file or the new one, never a part. `synced`: it outlives a power cut.

    Raises OSError.
    """
    with making(path, private=private) as part:
        with part.open("wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
