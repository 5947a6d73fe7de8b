"""What results may tell of a study and its targets: other people read them.

What was measured and how, without the way to a device, or where files lie on the user's machine.
Free text (why something failed, what to type) is cleaned in `recorded`, which everything that a
results folder gets as JSON passes.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import urlsplit

from profiler.schema.device.target import Target
from profiler.schema.study.study import Study
from profiler.wire.codec import encode
from profiler.wire.outside import one_line, printable

_FREE = frozenset({"reason", "hint", "detail", "plugin_error"})
"""keys whose values are sentences; `failed` and `made_by` of artifacts.json hold some, too"""
_END = r"\s'\"`<>|;,()\[\]{}"
_PATH = re.compile(rf"(?<![\w.~@/+-])(?:file://)?(~[\w.-]*|/[^/:={_END}]+)(/[^{_END}]*)")
_ROOTS = frozenset({
    "home", "root", "tmp", "var", "opt", "usr", "mnt", "media", "srv", "private", "run", "nix",
    "Users", "Volumes", "Library",
})  # fmt: skip
"""Folders at the top whose inside tells of somebody's machine. Tensors and nodes have names like
paths ("/model/Gemm_output_0"), and /dev and /proc look alike everywhere: those stay."""


def recorded(value: Any, hidden: Mapping[str, str]) -> Any:
    """Plain data with its free text cleaned; see `words`."""
    if isinstance(value, list):
        return [recorded(item, hidden) for item in value]
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, str) and key in _FREE:
            found[key] = words(item, hidden)
        elif key == "failed":
            found[key] = [[*entry[:-1], words(entry[-1], hidden)] for entry in item]
        elif key == "made_by":
            found[key] = {name: words(text, hidden) for name, text in item.items()}
        else:
            found[key] = recorded(item, hidden)
    return found


def words(text: str, hidden: Mapping[str, str]) -> str:
    """A sentence as one printable line, of absolute paths only the last part.

    hidden: what else must not be told -> what stands for it, e.g. a device's address -> its name.
    """
    told = one_line(text)
    for secret, name in sorted(hidden.items(), key=lambda pair: -len(pair[0])):
        told = name.join(re.split(rf"(?<![\w.-]){re.escape(secret)}(?![\w-])", told))

    def shortened(found: re.Match[str]) -> str:
        root, rest = found[1], found[2]
        if not root.startswith("~") and root[1:] not in _roots():
            return found[0]
        path = (root + rest).rstrip(".:")
        return f"{PurePosixPath(path).name}{(root + rest)[len(path) :]}"

    return _PATH.sub(shortened, told)


@cache
def _roots() -> frozenset[str]:
    """Folders at the top in which files of this user, or of this program, may lie."""
    places = [Path(tempfile.gettempdir()), Path(sys.prefix)]
    with contextlib.suppress(OSError, RuntimeError):  # a working folder or a home that is gone
        places += [Path.cwd(), Path.home()]
    return _ROOTS.union(*(place.parts[1:2] for place in places))


def hidden(targets: Iterable[Target], *folders: Path) -> dict[str, str]:
    """Ways to devices -> the names of their targets, and folders of the user -> "."."""
    found = {str(f): "." for f in (folder.resolve() for folder in folders) if f != f.parent}
    for one in targets:
        if one.ssh is not None:
            named = (one.ssh.host, one.ssh.user, one.ssh.proxy_jump)
            ways = [w for w in (f"{named[1]}@{named[0]}", named[0], named[2]) if w is not None]
            found |= dict.fromkeys(ways, one.name)
    return found


def place(text: str) -> str:
    """A path as it is, if it is relative; else its last part, as the rest tells of the machine.

    What would act on a terminal is an escape in it.
    """
    text = printable(text)
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
