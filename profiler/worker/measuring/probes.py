"""Queries that a session must not be asked, and what it makes of them.

Each is asked between two ordinary queries of known answer, so that one which spoils the session
is found. Runs inside the runner: a crash ends it, and the supervisor records that.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np

from profiler.worker.backends import Backend

OVERSIZE = 32
OVERSIZE_BYTES = 64 * 2**20
OVERLOAD_THREADS = 16
OVERLOAD_QUERIES = 128
OVERLOAD_NS = 2_000_000_000
SAME = 0.1
"""Relative RMS difference beyond which an answer is another one. Not less: 8-bit variants that
scale by what is in the batch answer a little differently in another one."""

Feed = Dict[str, Any]


def probe(backend: Backend, rows: Feed, batch: int, stack: bool, case: str) -> dict[str, Any]:
    """Fields of `wire.Probed` but the case."""
    _first_victim()
    index = np.arange(batch) % len(next(iter(rows.values()))) if stack else 0
    feed = {name: np.ascontiguousarray(values[index]) for name, values in rows.items()}
    expected = backend.call(feed)
    start = time.perf_counter_ns()
    backend.call(feed)
    plain_ns = time.perf_counter_ns() - start
    if case == "overload":
        return {**_overload(backend, feed, expected, plain_ns), "plain_ns": plain_ns}
    asked = spoilt(feed, case)
    if asked is None:
        return {"outcome": "not applicable", "detail": "no input with such values"}
    start = time.perf_counter_ns()
    try:
        found = backend.call(asked)
    except Exception as error:
        wall_ns = time.perf_counter_ns() - start
        low = str(error).lower()
        memory = isinstance(error, MemoryError) or "allocate memory" in low or "bad_alloc" in low
        outcome = "out of memory" if memory else "error"
        detail: Optional[str] = _told(error)
    else:
        wall_ns = time.perf_counter_ns() - start
        if case == "oversize_batch":
            expected_now = {n: np.concatenate([v] * copies(feed)) for n, v in expected.items()}
            outcome, detail = judge(found, expected_now)
        else:
            outcome, detail = judge(found, None)
    spoils = _after(backend, feed, expected)
    if spoils is not None:
        outcome, detail = "wrong answer", f"the next ordinary query: {spoils}"
    return {"outcome": outcome, "detail": detail, "wall_ns": wall_ns, "plain_ns": plain_ns}


def _first_victim() -> None:
    """If a probe exhausts the memory, the kernel shall end this process and no other."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return


def copies(feed: Feed) -> int:
    """How many ordinary queries an oversize batch holds, at least two."""
    each = max(1, sum(int(value.nbytes) for value in feed.values()))
    return max(2, min(OVERSIZE, OVERSIZE_BYTES // each))


def spoilt(feed: Feed, case: str) -> Optional[Feed]:
    """The query of a case; None where no input can be spoilt so."""
    if case in ("nan", "inf"):
        if not any(value.dtype.kind == "f" for value in feed.values()):
            return None
        bad = float(case)
        return {n: np.full_like(v, bad) if v.dtype.kind == "f" else v for n, v in feed.items()}
    if case == "extremes":
        return {name: _extreme(value) for name, value in feed.items()}
    if case == "empty_batch":
        return {name: value[:0] for name, value in feed.items()}
    if case == "wrong_shape":
        return {name: _longer(value) for name, value in feed.items()}
    if case == "wrong_dtype":
        return {n: v.astype("float64" if v.dtype == np.float32 else "float32")
                for n, v in feed.items()}  # fmt: skip
    if case == "oversize_batch":
        if any(value.ndim == 0 for value in feed.values()):
            return None
        return {name: np.concatenate([value] * copies(feed)) for name, value in feed.items()}
    raise ValueError(f"unknown probe {case!r}")


def _extreme(value: Any) -> Any:
    """The largest and the smallest number of the dtype, in turns."""
    if value.dtype.kind not in "fiu":
        return value
    limits: Any = np.finfo(value.dtype) if value.dtype.kind == "f" else np.iinfo(value.dtype)
    flat = np.full(value.size, limits.max, value.dtype)
    flat[1::2] = limits.min
    return flat.reshape(value.shape)


def _longer(value: Any) -> Any:
    """One more along the last axis; one axis more where there is only the batch."""
    if value.ndim < 2:
        return np.stack([value, value], axis=-1)
    return np.concatenate([value, value[..., -1:]], axis=-1)


def judge(found: Feed, expected: Optional[Feed]) -> tuple[str, Optional[str]]:
    """(outcome, detail) of an answer that came back; `expected` where it is known."""
    for name, output in found.items():
        value = np.asarray(output)
        if value.dtype.kind == "f" and value.size:
            bad = 1 - float(np.mean(np.isfinite(value)))
            if bad:
                return "NaN out", f"output {name!r}: {bad * 100:.3g} % of the values not finite"
    if expected is not None:
        off = _off(found, expected)
        if off is not None:
            return "wrong answer", off
    if all(np.asarray(value).size == 0 for value in found.values()):
        return "answer", "empty"
    return "answer", "finite values"


def _off(found: Feed, expected: Feed) -> Optional[str]:
    """How an answer differs from the one that is right; None when it does not."""
    for name, right in expected.items():
        value = np.asarray(found[name])
        if value.shape != right.shape:
            return f"output {name!r}: shape {value.shape}, expected {right.shape}"
        if value.dtype.kind not in "fiub" or not value.size:
            continue
        wide = right.astype(np.float64)
        error = float(np.sqrt(np.mean((value.astype(np.float64) - wide) ** 2)))
        scale = float(np.sqrt(np.mean(wide**2)))
        if not error <= SAME * scale + 1e-12:
            return f"output {name!r}: off by {error / max(scale, 1e-300) * 100:.3g} % (RMS)"
    return None


def _after(backend: Backend, feed: Feed, expected: Feed) -> Optional[str]:
    try:
        return _off(backend.call(feed), expected)
    except Exception as error:
        return _told(error)


def _told(error: Exception) -> str:
    """An exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _overload(backend: Backend, feed: Feed, expected: Feed, plain_ns: int) -> dict[str, Any]:
    """Many queries at once through one session; the slowest counts."""
    threads = max(OVERLOAD_THREADS, 2 * (os.cpu_count() or 1))
    queries = max(threads, min(OVERLOAD_QUERIES, OVERLOAD_NS // max(1, plain_ns)))

    def ask(_: int) -> tuple[int, Optional[str], Optional[str]]:
        start = time.perf_counter_ns()
        try:
            found = backend.call(feed)
        except Exception as error:
            return time.perf_counter_ns() - start, _told(error), None
        return time.perf_counter_ns() - start, None, _off(found, expected)

    with ThreadPoolExecutor(threads) as pool:
        asked = list(pool.map(ask, range(queries)))
    errors = [error for _, error, _ in asked if error]
    wrong = [off for _, _, off in asked if off]
    text = f"{queries} queries from {threads} threads"
    outcome, detail = "answer", f"{text}, all right"
    if wrong:
        outcome, detail = "wrong answer", f"{text}, {len(wrong)} wrong: {wrong[0]}"
    elif errors:
        outcome, detail = "error", f"{text}, {len(errors)} refused: {errors[0]}"
    return {"outcome": outcome, "detail": detail, "wall_ns": max(ns for ns, _, _ in asked)}
