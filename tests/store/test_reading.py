"""A results folder may be damaged or come from anybody: its names stay inside, its values fit."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.errors import InputError, ResultsError
from profiler.explain import take as explain_module
from profiler.explain.take import explain
from profiler.results.results import Results
from profiler.store import reading
from profiler.store.blobs import read_array
from profiler.store.folder import Store
from profiler.wire.codec import DecodeError

OUTSIDE = r"lies outside|no regular file"


@pytest.fixture
def folder(measured: Callable[[str], Path]) -> Path:
    """A folder of one trial, measured once and copied for each test."""
    return measured()


def change(path: Path, act: Callable[[dict[str, Any]], None]) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()] if (
        path.suffix == ".jsonl") else [json.loads(path.read_text())]  # fmt: skip
    act(lines[0])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def told(folder: Path) -> str:
    with pytest.raises(ResultsError) as caught:
        _ = Results.load(folder).rows
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return str(caught.value.message)


def test_what_does_not_decode_is_bad_input() -> None:
    assert issubclass(DecodeError, InputError)
    error = DecodeError("a", "text", 1, "say it")
    assert (error.exit_code, error.hint, str(error)) == (2, "say it", "a: expected text, got 1")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "raw/../../secret", "link", "", "a\0b", "ring"]
)
def test_a_name_stays_inside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("{}")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "ring").symlink_to(folder / "ring")
    with pytest.raises(ResultsError, match="lies outside of the results folder"):
        reading.bytes_of(folder, name)


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("here")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "sibling").symlink_to(tmp_path)
    assert reading.bytes_of(tmp_path / "sibling", "b") == b"here"


@pytest.mark.parametrize("name", ["meta.json", "plan.json", "artifacts.json", "rows.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name) if kind == "pipe" else (folder / name).mkdir()
    said = "no regular file" if kind == "pipe" else "a folder"
    assert f"{name}: can't be read (it is {said})" in told(folder)


def test_raw_latencies_lie_in_the_folder(folder: Path, tmp_path: Path) -> None:
    shutil.copy(next((folder / "raw").iterdir()), tmp_path / "x.parquet")
    change(folder / "rows.jsonl", lambda row: row.update(raw="../x.parquet"))
    (fault,) = Results.load(folder).faults
    assert '"../x.parquet" lies outside' in fault


def test_predictions_are_named_by_their_hash(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(4))

    def theirs(row: dict[str, Any]) -> None:
        row["repetitions"][0]["outputs"] = {"y": "../../x"}

    change(folder / "rows.jsonl", theirs)
    (fault,) = Results.load(folder).faults
    assert "64 hex digits" in fault
    with pytest.raises(ResultsError, match="64 hex digits"):
        read_array(folder, "../../x")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("path", "/etc/passwd", r"artifacts\[0\].path: expected a file below artifacts/"),
        ("path", "artifacts/../../x", r"artifacts\[0\].path: expected a file below artifacts/"),
        ("sha", "../../x", r"artifacts\[0\].sha: expected a SHA-256"),
        ("data", ["/etc/passwd"], r"artifacts\[0\].data\[0\]: expected a SHA-256"),
        ("bytes", "many", r"artifacts\[0\].bytes: expected a whole number, got \"many\""),
    ],
)
def test_an_artifact_lies_in_the_folder(folder: Path, key: str, value: Any, said: str) -> None:
    change(folder / "artifacts.json", lambda held: held["artifacts"][0].update({key: value}))
    with pytest.raises(ResultsError, match=r"artifacts\.json: " + said):
        Results.load(folder)


def no_device(*_: object) -> None:
    raise AssertionError("a device was asked")


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_explain_copies_no_file_of_the_reader(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What `explain` stages to a device is in the folder, whatever stands in the model's place."""
    monkeypatch.chdir(tmp_path)
    results = Results.load(folder)
    (artifact,) = results.prepared.artifacts.values()
    place = folder / artifact.path
    shutil.copy(place, tmp_path / "secret")
    place.unlink()
    place.symlink_to(tmp_path / "secret") if kind == "link" else os.mkfifo(place)
    with pytest.raises(ResultsError, match=OUTSIDE):
        results.prepared.file(folder, artifact.sha)
    with pytest.raises(ResultsError, match=OUTSIDE):
        explain(results)


def test_explain_takes_weights_from_beside_the_model_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    monkeypatch.chdir(tmp_path)
    results = Results.load(folder)
    (artifact,) = results.prepared.artifacts.values()
    model = onnx.load(folder / artifact.path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    (folder / artifact.path).write_bytes(model.SerializeToString())
    with pytest.raises(ResultsError, match='takes its weights from "/etc/passwd"'):
        explain(results)


def test_explain_writes_no_trace_through_a_link(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_module, "open_session", no_device)
    (tmp_path / "mine").mkdir()
    (folder / "traces").symlink_to(tmp_path / "mine")
    with pytest.raises(ResultsError, match=r"traces.* lies outside"):
        explain(Results.load(folder), fresh=True)
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "act", "said"),
    [
        ("meta.json", lambda m: m.pop("study"), "meta.json: study: expected a table (required)"),
        ("meta.json", lambda m: m.update(targets=7), "meta.json: targets: expected a list"),
        ("meta.json", lambda m: m["targets"][0].pop("name"), "meta.json: targets[0].name"),
        ("meta.json", lambda m: m["study"].update(seed="x"), "meta.json: study.seed: expected"),
        ("meta.json", lambda m: m.update(more=1), "meta.json: more: unknown key"),
        ("meta.json", lambda m: m.update(study_hash=None), "meta.json: study_hash: expected text"),
        ("meta.json", lambda m: m["fingerprint"].update(git=7), "fingerprint.git: expected a ta"),
        ("meta.json", lambda m: m["fingerprint"].update(gpus=[7]), "fingerprint.gpus[0]: expec"),
        ("plan.json", lambda p: p.pop("groups"), "plan.json: groups: expected a list"),
        ("plan.json", lambda p: p["groups"][0]["trials"][0].pop("batch"), "trials[0].batch"),
        ("artifacts.json", lambda a: a.pop("artifacts"), "artifacts.json: artifacts: expected"),
        ("artifacts.json", lambda a: a["evaluation"].update(rows=0), "evaluation.rows: expected"),
    ],
)
def test_a_damaged_file_says_file_key_expected_and_got(
    folder: Path, name: str, act: Callable[[dict[str, Any]], None], said: str
) -> None:
    change(folder / name, act)
    assert said in told(folder)


def test_not_a_number_is_no_value(folder: Path) -> None:
    (folder / "plan.json").write_text('{"groups": NaN}')
    assert "plan.json: can't be read (NaN is no value of JSON)" in told(folder)


def test_facts_are_what_their_name_says(folder: Path) -> None:
    (path,) = (folder / "facts").iterdir()
    path.write_text(path.read_text().replace("cores", "cares", 1))
    assert "damaged: its content has the hash" in told(folder)
    path.unlink()
    assert "can't be read (No such file or directory)" in told(folder)


def test_a_damaged_raw_file_is_named(folder: Path) -> None:
    for path in (folder / "raw").iterdir():
        path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)
    assert "raw latencies can't be read" in told(folder)


def test_a_store_reads_only_hashes_as_facts(folder: Path) -> None:
    with pytest.raises(ResultsError, match="64 hex digits"):
        Store.read(folder).facts("../meta")
