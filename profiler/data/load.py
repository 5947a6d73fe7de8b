"""Reading columns of a file or a folder as numpy arrays. Nothing is unpickled."""

from __future__ import annotations

import math
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from profiler.data.bounds import check_file, check_room, check_seen
from profiler.data.images import is_image_folder, load_images
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.statistics.pieces import chunks
from profiler.wire.codec import nearest, show
from profiler.wire.outside import printable

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
    check_seen(path, "data.file")
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
    if reader is not _npy_folder:
        check_file(path, "data.file")
    try:
        with warnings.catch_warnings():  # numpy tells of headers that Python 2 wrote
            warnings.simplefilter("ignore", UserWarning)
            columns = reader(path, spec)
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or _line(error)})") from None
    except MemoryError:
        raise DataError(f"{path}: its columns take more memory than there is") from None
    _check_lengths(path, columns)
    return columns


def _select(path: Path, spec: DataSpec, known: Iterable[str]) -> list[str]:
    """Columns to read. Raises DataError for one that the file does not have."""
    names = list(known)
    wanted = wanted_columns(spec)
    for column, key in wanted.items():
        if column not in names:
            raise DataError(
                f"{path}: {key}: expected a column called {show(column)}, the file has "
                f"{printable(', '.join(names)[:500]) or 'no columns'}",
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
    except Exception:
        # numpy takes whatever is neither zip nor npy for a pickle, which may run code; and a
        # damaged archive makes it, and zipfile, raise whatever the bytes lead to.
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
                assert archive.zip is not None
                _check_member(path, archive.zip, name)
                columns[name] = archive[name]
            except DataError:
                raise
            except Exception as error:  # of numpy, zipfile, zlib or the header's own parser
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


def _check_member(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    """Raise DataError for a header that promises more than its member or the memory holds."""
    member = name if name in archive.namelist() else f"{name}.npy"
    info = archive.getinfo(member)
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            return
        shape, _, dtype = read(file)
    size = math.prod(shape) * dtype.itemsize
    if size > info.file_size and not dtype.hasobject:
        raise ValueError("its header promises more than the member holds")
    check_room(size, f'{path}: column "{name}"')


def _npy_folder(path: Path, spec: DataSpec) -> dict[str, Array]:
    """One .npy file a column. They are mapped: no file is read as a whole."""
    files = {file.stem: file for file in sorted(path.glob("*.npy"))}
    columns = {}
    for name in _select(path, spec, files):
        try:
            check_file(files[name], "data.file")
            columns[name] = np.load(files[name], mmap_mode="r", allow_pickle=False)
        except (DataError, OSError):
            raise
        except Exception as error:  # whatever a damaged header leads to
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
    except (DataError, OSError, MemoryError):
        raise
    except Exception as error:  # of its parser, or a warning that it cut lines
        raise DataError(f"{path}: not a readable CSV file: {_line(error)}") from None
    return _frame(path, frame)


def _parquet(path: Path, spec: DataSpec) -> dict[str, Array]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows, header = file.metadata.num_rows, file.schema_arrow.names
        columns = _select(path, spec, header)
        if rows < 0:
            raise pa.ArrowInvalid("its header promises fewer than no rows")
        check_room(8 * rows * len(columns), str(path))
        frame = pd.read_parquet(path, columns=columns, engine="pyarrow")
        return _frame(path, frame)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # pyarrow raises OSError, TypeError and more for damaged pages
        raise DataError(
            f"{path}: not a readable Parquet file: {_line(error)}",
            hint="write or copy the file again",
        ) from None


def _line(error: BaseException) -> str:
    return printable(next(iter(str(error).splitlines()), type(error).__name__)[:200])


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
            texts = ["" if gone else str(v) for v, gone in zip(values, missing, strict=True)]
            # As an array every row takes the room of the longest, at 4 bytes a character.
            check_room(4 * len(texts) * max(map(len, texts), default=0), f'{path}: "{name}"')
            columns[str(name)] = np.array(texts, dtype=np.str_)
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
    if stacked.dtype.kind != "O":
        return stacked
    # A list of lists arrives as an array of arrays.
    lists = [[np.shape(item) for item in value] for value in values]
    for row, shapes in enumerate(lists):
        if not shapes or () in shapes or len({*shapes, *lists[0]}) > 1:
            raise DataError(
                f'{path}: column "{name}": row {row} holds lists of unequal length, or values that '
                "are no numbers",
                hint="pad or cut them to one length, and leave no value out",
            )
    return _stacked(path, name, np.array([np.stack(list(v)) for v in values]))


def _are_letters(column: Array) -> bool:
    """Whether each 4 bytes are a code point of Unicode: numpy does not ask, Python can't go on."""
    if not column.size or not column.itemsize:
        return True
    rows = np.atleast_1d(column)
    codes = np.dtype(np.uint32).newbyteorder(column.dtype.byteorder)
    return all(
        int(np.ascontiguousarray(rows[piece]).view(codes).max()) <= sys.maxunicode
        for piece in chunks(rows)
    )


def _check_lengths(path: Path, columns: dict[str, Array]) -> None:
    for name, column in columns.items():
        if column.dtype.kind not in "biufSU":
            raise DataError(
                f'{path}: column "{name}": expected numbers or text, got {column.dtype}',
                hint="convert it before saving, or leave it out: [data] inputs names the columns",
            )
        if column.dtype.kind == "U" and not _are_letters(column):
            raise DataError(
                f'{path}: column "{name}": expected text, got letters that there are not',
                hint="the file is damaged: write or copy it again",
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
