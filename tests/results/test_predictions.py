"""Predictions of a results folder: read in pieces, a file at a time."""

import hashlib
import sys
import tracemalloc
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from profiler.errors import ResultsError
from profiler.report.brief import accuracy_sheets
from profiler.results.results import Results
from profiler.statistics import pieces
from profiler.store import arrays

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ROWS, CLASSES, VARIANTS = 2_500, 120, 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A made-up folder of four trials, each with predictions of its own."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        import reading_folders

        home = tmp_path_factory.mktemp("made") / "study"
        shape = reading_folders.Shape(1, 1, 1, variants=VARIANTS, threads=1)
        yield reading_folders.make(home, shape, rounds=4, queries=10, rows=ROWS, classes=CLASSES)
    finally:
        sys.path.remove(str(SCRIPTS))


def saved(folder: Path, values: np.ndarray) -> str:
    """Name of an array among the predictions of a folder."""
    path = folder / "outputs" / "new.npy"
    path.parent.mkdir()
    np.save(path, values)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(path.with_name(f"{sha}.npy"))
    return sha


def most_bytes(folder: Path) -> int:
    """Most memory held at once by what table and report tell of the predictions."""
    results = Results.load(folder)
    assert len(results.samples) == VARIANTS
    for library in ("scipy.special", "scipy.stats", "sklearn.metrics"):
        import_module(library)  # not counted
    tracemalloc.start()
    try:
        assert len(results.accuracy.rows()) == VARIANTS
        assert accuracy_sheets(results)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_no_file_of_predictions_is_held_as_a_whole(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_VALUES", 25 * CLASSES)
    assert most_bytes(made) < 8 * ROWS * CLASSES, "one of them as float64"


def test_rows_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    whole = np.arange(60.0).reshape(10, 2, 3)
    sha = saved(tmp_path, whole)
    found = arrays.predicted(tmp_path, sha, 10)
    assert (found.shape, found.dtype, found.ndim, len(found)) == ((10, 2, 3), whole.dtype, 3, 10)
    for part in (slice(None), slice(None, 4), slice(4, None), slice(4, 99), slice(7, 3)):
        np.testing.assert_array_equal(np.asarray(found[part]), whole[part])
    np.testing.assert_array_equal(np.asarray(found[3:][2:5]), whole[5:8])
    path = tmp_path / "outputs" / f"{sha}.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ResultsError, match=r"\.npy: was cut off while it was read"):
        np.asarray(found)
    path.unlink()
    with pytest.raises(ResultsError, match=r"\.npy: can't be read \(No such file"):
        np.asarray(found[:3])


def test_predictions_by_columns_are_read_as_a_whole(tmp_path: Path) -> None:
    whole = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    sha = saved(tmp_path, whole)
    np.testing.assert_array_equal(np.asarray(arrays.predicted(tmp_path, sha, 3)[1:]), whole[1:])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((3, 2)), "expected 4 rows, got 3"),
        (np.zeros(()), r"got shape \[\] of float64"),
        (np.zeros((4, 0)), r"got shape \[4, 0\] of float64"),
        (np.array(["a"] * 4), r"got shape \[4\] of <U1"),
    ],
)
def test_what_is_no_prediction_of_each_row_is_refused(
    values: np.ndarray, told: str, tmp_path: Path
) -> None:
    sha = saved(tmp_path, values)
    with pytest.raises(ResultsError, match=told):
        arrays.predicted(tmp_path, sha, 4)
