"""What a person types and sees: messages, exit codes, JSON."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from profiler.commands.model_study import names_of, study_of

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def installed(tmp_path: Path) -> Run:
    """The program as users start it: an interpreter of its own."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from profiler.cli import main; main()", *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, timeout=120,
        )  # fmt: skip

    return call


def refused(done: subprocess.CompletedProcess[str], *parts: str, code: int = 2) -> None:
    """One error line, perhaps a hint, no traceback, the right exit code."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


def test_a_bare_model_in_one_command(
    installed: Run, program: Run, make_model, tmp_path: Path
) -> None:
    make_model()
    done = installed("run", "model.onnx", "--budget", "1s", "--threads", "1", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for name in ("frontier.png", "frontier.svg", "report.html", "table.csv", "table.md"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    rows = json.loads(program("table", "out", "--json").stdout)
    assert rows[0]["status"] == "ok"
    assert rows[0]["p99_ns"] >= rows[0]["p50_ns"] > 0
    assert rows[0]["accuracy"] is None


@pytest.mark.usefixtures("short_rounds", "undrawn")
def test_shape_sets_a_symbolic_dimension(program: Run, make_model, tmp_path: Path) -> None:
    make_model(batch=4)
    done = program("run", "model.onnx", "--budget", "1s", "--threads", "1", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["batch"] == 4, "a fixed batch is what one query holds"
    refused(program("run", "model.onnx", "--shape", "n"), "--shape", "NAME=SIZE", "'n'")


@pytest.mark.usefixtures("undrawn")
def test_reading_commands_speak_json_and_text(program: Run, measured, tmp_path: Path) -> None:
    theirs = measured('variants = ["fp32", "int8-dynamic"]\n')
    study = tmp_path / "study.toml"
    plan = json.loads(program("plan", study, "--json").stdout)
    assert len(plan["trials"]) == 2
    assert "Nothing was run" in program("plan", study).stdout
    assert not (tmp_path / "results").exists()
    wrong = tmp_path / "wrong.toml"
    for old, new, says in (
        ('labels = "labels"', 'labels = "lables"', 'did you mean "labels"?'),
        ('"rows.npz"', '"row.npz"', "no such file"),
        ('"model.onnx"', '"modell.onnx"', "no such file"),
    ):
        wrong.write_text(study.read_text().replace(old, new))
        refused(program("plan", wrong), says)
    out = "results/tiny"
    (tmp_path / "results").mkdir()
    before = (theirs.rename(tmp_path / out) / "rows.jsonl").read_bytes()
    assert program("run", study, "-q").returncode == 0
    assert (tmp_path / out / "rows.jsonl").read_bytes() == before, "it is the study's own folder"
    assert json.loads(program("choose", out, "--json").stdout)["trial"].startswith("m/")
    chosen = program("choose", out, "--p99", "1s", "--max-drop", "50pp")
    assert chosen.returncode == 0, chosen.stderr
    assert "m/" in chosen.stdout
    none = program("choose", out, "--p50", "1ns")
    assert "nothing demonstrably keeps every limit" in none.stdout.lower().replace("\n", " ")
    compared = json.loads(program("compare", out, "m/int8-dynamic", "m/fp32", "--json").stdout)
    assert compared[0]["verdict"] in ("faster", "slower", "equivalent", "undecided")
    assert program("compare", out, "m/int8-dynamic", "m/fp32").returncode == 0
    assert json.loads(program("report", out, "--json").stdout)["report.html"]
    assert "| model" in program("table", out, "--format", "markdown").stdout
    assert json.loads(program("targets", "--json").stdout)
    assert "local-cpu" in program("targets").stdout
    refused(program("compare", out, "m/int9", "m/fp32"), "m/int9")
    refused(program("choose", out, "--p99", "5"), "p99", "'5ms'")
    refused(program("choose", out, "--objective", "speed"), "--objective")
    refused(program("table", out, "--format", "xls"), "--format", "markdown")


@pytest.mark.usefixtures("short_rounds", "undrawn")
def test_model_files_are_measured_together_and_compared(
    program: Run, make_model, tmp_path: Path
) -> None:
    make_model("old.onnx")
    make_model("new.onnx")
    done = program(
        "compare", "old.onnx", "new.onnx", "--budget", "3s", "--threads", "1,2", "-o", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    for threads in (1, 2):
        for name in ("old", "new"):
            assert f"{name}/fp32@local-cpu/single_stream/b1/t{threads}" in done.stdout
    assert done.stdout.count("  ratio ") == 2
    assert "results: out" in done.stdout
    twins = program("compare", "old.onnx", "old.onnx", "--budget", "2s", "--threads", "1", "--json")
    (found,) = json.loads(twins.stdout)
    assert (found["first"][:9], found["second"][:11]) == ("old/fp32@", "old.2/fp32@")
    refused(program("compare", "old.onnx", "out"), "out", ".onnx")
    refused(program("compare", "old.onnx", "none.onnx"), "none.onnx")
    refused(program("compare", "out", "old/fp32", "--budget", "3s"), "--budget", "model files")


def test_files_of_one_name_are_told_apart() -> None:
    def named(*paths: str) -> list[str]:
        return names_of([Path(path) for path in paths])

    assert named("/a/old.onnx", "/b/new.onnx") == ["old", "new"]
    assert named("/a/m.onnx", "/b/m.onnx") == ["a-m", "b-m"]
    assert named("/a/m.onnx", "/a/m.onnx", "/a/m.onnx") == ["m", "m.2", "m.3"]
    assert named("/a/my model.onnx", "/a/my_model.onnx", "/a/my-model.onnx") == [
        "my-model", "my_model", "my-model.2",
    ]  # fmt: skip
    odd = named("_x.onnx", "-y.onnx", ".z.onnx", "Größe é.onnx", "模型.onnx", f"{'l' * 90}.onnx")
    assert odd == ["x", "y", "z", "Grosse-e", "model", "l" * 60]
    for stem in ("_a", "-" * 70, "模型", "m" * 65, "é" * 64):
        assert study_of([Path(f"{stem}.onnx"), Path(f"{stem}.onnx")]).models[1].name[-2:] == ".2"


def test_wrong_usage(installed: Run, program: Run, tmp_path: Path) -> None:
    refused(installed("runn"), "runn")
    refused(program("run"), "Missing argument")
    refused(program("run", "study.toml", "--nope"), "--nope")
    refused(program("table", "nowhere"), "nowhere", "not a results folder", "profiler run")
    refused(program("run", "nope.toml"), "nope.toml", "no such file")
    (tmp_path / "model.py").write_text("")
    refused(program("run", "model.py"), "torch", "study.toml")


def test_models_that_are_none(program: Run, make_model, tmp_path: Path) -> None:
    refused(program("run", "nope.onnx"), "nope.onnx")
    (tmp_path / "text.onnx").write_text("I am not a model")
    refused(program("run", "text.onnx"), "text.onnx")
    whole = make_model("whole.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    refused(program("run", "half.onnx"), "half.onnx")


def save(tmp_path: Path, **columns: object) -> None:
    np.savez(tmp_path / "rows.npz", **columns)  # type: ignore[arg-type]


X = np.random.default_rng(0).standard_normal((48, 16)).astype(np.float32)
Y = np.arange(48) % 3
WITH_NAN = X.copy()
WITH_NAN[5, 2] = np.nan


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"x": X[:, :7], "labels": Y}, ["rows.npz", "x", "16", "7"]),
        ({"x": X, "labels": Y + 5}, ["data.labels", "row 0", "5", "3 classes"]),
        ({"x": WITH_NAN, "labels": Y}, ["rows.npz", "x", "NaN", "5"]),
        ({"x": X[:0], "labels": Y[:0]}, ["rows.npz", "at least one row"]),
        ({"x": X}, ["rows.npz", "labels"]),
        ({"x": X, "labels": Y[:9]}, ["rows.npz", "48", "9"]),
        ({"x": X, "labels": np.array([{}] * 48)}, ["rows.npz", "labels"]),
    ],
    ids=["shape", "range", "nan", "empty", "missing column", "lengths", "pickle"],
)
def test_data_that_does_not_fit(
    program: Run, make_study, tmp_path: Path, columns: dict[str, object], parts: list[str]
) -> None:
    study = make_study()
    save(tmp_path, **columns)
    refused(program("run", study, "-q"), *parts)


@pytest.mark.usefixtures("undrawn")
def test_a_changed_study_keeps_the_old_results(program: Run, measured, tmp_path: Path) -> None:
    study, out = tmp_path / "study.toml", tmp_path / "results" / "tiny"
    out.parent.mkdir()
    measured().rename(out)
    before = (out / "rows.jsonl").read_bytes()
    study.write_text(study.read_text().replace("threads = [1]", "threads = [1]\nseed = 5"))
    refused(program("run", study, "-q"), "another version of this study", "seed", "--output")
    assert (out / "rows.jsonl").read_bytes() == before


def test_options_of_models_are_refused_for_studies(program: Run, make_study) -> None:
    refused(program("run", make_study(), "--threads", "2"), "--threads", "write it in the study")
    refused(program("run", make_study(), "--target", "local-cpy"), 'did you mean "local-cpu"?')
    refused(program("run", make_study(), "--budget", "soon"), "budget", "'5ms'")


def test_a_device_that_is_not_there_is_exit_code_3(
    program: Run, make_study, stub: Callable[..., None], tmp_path: Path
) -> None:
    stub("name")
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "device.toml").write_text('transport = "ssh"\n[ssh]\nhost = "device"\n')
    plain = make_study(targets='["device"]')
    refused(program("run", plain, "-o", "out"), "no address", "hint:", code=3)
    auto = make_study('variants = ["auto"]', targets='["device"]')
    refused(program("run", auto, "-o", "out2"), "no address", "hint:", code=3)
    refused(program("plan", auto), "no address", code=3)
    refused(program("targets", "check", "device"), "no address", code=3)
    refused(program("targets", "add", "new", "--ssh", "me@device"), "no address", code=3)
    assert not (tmp_path / "targets" / "new.toml").exists()


def test_the_demo_takes_targets(program: Run) -> None:
    refused(program("demo", "--target", "local-cpuu"), "no target called", "local-cpu")
