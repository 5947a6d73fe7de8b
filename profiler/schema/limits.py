"""What a value of a study or target file may be: ranges are declared at the fields.

A value far outside of what anybody means is refused where it is written, with key, value and range;
further on it would end as another library's message, as an endless loop, or as a lost target.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from profiler.units import parse_duration, parse_energy, parse_fraction, parse_size
from profiler.wire.codec import DecodeError

Number = Union[int, float]

LONGEST_TEXT = 10_000
MOST_ENTRIES = 10_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

PROSE: dict[str, Any] = {"prose": True}
"""Metadata of a text for people: it may have several lines, or none."""
MAY_BE_EMPTY: dict[str, Any] = {"empty": True}
"""Metadata of texts of which an empty one means something."""


@dataclass(frozen=True)
class Range:
    """From `least` to `most`, both included; `words` is what a message expects."""

    least: Number
    most: Number
    words: str

    def holds(self, value: Number) -> bool:
        return self.least <= value <= self.most


def numbers(least: Number, most: Number, words: str = "a number") -> dict[str, Any]:
    """Metadata of a field whose number, or each of whose numbers, lies in a range."""
    low = f"{least:f}".rstrip("0") if 0 < least < 0.001 else str(least)
    return {"range": Range(least, most, f"{words} from {low} to {most}")}


def _quantity(parse: Callable[[str], Number], what: str, least: str, most: str) -> dict[str, Any]:
    allowed = Range(parse(least), parse(most), f"{what}, from {least} to {most}")

    def parsed(text: str) -> Number:
        value = parse(text)
        if not allowed.holds(value):
            raise ValueError(allowed.words)
        return value

    return {"parse": parsed, "expected": allowed.words, "range": allowed}


def durations(least: str, most: str) -> dict[str, Any]:
    """Metadata of a duration, written as text and kept as nanoseconds."""
    found = _quantity(parse_duration, "a duration such as '5ms'", least, most)
    return {**found, "write": "{}ns".format, "text_only": True}


def sizes(least: str, most: str) -> dict[str, Any]:
    """Metadata of a size, written as text and kept as bytes."""
    found = _quantity(parse_size, "a size such as '512MB'", least, most)
    return {**found, "write": "{}B".format, "text_only": True}


def energies(least: str, most: str) -> dict[str, Any]:
    """Metadata of an energy, written as text and kept as joules."""
    found = _quantity(parse_energy, "an energy such as '5mJ'", least, most)
    return {**found, "write": "{:.9f}J".format, "text_only": True}


def shares(least: str, most: str) -> dict[str, Any]:
    """Metadata of a share, written as text or as a plain number."""
    return _quantity(parse_fraction, "a share such as '1pp', '1%' or 0.01", least, most)


MEMORY = sizes("1MB", "1000000GB")
"""a session alone takes some megabytes: less than one is no limit that anybody means"""
DIMENSION = numbers(1, 2**31 - 1)


def check(spec: Any) -> None:
    """Check every number and text of a dataclass against what its fields declare.

    Dataclasses inside have checked themselves. Raises DecodeError with the path of the value.
    """
    for one in dataclasses.fields(spec):
        if one.init:
            for path, value in _leaves(one.name, getattr(spec, one.name)):
                _check(path, value, one.metadata)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (tuple, Mapping)) and len(value) > MOST_ENTRIES:
        raise DecodeError(path, f"{MOST_ENTRIES} entries at most", len(value))
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield path, key
            yield from _leaves(f"{path}.{key}", item)
    else:
        yield path, value


def _check(path: str, value: Any, metadata: Mapping[str, Any]) -> None:
    if isinstance(value, str):
        control = _CONTROL_BUT_LINES if "prose" in metadata else _CONTROL
        if control.search(value):
            raise DecodeError(path, "text without control characters", value)
        if len(value) > LONGEST_TEXT:
            raise DecodeError(path, f"{LONGEST_TEXT} characters at most", value)
        if not value and "prose" not in metadata and "empty" not in metadata:
            raise DecodeError(path, "text that is not empty", value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        allowed, write = metadata.get("range"), metadata.get("write")
        if allowed is not None and not allowed.holds(value):
            raise DecodeError(path, allowed.words, value if write is None else write(value))
