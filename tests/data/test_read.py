import numpy as np
import pytest

from profiler.data import read
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec


def saved(folder, **columns):
    np.savez(folder / "d.npz", **columns)


def spec(**changes):
    return DataSpec(**{"file": "d.npz", "labels": "y", "calibration_rows": 2, **changes})


def failure(chosen, folder):
    with pytest.raises(DataError) as caught:
        read(chosen, folder, 0)
    return f"{caught.value.message} | {caught.value.hint}"


def test_reads_inputs_labels_and_split(tmp_path):
    saved(
        tmp_path, x=np.arange(18, dtype=np.float32).reshape(6, 3), y=np.array([0.0, 1, 2, 0, 1, 2])
    )
    got = read(spec(), tmp_path, 0)
    assert set(got.inputs) == {"x"}
    assert got.labels.dtype == np.int64
    assert got.rows == 6
    assert len(got.calibration) == 2
    assert not set(got.calibration) & set(got.evaluation)
    assert [c.name for c in got.columns] == ["x", "y"]
    assert got.columns[0].shape == (3,)
    assert not got.named


def test_sha_follows_content_and_split(tmp_path):
    x, y = np.arange(6.0), np.zeros(6, int)
    saved(tmp_path, x=x, y=y)
    first = read(spec(), tmp_path, 0)
    assert first.sha == read(spec(), tmp_path, 0).sha
    assert first.sha != read(spec(calibration_rows=3), tmp_path, 0).sha
    saved(tmp_path, x=x + 1, y=y)
    assert first.sha != read(spec(), tmp_path, 0).sha


def test_lists_of_columns_are_stacked(tmp_path):
    (tmp_path / "d.csv").write_text("a,b,y\n1,2,0\n3,4,1\n5,6,0\n")
    got = read(spec(file="d.csv", inputs={"x": ("a", "b")}), tmp_path, 0)
    assert got.inputs["x"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert got.named


def test_stacked_columns_of_unlike_shape(tmp_path):
    saved(tmp_path, a=np.ones(4), b=np.ones((4, 2)), y=np.zeros(4, int))
    text = failure(spec(inputs={"x": ("a", "b")}), tmp_path)
    assert "data.inputs.x: expected columns of one shape to stack, got a [4], b [4, 2]" in text


def test_no_labels_is_fine(tmp_path):
    saved(tmp_path, x=np.arange(6.0))
    assert read(spec(labels=None), tmp_path, 0).labels is None


def test_no_input_column(tmp_path):
    saved(tmp_path, y=np.zeros(6, int))
    assert "expected a column besides labels and split" in failure(spec(), tmp_path)


def test_nan_and_inf_in_inputs_name_the_rows(tmp_path):
    x = np.ones((9, 2))
    x[2, 1], x[5, 0] = np.nan, np.inf
    saved(tmp_path, x=x, y=np.zeros(9, int))
    text = failure(spec(), tmp_path)
    assert "data.inputs.x: expected finite numbers, got NaN or Inf in rows 2, 5" in text
    saved(tmp_path, x=np.full(9, np.nan), y=np.zeros(9, int))
    assert "rows 0, 1, 2, 3, 4 (and 4 more)" in failure(spec(), tmp_path)


def test_nan_label(tmp_path):
    saved(tmp_path, x=np.ones(4), y=np.array([0, 1, np.nan, 1]))
    assert "data.labels: expected finite numbers, got NaN or Inf in row 2" in failure(
        spec(), tmp_path
    )


def test_labels_that_are_not_whole(tmp_path):
    saved(tmp_path, x=np.ones(4), y=np.array([0, 1, 1.5, 1]))
    assert "expected whole numbers, got 1.5 in row 2" in failure(spec(), tmp_path)


def test_labels_out_of_range(tmp_path):
    saved(tmp_path, x=np.ones(4), y=np.array([0, 1, 3, 3]))
    text = failure(spec(classes=3), tmp_path)
    assert "expected 0 to 2 (classes = 3), got 3 in rows 2, 3" in text
    saved(tmp_path, x=np.ones(4), y=np.array([0, -1, 3, 3]))
    assert "expected 0 or more, got -1 in row 1" in failure(spec(), tmp_path)


def test_labels_of_other_kinds(tmp_path):
    saved(tmp_path, x=np.ones(4), y=np.array(["cat", "dog", "cat", "dog"]))
    assert 'expected whole numbers, got text in row 0: "cat"' in failure(spec(), tmp_path)
    assert 'expected numbers, got text in row 0: "cat"' in failure(
        spec(task="regression"), tmp_path
    )
    saved(tmp_path, x=np.ones(4), y=np.eye(4))
    assert "argmax" in failure(spec(), tmp_path)


def test_label_column_of_width_one_and_regression(tmp_path):
    saved(tmp_path, x=np.arange(4.0), y=np.array([[0], [1], [0], [1]]))
    assert read(spec(), tmp_path, 0).labels.shape == (4,)
    saved(tmp_path, x=np.arange(4.0), y=np.array([0.5, -1, 3, 3]))
    got = read(spec(task="regression"), tmp_path, 0)
    assert got.labels.tolist() == [0.5, -1, 3, 3]
