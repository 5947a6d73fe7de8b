"""Reading study and target files, with one clear message for whatever is wrong in them."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, TypeVar

from profiler.errors import StudyError
from profiler.schema.codec import DecodeError, decode, encode, nearest, show, shown_key
from profiler.schema.outside import printable
from profiler.schema.study import Study
from profiler.schema.target import Target

T = TypeVar("T")
_MOST_BYTES = 4_000_000
_DEEP_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){200}""")
"""A dotted key of hundreds of parts: tomllib takes the square of their number."""


def not_regular(path: Path) -> Optional[str]:
    """What lies there, in words, where it is no file that has an end; None for a file.

    Opening a pipe waits for a writer, and a device may never end. Raises OSError.
    """
    mode = path.stat().st_mode
    kinds = ((stat.S_ISREG, None), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"),
             (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))  # fmt: skip
    return next((words for is_kind, words in kinds if is_kind(mode)), "something else")


def _toml(path: Path, what: str) -> dict[str, Any]:
    try:
        if (other := not_regular(path)) is not None:
            raise StudyError(
                f"{path}: can't be read as a {what}: it is {other}",
                hint=f"give the path of a {what} (.toml)",
            )
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise StudyError(
                f"{path}: expected at most {_MOST_BYTES} bytes in a {what}, got {size}",
                hint="rows belong into a file of their own, which [data] names",
            )
        text = path.read_text(encoding="utf-8")
        if _DEEP_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except FileNotFoundError:
        raise StudyError(
            f"{path}: no such file", hint=f"give the path of a {what} (.toml)"
        ) from None
    except OSError as error:
        raise StudyError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: not valid TOML: {printable(str(error))}") from None
    except ValueError:  # Python reads no decimal number of more than 4,300 digits
        raise StudyError(
            f"{path}: expected numbers of 18 digits at most, got one of thousands"
        ) from None
    except RecursionError:
        raise StudyError(f"{path}: lists or tables are nested too deep to be read") from None


def _decode(kind: type[T], data: Any, path: Path) -> T:
    try:
        return decode(kind, data)
    except DecodeError as error:
        where = f"{path}: {shown_key(error.path)}" if error.path else str(path)
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
    if target.wheels is not None:
        folder = path.resolve().parent / Path(target.wheels).expanduser()
        if not folder.is_dir():
            raise StudyError(
                f"{path}: wheels: there is no folder {folder}",
                hint="give the folder that holds the wheels, from where this file lies",
            )
        return replace(target, wheels=str(folder))
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
    asked = [{key: value for key, value in encode(target).items() if key != "wheels"}
             for target in targets]  # fmt: skip
    text = json.dumps([encode(study), asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
