"""Accuracy from end to end: slices, costs, flips, and a study without labels."""

import csv
import io
import json

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.errors import InputError, StudyError

pytestmark = pytest.mark.usefixtures("one_round")


def rewrite(tmp_path, path, data):
    text = path.read_text()
    head, _, tail = text.partition("[data]")
    _, _, measure = tail.partition("[measure]")
    path.write_text(f"{head}[data]\n{data}\n[measure]{measure}")
    rows = dict(np.load(tmp_path / "rows.npz"))
    rows["camera"] = np.array(["left", "right"])[np.arange(48) % 2]
    np.savez(tmp_path / "rows.npz", **rows)


def test_slices_costs_and_flips(make_study, tmp_path, capsys):
    path = make_study('variants = ["fp32", "int4:rtn-16"]')
    rewrite(
        tmp_path, path,
        'file = "rows.npz"\nlabels = "labels"\ninputs = { x = "x" }\ncalibration_rows = 8\n'
        'slices = ["camera"]\ncosts = [[0, 1, 1], [5, 0, 1], [5, 1, 0]]',
    )  # fmt: skip
    results = run(path, tmp_path / "out")
    trial = next(t for t in results.trials if "int4" in t)
    row = next(r for r in results.rows if r["trial"] == trial)
    assert {c.column for c in results.accuracy.damage(trial)} >= {"camera"}
    assert row["decision_cost"] >= 0
    flips = results.flips("m/int4-rtn-16")
    assert len(flips) == row["flips"]
    labels = np.load(tmp_path / "rows.npz")["labels"]
    assert all(labels[f["row"]] == f["label"] for f in flips)
    look.flips(results, trial, "json")
    assert json.loads(capsys.readouterr().out) == flips
    look.flips(results, trial, "csv")
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == len(flips)
    look.flips(results, trial, "text")
    assert f"{len(flips)} of 40 rows flipped" in capsys.readouterr().out
    page = look.write(results, tmp_path / "report")["report.html"].read_text()
    for part in (
        "Task metrics",
        "Reliability: right as often",
        "Agreement with the baseline",
        "damaged more than the rest",
        "Reproducibility: ",
    ):
        assert part in page


def test_without_labels_agreement_is_known(make_study, tmp_path):
    path = make_study('variants = ["fp32", "int8-dynamic"]')
    rewrite(tmp_path, path, 'file = "rows.npz"\ninputs = { x = "x" }')
    path.write_text(path.read_text().replace('inputs = { x = "x" }', 'inputs = { x = "x" }\n'
                    'calibration_rows = 8'))  # fmt: skip
    results = run(path, tmp_path / "out")
    row = next(r for r in results.rows if r["variant"] == "int8-dynamic")
    assert row["accuracy"] is None
    assert row["sqnr_db"] > 10
    assert 0 <= row["agreement"] <= 1
    look.table(results, "text")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ('labels = "labels"\ncosts = [[0, 1], [1]]', "as many columns as rows"),
        ('labels = "labels"\ncosts = [[0, 1], [1, 0]]', "expected 3 rows and columns"),
        ('labels = "labels"\nslices = ["kamera"]', 'a column called "kamera"'),
        ('labels = "labels"\nslices = ["x"]', "at most 100 different values"),
    ],
)
def test_what_does_not_fit_is_told(make_study, tmp_path, data, part):
    path = make_study()
    rewrite(
        tmp_path, path, f'file = "rows.npz"\ninputs = {{ x = "x" }}\ncalibration_rows = 8\n{data}'
    )
    with pytest.raises((InputError, StudyError)) as caught:
        run(path, tmp_path / "out")
    assert part in caught.value.message


def test_the_choice_is_confirmed_on_rows_it_did_not_see(make_study, tmp_path, capsys):
    path = make_study('variants = ["fp32", "int8-dynamic"]')
    rewrite(
        tmp_path, path,
        'file = "rows.npz"\nlabels = "labels"\ninputs = { x = "x" }\n'
        'calibration_rows = 8\nconfirmation_rows = 15',
    )  # fmt: skip
    results = run(path, tmp_path / "out")
    assert len(results.accuracy.numbers) == 25
    assert results.confirmation is not None
    numbers = set(results.confirmation.numbers)
    assert len(numbers) == 15
    assert not numbers & set(results.accuracy.numbers)
    look.print_answer(results)
    assert "On 15 confirmation rows, unseen by the choice" in capsys.readouterr().out
