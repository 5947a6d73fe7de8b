"""A terminal that knows few letters gets others in their place, never a traceback."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from profiler import cli
from profiler.commands import letters

Measured = Callable[[str], Path]
STUDY = 'variants = ["fp32", "int8-dynamic"]\n[slo]\np99 = "10s"\n'
COMMANDS = (
    "plan {study}", "table {out}", "table {out} --format markdown", "table {out} --format csv",
    "table {out} --json", "report {out}", "choose {out} --p99 10s", "check {out}",
    "compare {out} m/fp32 m/int8-dynamic", "flips {out} m/int8-dynamic", "stress {out}",
    "explain {out}", "explain {out} nö★", "run {study} -o {out}", "run nö★.onnx",
    "targets check local-cpu", "targets", "nö★",
)  # fmt: skip


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, bytes, bytes]]:
    """say(encoding, "table", "out") -> (exit code, stdout, stderr) of the command."""

    def call(encoding: str, *arguments: str) -> tuple[int, bytes, bytes]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        code = 0
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", ["profiler", *arguments])
            patch.setattr("sys.stdout", streams[0])
            patch.setattr("sys.stderr", streams[1])
            try:
                cli.main()
            except SystemExit as end:
                code = end.code or 0
        for stream in streams:
            stream.flush()
        return code, streams[0].buffer.getvalue(), streams[1].buffer.getvalue()

    return call


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
def test_no_command_minds_which_letters_there_are(
    encoding: str,
    say: Callable[..., tuple[int, bytes, bytes]],
    measured: Measured,
    make_study: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    out, study = measured(STUDY), make_study(STUDY)
    for line in COMMANDS:
        words = line.format(study=study, out=out).split()
        code, said, errors = say(encoding, *words)
        assert code == (2 if "★" in line or line.startswith("stress") else 0), (line, errors)
        assert b"Traceback" not in errors, line
        (said + errors).decode(encoding)
        if line == "table {out}":
            assert ("p50 us" if encoding == "ascii" else "p50 µs").encode(encoding) in said
        if line.endswith("--json"):
            assert json.loads(said.decode(encoding))[0]["model"] == "m"


def test_a_locale_of_few_letters_is_no_missed_limit(measured: Measured) -> None:
    few = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}
    done = subprocess.run(
        [sys.executable, "-m", "profiler", "check", measured(STUDY)],
        capture_output=True, env={**os.environ, **few}, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert b"SLO met" in done.stdout, done.stdout


def test_help_is_ascii() -> None:
    """The library that prints it writes UTF-8 whatever the terminal knows."""
    root = typer.main.get_command(cli.app)
    commands = {"": root, **root.commands, **root.commands["targets"].commands}
    for name, command in commands.items():
        with typer.Context(command, info_name=name) as context:
            assert command.get_help(context).isascii(), name


def test_letters_that_are_missing_have_one_in_their_place_each() -> None:
    text = "p50 µs ±3 % ▼ é — ★ ᵃ 漢 \udcff"
    assert text.encode("ascii", letters.HANDLER) == b"p50 us ~3 % v e - * a ? ?"
    assert text.encode("iso8859-1", letters.HANDLER) == "p50 µs ±3 % v é - * a ? ?".encode("latin1")


def test_json_keeps_its_meaning() -> None:
    text = json.dumps({"µ": "★ é 𝄞"}, ensure_ascii=False)
    for encoding in ("ascii", "iso8859-1", "utf-8"):
        found = letters.json_within(text, encoding)
        assert json.loads(found.encode(encoding).decode(encoding)) == {"µ": "★ é 𝄞"}
    assert letters.json_within(text, "utf-8") == text


def test_who_wants_another_way_keeps_it() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="ignore")
    letters.forgive(stream, None, io.StringIO())
    assert stream.errors == "ignore"
