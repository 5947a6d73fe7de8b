"""What results may tell of a study and its targets: other people read them.

What was measured and how, without the way to a device, or where files lie on the user's machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from profiler.schema.codec import encode
from profiler.schema.study import Study
from profiler.schema.target import Target


def place(text: str) -> str:
    """A path as it is, if it is relative; else its last part, as the rest tells of the machine."""
    if text.startswith("~") or PurePosixPath(text).is_absolute():
        return PurePosixPath(text).name or "/"
    if PureWindowsPath(text).is_absolute():
        return PureWindowsPath(text).name or "/"
    return text


def files(hashes: Mapping[str, str]) -> dict[str, str]:
    """Hashes of files by name; those of one name are numbered."""
    found: dict[str, str] = {}
    for name, sha in hashes.items():
        short, number = place(name), 2
        while short in found:
            short, number = f"{place(name)} ({number})", number + 1
        found[short] = sha
    return found


def study(given: Study) -> dict[str, Any]:
    """A study, encoded."""
    shown: dict[str, Any] = encode(given)
    _shorten(shown["models"], "onnx", "hf")
    variants = [*shown["variants"], *(v for model in shown["models"] for v in model["variants"])]
    _shorten(variants, "file")
    if shown["data"] is not None:
        _shorten([shown["data"]], "file", "train")
        if shown["data"]["text"] is not None:
            _shorten([shown["data"]["text"]], "tokenizer")
    if shown["stress"] is not None:
        _shorten([shown["stress"]], "synonyms")
    return shown


def _shorten(tables: Iterable[dict[str, Any]], *keys: str) -> None:
    for table in tables:
        for key in keys:
            if isinstance(table.get(key), str):
                table[key] = place(table[key])


def target(given: Target) -> dict[str, Any]:
    """A target, encoded."""
    shown: dict[str, Any] = encode(replace(given, ssh=None, wheels=None))
    _shorten([shown], "python")
    for options in (shown["provider_options"], shown["session_options"]):
        _shorten([options], *options)
    if shown["runtime"] is not None and (index := shown["runtime"]["extra_index"]):
        parts = urlsplit(index)  # who may download there is nobody's business
        shown["runtime"]["extra_index"] = parts._replace(
            netloc=parts.netloc.split("@")[-1]
        ).geturl()
    return shown
