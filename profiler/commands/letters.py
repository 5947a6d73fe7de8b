"""Text for terminals and pipes that know fewer letters than ours: replaced, never an error."""

from __future__ import annotations

import codecs
import json
import unicodedata
from typing import Any

HANDLER = "profiler-letters"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")
"""what Python sets by itself; anybody who wants another one keeps it"""
_LIKE = {
    "µ": "u", "μ": "u", "×": "x", "÷": "/", "−": "-", "–": "-", "—": "-", "─": "-", "━": "-",
    "│": "|", "…": ".", "·": ".", "•": "*", "★": "*", "●": "o", "○": "o", "▲": "^", "▼": "v",
    "✓": "+", "≤": "<", "≥": ">", "±": "~", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip
"""one letter for one, so that tables stay aligned"""


def _fits(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _nearest(letter: str, encoding: str) -> str:
    """What stands for a letter that an encoding lacks."""
    for other in (_LIKE.get(letter, ""), unicodedata.normalize("NFKD", letter)[:1]):
        if other and _fits(other, encoding):
            return other
    return "?"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_nearest(letter, error.encoding) for letter in missing), error.end


codecs.register_error(HANDLER, _replace)


def forgive(*streams: Any) -> None:
    """From now on these text streams replace what their encoding lacks."""
    for stream in streams:
        # A closed one is None; what a test or a notebook puts in its place knows no encoding.
        if getattr(stream, "errors", None) in _DEFAULTS and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def json_within(text: str, encoding: str) -> str:
    """JSON that means the same, with escapes for letters that the encoding lacks."""
    if _fits(text, encoding):
        return text
    return "".join(c if _fits(c, encoding) else json.dumps(c)[1:-1] for c in text)


def shown(text: str) -> str:
    """Control characters as escapes: a message may quote a file, which no terminal may obey."""
    from profiler.wire.outside import printable

    return "\n".join(map(printable, text.split("\n")))
