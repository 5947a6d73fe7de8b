"""The measurements of one trial, gathered from all the rounds it took part in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One good repetition with its latencies (ns, in the order of its blocks)."""

    repetition: Repetition
    latencies: Latencies
    services: Latencies | None = None
    """server: the part of each latency that was service"""

    @cached_property
    def block_medians_ns(self) -> list[float]:
        """One value for each block."""
        import numpy as np

        blocks = [block.queries for block in self.repetition.blocks]
        medians: list[float] = []
        start = 0
        for size, alike in groupby(blocks):  # neighbours of one length at once: most are of one
            count = len(list(alike))
            part = self.latencies[start : start + count * size].reshape(count, size)
            medians += np.median(part, axis=1).tolist()
            start += count * size
        return medians

    def p50_ns(self) -> float:
        """Median of the block medians: one value a fresh process, robust against a bad block."""
        return median(self.block_medians_ns)

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

    def p50_by_round(self) -> dict[RoundKey, float]:
        """Round -> p50 in ns."""
        return {key: taken.p50_ns() for key, taken in self.taken.items()}


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


def at_same_moment(samples: Iterable[Samples]) -> dict[str, dict[RoundKey, float]]:
    """Trial -> round -> what it takes at a typical moment of that round, in ns.

    The moment is the same for all trials of a round, so that the ratio of two of them doesn't hold
    what the machine did meanwhile: what trials are compared by, see `statistics.neighbours`.
    """
    rounds: dict[RoundKey, dict[str, Taken]] = {}
    trials: dict[str, dict[RoundKey, float]] = {}
    for one in samples:
        trials[one.trial] = {}
        for key, taken in one.taken.items():
            rounds.setdefault(key, {})[one.trial] = taken
    for key, side_by_side in rounds.items():
        for trial, ns in of_round(side_by_side).items():
            trials[trial][key] = ns
    return trials


def of_round(takens: Mapping[str, Taken]) -> dict[str, float]:
    """Trial -> what it takes at a typical moment of the one round they were measured in, in ns."""
    if not takens:
        return {}
    import numpy as np

    from profiler.statistics.neighbours import same_moment

    levels = np.exp(same_moment(*_in_order([*takens.values()]))).tolist()
    return dict(zip(takens, levels, strict=True))


def _in_order(takens: Sequence[Taken]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Of all blocks of one round in the order of time: whose it is, and the log of its median."""
    import numpy as np

    parts = [taken.repetition.blocks for taken in takens]
    positions = np.array([block.position for blocks in parts for block in blocks])
    order = np.argsort(positions, kind="stable")
    whose = np.repeat(np.arange(len(parts)), [len(blocks) for blocks in parts])
    medians = np.concatenate([taken.block_medians_ns for taken in takens])
    return whose[order], np.log(medians)[order]


def beside(
    samples: Iterable[Samples], typical: Mapping[str, Mapping[RoundKey, float]], guest: Samples
) -> dict[RoundKey, float]:
    """Round -> what `guest` takes at the moment of the trials in `typical`, in ns.

    `typical` is that of `samples`, see `at_same_moment`: the guest has no part in it.
    """
    import numpy as np

    from profiler.statistics.neighbours import level_beside

    rounds: dict[RoundKey, dict[str, Taken]] = {key: {} for key in guest.taken}
    for one in samples:
        for key in one.taken.keys() & guest.taken.keys():
            rounds[key][one.trial] = one.taken[key]
    levels = {}
    for key, takens in rounds.items():
        effects = np.log([typical[trial][key] for trial in takens])
        logs = level_beside(*_in_order([*takens.values(), guest.taken[key]]), effects)
        if logs == logs:
            levels[key] = float(np.exp(logs))
    return levels


def paired(
    first: Mapping[RoundKey, float], second: Mapping[RoundKey, float]
) -> tuple[list[float], list[float]]:
    """Values of two trials in the rounds they shared."""
    shared = [key for key in first if key in second]
    return [first[key] for key in shared], [second[key] for key in shared]
