"""Damaged, endless and boastful data files: one message each, and no waiting."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from profiler.data import read
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec

ROWS = 12


def _message(folder: Path, **given: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(DataSpec(**{"calibration_rows": 2, "allow_duplicates": True, **given}), folder)
    return caught.value.message


def _npy(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"\0" * 64


@pytest.mark.parametrize("name", ["d.csv", "d.npz", "d.parquet"])
def test_pipes_devices_and_loops_are_not_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    os.mkfifo(path)
    assert "expected a file, got a pipe" in _message(tmp_path, file=name)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "expected a file, got a device" in _message(tmp_path, file=name)
    path.unlink()
    path.symlink_to(path)
    assert name in _message(tmp_path, file=name)


def test_a_pipe_in_a_folder_of_arrays_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    assert "got a pipe" in _message(tmp_path, file=".")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [("(4000000000000,)", "<f4"), ("(-1,)", "<f4"), ("(" * 300, "<f4"), ("(3,)", "<U999999999"),
     (f"({'9' * 60},)", "<f4"), ("'x'", "<f4"), ("(2,)", "nonsense")],
)  # fmt: skip
def test_a_header_that_promises_too_much(tmp_path: Path, shape: str, dtype: str) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", _npy(shape, dtype))
    assert 'column "x" is cut short or damaged' in _message(tmp_path, file="d.npz")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.npy").write_bytes(_npy(shape, dtype))
    assert "a part of a file" in _message(tmp_path, file="folder")


def test_every_truncation_of_an_archive_is_one_message(tmp_path: Path) -> None:
    whole = io.BytesIO()
    np.savez_compressed(whole, x=np.arange(ROWS, dtype=np.float32), y=np.arange(ROWS) % 3)
    content = whole.getvalue()
    for end in range(0, len(content), 7):
        (tmp_path / "d.npz").write_bytes(content[:end])
        assert "d.npz" in _message(tmp_path, file="d.npz")


@pytest.mark.parametrize("key", ["split", "groups"])
def test_a_split_or_group_of_rank_two(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros(ROWS, np.float32), c=np.zeros((ROWS, 2), np.int64))
    found = _message(tmp_path, file="d.npz", inputs={"x": "x"}, **{key: "c"})
    assert f"data.{key}: expected one value per row, got shape [12, 2]" in found


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros(ROWS, np.float32), c=np.array([b"\xff"] * ROWS))
    assert "UTF-8" in _message(tmp_path, file="d.npz", inputs={"x": "x"}, groups="c")


@pytest.mark.parametrize(
    "values", [[[1.0, None]] * 4, [[[1.0, 2.0], [3.0]]] * 4, [[[1.0]], [[1.0], [2.0]]] * 2]
)
def test_ragged_parquet(tmp_path: Path, values: list[Any]) -> None:
    pd.DataFrame({"x": values}).to_parquet(tmp_path / "d.parquet")
    found = _message(tmp_path, file="d.parquet")
    assert 'column "x"' in found or "data.inputs.x" in found


def test_labels_beyond_any_number_of_classes(tmp_path: Path) -> None:
    for label in (1e300, 2**63):
        y = np.array([label] * ROWS, np.float64 if label == 1e300 else np.uint64)
        np.savez(tmp_path / "d.npz", x=np.arange(ROWS, dtype=np.float32), y=y)
        assert "expected at most 999999" in _message(tmp_path, file="d.npz", labels="y")


def test_more_evaluation_rows_than_the_file_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(ROWS, dtype=np.float32))
    found = _message(tmp_path, file="d.npz", evaluation_rows=13)
    assert "data.evaluation_rows: expected at most the file's 12 rows, got 13" in found


def test_text_of_which_one_row_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from profiler.data import bounds

    free = type("Memory", (), {"available": 1000})
    monkeypatch.setattr(bounds.psutil, "virtual_memory", lambda: free)
    (tmp_path / "d.csv").write_text("x\na\n" + "b" * 500 + "\n")
    assert "more than the 1.00 kB of memory" in _message(tmp_path, file="d.csv")


def test_a_tokenizers_settings_of_another_type(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="pip install 'hardware-profiler[text]'")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="[UNK]"))
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "d.csv").write_text("c\n" + "b\n" * ROWS)
    text = {"column": "c", "tokenizer": "tokenizer.json", "pad_token": "a"}
    from profiler.schema.study.text import TextSpec

    assert "can't be tokenized" in _message(tmp_path, file="d.csv", text=TextSpec(**text))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"pad_token": 7}))
    del text["pad_token"]
    assert "pad_token: expected text" in _message(tmp_path, file="d.csv", text=TextSpec(**text))


def test_letters_that_there_are_not(tmp_path: Path) -> None:
    text = np.array(["red"] * ROWS).view(np.uint32)
    text[4] = 2**31 - 1
    np.savez(tmp_path / "d.npz", x=np.zeros(ROWS, np.float32), s=text.view("<U3"))
    found = _message(tmp_path, file="d.npz", inputs={"x": "x"}, groups="s")
    assert 'column "s": expected text, got letters that there are not' in found


def test_labels_of_half_precision_are_compared_without_a_warning(tmp_path: Path) -> None:
    x, y = np.arange(ROWS, dtype=np.float32), np.full(ROWS, 6e4, np.float16)
    np.savez(tmp_path / "d.npz", x=x, y=y)
    spec = DataSpec(file="d.npz", labels="y", calibration_rows=2)
    labels = read(spec, tmp_path).labels
    assert labels is not None
    assert (labels == 60_000).all()


@pytest.mark.parametrize("key", ["file", "train"])
def test_a_name_that_is_too_long_for_a_file(tmp_path: Path, key: str) -> None:
    np.savez(tmp_path / "d.npz", x=np.arange(ROWS, dtype=np.float32))
    given = {"file": "d.npz", "allow_duplicates": False, key: "9" * 400 + ".npz"}
    assert "can't be read (File name too long)" in _message(tmp_path, **given)


def test_what_is_quoted_from_a_file_is_printable(tmp_path: Path) -> None:
    words = np.array(["\x1b[2J", "\u202e"] * (ROWS // 2))
    np.savez(tmp_path / "d.npz", x=np.arange(ROWS, dtype=np.float32), s=words)
    for key in ("labels", "split"):
        assert _message(tmp_path, file="d.npz", inputs={"x": "x"}, **{key: "s"}).isprintable()


def test_whole_groups_are_drawn_until_there_are_enough_rows() -> None:
    from profiler.data.split import draw_groups

    groups = np.repeat(np.arange(100_000), 2).astype(str)
    rows = np.arange(len(groups))
    drawn = draw_groups(rows, 99_999, groups, seed=3)
    assert len(drawn) == 100_000
    assert (np.unique(groups[drawn], return_counts=True)[1] == 2).all()


def test_an_array_that_python_2_wrote_is_read_without_a_warning(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x.npy", _npy("(12L,)"))
    found = read(DataSpec(file="d.npz", calibration_rows=2, allow_duplicates=True), tmp_path)
    assert found.inputs["x"].shape == (12,)
