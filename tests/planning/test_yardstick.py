"""Beside what the yardstick is planned, and in whose process it lives."""

from typing import Any

import pytest

from profiler.planning import Known, make_plan
from profiler.planning.yardstick import choose_host, fits
from profiler.schema.device.target import Target
from profiler.schema.study.study import Study
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
        ({"backend": "null"}, False),
        ({"backend": "torch", "provider": "torch-eager"}, False),
    ],
)
def test_it_tells_of_processors_that_onnxruntime_computes_on(
    target: dict[str, Any], told: bool
) -> None:
    assert fits(Target(name="t", **target)) == told


def job(trial: str, **more: Any) -> Job:
    return Job(trial=trial, **more)


@pytest.mark.parametrize(
    ("jobs", "host"),
    [
        ([job("a"), job("ref")], "ref"),
        ([job("two", threads=2), job("a"), job("ref", threads=2)], "a"),
        ([job("two", threads=2), job("lanes", concurrency=2)], "two"),
        ([job("lanes", concurrency=2), job("ref", threads=2)], "ref"),
        ([job("cold", scenario="cold_start"), job("a", scenario="server")], "a"),
        ([job("ref", memory_limit_bytes=10**9), job("a")], "a"),
        ([job("ref", memory_limit_bytes=10**9)], None),
        ([job("ref", provider="OpenVINOExecutionProvider", device="GPU")], None),
        ([job("ref", backend="torch"), job("null", backend="null")], None),
        ([], None),
    ],
)
def test_its_host_keeps_to_one_thread_where_one_does(jobs: list[Job], host: str | None) -> None:
    assert choose_host(jobs, "ref") == host
