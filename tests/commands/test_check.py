"""The exit code of `check`, by which scripts judge."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from profiler.analysis.choice.across import AcrossRuns
from profiler.cli import main
from profiler.report import gate
from profiler.schema.columns import row_of
from profiler.statistics.intervals import Estimate

STUDY = 'variants = ["fp32"]\n[slo]\np99 = "1ns"\n'


def test_a_missed_limit_is_exit_code_1(
    measured: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["profiler", "check", str(measured(STUDY))])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1


@pytest.fixture
def check(
    measured: Callable[[str], Path], program: Callable[..., Any]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """check("--p99", "1s") of a folder called theirs."""
    measured('variants = ["fp32", "int8-dynamic"]')
    return lambda *options: program("check", "theirs", *options)


def test_limits_are_given_on_the_command_line(check: Callable[..., Any]) -> None:
    assert check("--p99", "60s").returncode == 0
    missed = check("--p99", "1ns")
    assert missed.returncode == 1
    assert "SLO not met" in missed.stdout


def test_a_folder_is_held_against_itself(check: Callable[..., Any], tmp_path: Path) -> None:
    told = check("--against", "theirs", "--format", "markdown", "--junit", tmp_path / "j.xml")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("**profiler check: all 5 passed**")
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("5", "0")
    assert check("--against", "theirs", "--format", "github").stdout == ""


def test_a_strange_form_is_a_slip(check: Callable[..., Any]) -> None:
    told = check("--format", "junit")
    assert told.returncode == 2
    assert "--format: expected one of text, json, markdown, github, got 'junit'" in told.stderr


def across(trial: str, verdict: Any, low: float, high: float) -> AcrossRuns:
    value = (low + high) / 2
    return AcrossRuns(trial=trial, verdict=verdict, relative_to="yardstick",
                      ratio=Estimate(value=value, low=low, high=high, rounds=8))  # fmt: skip


def row(trial: str, accuracy: float, half: float) -> Any:
    return row_of({"trial": trial, "accuracy": accuracy, "accuracy_low": accuracy - half,
                   "accuracy_high": accuracy + half})  # fmt: skip


def test_what_became_slower_or_less_accurate_fails_with_the_reason() -> None:
    found: Any = SimpleNamespace(
        study=SimpleNamespace(measure=SimpleNamespace(margin=0.01)),
        rows=[row("a", 0.90, 0.01), row("b", 0.975, 0.01), row("new", 0.5, 0.01)],
        compare_with=lambda other: [across("a", "slower", 1.02, 1.06),
                                    across("b", "undecided", 0.9, 1.2)],
    )  # fmt: skip
    before = [row("a", 0.98, 0.01), row("b", 0.98, 0.01)]
    reference: Any = SimpleNamespace(folder="ref", rows=before)
    answers = gate.against(found, reference)
    assert [(one.question, one.passed) for one in answers] == [
        ("a as fast as in ref", False), ("b as fast as in ref", True),
        ("a as accurate as in ref", False), ("b as accurate as in ref", True),
    ]  # fmt: skip
    assert answers[0].reason == "slower: ratio 1.040, 1.020 to 1.060, relative to yardstick"
    suite = ElementTree.fromstring(gate.junit(answers))
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "a as fast as in ref", "a as accurate as in ref"
    ]  # fmt: skip
    assert gate.github(answers).splitlines()[1] == (
        "::error title=a as accurate as in ref::accuracy 90.0 %25, there 98.0 %25"
    )
    assert gate.markdown(answers).startswith("**profiler check: 2 of 4 failed**")


def test_names_can_not_break_out_of_a_report() -> None:
    answers = [gate.Answer(question="a|b, c: <d>", passed=False, reason="x\n::set-env name=y::z")]
    assert gate.github(answers).count("\n") == 1
    assert "title=a|b%2C c%3A <d>::" in gate.github(answers)
    assert r"a\|b, c: \<d\>" in gate.markdown(answers)
    (case,) = ElementTree.fromstring(gate.junit(answers))
    assert case.get("name") == "a|b, c: <d>"
