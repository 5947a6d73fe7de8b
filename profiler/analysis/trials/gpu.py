"""Columns from what NVML said between the blocks, and the warnings they are reason for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profiler.schema.columns import Row
from profiler.wire.messages import GpuReading, Repetition

SLOWED = ("power cap", "hardware slowdown", "thermal (software)", "thermal (hardware)",
          "power brake")  # fmt: skip
"""Reasons which mean that the card was held back while it worked."""


def summarise(repetitions: Sequence[Repetition]) -> Row:
    """Lowest clock, highest temperature and memory, why it was slowed, and the engine's build.

    Memory and clocks are read after each block; None where nothing was read.
    """
    readings = [b.gpu for r in repetitions for b in r.blocks if b.gpu is not None]
    built = [r.engine_build_ns for r in repetitions if r.engine_build_ns is not None]
    slowed = {why for r in readings for why in r.reasons or () if why in SLOWED}
    return {
        "engine_build_ns": max(built, default=None),
        "gpu_memory_bytes": max(_known(readings, "process_bytes"), default=None),
        "gpu_sm_mhz_low": min(_known(readings, "sm_mhz"), default=None),
        "gpu_celsius_high": max(_known(readings, "celsius"), default=None),
        "gpu_slowed": ", ".join(sorted(slowed)) or None,
    }


def _known(readings: Iterable[GpuReading], name: str) -> list[int]:
    values = (getattr(reading, name) for reading in readings)
    return [value for value in values if value is not None]


def warnings(rows: Iterable[Row]) -> list[str]:
    """One line for each target whose GPU was held back, and one that says what a query holds."""
    lines = []
    members: dict[str, list[Row]] = {}
    for row in rows:
        if row["status"] == "ok" and row["copies"] is not None:
            members.setdefault(row["target"], []).append(row)
    for target, group in members.items():
        slowed = [row for row in group if row["gpu_slowed"]]
        if slowed:
            lines.append(
                f"{target}: the GPU was slowed down in {len(slowed)} of {len(group)} trials"
                f" ({slowed[0]['gpu_slowed']})"
            )
        copies = group[0]["copies"]
        lines.append(f"{target}: copies between host and GPU are {copies} in every latency")
    return lines
