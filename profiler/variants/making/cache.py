"""A content-addressed memory of requests: key -> hash of the artifact that came out.

A key is the SHA-256 of everything that decides the result; the entry is one small JSON file,
written whole or not at all. An entry whose artifact is gone or changed counts as a miss.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from profiler.sources.keep import keep_model
from profiler.wire.hashes import sha_of
from profiler.wire.whole import write_whole


def rows_sha(rows: dict[str, np.ndarray[Any, Any]] | None) -> str:
    """SHA-256 over names, dtypes, shapes and values, independent of the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(rows or {}):
        value = np.ascontiguousarray((rows or {})[name])
        head = json.dumps([name, value.dtype.str, list(value.shape)])
        digest.update(head.encode() + b"\n")
        digest.update(value.tobytes())
    return digest.hexdigest()


def key_of(parts: dict[str, Any]) -> str:
    """SHA-256 of a request written as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def lookup(cache: Path, key: str) -> Path | None:
    """The cached file for `key`, verified against its own name, or None."""
    try:
        entry = json.loads((cache / f"{key}.json").read_text(encoding="utf-8"))
        found = cache / f"{entry['sha']}.onnx"
        whole = sha_of(found) == entry["sha"]
        whole = whole and all(sha_of(cache / sha) == sha for sha in entry["data"])
        return found if whole else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def remember(cache: Path, key: str, made: Path) -> Path:
    """Copy `made` into the cache and write its entry. Returns the cached file."""
    kept = keep_model(made, cache)
    entry = json.dumps({"sha": kept.path.stem, "data": kept.data})
    write_whole(cache / f"{key}.json", entry.encode(), private=True)
    return kept.path
