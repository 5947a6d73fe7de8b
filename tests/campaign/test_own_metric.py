"""A user's own metric, and the rows that trained the model, from end to end."""

import json

import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.commands import look
from profiler.errors import ProfilerError, ResultsError
from profiler.results.results import load

pytestmark = pytest.mark.usefixtures("one_round")

ROW = "def score(outputs, labels):\n    return outputs.argmax(axis=1) == labels\n"
WHOLE = "def score(outputs, labels):\n    return float((outputs.argmax(axis=1) == labels).mean())\n"


def study(make_study, tmp_path, code, data="", variants='["fp32", "int4:rtn-16"]'):
    path = make_study(f"variants = {variants}")
    (tmp_path / "mine.py").write_text(code)
    text = path.read_text().replace("[data]\n", f'[data]\nmetric = "mine.py:score"\n{data}')
    path.write_text(text)
    return path


@pytest.mark.parametrize("code", [ROW, WHOLE])
def test_the_function_is_the_accuracy(make_study, tmp_path, code, capsys):
    results = run(study(make_study, tmp_path, code), tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    assert rows["fp32"]["accuracy"] == 1.0
    lost = rows["int4-rtn-16"]["flips"] / 40
    assert rows["int4-rtn-16"]["accuracy"] == pytest.approx(1 - lost)
    assert rows["int4-rtn-16"]["drop"] == pytest.approx(lost)
    assert rows["int4-rtn-16"]["quality"] in ("undecided", "worse", "non-inferior")
    look.table(results, "text")
    assert "accuracy: mine.py:score" in capsys.readouterr().out
    # reading runs no code of the study
    (tmp_path / "mine.py").write_text("raise SystemExit('it was run')\n")
    assert load(tmp_path / "out").rows[0]["accuracy"] == 1.0
    # and takes nothing on trust
    record = tmp_path / "out" / "metric.json"
    held = json.loads(record.read_text())
    next(iter(held["evaluation"].values()))["accuracy"] = [1]
    record.write_text(json.dumps(held))
    with pytest.raises(ResultsError, match=r"metric\.json: evaluation\..*\.accuracy: expected"):
        _ = load(tmp_path / "out").rows


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("def scores(o, l): return 1\n", 'expected a callable "score" in "mine"'),
        ("import nowhere\n", 'importing "mine" failed'),
        ("def score(o, l): return o[:3, 0]\n", "one finite number, or 40 of them"),
        ("def score(o, l): return float('nan')\n", "got NaN or Inf"),
        ("def score(o, l): return 1 / 0\n", "division by zero"),
    ],
)
def test_what_goes_wrong_is_told(make_study, tmp_path, code, part):
    path = study(make_study, tmp_path, code, variants='["fp32"]')
    with pytest.raises(ProfilerError) as caught:
        run(path, tmp_path / "out")
    assert part in caught.value.message
    assert "mine" in caught.value.message


def test_rows_that_trained_the_model_stop_the_study(make_study, tmp_path):
    path = make_study()
    x = np.load(tmp_path / "rows.npz")["x"]
    fresh = np.random.default_rng(9).standard_normal((30, 16))
    fresh[11] = x[40]  # float64: the same numbers are the same row
    np.savez(tmp_path / "train.npz", x=fresh, labels=np.zeros(30, int))
    path.write_text(path.read_text().replace("[data]\n", '[data]\ntrain = "train.npz"\n'))
    with pytest.raises(ProfilerError) as caught:
        run(path, tmp_path / "out")
    assert "train row 11 = " in caught.value.message
    assert "row 40" in caught.value.message
    np.savez(tmp_path / "train.npz", x=fresh[:, :8])
    with pytest.raises(ProfilerError, match=r"data\.train: x: expected rows of float32"):
        run(path, tmp_path / "other")
