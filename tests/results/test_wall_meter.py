"""The user's own meter, as a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

import profiler
from profiler.commands.look import report
from profiler.errors import InputError
from profiler.results.results import Results
from profiler.results.wall_meter import read

TRIALS = ("m/fp32@local/single_stream/b1/t1", "m/int8@local/single_stream/b1/t1")


def test_trials_are_joined_by_their_id(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(f"trial,note,energy_j_per_query\n{TRIALS[1]},x,0.0125\n", encoding="utf-8-sig")
    assert read(path, TRIALS) == {TRIALS[1]: 0.0125}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("trial,watts\na,1\n", "energy_j_per_query is missing"),
        (f"trial,energy_j_per_query\n{TRIALS[0]},much\n", "line 2.*above 0, got 'much'"),
        (f"trial,energy_j_per_query\n{TRIALS[0]},-1\n", "above 0"),
        (f"trial,energy_j_per_query\n{TRIALS[0]}\n", "above 0"),
        ("trial,energy_j_per_query\nm/fp16,1\n", "line 2: no trial is called 'm/fp16'"),
        (f"trial,energy_j_per_query\n{TRIALS[0]},1\n{TRIALS[0]},1\n", "line 3.*twice"),
        ("", "columns"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, text: str, parts: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=parts):
        read(path, TRIALS)


def test_no_file() -> None:
    with pytest.raises(InputError, match="--wall-meter"):
        read(Path("nowhere.csv"), TRIALS)


@pytest.mark.usefixtures("one_round")
def test_declared_power_and_a_meter_reach_the_report(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "board.toml").write_text("[declares]\nwatts = 10.0\n")
    study = make_study('variants = ["fp32", "int8-dynamic"]\n', targets='["board"]')
    results = profiler.run(study, tmp_path / "out")
    rows = {row["variant"]: row for row in results.rows}
    fp32, other = rows["fp32"], rows["int8-dynamic"]
    if fp32["energy_label"] == "measured":
        pytest.skip("this machine's energy counter comes first: run it on one without RAPL")
    assert fp32["energy_label"] == "estimated"
    assert fp32["energy_j_per_query"] == pytest.approx(10 / fp32["throughput"])
    meter = tmp_path / "meter.csv"
    meter.write_text(f"trial,energy_j_per_query\n{other['trial']},0.5\n")
    again = Results.load(tmp_path / "out", wall_meter=meter)
    report(again, tmp_path / "out", json=True)
    table = (tmp_path / "out" / "table.csv").read_text()
    assert "the user's meter" in table
    assert "10 W as declared" in table
    assert "energy" in (tmp_path / "out" / "table.md").read_text()
