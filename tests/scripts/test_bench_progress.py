from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_progress_of_a_round_is_told_and_timed(
    load_script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script = load_script("bench_progress")
    monkeypatch.setattr(script, "SAY_EVERY_NS", 1_000_000)
    assert 0 <= script.told(trials=3, seconds=0.02) < 2
