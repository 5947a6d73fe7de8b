"""What was told from a results folder, kept beside it in derived/ so that it is told once.

    derived/KEY-NAME-ASKED.json

KEY stands for the state of the folder: each file's name, size, inode and times, and the program
and libraries that computed. The time of change is set by the system alone, so a file that was
written again has another one even where its size and date were put back, and what came along with
a copied or sent folder is never believed: it is told anew. derived/ may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import profiler
from profiler.errors import ResultsError
from profiler.store import reading
from profiler.store.files import write_atomic
from profiler.store.folder import LOCK

DERIVED = "derived"
REPORT = ("report.html", "frontier.png", "frontier.svg", "table.csv", "table.md")
"""What `report` writes into the folder; nothing is read from it."""
SETTLED_NS = 1_000_000_000
"""A file that changed so lately may change again within the same tick of the clock of files."""
_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "pyarrow", "altair", "vl-convert-python")
_KEY, _ASKED = 24, 16


class Derived:
    """What is kept of one results folder, as it was when this was made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = _state(folder)
        self.assumed: dict[str, Any] = {}
        """what is assumed of the folder that it does not say, such as a price"""

    def kept(self, name: str, asked: Mapping[str, Any], make: Callable[[], Any]) -> Any:
        """make(), JSON-ready, or what it gave before for the same folder and the same `asked`."""
        if self._key is None:
            return make()
        words = json.dumps({**asked, **self.assumed}, sort_keys=True, default=str).encode()
        stem = f"{self._key}-{name}-{hashlib.sha256(words).hexdigest()[:_ASKED]}"
        where = f"{DERIVED}/{stem}.json"
        try:
            held = reading.json_of(self._folder, where)
            value = held["value"]
            if held["digest"] == _digest(value):
                return value
        except (OSError, ResultsError, KeyError):
            pass  # not there yet, damaged, or cut off: told anew
        value = make()
        if _state(self._folder) == self._key:  # else it belongs to no one state
            self._keep(where, value)
        return value

    def _keep(self, where: str, value: Any) -> None:
        place = self._folder / DERIVED
        try:
            if place.is_symlink():
                return
            place.mkdir(exist_ok=True)
            for old in place.iterdir():
                if not old.name.startswith(str(self._key)):
                    old.unlink(missing_ok=True)
            text = json.dumps({"digest": _digest(value), "value": value}, allow_nan=False)
            write_atomic(self._folder / where, text.encode())
        except (OSError, ResultsError, ValueError):
            pass  # a folder that can't be written, or a full disk: it is told anew next time


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _state(folder: Path) -> str | None:
    """A name for the content of the folder; None where none can be given, or not yet."""
    digest = hashlib.sha256(_program().encode())
    newest_ns = 0
    try:
        for name, stat in _files(folder, ""):
            told = (name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            digest.update(repr(told).encode())
            newest_ns = max(newest_ns, stat.st_ctime_ns)
    except (OSError, ValueError):
        return None
    return digest.hexdigest()[:_KEY] if newest_ns + SETTLED_NS < time.time_ns() else None


def _files(folder: Path, inner: str) -> Iterator[tuple[str, os.stat_result]]:
    """All files that are read, by name. Raises ValueError for a link: its target can't be told."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if not inner and entry.name in (DERIVED, LOCK, *REPORT):
            continue
        if entry.is_symlink():
            raise ValueError(entry.name)
        name = f"{inner}{entry.name}"
        if entry.is_dir():
            yield from _files(Path(entry.path), f"{name}/")
        else:
            yield name, entry.stat(follow_symlinks=False)


@cache
def _program() -> str:
    """The version of what computes. Our files, too: a checkout changes without its version."""
    home = Path(profiler.__file__).parent
    ours = [
        (str(path.relative_to(home)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(home.rglob("*.py"))
    ]
    found = [(name, _version(name)) for name in _LIBRARIES]
    return repr((profiler.__version__, ours, found))


def _version(name: str) -> str | None:
    """Of an installed library; None where it is not: drawing's are needed by `report` alone."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
