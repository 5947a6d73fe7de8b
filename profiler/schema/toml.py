"""Reading a TOML file into a dataclass, with one clear message for whatever is wrong in it."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import Any, Optional, TypeVar

from profiler.errors import StudyError
from profiler.wire.codec import DecodeError, decode, show, shown_key
from profiler.wire.outside import printable

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


def read_toml(path: Path, what: str) -> dict[str, Any]:
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


def decode_file(kind: type[T], data: Any, path: Path) -> T:
    try:
        return decode(kind, data)
    except DecodeError as error:
        where = f"{path}: {shown_key(error.path)}" if error.path else str(path)
        if error.expected == "a known key":
            message = f"{where}: unknown key"
        else:
            message = f"{where}: expected {error.expected}, got {show(error.got)}"
        raise StudyError(message, hint=error.hint) from None
