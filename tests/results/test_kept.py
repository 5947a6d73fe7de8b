"""A results folder written before the code found its rooms, in November 2026, still reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import profiler
from profiler.cli import main

KEPT = Path(__file__).resolve().parents[1] / "recordings" / "results" / "2026-11"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KEPT, tmp_path / "kept"))


def test_its_rows_are_what_they_were(folder: Path) -> None:
    then = pd.read_csv(KEPT.with_suffix(".csv")).drop(columns="usd_per_million")  # renamed since
    now = profiler.load(folder).table()
    assert set(then.columns) <= set(now.columns)
    assert len(now) == len(then) == 3
    for name in then.columns:
        if pd.api.types.is_float_dtype(then[name]) and then[name].notna().any():
            np.testing.assert_allclose(now[name].astype(float), then[name], rtol=1e-9, err_msg=name)
        elif then[name].notna().all():
            assert now[name].astype(str).tolist() == then[name].astype(str).tolist(), name


def test_its_choice_is_what_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["profiler", "choose", str(folder), "--json"])
    main()
    then = json.loads(KEPT.with_suffix(".choice.json").read_text())
    assert json.loads(capsys.readouterr().out) == then


@pytest.mark.parametrize("command", ["report", "check", "flips", "stress", "table"])
def test_every_command_reads_it(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    trial = ["m/int8-static"] if command == "flips" else []
    monkeypatch.setattr("sys.argv", ["profiler", command, str(folder), *trial])
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    assert code in (0, 1), capsys.readouterr().err
    if command == "report":
        assert (folder / "report.html").stat().st_size > 100_000
