"""What trials take at the same moment, from blocks that were measured in turns.

On many hosts the speed changes within tens to hundreds of milliseconds: another guest works on the
core's other thread. Medians over a round then jump between the speeds, and so does their ratio.
Blocks next to each other in time mostly meet the same speed, so their difference does not hold it.
On recorded timings of such a host (50 convolutions, 2.6 or 3.4 ms a query, 20 ms blocks) the log
ratio of two copies of one model scatters from round to round by 5.0 % told from medians and by
0.7 % told from neighbours, from the same raw data; with blocks of one or two queries by 0.5 %.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

REACH: Final = 3
"""Blocks at most so many turns apart are compared, those n turns apart with weight 1 / n."""
_SMOOTH: Final = 1e-4
"""Residuals below 0.01 % count as squares: the absolute value has no slope at zero."""
_ENOUGH: Final = 1e-7
_MOST_STEPS: Final = 100

Logs = npt.NDArray[np.float64]


def same_moment(trials: npt.NDArray[Any], logs: Logs) -> Logs:
    """What each trial takes at a typical moment of the round, the same for all.

    ``trials``: shape (blocks,), in the order in which they were measured, all whole numbers from 0
    up to their greatest;
    ``logs``: shape (blocks,), the logarithm of each block's median. Returns shape (trials,), logs.
    Differences between two of them are log ratios.

    Each log is modelled as its trial's effect plus whatever the machine did at that moment.
    Differences of neighbours cancel the latter; the effects are those with the least sum of
    absolute residuals of these differences, so that a spike, or a speed that changes between two
    blocks, does not count by its size (Laplace's least absolute deviations, solved by iteratively
    reweighted least squares: Schlossmacher 1973, "An iterative technique for absolute deviations
    curve fitting"). Two trials that never ran near each other are joined by those between them.
    A trial alone gets the median of its blocks.
    """
    count = int(trials.max()) + 1
    first, second, weights = _pairs(trials)
    a, b = trials[first], trials[second]
    differences = logs[second] - logs[first]
    effects = _solve(a, b, differences, weights, count)
    for _ in range(_MOST_STEPS):
        residuals = differences - (effects[b] - effects[a])
        reweighted = weights / np.hypot(residuals, _SMOOTH)
        before, effects = effects, _solve(a, b, differences, reweighted, count)
        if np.abs(effects - before).max() < _ENOUGH:
            break
    moment = np.median(logs - effects[trials])
    return np.asarray(effects + moment)


def level_beside(trials: npt.NDArray[Any], logs: Logs, effects: Logs) -> float:
    """What one more job takes at the moment of ``effects``, which it has no part in.

    ``effects``: of the trials, as ``same_moment`` gives them; ``trials`` and ``logs`` as there,
    the job's own blocks among them with the number ``effects.size``. A neighbour's log less its
    trial's effect is what the machine did then; the level is the median of the job's blocks less
    that, weighted as there: the least absolute deviations with all other effects held. NaN where
    no block of the job has a neighbour.
    """
    first, second, weights = _pairs(trials)
    guest = effects.size
    ours = np.where(trials[first] == guest, first, second)
    theirs = first + second - ours
    beside = trials[ours] == guest
    ours, theirs, weights = ours[beside], theirs[beside], weights[beside]
    if not ours.size:
        return math.nan
    differences = logs[ours] - (logs[theirs] - effects[trials[theirs]])
    order = np.argsort(differences)
    passed = np.cumsum(weights[order])
    return float(differences[order][np.searchsorted(passed, passed[-1] / 2)])


def _pairs(trials: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Logs]:
    """Earlier block, later block and weight of all neighbours of different trials."""
    earlier = [np.arange(max(0, trials.size - apart)) for apart in range(1, REACH + 1)]
    first = np.concatenate(earlier)
    apart = np.repeat(np.arange(1, REACH + 1), [part.size for part in earlier])
    differ = trials[first] != trials[first + apart]
    first, apart = first[differ], apart[differ]
    return first, first + apart, 1.0 / apart


def _solve(
    a: npt.NDArray[Any], b: npt.NDArray[Any], differences: Logs, weights: Logs, count: int
) -> Logs:
    """The effects, the first one 0, with the least weighted squares."""
    both = np.bincount(a * count + b, weights, count * count).reshape(count, count)
    both += both.T
    normal = np.diag(both.sum(axis=0)) - both
    pulls = weights * differences
    right = np.bincount(b, pulls, count) - np.bincount(a, pulls, count)
    return np.concatenate([[0.0], np.linalg.solve(normal[1:, 1:], right[1:])])
