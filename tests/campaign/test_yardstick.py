"""The yardstick in whole studies: recorded beside the trials, seen only where it is asked for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiler import Study, load, run
from profiler.errors import Interrupted
from profiler.progress import Silent
from profiler.results.results import Results
from profiler.store import timings
from profiler.wire.codec import decode
from profiler.wire.messages import Block

NAME = "yardstick@local-cpu"
OFF = '[measure]\nyardstick = false\nbudget = "3s"\nround_time = "20ms"\nmax_rounds = 4\n'
PAIR = 'variants = ["fp32", "int8-dynamic"]\n'


def rounds(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


def write_rounds(out: Path, rows: list[dict[str, Any]]) -> None:
    (out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_raw(out: Path, change: Callable[[dict[str, timings.Timings]], None]) -> None:
    """Rewrite the latencies of every round."""
    for row in rounds(out):
        found = timings.read(out, row["raw"])
        change(found)
        blocks = {one["trial"]: [decode(Block, block) for block in one["blocks"]]
                  for one in row["repetitions"]}  # fmt: skip
        timings.write(out / row["raw"], {name: (blocks[name], t) for name, t in found.items()})


def strip(out: Path) -> None:
    """Make it a folder from before there was a yardstick."""
    change_raw(out, lambda found: found.pop(NAME) and None)
    rows = rounds(out)
    for row in rows:
        row["repetitions"] = [one for one in row["repetitions"] if one["trial"] != NAME]
        del row["artifacts"][NAME]
    write_rounds(out, rows)
    plan, made = (json.loads((out / name).read_text()) for name in ("plan.json", "artifacts.json"))
    for group in plan["groups"]:
        del group["yardstick"]
    del made["yardstick"]
    (out / "plan.json").write_text(json.dumps(plan))
    (out / "artifacts.json").write_text(json.dumps(made))
    meta = json.loads((out / "meta.json").read_text())
    del meta["study"]["measure"]["yardstick"]
    (out / "meta.json").write_text(json.dumps(meta))


def test_it_is_recorded_beside_the_trials_and_is_none(measured: Callable[..., Path]) -> None:
    out = measured(PAIR)
    made = json.loads((out / "artifacts.json").read_text())["yardstick"]["artifact"]
    for row in rounds(out):
        *_, one = row["repetitions"]
        assert (one["trial"], one["status"]) == (NAME, "ok")
        assert row["artifacts"][NAME] == made["sha"]
        assert len(timings.read(out, row["raw"])[NAME].latencies) == sum(
            block["queries"] for block in one["blocks"]
        )
    results = load(out)
    assert results.faults == ()
    assert [name for name in results.samples if name in results.trials] == [*results.samples]
    table = results.table()
    assert table["variant"].tolist() == ["fp32", "int8-dynamic"]
    assert (table["yardsticks"] > 0).all()
    assert (table["yardsticks_low"] < table["yardsticks"]).all()
    assert (table["yardsticks"] < table["yardsticks_high"]).all()
    assert table["yardstick_ns"].between(1e4, 1e8).all()


def test_it_is_shown_where_it_is_asked_for(
    measured: Callable[..., Path], program: Callable[..., Any]
) -> None:
    out = measured(PAIR)
    assert "yardstick" not in program("table", "theirs").stdout
    assert "yardstick" not in program("choose", "theirs").stdout
    told = program("table", "theirs", "--yardstick").stdout
    assert "In yardsticks: local-cpu, single_stream" in told
    assert "model  variant       × yardstick" in told
    assert "int8-dynamic" in told.partition("In yardsticks")[2]
    strip(out)
    told = program("table", "theirs", "--yardstick")
    assert told.returncode == 2
    assert "theirs: nothing was measured beside the yardstick" in told.stderr


def test_it_can_be_switched_off(make_study: Callable[..., Path], tmp_path: Path) -> None:
    results = run(Study.read(make_study(OFF)), tmp_path / "out")
    assert {one["trial"] for row in rounds(results.folder) for one in row["repetitions"]} == {
        "m/fp32@local-cpu/single_stream/b1/t1"
    }
    assert results.prepared.yardstick is None
    assert results.table()["yardsticks"].isna().all()


def slowed(out: Path) -> Results:
    """The folder as a machine would have recorded it that takes three times as long for all."""

    def change(found: dict[str, timings.Timings]) -> None:
        for name, one in found.items():
            found[name] = timings.Timings(latencies=one.latencies * 3)

    change_raw(out, change)
    return load(out)


def test_a_drift_between_two_folders_is_taken_out(
    measured: Callable[..., Path], tmp_path: Path
) -> None:
    before = measured(PAIR)
    now = slowed(Path(shutil.copytree(before, tmp_path / "now")))
    reference, other = now.compare_with(load(before))
    assert (reference.relative_to, other.relative_to) == ("yardstick", reference.trial)
    for one in (reference, other):
        assert one.ratio.value == pytest.approx(1, rel=1e-3)
        assert one.verdict not in ("slower", "faster")


def test_without_a_yardstick_the_drift_stays(measured: Callable[..., Path], tmp_path: Path) -> None:
    before = measured()
    now = Path(shutil.copytree(before, tmp_path / "now"))
    strip(now)
    (plain,) = slowed(now).compare_with(load(before))
    assert plain.relative_to is None
    assert plain.ratio.value == pytest.approx(3, rel=1e-3)


class StopsAfterRound(Silent):
    def __init__(self, rows: Path) -> None:
        self.rows = rows

    def update(self, text: str, done: float, left_s: float) -> None:
        if self.rows.exists():
            raise KeyboardInterrupt


def test_a_folder_that_was_begun_without_one_goes_on_without(
    make_study: Callable[..., Path], tmp_path: Path
) -> None:
    study, out = Study.read(make_study()), tmp_path / "out"
    with pytest.raises(Interrupted):
        run(study, out, progress=StopsAfterRound(out / "rows.jsonl"))
    strip(out)
    results = run(study, out)
    assert results.complete
    assert results.faults == ()
    assert len(rounds(out)) == 4
    assert {len(row["repetitions"]) for row in rounds(out)} == {1}


def test_a_round_without_one_counts_for_everything_else(measured: Callable[..., Path]) -> None:
    """It failed: nobody is told, nothing is missing but its own columns."""
    out = measured()
    told = load(out).table()
    change_raw(out, lambda found: found.pop(NAME) and None)
    rows = rounds(out)
    for row in rows:
        *_, one = row["repetitions"]
        one.update(status="failed", reason="error", detail="", latencies=None, blocks=[])
    write_rounds(out, rows)
    results = load(out)
    assert results.faults == ()
    table = results.table()
    assert table["yardsticks"].isna().all()
    mine = [name for name in table.columns if not name.startswith("yardstick")]
    assert table[mine].equals(told[mine])
