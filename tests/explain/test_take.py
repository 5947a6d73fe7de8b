"""The whole way: a study, its traces through the worker, the command."""

import functools
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler.commands import explain as command
from profiler.errors import InputError, ResultsError, StudyError, WorkerError
from profiler.explain import take as explain_module
from profiler.explain.take import explain
from profiler.results.results import Results
from profiler.schema.device.target import Target
from profiler.schema.device.target_files import find_target


@pytest.fixture
def results(measured: Callable[..., Path]) -> Results:
    return Results.load(measured('variants = ["fp32", "int8-dynamic"]\n'))


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

    monkeypatch.setattr("profiler.explain.take.open_session", no_device)
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


def rewritten(results: Results, name: str, change: Callable[[dict[str, Any]], None]) -> Results:
    path = results.folder / name
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    return Results.load(results.folder)


def test_a_program_that_the_folder_names_is_never_run(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's folder names an interpreter and a plug-in: the reader's target counts."""
    trap, mark = tmp_path / "trap", tmp_path / "was-run"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\n")
    trap.chmod(0o755)

    def change(meta: dict[str, Any]) -> None:
        meta["targets"][0].update(python=str(trap), plugin="trap", session_options={"a": "b"})

    asked = []
    opened = explain_module.open_session

    def noted(target: Target, *rest: Any) -> Any:
        asked.append(target)
        return opened(target, *rest)

    monkeypatch.setattr(explain_module, "open_session", noted)
    (one, *_) = explain(rewritten(results, "meta.json", change), "fp32", fresh=True)
    assert not mark.exists()
    assert one.profile.plain_us > 0
    assert asked == [find_target("local-cpu", tmp_path)]


def test_a_target_that_the_reader_lacks_is_asked_for(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("profiler.schema.device.target_files.target_folders", lambda folder: [])
    monkeypatch.setattr("profiler.explain.take.open_session", None)
    with pytest.raises(StudyError, match=r'no target called "local-cpu".*your own target') as e:
        explain(results, fresh=True)
    assert "targets/local-cpu.toml" in str(e.value.hint)


def test_options_that_could_load_a_library_come_from_the_readers_target_alone(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(plan: dict[str, Any]) -> None:
        plan["groups"][0]["trials"][0]["provider_options"] = {"backend_path": "./evil.so"}

    monkeypatch.setattr("profiler.explain.take.open_session", None)
    with pytest.raises(InputError, match=r'backend_path = "\./evil\.so" names a file'):
        explain(rewritten(results, "plan.json", change), fresh=True)

    def other(plan: dict[str, Any]) -> None:
        plan["groups"][0]["trials"][0]["provider"] = "QNNExecutionProvider"

    with pytest.raises(InputError, match=r"your target .* has CPUExecutionProvider"):
        explain(rewritten(results, "plan.json", other), fresh=True)


def test_a_torch_source_runs_only_after_a_yes(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends a folder could name any function that can be imported here."""
    places = tmp_path / "targets"
    places.mkdir()
    (places / "local-cpu.toml").write_text('backend = "torch"\nprovider = "torch-eager"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("profiler.explain.take.open_session", None)

    def change(meta: dict[str, Any]) -> None:
        meta["study"]["models"][0].update(onnx=None, torch="theirs:model")

    def provider(plan: dict[str, Any]) -> None:
        for trial in plan["groups"][0]["trials"]:
            trial["provider"] = "torch-eager"

    rewritten(results, "meta.json", change)
    theirs = rewritten(results, "plan.json", provider)
    with pytest.raises(InputError, match="theirs:model: a torch source") as caught:
        explain(theirs, fresh=True)
    assert "--yes" in str(caught.value.hint)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(InputError, match=r"theirs:model, which .* needs your word") as caught:
        command.explain(theirs, "m/fp32", fresh=True, yes=False, quiet=True, json=True)
    said = str(caught.value.hint)
    assert said.endswith(f"profiler explain {theirs.folder} m/fp32 --yes")
    with pytest.raises(TypeError, match="NoneType"):  # past the question, to the missing session
        command.explain(theirs, "m/fp32", fresh=True, yes=True, quiet=True, json=True)


def test_the_command(
    results: Results, program: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    call = functools.partial(program, "explain", results.folder)
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
