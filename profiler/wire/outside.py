"""Words and names that came from outside: what may be shown, and what may be a path.

Whoever sends them is not trusted. Python 3.8 source, stdlib only: travels to devices.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

TEXT_LIMIT = 4000
"""Characters that are kept of one text; the worker's own are at most half as long."""
_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_SHA = re.compile(r"[0-9a-f]{64}")


def is_sha(name: object) -> bool:
    """Whether it is the SHA-256 of a blob in hex, the only name a blob has."""
    return isinstance(name, str) and _SHA.fullmatch(name) is not None


def sha_name(text: str) -> str:
    """The name of a blob. Raises ValueError for anything else: it becomes part of a path."""
    if not is_sha(text):
        raise ValueError("a blob's name: 64 hex digits")
    return text


def printable(text: str) -> str:
    """The text with whatever would act on a terminal written as an escape.

    Control characters, line breaks, marks that turn the direction of text, halves of surrogates.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else ascii(c)[1:-1] for c in text
    )


def one_line(text: str) -> str:
    """A text of several lines as one that is printable."""
    return printable(_BREAKS.sub(" ", text))


def tidy(value: Any) -> Any:
    """JSON with every text in it, keys included, printable and of a bearable length."""
    if isinstance(value, str):
        return one_line(value[:TEXT_LIMIT])
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if isinstance(value, dict):
        return {tidy(key): tidy(item) for key, item in value.items()}
    return value
