import numpy as np
import pytest

from profiler.data.split import draw, split
from profiler.errors import DataError
from profiler.schema.study import DataSpec


def test_draw_keeps_class_shares_within_one_row():
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    for seed in range(20):
        counts = np.bincount(labels[draw(np.arange(1000), 100, labels, seed)], minlength=3)
        assert np.abs(counts - [50, 30, 20]).max() <= 1


def test_draw_is_seeded_ascending_and_unique():
    rows = np.arange(50)
    first = draw(rows, 20, None, 3)
    assert (first == draw(rows, 20, None, 3)).all()
    assert (first != draw(rows, 20, None, 4)).any()
    assert (np.diff(first) > 0).all()


def test_drawn_parts_are_disjoint_and_complete():
    labels = np.arange(100) % 7
    calibration, evaluation = split(
        DataSpec(file="d", calibration_rows=30), None, 100, labels, 0, "d"
    )
    assert len(calibration) == 30
    assert sorted([*calibration, *evaluation]) == list(range(100))


def test_evaluation_rows_limits():
    spec = DataSpec(file="d", calibration_rows=30, evaluation_rows=25)
    calibration, evaluation = split(spec, None, 100, None, 0, "d")
    assert len(evaluation) == 25
    assert not set(calibration) & set(evaluation)


def test_regression_targets_are_no_strata():
    spec = DataSpec(file="d", calibration_rows=30, task="regression")
    calibration, _ = split(spec, None, 100, np.random.default_rng(0).random(100), 0, "d")
    assert len(calibration) == 30


def test_column_decides_and_other_values_are_unused():
    column = np.array(["train", "calibration", "evaluation", "evaluation "])
    calibration, evaluation = split(DataSpec(file="d", split="s"), column, 4, None, 0, "d")
    assert calibration.tolist() == [1]
    assert evaluation.tolist() == [2, 3]


def test_column_without_evaluation_rows():
    column = np.array(["train", "evaluate"])
    with pytest.raises(DataError) as caught:
        split(DataSpec(file="d", split="s"), column, 2, None, 0, "d.npz")
    assert 'd.npz: data.split: expected rows marked "evaluation"' in caught.value.message
    assert "it holds evaluate, train" in caught.value.message
    assert caught.value.hint == 'did you mean "evaluate"?'


def test_too_few_rows_to_calibrate():
    with pytest.raises(DataError) as caught:
        split(DataSpec(file="d"), None, 100, None, 0, "d.npz")
    assert "expected fewer than the file's 100 rows, got 128" in caught.value.message
    assert caught.value.hint == "set calibration_rows = 20"
