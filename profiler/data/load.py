"""Reading columns of a file or a folder as numpy arrays. Nothing is unpickled."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from profiler.data.images import is_image_folder, load_images
from profiler.errors import DataError
from profiler.schema.codec import nearest
from profiler.schema.data import DataSpec

Array = np.ndarray[Any, Any]


def wanted_columns(spec: DataSpec) -> dict[str, str]:
    """Column -> study key that names it. Without `inputs` or `text`, every other one is one too."""
    wanted = {}
    for name, columns in spec.inputs.items():
        for column in (columns,) if isinstance(columns, str) else columns:
            wanted[column] = f"data.inputs.{name}"
    if spec.text is not None:
        wanted[spec.text.column] = "data.text.column"
    if spec.labels is not None:
        wanted[spec.labels] = "data.labels"
    if spec.split is not None:
        wanted[spec.split] = "data.split"
    if spec.groups is not None:
        wanted.setdefault(spec.groups, "data.groups")
    if spec.pairs is not None and spec.similarity is not None:
        wanted.setdefault(spec.pairs, "data.pairs")
        wanted.setdefault(spec.similarity, "data.similarity")
    for column in spec.slices:
        wanted.setdefault(column, "data.slices")
    return wanted


def load_columns(spec: DataSpec, folder: Path) -> dict[str, Array]:
    """Columns [rows, ...] that the spec names, or all of them when it names no inputs.

    Raises DataError for a file that is missing, of an unknown format or unreadable, a missing
    column, Python objects instead of numbers, unequal lengths, and no rows.
    """
    path = folder / spec.file
    readers: dict[str, Callable[[Path, DataSpec], dict[str, Array]]] = {
        ".npz": _npz,
        ".csv": _csv,
        ".parquet": _parquet,
    }
    if is_image_folder(path):
        columns = load_images(path, spec, list(wanted_columns(spec)))
        _check_lengths(path, columns)
        return columns
    if spec.images is not None:
        raise DataError(
            f"{path}: data.images: expected a folder of pictures beside it in data.file, got "
            f"{'a folder of .npy files' if path.is_dir() else 'no such folder'}",
            hint="remove [data.images], or name the folder that holds the subfolders",
        )
    reader = _npy_folder if path.is_dir() else readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: data.file: expected a .npz, .csv or .parquet file or a folder, got "
            f'"{path.suffix or path.name}"',
            hint="np.savez(file, images=..., labels=...) writes one",
        )
    if not path.exists():
        raise DataError(
            f"{path}: data.file: expected a data file, got no such file",
            hint="the path is relative to the study file",
        )
    try:
        columns = reader(path, spec)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from None
    _check_lengths(path, columns)
    return columns


def _select(path: Path, spec: DataSpec, known: Iterable[str]) -> list[str]:
    """Columns to read. Raises DataError for one that the file does not have."""
    names = list(known)
    wanted = wanted_columns(spec)
    for column, key in wanted.items():
        if column not in names:
            raise DataError(
                f'{path}: {key}: expected a column called "{column}", the file has '
                f"{', '.join(names) or 'no columns'}",
                hint=nearest(column, names) or "name one of these",
            )
    return list(wanted) if spec.inputs or spec.text is not None else names


def _npz(path: Path, spec: DataSpec) -> dict[str, Array]:
    # Opened here, because np.load leaves its own file open when the content is bad.
    with path.open("rb") as file:
        return _archive(path, file, spec)


def _archive(path: Path, file: BinaryIO, spec: DataSpec) -> dict[str, Array]:
    try:
        archive = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile):
        # numpy takes whatever is neither zip nor npy for a pickle, which may run code.
        raise DataError(
            f"{path}: expected a .npz archive of arrays, got something else (pickles are refused)",
            hint="write it with np.savez(file, images=..., labels=...)",
        ) from None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(
            f"{path}: expected a .npz archive of named arrays, got a single array",
            hint="write it with np.savez(file, images=..., labels=...)",
        )
    columns = {}
    with archive:
        for name in _select(path, spec, archive.files):
            try:
                columns[name] = archive[name]
            except (ValueError, EOFError, zipfile.BadZipFile) as error:
                if "allow_pickle" in str(error):
                    raise DataError(
                        f'{path}: column "{name}": expected an array of numbers or text, got '
                        "pickled Python objects, which are refused because they may run code",
                        hint="save it with a plain dtype: np.array(values, dtype=np.float32)",
                    ) from None
                raise DataError(
                    f'{path}: column "{name}" is cut short or damaged',
                    hint="write or copy the file again",
                ) from None
    return columns


def _npy_folder(path: Path, spec: DataSpec) -> dict[str, Array]:
    """One .npy file a column. They are mapped: no file is read as a whole."""
    files = {file.stem: file for file in sorted(path.glob("*.npy"))}
    columns = {}
    for name in _select(path, spec, files):
        try:
            columns[name] = np.load(files[name], mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            objects = "object" in str(error).lower()
            raise DataError(
                f"{files[name]}: expected an array of numbers or text, got "
                + ("pickled Python objects" if objects else "something else or a part of a file"),
                hint="write it with np.save(file, array), with a plain dtype such as float32",
            ) from None
    return columns


def _csv(path: Path, spec: DataSpec) -> dict[str, Array]:
    import pandas as pd

    try:
        # All columns, though few are used: with `usecols` pandas cuts lines that are too long
        # without a word. index_col=False: nor may the first column become the index.
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, low_memory=False, index_col=False)
        frame = frame[_select(path, spec, frame.columns)]
    except pd.errors.EmptyDataError:
        raise DataError(
            f"{path}: expected a header line and rows, got an empty file",
            hint="the first line names the columns",
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable CSV file: {_line(error)}") from None
    return _frame(path, frame)


def _parquet(path: Path, spec: DataSpec) -> dict[str, Array]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        header = pq.read_schema(path).names
        columns = _select(path, spec, header)
        frame = pd.read_parquet(path, columns=columns, engine="pyarrow")
    except pa.ArrowException as error:
        raise DataError(
            f"{path}: not a readable Parquet file: {_line(error)}",
            hint="write or copy the file again",
        ) from None
    return _frame(path, frame)


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _frame(path: Path, frame: Any) -> dict[str, Array]:
    """A data frame's columns; text becomes unicode arrays, lists of equal length become rows."""
    columns = {}
    for name in frame.columns:
        series = frame[name]
        if series.dtype.kind in "biuf":
            nullable = series.hasnans and series.dtype.kind != "f"
            columns[str(name)] = series.to_numpy(dtype=np.float64 if nullable else None)
            continue
        values = series.to_numpy(dtype=object)
        if len(values) and all(isinstance(v, (list, np.ndarray)) for v in values):
            columns[str(name)] = _stacked(path, str(name), values)
        else:
            missing = series.isna().to_numpy()
            columns[str(name)] = np.array(
                ["" if gone else str(v) for v, gone in zip(values, missing, strict=True)],
                dtype=np.str_,
            )
    return columns


def _stacked(path: Path, name: str, values: Array) -> Array:
    first = np.shape(values[0])
    for row, value in enumerate(values):
        if np.shape(value) != first:
            raise DataError(
                f'{path}: column "{name}": expected lists of equal length, row 0 has {list(first)} '
                f"and row {row} has {list(np.shape(value))}",
                hint="pad or cut them to one length",
            )
    stacked = np.stack([np.asarray(v) for v in values])
    if stacked.dtype.kind == "O":
        # A list of lists arrives as an array of arrays.
        return _stacked(path, name, np.array([np.stack(list(v)) for v in values]))
    return stacked


def _check_lengths(path: Path, columns: dict[str, Array]) -> None:
    for name, column in columns.items():
        if column.dtype.kind not in "biufSU":
            raise DataError(
                f'{path}: column "{name}": expected numbers or text, got {column.dtype}',
                hint="convert it before saving, or leave it out: [data] inputs names the columns",
            )
        if column.ndim == 0:
            raise DataError(
                f'{path}: column "{name}": expected one value per row, got a single value',
                hint='name the columns to use: [data] inputs = { <model input> = "<column>" }',
            )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(
            f"{path}: expected columns of one length, got {listed}",
            hint='name the columns to use: [data] inputs = { <model input> = "<column>" }',
        )
    if not lengths or not next(iter(lengths.values())):
        raise DataError(f"{path}: expected at least one row, got none")
