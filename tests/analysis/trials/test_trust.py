"""Comparison across folders, and what is said about noise and machines."""

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from profiler.analysis.choice import across
from profiler.analysis.trials import noise, stability
from profiler.analysis.trials.samples import Samples, Taken
from profiler.schema.columns import Row, row_of
from profiler.schema.device import facts
from profiler.wire import disturbance
from profiler.wire.messages import TICK_NS, Block, Repetition

REFERENCE = {"a": "ref", "ref": "ref"}


def samples(trial: str, values: list[float], **block: Any) -> Samples:
    found = Samples(trial=trial)
    for number, value in enumerate(values):
        made = Block(position=0, queries=1, wall_ns=10**9, cpu_ns=10**9, **block)
        repetition = Repetition(
            trial=trial, round=number, status="ok", blocks=(made,), warmup_level=False
        )
        found.taken[(0, number)] = Taken(
            repetition=repetition, latencies=np.array([value], dtype=np.int64)
        )
    return found


def run_of(factor: float, drift: float, seed: int) -> dict[str, Samples]:
    """Reference and trial share the machine's drift; the second run's machine is slower."""
    generator = np.random.default_rng(seed)
    speed = 1e9 * drift * np.exp(generator.normal(0, 0.1, 6))
    own = np.exp(generator.normal(0, 0.001, 6)) * factor
    return {"ref": samples("ref", list(speed)), "a": samples("a", list(speed * own))}


def test_the_reference_takes_the_drift_out() -> None:
    found = across.compare_runs(
        run_of(0.95, 1.0, 1),
        run_of(1.0, 1.3, 2),
        references=REFERENCE,
        delta=0.01,
        adaptive=False,
    )
    by_trial = {one.trial: one for one in found}
    assert by_trial["a"].verdict == "faster"
    assert by_trial["a"].relative_to == "ref"
    assert by_trial["a"].ratio.value == pytest.approx(0.95, rel=0.005)
    assert by_trial["ref"].relative_to is None


def test_the_yardstick_takes_the_drift_out_of_a_reference() -> None:
    first, second = run_of(0.95, 1.0, 1), run_of(1.0, 1.3, 2)

    def in_yardsticks(run: dict[str, Samples]) -> dict[str, dict[tuple[int, int], float]]:
        levels = run.pop("ref").p50_by_round()
        return {"a": {key: ns / levels[key] for key, ns in run["a"].p50_by_round().items()}}

    both = in_yardsticks(first), in_yardsticks(second)
    for references in ({"a": "a"}, {}):
        (one,) = across.compare_runs(
            first, second, references=references, multiples=both, delta=0.01, adaptive=False
        )
        assert (one.relative_to, one.verdict) == ("yardstick", "faster")
        assert one.ratio.value == pytest.approx(0.95, rel=0.005)
    few = ({"a": dict([*both[0]["a"].items()][:3])}, both[1])
    (one,) = across.compare_runs(
        first, second, references={}, multiples=few, delta=0.01, adaptive=False
    )
    assert one.relative_to is None, "too few rounds held one"


def test_without_shared_rounds_it_is_plain() -> None:
    first = run_of(1.0, 1.0, 1)
    first["ref"].taken = {(9, n): t for (_, n), t in first["ref"].taken.items()}
    every = across.compare_runs(
        first, run_of(1, 1, 2), references=REFERENCE, delta=0.01, adaptive=False
    )
    (found,) = [one for one in every if one.trial == "a"]
    assert found.relative_to is None
    assert found.verdict == "undecided", "10 % of drift hides everything"


def test_welch_against_its_textbook_form() -> None:
    """Two samples of logs with known means and variances."""
    a, b = [0.0, 0.1, 0.2, 0.3], [0.5, 0.5, 0.6, 0.6, 0.7]
    found = across.welch_ratio(a, b)
    from scipy import stats

    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found.low == pytest.approx(math.exp(interval.low))
    assert found.high == pytest.approx(math.exp(interval.high))
    wider = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.975)
    assert across.welch_ratio(a, b, adaptive=True).low == pytest.approx(math.exp(wider.low))
    assert across.welch_ratio(a[:3], b).low is None


def test_what_must_agree_is_a_fact_that_is_recorded() -> None:
    recorded = {field.name for field in fields(facts._Recorded)}
    assert set(across.COMPARED_FACTS) <= recorded


def test_unlike_machines_are_named_by_the_fact() -> None:
    same = {"cpu": "x", "onnxruntime": "1"}
    assert across.differing_facts(same, dict(same)) == []
    assert across.differing_facts(same, {**same, "onnxruntime": "2"}) == [("onnxruntime", "1", "2")]


def test_what_must_agree_and_what_may_vary() -> None:
    gpu = {"index": 0, "uuid": "GPU-1", "name": "H100", "driver": "550"}
    same = {"numpy": "2.0", "worker": "w", "plugin_version": "1", "gpus": [gpu], "load_1min": 0.0}
    varied = {**same, "load_1min": 3.0, "gpus": [{**gpu, "uuid": "GPU-2", "index": 1}]}
    assert across.differing_facts(same, varied) == []
    for name, other in (("numpy", "2.1"), ("worker", "x"), ("plugin_version", "2"),
                        ("gpus", [{**gpu, "driver": "560"}])):  # fmt: skip
        found = across.differing_facts(same, {**same, name: other}, merging=True)
        assert [fact for fact, _, _ in found] == [name]
    assert across.differing_facts(same, {**same, "worker": "x"}) == [], "only merging minds it"
    assert across.differing_facts(same, {**same, "int8_saturates": True}) == [], "not asked then"


def test_verdicts_of_two_folders_are_corrected_for_all_pairs_shown() -> None:
    generator = np.random.default_rng(0)

    def folder() -> dict[str, Samples]:
        names = ["a", *(f"n{i}" for i in range(40))]
        return {n: samples(n, list(1e9 * np.exp(generator.normal(0, 0.03, 6)))) for n in names}

    false = 0
    for _ in range(20):
        first, second = folder(), folder()
        both = across.compare_runs(first, second, references={}, delta=0.0001, adaptive=False)
        alone = [
            across.compare_runs({n: first[n]}, {n: second[n]}, references={}, delta=0.0001,
                                adaptive=False)[0]
            for n in first
        ]  # fmt: skip
        assert [one.ratio for one in both] == [one.ratio for one in alone], "their own intervals"
        false += sum(one.verdict in ("faster", "slower") for one in alone)
        false -= 10 * sum(one.verdict in ("faster", "slower") for one in both)
    assert false > 0


def test_each_target_has_its_own_common_trial() -> None:
    def two(factor: float, seed: int) -> dict[str, Samples]:
        one, other = run_of(0.95, 1.0, seed), run_of(0.95, factor, seed + 9)
        return {**one, **{f"{n}2": samples(f"{n}2", [float(t.latencies[0]) for t in
                                                     s.taken.values()])
                          for n, s in other.items()}}  # fmt: skip

    found = {
        one.trial: one
        for one in across.compare_runs(
            two(1.0, 1), two(1.5, 2), references={"a": "ref", "a2": "ref2"}, delta=0.01,
            adaptive=False,
        )
    }  # fmt: skip
    assert (found["a"].relative_to, found["a2"].relative_to) == ("ref", "ref2")
    assert found["a2"].ratio.value == pytest.approx(1, rel=0.005), "its own drift is taken out"


def test_a_quiet_trial_is_quiet_and_a_disturbed_one_says_by_what() -> None:
    def describe(**block: Any) -> str | None:
        found = samples("a", [1.0] * 4, **block)
        return noise.describe([t.repetition for t in found.taken.values()])

    assert describe(other_cpu_ns=10**7, run_delay_ns=0, steal_ns=0) is None
    assert describe() is None, "counters that are not there accuse nobody"
    assert "others used 0.9 CPU" in (describe(other_cpu_ns=9 * 10**8) or "")
    assert "hypervisor" in (describe(steal_ns=10**8) or "")
    assert "waited" in (describe(run_delay_ns=10**8) or "")
    assert "disturbed" in (describe(disturbed="other processes were busy") or "")


def test_a_process_that_was_slow_alone_is_told_with_what_to_type() -> None:
    calm = [100.0, 101, 99, 100, 100, 101]
    alone = {"a": samples("a", calm), "b": samples("b", [100.0, 101, 135, 100, 99, 100])}
    said = texts(stability.of_results([], alone, 0.01))
    assert "1 of 12 processes were slow for their whole round" in said
    assert "most b (35%)" in said
    assert "more rounds" in said
    both = {"a": samples("a", [100.0, 101, 134, 100, 99, 100]), "b": alone["b"]}
    assert "whole round" not in texts(stability.of_results([], both, 0.01)), "the machine was slow"


def test_ticks_of_short_blocks_accuse_nobody() -> None:
    # Blocks of 2 ms that use 2 ms; every fifth meets a tick of 10 ms, which is its own time.
    tick, own = TICK_NS, 2_000_000
    blocks = [
        Block(position=i, queries=1, wall_ns=own, cpu_ns=own,
              other_cpu_ns=(tick if i % 5 == 0 else 0) - own)
        for i in range(100)
    ]  # fmt: skip

    def other(blocks: list[Block]) -> float | None:
        return disturbance.shares(blocks).other_cpu

    assert other(blocks) == 0
    busy = [replace(b, other_cpu_ns=(b.other_cpu_ns or 0) + own) for b in blocks]
    assert other(busy) == pytest.approx(1)
    assert other(busy[:10]) == 0, "20 ms are too little for a counter of 10 ms"


def row(low: float | None, high: float | None) -> Row:
    return row_of(
        {"trial": "a", "status": "ok", "p50_ns": 100.0, "p50_low_ns": low, "p50_high_ns": high}
    )


def texts(findings: list[stability.Finding]) -> str:
    return " | ".join(f"{f.level}: {f.text} ({f.advice})" for f in findings)


def test_words_for_what_went_wrong() -> None:
    calm = {"a": samples("a", [100.0] * 8)}
    for one in calm["a"].taken.values():
        object.__setattr__(one.repetition, "warmup_level", True)
    assert "nothing speaks against" in texts(stability.of_results([row(99.9, 100.1)], calm, 0.01))
    loud = {"a": samples("a", [100.0] * 8, disturbed="other processes were busy")}
    found = texts(stability.of_results([row(90, 110)], loud, 0.01))
    for part in ("missed the precision", "±10.0%", "1 of 1 trials were disturbed", "ps -eo",
                 "did not become level"):  # fmt: skip
        assert part in found
    drifting = {n: samples(n, [100.0] * 4 + [120.0] * 4) for n in ("a", "b")}
    assert "20% slower during the run" in texts(
        stability.of_results([row(99.9, 100.1)], drifting, 0.01)
    )


def test_words_for_a_machine() -> None:
    bad = texts(
        stability.of_machine(
            {"governor": "powersave", "turbo": True, "load_1min": 3.0, "usable_cores": 2,
             "virtualised": True, "clocksource": "hpet", "huge_pages": "always",
             "temperatures_celsius": {"cpu": 91.0}}
        )
    )  # fmt: skip
    for part in ("cpupower frequency-set", "no_turbo", "load 3", "virtual machine", "hpet",
                 "madvise", "91 °C"):  # fmt: skip
        assert part in bad
    good = stability.of_machine({"governor": "performance", "load_1min": 0.0, "clocksource": "tsc"})
    assert {f.level for f in good} == {"good"}


@pytest.mark.parametrize(("load", "level"), [(0.9, "good"), (1.1, "problem")])
def test_a_check_and_a_report_call_the_same_machine_busy(load: float, level: str) -> None:
    facts = {"load_1min": load, "usable_cores": 2}
    (finding,) = [f for f in stability.of_machine(facts) if f.text.startswith("the machine is")]
    assert finding.level == level
    assert noise.busy_before(facts) is (level == "problem")
    assert noise.busy_before({"load_1min": None}) is None


def test_outputs_drowned_in_noise_are_a_problem_with_the_words_to_type() -> None:
    bad = {**row(99.9, 100.1), "sqnr_db": -1.2, "advice": "try int8-dynamic",
           "recipe": "int8-static"}  # fmt: skip
    (found,) = stability.of_results([bad], {}, 0.01)
    assert (found.level, found.advice) == ("problem", "try int8-dynamic")
    assert "-1.2 dB" in found.text
    fine = texts(stability.of_results([{**bad, "sqnr_db": 20.0}], {}, 0.01))
    assert "nothing speaks against" in fine
