"""Raw timings of one round as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profiler.errors import ResultsError
from profiler.store import reading
from profiler.store.files import write_atomic
from profiler.wire.messages import Block
from profiler.wire.outside import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timings:
    """Every query of one repetition, in the order of its blocks; ns."""

    latencies: Times
    services: Times | None = None
    """server: the part of each latency that was service"""


def write(path: Path, timings: Mapping[str, tuple[Sequence[Block], Timings]]) -> None:
    """Columns trial, block (its position in the round), latency_ns, service_ns; a row a query."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = []
    for trial, (blocks, times) in timings.items():
        count = len(times.latencies)
        positions = np.repeat([b.position for b in blocks], [b.queries for b in blocks])
        services = pa.nulls(count, pa.int64()) if times.services is None else times.services
        parts.append(
            pa.table(
                {
                    "trial": pa.array([trial] * count, pa.string()),
                    "block": pa.array(positions, pa.int32()),
                    "latency_ns": pa.array(times.latencies, pa.int64()),
                    "service_ns": pa.array(services, pa.int64()),
                }
            )
        )
    schema = pa.schema(
        [
            ("trial", pa.string()),
            ("block", pa.int32()),
            ("latency_ns", pa.int64()),
            ("service_ns", pa.int64()),
        ]
    )
    table = pa.concat_tables(parts) if parts else schema.empty_table()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", use_dictionary=["trial", "block"])
    write_atomic(path, buffer.getvalue())


def read(folder: Path, name: str) -> dict[str, Timings]:
    """Trial -> its timings, from the file `name` of a results folder. Raises ResultsError."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / name
    try:
        # pq.read_table would import what reads whole folders of files, for each process anew.
        with pq.ParquetFile(reading.regular(folder, name), read_dictionary=["trial"]) as file:
            table = file.read()
    except (OSError, ValueError, pa.ArrowException) as error:
        why = one_line(getattr(error, "strerror", None) or str(error))
        raise ResultsError(
            f"{path}: raw latencies can't be read ({why})", hint=reading.DAMAGED
        ) from None
    _check_columns(table, path)
    column = table["trial"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    codes, names = column.indices.to_numpy(), column.dictionary.to_pylist()
    if not names:  # every trial failed
        return {}
    # Sorted once, whatever the number of trials; the order within a trial stays.
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    latencies = table["latency_ns"].to_numpy().astype(np.int64, copy=False)[order]
    services = table["service_ns"]
    served: Sequence[npt.NDArray[Any] | None] = [None] * len(names)
    if services.null_count < len(services):
        served = np.split(services.to_numpy()[order], ends)
    return {
        name: Timings(latencies=own, services=_whole(services))
        for name, own, services in zip(names, np.split(latencies, ends), served, strict=True)
    }


def _check_columns(table: pa.Table, path: Path) -> None:
    """Raise ResultsError where a column that is read is not there, of another type, or empty."""
    import pyarrow as pa

    for name in ("trial", "latency_ns", "service_ns"):
        if name not in table.column_names:
            hint = "another version of profiler wrote it: measure again with --output NEW_FOLDER"
            raise ResultsError(f"{path}: has no column {name}", hint=hint)
        kind, named = table.schema.field(name).type, name == "trial"
        fits = pa.types.is_dictionary(kind) if named else pa.types.is_integer(kind)
        if not fits or (named and not pa.types.is_string(kind.value_type)):
            expected = "text" if named else "whole numbers"
            text = f"{path}: column {name}: expected {expected}, got {kind}"
            raise ResultsError(text, hint=reading.DAMAGED)
        if name != "service_ns" and table[name].null_count:
            text = f"{path}: column {name}: has rows without a value"
            raise ResultsError(text, hint=reading.DAMAGED)


def _whole(served: npt.NDArray[Any] | None) -> Times | None:
    """Service times of a trial; None where it has none, or not of every query."""
    import numpy as np

    if served is None or not len(served) or np.isnan(served.astype(float)).any():
        return None
    return served.astype(np.int64)
