"""Rows that can't be read are left out and listed, and what is left stands."""

import contextlib
import json
import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import profiler
from profiler import cli
from profiler.errors import ResultsError
from profiler.results.results import Results
from profiler.wire.hashes import sha_of

STUDY = (
    'variants = ["fp32", "int8-dynamic"]\n[stress]\nperturbations = ["shifted"]\nseverities = [1]'
)


@pytest.fixture
def folder(measured: Callable[[str], Path]) -> Path:
    """A folder of two trials and stress, measured once and copied for each test."""
    return measured(STUDY)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def write(folder: Path, held: list[dict[str, Any]]) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in held))


def change(folder: Path, line: int, act: Callable[[dict[str, Any]], Any]) -> list[str]:
    """Change a row (counted from 1); what is left out then."""
    held = rows(folder)
    act(held[line - 1])
    write(folder, held)
    found = Results.load(folder)
    assert found.samples
    return list(found.faults)


def first(row: dict[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = row["repetitions"][0]
    return one


BLOCK = "repetitions[0].blocks[0]"


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda r: r.pop("group"), "group: expected a whole number (required), got nothing"),
        (lambda r: r.update(group=7), "group: expected a group of plan.json, got 7"),
        (lambda r: r.update(target="other"), "target: expected 'local-cpu', got \"other\""),
        (lambda r: r.update(kind="later"), "kind: expected one of round, stress, probe, lost"),
        (lambda r: r.pop("kind"), "kind: expected one of round, stress, probe, lost, got nothing"),
        (lambda r: r.update(more=1), "more: unknown key"),
        (lambda r: r.update(study_hash="0"), "study_hash: expected"),
        (lambda r: r.update(elapsed_s=-1), "elapsed_s: expected a number from 0"),
        (lambda r: r.update(raw="raw/none.parquet"), "can't be read (No such file"),
        (lambda r: r.update(facts="0" * 64), "can't be read (No such file"),
        (lambda r: r.update(repetitions=[]), "repetitions: expected one or more"),
        (lambda r: r.update(artifacts={next(iter(r["artifacts"])): "0"}), "of artifacts.json"),
        (lambda r: first(r).update(trial="x"), "repetitions[0].trial: expected a trial of group 0"),
        (lambda r: first(r).update(round=3), "repetitions[0].round: expected 0, got 3"),
        (lambda r: first(r)["blocks"].pop(), "latencies of 1 to"),
        (lambda r: first(r)["blocks"][0].update(queries=0), f"{BLOCK}.queries: expected"),
        (lambda r: first(r)["blocks"][0].update(wall_ns=0), f"{BLOCK}.wall_ns: expected"),
        (lambda r: first(r)["blocks"][0].update(cpu_ns="x"), f"{BLOCK}.cpu_ns: expected a whole"),
        (lambda r: r.update(schema_version=True), "schema_version: expected 1, got true"),
    ],
)  # fmt: skip
def test_a_round_that_does_not_fit_is_left_out_and_named(
    folder: Path, act: Callable[[dict[str, Any]], Any], said: str
) -> None:
    (fault,) = change(folder, 1, act)
    assert fault.startswith("rows.jsonl: line 1: ")
    assert said in fault
    kept = Results.load(folder)
    assert {key[1] for key in kept.samples[next(iter(kept.trials))].taken} == {1, 2, 3}


@pytest.mark.parametrize(
    ("kind", "act", "said"),
    [
        ("stress", lambda r: r.update(trial="x"), "trial: expected a planned trial"),
        ("stress", lambda r: r.update(severity="high"), "severity: expected a whole number"),
        ("stress", lambda r: r.update(answers=None), "answers: expected a SHA-256"),
        ("probe", lambda r: r.update(outcome="fine"), "outcome: expected one of answer"),
        ("probe", lambda r: r.update(wall_ns=True), "wall_ns: expected a whole number"),
    ],
)
def test_a_row_of_stress_that_does_not_fit_is_left_out(
    folder: Path, kind: str, act: Callable[[dict[str, Any]], Any], said: str
) -> None:
    line = next(n for n, row in enumerate(rows(folder), 1) if row["kind"] == kind)
    (fault,) = change(folder, line, act)
    assert fault.startswith(f"rows.jsonl: line {line}: {said}")
    assert Results.load(folder).stress.points


def test_a_row_that_stands_there_twice_counts_once(folder: Path) -> None:
    before, held = Results.load(folder).rows, rows(folder)
    write(folder, [held[0], *held])
    found = Results.load(folder)
    assert found.faults == ("rows.jsonl: line 2: says what line 1 says, which counts",)
    assert len(found.rounds) == 4
    assert found.rows == before


def test_a_line_without_its_end_is_told(folder: Path) -> None:
    path, count = folder / "rows.jsonl", len(rows(folder))
    path.write_bytes(path.read_bytes()[:-20])
    assert Results.load(folder).faults == (f"rows.jsonl: line {count}: is not whole",)


@pytest.mark.parametrize(
    ("value", "said"), [(0, "got 0 to"), (-5, "got -5 to"), (2**62, f"to {2**62} ns")]
)
def test_latencies_are_times(folder: Path, value: int, said: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "raw" / "g0-r0001.parquet"
    table = pq.read_table(path)
    changed = table["latency_ns"].to_pylist()
    changed[0] = value
    pq.write_table(table.set_column(2, "latency_ns", pa.array(changed)), path)
    (fault,) = Results.load(folder).faults
    assert fault.startswith("rows.jsonl: line 2: raw/g0-r0001.parquet: m/")
    assert said in fault


def test_no_round_at_all_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "raw")
    with pytest.raises(ResultsError, match=r"rows\.jsonl: line 1: .* \(and 3 more lines\)"):
        _ = Results.load(folder).rows


def test_facts_of_another_shape_are_refused(folder: Path) -> None:
    import hashlib

    (path,) = (folder / "facts").iterdir()
    data = json.dumps({**json.loads(path.read_text()), "gpus": 7}).encode()
    name = hashlib.sha256(data).hexdigest()
    path.with_name(f"{name}.json").write_bytes(data)
    (fault,) = change(folder, 1, lambda row: row.update(facts=name))
    assert f"facts/{name}.json: gpus: expected a list" in fault


def said_by(
    capsys: pytest.CaptureFixture[str], *words: str, whole: bool = False
) -> tuple[str, str]:
    """stdout, as one line unless it is wanted whole, and stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["profiler", *words])
        with contextlib.suppress(SystemExit):
            cli.main()
    found = capsys.readouterr()
    return found.out if whole else " ".join(found.out.split()), found.err


def test_every_command_says_what_was_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, 1, lambda row: row.update(group=7))
    fault = "rows.jsonl: line 1: group: expected a group of plan.json, got 7"
    out, err = said_by(capsys, "table", str(folder))
    assert err == f"warning: {folder}: left out: {fault}\n"
    assert "1 fault in the folder: what can't be read is left out (profiler check)" in out
    out, err = said_by(capsys, "check", str(folder))
    assert f"problem left out: {fault}" in out
    out, err = said_by(capsys, "table", "--json", str(folder))
    assert json.loads(out)
    assert fault in err


def test_many_faults_are_told_briefly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = rows(folder)
    for row in held[2:]:
        row["kind"] = "later"
    write(folder, held)
    _, err = said_by(capsys, "table", str(folder))
    assert err.count("warning: ") == 6
    assert f"{len(held) - 7} more, which `profiler check` lists" in err


def test_a_damaged_record_is_not_gone_on_with(
    folder: Path, make_study: Callable[..., Path]
) -> None:
    study = make_study(STUDY)
    change(folder, 1, lambda row: row.update(kind="later"))
    before = (folder / "rows.jsonl").read_bytes()
    with pytest.raises(ResultsError, match=r"rows\.jsonl: line 1: kind: expected") as caught:
        profiler.run(study, folder)
    assert "restore the file" in (caught.value.hint or "")
    assert (folder / "rows.jsonl").read_bytes() == before


def plan_changed(folder: Path, act: Callable[[dict[str, Any]], Any]) -> str:
    path = folder / "plan.json"
    held = json.loads(path.read_text())
    act(held["groups"][0])
    path.write_text(json.dumps(held))
    with pytest.raises(ResultsError) as caught:
        Results.load(folder)
    return str(caught.value.message)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda g: g.update(target="other"), "groups[0].target: expected a target of meta.json"),
        (lambda g: g.update(index=-1), "groups[0].index: expected a number of its own"),
        (lambda g: g.update(reference="x"), "groups[0].reference: expected a trial of the group"),
        (lambda g: g["trials"][0].update(batch=0), "trials[0].batch: expected a number from 1"),
        (lambda g: g["trials"][1].update(baseline="x"), "trials[1].baseline: expected a trial"),
        (lambda g: g["trials"].append(g["trials"][0]), "trials[2].id: expected one trial of that"),
    ],
)
def test_a_plan_that_does_not_fit_itself_is_refused(
    folder: Path, act: Callable[[dict[str, Any]], Any], said: str
) -> None:
    assert f"plan.json: groups[0].{said.removeprefix('groups[0].')}" in plan_changed(folder, act)


def test_predictions_that_are_damaged_are_left_out(folder: Path) -> None:
    sha = first(rows(folder)[0])["outputs"]["scores"]
    path = folder / "outputs" / f"{sha}.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    found = Results.load(folder)
    (fault,) = found.faults
    trial = first(rows(folder)[0])["trial"]
    assert fault.startswith(f"predictions of {trial}: outputs/{sha}.npy: damaged: its content")
    assert trial not in found.outputs
    assert len(found.outputs) == 1
    assert all(row["p50_ns"] for row in found.rows)


def renamed(folder: Path, sha: str, values: Any) -> str:
    """Other values in the place of an array, under their own hash."""
    from profiler.store.blobs import keep_array

    new = keep_array(folder / "outputs", values)
    for name in ("rows.jsonl", "artifacts.json"):
        path = folder / name
        path.write_text(path.read_text().replace(sha, new))
    return new


def test_arrays_that_do_not_fit_are_named(folder: Path) -> None:
    made = json.loads((folder / "artifacts.json").read_text())["evaluation"]
    answers = next(row["answers"] for row in rows(folder) if row["kind"] == "stress")
    new = renamed(folder, answers, np.zeros((3, 1)))
    told = Results.load(folder).faults
    assert told
    assert all(f"outputs/{new}.npy: expected {made['rows']} rows, got 3" in one for one in told)
    new = renamed(folder, made["labels"], np.full(made["rows"], 10**9))
    with pytest.raises(ResultsError, match=rf"outputs/{new}.npy: labels: expected at most 999999"):
        _ = Results.load(folder).rows


@pytest.fixture
def weighty(folder: Path) -> tuple[Path, Path]:
    """A folder whose first model has external weights, and those weights."""
    import hashlib

    path = folder / "artifacts.json"
    made, data = json.loads(path.read_text()), b"weights"
    sha = hashlib.sha256(data).hexdigest()
    made["artifacts"][0]["data"] = [sha]
    path.write_text(json.dumps(made))
    (folder / "artifacts" / sha).write_bytes(data)
    return folder, folder / "artifacts" / sha


@pytest.mark.parametrize("which", ["model", "weights", "queries"])
def test_check_tells_files_that_are_not_what_was_measured(
    weighty: tuple[Path, Path], which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, weights = weighty
    assert "the hash" not in said_by(capsys, "check", str(folder))[0]
    prepared = Results.load(folder).prepared
    place = {
        "model": folder / next(iter(prepared.artifacts.values())).path,
        "weights": weights,
        "queries": folder / "outputs" / f"{prepared.inputs['m']['x']}.npy",
    }[which]
    held = place.read_bytes()
    place.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    found, name = sha_of(place), str(place.relative_to(folder))
    out, _ = said_by(capsys, "check", str(folder))
    expected = f"problem {name}: expected content with the hash {place.stem}, found {found}"
    assert expected in out
    assert out.count("the hash") == 1
    place.unlink()
    assert f"problem {name}: is missing" in said_by(capsys, "check", str(folder))[0]


def test_model_files_are_hashed_once(folder: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setattr("profiler.results.derived.SETTLED_NS", -1)
    first_words = said_by(capsys, "check", str(folder))

    def again(_: Path) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr("profiler.store.record.sha_of", again)
    assert said_by(capsys, "check", str(folder)) == first_words


def test_predictions_that_labels_cannot_judge_are_left_out(folder: Path) -> None:
    made = json.loads((folder / "artifacts.json").read_text())["evaluation"]
    trial, outputs = first(rows(folder)[0])["trial"], first(rows(folder)[0])["outputs"]
    renamed(folder, outputs["scores"], np.zeros((made["rows"], 2, 2, 2), np.float32))
    found = Results.load(folder)
    (fault,) = found.faults
    assert fault.startswith(f"predictions of {trial}: data.task: ")
    assert trial not in found.outputs
    assert all(row["p50_ns"] for row in found.rows)


@pytest.mark.parametrize("data", [{"task": "detection"}, None])
def test_the_task_is_the_one_of_the_study(folder: Path, data: dict[str, Any] | None) -> None:
    path = folder / "meta.json"
    held = json.loads(path.read_text())
    held["study"]["data"] = None if data is None else {**held["study"]["data"], **data}
    held["study"]["stress"] = None
    path.write_text(json.dumps(held))
    with pytest.raises(ResultsError, match=r"artifacts.json: evaluation.task: expected .* of meta"):
        Results.load(folder)


EVIL = "=a|<b>\x1b[2J\x9b31m\u202e"


def hostile(folder: Path) -> None:
    """A folder that somebody made to be read: what it says acts on terminals, where it may."""
    held = rows(folder)
    one = held[0]["repetitions"][1]
    one |= {"status": "failed", "reason": EVIL, "detail": EVIL, "latencies": None, "blocks": [],
            "services": None, "outputs": {}}  # fmt: skip
    for row in held:
        if row["kind"] in ("probe", "stress"):
            row["detail"] = EVIL
        if row["kind"] == "stress":
            row |= {"status": "failed", "reason": EVIL}
        if row["kind"] == "probe":
            row["outcome"] = "crash"
    held.append({"schema_version": 1, "kind": "lost", "target": "local-cpu", "reason": EVIL,
                 "hint": EVIL, "during": "measuring"})  # fmt: skip
    write(folder, held)
    for name, act in (
        ("artifacts.json", lambda a: [
            a["failed"].append(["m", "int4", EVIL]),
            [made["made_by"].update(producer=EVIL) for made in a["artifacts"]]]),
        ("plan.json", lambda p: p["exclusions"].append(
            {"trial": {**p["groups"][0]["trials"][1], "id": "m/int4@local-cpu"},
             "reason": EVIL, "hint": EVIL})),
        ("meta.json", lambda m: [m.update(created=EVIL),
                                 m["inputs"].update({EVIL: "0"}),
                                 m["fingerprint"].update(cpu=EVIL, os=EVIL, versions={"a": EVIL})]),
    ):  # fmt: skip
        held = json.loads((folder / name).read_text())
        act(held)
        (folder / name).write_text(json.dumps(held))


def acting(text: str) -> set[str]:
    """Characters that are neither shown nor the end of a line."""
    return {c for c in text if not c.isprintable() and unicodedata.category(c) != "Zs"} - {"\n"}


def test_nothing_that_a_folder_says_acts_where_it_is_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(folder)
    for command in (
        "table", "table --format csv", "table --format markdown", "table --json", "choose",
        "choose --json", "check", "check --json", "stress", "stress --json", "report",
    ):  # fmt: skip
        word, *options = command.split()
        out, err = said_by(capsys, word, str(folder), *options, whole=True)
        assert out, err
        assert (acting(out), acting(err)) == (set(), set()), command
    page = (folder / "report.html").read_text()
    assert acting(page.replace("\t", "")) == set()
    assert "&lt;b&gt;" in page
    assert "a|<b>" not in page
    assert acting((folder / "table.csv").read_text() + (folder / "table.md").read_text()) == set()
