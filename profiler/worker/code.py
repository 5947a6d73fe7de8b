"""The worker's archive, unpacked and compiled.

From the archive every runner would compile all modules again; a small board needs a second for it,
for each trial in each round.
"""

from __future__ import annotations

import secrets
from pathlib import Path


def program(archive: Path, home: Path) -> Path:
    """The folder with the archive's content, made when it is not there; else the archive itself.

    It appears whole or not at all: a full disk, or another session that was faster, does no harm.
    """
    place = home / "code" / archive.name
    if place.is_dir():
        return place
    import compileall
    import shutil
    import zipfile

    # No process number: two containers that share this folder may have the same.
    partial = place.with_name(f"{place.name}.{secrets.token_hex(8)}")
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(partial)
        compileall.compile_dir(str(partial), quiet=2)
        partial.rename(place)
    except (OSError, zipfile.BadZipFile):
        return place if place.is_dir() else archive
    finally:
        shutil.rmtree(str(partial), ignore_errors=True)
    return place
