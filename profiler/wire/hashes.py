"""The hash by which files are named and known, on the host and on a device."""

import hashlib
from pathlib import Path

_PIECE_BYTES = 1 << 20


def sha_of(path: Path) -> str:
    """SHA-256 of a file's content as 64 hex digits, read in pieces. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while True:
            piece = file.read(_PIECE_BYTES)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
