"""A chain of two hidden states over places in order: how likely each state is at each place.

Forward and backward passes of a hidden Markov chain (Rabiner 1989, "A tutorial on hidden Markov
models and selected applications in speech recognition"), in stretches of the square root of the
length that go side by side: two hundred thousand places take some ten milliseconds instead of a
second of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

RESCALED_EVERY: Final = 16
"""Places after which products of probabilities are brought back near one: so few of them, of odds
up to ``MOST_ODDS``, never leave the range of doubles."""
MOST_ODDS: Final = 6.0
"""A natural log: no place by itself may say more, so that one wild value does not make a state."""

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """How the hidden state moves from a place to the next."""

    up: float
    """probability of the second state after the first"""
    down: float
    """probability of the first state after the second"""

    @property
    def share(self) -> float:
        """of places in the second state, in the long run"""
        return self.up / (self.up + self.down)

    @property
    def matrix(self) -> Array:
        return np.array([[1.0 - self.up, self.up], [self.down, 1.0 - self.down]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passed:
    """What the two passes found."""

    second: Array
    """probability of the second state at each place, shape (n,)"""
    log_likelihood: float
    """of all places, relative to every place being in the state that suits it better"""
    switching: Switching
    """re-estimated from the passes (Baum and Welch)"""


def pass_both_ways(log_odds: Array, starts: Bools, switching: Switching) -> Passed:
    """The states of all places given all of them.

    ``log_odds``, shape (n,): log density of what was seen in the second state less that in the
    first. ``starts`` marks places which nothing ties to the one before.
    """
    log_odds = np.clip(log_odds, -MOST_ODDS, MOST_ODDS)
    n = log_odds.size
    length = math.ceil(math.sqrt(n))
    stretches = math.ceil(n / length)
    moves = _moves(starts, switching)
    seen = np.exp(-np.maximum(log_odds, 0.0)), np.exp(np.minimum(log_odds, 0.0))
    steps = np.empty((2, 2, length, stretches))
    for one in (0, 1):
        for other in (0, 1):
            flat = np.full(length * stretches, float(one == other))
            flat[:n] = moves[one, other] * seen[other]
            steps[one, other] = flat.reshape(stretches, length).T

    upto, beyond = np.empty_like(steps), np.empty_like(steps)
    product = np.eye(2)[:, :, None] * np.ones(stretches)
    after = product
    log_likelihood = 0.0
    for i in range(length):
        beyond[:, :, -1 - i] = after
        product = _product(product, steps[:, :, i])
        after = _product(steps[:, :, -1 - i], after)
        if i % RESCALED_EVERY == 0 or i == length - 1:
            scale = product.sum((0, 1))
            log_likelihood += float(np.log(scale).sum())
            product /= scale
            after /= after.sum((0, 1))
        upto[:, :, i] = product

    entering, leaving = np.empty((2, stretches)), np.empty((2, stretches))
    state, later = np.array([1.0, 0.0]), np.ones(2)
    for i in range(stretches):
        entering[:, i] = state
        state = state @ product[:, :, i]
        log_likelihood += math.log(state.sum())
        state = state / state.sum()
        leaving[:, -1 - i] = later
        later = after[:, :, -1 - i] @ later
        later = later / later.sum()
    forward = entering[0] * upto[0] + entering[1] * upto[1]
    backward = beyond[:, 0] * leaving[0] + beyond[:, 1] * leaving[1]
    forward, backward = (x.transpose(0, 2, 1).reshape(2, -1)[:, :n] for x in (forward, backward))
    both = forward * backward
    second = both[1] / both.sum(0)

    tied = ~starts[1:]
    forward, backward = forward[:, :-1][:, tied], backward[:, 1:][:, tied]
    pairs = forward[:, None] * backward[None]
    for other in (0, 1):
        pairs[:, other] *= seen[other][1:][tied]
    pairs *= switching.matrix[:, :, None]
    counts = (pairs / pairs.sum((0, 1))).sum(2)
    return Passed(second=second, log_likelihood=log_likelihood, switching=_estimated(counts))


def _product(left: Array, right: Array) -> Array:
    """Of two matrices of shape (2, 2, stretches), each stretch by itself."""
    product = left[:, :1] * right[:1]
    product += left[:, 1:] * right[1:]
    return product


def _moves(starts: Bools, switching: Switching) -> Array:
    """Probabilities of both states at each place, given either at the place before."""
    share = switching.share
    return np.where(starts, np.array([1.0 - share, share])[:, None], switching.matrix[:, :, None])


def _estimated(counts: Array) -> Switching:
    """One move of each kind more than was counted, so that no move is impossible."""
    counts = counts + 1.0
    return Switching(
        up=float(counts[0, 1] / counts[0].sum()), down=float(counts[1, 0] / counts[1].sum())
    )
