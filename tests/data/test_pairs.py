"""Embedding data: labels of any kind, and scored pairs."""

import numpy as np
import pytest

from profiler.data import read
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.wire.codec import DecodeError, decode


def spec(**changes):
    given = {"file": "d.npz", "task": "embedding", "calibration_rows": 6, "pairs": "p",
             "similarity": "s", **changes}  # fmt: skip
    return decode(DataSpec, given)


def saved(folder, **changes):
    columns = {"x": np.arange(80.0).reshape(40, 2), "p": np.tile(np.arange(20), 2),
               "s": np.tile(np.linspace(0, 5, 20), 2)}  # fmt: skip
    np.savez(folder / "d.npz", **{**columns, **changes})


def test_the_rows_of_a_pair_stay_together(tmp_path):
    saved(tmp_path)
    got = read(spec(), tmp_path)
    assert list(got.inputs) == ["x"]
    assert len(got.calibration) == 6
    pairs = got.pairs["pairs"]
    assert (np.unique(pairs[got.evaluation], return_counts=True)[1] == 2).all()
    np.testing.assert_array_equal(got.pairs["similarity"][:20], np.linspace(0, 5, 20))


def test_labels_may_be_words(tmp_path):
    saved(tmp_path, t=np.array(["sport", "art"] * 20))
    got = read(spec(labels="t"), tmp_path)
    assert got.labels[:4].tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"p": np.arange(40)}, 'each value in two rows, got "0" in 1'),
        ({"s": np.arange(40.0)}, "rows 0 and 20 are one pair and have two scores"),
        ({"s": np.array(["high"] * 40)}, "data.similarity: expected numbers, got text"),
        ({"s": np.full(40, np.nan)}, "expected finite numbers"),
    ],
)
def test_pairs_that_are_none(tmp_path, columns, part):
    saved(tmp_path, **columns)
    with pytest.raises(DataError) as caught:
        read(spec(), tmp_path)
    assert part in caught.value.message


@pytest.mark.parametrize(
    "given", [{"similarity": None}, {"task": "classification"}, {"top_k": [0]}, {"top_k": []}]
)
def test_settings_that_make_no_sense(given):
    with pytest.raises(DecodeError):
        spec(**given)
