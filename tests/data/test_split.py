from pathlib import Path

import numpy as np
import pytest

from profiler.commands.model_study import study_of
from profiler.data.split import draw, split
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec


def two(parts):
    assert not len(parts.confirmation)
    return parts.calibration, parts.evaluation


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
    calibration, evaluation = two(
        split(DataSpec(file="d", calibration_rows=30), None, 100, labels, 0, "d")
    )
    assert len(calibration) == 30
    assert sorted([*calibration, *evaluation]) == list(range(100))


def test_evaluation_rows_limits():
    spec = DataSpec(file="d", calibration_rows=30, evaluation_rows=25)
    calibration, evaluation = two(split(spec, None, 100, None, 0, "d"))
    assert len(evaluation) == 25
    assert not set(calibration) & set(evaluation)


def test_regression_targets_are_no_strata():
    spec = DataSpec(file="d", calibration_rows=30, task="regression")
    calibration, _ = two(split(spec, None, 100, np.random.default_rng(0).random(100), 0, "d"))
    assert len(calibration) == 30


def test_column_decides_and_other_values_are_unused():
    column = np.array(["train", "calibration", "evaluation", "evaluation "])
    calibration, evaluation = two(split(DataSpec(file="d", split="s"), column, 4, None, 0, "d"))
    assert calibration.tolist() == [1]
    assert evaluation.tolist() == [2, 3]


def test_column_without_evaluation_rows():
    column = np.array(["train", "evaluate"])
    with pytest.raises(DataError) as caught:
        split(DataSpec(file="d", split="s"), column, 2, None, 0, "d.npz")
    assert 'd.npz: data.split: expected rows marked "evaluation"' in caught.value.message
    assert 'it holds "evaluate", "train"' in caught.value.message
    assert caught.value.hint == 'did you mean "evaluate"?'


def test_too_few_rows_to_calibrate():
    with pytest.raises(DataError) as caught:
        split(DataSpec(file="d"), None, 100, None, 0, "d.npz")
    assert "expected fewer than the file's 100 rows, got 128" in caught.value.message
    assert caught.value.hint == "set calibration_rows = 20"


@pytest.mark.parametrize(("rows", "calibrating"), [(2, 1), (100, 50), (255, 127), (1000, 128)])
def test_a_file_of_few_rows_calibrates_with_fewer(rows, calibrating):
    parts = split(DataSpec(file="d", calibration_rows="auto"), None, rows, None, 0, "d.npz")
    assert (len(parts.calibration), len(parts.evaluation)) == (calibrating, rows - calibrating)
    assert study_of([Path("m.onnx")], data=Path("d.npz")).data.calibration_rows == "auto"


def test_three_drawn_parts_are_disjoint_complete_and_stratified():
    labels = np.arange(120) % 3
    spec = DataSpec(file="d", calibration_rows=30, confirmation_rows=60)
    parts = split(spec, None, 120, labels, 0, "d")
    assert [len(rows) for rows in parts.named().values()] == [30, 30, 60]
    assert sorted(np.concatenate(list(parts.named().values()))) == list(range(120))
    assert np.bincount(labels[parts.confirmation]).tolist() == [20, 20, 20]
    again = split(spec, None, 120, labels, 0, "d")
    assert (again.confirmation == parts.confirmation).all()


def test_column_marks_three_parts():
    column = np.array(["calibration", "selection", "confirmation", "evaluation"])
    parts = split(DataSpec(file="d", split="s"), column, 4, None, 0, "d")
    assert parts.evaluation.tolist() == [1, 3]
    assert parts.confirmation.tolist() == [2]


def test_whole_groups_are_drawn():
    groups = np.repeat([str(i) for i in range(20)], 5)
    spec = DataSpec(file="d", calibration_rows=12, confirmation_rows=20, groups="g")
    parts = split(spec, None, 100, None, 0, "d", groups)
    seen = [set(groups[rows]) for rows in parts.named().values()]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]
    assert not seen[0] & seen[2]
    assert [len(rows) for rows in parts.named().values()] == [15, 65, 20]


def test_a_group_in_two_marked_parts():
    column = np.array(["calibration", "evaluation"])
    with pytest.raises(DataError) as caught:
        split(
            DataSpec(file="d", split="s", groups="g"), column, 2, None, 0, "d.npz",
            np.array(["p7", "p7"]),
        )  # fmt: skip
    assert 'group "p7" has rows in calibration and in evaluation' in caught.value.message
