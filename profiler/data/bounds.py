"""What may be opened, and how much it may promise: reading ends, and with one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil

from profiler.errors import DataError
from profiler.schema.toml import not_regular
from profiler.units import format_size

Array = np.ndarray[Any, Any]


def check_file(path: Path, key: str) -> None:
    """Raise DataError for a pipe or a device, which may have no end, and for what can't be seen."""
    try:
        other = not_regular(path)
    except OSError as error:
        raise DataError(f"{path}: {key}: can't be read ({error.strerror or error})") from None
    if other is not None:
        raise DataError(
            f"{path}: {key}: expected a file, got {other}", hint="save it as a file first"
        )


def check_seen(path: Path, key: str) -> None:
    """Raise DataError for a path that the system does not even look up: too long, no permission."""
    try:
        path.stat()
    except FileNotFoundError:
        return  # which has a message of its own
    except OSError as error:
        raise DataError(f"{path}: {key}: can't be read ({error.strerror or error})") from None


def check_room(size: int, where: str) -> None:
    """Raise DataError where so many bytes are more than the free memory."""
    free = psutil.virtual_memory().available
    if size > free:
        raise DataError(
            f"{where}: its header promises {format_size(size)}, more than the {format_size(free)} "
            "of memory that are free",
            hint="if the file is not damaged: a folder of .npy files is mapped instead of loaded",
        )


def words(column: Array, where: str) -> Array:
    """A column as text, one value a row. Raises DataError."""
    if column.ndim != 1:
        raise DataError(f"{where}: expected one value per row, got shape {list(column.shape)}")
    try:
        return np.char.decode(column, "utf-8") if column.dtype.kind == "S" else column.astype(str)
    except UnicodeDecodeError:
        raise DataError(
            f"{where}: expected text in UTF-8", hint="save it as text: np.array(values, dtype=str)"
        ) from None
