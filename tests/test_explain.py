"""The whole way: a study, its traces through the worker, the command."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import profiler
from profiler.errors import InputError, ResultsError, WorkerError
from profiler.explain import explain
from profiler.results import Results


@pytest.fixture
def results(make_study: Callable[..., Path], tmp_path: Path) -> Results:
    study = make_study('variants = ["fp32", "int8-dynamic"]\n')
    return profiler.run(study, tmp_path / "out")


def test_every_trial_and_its_baseline(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {one.trial.split("@")[0]: one for one in explain(results)}
    assert set(found) == {"m/fp32", "m/int8-dynamic"}
    profile = found["m/fp32"].profile
    assert profile.plain_us > 0
    assert set(profile.by("op")) <= {"MatMul", "Relu", "FusedMatMul"}
    assert found["m/fp32"].baseline is None
    assert found["m/int8-dynamic"].baseline == found["m/fp32"].trial
    assert found["m/int8-dynamic"].differences
    assert json.loads(found["m/fp32"].trace.read_text())

    def no_device(*_: object) -> None:
        raise AssertionError("a stored trace needs no device")

    monkeypatch.setattr("profiler.explain.open_session", no_device)
    again = explain(Results.load(results.folder), "int8-dynamic")
    assert [one.trial for one in again] == [found["m/int8-dynamic"].trial]
    assert again[0].profile == found["m/int8-dynamic"].profile
    with pytest.raises(AssertionError, match="stored trace"):
        explain(results, "int8-dynamic", fresh=True)


def test_a_damaged_trace_says_what_to_do(results: Results) -> None:
    (one,) = explain(results, "fp32")
    one.trace.write_text("[")
    with pytest.raises(ResultsError) as caught:
        explain(results, "fp32")
    assert "--fresh" in str(caught.value.hint)
    one.trace.with_suffix(".meta.json").write_text("{")
    with pytest.raises(ResultsError, match=r"meta\.json"):
        explain(results, "fp32")
    assert explain(results, "fp32", fresh=True)


def test_another_machine_is_a_warning(results: Results) -> None:
    (one,) = explain(results, "fp32")
    meta = one.trace.with_suffix(".meta.json")
    changed = json.loads(meta.read_text())
    changed["facts"]["onnxruntime"] = "0.1"
    meta.write_text(json.dumps(changed))
    assert "traced with 0.1" in explain(results, "fp32")[0].warnings[0]


def test_what_cannot_be_explained(
    results: Results, make_study: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="'int9'"):
        explain(results, "int9")
    for path in (results.folder / "artifacts").iterdir():
        path.write_bytes(b"no model")
    with pytest.raises((ResultsError, WorkerError)):
        explain(results, fresh=True)


def test_the_command(results: Results, tmp_path: Path) -> None:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from profiler.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, "explain", str(results.folder), *arguments],
            capture_output=True, text=True, cwd=tmp_path, timeout=120,
        )  # fmt: skip

    done = call("int8-dynamic")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "traces/" not in line) <= 80
    assert any(line.startswith("operators") for line in lines)
    assert any("against the baseline" in line for line in lines)
    assert "tracing" in done.stderr
    plain = json.loads(call("--json").stdout)
    assert {one["trial"].split("@")[0] for one in plain} == {"m/fp32", "m/int8-dynamic"}
    assert plain[0]["ops_us"]
    wrong = call("int8-dynamik")
    assert wrong.returncode == 2
    assert "did you mean" in wrong.stderr
    assert "Traceback" not in wrong.stderr
