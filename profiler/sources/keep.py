"""Files named by the SHA-256 of their content, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from profiler.errors import ResultsError

_CHUNK_BYTES = 1 << 20


def sha_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def keep(source: Path, folder: Path) -> Path:
    """Copy `source` to folder/<sha>.onnx; a file already there is left alone.

    Raises ResultsError when the folder can't be written.
    """
    kept = folder / f"{sha_of(source)}.onnx"
    if kept.is_file() and kept.stat().st_size == source.stat().st_size:
        return kept
    partial: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
        partial = Path(name)
        with os.fdopen(handle, "wb") as target, source.open("rb") as file:
            shutil.copyfileobj(file, target, _CHUNK_BYTES)
            target.flush()
            os.fsync(target.fileno())
        # mkstemp makes 0600; an artifact is no secret and others may stage it.
        partial.chmod(0o644)
        partial.replace(kept)
    except OSError as error:
        raise ResultsError(
            f"{folder}: can't write an artifact ({error.strerror})",
            hint="check the folder's permissions and free space, or name another with --out",
        ) from None
    finally:
        if partial is not None:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    return kept
