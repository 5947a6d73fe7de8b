"""The kernel's page cache of model files: filled, or emptied without touching any other file."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

_DONTNEED = getattr(os, "POSIX_FADV_DONTNEED", 0)
LEFT_SHARE = 0.01
"""Of a file that counts as not in memory, at most this share may be."""


class NotAvailable(Exception):
    """The page cache of a file can't be emptied here; the text says why."""


def fill(paths: Iterable[Path]) -> None:
    """Read the files once, so that they lie in memory."""
    for path in paths:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


def drop(paths: Iterable[Path]) -> None:
    """Empty the page cache of these files, and see that it is empty. Raises NotAvailable.

    Pages that were not written yet stay (posix_fadvise(2)), hence fsync first.
    """
    if not hasattr(os, "posix_fadvise"):  # macOS
        raise NotAvailable("this system has no posix_fadvise")
    for path in paths:
        handle = os.open(str(path), os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, _DONTNEED)
            left = resident_share(handle)
        except OSError as error:
            raise NotAvailable(f"the kernel refused: {error.strerror}") from None
        finally:
            os.close(handle)
        if left > LEFT_SHARE:
            raise NotAvailable(
                f"{left:.0%} of the model file stayed in memory: another process has it mapped,"
                " or its file system lies in memory"
            )


def resident_share(handle: int) -> float:
    """Share of an open file's pages that lie in memory (mincore(2)). Raises OSError."""
    size = os.fstat(handle).st_size
    if size == 0:
        return 0.0
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                          ctypes.c_int, ctypes.c_int64)  # fmt: skip
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if libc.mincore(address, size, pages) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        libc.munmap(address, size)
    return sum(page & 1 for page in pages.raw) / len(pages.raw)
