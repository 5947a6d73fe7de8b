"""What a results folder's rows say, with the files that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiler import raw, reading
from profiler.analysis import samples
from profiler.schema.wire import Repetition
from profiler.store import ROWS, Store


def gather(rounds: Iterable[Mapping[str, Any]], folder: Path) -> dict[str, samples.Samples]:
    """Trial -> its repetitions with their latencies. Raises ResultsError."""
    records = []
    for row in rounds:
        timings = raw.read(folder, row["raw"])
        for number, plain in enumerate(row["repetitions"]):
            key = f"repetitions[{number}]"
            repetition = reading.decoded(Repetition, plain, folder / ROWS, key)
            times = timings.get(repetition.trial)
            latencies = None if times is None else times.latencies
            services = None if times is None else times.services
            records.append((row["group"], repetition, latencies, services))
    return samples.gather(records)


def facts(rounds: Iterable[Mapping[str, Any]], store: Store) -> dict[str, dict[str, Any]]:
    """Target -> what its worker found in the last round. Raises ResultsError."""
    last = {row["target"]: row["facts"] for row in rounds}
    known = {name: store.facts(name) for name in dict.fromkeys(last.values())}
    return {target: known[name] for target, name in last.items()}
