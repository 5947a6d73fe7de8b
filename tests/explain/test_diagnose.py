"""Traces recorded by `scripts/bench_explain --record`, and traces made up to the microsecond."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import ResultsError
from profiler.explain.compare import differences, in_words
from profiler.explain.diagnose import Case, Diagnosis, Setting, diagnose
from profiler.explain.families import OUTSIDE, times
from profiler.explain.profile import Profile, parse

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings" / "explain"
PLANTED = sorted(path.stem for path in RECORDINGS.glob("*-planted.json"))


def recorded(name: str) -> tuple[str | None, Profile, Setting]:
    found = json.loads((RECORDINGS / f"{name}.json").read_text())
    profile = parse(json.dumps(found["trace"]), found["queries"], [found["plain_us"] * 1000])
    return found["cause"], profile, Setting(**found["setting"])


def causes(profile: Profile, setting: Setting, baseline: Profile | None = None) -> list[str]:
    return [d.cause for d in diagnose(Case(profile=profile, setting=setting, baseline=baseline))]


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_cause_comes_first(name: str) -> None:
    cause, profile, setting = recorded(name)
    assert causes(profile, setting)[:1] == ([] if cause is None else [cause])


def test_there_are_healthy_recordings_too() -> None:
    wanted = {recorded(name)[0] for name in PLANTED}
    assert None in wanted
    assert len(wanted) >= 7


def test_a_baseline_beside_it() -> None:
    _, profile, setting = recorded("dynamic-convnet-planted")
    _, baseline, _ = recorded("dynamic-convnet-baseline")
    (first, *_) = diagnose(Case(profile=profile, setting=setting, baseline=baseline))
    assert "times the float Conv" in first.text
    found = differences(profile, baseline)
    assert found[0].family == "convolution"
    assert found[0].ops == ("ConvInteger",)
    assert found[0].baseline_ops == ("Conv",)
    assert sum(d.more_us for d in found) == pytest.approx(profile.total_us - baseline.total_us)
    assert "ConvInteger instead of Conv" in in_words(found)[0]


def test_an_integer_convolution_that_wins_is_not_blamed() -> None:
    _, profile, setting = recorded("dynamic-convnet-planted")
    slower = replace(profile, nodes=tuple(replace(n, op="Conv") for n in profile.nodes))
    assert "conv_integer" not in causes(profile, setting, baseline=slower)


Kernel = tuple[str, str, int, int]


def trace(*kernels: Kernel, runs: int = 3, length: int = 1000, **args: Any) -> str:
    """`runs` queries of 1,000 µs, each with the kernels (name, op, start, duration)."""
    events: list[dict[str, Any]] = []
    for run in range(runs):
        start = run * 2 * length
        events.append({"cat": "Session", "name": "model_run", "ts": start, "dur": length})
        for name, op, ts, dur in kernels:
            events.append(
                {"cat": "Node", "name": f"{name}_kernel_time", "ts": start + ts, "dur": dur,
                 "args": {"op_name": op, "provider": "CPUExecutionProvider", **args}}
            )  # fmt: skip
    return json.dumps(events)


def test_time_of_nodes_operators_and_outside() -> None:
    text = trace(("a", "MatMul", 0, 600), ("b", "MatMul", 610, 200), ("c", "Relu", 820, 100))
    profile = parse(text, 3, [950_000])
    assert profile.by("op") == {"MatMul": 801.0, "Relu": 100.5}
    assert profile.by("name") == {"a": 600.5, "b": 200.5, "c": 100.5}
    assert profile.outside_us == pytest.approx(950 - 901.5)
    assert times(profile) == pytest.approx({"matrix product": 801.0, "other": 100.5, OUTSIDE: 48.5})


def test_only_the_last_runs_count() -> None:
    slow, fast = json.loads(trace(("a", "MatMul", 0, 900))), trace(("a", "MatMul", 0, 90))
    later = [{**e, "ts": e["ts"] + 10_000} for e in json.loads(fast)]
    assert parse(json.dumps(slow + later), 3, [100_000]).by("op") == {"MatMul": 90.5}
    with pytest.raises(ResultsError, match="6 runs, 7 were expected"):
        parse(json.dumps(slow + later), 7, [100_000])


def test_a_loop_is_not_counted_twice() -> None:
    body = [("add", "Add", 10 + 100 * i, 50) for i in range(5)]
    profile = parse(trace(("loop", "Loop", 0, 700), *body, ("out", "Relu", 700, 100)), 3, [900_000])
    assert profile.by("op") == {"Add": 252.5, "Relu": 100.5}
    loop = next(n for n in profile.nodes if n.op == "Loop")
    assert loop.whole_us == 700.5
    assert loop.us == 700.5 - 252.5
    assert profile.outside_us == 900 - 353


def test_the_profilers_price_is_taken_off_every_call() -> None:
    small = [(f"n{i}", "Abs", 4 * i, 2) for i in range(100)]
    profile = parse(trace(("big", "MatMul", 500, 100), *small), 3, [200_000])
    assert profile.kernels_us == pytest.approx(200, abs=0.1)
    assert profile.by("op")["MatMul"] > 98
    # a disturbance of the traced run is more than any price: it is left as it is
    assert parse(trace(("big", "MatMul", 0, 500)), 3, [100_000]).total_us == 497.5


def test_time_that_others_had_is_not_the_frameworks() -> None:
    profile = parse(trace(("a", "MatMul", 0, 100)), 3, [900_000])
    assert profile.contradictory
    assert profile.total_us == 100.5
    assert causes(profile, Setting()) == []


def test_threads_are_judged_by_the_measured_times() -> None:
    profile = parse(trace(("a", "CumSum", 0, 900)), 3, [910_000])

    def found(threads: int, one_thread_us: float | None) -> list[str]:
        return causes(profile, Setting(threads=threads, one_thread_us=one_thread_us))

    assert found(2, 910) == ["threads"]
    assert found(2, 1600) == []
    assert found(2, None) == []
    assert found(1, 910) == []


def test_part_of_the_graph_elsewhere() -> None:
    text = trace(("a", "Conv", 0, 500), ("m", "MemcpyToHost", 500, 200), ("b", "Conv", 700, 200))
    setting = Setting(provider="CUDAExecutionProvider")
    profile = parse(text.replace("CPUExec", "CUDAExec"), 3, [910_000])
    assert causes(profile, setting) == ["fallback"]
    clean = replace(profile, nodes=tuple(n for n in profile.nodes if n.op == "Conv"))
    assert causes(clean, setting) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', '[{"name": "model_run"}]', "[]"])
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(ResultsError):
        parse(text, 1, [1])


def test_diagnoses_are_ranked() -> None:
    kinds = trace(("a", "Cast", 0, 200), ("b", "Transpose", 200, 500), ("c", "Conv", 700, 300))
    found: tuple[Diagnosis, ...] = diagnose(
        Case(profile=parse(kinds, 3, [1_001_500]), setting=Setting())
    )
    assert [d.cause for d in found] == ["layout", "casts"]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000 + "]" * 100_000, "{}", "7", "[7]", '[{"name": "model_run"}]', "\ud800",
     '[{"name": "model_run", "ts": "x", "dur": 1}]',
     '[{"name": "model_run", "ts": 0, "dur": 9}, {"name": "a_kernel_time", "cat": "Node", "ts": 1,'
     ' "dur": 1, "args": 5}]',
     '[{"name": "model_run", "ts": 0, "dur": 9}, {"name": "a_kernel_time", "cat": "Node", "ts": 1,'
     ' "dur": 1, "args": {"input_type_shape": 5}}]'],
)  # fmt: skip
def test_what_is_no_trace_is_one_message(text: str) -> None:
    with pytest.raises(ResultsError, match="trace"):
        parse(text, 1, [1000])
