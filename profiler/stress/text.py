"""Perturbations of text, before it is tokenized. Rows of text in, rows of text out.

Severity has one meaning for all of them: 5, 10, 20, 30 or 50 % of the words that the perturbation
can change are changed, each word drawn by itself. Words are what white space separates, so that
severity says little about scripts without spaces. The draws don't depend on the severity: the words
changed at severity 3 are changed in the same way at severity 4, with others beside them.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from profiler.errors import InputError
from profiler.schema.study.stress import KINDS
from profiler.stress.perturb import generator

Array = npt.NDArray[Any]
Synonyms = Mapping[str, tuple[str, ...]]
Draws = tuple[float, float, float]
"""What a word's change is drawn from, each in [0, 1)."""

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Of the words that can be changed, by severity: those of `missing` in tables."""

_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
MARKS = ",.;:!?-'"


def _keyboard() -> dict[str, str]:
    """Each key -> those that touch it, on a US keyboard whose rows are staggered."""
    place = {key: (y, x + 0.5 * y) for y, row in enumerate(_ROWS) for x, key in enumerate(row)}
    return {
        key: "".join(
            other for other, (v, u) in place.items()
            if other != key and abs(y - v) <= 1 and abs(x - u) <= 1 - 0.5 * abs(y - v)
        )
        for key, (y, x) in place.items()
    }  # fmt: skip


NEIGHBOURS = _keyboard()


def _one(options: Any, draw: float) -> Any:
    return options[int(draw * len(options))]


def _typo(word: str, draws: Draws) -> str | None:
    """A neighbouring key instead of a character or beside it, or one left out, or two swapped.

    Characters that the keyboard lacks are left out or swapped.
    """
    places = [i for i, c in enumerate(word) if c.isalnum()]
    if not places:
        return None
    at = _one(places, draws[0])
    typed = word[at]
    edits: list[str] = []
    if near := NEIGHBOURS.get(typed.lower()):
        key = _one(near, draws[2])
        key = key.upper() if typed.isupper() else key
        edits += [word[:at] + key + word[at + 1 :], word[: at + 1] + key + word[at + 1 :]]
    if len(places) > 1:
        edits.append(word[:at] + word[at + 1 :])
    after = word[at + 1 : at + 2]
    if after.isalnum() and after != typed:
        edits.append(word[:at] + after + typed + word[at + 2 :])
    return _one(edits, draws[1]) if edits else None


def _case(word: str, draws: Draws) -> str | None:
    """All capitals, all small letters, or each letter at random; whichever changes the word."""
    bits = int(draws[1] * 2**32)
    mixed = "".join(
        c.upper() if bits >> (i % 32) & 1 else c.lower() for i, c in enumerate(word)
    )  # fmt: skip
    changed = [w for w in dict.fromkeys((word.upper(), word.lower(), mixed)) if w != word]
    return _one(changed, draws[0]) if changed else None


def _is_mark(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character)[0] == "P"


def _punctuation(word: str, draws: Draws) -> str | None:
    """A word's punctuation is dropped; one without any gets a mark after it."""
    bare = "".join(c for c in word if not _is_mark(c))
    if not bare:
        return None  # or nothing would be left of "?"
    return bare if bare != word else word + _one(MARKS, draws[0])


def _synonym(word: str, draws: Draws, synonyms: Synonyms) -> str | None:
    """A word of the list gives way to one of its synonyms, capitalised as it was."""
    start, end = 0, len(word)
    while start < end and _is_mark(word[start]):
        start += 1
    while end > start and _is_mark(word[end - 1]):
        end -= 1
    core = word[start:end]
    others = [w for w in synonyms.get(core.lower(), ()) if w.lower() != core.lower()]
    if not others:
        return None
    other = str(_one(others, draws[0]))
    if core.isupper() and len(core) > 1:
        other = other.upper()
    elif core[0].isupper():
        other = other[0].upper() + other[1:]
    return word[:start] + other + word[end:]


def _changer(name: str, synonyms: Synonyms) -> Callable[[str, Draws], str | None]:
    """Word and draws -> what becomes of the word; None where it can't be changed."""
    if name == "synonyms":
        return lambda word, draws: _synonym(word, draws, synonyms)
    return {"typos": _typo, "case": _case, "punctuation": _punctuation}[name]


def perturb_text(
    rows: Iterable[str], name: str, severity: int, *, seed: int, synonyms: Synonyms | None = None
) -> list[str]:
    """`rows` under one perturbation; white space stays as it is.

    `synonyms` are needed for the perturbation of that name only.
    """
    change, share = _changer(name, synonyms or {}), SHARES[severity - 1]
    random = generator(seed, name, "text")
    changed = []
    for row in rows:
        parts = re.split(r"(\s+)", str(row))  # words at even places, white space between them
        for place, draws in enumerate(random.random(((len(parts) + 1) // 2, 4))):
            word = parts[2 * place]
            if word and draws[0] < share:
                new = change(word, (draws[1], draws[2], draws[3]))
                parts[2 * place] = word if new is None else new
        changed.append("".join(parts))
    return changed


def changeable(rows: Iterable[str], name: str, synonyms: Synonyms | None = None) -> Iterator[str]:
    """The words of `rows` that the perturbation can change."""
    change = _changer(name, synonyms or {})
    for row in rows:
        for word in str(row).split():
            if change(word, (0.0, 0.0, 0.0)) is not None:
                yield word


def read_synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Word -> synonyms, from lines of a word, a tab, and synonyms with commas between.

    Empty lines and those that begin with # are skipped. Raises InputError naming the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise InputError(
            f"{path}: stress.synonyms: can't be read ({reason})",
            hint="the path is relative to the study file",
        ) from None
    synonyms: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition("\t")
        others = tuple(other.strip() for other in rest.split(",") if other.strip())
        word = word.strip().lower()
        if not word or len(word.split()) > 1 or not others:
            raise InputError(
                f"{path}: line {number}: expected a word, a tab and synonyms with commas between, "
                f"got {line[:60]!r}",
                hint="e.g. good<TAB>fine,decent",
            )
        synonyms[word] = tuple(dict.fromkeys((*synonyms.get(word, ()), *others)))
    if not synonyms:
        raise InputError(f"{path}: stress.synonyms: expected at least one word, got none")
    return synonyms


def check(names: tuple[str, ...], rows: Sequence[str] | Array, synonyms: Synonyms | None) -> None:
    """Each perturbation must find something to change. Raises InputError."""
    for name in (name for name in KINDS["text"] if name in names):
        if next(changeable(rows, name, synonyms), None) is None:
            raise InputError(
                f"stress.perturbations: {name} finds no word that it could change in "
                f"{len(rows)} rows",
                hint="take it out of the list"
                + (", or add words of the text to the file of synonyms" * (name == "synonyms")),
            )
