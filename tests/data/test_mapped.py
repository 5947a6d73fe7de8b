"""A folder of .npy files is never read as a whole."""

import os
import tracemalloc

import numpy as np
import pytest

from profiler.data import bind, mapped, read
from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import DataSpec
from profiler.statistics import pieces
from profiler.store.blobs import keep_array

WIDTH = 1024
X = (Tensor(name="x", dtype="float32", shape=("batch", WIDTH)),)


def folder(path, rows=64, dtype=np.float64):
    path.mkdir()
    x = np.random.default_rng(0).standard_normal((rows, WIDTH)).astype(dtype)
    np.save(path / "x.npy", x)
    np.save(path / "y.npy", np.arange(rows) % 3)
    return x


def spec(**changes):
    return DataSpec(**{"file": "d", "labels": "y", "calibration_rows": 8, **changes})


def test_a_folder_reads_as_an_archive_does(tmp_path):
    x = folder(tmp_path / "d")
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(64) % 3)
    one, other = read(spec(), tmp_path), read(spec(file="d.npz"), tmp_path)
    assert one.sha == other.sha
    np.testing.assert_array_equal(one.evaluation, other.evaluation)
    np.testing.assert_array_equal(bind(one, X)["x"], bind(other, X)["x"])


def test_memory_stays_far_below_the_file(tmp_path):
    """64 MB of float64, converted to float32 and kept: at most a quarter is ever in memory."""
    folder(tmp_path / "d", rows=8192)
    tracemalloc.start()
    try:
        data = read(spec(), tmp_path)
        bound = bind(data, X)
        keep_array(tmp_path, bound["x"], data.judged)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(bound["x"], np.memmap)
    assert peak < 16e6


def test_what_is_kept_is_what_numpy_would_write(tmp_path):
    import hashlib
    import io

    x = folder(tmp_path / "d", dtype=np.float32)
    rows = np.array([5, 3, 60])
    sha = keep_array(tmp_path, x, rows)
    np.testing.assert_array_equal(np.load(tmp_path / f"{sha}.npy"), x[rows])
    buffer = io.BytesIO()
    np.save(buffer, x[rows])
    assert hashlib.sha256(buffer.getvalue()).hexdigest() == sha


def test_columns_are_stacked_in_a_file(tmp_path):
    folder(tmp_path / "d")
    got = read(spec(inputs={"x": ("x", "x")}), tmp_path).inputs["x"]
    assert got.shape == (64, 2, WIDTH)
    assert isinstance(got, np.memmap)


def test_a_value_that_does_not_fit_is_found_in_any_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK_BYTES", 8 * WIDTH * 10)
    x = folder(tmp_path / "d")
    x[55, 7] = np.nan
    np.save(tmp_path / "d" / "x.npy", x)
    with pytest.raises(DataError, match="NaN or Inf in row 55"):
        read(spec(), tmp_path)
    x[55, 7] = 1e300
    np.save(tmp_path / "d" / "x.npy", x)
    with pytest.raises(DataError) as caught:
        bind(read(spec(), tmp_path), X)
    assert "do not fit float32" in str(caught.value.hint)


def test_bad_files_are_named(tmp_path):
    folder(tmp_path / "d")
    np.save(tmp_path / "d" / "y.npy", np.array([{"a": 1}] * 64, dtype=object))
    with pytest.raises(DataError, match=r"y\.npy: expected an array .*pickled Python objects"):
        read(spec(), tmp_path)
    (tmp_path / "d" / "y.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match=r"y\.npy: expected an array .*part of a file"):
        read(spec(), tmp_path)


def test_a_full_disk_is_told(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match="no room for 4 MiB") as caught:
        mapped.scratch((1024, 1024), np.dtype(np.float32))
    assert "TMPDIR" in str(caught.value.hint)


def test_space_is_taken_at_once_where_the_system_has_no_call_for_it(tmp_path, monkeypatch):
    monkeypatch.delattr("os.posix_fallocate")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows = 2 * mapped.CHUNK_BYTES // WIDTH + 1
    made = []
    real = mapped._allocate

    def watched(file, size):
        real(file, size)
        made.append((os.fstat(file.fileno()).st_blocks * 512, size))

    monkeypatch.setattr(mapped, "_allocate", watched)
    array = mapped.scratch((rows, WIDTH), np.dtype("uint8"))
    array[-1] = 7
    assert array.shape == (rows, WIDTH)
    ((taken, size),) = made
    assert taken >= size == rows * WIDTH


def test_a_full_disk_is_one_line_there_too(tmp_path, monkeypatch):
    monkeypatch.delattr("os.posix_fallocate")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: open("/dev/full", "r+b"))  # noqa: SIM115
    with pytest.raises(DataError, match="no room for"):
        mapped.scratch((mapped.CHUNK_BYTES,), np.dtype("uint8"))
