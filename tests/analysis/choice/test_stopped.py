"""What ended the measuring of each group."""

from types import SimpleNamespace
from typing import Any

from profiler.analysis.choice.stopped import of_trials, reasons
from profiler.report.model.records import groups
from profiler.report.tables.sheets import latency_sheet
from profiler.schema.columns import row_of
from profiler.schema.record.plan import Group, Plan, Trial
from profiler.schema.record.recorded import Lost
from profiler.schema.study.measure import MeasureSpec


def trial(name: str) -> Trial:
    return Trial(
        id=name, model="m", variant=name, recipe="fp32", target="cpu", provider="p", threads=1,
        scenario="single_stream", batch=1, baseline="a",
    )  # fmt: skip


def plan(*groups: str) -> Plan:
    made = [
        Group(index=i, target="cpu", trials=tuple(map(trial, names)), reference="a")
        for i, names in enumerate(groups)
    ]
    return Plan(groups=tuple(made), exclusions=(), least_s=0, most_s=0)


def rounds(group: int, count: int, why: str | None) -> list[Any]:
    return [
        SimpleNamespace(group=group, stopped=why if i == count - 1 else None) for i in range(count)
    ]


MEASURE = MeasureSpec(precision=0.005, budget=30 * 10**9)


def test_every_ending_is_told_with_what_was_asked() -> None:
    rows = [*rounds(0, 6, "precision"), *rounds(1, 5, "budget"), *rounds(2, 20, "rounds"),
            *rounds(3, 2, "every trial failed"), *rounds(4, 1, None)]  # fmt: skip
    found = reasons(plan("a", "b", "c", "d", "e"), rows, MEASURE, {})
    assert list(found.values()) == [
        "precision of ±0.5 % reached after 6 rounds",
        "budget of 30.0 s spent after 5 rounds",
        "all 20 rounds done",
        "every trial failed after 2 rounds",
        "not finished: 1 of at least 4 rounds",
    ]


def test_a_lost_target_says_why_unless_the_group_had_ended() -> None:
    rows = [*rounds(0, 6, "precision"), *rounds(1, 1, None)]
    found = reasons(
        plan("a", "b"), rows, MEASURE, {"cpu": Lost(target="cpu", reason="no route to host")}
    )
    assert found == {
        0: "precision of ±0.5 % reached after 6 rounds",
        1: "cpu was lost after 1 round: no route to host",
    }


def test_a_trial_of_two_groups_has_both_reasons() -> None:
    assert of_trials(plan("ab", "ac"), {0: "x", 1: "y"}) == {"a": "x; y", "b": "x", "c": "y"}
    assert of_trials(plan("ab", "ac"), {0: "x", 1: "x"})["a"] == "x"


def test_the_table_says_it_once_for_each_reason() -> None:
    common = {"target": "cpu", "scenario": "single_stream", "batch": 1, "status": "ok"}
    rows = [
        row_of(common, {"variant": v, "p50_ns": 1e6, "stopped": w})
        for v, w in zip("abc", "xyx", strict=True)
    ]
    (group,) = groups(rows)
    assert latency_sheet(group, [group]).legend[-2:] == ("stopped: x", "stopped: y")
