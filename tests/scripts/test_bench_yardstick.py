"""What bench_yardstick makes of runs."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def one_run(p50_ns: float, yardsticks: float, *elapsed_s: float) -> Any:
    row = {"trial": "t", "p50_ns": p50_ns, "yardsticks": yardsticks, "yardstick_ns": 9e4}
    rounds = [SimpleNamespace(round=n, elapsed_s=each) for n, each in enumerate(elapsed_s)]
    block = SimpleNamespace(wall_ns=10_000_000)
    taken = SimpleNamespace(repetition=SimpleNamespace(blocks=[block, block]))
    beside = SimpleNamespace(taken={(0, 0): taken})
    record = SimpleNamespace(yardsticks={"local-cpu": beside})
    return SimpleNamespace(rows=[row], rounds=rounds, record=record)


def test_what_moves_and_what_it_costs(
    load_script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    bench = load_script("bench_yardstick")
    assert bench.moving([1.0, 1.01]) == pytest.approx(0.00704, rel=0.01)
    runs = [one_run(1e6, 10.0, 9.0, 2.02, 2.04), one_run(1.1e6, 10.0, 9.0, 2.02, 2.04)]
    _, trial, own = bench.table(runs).splitlines()
    assert trial.split() == ["t", "1050", "us", "6.74%", "10.000", "0.00%"]
    assert own.split()[-3:] == ["90", "us", "0.00%"]
    told = bench.share_text(runs, [one_run(1e6, 10.0, 9.0, 1.99, 2.01)])
    assert "2.030 s with it and 2.000 s without: +1.5% ±0.6%" in told
    assert "2.020 and 1.990 s: +1.5%" in told
    assert "queries alone 1.0%" in told
