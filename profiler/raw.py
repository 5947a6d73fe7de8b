"""Raw latencies of one round as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profiler.errors import ResultsError
from profiler.schema.wire import Block
from profiler.store import write_atomic

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Latencies = npt.NDArray[np.int64]


def write(path: Path, latencies: Mapping[str, tuple[Sequence[Block], Latencies]]) -> None:
    """Columns trial (text), block (its position in the round), latency_ns; one row a query."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, blocks, values = [], [], []
    for number, (trial_blocks, trial_values) in enumerate(latencies.values()):
        counts = [block.queries for block in trial_blocks]
        blocks.append(np.repeat([block.position for block in trial_blocks], counts))
        names.append(np.full(len(trial_values), number, dtype=np.int32))
        values.append(trial_values)
    joined = np.concatenate(names) if names else np.zeros(0, np.int32)
    table = pa.table(
        {
            "trial": pa.DictionaryArray.from_arrays(
                pa.array(joined), pa.array(list(latencies), pa.string())
            ),
            "block": pa.array(np.concatenate(blocks) if blocks else [], pa.int32()),
            "latency_ns": pa.array(np.concatenate(values) if values else [], pa.int64()),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())


def read(path: Path) -> dict[str, Latencies]:
    """Trial -> latencies in ns, in the order of their blocks. Raises ResultsError."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["trial", "latency_ns"])
    except (OSError, pa.ArrowInvalid) as error:
        raise ResultsError(f"{path}: raw latencies can't be read ({error})") from None
    column = table["trial"].combine_chunks()
    codes, names = column.indices.to_numpy(), column.dictionary.to_pylist()
    values = table["latency_ns"].to_numpy().astype(np.int64, copy=False)
    return {name: values[codes == number] for number, name in enumerate(names)}
