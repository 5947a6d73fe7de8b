"""The speeds of a machine: whether it switches between two, when, and each trial's level in each.

Many shared hosts change between two speeds every 10 ms to 2 s, because another guest uses the
core's other thread. A slow moment may slow one trial more than another: then there are two ratios,
and their mixture is a third number which depends on how much of the run was slow.

The state is the machine's: what all trials show, in the order in which they were measured, tells it
together (``speed_fit``). A second speed is said only where other trials' pieces foretell it;
``_told`` has the rules. ``levels_of`` says of one trial whether its queries fall into two levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from profiler.statistics.chain import Array, Bools
from profiler.statistics.neighbours import same_moment
from profiler.statistics.speed_fit import (
    FULL,
    SLOW,
    Fit,
    Ints,
    Seen,
    fitted,
    foretold,
    gain,
    part_of,
    stepped,
)

MIXED: Final = 2
"""Of a piece: its state is not known. Of a block: not all its pieces are in one state."""

PIECE_NS: Final = 5_000_000
PIECE_QUERIES: Final = 3
"""A block is cut into pieces of this length, of so many queries at least: a block of 20 ms often
holds a switch, and the median of three forgives a spike."""

LEAST_SHARE: Final = 0.05
"""of the time, in either state"""
LEAST_DEPTH: Final = 0.04
"""Slow-down, as a log, of two trials at least."""
LEAST_APART: Final = 4.0
"""Distance of the levels in units of the spread around them (Ashman's D). Halves of a normal
distribution are 2.6 apart, of a level that drifts evenly 3.5; hosts with two speeds were 6 to 13
apart."""
LEAST_NEAR: Final = 0.7
"""of the pieces of either state are at its level; of exponentially high bursts about half are"""
LEAST_JUMP: Final = 0.7
"""of the slow-down happens from one piece to the next where the state changes; a drift creeps"""
LEAST_FORETOLD: Final = 0.6
"""of a trial's slow-down is seen in the states that other trials tell"""
LEAST_TOGETHER: Final = 0.08
"""correlation of a piece with the next one of another trial, before more is asked: fitting takes
seconds where a machine has one speed, too. 5 % of the time 4 % slower, for 20 ms at a stretch, in
noise of 1 %, is correlated by 0.2; without a second speed 4,000 pieces are by 0.016 (sd)."""
LEAST_ROUNDS: Final = 2
"""show both states"""
SURE: Final = 0.9
NEAR: Final = 0.35
"""of the slow-down lies between a piece that is in a state and the level there"""
LEAST_SEEN: Final = 4
"""pieces of a trial in one state, for a round to tell what it takes there"""

LEVEL_QUERIES: Final = 100
"""needed to see the levels of one trial"""
DEEPEST: Final = 0.5
"""At most this share of the lower peak is left in the valley between two levels."""
BINS: Final = 1024

States = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """What one round measured, in the order of time; all of shape (pieces,). See ``cut``."""

    trial: Ints
    """index of the trial, the same in all rounds"""
    block: Ints
    """index of the block in the round's order, from 0, never falling"""
    log: Array
    """natural log of the median latency"""
    time: Array
    """sum of the latencies, in any unit"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speeds:
    """A machine's two speeds. Per round: FULL, SLOW or MIXED."""

    pieces: tuple[States, ...]
    blocks: tuple[States, ...]
    shares: tuple[float, float]
    """of the time at full speed and slow; mixed pieces by their probabilities"""
    levels: Array
    """log latency of each trial in each state, shape (trials, 2)"""
    slowed: Bools
    """whether the other trials' states foretell a slow-down of each trial, shape (trials,)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    latency: float
    """median of the level's queries, in the unit of the latencies"""
    share: float
    """of the time"""


def cut(
    trials: Sequence[int], latencies_ns: Sequence[npt.NDArray[Any]], piece_ns: int = PIECE_NS
) -> Pieces:
    """The blocks of one round, in the order of time, cut into pieces of about ``piece_ns``.

    ``trials`` and ``latencies_ns`` have one entry a block: the trial's index and the latencies of
    its queries in their order, without untimed ones, one at least. Pieces of a block have as many
    queries each, up to one.
    """
    counts = np.array([len(latencies) for latencies in latencies_ns])
    flat = np.concatenate(latencies_ns).astype(np.float64)
    first = np.cumsum(counts) - counts
    lasts = np.add.reduceat(flat, first)
    wanted = np.rint(lasts / piece_ns).astype(np.int64)
    cuts = np.clip(wanted, 1, np.maximum(counts // PIECE_QUERIES, 1))
    block = np.repeat(np.arange(counts.size), cuts)
    nth = np.arange(block.size) - (np.cumsum(cuts) - cuts)[block]
    start = first[block] + nth * counts[block] // cuts[block]
    sizes = np.diff(start, append=flat.size)
    ordered = flat[np.lexsort((flat, np.repeat(np.arange(block.size), sizes)))]
    middle = ordered[start + (sizes - 1) // 2] + ordered[start + sizes // 2]
    return Pieces(
        trial=np.asarray(trials)[block],
        block=block,
        log=np.log(middle / 2.0),
        time=np.add.reduceat(flat, start),
    )


def find_speeds(rounds: Sequence[Pieces]) -> Speeds | None:
    """The machine's two speeds, or None: one speed, or two that can't be told from these trials.

    One trial alone can't tell: its levels may be its own. None too where the speed changes faster
    than blocks follow each other, so that no block foretells the next: then one ratio, of the
    mixture, is all that can be said.
    """
    seen = _seen(rounds)
    if _together(seen) < LEAST_TOGETHER:
        return None
    part = part_of(seen)
    heard = np.ones(seen.trials, dtype=bool)
    while heard.sum() >= 2:
        fit = fitted(part, heard)
        depth = fit.levels[:, 1] - fit.levels[:, 0]
        slowed = foretold(part, fit, heard) >= np.maximum(LEAST_FORETOLD * depth, LEAST_DEPTH / 2)
        alone = heard & (depth >= LEAST_DEPTH) & ~slowed
        if not alone.any():
            told = _told(part, fit, slowed & heard)
            return _speeds(rounds, seen, fit, heard, slowed) if told else None
        heard &= ~alone
    return None


def same_moment_per_speed(rounds: Sequence[Pieces], speeds: Speeds) -> Array:
    """What each trial takes at a typical moment of each state and round, as a log.

    Shape (2, rounds, trials). NaN where a trial has fewer than ``LEAST_SEEN`` pieces in the state,
    or no other trial has so many. Neighbours are those of the state (``neighbours.same_moment``).
    """
    trials = len(speeds.levels)
    logs = np.full((2, len(rounds), trials), np.nan)
    for number, (pieces, states) in enumerate(zip(rounds, speeds.pieces, strict=True)):
        for state in (FULL, SLOW):
            counts = np.bincount(pieces.trial[states == state], minlength=trials)
            seen = np.flatnonzero(counts >= LEAST_SEEN)
            if seen.size >= 2:
                kept = (states == state) & np.isin(pieces.trial, seen)
                which = np.searchsorted(seen, pieces.trial[kept])
                logs[state, number, seen] = same_moment(which, pieces.log[kept])
    return logs


def levels_of(latencies_per_round: Sequence[npt.NDArray[Any]]) -> tuple[Level, Level] | None:
    """The two levels of one trial's queries, the faster first, or None.

    One array of positive latencies per round, in any order. The levels are the machine's where
    ``find_speeds`` finds two that slow this trial, else the trial's own. They are the two sides of
    the deepest valley in the density of the log latencies, of which ``LEAST_ROUNDS`` must each
    have seen both: processes that differ, each with one level, make no levels.
    """
    pooled = np.concatenate(latencies_per_round).astype(np.float64)
    if pooled.size < LEVEL_QUERIES:
        return None
    logs = np.log(pooled)
    border = _valley(logs)
    if border is None:
        return None
    above = logs > border
    times = [(float(x[np.log(x) <= border].sum()), float(x.sum())) for x in latencies_per_round]
    shown = sum(LEAST_SHARE <= fast / whole <= 1.0 - LEAST_SHARE for fast, whole in times)
    share = sum(fast for fast, _ in times) / sum(whole for _, whole in times)
    medians = [float(np.median(logs[side])) for side in (~above, above)]
    off = np.abs(logs - np.array(medians)[above.astype(int)])
    spread = math.hypot(*(1.4826 * float(np.median(off[side])) for side in (~above, above)))
    depth = medians[1] - medians[0]
    if shown < LEAST_ROUNDS or not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE:
        return None
    if depth < LEAST_DEPTH or depth * math.sqrt(2.0) < LEAST_APART * spread:
        return None
    return (
        Level(latency=math.exp(medians[0]), share=share),
        Level(latency=math.exp(medians[1]), share=1.0 - share),
    )


def _valley(logs: Array) -> float | None:
    """Where the density is lowest relative to the lower of the peaks beside it, if low enough."""
    low, high = np.quantile(logs, [0.001, 0.999])
    width = float(high - low)
    if width <= 0.0:
        return None
    quarters = np.quantile(logs, [0.25, 0.75])
    spread = min(float(logs.std()), float(quarters[1] - quarters[0]) / 1.349) or width
    # Silverman 1986, "Density estimation for statistics and data analysis", equation 3.31.
    smooth = 0.9 * spread * logs.size**-0.2
    # The ticks of a coarse clock are no levels.
    tick = float(np.median(np.diff(np.unique(logs))))
    bandwidth = max(smooth, tick) / width * BINS
    reach = int(np.ceil(4.0 * bandwidth)) + 1
    counts, edges = np.histogram(logs, BINS, (low, high))
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / max(bandwidth, 1.0)))
    density = np.convolve(counts, kernel)[reach : reach + BINS]
    left = np.maximum.accumulate(density)
    right = np.maximum.accumulate(density[::-1])[::-1]
    lower = np.minimum(left, right)
    # The kernel is one at its middle, so a density counts queries, and its variance is 0.7 of it.
    clear = lower - density > 5.0 * np.sqrt(0.7 * (lower + density))
    depth = np.where(clear, density / np.maximum(lower, 1e-9), 1.0)
    at = int(depth.argmin())
    return float(edges[at] + edges[at + 1]) / 2.0 if depth[at] <= DEEPEST else None


def _seen(rounds: Sequence[Pieces]) -> Seen:
    trial = np.concatenate([pieces.trial for pieces in rounds]).astype(np.int64)
    sizes = [pieces.trial.size for pieces in rounds]
    number = np.repeat(np.arange(len(rounds)), sizes)
    trials = int(trial.max()) + 1
    return Seen(
        log=np.concatenate([pieces.log for pieces in rounds]),
        trial=trial,
        cell=number * trials + trial,
        round=number,
        starts=np.diff(number, prepend=-1) > 0,
        trials=trials,
    )


def _together(seen: Seen) -> float:
    """How pieces go with the next ones of other trials, each seen from its process's middle."""
    order = np.lexsort((seen.log, seen.cell))
    cells, first, counts = np.unique(seen.cell[order], return_index=True, return_counts=True)
    ordered = seen.log[order]
    middle = np.zeros(seen.processes)
    middle[cells] = (ordered[first + (counts - 1) // 2] + ordered[first + counts // 2]) / 2.0
    off = seen.log - middle[seen.cell]
    reach = 3.0 * 1.4826 * float(np.median(np.abs(off)))
    off = np.clip(off, -reach, reach)
    beside = ~seen.starts[1:] & (seen.trial[1:] != seen.trial[:-1])
    if reach == 0.0 or beside.sum() < LEVEL_QUERIES:
        return 0.0
    return float(np.corrcoef(off[:-1][beside], off[1:][beside])[0, 1])


def _told(seen: Seen, fit: Fit, slowed: Bools) -> bool:
    """Whether the second state is a speed of the machine, not noise, drift or one trial's own."""
    depth = fit.levels[:, 1] - fit.levels[:, 0]
    deep = slowed & (depth >= LEAST_DEPTH)
    if deep.sum() < 2 or not LEAST_SHARE <= fit.second.mean() <= 1.0 - LEAST_SHARE:
        return False
    if not _apart(seen, fit, deep) or gain(seen, fit) < 0.0:
        return False
    states = _states(seen, fit)
    both = [np.bincount(seen.round, states == state) > 0 for state in (FULL, SLOW)]
    return bool((both[0] & both[1]).sum() >= LEAST_ROUNDS and _jump(seen, fit, deep) >= LEAST_JUMP)


def _apart(seen: Seen, fit: Fit, deep: Bools) -> bool:
    """Whether the levels stand apart, and most pieces of either state at its level."""
    height, sure = _height(seen, fit), deep[seen.trial]
    off = [np.abs(height - s)[sure & ((fit.second > 0.5) == s)] for s in (FULL, SLOW)]
    spread = math.hypot(*(1.4826 * float(np.median(each)) for each in off))
    near = min(float((each <= NEAR).mean()) for each in off)
    return math.sqrt(2.0) >= LEAST_APART * spread and near >= LEAST_NEAR


def _jump(seen: Seen, fit: Fit, deep: Bools) -> float:
    """The median share of the slow-down that lies between the pieces beside a change."""
    states = _states(seen, fit)
    sure = np.flatnonzero((states != MIXED) & deep[seen.trial])
    height = _height(seen, fit)
    before, after = sure[:-1], sure[1:]
    change = states[before] != states[after]
    change &= (seen.round[before] == seen.round[after]) & (after - before <= 3)
    if not change.any():
        return 0.0
    signs = states[after[change]].astype(float) - states[before[change]]
    return float(np.median((height[after[change]] - height[before[change]]) * signs))


def _states(seen: Seen, fit: Fit) -> States:
    """The state of each piece, MIXED where it is not sure or the piece at neither level."""
    states = np.full(fit.second.size, MIXED, dtype=np.int8)
    states[fit.second <= 1.0 - SURE] = FULL
    states[fit.second >= SURE] = SLOW
    flat = (fit.levels[:, 1] - fit.levels[:, 0])[seen.trial] < LEAST_DEPTH
    near = flat | (np.abs(_height(seen, fit) - states) <= NEAR)
    return np.where(near, states, MIXED).astype(np.int8)


def _height(seen: Seen, fit: Fit) -> Array:
    """Of each piece: 0 at its trial's full speed, 1 at its slow one."""
    depth = (fit.levels[:, 1] - fit.levels[:, 0])[seen.trial]
    height: Array = seen.log - fit.bias[seen.cell] - fit.levels[seen.trial, FULL]
    return height / np.maximum(depth, LEAST_DEPTH)


def _speeds(
    rounds: Sequence[Pieces], seen: Seen, fit: Fit, heard: Bools, slowed: Bools
) -> Speeds | None:
    """The states of all pieces and blocks, where both take enough of the time."""
    if fit.second.size < seen.log.size:
        fit = replace(fit, bias=np.zeros(seen.processes), log_likelihood=-math.inf)
        fit = stepped(seen, fit, heard, 3)
    time = np.concatenate([pieces.time for pieces in rounds])
    share = float(fit.second @ time / time.sum())
    if not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE:
        return None
    ends = np.cumsum([pieces.trial.size for pieces in rounds])[:-1]
    states = tuple(np.split(_states(seen, fit), ends))
    return Speeds(
        pieces=states,
        blocks=tuple(_of_blocks(x.block, s) for x, s in zip(rounds, states, strict=True)),
        shares=(1.0 - share, share),
        levels=fit.levels,
        slowed=slowed & (fit.levels[:, SLOW] - fit.levels[:, FULL] >= LEAST_DEPTH),
    )


def _of_blocks(block: Ints, states: States) -> States:
    """The state all pieces of a block are in, or MIXED."""
    first = np.flatnonzero(np.diff(block, prepend=-1))
    low, high = np.minimum.reduceat(states, first), np.maximum.reduceat(states, first)
    return np.where(low == high, low, MIXED).astype(np.int8)
