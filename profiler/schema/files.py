"""Reading study and target files, with one clear message for whatever is wrong in them."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from profiler.errors import StudyError
from profiler.schema.codec import DecodeError, decode, encode, nearest, show
from profiler.schema.study import Study
from profiler.schema.target import Target

T = TypeVar("T")


def _toml(path: Path, what: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{path}: no such file", hint=f"give the path of a {what} (.toml)"
        ) from None
    except (IsADirectoryError, PermissionError, OSError) as error:
        raise StudyError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {error}") from None


def _decode(kind: type[T], data: Any, path: Path) -> T:
    try:
        return decode(kind, data)
    except DecodeError as error:
        where = f"{path}: {error.path}" if error.path else str(path)
        if error.expected == "a known key":
            message = f"{where}: unknown key"
        else:
            message = f"{where}: expected {error.expected}, got {show(error.got)}"
        raise StudyError(message, hint=error.hint) from None


def read_study(path: Path) -> Study:
    """Read and check a study file."""
    data = _toml(path, "study file")
    data.setdefault("name", path.stem)
    study = _decode(Study, data, path)
    object.__setattr__(study, "folder", path.resolve().parent)
    return study


def read_target(path: Path) -> Target:
    """Read and check a target file."""
    data = _toml(path, "target file")
    data.setdefault("name", path.stem)
    target = _decode(Target, data, path)
    if target.transport == "ssh" and target.ssh is None:
        raise StudyError(
            f"{path}: ssh: expected a table (required), got nothing",
            hint='add [ssh] with host = "..." to the file',
        )
    return target


def target_folders(folder: Path) -> list[Path]:
    """Where target files are looked for, first match wins: the user's, then the shipped ones."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "_targets"
    return [
        folder / "targets",
        Path.cwd() / "targets",
        shipped if shipped.is_dir() else package.parent / "targets",
    ]


def known_targets(folder: Path) -> dict[str, Path]:
    """Target name -> file, for all that can be named in a study lying in `folder`."""
    found: dict[str, Path] = {}
    for place in target_folders(folder):
        for path in sorted(place.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find_target(name: str, folder: Path) -> Target:
    """The target called `name`. Raises StudyError with the names there are."""
    known = known_targets(folder)
    if name not in known:
        hint = nearest(name, known) or f"known targets: {', '.join(known) or 'none'}"
        raise StudyError(f"targets: there is no target called {show(name)}", hint=hint)
    target = read_target(known[name])
    if target.name != name:
        raise StudyError(
            f"{known[name]}: name: expected {show(name)} (the file's name), got {show(target.name)}"
        )
    return target


def study_hash(study: Study, targets: tuple[Target, ...]) -> str:
    """SHA-256 over what was asked for; results of another hash don't mix with these."""
    text = json.dumps([encode(study), encode(targets)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
