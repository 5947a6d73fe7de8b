"""Which keys belong to which scenario, and what the study beside it must say."""

from typing import Any

import pytest

from profiler.schema.study.scenario import ScenarioSpec
from profiler.schema.study.study import Study
from profiler.wire.codec import DecodeError, decode
from profiler.wire.scenarios import SCENARIOS, Scenario

KINDS = 'one of "single_stream", "multi_stream", "offline", "server", "cold_start"'


@pytest.mark.parametrize(
    ("scenario", "path", "expected"),
    [
        ({}, "kind", f"{KINDS} (required)"),
        ({"kind": 5}, "kind", KINDS),
        ({"kind": ["offline"]}, "kind", KINDS),
        ({"kind": "single_stream", "batch": [2]}, "batch",
         "1 for single_stream (multi_stream has more)"),
        ({"kind": "multi_stream", "concurrency": [2]}, "concurrency",
         "1: only offline and server have more"),
        ({"kind": "offline", "gap": "1ms"}, "gap", "no gap: only single_stream has one"),
        ({"kind": "offline", "rate": 3.0}, "rate", "queries a second, for the server scenario"),
        ({"kind": "server", "cache": ["cold"]}, "cache", "cold_start: only that one loads"),
        ({"kind": "offline", "cache": []}, "cache", "at least one entry"),
    ],
)  # fmt: skip
def test_a_key_belongs_to_a_kind(scenario: dict[str, Any], path: str, expected: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(ScenarioSpec, scenario)
    assert (caught.value.path, caught.value.expected) == (path, expected)


def test_a_misspelt_kind_gets_a_suggestion() -> None:
    for misspelt in ("ofline", {"kind": "ofline"}):
        with pytest.raises(DecodeError) as caught:
            decode(ScenarioSpec, misspelt)
        assert caught.value.hint == 'did you mean "offline"?'


def test_every_kind_has_its_batch_sizes() -> None:
    found = {name: decode(ScenarioSpec, name).batch for name in SCENARIOS}
    assert found == {
        "single_stream": (1,), "multi_stream": (8,), "offline": (1, 8, 32), "server": (1,),
        "cold_start": (1,),
    }  # fmt: skip


def test_two_kinds_may_share_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCENARIOS, "bursts", Scenario("bursts", keys=("gap", "rate", "cache")))
    for key, value, expected in (
        ("gap", "1ms", "no gap: only single_stream and bursts have one"),
        ("rate", 3.0, "queries a second, for the server and bursts scenarios"),
        ("cache", ["cold"], "cold_start and bursts: only those load"),
    ):
        with pytest.raises(DecodeError) as caught:
            decode(ScenarioSpec, {"kind": "offline", key: value})
        assert caught.value.expected == expected


@pytest.mark.parametrize(
    ("scenario", "path"),
    [("server", "slo.p99"), ({"kind": "cold_start", "starts": 2}, "scenarios.starts")],
)
def test_what_the_study_must_say(scenario: object, path: str) -> None:
    plain: dict[str, Any] = {"name": "s", "models": [{"name": "m", "onnx": "m.onnx"}]}
    with pytest.raises(DecodeError) as caught:
        decode(Study, {**plain, "scenarios": [scenario]})
    assert caught.value.path == path
    enough = {"slo": {"p99": "1ms"}, "measure": {"min_rounds": 5}}
    decode(Study, {**plain, **enough, "scenarios": [scenario]})
