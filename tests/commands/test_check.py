"""The exit code of `check`, by which scripts judge."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.cli import main

STUDY = 'variants = ["fp32"]\n[slo]\np99 = "1ns"\n'


def test_a_missed_limit_is_exit_code_1(
    measured: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["profiler", "check", str(measured(STUDY))])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
