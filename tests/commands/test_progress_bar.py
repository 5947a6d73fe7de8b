"""What is said where there is no terminal to draw on, e.g. in a log."""

import json

import pytest
from rich.table import Table

from profiler.commands import look
from profiler.commands import progress_bar as console


def test_a_log_gets_a_line_now_and_then_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now_s)
    with console.Bar() as bar:
        bar.group("pi5: 20 trials", 80, 0)
        for now_s in (1.0, 29.0, 31.0, 40.0, 62.0):
            bar.update("round 2, ±3.0 %", now_s / 100, 100 - now_s)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "measuring pi5: 20 trials (budget 1 min 20 s)",
        "pi5: 20 trials: round 2, ±3.0 %, 31% done, 1 min 09 s left",
        "pi5: 20 trials: round 2, ±3.0 %, 62% done, 38 s left",
    ]


@pytest.mark.parametrize("live", [False, True])
def test_names_with_brackets_are_shown_as_they_are(
    live: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if live:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(console.Console, "is_terminal", property(lambda self: True))
    with console.Bar() as bar:
        bar.stage("reading a[/b].csv")
        bar.update("[red]x", 0.5, 1.0)
        bar._progress.refresh()
    assert "reading a[/b].csv" in capsys.readouterr().err


def test_a_terminal_obeys_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    out = look.console()
    table = Table(title="t\x1b]0;x\x07")
    table.add_column("h\x9b2J")
    table.add_row("cell\u202e")
    out.print("a\x1b[2Jb\nc", markup=False)
    out.print(table)
    look.print_json({"\x9b31m": "\u202e\U000e0001\x1b ü\n"})
    with console.Bar() as bar:
        bar.note("n\x1b[5m\r")
        bar.lane("l\x07").group("g\x1b[8m", 1, 0)
    shown = capsys.readouterr()
    assert not [line for line in (shown.out + shown.err).split("\n") if not line.isprintable()]
    assert "a\\x1b[2Jb\nc\n" in shown.out
    told = json.loads(shown.out[shown.out.index("{") :])
    assert told == {"\x9b31m": "\u202e\U000e0001\x1b ü\n"}
    assert "ü" in shown.out
