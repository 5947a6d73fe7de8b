"""Arrays and model files of a results folder, named by their content."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

from profiler.errors import ResultsError
from profiler.store import reading
from profiler.store.files import writing
from profiler.wire.codec import show
from profiler.wire.hashes import sha_of
from profiler.wire.outside import is_sha
from profiler.wire.whole import making

_PIECE_BYTES = 4 * 2**20


def keep_array(folder: Path, values: Any, rows: Any = None) -> str:
    """Write values (or their `rows`) to folder/<sha>.npy, in pieces; returns the sha of the file.

    Arrays that are mapped from a file and larger than memory pass through. Raises ResultsError.
    """
    import numpy as np

    count = len(values) if rows is None else len(rows)
    step = max(1, _PIECE_BYTES * max(1, len(values)) // max(1, values.nbytes))
    header = {
        "descr": np.lib.format.dtype_to_descr(values.dtype),
        "fortran_order": False,
        "shape": (count, *values.shape[1:]),
    }
    digest = hashlib.sha256()
    unnamed = folder / "array"
    with writing(unnamed), making(unnamed) as part:
        with part.open("wb") as file:
            head = io.BytesIO()
            np.lib.format.write_array_header_1_0(head, header)
            digest.update(head.getvalue())
            file.write(head.getvalue())
            for start in range(0, count, step):
                chosen = slice(start, min(start + step, count))
                piece = np.ascontiguousarray(values[chosen if rows is None else rows[chosen]])
                data = piece.tobytes()
                digest.update(data)
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sha = digest.hexdigest()
        part.replace(folder / f"{sha}.npy")
    return sha


def read_array(folder: Path, sha: str, *, mapped: bool = False) -> Any:
    """An array that was kept in a results folder; mapped: as numpy.memmap. Raises ResultsError."""
    import numpy as np

    path = blob_path(folder, "outputs", sha, ".npy")
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except Exception as error:  # a header may hold anything, and numpy evaluates it
        raise ResultsError(f"{path}: can't be read ({error})", hint=reading.DAMAGED) from None


def blob_path(folder: Path, kind: str, sha: str, suffix: str) -> Path:
    """A file of the folder that is named by its content, and has it. Raises ResultsError."""
    if not is_sha(sha):  # it becomes part of a path
        raise ResultsError(
            f"{folder}: {kind}: expected a SHA-256 (64 hex digits), got {show(sha)}",
            hint=reading.DAMAGED,
        )
    name = f"{kind}/{sha}{suffix}"
    try:
        content = sha_of(reading.regular(folder, name))
    except OSError as error:
        raise ResultsError(
            f"{folder / name}: can't be read ({error.strerror})", hint=reading.DAMAGED
        ) from None
    if content != sha:
        raise ResultsError(
            f"{folder / name}: damaged: its content has the hash {content}",
            hint=reading.DAMAGED,
        )
    return folder / name
