"""Beside what the yardstick is planned, and in which rounds."""

from pathlib import Path
from typing import Any

import pytest

from profiler.campaign.yardstick import keep
from profiler.devices.jobs import make_yardstick
from profiler.planning import Known, make_plan
from profiler.planning.yardstick import due, fits
from profiler.schema.device.target import Target
from profiler.schema.study.study import Study
from profiler.store.folder import Store
from profiler.store.prepared import Prepared
from profiler.wire.codec import DecodeError, decode
from profiler.wire.messages import Job

CPU = Target(name="cpu")
FACTS = {"cpu": {"usable_cores": 2, "onnxruntime": "1", "providers": ["CPUExecutionProvider"]}}


def study(**measure: Any) -> Study:
    models = [{"name": "a", "onnx": "a.onnx"}]
    plain = {"name": "s", "targets": ["cpu"], "models": models, "measure": measure}
    return decode(Study, plain)


def planned(known: Known, **measure: Any) -> list[str | None]:
    plan = make_plan(study(**measure), (CPU,), known)
    assert [trial.model for trial in plan.trials] == ["a"], "it is no trial"
    return [group.yardstick for group in plan.groups]


def test_it_is_planned_unless_switched_off_or_not_made() -> None:
    assert planned(Known(facts=FACTS)) == ["yardstick@cpu"]
    assert planned(Known(facts=FACTS), yardstick=False) == [None]
    assert planned(Known(facts=FACTS, yardstick=False)) == [None]
    with pytest.raises(DecodeError, match=r"measure\.yardstick: expected true or false, got 3"):
        study(yardstick=3)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({}, True),
        ({"provider": "OpenVINOExecutionProvider"}, True),
        ({"provider": "CUDAExecutionProvider"}, False),
        ({"provider": "OpenVINOExecutionProvider", "plugin": "p", "device": "GPU"}, False),
        ({"backend": "null"}, False),
        ({"backend": "torch", "provider": "torch-eager"}, False),
    ],
)
def test_it_tells_of_processors_that_onnxruntime_computes_on(
    target: dict[str, Any], told: bool
) -> None:
    assert fits(Target(name="t", **target)) == told


def test_beside_few_trials_it_is_measured_in_some_rounds() -> None:
    assert [number for number in range(13) if due(number, 3)] == [0, 1, 2, 3, 4, 8, 12]
    assert all(due(number, 6) for number in range(13))


@pytest.mark.parametrize(
    ("jobs", "affinity"),
    [
        ([{"threads": 2, "affinity": (0, 1)}, {"affinity": (1,)}], (1,)),
        ([{"threads": 2, "affinity": (0, 1)}], ()),
        ([{"scenario": "cold_start"}, {}], ()),
        ([{"scenario": "cold_start"}], None),
    ],
)
def test_it_is_bound_where_one_thread_is(
    jobs: list[dict[str, Any]], affinity: tuple[int, ...] | None, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "out", {"study_hash": "s"})
    prepared = Prepared(artifacts={}, failed={}, inputs={}, yardstick=keep(store))
    made = make_yardstick("y", [Job(trial=f"{n}", **job) for n, job in enumerate(jobs)], prepared)
    store.close()
    assert (None if made is None else made.affinity) == affinity
    assert make_yardstick(None, [Job(trial="a")], prepared) is None
    assert (
        make_yardstick("y", [Job(trial="a")], Prepared(artifacts={}, failed={}, inputs={})) is None
    )
