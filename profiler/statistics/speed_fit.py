"""Two levels for each trial and a hidden state of the machine, fitted to the pieces of all rounds.

A chain of two states (``chain``) that all trials share; each trial has its level in each, each
process a bias. What is seen scatters as t with four degrees of freedom, so that spikes count
little. Expectation and maximisation from several starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from profiler.statistics.chain import Array, Bools, Passed, Switching, pass_both_ways

FULL: Final = 0
SLOW: Final = 1

FREEDOM: Final = 4.0
BIAS_SD: Final = 0.03
"""of a process, as a log, expected before anything is seen"""
LEAST_SPREAD: Final = 1e-3
FIT_PIECES: Final = 20_000
"""Whole rounds of so many pieces tell the levels; all pieces then get their states."""
GROUPS: Final = 6
"""of trials, of which each is foretold by the others"""
ABOUT_EVERY: Final = 20.0
"""pieces, a switch, before anything is seen"""

Ints = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """The pieces of all rounds, one after the other."""

    log: Array
    trial: Ints
    cell: Ints
    """index of the process: of round and trial"""
    round: Ints
    starts: Bools
    trials: int

    @property
    def processes(self) -> int:
        return (int(self.round[-1]) + 1) * self.trials


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    levels: Array
    spreads: Array
    """of each trial, the same in both states: one wide state would take what neither explains"""
    bias: Array
    """of each process"""
    switching: Switching
    second: Array
    """probability that each piece is slow"""
    log_likelihood: float = -math.inf


def part_of(seen: Seen) -> Seen:
    """Every so many rounds, whole, so that few enough pieces are left to be looked at often."""
    step = math.ceil(seen.log.size / FIT_PIECES)
    kept = seen.round % step == 0
    number = seen.round[kept] // step
    return Seen(
        log=seen.log[kept],
        trial=seen.trial[kept],
        cell=number * seen.trials + seen.trial[kept],
        round=number,
        starts=seen.starts[kept],
        trials=seen.trials,
    )


def fitted(seen: Seen, heard: Bools) -> Fit:
    """The likeliest chain by the trials ``heard``, from several starts."""
    fits = [stepped(seen, start, heard, 4) for start in _starts(seen, heard)]
    fit = stepped(seen, _likeliest(fits), heard, 20)
    for _ in range(3):
        anew = stepped(seen, _anew(seen, fit), heard, 10)
        if anew.log_likelihood <= fit.log_likelihood:
            break
        fit = anew
    return fit


def _likeliest(fits: list[Fit]) -> Fit:
    return max(fits, key=lambda fit: fit.log_likelihood)


def _anew(seen: Seen, fit: Fit) -> Fit:
    """Where to look again: at the levels that the states found have without any bias, as a round
    of one state may have been taken for one of the other, with the slow-down for a bias."""
    side = _medians(seen.log, 2 * seen.trial + (fit.second > 0.5), 2 * seen.trials)
    bias = np.zeros_like(fit.bias)
    return replace(fit, bias=bias, levels=side.reshape(-1, 2), log_likelihood=-math.inf)


def _starts(seen: Seen, heard: Bools) -> list[Fit]:
    """The upper pieces slow, of all or of those in a round, for three shares of slow ones."""
    fits = []
    for cell in (seen.trial, seen.cell):
        fit = _one_speed(seen, cell)
        free = seen.log - fit.bias[seen.cell]
        centred = free - fit.levels[seen.trial, FULL]
        for share in (0.1, 0.5, 0.9):
            above = centred > np.quantile(centred[heard[seen.trial]], 1.0 - share)
            side = _medians(free, 2 * seen.trial + above, 2 * seen.trials).reshape(-1, 2)
            fits.append(replace(fit, levels=side))
    return fits


def _one_speed(seen: Seen, cell: Ints) -> Fit:
    """Where fitting starts: both states at the median."""
    medians = _medians(seen.log, seen.trial, seen.trials)
    bias = np.zeros(seen.processes)
    if cell is seen.cell:
        bias = _medians(seen.log, cell, bias.size) - np.tile(medians, bias.size // seen.trials)
    off = np.abs(seen.log - medians[seen.trial] - bias[seen.cell])
    spreads = np.maximum(_medians(off, seen.trial, seen.trials), LEAST_SPREAD)
    return Fit(
        levels=np.stack([medians, medians], 1),
        spreads=spreads,
        bias=bias,
        switching=Switching(up=1.0 / ABOUT_EVERY, down=1.0 / ABOUT_EVERY),
        second=np.zeros(seen.log.size),
    )


def _medians(values: Array, group: Ints, groups: int) -> Array:
    """The median of each group, shape (groups,); the largest value for an empty one."""
    ordered = values[np.lexsort((values, group))]
    counts = np.bincount(group, minlength=groups)
    first = np.cumsum(counts) - counts
    last = ordered.size - 1
    low = ordered[np.minimum(first + np.maximum(counts - 1, 0) // 2, last)]
    high = ordered[np.minimum(first + counts // 2, last)]
    medians: Array = np.where(counts > 0, (low + high) / 2.0, values.max())
    return medians


def stepped(seen: Seen, fit: Fit, heard: Bools, most: int) -> Fit:
    """Expectation and maximisation by turns, until the likelihood stands still."""
    for _ in range(most):
        before = fit.log_likelihood
        passed, level = _passed(seen, fit, heard)
        fit = replace(
            fit,
            second=passed.second,
            switching=passed.switching,
            log_likelihood=passed.log_likelihood + level,
        )
        if fit.log_likelihood - before < 1e-4 * seen.log.size:
            break
        fit = _maximised(seen, fit)
    return fit


def _passed(seen: Seen, fit: Fit, heard: Bools) -> tuple[Passed, float]:
    """The states by the trials heard, and what the likelihood adds to the chain's own."""
    first, second = (_density(seen, fit, state)[0] for state in (FULL, SLOW))
    loud = heard[seen.trial]
    odds = np.where(loud, second - first, 0.0)
    passed = pass_both_ways(odds, seen.starts, fit.switching)
    return passed, float(np.maximum(first, second)[loud].sum()) + _prior(fit)


def _prior(fit: Fit) -> float:
    return -0.5 * float(np.square(fit.bias / BIAS_SD).sum())


def _density(seen: Seen, fit: Fit, state: int) -> tuple[Array, Array]:
    """Log density of each piece in a state, and how much it counts there."""
    spread = fit.spreads[seen.trial]
    off = (seen.log - fit.bias[seen.cell] - fit.levels[seen.trial, state]) / spread
    far = 1.0 + np.square(off) / FREEDOM
    return -0.5 * (FREEDOM + 1.0) * np.log(far) - np.log(spread), (1.0 + 1.0 / FREEDOM) / far


def _maximised(seen: Seen, fit: Fit) -> Fit:
    """Levels, biases and spreads by the states' probabilities (weights of the t distribution:
    Lange, Little & Taylor 1989, "Robust statistical modeling using the t distribution")."""
    trial, cell, trials = seen.trial, seen.cell, seen.trials
    chances = (1.0 - fit.second, fit.second)
    robust = [chances[state] * _density(seen, fit, state)[1] for state in (FULL, SLOW)]
    weights = [each / np.square(fit.spreads[trial]) for each in robust]
    pull = sum(weights[s] * (seen.log - fit.levels[trial, s]) for s in (FULL, SLOW))
    total = np.bincount(cell, weights[0] + weights[1], fit.bias.size)
    bias = np.bincount(cell, pull, fit.bias.size) / (total + BIAS_SD**-2)
    bias = (bias.reshape(-1, trials) - np.median(bias.reshape(-1, trials), 0)).ravel()
    free = seen.log - bias[cell]
    levels = np.empty_like(fit.levels)
    for s in (FULL, SLOW):
        sums = np.bincount(trial, weights[s] * free, trials)
        levels[:, s] = sums / np.maximum(np.bincount(trial, weights[s], trials), 1e-9)
    squares = sum(robust[s] * np.square(free - levels[trial, s]) for s in (FULL, SLOW))
    variance = np.bincount(trial, squares, trials) / np.maximum(np.bincount(trial), 1)
    spreads = np.sqrt(np.maximum(variance, LEAST_SPREAD**2))
    fit = replace(fit, levels=levels, spreads=spreads, bias=bias)
    if (levels[:, 1] - levels[:, 0]).mean() >= 0.0:
        return fit
    up, down = fit.switching.up, fit.switching.down
    return replace(
        fit,
        levels=levels[:, ::-1],
        second=1.0 - fit.second,
        switching=Switching(up=down, down=up),
    )


def foretold(seen: Seen, fit: Fit, heard: Bools) -> Array:
    """Slow-down of each trial by the states that trials of other groups tell, shape (trials,)."""
    slopes = np.zeros(seen.trials)
    groups = np.arange(seen.trials) % min(GROUPS, seen.trials)
    free = seen.log - fit.bias[seen.cell]
    for group in range(int(groups.max()) + 1):
        second = _passed(seen, fit, heard & (groups != group))[0].second
        for t in np.flatnonzero(groups == group):
            chance, value = second[seen.trial == t], free[seen.trial == t]
            value = np.clip(value, *(fit.levels[t] + np.array([-4.0, 4.0]) * fit.spreads[t]))
            chance = chance - chance.mean()
            slopes[t] = chance @ value / max(float(chance @ chance), 1e-9)
    return slopes


def gain(seen: Seen, fit: Fit) -> float:
    """What two speeds add to the likelihood beyond the price of their parameters (BIC)."""
    every = np.ones(seen.trials, dtype=bool)
    one = replace(_one_speed(seen, seen.cell), second=np.full(seen.log.size, 0.5))
    for _ in range(10):
        one = _maximised(seen, one)
    passed, better = _passed(seen, fit, every)
    alone = float(_density(seen, one, FULL)[0].sum()) + _prior(one)
    return passed.log_likelihood + better - alone - (seen.trials + 1) * math.log(seen.log.size)
