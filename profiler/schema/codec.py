"""Strict decoding of plain data (TOML, JSON) into dataclasses, and back.

Decoding has no side effects. An unknown key, a wrong type or an impossible value raises
`DecodeError`, which names the path, what was expected, what was got and the nearest known key.
A field may carry `metadata={"parse": function, "expected": "text"}`: strings are then passed
through the function ("5ms" -> nanoseconds), and `"write"` turns the value into text again. A
dataclass with a `from_text` classmethod may be written as a string. Python 3.9 source: this file
travels to devices.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Mapping
from typing import Any, Optional, TypeVar, Union

T = TypeVar("T")

_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class DecodeError(ValueError):
    """A value that does not fit. `path` is the dotted key, e.g. 'models[0].onnx'."""

    def __init__(self, path: str, expected: str, got: object, hint: Optional[str] = None) -> None:
        self.path, self.expected, self.got, self.hint = path, expected, got, hint
        super().__init__(f"{path or 'the file'}: expected {expected}, got {show(got)}")


def show(value: object) -> str:
    """A value as a person would type it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def nearest(word: str, known: Any) -> Optional[str]:
    """'did you mean "…"?' for a misspelt word, or None."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else None


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def decode(kind: type[T], data: Any, path: str = "") -> T:
    """Decode plain data into the dataclass `kind`. Raises DecodeError."""
    from_text = getattr(kind, "from_text", None)
    if isinstance(data, str) and from_text is not None:
        try:
            return typing.cast(T, from_text(data))
        except DecodeError as error:
            raise DecodeError(path, error.expected, data, error.hint) from None
        except ValueError as error:
            raise DecodeError(path, str(error), data) from None
    if not isinstance(data, Mapping):
        raise DecodeError(path, "a table", data)
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            known = ", ".join(sorted(fields))
            hint = nearest(str(key), fields) or f"known keys: {known}"
            raise DecodeError(_join(path, str(key)), "a known key", key, hint)
    values = {}
    for name, spec in fields.items():
        if name in data:
            values[name] = _field(spec, hints[name], data[name], _join(path, name))
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise DecodeError(_join(path, name), f"{_describe(hints[name])} (required)", None)
    try:
        return kind(**values)
    except DecodeError as error:
        inner = _join(path, error.path) if error.path else path
        raise DecodeError(inner, error.expected, error.got, error.hint) from None


def _field(spec: Any, hint: Any, value: Any, path: str) -> Any:
    parse = spec.metadata.get("parse")
    if value is None:
        return _value(hint, value, path)
    if parse is not None and isinstance(value, str):
        try:
            return parse(value)
        except ValueError as error:
            expected = spec.metadata.get("expected", str(error))
            raise DecodeError(path, expected, value) from None
    if parse is not None and spec.metadata.get("text_only", False):
        raise DecodeError(path, spec.metadata["expected"], value)
    return _value(hint, value, path)


def _describe(hint: Any) -> str:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union:
        return " or ".join(_describe(a) for a in args if a is not type(None))
    if origin is typing.Literal:
        return "one of " + ", ".join(show(a) for a in args)
    if origin is tuple:
        return f"a list of {_describe(args[0])}"
    if origin is dict or dataclasses.is_dataclass(hint):
        return "a table"
    return _NAMES.get(hint, str(hint))


def _value(hint: Any, value: Any, path: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Union:
        return _union(hint, args, value, path)
    if origin is typing.Literal:
        if value in args and type(value) in {type(a) for a in args}:
            return value
        close = nearest(value, args) if isinstance(value, str) else None
        raise DecodeError(path, _describe(hint), value, close)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise DecodeError(path, _describe(hint), value)
        return tuple(_value(args[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise DecodeError(path, "a table", value)
        return {str(k): _value(args[1], v, _join(path, str(k))) for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), value, path)
    return _scalar(hint, value, path)


def _union(hint: Any, args: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in args:
        return None
    options = [a for a in args if a is not type(None)]
    if len(options) == 1:
        return _value(options[0], value, path)
    for option in options:
        try:
            return _value(option, value, path)
        except DecodeError:
            continue
    raise DecodeError(path, _describe(hint), value)


def _scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise DecodeError(path, _describe(hint), value)
    if hint is float and not math.isfinite(value):
        raise DecodeError(path, "a finite number", value)
    return value


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
