"""Stress from end to end: perturbed rows are predicted by the timed recipe and judged in pairs."""

import hashlib
import json
import threading

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from profiler.campaign.run import run
from profiler.campaign.stress import Visit
from profiler.commands import choose as choose_command
from profiler.commands import look
from profiler.commands.measure import refuse_lost
from profiler.devices import fleet
from profiler.errors import InputError, Interrupted, StudyError, TransportError
from profiler.report.warnings import warnings
from profiler.results.results import Results
from profiler.schema.study.study import Study
from profiler.wire.cases import CASES

pytestmark = pytest.mark.usefixtures("one_round")

STRESS = """
[stress]
perturbations = ["missing", "shifted"]
severities = [1, 5]
"""


def rows_of(folder, kind):
    lines = (folder / "rows.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


@pytest.fixture
def stressed(measured):
    """Results of two variants, and their study in tmp_path; measured once."""
    return Results.load(measured('variants = ["fp32", "int8-dynamic"]\n' + STRESS))


def test_every_variant_answers_the_same_perturbed_rows(stressed):
    results = stressed
    rows = rows_of(results.folder, "stress")
    assert len(rows) == 2 * 2 * 2
    assert {row["status"] for row in rows} == {"ok"}
    by_cell = {}
    for row in rows:
        by_cell.setdefault((row["perturbation"], row["severity"]), set()).add(str(row["inputs"]))
    assert all(len(inputs) == 1 for inputs in by_cell.values())
    assert len({str(v) for v in by_cell.values()}) == 4

    points = {(p.trial, p.perturbation, p.severity): p for p in results.stress.points}
    base = next(t for t in results.trials if "fp32" in t)
    variant = next(t for t in results.trials if "int8" in t)
    for name in ("missing", "shifted"):
        assert points[base, name, 0].accuracy == 1.0, "labels are what fp32 says"
        assert points[base, name, 5].accuracy < points[base, name, 1].accuracy
        assert points[base, name, 5].drop is None
        found = points[variant, name, 5]
        assert found.low <= found.drop <= found.high
    row = next(r for r in results.rows if r["trial"] == variant)
    assert row["stress_worst"].split()[0] in ("missing", "shifted")
    # Unperturbed rows (severity 0) may cost more: a processor whose 8-bit sums saturate.
    perturbed = [p.drop for p in results.stress.points if p.trial == variant and p.severity > 0]
    assert row["stress_drop"] == max(perturbed)


def test_the_answers_are_those_of_the_model_itself(stressed, tmp_path):
    import onnxruntime as ort

    from profiler.store.blobs import read_array
    from profiler.stress.perturb import perturb

    results = stressed
    x = np.load(tmp_path / "rows.npz")["x"][
        read_array(results.folder, results.prepared.evaluation.numbers)
    ]
    session = ort.InferenceSession(tmp_path / "model.onnx")
    base = next(t for t in results.trials if "fp32" in t)
    rows_of_base = [r for r in rows_of(results.folder, "stress") if r["trial"] == base]
    assert len(rows_of_base) == 4
    for row in rows_of_base:
        rows = perturb(x, row["perturbation"], row["severity"], seed=0, tensor="x", limits=())
        expected = session.run(None, {"x": rows})[0].argmax(axis=1)
        assert (read_array(results.folder, row["answers"]) == expected).all()


def fragile(folder):
    """The model, which says class 0 as soon as a value is beyond what ordinary rows hold."""
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    graph.node[-1].output[0] = "plain"
    limit = float(np.abs(np.load(folder / "rows.npz")["x"]).max())
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([limit], np.float32), "limit"),
            numpy_helper.from_array(np.array([[1e9, 0, 0]], np.float32), "push"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Abs", ["x"], ["size"]),
            helper.make_node("Sub", ["size", "limit"], ["beyond"]),
            helper.make_node("Relu", ["beyond"], ["excess"]),
            helper.make_node("ReduceMax", ["excess"], ["most"], axes=[1]),
            helper.make_node("Mul", ["most", "push"], ["pushed"]),
            helper.make_node("Add", ["plain", "pushed"], ["scores"]),
        ]
    )
    onnx.save(model, folder / "fragile.onnx")


@pytest.fixture
def broken(make_study, measured, tmp_path):
    """Results of the model and its fragile variant; measured once."""
    make_study()
    fragile(tmp_path)
    return Results.load(
        measured(
            'variants = ["fp32", { name = "fragile", file = "fragile.onnx" }]\n'
            '[stress]\nperturbations = ["scaled"]\nseverities = [1, 5]\nprobes = false\n'
            'margin = "5pp"\n'
        )
    )


def test_a_variant_that_breaks_is_found_and_told(broken, tmp_path, capsys):
    results = broken
    row = next(r for r in results.rows if r["variant"] == "fragile")
    assert row["drop"] == 0
    assert row["stress_broken"].startswith("scaled from severity 5")
    assert row["stress_drop"] > 0.2
    assert results.stress.warnings(row["trial"]) == [row["stress_broken"]]
    base = next(r for r in results.rows if r["is_baseline"])
    assert base["stress_broken"] is None
    assert results.stress.warnings(base["trial"]) == []

    look.stress(results, json=False)
    told = capsys.readouterr().out
    assert "Accuracy under stress, %: m on local-cpu, fp32" in told
    assert "Loss beyond the baseline under the same stress, points: m on local-cpu" in told
    assert "↓" in told
    assert "scaled from severity 5" in " ".join(told.split())
    look.stress(results, json=True)
    points = json.loads(capsys.readouterr().out)["points"]
    assert {p["verdict"] for p in points if p["trial"] == row["trial"] and p["severity"] == 5} == {
        "worse"
    }
    page = look.write(results, tmp_path / "report")["report.html"].read_text()
    assert "<h2>Stress: m on local-cpu</h2>" in page
    assert 'id="stress-0"' in page
    assert "scaled from severity 5" in page


def test_the_choice_says_when_it_breaks_under_stress(broken, capsys):
    results = broken
    trial = next(t for t in results.trials if "fragile" in t)
    rows = results._chooser._rows
    alone = [r for r in rows.measured if r["trial"] == trial]
    rows.__dict__["measured"] = alone  # whatever wins: this one alone is left
    assert results.choose().trial == trial
    choose_command.choose(results, {}, None, json=False)
    assert "warning under stress: scaled from severity 5" in " ".join(
        capsys.readouterr().out.split()
    )
    choose_command.choose(results, {}, None, json=True)
    assert "scaled" in json.loads(capsys.readouterr().out)["warnings"][0]


def test_probes_need_no_data(make_study, tmp_path, capsys):
    path = make_study("[stress]\n", data=False)
    results = run(path, tmp_path / "out")
    probes = {row.case: row for row in results.stress.probes}
    assert set(probes) == set(CASES)
    assert probes["wrong_shape"].outcome == "error"
    assert probes["wrong_dtype"].outcome == "error"
    assert probes["nan"].outcome == "NaN out"
    assert probes["oversize_batch"].outcome == "answer"
    assert results.stress.points == ()
    look.stress(results, json=False)
    told = capsys.readouterr().out
    assert "Failure probes: m on local-cpu" in told
    assert "(an ordinary query)" in told


def test_a_folder_without_stress_says_what_to_do(measured):
    results = Results.load(measured())
    with pytest.raises(InputError, match="nothing was stressed") as caught:
        look.stress(results, json=False)
    assert "[stress]" in caught.value.hint


def test_what_was_answered_is_kept_when_stopped(make_study, tmp_path, monkeypatch):
    path = make_study('variants = ["fp32", "int8-dynamic"]\n' + STRESS)
    asked, ask = [], Visit._predict

    def stop(self, trial, shas, numbers, name, severity):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append((trial.id, name, severity))
        ask(self, trial, shas, numbers, name, severity)

    monkeypatch.setattr(Visit, "_predict", stop)
    with pytest.raises(Interrupted):
        run(path, tmp_path / "out")
    assert len(rows_of(tmp_path / "out", "stress")) == 3
    told = warnings(Results.load(tmp_path / "out"))
    assert any(text.startswith("21 answers under stress are missing") for text in told), told
    again = []

    def go_on(self, trial, shas, numbers, name, severity):
        again.append((trial.id, name, severity))
        ask(self, trial, shas, numbers, name, severity)

    monkeypatch.setattr(Visit, "_predict", go_on)
    run(path, tmp_path / "out")
    assert len(again) == 5
    assert not any("missing" in text for text in warnings(Results.load(tmp_path / "out")))
    assert not set(again) & set(asked)


@pytest.mark.parametrize(
    ("stress", "error", "parts"),
    [
        ('perturbations = ["blurr"]', StudyError, ("stress.perturbations", "blurr", "blur")),
        ('perturbations = ["typos"]', InputError, ("typos", "[data.text]")),
        ('perturbations = ["missing", "tabular"]', StudyError, ("occur once",)),
        ('perturbations = ["missing"]\nseverities = [6]', StudyError, ("severities",)),
        ('perturbations = ["blur"]', InputError, ("blur", "images", "float32")),
        ('perturbations = ["missing"]\ninputs = ["y"]', InputError, ("stress.inputs", "'y'")),
        ("probes = false", StudyError, ("at least one",)),
    ],
)
def test_what_can_not_be_done_is_one_clear_error(make_study, tmp_path, stress, error, parts):
    path = make_study(f"[stress]\n{stress}\n")
    with pytest.raises(error) as caught:
        run(path, tmp_path / "out")
    told = f"{caught.value.message} {caught.value.hint}"
    for part in parts:
        assert part in told
    assert not (tmp_path / "out" / "rows.jsonl").exists(), "told before anything is measured"


def test_the_plan_tells_of_stress(make_study, capsys):
    look.plan(make_study(STRESS), json=False)
    assert "4 perturbed sets of at most 1000 rows" in " ".join(capsys.readouterr().out.split())


def test_perturbations_need_data(make_study):
    path = make_study(STRESS, data=False)
    with pytest.raises(StudyError, match=r"\[data\]"):
        Study.read(path)


def test_a_device_that_leaves_during_stress_is_a_row_until_it_is_back(
    make_study, tmp_path, monkeypatch
):
    path = make_study(STRESS)
    ask = Visit._predict

    def gone(self, trial, shas, numbers, name, severity):
        if severity == 5:
            raise TransportError("the cable was pulled")
        ask(self, trial, shas, numbers, name, severity)

    monkeypatch.setattr(Visit, "_predict", gone)
    results = run(path, tmp_path / "out")
    assert results.lost["local-cpu"].reason == "the cable was pulled"
    assert results.complete
    told = [text for text in warnings(results) if "the cable was pulled" in text]
    assert told == [
        "local-cpu: lost during stress, after its intervals were complete: the cable was pulled"
    ]
    with pytest.raises(TransportError, match="lost during stress, its intervals are complete"):
        refuse_lost(results)
    assert len(rows_of(tmp_path / "out", "stress")) == 1
    monkeypatch.setattr(Visit, "_predict", ask)
    results = run(path, tmp_path / "out")
    assert results.lost == {}
    assert len(rows_of(tmp_path / "out", "stress")) == 4


def test_two_targets_stressed_at_once_disturb_each_other_in_nothing(
    make_study, tmp_path, monkeypatch
):
    (tmp_path / "targets").mkdir()
    for name in ("one", "two"):
        (tmp_path / "targets" / f"{name}.toml").write_text("")
    short = '[measure]\nbudget = "3s"\nround_time = "5ms"\nblock_time = "1ms"\nmax_rounds = 4\n'
    path = make_study(STRESS + "probes = false\n" + short, targets='["one", "two"]')
    monkeypatch.setattr(fleet, "_machine", lambda target: target.name)  # else they take turns
    together, cell = threading.Barrier(2), Visit._cell

    def at_once(self, trials, name, severity):
        together.wait(60)
        cell(self, trials, name, severity)

    monkeypatch.setattr(Visit, "_cell", at_once)
    results = run(path, tmp_path / "out")
    assert results.lost == {}
    rows = rows_of(tmp_path / "out", "stress")
    assert len(rows) == 2 * 2 * 2
    assert {(row["status"], row["reason"]) for row in rows} == {("ok", None)}
    answers = {}
    for row in rows:
        answers.setdefault((row["perturbation"], row["severity"]), set()).add(row["answers"])
    assert [len(same) for same in answers.values()] == [1] * 4, "one model, the same rows"
    for file in (tmp_path / "out" / "outputs").iterdir():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == file.stem
