import numpy as np
import pytest

from profiler.data.leakage import check, shared_rows
from profiler.data.read import read
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec


def parts(**rows):
    return {name: np.array(numbers) for name, numbers in rows.items()}


def test_equal_rows_within_a_part_are_fine():
    inputs = {"x": np.array([[1, 2], [1, 2], [3, 4]])}
    check(inputs, parts(calibration=[0, 1], evaluation=[2]), "d")


def test_every_input_counts():
    inputs = {"x": np.array([1, 1]), "y": np.array([1, 2])}
    assert shared_rows(inputs, parts(calibration=[0], evaluation=[1])) == []
    inputs["y"][1] = 1
    found = shared_rows(inputs, parts(calibration=[0], evaluation=[1]))
    assert found == [("calibration", 0, "evaluation", 1)]


def write(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    x[33] = x[7]
    split = np.array(["calibration"] * 10 + ["evaluation"] * 20 + ["confirmation"] * 10)
    np.savez(tmp_path / "d.npz", x=x, s=split, y=np.zeros(40, int))


def test_a_study_stops_with_the_row_numbers(tmp_path):
    write(tmp_path)
    with pytest.raises(DataError) as caught:
        read(DataSpec(file="d.npz", labels="y", split="s"), tmp_path)
    assert "1 row(s) are in two parts" in caught.value.message
    assert "calibration row 7 = confirmation row 33" in caught.value.message
    assert "allow_duplicates" in str(caught.value.hint)
    spec = DataSpec(file="d.npz", labels="y", split="s", allow_duplicates=True)
    found = read(spec, tmp_path)
    assert len(found.confirmation) == 10
    assert found.judged.tolist() == list(range(10, 40))


def test_rows_that_trained_are_compared_whatever_the_task(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    tags = np.zeros((40, 3), int)
    tags[:, 1] = 1
    np.savez(tmp_path / "d.npz", x=x, y=tags)
    np.savez(tmp_path / "train.npz", x=x[30:] + 1)
    spec = DataSpec(file="d.npz", labels="y", train="train.npz", task="token-classification",
                    tags=("O", "B-x"), calibration_rows=10)  # fmt: skip
    assert len(read(spec, tmp_path).evaluation) == 30
    np.savez(tmp_path / "train.npz", x=x[30:])
    with pytest.raises(DataError, match="train row 0 = "):
        read(spec, tmp_path)
