"""Strict decoding of plain data (TOML, JSON) into dataclasses, and back.

Decoding has no side effects. An unknown key, a wrong type or an impossible value raises
`DecodeError`, which names the path, what was expected, what was got and the nearest known key.
A field may carry `metadata={"parse": function, "expected": "text"}`: strings are then passed
through the function ("5ms" -> nanoseconds), and `"write"` turns the value into text again.
`metadata={"words": table}` allows a text that is a key of the table when it is read. A
dataclass with a `from_text` classmethod may be written as a string. Python 3.8 source: this file
travels to devices.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Optional, TypeVar, Union

from profiler.errors import InputError
from profiler.wire.outside import printable

T = TypeVar("T")

_GENERIC = {"tuple": typing.Tuple, "dict": typing.Dict}
"""what annotations like `tuple[int, ...]` mean: Python 3.8 can't subscript its own types"""
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_LONGEST_WORD = 200
_LONGEST_KEY = 120


class DecodeError(InputError, ValueError):
    """A value that does not fit. `path` is the dotted key, e.g. 'models[0].onnx'."""

    def __init__(self, path: str, expected: str, got: object, hint: Optional[str] = None) -> None:
        self.path, self.expected, self.got = path, expected, got
        super().__init__(f"{shown_key(path)}: expected {expected}, got {show(got)}", hint=hint)


def shown_key(path: str) -> str:
    """A dotted key as it stands in a message: a file or a device may have named it."""
    text = printable(path[:_LONGEST_KEY] or "the file")
    return text if len(path) <= _LONGEST_KEY else f"{text[: _LONGEST_KEY - 3]}..."


def show(value: object) -> str:
    """A value as a person would type it, shortened, without control characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, int) and abs(value) >= 10**80:
        return "a number of more than 80 digits"
    try:
        text = f'"{printable(value[:80])}"' if isinstance(value, str) else printable(repr(value))
    except (RecursionError, ValueError):  # nested too deep, or holding a number of 5,000 digits
        return "something too large to show"
    return text if len(text) <= 80 else text[:77] + "..."


def nearest(word: str, known: Any) -> Optional[str]:
    """'did you mean "…"?' for a misspelt word, or None."""
    if len(word) > _LONGEST_WORD:  # comparing takes the square of the length
        return None
    close = difflib.get_close_matches(word, list(filter(_is_text, known)), n=1, cutoff=0.6)
    return f"did you mean {show(close[0])}?" if close else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _join(path: str, key: str) -> str:
    return f"{path}{key}" if not path or key.startswith("[") else f"{path}.{key}"


def _inside(key: str, error: DecodeError) -> DecodeError:
    """The same error, seen from the value that holds `key`."""
    path = _join(key, error.path) if error.path else key
    return DecodeError(path, error.expected, error.got, error.hint)


Reader = typing.Callable[[Any], Any]
"""From plain data to the value. Raises DecodeError with the path from this value on."""


def decode(kind: type[T], data: Any, path: str = "") -> T:
    """Decode plain data into the dataclass `kind`. Raises DecodeError."""
    try:
        return typing.cast(T, _reader(typing.cast(Any, kind))(data))
    except DecodeError as error:
        raise _inside(path, error) from None


@functools.lru_cache(maxsize=None)
def _of_class(kind: Any) -> Reader:
    """Type hints are resolved once a class: a results folder holds a million values of a few."""
    from_text = getattr(kind, "from_text", None)
    hints = typing.get_type_hints(kind, localns=_GENERIC)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    readers = {name: _of_field(spec, hints[name]) for name, spec in fields.items()}
    required = [
        name for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]  # fmt: skip

    def read(data: Any) -> Any:
        if isinstance(data, str) and from_text is not None:
            try:
                return from_text(data)
            except DecodeError as error:
                raise DecodeError("", error.expected, data, error.hint) from None
            except ValueError as error:
                raise DecodeError("", str(error), data) from None
        if not isinstance(data, Mapping):
            raise DecodeError("", "a table", data)
        for key in data:
            if key not in fields:
                known = ", ".join(sorted(fields))
                hint = nearest(str(key), fields) or f"known keys: {known}"
                raise DecodeError(str(key), "a known key", key, hint)
        values = {}
        for name in fields:
            if name in data:
                try:
                    values[name] = readers[name](data[name])
                except DecodeError as error:
                    raise _inside(name, error) from None
            elif name in required:
                expected = _described(fields[name], hints[name])
                raise DecodeError(name, f"{expected} (required)", None)
        return kind(**values)

    return read


def _of_field(spec: Any, hint: Any) -> Reader:
    words = spec.metadata.get("words")
    if words is not None:
        return _of_words(words)
    parse, plain = spec.metadata.get("parse"), _reader(hint)
    if parse is None:
        return plain

    def read(value: Any) -> Any:
        if value is None:
            return plain(value)
        if isinstance(value, str):
            try:
                return parse(value)
            except ValueError as error:
                expected = spec.metadata.get("expected", str(error))
                raise DecodeError("", expected, value) from None
        if spec.metadata.get("text_only", False):
            raise DecodeError("", spec.metadata["expected"], value)
        return plain(value)

    return read


def _of_words(words: Mapping[str, Any]) -> Reader:
    def read(value: Any) -> Any:
        if isinstance(value, str) and value in words:
            return value
        close = nearest(value, words) if isinstance(value, str) else None
        raise DecodeError("", _one_of(words), value, close)

    return read


def _one_of(words: Iterable[Any]) -> str:
    return "one of " + ", ".join(map(show, words))


def _described(spec: Any, hint: Any) -> str:
    words = spec.metadata.get("words")
    return _describe(hint) if words is None else _one_of(words)


def _describe(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union:
        return " or ".join(_describe(a) for a in args if a is not type(None))
    if origin is typing.Literal:
        return _one_of(args)
    if origin is tuple:
        return f"a list of {_describe(args[0])}"
    if origin is dict or dataclasses.is_dataclass(hint):
        return "a table"
    return _NAMES.get(hint, str(hint))


@functools.lru_cache(maxsize=None)
def _reader(hint: Any) -> Reader:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value: value
    if origin is Union:
        return _of_union(hint, args)
    if origin is typing.Literal:
        return _of_literal(hint, args)
    if origin is tuple:
        return _of_list(hint, _reader(args[0]))
    if origin is dict:
        return _of_table(_reader(args[1]))
    return (_of_class if dataclasses.is_dataclass(hint) else _of_scalar)(hint)


def _of_literal(hint: Any, args: tuple[Any, ...]) -> Reader:
    kinds = {type(a) for a in args}

    def read(value: Any) -> Any:
        if value in args and type(value) in kinds:
            return value
        close = nearest(value, args) if isinstance(value, str) else None
        raise DecodeError("", _describe(hint), value, close)

    return read


def _of_list(hint: Any, item: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise DecodeError("", _describe(hint), value)
        found = []
        try:
            for one in value:
                found.append(item(one))
        except DecodeError as error:
            raise _inside(f"[{len(found)}]", error) from None
        return tuple(found)

    return read


def _of_table(item: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise DecodeError("", "a table", value)
        found = {}
        for key, one in value.items():
            try:
                found[str(key)] = item(one)
            except DecodeError as error:
                raise _inside(str(key), error) from None
        return found

    return read


def _of_union(hint: Any, args: tuple[Any, ...]) -> Reader:
    options = [_reader(a) for a in args if a is not type(None)]
    optional = len(options) < len(args)

    def read(value: Any) -> Any:
        if value is None and optional:
            return None
        if len(options) == 1:
            return options[0](value)
        for option in options:
            try:
                return option(value)
            except DecodeError:
                continue
        raise DecodeError("", _describe(hint), value)

    return read


def _of_scalar(hint: Any) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is hint and hint is not float:
            return value
        if hint is float and isinstance(value, int) and not isinstance(value, bool):
            try:
                value = float(value)
            except OverflowError:
                raise DecodeError("", "a finite number", value) from None
        if type(value) is not hint:
            raise DecodeError("", _describe(hint), value)
        if not math.isfinite(value):
            raise DecodeError("", "a finite number", value)
        return value

    return read


def _written(spec: Any, value: Any) -> Any:
    write = spec.metadata.get("write")
    return encode(value) if write is None or value is None else write(value)


def encode(value: Any) -> Any:
    """A dataclass (or nested containers of them) as plain JSON-ready data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if f.init]
        return {f.name: _written(f, getattr(value, f.name)) for f in fields}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    return value
