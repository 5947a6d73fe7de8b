"""Two speeds of a machine: found by all trials together, and not invented."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from profiler.statistics.chain import Switching, pass_both_ways
from profiler.statistics.speeds import (
    FULL,
    MIXED,
    SLOW,
    Pieces,
    cut,
    find_speeds,
    levels_of,
    same_moment_per_speed,
)

Array = npt.NDArray[np.float64]
LEVELS = np.log([300e3, 280e3, 190e3])
SLOWED = np.array([0.15, 0.25, 0.35])
BLOCKS, PIECES, ROUNDS = 20, 4, 8


def a_round(
    rng: np.random.Generator,
    slow: Array | None = None,
    own: tuple[int, ...] = (),
    lifted: Array | None = None,
    trials: int = 3,
    noise: float = 0.01,
) -> Pieces:
    """``slow`` and ``lifted``: of each piece, what the machine does; ``own``: trials with levels
    of their own, which change from piece to piece as the machine's speed does."""
    order = np.concatenate([rng.permutation(trials) for _ in range(BLOCKS)])
    trial = np.repeat(order, PIECES)
    log = LEVELS[trial] + noise * rng.standard_normal(trial.size)
    log += 0.02 * rng.standard_normal(trials)[trial]  # of each process
    if slow is not None:
        log += SLOWED[trial] * slow[: trial.size]
    if lifted is not None:
        log += lifted[: trial.size]
    for t in own:
        log += np.where(trial == t, 0.25 * switching(rng)[: trial.size], 0.0)
    log += np.where(rng.random(trial.size) < 0.05, rng.exponential(0.3, trial.size), 0.0)
    block = np.repeat(np.arange(order.size), PIECES)
    return Pieces(trial=trial, block=block, log=log, time=np.exp(log))


def switching(rng: np.random.Generator, stays: tuple[float, float] = (20.0, 30.0)) -> Array:
    """1.0 where slow; pieces at each speed on average."""
    lasts = rng.geometric(1.0 / np.tile(stays, 100))
    state = np.repeat(np.tile([0.0, 1.0], 100), lasts)
    return state[rng.integers(50) :]


# --- the chain


def by_steps(odds: Array, starts: npt.NDArray[np.bool_], move: Switching) -> tuple[Array, float]:
    """The textbook's passes, one place after the other."""
    first = np.array([1.0 - move.share, move.share])
    better = np.maximum(odds, 0.0)
    seen = np.exp(np.stack([-better, odds - better], 1))
    forward, backward, scale = np.empty((odds.size, 2)), np.ones((odds.size, 2)), []
    for i in range(odds.size):
        state = (first if starts[i] else forward[i - 1] @ move.matrix) * seen[i]
        scale.append(state.sum())
        forward[i] = state / state.sum()
    for i, j in list(pairwise(range(odds.size)))[::-1]:
        moves = np.tile(first, (2, 1)) if starts[j] else move.matrix
        backward[i] = moves @ (seen[j] * backward[j]) / scale[j]
    both = forward * backward
    return both[:, 1] / both.sum(1), float(np.log(scale).sum())


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50, 77, 400])
def test_the_passes_in_stretches_are_those_step_by_step(size: int) -> None:
    rng = np.random.default_rng(size)
    odds, starts = rng.uniform(-5.0, 5.0, size), rng.random(size) < 0.05
    starts[0] = True
    move = Switching(up=0.05, down=0.1)
    known, likelihood = by_steps(odds, starts, move)
    passed = pass_both_ways(odds, starts, move)
    np.testing.assert_allclose(passed.second, known, atol=1e-12)
    assert passed.log_likelihood == pytest.approx(likelihood)


def test_the_passes_learn_how_often_the_state_changes() -> None:
    rng = np.random.default_rng(5)
    state = switching(rng, (10.0, 40.0))[:3000]
    starts = np.arange(state.size) == 0
    move = Switching(up=0.5, down=0.5)
    for _ in range(5):
        move = pass_both_ways(10.0 * state - 5.0, starts, move).switching
    assert move.up == pytest.approx(0.1, rel=0.3)
    assert move.down == pytest.approx(0.025, rel=0.3)


# --- cutting


def test_blocks_are_cut_into_pieces_of_like_length() -> None:
    blocks = [np.full(40, 500_000), np.array([9e6, 1e6, 2e6]), np.array([30e6]), np.arange(1, 8)]
    pieces = cut([2, 0, 1, 0], blocks)
    # 20 ms make four pieces, three queries one, one query one; what is short stays whole.
    assert pieces.block.tolist() == [0, 0, 0, 0, 1, 2, 3]
    assert pieces.trial.tolist() == [2, 2, 2, 2, 0, 1, 0]
    assert np.exp(pieces.log) == pytest.approx([5e5] * 4 + [2e6, 30e6, 4.0])
    assert pieces.time.tolist() == [5e6] * 4 + [12e6, 30e6, 28.0]


def test_a_switch_within_a_block_is_seen() -> None:
    pieces = cut([0], [np.repeat([1e6, 1.5e6], [12, 12])])
    assert np.exp(pieces.log) == pytest.approx([1e6, 1e6, 1e6, 1.5e6, 1.5e6, 1.5e6])
    even = cut([0], [np.array([1e6, 2e6, 3e6, 4e6])], piece_ns=100_000_000)
    assert np.exp(even.log) == pytest.approx([2.5e6])


# --- finding


def two_speeds(
    seed: int = 1, stays: tuple[float, float] = (20.0, 30.0)
) -> tuple[list[Pieces], list[Array]]:
    rng = np.random.default_rng(seed)
    states = [switching(rng, stays)[: 3 * BLOCKS * PIECES] for _ in range(ROUNDS)]
    return [a_round(rng, slow) for slow in states], states


def test_two_speeds_are_found_with_levels_shares_and_states() -> None:
    rounds, states = two_speeds()
    speeds = find_speeds(rounds)
    assert speeds is not None
    assert speeds.slowed.all()
    np.testing.assert_allclose(speeds.levels, np.stack([LEVELS, LEVELS + SLOWED], 1), atol=0.03)
    found, known = np.concatenate(speeds.pieces), np.concatenate(states)
    assert (found == MIXED).mean() < 0.1
    assert (found == known)[found != MIXED].mean() > 0.99
    time = np.concatenate([pieces.time for pieces in rounds])
    assert speeds.shares[SLOW] == pytest.approx(known @ time / time.sum(), abs=0.02)
    assert sum(speeds.shares) == pytest.approx(1.0)


def test_a_block_is_mixed_unless_all_its_pieces_are_in_one_state() -> None:
    rounds, _ = two_speeds()
    speeds = find_speeds(rounds)
    assert speeds is not None
    for pieces, blocks in zip(speeds.pieces, speeds.blocks, strict=True):
        for number, block in zip(pieces.reshape(-1, PIECES), blocks, strict=True):
            assert block == (number[0] if len(set(number.tolist())) == 1 else MIXED)
    assert {FULL, SLOW, MIXED} == set(np.concatenate(speeds.blocks).tolist())


@pytest.mark.parametrize("stays", [(60.0, 8.0), (8.0, 60.0)])
def test_a_rare_state_is_found(stays: tuple[float, float]) -> None:
    speeds = find_speeds(two_speeds(2, stays)[0])
    assert speeds is not None
    np.testing.assert_allclose(speeds.levels[:, 1] - speeds.levels[:, 0], SLOWED, atol=0.02)


def test_rounds_of_one_state_are_told_by_the_others() -> None:
    rounds, _ = two_speeds(3)
    rng = np.random.default_rng(33)
    rounds[2:4] = [a_round(rng, np.full(1000, state)) for state in (0.0, 1.0)]
    speeds = find_speeds(rounds)
    assert speeds is not None
    for number, state in ((2, FULL), (3, SLOW)):
        known = speeds.pieces[number][speeds.pieces[number] != MIXED]
        assert known.size > 150
        assert (known == state).mean() > 0.99


def test_a_round_is_not_taken_for_one_of_the_other_state() -> None:
    """As its first fit does, with the slow-down for the bias of its processes."""
    rng = np.random.default_rng(1)
    states = [switching(rng, (200.0, 100.0))[: 2 * BLOCKS * PIECES] for _ in range(ROUNDS)]
    rounds = [a_round(rng, slow, trials=2) for slow in states]
    speeds = find_speeds(rounds)
    assert speeds is not None
    found, known = np.concatenate(speeds.pieces), np.concatenate(states)
    assert (found == known)[found != MIXED].mean() > 0.99


def test_levels_of_one_trials_own_do_not_hide_the_machines() -> None:
    rng = np.random.default_rng(4)
    rounds = [a_round(rng, switching(rng), own=(0,)) for _ in range(ROUNDS)]
    speeds = find_speeds(rounds)
    assert speeds is not None
    assert speeds.slowed[1:].all()
    depth = speeds.levels[1:, 1] - speeds.levels[1:, 0]
    np.testing.assert_allclose(depth, SLOWED[1:], atol=0.02)


def steady(rng: np.random.Generator, case: str) -> Pieces:
    size = 3 * BLOCKS * PIECES
    lifted = np.zeros(size)
    if case == "ramp":
        lifted = 0.2 * np.clip((np.arange(size) - 100.0) / 40.0, 0.0, 1.0)
    if case == "bursts":
        heights = np.where(rng.random(size) < 0.55, 0.2, rng.uniform(0.1, 0.6, size))
        lifted = switching(rng)[:size] * np.repeat(heights[: size // 6], 6)
    if case == "overlap":
        lifted = 0.1 * switching(rng)[:size]
    own = {"one": (1,), "all": (0, 1, 2), "both": (0, 1), "alone": (0,)}.get(case, ())
    trials = {"both": 2, "alone": 1}.get(case, 3)
    noise = {"noisy": 0.04, "overlap": 0.03}.get(case, 0.01)
    return a_round(rng, lifted=lifted, own=own, trials=trials, noise=noise)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "case", ["noise", "noisy", "ramp", "bursts", "overlap", "one", "all", "both", "alone"]
)
def test_no_second_speed_is_invented(case: str, seed: int) -> None:
    """Of noise; of a slow change or bursts of any height; of levels that overlap; of levels that
    some trials have for themselves."""
    rng = np.random.default_rng(100 + seed)
    assert find_speeds([steady(rng, case) for _ in range(ROUNDS)]) is None


# --- ratios


def test_ratios_are_recovered_in_each_state() -> None:
    rounds, _ = two_speeds()
    speeds = find_speeds(rounds)
    assert speeds is not None
    takes = same_moment_per_speed(rounds, speeds)
    assert takes.shape == (2, ROUNDS, 3)
    logs = takes[..., 2] - takes[..., 1]
    biases = 0.02 * math.sqrt(2.0 / ROUNDS)
    gap = float(LEVELS[2] - LEVELS[1])
    for state, known in ((FULL, gap), (SLOW, gap + float(SLOWED[2] - SLOWED[1]))):
        assert np.nanmean(logs[state]) == pytest.approx(known, abs=3.0 * biases)
    # The biases of processes are the same in both states.
    extra = np.nanmean(logs[SLOW] - logs[FULL])
    assert extra == pytest.approx(SLOWED[2] - SLOWED[1], abs=0.003)


def test_a_state_hardly_seen_in_a_round_has_no_ratio_there() -> None:
    rounds, _ = two_speeds(3)
    rng = np.random.default_rng(33)
    few = np.zeros(1000)
    few[: PIECES * 2] = 1.0
    rounds[2:4] = [a_round(rng, np.zeros(1000)), a_round(rng, few)]
    speeds = find_speeds(rounds)
    assert speeds is not None
    logs = same_moment_per_speed(rounds, speeds)
    assert np.isnan(logs[SLOW, 2:4]).all()
    assert np.isfinite(logs[FULL]).all()


# --- one trial's levels


def queries(rng: np.random.Generator, slow: float, bias: float = 0.0, n: int = 300) -> Array:
    log = 0.01 * rng.standard_normal(n) + 0.2 * (rng.random(n) < slow) + bias
    return np.asarray(2.0 * np.exp(log))


def test_levels_of_one_trial() -> None:
    rng = np.random.default_rng(6)
    levels = levels_of([queries(rng, 0.6, 0.01 * rng.standard_normal()) for _ in range(6)])
    assert levels is not None
    fast, slow = levels
    assert (fast.latency, slow.latency) == pytest.approx((2.0, 2.0 * math.exp(0.2)), rel=0.02)
    known = 0.4 / (0.4 + 0.6 * math.exp(0.2))
    assert (fast.share, slow.share) == pytest.approx((known, 1.0 - known), abs=0.02)


@pytest.mark.parametrize("seed", range(2))
def test_no_levels_are_invented(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal = [queries(rng, 0.0, 0.01 * rng.standard_normal()) for _ in range(6)]
    coarse = [np.round(5.0 * x) for x in normal]
    differ = [queries(rng, float(i % 2)) for i in range(6)]
    rare = [queries(rng, 0.02) for _ in range(6)]
    few = [queries(rng, 0.5, n=10) for _ in range(6)]
    for case in (normal, coarse, differ, rare, few, [np.ones(200)]):
        assert levels_of(case) is None


def test_a_tail_of_spikes_is_no_level() -> None:
    """In a few hundred queries the spikes' heights bunch by chance."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        spikes = (rng.random((4, 50)) < 0.3) * rng.exponential(0.3, (4, 50))
        assert levels_of(list(np.exp(spikes + 0.01 * rng.standard_normal((4, 50))))) is None
