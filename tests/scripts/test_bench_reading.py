from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def test_time_a_trial_is_above_the_start_of_it_all(
    load_script: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    script = load_script("bench_reading")
    seconds = {1: 2.0, 20: 2.38, 100: 2.99, 1000: 13.988}
    script.per_trial({n: {"table": script.Cost(9.0, s, 50.0)} for n, s in seconds.items()})
    told = capsys.readouterr().out
    assert told.startswith("table: CPU a trial")
    assert told.endswith(
        "20.0 ms at 20 (2.00 ×), 10.0 ms at 100 (1.00 ×), 12.0 ms at 1000 (1.20 ×)\n"
    )
