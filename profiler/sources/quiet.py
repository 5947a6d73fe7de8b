"""Keeping chatty libraries quiet, with what they said at hand for an error message."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator

from profiler.wire.outside import one_line

_NONE, _WARNINGS = 4, 2
"""ONNX Runtime's severities: nothing below a fatal error, and what it begins with"""


@contextlib.contextmanager
def quiet() -> Iterator[io.StringIO]:
    """Collect prints, log records and warnings of the block instead of showing them.

    ONNX Runtime's own warnings, coloured ones that go past Python, are dropped.

    Handlers are swapped on the root logger and on every logger that has its own (torch's writes
    to the stderr it saw at import), and put back: a quantizer's `logging.warning` and an imported
    module's `basicConfig` would otherwise install a handler for the whole process.
    """
    said = io.StringIO()
    root = logging.getLogger()
    level = root.level
    named = [item for item in root.manager.loggerDict.values() if isinstance(item, logging.Logger)]
    swapped = [(item, list(item.handlers)) for item in (root, *named) if item.handlers]
    if not root.handlers:
        swapped.append((root, []))
    runtime = sys.modules.get("onnxruntime")
    if runtime is not None:
        runtime.set_default_logger_severity(_NONE)
    for item, _ in swapped:
        item.handlers[:] = [logging.StreamHandler(said)]
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield said
    finally:
        if runtime is not None:
            runtime.set_default_logger_severity(_WARNINGS)
        for item, handlers in swapped:
            item.handlers[:] = handlers
        root.setLevel(level)


def cause(error: BaseException, limit: int = 300) -> str:
    """The first telling line of an exception, as one line of at most `limit` characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shortened(
        f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__, limit
    )


def shortened(text: str, limit: int = 300) -> str:
    """At most `limit` characters of a text that came from a file, on one printable line."""
    text = one_line(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
