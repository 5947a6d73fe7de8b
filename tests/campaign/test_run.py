"""Whole studies, small ones, through the real worker."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from profiler import Study, load, run
from profiler.errors import InputError, Interrupted, ResultsError, UnlikeError
from profiler.progress import Silent
from profiler.statistics.intervals import NO_SPREAD
from profiler.store.folder import Store

MakeStudy = Callable[..., Path]

TWICE = """
variants = ["fp32", "int8-dynamic", "int8-static"]
"""

TWO_MODELS = """
[[models]]
name = "m"
onnx = "model.onnx"
[[models]]
name = "n"
onnx = "model.onnx"
"""


def test_a_study_from_file_to_frontier(make_study: MakeStudy, tmp_path: Path) -> None:
    results = run(Study.read(make_study(TWICE)), tmp_path / "out")
    table = results.table().set_index("variant")
    assert list(table.index) == ["fp32", "int8-dynamic", "int8-static"]
    assert (table["status"] == "ok").all()
    assert (table["rounds"] == 4).all()
    assert table.loc["fp32", "accuracy"] == 1.0, "labels are the baseline's own answers"
    assert table.loc["fp32", "is_baseline"]
    for column in ("p50_ns", "p99_ns", "throughput", "load_ns", "first_query_ns",
                   "memory_peak_bytes", "file_bytes"):  # fmt: skip
        assert (table[column] > 0).all(), column
    # A model of 3 us can agree to the clock's tick in all rounds: then there is no interval.
    known = table[table["p50_note"] != NO_SPREAD]
    assert (known["p50_low_ns"] <= known["p50_ns"]).all()
    assert (known["p50_ns"] <= known["p50_high_ns"]).all()
    assert results.complete
    assert len(results.frontier()) >= 1
    raw = results.raw("m/fp32")
    assert set(raw["round"]) == {0, 1, 2, 3}
    assert len(raw) == table.loc["fp32", "queries"]


def test_a_finished_study_measures_nothing_again_and_reads_the_same(
    measured: Callable[..., Path], tmp_path: Path
) -> None:
    out = measured()
    before, table = (out / "rows.jsonl").read_bytes(), load(out).table()
    again = run(Study.read(tmp_path / "study.toml"), out)
    assert (out / "rows.jsonl").read_bytes() == before
    assert again.table().equals(table)


@pytest.mark.parametrize("text", ["", TWO_MODELS], ids=["one model", "two models"])
def test_rows_are_read_as_often_however_many_rounds_and_groups(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Reading all of them for each group, or after each round, is quadratic in the study's size."""
    asked: list[Path] = []
    plain = Store.lines
    monkeypatch.setattr(Store, "lines", lambda s: asked.append(s.folder) or plain(s))
    study = Study.read(make_study(text, targets='["null"]'))
    run(study, tmp_path / "out")
    assert asked == [], "a run knows what it recorded"
    run(study, tmp_path / "out")
    assert len(asked) == 1, "what there was at the start"


def test_changed_data_is_a_changed_study(measured: Callable[..., Path], tmp_path: Path) -> None:
    out = measured()
    columns = dict(np.load(tmp_path / "rows.npz"))
    columns["x"][0] += 1
    np.savez(tmp_path / "rows.npz", **columns)
    with pytest.raises(ResultsError, match="another version"):
        run(Study.read(tmp_path / "study.toml"), out)


def orphans() -> list[str]:
    import psutil

    mine = str(os.environ["XDG_CACHE_HOME"])
    return [str(p.info) for p in psutil.process_iter(["cmdline"])
            if any(mine in part for part in p.info["cmdline"] or ())]  # fmt: skip


def test_kill_minus_nine_and_the_same_command_again(make_study: MakeStudy, tmp_path: Path) -> None:
    """No trial twice, no trial missing, no process left behind."""
    study = make_study(
        'variants = ["fp32", "int8-dynamic"]\n'
        '[measure]\nbudget = "60s"\nround_time = "20ms"\nmax_rounds = 4\nmin_rounds = 4\n'
    )
    out = tmp_path / "out"
    code = "import sys, profiler; profiler.run(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(study), str(out)]
    rows = out / "rows.jsonl"
    for wanted in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not rows.exists() or rows.read_bytes().count(b"\n") < wanted:
            assert process.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 20
    while orphans() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert orphans() == []
    recorded = rows.read_bytes()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert rows.read_bytes().startswith(recorded), "what was recorded is kept"
    counted = Counter(
        (r["trial"], r["round"])
        for line in rows.read_text().splitlines()
        for r in json.loads(line)["repetitions"]
    )
    trials = {trial for trial, _ in counted}
    assert len(trials) == 3, "two and the yardstick"
    assert counted == Counter({(trial, n): 1 for trial in trials for n in range(4)})
    assert load(out).complete


class StopsAfter(Silent):
    def __init__(self, updates: int) -> None:
        self.left = updates

    def update(self, text: str, done: float, left_s: float) -> None:
        assert 0 <= done <= 1
        assert left_s >= 0
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_control_c_leaves_a_resumable_run(make_study: MakeStudy, tmp_path: Path) -> None:
    study = Study.read(make_study())
    with pytest.raises(Interrupted) as caught:
        run(study, tmp_path / "out", progress=StopsAfter(3))
    assert caught.value.exit_code == 130
    assert "same command" in (caught.value.hint or "")
    assert run(study, tmp_path / "out").complete


@pytest.mark.usefixtures("one_round")
def test_offline_counts_samples_of_wall_time(make_study: MakeStudy, tmp_path: Path) -> None:
    text = 'scenarios = [{ kind = "offline", batch = [1, 8] }]\n'
    table = run(Study.read(make_study(text)), tmp_path / "out").table().set_index("batch")
    assert list(table.index) == [1, 8]
    for batch, row in table.iterrows():
        # Wall time holds the loop too, so the rate is below what the median alone would say.
        assert (
            0.2 * batch * 1e9 / row["p50_ns"]
            < row["throughput"]
            <= batch * 1e9 / row["p50_ns"] * 1.2
        )
        assert row["accuracy"] == 1.0


def test_the_null_target_measures_the_harness(make_study: MakeStudy, tmp_path: Path) -> None:
    results = run(Study.read(make_study(targets='["null"]')), tmp_path / "out")
    row = results.table().iloc[0]
    assert row["status"] == "ok"
    assert row["p50_ns"] < 100_000


@pytest.mark.usefixtures("one_round")
def test_what_cannot_run_is_excluded_with_its_reason(make_study: MakeStudy, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "gpu.toml").write_text('provider = "CUDAExecutionProvider"')
    text = 'variants = ["fp32", "int8-static"]\n'
    study = Study.read(make_study(text, data=False, targets='["local-cpu", "gpu"]'))
    table = run(study, tmp_path / "out").table().set_index("trial")
    excluded = table[table["status"] == "excluded"]["reason"]
    assert len(excluded) == 3
    assert "needs rows to calibrate" in excluded["m/int8-static@local-cpu/single_stream/b1/t1"]
    assert "CUDAExecutionProvider is not in" in excluded["m/fp32@gpu/single_stream/b1/t1"]
    assert table["status"].value_counts()["ok"] == 1
    assert not table["frontier"][excluded.index].any()


def test_nothing_to_measure_is_an_error_with_a_reason(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "gpu.toml").write_text('provider = "CUDAExecutionProvider"')
    study = Study.read(make_study(targets='["gpu"]'))
    with pytest.raises(InputError, match="nothing to measure: every trial is excluded"):
        run(study, tmp_path / "out")


def grow(path: Path) -> None:
    """Let a model add a constant of 768 MB to its scores, which its file tells by its shape."""
    model = onnx.load(path)
    nodes, shape = model.graph.node, np.array([8000, 24000])
    model.graph.initializer.append(onnx.numpy_helper.from_array(shape, "shape"))
    nodes[-1].output[0] = "small"
    nodes.append(onnx.helper.make_node("ConstantOfShape", ["shape"], ["zeros"]))
    nodes.append(onnx.helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0))
    nodes.append(onnx.helper.make_node("Add", ["small", "zero"], ["scores"]))
    onnx.save(model, path)


@pytest.mark.usefixtures("one_round")
def test_a_model_that_breaks_at_run_time_is_a_row_and_never_wins(
    make_study: MakeStudy, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    """A constant beyond the memory limit: the big model fails, the small one is measured."""
    grow(make_model("big.onnx"))
    text = (
        '[[models]]\nname = "m"\nonnx = "model.onnx"\n'
        '[[models]]\nname = "big"\nonnx = "big.onnx"\n'
        '[measure]\nbudget = "3s"\nround_time = "20ms"\nmax_rounds = 4\nmemory_limit = "600MB"\n'
    )
    table = run(Study.read(make_study(text, data=False)), tmp_path / "out").table()
    table = table.set_index("model")
    assert table.loc["m", "status"] == "ok"
    assert table.loc["big", "status"] == "failed"
    assert "out of memory" in table.loc["big", "reason"]
    assert not table.loc["big", "frontier"]
    assert not table.loc["big", "chosen"]


ABSENT = {
    'provider = "XnnpackExecutionProvider"': "build onnxruntime with --use_xnnpack",
    'provider = "OpenVINOExecutionProvider"': 'use targets = ["openvino-cpu"]',
    'plugin = "no_such"\nprovider = "XExecutionProvider"': "no_such can't be imported",
}


@pytest.mark.usefixtures("one_round")
def test_an_absent_provider_says_how_to_get_it(make_study: MakeStudy, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    for number, target in enumerate(ABSENT):
        (tmp_path / "targets" / f"other{number}.toml").write_text(target)
    study = make_study(targets='["local-cpu", "other0", "other1", "other2"]')
    table = run(Study.read(study), tmp_path / "out").table().set_index("target")
    assert table.loc["local-cpu", "status"] == "ok"
    for number, reason in enumerate(ABSENT.values()):
        assert table.loc[f"other{number}", "status"] == "excluded"
        assert reason in table.loc[f"other{number}", "reason"]


class StopsAfterRound(Silent):
    def __init__(self, rows: Path) -> None:
        self.rows = rows

    def update(self, text: str, done: float, left_s: float) -> None:
        if self.rows.exists():
            raise KeyboardInterrupt


def recorded_with(out: Path, **changed: object) -> bytes:
    """As if the rounds had been recorded under other facts; the rows that say so."""
    rows = out / "rows.jsonl"
    (path,) = (out / "facts").iterdir()
    data = json.dumps({**json.loads(path.read_text()), **changed}).encode()
    name = hashlib.sha256(data).hexdigest()
    path.unlink()
    (out / "facts" / f"{name}.json").write_bytes(data)
    rows.write_text(rows.read_text().replace(path.stem, name))
    return rows.read_bytes()


def test_rounds_of_an_unlike_machine_are_not_merged(make_study: MakeStudy, tmp_path: Path) -> None:
    study, out = Study.read(make_study()), tmp_path / "out"
    with pytest.raises(Interrupted):
        run(study, out, progress=StopsAfterRound(out / "rows.jsonl"))
    (path,) = (out / "facts").iterdir()
    numpy = json.loads(path.read_text())["numpy"]
    before = recorded_with(out, numpy="1.0.0", load_1min=9.0)
    with pytest.raises(UnlikeError) as caught:
        run(study, out)
    assert f"numpy is {numpy} now, 1.0.0 in the rounds recorded" in caught.value.message
    assert "--output NEW_FOLDER" in (caught.value.hint or "")
    assert caught.value.exit_code == 2
    assert (out / "rows.jsonl").read_bytes() == before
    recorded_with(out, numpy=numpy)
    assert run(study, out).complete, "load may vary"


def test_the_load_that_is_told_is_not_our_own(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and making variants come before the worker is asked."""
    loads = iter([0.125])
    monkeypatch.setattr(os, "getloadavg", lambda: (next(loads), 0.0, 0.0))
    results = run(make_study(data=False), tmp_path / "out")
    assert results.facts()["local-cpu"]["load_1min"] == 0.125
