"""Arrays of a results folder have the shape that their task is judged by, or are named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiler.errors import ResultsError
from profiler.schema.record.recorded import Evaluation
from profiler.schema.study.data import DataSpec
from profiler.store import arrays
from profiler.store.blobs import keep_array

ROWS = 6
BOX = [0.0, 0.0, 2.0, 2.0, 1.0]
GOOD = {
    "classification": np.arange(ROWS),
    "regression": np.ones((ROWS, 1)),
    "custom": np.ones((ROWS, 2, 2)),
    "embedding": np.zeros(ROWS, np.int64),
    "token-classification": np.full((ROWS, 3), -100),
    "segmentation": np.full((ROWS, 2, 2), 255, np.uint8),
    "detection": np.tile(np.array([[BOX, [0, 0, 0, 0, -1]]]), (ROWS, 1, 1)),
}
"""Labels of each task; of tokens and pixels none that counts: those rows may lie elsewhere."""


def read(folder: Path, task: str, values: Any) -> Any:
    """Labels that a folder keeps, and the name of their file."""
    (folder / "outputs").mkdir(exist_ok=True)
    sha, numbers = (keep_array(folder / "outputs", v) for v in (values, np.arange(ROWS)))
    extra: Any = {"metric": "a:b", "labels": "y"} if task == "custom" else {}
    evaluation = Evaluation(
        labels=sha, rows=ROWS, task=task, classes=None, output=None, data="", numbers=numbers
    )
    spec: Any = DataSpec(file="rows.npz", task=task, **extra)  # type: ignore[arg-type]
    return arrays.labels(folder, evaluation, spec), sha


@pytest.mark.parametrize("task", GOOD)
def test_what_a_run_writes_is_read_as_it_is(tmp_path: Path, task: str) -> None:
    found, _ = read(tmp_path, task, GOOD[task])
    assert np.array_equal(found, GOOD[task])


@pytest.mark.parametrize(
    ("task", "values", "said"),
    [
        ("classification", np.zeros((ROWS, 3)), "expected one class number per row"),
        ("classification", np.full(ROWS, 10**9), "expected at most 999999"),
        ("regression", np.full(ROWS, np.nan), "expected finite numbers, got NaN"),
        ("regression", np.full(ROWS, "x"), "expected numbers, one entry a row"),
        ("custom", np.full(ROWS, np.inf), "expected finite numbers, got NaN"),
        ("embedding", np.zeros((ROWS, 3)), "expected one label per row, got [6, 3]"),
        ("token-classification", np.zeros(ROWS), "shape (rows, tokens), got [6]"),
        ("token-classification", np.zeros((ROWS, 3, 2)), "shape (rows, tokens), got [6, 3, 2]"),
        ("token-classification", np.full((ROWS, 3), -5), "row 0 has -5 for token 0"),
        ("segmentation", np.zeros((ROWS, 4), np.uint8), "got uint8 [6, 4]"),
        ("segmentation", np.zeros((ROWS, 2, 2)), "expected whole numbers of shape (rows, height"),
        ("segmentation", np.full((ROWS, 2, 2), -3), "row 0 has -3 at 0, 0"),
        (
            "segmentation",
            np.full((ROWS, 2, 2), 65535, np.uint16),
            "65535 at 0, 0, expected 0 to 4999",
        ),
        (
            "detection",
            np.full((ROWS, 1, 5), [0, 0, 2, 2, 70_000]),
            "expected a class from 0 to 4999",
        ),
        ("detection", np.zeros((ROWS, 2, 4)), "boxes of shape (rows, boxes, 5)"),
        ("detection", np.zeros(ROWS), "boxes of shape (rows, boxes, 5)"),
        ("detection", np.zeros((ROWS, 1, 5)), "row 0, box 0: expected x1 < x2"),
    ],
)
def test_labels_of_another_shape_are_one_message(
    tmp_path: Path, task: str, values: Any, said: str
) -> None:
    with pytest.raises(ResultsError) as caught:
        read(tmp_path, task, values)
    assert said in caught.value.message
    assert f"{tmp_path}/outputs/" in caught.value.message
    assert "restore the file from a copy" in (caught.value.hint or "")


def test_a_column_has_one_value_a_row(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()
    sha = keep_array(tmp_path / "outputs", np.zeros((ROWS, 2), np.int64))
    with pytest.raises(ResultsError, match=r"expected one value a row, got shape \[6, 2\]"):
        arrays.column(tmp_path, sha, "iu", ROWS)
