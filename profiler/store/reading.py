"""Reading what a results folder holds, which may be damaged, newer, or somebody else's.

Everything is read from regular files within the folder, and decoded strictly. What does not fit is
one ResultsError that names file, key, what was expected and what was got. Nothing that a folder
names is run, loaded or connected to.
"""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from profiler.errors import ResultsError
from profiler.wire.codec import DecodeError, decode, show, shown_key
from profiler.wire.messages import SCHEMA_VERSION

T = TypeVar("T")

DAMAGED = "restore the file from a copy, or measure again with --output NEW_FOLDER"


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a results folder. Raises ResultsError for one that lies elsewhere.

    An absolute name, '..' and links that lead out of the folder are refused: they could name
    anything on the reader's machine.
    """
    pure = PurePosixPath(name)
    leaves = not pure.parts or pure.is_absolute() or ".." in pure.parts
    try:
        leaves = leaves or not (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a ring of links, a NUL in the name
        leaves = True
    if leaves:
        raise ResultsError(
            f"{folder}: {show(name)} lies outside of the results folder, so it is not read",
            hint="a file of a results folder lies in it; " + DAMAGED,
        )
    return folder / name


def regular(folder: Path, name: str) -> Path:
    """The same, for what others will open: a pipe in a file's place would be waited for.

    Raises FileNotFoundError, ResultsError.
    """
    path = inside(folder, name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})", hint=DAMAGED) from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise ResultsError(f"{path}: can't be read (it is {what})", hint=DAMAGED)
    return path


def bytes_of(folder: Path, name: str) -> bytes:
    """Content of a file of the folder. Raises FileNotFoundError, ResultsError."""
    path = regular(folder, name)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ResultsError(f"{path}: can't be read ({error.strerror})", hint=DAMAGED) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def parse(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError for anything else; NaN and infinity are no JSON."""
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {type(value).__name__}")
    return value


def json_of(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of the folder. Raises FileNotFoundError, ResultsError."""
    data = bytes_of(folder, name)
    try:
        return parse(data)
    except ValueError as error:
        raise ResultsError(f"{folder / name}: can't be read ({error})", hint=DAMAGED) from None


def decoded(kind: type[T], value: Any, where: object, key: str = "") -> T:
    """Plain data as the dataclass `kind`. Raises ResultsError that begins with `where`."""
    try:
        return decode(kind, value, key)
    except DecodeError as error:
        raise told(error, where) from None


def told(error: DecodeError, where: object) -> ResultsError:
    """What does not fit, as an error of the file (and line) `where`."""
    path = shown_key(error.path)
    if error.expected == "a known key":
        newer = "a newer version of profiler may have written it: read it with that one"
        hint = f"{newer}; {error.hint}" if error.hint else newer
        return ResultsError(f"{where}: {path}: unknown key", hint=hint)
    text = f"{where}: {path}: expected {error.expected}, got {show(error.got)}"
    return ResultsError(text, hint=error.hint or DAMAGED)


def check_version(held: dict[str, Any], hint: str = DAMAGED) -> None:
    """Raise ResultsError for what another version wrote."""
    found = held.get("schema_version")
    if type(found) is not int or found != SCHEMA_VERSION:
        text = f"schema_version: expected {SCHEMA_VERSION}, got {show(found)}"
        raise ResultsError(text, hint=hint)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of rows.jsonl, counted from 1."""

    number: int
    data: bytes
    whole: bool
    """False: the last one, which a run that was cut off left without its end"""

    def held(self) -> dict[str, Any]:
        """The row in it. Raises ResultsError."""
        if not self.whole:
            raise ResultsError("is not whole", hint=DAMAGED)
        try:
            row = parse(self.data)
        except ValueError as error:
            raise ResultsError(f"is damaged ({error})", hint=DAMAGED) from None
        check_version(row)
        return row
