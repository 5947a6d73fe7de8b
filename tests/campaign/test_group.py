"""Which trials a round measures, for how long, and when a group stops; on a clock of our own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler import run
from profiler.analysis.trials.converge import OpenLimits
from profiler.campaign.group import MOST_OPEN, GroupState
from profiler.planning import rounds as length
from profiler.planning.estimate import estimate
from profiler.results.results import Results
from profiler.schema.record.plan import Group, Trial
from profiler.schema.study.study import Study
from profiler.store.timings import Timings
from profiler.wire.codec import decode
from profiler.wire.messages import Block, Repetition


def trial(name: str, scenario: str = "single_stream") -> Trial:
    return Trial(
        id=name, model="m", variant=name, recipe="fp32", target="t", provider="p", threads=1,
        scenario=scenario, batch=1, baseline="t0",
    )  # fmt: skip


def group_of(count: int, **more: Any) -> Group:
    trials = tuple(trial(f"t{number}", **more) for number in range(count))
    return Group(index=0, target="t", trials=trials, reference="t0")


def study(slo: dict[str, str] | None = None, **measure: Any) -> Study:
    return decode(
        Study,
        {
            "name": "s", "models": [{"name": "m", "onnx": "m.onnx"}], "targets": ["t"],
            "measure": measure, "slo": slo or {},
        },
    )  # fmt: skip


class Played:
    """Rounds of a group whose trials have a p99 of so many ns, on a machine of some pace."""

    def __init__(self, state: GroupState, p99_ns: dict[str, float], pace: float = 1.0) -> None:
        self.state, self.p99_ns, self.pace = state, p99_ns, pace
        self.rng = np.random.default_rng(5)
        self.asked: list[list[str]] = []
        self.times_s: list[float] = []

    def round(self) -> None:
        state, number = self.state, self.state.next_round
        names = state.active()
        time_s = state.round_time_ns() / 1e9
        self.asked.append(names)
        self.times_s.append(time_s)
        made, timings = [], {}
        for name in names:
            logs = 0.05 * self.rng.standard_normal() + 0.1 * self.rng.standard_normal(400)
            values = np.exp(logs - 0.26) * self.p99_ns[name]
            block = Block(position=0, queries=400, wall_ns=1, cpu_ns=1)
            made.append(Repetition(trial=name, round=number, status="ok", blocks=(block,)))
            timings[name] = Timings(latencies=values.astype(np.int64))
        chosen = [t for t in state.group.trials if t.id in names]
        state.add(tuple(made), timings, self.pace * length.seconds(chosen, time_s))

    def to_the_end(self) -> str:
        while self.state.stopped is None:
            self.round()
        return self.state.stopped


def test_after_its_least_rounds_a_trial_is_measured_where_a_limit_is_open(tmp_path: Path) -> None:
    limited = study({"p99": "1ms"}, budget="80s", round_time="300ms", precision="0.1%")
    p99 = {f"t{n}": 1e5 for n in range(20)} | {"t3": 1.02e6, "t7": 0.98e6, "t9": 9e6}
    played = Played(GroupState(group_of(20), limited, tmp_path, ()), p99)
    assert played.to_the_end() == "budget"
    assert all(len(names) == 20 for names in played.asked[:4])
    assert [set(names) for names in played.asked[4:6]] == [{"t0", "t3", "t7"}] * 2
    assert sum("t3" in names for names in played.asked) >= 10
    assert played.state.spent_s <= 80


def test_where_every_limit_is_open_the_fastest_are_decided_first(tmp_path: Path) -> None:
    limited = study({"p99": "1ms"}, budget="80s", round_time="300ms", precision="0.1%")
    p99 = {f"t{n}": 1e6 * (1.02 - 0.002 * n) for n in range(20)}
    played = Played(GroupState(group_of(20), limited, tmp_path, ()), p99)
    played.to_the_end()
    assert all(len(names) == MOST_OPEN + 1 for names in played.asked[4:])
    chosen = {name for names in played.asked[4:] for name in names} - {"t0"}
    assert np.mean([p99[name] for name in chosen]) < np.mean(list(p99.values()))


def test_limits_that_are_decided_leave_the_budget_to_all(tmp_path: Path) -> None:
    limited = study({"p99": "1ms"}, budget="80s", round_time="300ms", precision="0.1%")
    played = Played(
        GroupState(group_of(4), limited, tmp_path, ()), {f"t{n}": 9e6 for n in range(4)}
    )
    played.to_the_end()
    assert all(len(names) == 4 for names in played.asked)
    assert len(played.asked) > 10


def test_an_open_limit_is_reason_to_go_on(tmp_path: Path) -> None:
    """Although every interval is as narrow as wanted."""
    p99 = {"t0": 1e5, "t1": 1.01e6}
    narrow = {"budget": "40s", "precision": "50%", "round_time": "300ms"}
    group = group_of(2)
    plain = Played(GroupState(group, study(**narrow), tmp_path, ()), p99)
    assert plain.to_the_end() == "precision"
    limited = Played(GroupState(group, study({"p99": "1ms"}, **narrow), tmp_path, ()), p99)
    assert limited.to_the_end() == "budget"
    assert len(plain.asked) == 4


@pytest.mark.parametrize("pace", [0.8, 1.0, 1.2])
def test_enough_rounds_fit_the_budget(pace: float, tmp_path: Path) -> None:
    """Also where the machine is slower than was reckoned: 20 trials took 250 % of their budget."""
    tight = study(budget="60s", round_time="500ms", precision="0.1%")
    names = {f"t{n}": 1e5 for n in range(10)}
    played = Played(GroupState(group_of(10), tight, tmp_path, ()), names, pace)
    assert played.to_the_end() == "budget"
    assert 54 <= played.state.spent_s <= 60
    assert len(played.times_s) in (length.WANTED, length.WANTED + 1)
    assert min(played.times_s) >= length.LEAST_SHARE * 0.5
    roomy = GroupState(group_of(2), study(budget="60s"), tmp_path, ())
    assert roomy.round_time_ns() == 500_000_000


def test_a_budget_that_is_hopeless_still_measures_for_a_while(tmp_path: Path) -> None:
    state = GroupState(group_of(20), study(budget="1s"), tmp_path, ())
    assert state.round_time_ns() == 200_000_000


def test_rounds_about_limits_are_recorded_and_paid_for(
    make_study: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percentile whose limit was followed is told as after an early stop; the others are not."""
    monkeypatch.setattr(
        OpenLimits, "undecided", lambda self, trials: [t for t in trials if "n/" in t]
    )
    text = """
[[models]]
name = "m"
onnx = "model.onnx"
[[models]]
name = "n"
onnx = "model.onnx"
[slo]
p99 = "1s"
[measure]
budget = "60s"
max_rounds = 6
round_time = "50ms"
"""
    out = tmp_path / "out"
    results = run(make_study(text, data=False), out)
    assert [row.open_limits for row in results.rounds] == [False] * 4 + [True] * 2
    (followed,) = results.followed
    assert followed.startswith("n/")
    rows = out / "rows.jsonl"
    rows.write_text(rows.read_text().replace('"open_limits": true', '"open_limits": false'))
    before = {row["trial"]: row for row in Results.load(out).rows}[followed]
    after = {row["trial"]: row for row in results.rows}[followed]
    for name, wider in (("p50", False), ("p99", True)):
        widths = [float(row[f"{name}_high_ns"] - row[f"{name}_low_ns"]) for row in (before, after)]
        assert (widths[1] > widths[0]) == wider, name


def test_the_round_is_told_how_long_it_measures(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    tight = "[measure]\nbudget = '100ms'\nround_time = '500ms'\nblock_time = '5ms'\n"
    results = run(make_study(tight, data=False), tmp_path / "out")
    (first, *_) = results.rounds[0].repetitions
    assert len(first.blocks) < 80, (
        "100 blocks of 5 ms were asked for, 40 fit; a disturbed one is repeated"
    )


def test_the_plan_reckons_with_shorter_rounds() -> None:
    group = group_of(20)
    tight, roomy = study(budget="20s"), study(budget="600s")
    least = [estimate([group], s.measure, {"t": _free()})[0] for s in (tight, roomy)]
    assert least[0] < 0.7 * least[1]


def _free() -> Any:
    from profiler.schema.device.target import Target

    return Target(name="t")


@pytest.mark.parametrize("scenario", ["cold_start", "server"])
def test_scenarios_with_a_length_of_their_own_keep_it(scenario: str, tmp_path: Path) -> None:
    state = GroupState(group_of(20, scenario=scenario), study(budget="1s"), tmp_path, ())
    assert state.round_time_ns() == 500_000_000
