"""Arrays larger than memory: they stay in a file."""

from __future__ import annotations

import os
import tempfile
from typing import IO, Any

import numpy as np

from profiler.errors import DataError
from profiler.statistics.pieces import CHUNK_BYTES

Array = np.ndarray[Any, Any]


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array in a temporary file that has no name and goes when the array does.

    Raises DataError where the disk is too full; a mapping that finds out later would kill us.
    """
    size = int(np.prod(shape)) * dtype.itemsize
    with tempfile.TemporaryFile(prefix="profiler-data-") as file:
        try:
            _allocate(file, max(1, size))
        except OSError as error:
            raise DataError(
                f"{tempfile.gettempdir()}: no room for {size / 2**20:.0f} MiB of prepared data "
                f"({error.strerror})",
                hint="free some space, or let TMPDIR name a folder on a larger disk",
            ) from None
        return np.memmap(file, dtype=dtype, mode="r+", shape=shape)


def _allocate(file: IO[bytes], size: int) -> None:
    """Let the file have `size` bytes on the disk now. Raises OSError where it is too full."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    # macOS has no such call, and a file that was only made longer has no space yet.
    zeros = memoryview(bytes(min(size, CHUNK_BYTES)))
    for start in range(0, size, CHUNK_BYTES):
        file.write(zeros[: size - start])
    file.flush()


def room_for(like: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An empty array that lies where `like` lies: in memory or in a file."""
    return scratch(shape, dtype) if isinstance(like, np.memmap) else np.empty(shape, dtype)
