"""Ratios that depend on the speed of the machine, from simulated rounds to verdicts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from profiler.analysis.choice import relative
from profiler.analysis.trials import speeds
from profiler.analysis.trials.samples import Samples, at_same_moment, gather
from profiler.schema.record.plan import Trial
from profiler.statistics.ratio import Comparison
from profiler.wire.messages import Block, Repetition

TAKES = {"base": 278e3, "copy": 278e3, "int8": 179e3}
"""ns at full speed"""
SLOWED = {"base": 1.33, "copy": 1.33, "int8": 1.5}


def trial(name: str, **more: Any) -> Trial:
    values: dict[str, Any] = {
        "id": name, "model": "m", "variant": name, "recipe": "fp32", "target": "t",
        "provider": "p", "threads": 1, "scenario": "single_stream", "batch": 1,
        "baseline": "base",
    }  # fmt: skip
    return Trial(**{**values, **more})


TRIALS = {name: trial(name) for name in TAKES}


def measured(
    slowed: dict[str, float], seed: int = 0, rounds: int = 12, blocks: int = 40
) -> dict[str, Samples]:
    """Rounds of 10 ms blocks in cycles on a machine that is slow two thirds of the time."""
    rng = np.random.default_rng(seed)
    records: list[Any] = []
    for number in range(rounds):
        order = np.concatenate([rng.permutation(list(TAKES)) for _ in range(blocks)])
        slow = (np.cumsum(rng.random(order.size) < 0.08) % 3) > 0
        bias = {name: 1 + 0.002 * rng.standard_normal() for name in TAKES}
        parts: dict[str, list[tuple[int, np.ndarray]]] = {name: [] for name in TAKES}
        for position, (name, now) in enumerate(zip(order.tolist(), slow, strict=True)):
            each = TAKES[name] * bias[name] * (slowed[name] if now else 1.0)
            count = round(1e7 / TAKES[name])
            queries = each * np.exp(0.01 * rng.standard_normal(count))
            parts[name].append((position, queries.astype(np.int64)))
        for name, taken in parts.items():
            made = Repetition(
                trial=name, round=number, status="ok",
                blocks=tuple(
                    Block(position=at, queries=len(part), wall_ns=int(part.sum()), cpu_ns=1)
                    for at, part in taken
                ),
            )  # fmt: skip
            records.append((0, made, np.concatenate([part for _, part in taken]), None))
    return gather(records)


def compared(samples: dict[str, Samples]) -> dict[str, Comparison]:
    found = relative.compare_pairs(
        [("copy", "base"), ("int8", "base")],
        at_same_moment(samples.values()),
        delta=0.01,
        adaptive=False,
        speeds=speeds.of_samples(samples, TRIALS),
    )
    return {a: comparison for (a, _), comparison in found.items()}


@pytest.fixture(scope="module")
def unequal() -> dict[str, Samples]:
    return measured(SLOWED)


def test_a_ratio_is_told_for_each_speed(unequal: dict[str, Samples]) -> None:
    int8 = compared(unequal)["int8"]
    assert int8.slowed is not None
    assert int8.ratio.value == pytest.approx(179 / 278, rel=0.004)
    assert int8.slowed.value == pytest.approx(179 * 1.5 / (278 * 1.33), rel=0.004)
    assert int8.slowed_share == pytest.approx(0.7, abs=0.1)
    assert int8.verdict == "faster"
    assert int8.ratio.half_width is not None
    assert int8.ratio.half_width < 0.004


def test_a_ratio_that_does_not_depend_on_it_stays_one(unequal: dict[str, Samples]) -> None:
    copy = compared(unequal)["copy"]
    assert copy.slowed is None
    assert copy.verdict == "equivalent"


def test_verdicts_of_the_speeds_that_disagree_are_undecided() -> None:
    """Faster at full speed, slower in slow moments: no answer is right."""
    int8 = compared(measured({"base": 1.1, "copy": 1.1, "int8": 1.9}))["int8"]
    assert int8.slowed is not None
    assert int8.ratio.value < 0.66
    assert int8.slowed.value > 1.1
    assert int8.verdict == "undecided"


def test_the_levels_of_each_trial_are_told(unequal: dict[str, Samples]) -> None:
    told = speeds.of_samples(unequal, TRIALS)
    assert told.levels["int8"].full_ns == pytest.approx(179e3, rel=0.01)
    assert told.levels["int8"].slowed_ns == pytest.approx(179e3 * 1.5, rel=0.01)
    assert told.shares == {0: pytest.approx(0.7, abs=0.1)}


@pytest.mark.parametrize(
    "without",
    [
        lambda: (measured(dict.fromkeys(TAKES, 1.0)), TRIALS),
        lambda: (measured(SLOWED), {n: trial(n, scenario="server") for n in TAKES}),
        lambda: (measured(SLOWED), {n: trial(n, concurrency=2) for n in TAKES}),
        lambda: ({"base": measured(SLOWED)["base"]}, TRIALS),
    ],
)
def test_no_speeds_where_none_can_be_told(without: Callable[[], Any]) -> None:
    """A steady machine; latencies that hold a queue; one trial alone, whose own they may be."""
    assert speeds.of_samples(*without()) == speeds.Speeds()


def test_a_trial_alone_has_a_witness_in_the_yardstick() -> None:
    found = measured(SLOWED)
    told = speeds.of_samples({"int8": found["int8"]}, TRIALS, [found["copy"]])
    assert told.levels["int8"].slowed_ns == pytest.approx(179e3 * 1.5, rel=0.01)


def test_a_trial_that_slow_moments_hardly_slow_has_no_levels() -> None:
    """One was told to take 0 % longer when slowed."""
    told = speeds.of_samples(measured({"base": 1.33, "copy": 1.33, "int8": 1.03}), TRIALS)
    assert set(told.levels) == {"base", "copy"}
