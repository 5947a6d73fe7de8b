"""The two speeds of a machine that its trials show, and what each trial takes at either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from profiler.analysis.trials.samples import RoundKey, Samples, Taken
from profiler.schema.columns import Row
from profiler.schema.record.plan import Trial
from profiler.units import format_duration
from profiler.wire.scenarios import known

if TYPE_CHECKING:
    from profiler.statistics.speeds import Pieces

Typical = dict[str, dict[RoundKey, float]]
"""Trial -> round -> ns at a typical moment of one speed, the same for all trials of the round"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What one trial takes at either speed of its machine."""

    full_ns: float
    slowed_ns: float
    slowed_share: float
    """of the time that its group was measured"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """Of all groups in which a machine had two speeds; empty where none had."""

    levels: dict[str, Levels] = field(default_factory=dict)
    """trial -> its levels, where the machine's slow moments slow it"""
    shares: dict[int, float] = field(default_factory=dict)
    """group -> share of its time that was slow"""
    full: Typical = field(default_factory=dict)
    slowed: Typical = field(default_factory=dict)

    def columns(self, trial: str) -> Row:
        """What the table says of one trial."""
        levels = self.levels.get(trial)
        if levels is None:
            return {}
        return {
            "full_ns": levels.full_ns,
            "slowed_ns": levels.slowed_ns,
            "slowed_share": levels.slowed_share,
        }


def of_samples(
    samples: Mapping[str, Samples], trials: Mapping[str, Trial], beside: Iterable[Samples] = ()
) -> Speeds:
    """Told group by group, from trials whose queries come one after the other.

    `beside`: yardsticks, of other targets each. Each is one more witness: a trial alone has one.
    """
    groups: dict[int, dict[RoundKey, dict[str, Taken]]] = {}
    told = [one for name, one in samples.items() if name in trials and _tells(trials[name])]
    for one in (*told, *beside):
        for key, taken in one.taken.items():
            groups.setdefault(key[0], {}).setdefault(key, {})[one.trial] = taken
    speeds = Speeds()
    for group, rounds in groups.items():
        _add(speeds, group, rounds)
    return speeds


def in_words(rows: Iterable[Row]) -> str | None:
    """The machine's two speeds as its rows show them, or None where it has one."""
    known_rows = [
        (row["slowed_ns"] / row["full_ns"] - 1, row["slowed_share"])
        for row in rows
        if row["slowed_ns"] and row["full_ns"] and row["slowed_share"]
    ]
    if not known_rows:
        return None
    slower, shares = zip(*known_rows, strict=True)
    return (
        f"two speeds of the machine: slow {_span(shares)} of the time,"
        f" then trials take {_span(slower)} longer"
    )


def own_levels(rows: Iterable[Row], samples: Mapping[str, Samples]) -> list[str]:
    """In words, trials whose queries fall into two levels that no other trial shares.

    A trial alone on a machine with two speeds is among them: whose they are can't be told.
    """
    from profiler.statistics.speeds import levels_of

    told = []
    for row in rows:
        scenario = known(row["scenario"])
        alone = row["slowed_share"] is None and row["trial"] in samples
        if alone and not (scenario.open_loop or scenario.fresh):
            taken = samples[row["trial"]].taken.values()
            levels = levels_of([one.latencies for one in taken])
            if levels is not None:
                text = " and ".join(f"{format_duration(x.latency)} {x.share:.0%}" for x in levels)
                told.append(f"{row['trial']} has two levels: {text} of the time")
    return told


def _span(shares: Sequence[float]) -> str:
    least, most = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return least if least == most else f"{least.removesuffix('%')}–{most}"


def _tells(trial: Trial) -> bool:
    scenario = known(trial.scenario)
    return not (scenario.open_loop or scenario.fresh or trial.concurrency > 1)


def _add(speeds: Speeds, group: int, rounds: Mapping[RoundKey, Mapping[str, Taken]]) -> None:
    """Add what one group's rounds show."""
    import numpy as np

    from profiler.statistics.speed_fit import FULL, SLOW
    from profiler.statistics.speeds import find_speeds, same_moment_per_speed

    names = list(dict.fromkeys(name for takens in rounds.values() for name in takens))
    if len(names) < 2:
        return
    pieces = [_pieces(takens, names) for takens in rounds.values()]
    told = find_speeds(pieces)
    if told is None:
        return
    speeds.shares[group] = told.shares[SLOW]
    for place, name in enumerate(names):
        if told.slowed[place]:
            full, slowed = np.exp(told.levels[place]).tolist()
            speeds.levels[name] = Levels(
                full_ns=full, slowed_ns=slowed, slowed_share=told.shares[SLOW]
            )
    takes = np.exp(same_moment_per_speed(pieces, told))
    for state, typical in ((FULL, speeds.full), (SLOW, speeds.slowed)):
        for place, name in enumerate(names):
            for key, ns in zip(rounds, takes[state, :, place].tolist(), strict=True):
                if ns == ns:
                    typical.setdefault(name, {})[key] = ns


def _pieces(takens: Mapping[str, Taken], names: Iterable[str]) -> Pieces:
    """The blocks of one round in the order of time, cut up."""
    from profiler.statistics.speeds import cut

    index = {name: place for place, name in enumerate(names)}
    blocks = []
    for name, taken in takens.items():
        start = 0
        for block in taken.repetition.blocks:
            end = start + block.queries
            blocks.append((block.position, index[name], taken.latencies[start:end]))
            start = end
    blocks.sort(key=lambda block: block[0])
    return cut([trial for _, trial, _ in blocks], [latencies for *_, latencies in blocks])
