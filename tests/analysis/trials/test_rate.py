"""A goodput goes by the limit that is asked; where there is none, the driven rate says so."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from profiler.analysis.choice.names import identity
from profiler.analysis.trials import rate
from profiler.analysis.trials.rate import DRIVEN, Rates, throughput
from profiler.analysis.trials.samples import Samples, at_same_moment, gather
from profiler.analysis.trials.summary import summarise
from profiler.report.model.records import groups, records
from profiler.report.tables.sheets import quality_sheet
from profiler.results.choice import Chooser
from profiler.results.rows import TrialRows
from profiler.results.stress import Stress
from profiler.schema.columns import row_of
from profiler.schema.device.target import Cost, Target
from profiler.schema.record.plan import Trial
from profiler.schema.study.measure import Slo
from profiler.schema.study.model import ModelSpec
from profiler.schema.study.scenario import ScenarioSpec
from profiler.schema.study.study import Study
from profiler.units import format_rate
from profiler.wire.messages import Block, Repetition

MS = 1_000_000


def server(**more: Any) -> Trial:
    made = {"scenario": "server", **more}
    return Trial(
        id="a", model="m", variant="fp32", recipe="fp32", target="t", provider="p", threads=1,
        batch=1, baseline="a", **made,
    )  # fmt: skip


def taken(service_ns: int = MS, rounds: int = 4, driven: float = 100.0) -> Samples:
    """Rounds of 200 queries that arrived `driven` times a second, served in about `service_ns`."""
    found = []
    for number in range(rounds):
        services = np.full(200, service_ns + 1000 * number, dtype=np.int64)
        block = Block(position=0, queries=200, wall_ns=int(200e9 / driven), cpu_ns=1, rate=driven)
        repetition = Repetition(
            trial="a", round=number, status="ok", blocks=(block,), providers=("p",)
        )
        found.append((0, repetition, services * 2, services))
    return gather(found)["a"]


def columns(p99_ns: int | None, trial: Trial | None = None, **more: Any) -> dict[str, Any]:
    return throughput(trial or server(), taken(**more), adaptive=False, slo_p99_ns=p99_ns)


def test_a_looser_limit_is_a_higher_goodput() -> None:
    tight, loose = columns(2 * MS), columns(20 * MS)
    assert 100 < tight["throughput"] < 500 < loose["throughput"] < 1000
    assert tight["throughput_note"] is None
    assert loose["throughput_note"] is None


def test_the_driven_rate_is_called_so() -> None:
    found = columns(MS // 2)
    assert found["throughput"] == pytest.approx(100)
    assert found["throughput_note"] == f"{DRIVEN}: in some round no rate keeps p99 ≤ 500 µs"


def test_a_rate_that_was_asked_needs_no_note() -> None:
    assert columns(MS // 2, server(rate=100.0))["throughput_note"] is None


def test_rows_at_another_limit_pay_for_its_rate() -> None:
    target = Target(name="t", cost=Cost(per_hour=3.6, as_of="2025-01"))
    rates = Rates(samples={"a": taken()}, targets={"t": target}, wall_meter={}, adaptive=False)
    trials = {"a": server()}
    rows = [{"trial": "a", "status": "ok", **rates.columns(trials["a"], 2 * MS)}]
    (loose,) = rates.at(20 * MS, rows, trials)
    assert loose["throughput"] > 1.5 * rows[0]["throughput"]
    assert loose["cost_per_million"] == pytest.approx(1000 / loose["throughput"])
    excluded = [{"trial": "unknown", "status": "excluded"}]
    assert rates.at(20 * MS, excluded, trials) == excluded


def test_what_has_no_price_says_why_in_a_footnote() -> None:
    import pandas as pd

    same = {"target": "t", "scenario": "server", "batch": 1, "status": "ok", "model": "m",
            "variant": "fp32", "currency": "USD"}  # fmt: skip
    rows = [{**same, "cost_per_million": 10.0}, {**same, "cost_note": DRIVEN}]
    (group,) = groups(records(pd.DataFrame(rows)))
    sheet = quality_sheet(group, [group])
    assert [note.split(" ", 1)[1] for note in sheet.notes] == [DRIVEN]


def test_a_closed_loop_serves_less_at_random_times_than_it_does_in_a_row() -> None:
    """Queries of 1 ms: 1,000 a second in a row; with p99 within 5 ms about what M/D/1 says."""
    target = Target(name="t", cost=Cost(per_hour=3.6, as_of="2025-01"))
    stream = server(scenario="single_stream")
    block = Block(position=0, queries=200, wall_ns=200 * MS, cpu_ns=1)
    rounds = [
        Repetition(trial="a", round=n, status="ok", blocks=(block,), providers=("p",))
        for n in range(4)
    ]
    latencies = [np.full(200, MS + 1000 * n, dtype=np.int64) for n in range(4)]
    measured = gather((0, r, found, None) for r, found in zip(rounds, latencies, strict=True))
    rates = Rates(samples=measured, targets={"t": target}, wall_meter={}, adaptive=False)
    row = rates.columns(stream, 5 * MS)
    assert row["throughput"] > row["capacity"]
    assert row["capacity"] == pytest.approx(560, rel=0.1)
    assert row["cost_per_million"] == pytest.approx(1000 / row["capacity"])
    assert rates.columns(stream, MS // 2)["cost_note"] == "in some round no rate keeps p99 ≤ 500 µs"
    busy = rates.columns(stream, None)
    assert busy["capacity"] == busy["throughput"]
    assert busy["capacity_note"] == "no limit on p99: always busy"


def recorded() -> Chooser:
    """Of one server trial, as if read from a folder whose study asks p99 = 2 ms."""
    study = Study(
        name="s", models=(ModelSpec(name="m", onnx="m.onnx"),), targets=("t",), slo=Slo(p99=2 * MS),
        scenarios=(ScenarioSpec(kind="server"),), objectives=("throughput", "p50"),
    )  # fmt: skip
    opened: Any = SimpleNamespace(
        study=study, targets={"t": Target(name="t")}, trials={"a": server()}, adaptive=False,
        samples={"a": taken()}, typical=at_same_moment([taken()]),
    )  # fmt: skip
    judged: Any = SimpleNamespace(stress=Stress())
    rows = TrialRows(opened, judged, {}, spot=False)
    rates = rows.rates.columns(server(), study.slo.p99)
    summary = summarise(server(), taken(), adaptive=False)
    rows.__dict__["measured"] = [row_of(identity(server()), summary, rates)]
    return Chooser(opened, judged, rows)


def test_choose_seeks_the_rate_for_the_limit_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    chooser = recorded()
    (own,), (looser,) = chooser.table(Slo(p99=2 * MS)), chooser.table(Slo(p99=20 * MS))
    assert own["throughput"] == columns(2 * MS)["throughput"] < looser["throughput"]
    asked = chooser.choose(Slo(p99=20 * MS), "throughput")
    assert asked.trial == "a"
    assert format_rate(looser["throughput"]) in asked.reason
    assert asked.warnings == ()
    monkeypatch.setattr(rate, "goodput", lambda *_, **__: None)
    (told,) = chooser.choose(Slo(p99=30 * MS), "throughput").warnings
    assert told == f"{DRIVEN}: in some round no rate keeps p99 ≤ 30.0 ms"
    assert chooser.choose(Slo(p99=30 * MS), "p50").warnings == ()
