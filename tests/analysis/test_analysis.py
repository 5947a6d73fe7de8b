import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from profiler.analysis.choice import relative, slo
from profiler.analysis.choice.choose import choose
from profiler.analysis.choice.frontier import mark_frontier, usable_objectives
from profiler.analysis.choice.names import find_trial
from profiler.analysis.trials import summary
from profiler.analysis.trials.converge import Convergence
from profiler.analysis.trials.samples import Samples, at_same_moment, gather
from profiler.errors import InputError
from profiler.schema.columns import Row, row_of
from profiler.schema.record.plan import Group, Trial
from profiler.schema.study.measure import Slo
from profiler.wire.messages import Block, Memory, Repetition


def trial(name: str, baseline: str = "base", **more: Any) -> Trial:
    values: dict[str, Any] = {
        "id": name, "model": "m", "variant": name, "recipe": "fp32", "target": "t",
        "provider": "p", "threads": 1,
        "scenario": "single_stream", "batch": 1, "baseline": baseline,
    }  # fmt: skip
    return Trial(**{**values, **more})


def repetition(name: str, number: int, latencies: list[list[int]], **more: Any) -> Any:
    blocks = tuple(
        Block(position=i, queries=len(part), wall_ns=sum(part) + len(part) * 100, cpu_ns=1)
        for i, part in enumerate(latencies)
    )
    made = Repetition(
        trial=name, round=number, status="ok", blocks=blocks, load_ns=5, first_query_ns=6,
        warmup_ns=7, memory=Memory(peak_bytes=1000 + number), providers=("p",), **more,
    )  # fmt: skip
    return 0, made, np.array([v for part in latencies for v in part], dtype=np.int64), None


def typical(samples: Mapping[str, Samples]) -> dict[str, Any]:
    return at_same_moment(samples.values())


def test_p50_of_a_round_is_the_median_of_block_medians() -> None:
    """One bad block of many queries can't move it."""
    found = gather([repetition("a", 0, [[10, 11, 12], [10, 12, 13], [900] * 50])])
    assert found["a"].p50_by_round() == {(0, 0): 12.0}


def test_a_median_is_told_from_its_latencies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pairs a trial is in: a million medians made a table of 60 trials take minutes"""
    read = []
    plain = np.median
    monkeypatch.setattr(np, "median", lambda *a, **k: read.append(a) or plain(*a, **k))
    found = gather([repetition("a", n, [[10, 11, 12]]) for n in range(5)])["a"]
    for _ in range(3):
        assert len(found.p50_by_round()) == 5
    assert len(read) == 5


def test_throughput_is_samples_over_wall_time() -> None:
    found = gather([repetition("a", 0, [[900] * 10])])
    (taken,) = found["a"].taken.values()
    assert taken.rate(batch=4) == pytest.approx(4 * 10 / (10 * 1000e-9))


def test_four_rounds_give_an_interval_and_three_do_not() -> None:
    records = [repetition("a", n, [[100 + n, 101, 102]] * 30) for n in range(4)]
    enough = summary.summarise(trial("a"), gather(records)["a"], adaptive=False)
    short = summary.summarise(trial("a"), gather(records[:3])["a"], adaptive=False)
    assert enough["p50_low_ns"] < enough["p50_ns"] < enough["p50_high_ns"]
    assert short["p50_low_ns"] is None
    assert short["p50_ns"] is not None
    assert enough["memory_peak_bytes"] == 1001.5
    assert enough["p99_note"], "270 queries do not bound a p99"


def test_failures_are_told_and_never_numbers() -> None:
    failed = Repetition(trial="a", round=0, status="failed", reason="timeout", detail="4 s")
    row = summary.summarise(trial("a"), gather([(0, failed, None, None)])["a"], adaptive=False)
    assert row == {"status": "failed", "reason": "timeout: 4 s"}
    some = gather([(0, failed, None, None), repetition("a", 1, [[5, 6]])])["a"]
    assert (
        "1 of 2 repetitions failed" in summary.summarise(trial("a"), some, adaptive=False)["reason"]
    )


def paired_records(factor: float, rounds: int = 6, noise: float = 0.001) -> list[Any]:
    """Machine drift is shared by both; only the factor differs."""
    generator = np.random.default_rng(4)
    records = []
    for n in range(rounds):
        drift = 1e6 * math.exp(generator.normal(0, 0.2))
        for name, share in (("base", 1.0), ("a", factor * math.exp(generator.normal(0, noise)))):
            records.append(repetition(name, n, [[int(drift * share)] * 5] * 3))
    return records


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.9, "faster"), (1.1, "slower"), (1.0, "equivalent")]
)
def test_drift_that_both_share_does_not_blur_the_verdict(factor: float, verdict: str) -> None:
    samples = gather(paired_records(factor))
    trials = [trial("base"), trial("a")]
    found = relative.against_baseline(trials, typical(samples), delta=0.01, adaptive=False)
    assert found["a"]["verdict"] == verdict
    assert found["a"]["ratio"] == pytest.approx(factor, rel=0.005)
    assert "base" not in found


def test_only_shared_rounds_count() -> None:
    records = [r for r in paired_records(0.9) if not (r[1].trial == "a" and r[1].round > 2)]
    assert (
        relative.compare_pairs(
            [("a", "base")], typical(gather(records)), delta=0.01, adaptive=False
        )
        == {}
    )


def test_convergence_waits_for_rounds_and_for_the_widest() -> None:
    group = Group(index=0, target="t", trials=(trial("base"), trial("a")), reference="base")
    loose, strict = Convergence(group, 0.5), Convergence(group, 1e-9)
    rounds: dict[int, list[Any]] = {}
    for _, made, latencies, _ in paired_records(0.9, rounds=8):
        rounds.setdefault(made.round, []).append((made, latencies))
    for number, measured in rounds.items():
        loose.add(measured)
        strict.add(measured)
        if number == 2:
            assert not loose.reached(["base", "a"]), "three rounds give no interval"
    assert loose.reached(["base", "a"])
    assert not strict.reached(["base", "a"])
    assert not loose.reached(["base", "never measured"])


def row(name: str, p50: float | None, accuracy: float | None, **more: Any) -> Row:
    values: dict[str, Any] = {
        "trial": name, "status": "ok", "reason": None, "threads": 1, "p50_ns": p50,
        "accuracy": accuracy, "p99_ns": p50, "p99_low_ns": p50 and p50 * 0.9,
        "p99_high_ns": p50 and p50 * 1.1,
    }  # fmt: skip
    return row_of(values, more)


def test_frontier_keeps_the_non_dominated_and_names_the_dominator() -> None:
    rows = [
        row("fast", 1, 0.9), row("good", 3, 0.97), row("both-worse", 4, 0.95),
        row("failed", 0.1, 1.0, status="failed"), row("unknown", 0.1, None),
    ]  # fmt: skip
    marks = mark_frontier(rows, ("p50", "accuracy"))
    assert [name for name, mark in marks.items() if mark["frontier"]] == ["fast", "good"]
    assert marks["both-worse"]["dominated_by"] == "good"
    assert usable_objectives([row("a", 1, None)], ("p50", "accuracy")) == ("p50",)


def test_equal_points_do_not_dominate_each_other() -> None:
    marks = mark_frontier([row("a", 1, 0.9), row("b", 1, 0.9)], ("p50", "accuracy"))
    assert marks["a"]["frontier"]
    assert marks["b"]["frontier"]


@pytest.mark.parametrize(
    ("limit", "outcome"), [(1_200, "met"), (1_000, "undecided"), (800, "missed")]
)
def test_a_limit_is_judged_by_the_whole_interval(limit: int, outcome: str) -> None:
    (check,) = slo.check(row("a", 1000, 0.9), Slo(p99=limit))
    assert check.outcome == outcome


def test_a_limit_on_what_was_not_measured_or_has_no_interval_is_undecided() -> None:
    (check,) = slo.check(row("a", None, 0.9), Slo(p99=5))
    assert check.outcome == "undecided"
    (check,) = slo.check(row("a", 1000, 0.9, p99_low_ns=None), Slo(p99=10**9))
    assert (check.outcome, "no interval" in check.reason) == ("undecided", True)


def always(_best: str, rivals: Sequence[str]) -> Sequence[str]:
    return rivals


def never(_best: str, _rivals: Sequence[str]) -> Sequence[str]:
    return ()


def test_the_best_that_keeps_the_limits_is_chosen_and_the_rest_explained() -> None:
    rows = [
        row("quick", 500, 0.9), row("slow", 900, 0.99), row("late", 5000, 0.99),
        row("broken", 1, 1.0, status="failed", reason="crashed"),
    ]  # fmt: skip
    choice = choose(rows, Slo(p99=1_000), "p50", separated=always)
    assert choice.trial == "quick"
    why = dict(choice.rejected)
    assert "breaks the limit" in why["late"]
    assert "crashed" in why["broken"]
    assert "p50" in why["slow"]


def test_a_tie_goes_to_the_one_that_takes_less() -> None:
    rows = [row("two", 500, 0.9, threads=2), row("one", 510, 0.9, threads=1)]
    tied = choose(rows, Slo(), "p50", separated=never)
    assert (tied.trial, tied.ties) == ("one", ("two",))
    assert "nothing separates it from two" in tied.reason
    assert choose(rows, Slo(), "p50", separated=always).trial == "two"


def test_a_wide_interval_neither_wins_nor_ties() -> None:
    """Nothing separates anything from a trial that is not known; that is no reason to take it."""
    rows = [
        row("vague", 400, 0.9, p50_low_ns=100, p50_high_ns=900),
        row("sure", 480, 0.9, p50_low_ns=475, p50_high_ns=485),
        row("slow", 990, 0.9, p50_low_ns=985, p50_high_ns=995, threads=1, file_bytes=1),
    ]
    choice = choose(rows, Slo(), "p50", separated=never)
    assert choice.trial in ("sure", "vague"), "a slow one is no tie"
    assert choice.trial != "slow"
    alone = choose(rows, Slo(), "p50", separated=always)
    assert alone.trial == "sure"


def test_trials_can_be_named_by_the_parts_that_tell_them_apart() -> None:
    trials = ["m/a@cpu/single_stream/b1/t1", "m/a@cpu/single_stream/b1/t2", "n/a@cpu/x/b1/t1"]
    assert find_trial("m/a/t2", trials) == trials[1]
    assert find_trial("n/a", trials) == trials[2]
    for wrong in ("m/a", "m/b", "m/a/t3"):
        with pytest.raises(InputError):
            find_trial(wrong, trials)


def test_nothing_keeps_the_limits() -> None:
    choice = choose([row("a", 1000, 0.9)], Slo(p99=1_000), "p50", separated=always)
    assert choice.trial is None
    assert "can't be decided yet" in choice.reason
    assert choice.undecided[0][0] == "a"


def test_separation_needs_a_verdict() -> None:
    trials = {name: trial(name) for name in ("base", "a")}
    other = {**trials, "a": trial("a", target="elsewhere")}
    for factor, expected in ((0.9, True), (1.0, False)):
        p50 = typical(gather(paired_records(factor)))
        apart = relative.separated(trials, p50, delta=0.01, adaptive=False)
        assert (apart("a", ["base"]), apart("base", ["a"])) == (
            ({"base"}, {"a"}) if expected else (set(), set())
        )
        assert relative.separated(other, p50, delta=0.01, adaptive=False)("a", ["base"])
    none = relative.separated(trials, {}, delta=0.01, adaptive=False)
    assert not none("a", ["base"])


def test_the_best_of_many_owes_its_verdict_to_all_pairs_of_them() -> None:
    """Only pairs with the best are compared, and 45 pairs are corrected for, not 9."""
    rng = np.random.default_rng(0)
    names = [f"t{n}" for n in range(10)]
    p50 = {
        name: {(0, n): float(v) for n, v in enumerate(1e6 * np.exp(rng.normal(0, 0.01, 8)))}
        for name in names
    }
    apart = relative.separated({n: trial(n) for n in names}, p50, delta=0.01, adaptive=False)
    pairs = [("t0", name) for name in names[1:]]
    few = relative.compare_pairs(pairs, p50, delta=0.01, adaptive=False)
    all_pairs = relative.compare_pairs(pairs, p50, delta=0.01, adaptive=False, unread=36)
    assert all(all_pairs[p].p_difference >= few[p].p_difference for p in pairs)
    assert all(all_pairs[p].ratio == few[p].ratio for p in pairs)
    smallest = min(pairs, key=lambda p: few[p].p_difference)
    assert all_pairs[smallest].p_difference == pytest.approx(
        min(1.0, few[smallest].p_difference * 5)
    )
    assert apart("t0", names[1:]) == {
        b for (_, b), one in all_pairs.items() if one.verdict in ("faster", "slower")
    }


def test_the_frontier_is_what_comparing_every_pair_gives() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        drawn = zip(rng.integers(1, 12, 60), rng.integers(1, 9, 60), strict=True)
        rows = [row(str(n), int(a), float(b) / 10) for n, (a, b) in enumerate(drawn)]
        marks = mark_frontier(rows, ("p50", "accuracy"))
        points = {r["trial"]: (r["p50_ns"], -r["accuracy"]) for r in rows}
        for name, own in points.items():
            better = [
                k for k, o in points.items() if o != own and o[0] <= own[0] and o[1] <= own[1]
            ]
            best = min(better, key=points.__getitem__, default=None)
            assert marks[name] == {"frontier": best is None, "dominated_by": best}
