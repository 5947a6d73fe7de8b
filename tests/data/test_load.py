import numpy as np
import pandas as pd
import pytest

from profiler.data.load import load_columns
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec


def failure(spec, folder):
    with pytest.raises(DataError) as caught:
        load_columns(spec, folder)
    return f"{caught.value.message} | {caught.value.hint}"


def test_npz_keeps_dtypes_and_reads_only_what_is_named(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2), np.float32), y=np.arange(3), other=np.ones(9))
    spec = DataSpec(file="d.npz", inputs={"a": "x"}, labels="y")
    columns = load_columns(spec, tmp_path)
    assert set(columns) == {"x", "y"}
    assert columns["x"].dtype == np.float32
    assert columns["x"].shape == (3, 2)


def test_csv_gives_numbers_and_text(tmp_path):
    (tmp_path / "d.csv").write_text("a,b,word\n1,0.5,left\n2,1.5,\n")
    columns = load_columns(DataSpec(file="d.csv"), tmp_path)
    assert columns["a"].dtype == np.int64
    assert columns["b"].tolist() == [0.5, 1.5]
    assert columns["word"].tolist() == ["left", ""]
    assert columns["word"].dtype.kind == "U"


def test_parquet_stacks_lists(tmp_path):
    frame = pd.DataFrame({"v": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]})
    frame.to_parquet(tmp_path / "d.parquet")
    columns = load_columns(DataSpec(file="d.parquet", labels="y"), tmp_path)
    assert columns["v"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_parquet_stacks_lists_of_lists(tmp_path):
    frame = pd.DataFrame({"v": [[[1.0, 2.0]], [[3.0, 4.0]]]})
    frame.to_parquet(tmp_path / "d.parquet")
    assert load_columns(DataSpec(file="d.parquet"), tmp_path)["v"].shape == (2, 1, 2)


def test_parquet_lists_of_unequal_length(tmp_path):
    pd.DataFrame({"v": [[1.0, 2.0], [3.0]]}).to_parquet(tmp_path / "d.parquet")
    text = failure(DataSpec(file="d.parquet"), tmp_path)
    assert "lists of equal length" in text
    assert "row 1 has [1]" in text


def test_missing_file(tmp_path):
    text = failure(DataSpec(file="gone.npz"), tmp_path)
    assert "gone.npz: data.file: expected a data file, got no such file" in text
    assert "relative to the study file" in text


def test_folder_instead_of_file(tmp_path):
    (tmp_path / "d.npz").mkdir()
    assert "got an empty folder" in failure(DataSpec(file="d.npz"), tmp_path)


def test_unknown_format(tmp_path):
    text = failure(DataSpec(file="d.xlsx"), tmp_path)
    assert 'expected a .npz, .csv or .parquet file or a folder, got ".xlsx"' in text


def test_missing_column_suggests(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.ones(3), labels=np.ones(3))
    text = failure(DataSpec(file="d.npz", inputs={"x": "image"}), tmp_path)
    assert 'data.inputs.x: expected a column called "image"' in text
    assert "the file has images, labels" in text
    assert 'did you mean "images"?' in text
    assert "data.labels: expected a column" in failure(
        DataSpec(file="d.npz", labels="truth"), tmp_path
    )


def test_object_array_is_refused(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.array([{"a": 1}], dtype=object))
    text = failure(DataSpec(file="d.npz"), tmp_path)
    assert 'column "x"' in text
    assert "pickled Python objects, which are refused" in text


def test_pickle_named_npz_is_refused(tmp_path):
    import pickle

    (tmp_path / "d.npz").write_bytes(pickle.dumps([1, 2]))
    assert "pickles are refused" in failure(DataSpec(file="d.npz"), tmp_path)


def test_empty_and_damaged_npz(tmp_path):
    (tmp_path / "d.npz").write_bytes(b"")
    assert "expected a .npz archive" in failure(DataSpec(file="d.npz"), tmp_path)
    np.savez(tmp_path / "e.npz", x=np.ones(1000))
    whole = (tmp_path / "e.npz").read_bytes()
    (tmp_path / "e.npz").write_bytes(whole[:400])
    assert "expected a .npz archive" in failure(DataSpec(file="e.npz"), tmp_path)
    damaged = bytearray(whole)
    damaged[500] ^= 255
    (tmp_path / "e.npz").write_bytes(bytes(damaged))
    assert 'column "x" is cut short or damaged' in failure(DataSpec(file="e.npz"), tmp_path)


def test_npy_named_npz(tmp_path):
    with (tmp_path / "d.npz").open("wb") as file:
        np.save(file, np.ones(3))
    assert "got a single array" in failure(DataSpec(file="d.npz"), tmp_path)


def test_unequal_lengths(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones(3), y=np.ones(4))
    text = failure(DataSpec(file="d.npz", labels="y"), tmp_path)
    assert "expected columns of one length, got x 3, y 4" in text


def test_no_rows(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n")
    assert "at least one row" in failure(DataSpec(file="d.csv"), tmp_path)
    (tmp_path / "e.csv").write_text("")
    assert "got an empty file" in failure(DataSpec(file="e.csv"), tmp_path)
    np.savez(tmp_path / "d.npz", x=np.ones(0))
    assert "at least one row" in failure(DataSpec(file="d.npz"), tmp_path)


def test_single_value_and_complex_columns(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.array(3.0))
    assert "got a single value" in failure(DataSpec(file="d.npz"), tmp_path)
    np.savez(tmp_path / "d.npz", x=np.ones(3, complex))
    assert "got complex128" in failure(DataSpec(file="d.npz"), tmp_path)


def test_unreadable_tables(tmp_path):
    (tmp_path / "d.parquet").write_bytes(b"no parquet")
    assert "not a readable Parquet file" in failure(DataSpec(file="d.parquet"), tmp_path)
    for text in ("a,b\n1,2\n1,2,3\n", "a,b\n1,2,3\n1,2,3\n"):
        (tmp_path / "d.csv").write_text(text)
        assert "not a readable CSV file" in failure(DataSpec(file="d.csv"), tmp_path)
