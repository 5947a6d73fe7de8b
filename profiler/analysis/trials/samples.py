"""The measurements of one trial, gathered from all the rounds it took part in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from profiler.wire.messages import Repetition

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Latencies = npt.NDArray[np.int64]

RoundKey = tuple[int, int]
"""(group, round)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One good repetition with its latencies (ns, in the order of its blocks)."""

    repetition: Repetition
    latencies: Latencies
    services: Latencies | None = None
    """server: the part of each latency that was service"""

    def p50_ns(self) -> float:
        """Median of the block medians: one value a fresh process, robust against a bad block."""
        import numpy as np

        blocks = [block.queries for block in self.repetition.blocks]
        medians: list[float] = []
        start = 0
        for size, alike in groupby(blocks):  # neighbours of one length at once: most are of one
            count = len(list(alike))
            part = self.latencies[start : start + count * size].reshape(count, size)
            medians += np.median(part, axis=1).tolist()
            start += count * size
        return median(medians)

    def rate(self, batch: int) -> float:
        """Samples a second of wall time over all timed blocks."""
        wall_ns = sum(block.wall_ns for block in self.repetition.blocks)
        return batch * len(self.latencies) * 1e9 / wall_ns


@dataclass(slots=True, kw_only=True)
class Samples:
    """All repetitions of one trial."""

    trial: str
    taken: dict[RoundKey, Taken] = field(default_factory=dict)
    failures: list[Repetition] = field(default_factory=list)
    _p50_ns: dict[RoundKey, float] = field(default_factory=dict)

    def p50_by_round(self) -> dict[RoundKey, float]:
        """Round -> p50 in ns. Each is told from its latencies once, however many ask."""
        for key, taken in self.taken.items():
            if key not in self._p50_ns:
                self._p50_ns[key] = taken.p50_ns()
        return self._p50_ns


def gather(
    records: Iterable[tuple[int, Repetition, Latencies | None, Latencies | None]],
) -> dict[str, Samples]:
    """Records are (group, repetition, its latencies or None for a failed one, its services)."""
    found: dict[str, Samples] = {}
    for group, repetition, latencies, services in records:
        samples = found.setdefault(repetition.trial, Samples(trial=repetition.trial))
        if repetition.status == "ok" and latencies is not None:
            samples.taken[(group, repetition.round)] = Taken(
                repetition=repetition, latencies=latencies, services=services
            )
        else:
            samples.failures.append(repetition)
    return found


def paired(
    first: Mapping[RoundKey, float], second: Mapping[RoundKey, float]
) -> tuple[list[float], list[float]]:
    """Values of two trials in the rounds they shared."""
    shared = [key for key in first if key in second]
    return [first[key] for key in shared], [second[key] for key in shared]
