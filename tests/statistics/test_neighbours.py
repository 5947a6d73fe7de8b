"""What trials take at the same moment, from blocks in turns."""

import numpy as np
import pytest

from profiler.statistics.neighbours import level_beside, same_moment

SEEDS = range(20)


def cycles(rng: np.random.Generator, trials: int, blocks: int) -> np.ndarray:
    return np.concatenate([rng.permutation(trials) for _ in range(blocks)])


def two_speeds(rng: np.random.Generator, blocks: int) -> np.ndarray:
    """A machine that is 30 % slower now and then, for some eight blocks at a time."""
    return np.log(1.3) * (np.cumsum(rng.random(blocks) < 1 / 8) % 2)


def test_without_noise_it_is_exact_whatever_the_machine_did() -> None:
    rng = np.random.default_rng(1)
    takes = np.log([2.6, 2.6, 2.652, 9.0])
    trials = cycles(rng, 4, 25)
    found = same_moment(trials, takes[trials] + two_speeds(rng, trials.size))
    np.testing.assert_allclose(found - found[0], takes - takes[0], atol=1e-4)


def test_its_level_is_that_of_a_typical_moment() -> None:
    trials = cycles(np.random.default_rng(2), 2, 50)
    machine = np.where(np.arange(trials.size) < 80, 0.0, 0.3)
    found = same_moment(trials, np.array([5.0, 6.0])[trials] + machine)
    np.testing.assert_allclose(found, [5.0, 6.0], atol=1e-4)


def test_a_machine_with_two_speeds_hides_little() -> None:
    """Ratios of medians scatter several times as much, from the same blocks."""
    neighbours, medians = [], []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        trials = cycles(rng, 3, 25)
        logs = two_speeds(rng, trials.size) + rng.normal(0, 0.01, trials.size)
        found = same_moment(trials, logs)
        neighbours.append(found[1] - found[0])
        medians.append(np.median(logs[trials == 1]) - np.median(logs[trials == 0]))
    assert np.std(neighbours) < 0.006
    assert np.std(medians) > 5 * np.std(neighbours)


def test_spikes_do_not_count_by_their_size() -> None:
    rng = np.random.default_rng(3)
    trials = cycles(rng, 2, 30)
    logs = rng.normal(0, 0.005, trials.size)
    logs[(trials == 1) & (rng.random(trials.size) < 0.15)] += 3.0
    found = same_moment(trials, logs)
    assert abs(found[1] - found[0]) < 0.006


def test_swapping_names_turns_the_sign() -> None:
    rng = np.random.default_rng(4)
    trials = cycles(rng, 2, 30)
    logs = two_speeds(rng, trials.size) + rng.standard_t(2, trials.size) * 0.02
    there, back = same_moment(trials, logs), same_moment(1 - trials, logs)
    assert there[1] - there[0] == pytest.approx(back[0] - back[1], abs=1e-5)


def test_trials_that_never_ran_side_by_side_are_joined_by_those_between() -> None:
    """0 beside 1 while the machine was fast, 1 beside 2 while it was slow."""
    trials = np.array([0, 1] * 10 + [1, 2] * 10)
    machine = np.repeat([0.0, 0.4], 20)
    found = same_moment(trials, np.array([0.0, 1.0, 2.0])[trials] + machine)
    np.testing.assert_allclose(np.diff(found), [1.0, 1.0], atol=1e-4)


def test_alone_it_is_the_median_of_its_blocks() -> None:
    logs = np.array([0.0, 1, 4, 9])
    assert same_moment(np.zeros(4, int), logs) == [2.5]


def with_guest(rng: np.random.Generator, trials: np.ndarray, number: int) -> np.ndarray:
    """A guest's blocks put in at random, eight of them."""
    return np.insert(trials, np.sort(rng.choice(trials.size, 8, replace=False)), number)


def test_a_guest_is_told_at_the_moment_of_the_others() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        takes = np.log([2.6, 9.0, 0.1])
        order = with_guest(rng, cycles(rng, 2, 40), 2)
        logs = takes[order] + two_speeds(rng, order.size)
        logs += rng.normal(0, 0.002, logs.size) + 2.0 * (rng.random(logs.size) < 0.05)
        effects = same_moment(order[order < 2], logs[order < 2])
        level = level_beside(order, logs, effects)
        assert level - effects[0] == pytest.approx(takes[2] - takes[0], abs=0.004)
        assert level == pytest.approx(takes[2] + effects[0] - takes[0], abs=0.004)


def test_a_guest_without_neighbours_has_no_level() -> None:
    assert np.isnan(level_beside(np.array([0, 0]), np.array([1.0, 1.0]), np.array([])))
