"""`choose` as it is typed: limits, a load, a budget and prices."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.cli import main

Said = tuple[int, str, str]


@pytest.fixture
def choose(
    measured: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Said]:
    """choose("--p99", "1s") -> exit code, standard output, standard error."""
    folder = measured('variants = ["fp32", "int8-dynamic"]')

    def say(*options: str) -> Said:
        monkeypatch.setattr("sys.argv", ["profiler", "choose", str(folder), *options])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, " ".join(out.split()), err

    return say


def test_a_load_names_machines_and_their_monthly_cost(choose: Callable[..., Said]) -> None:
    load = ("--load", "1M/s", "--p99", "1s", "--price", "local-cpu=0.20USD/h")
    code, out, _ = choose(*load)
    assert code == 0
    assert "machines of local-cpu for 1.00 M/s" in out
    assert "USD a month: lowest monthly cost of 2 trials that keep the limits" in out
    assert "0.2 USD/h" in out
    code, out, _ = choose(*load, "--json")
    found = json.loads(out)
    first, second = found["deployments"]
    assert first["monthly"] <= second["monthly"]
    assert first["monthly"] == pytest.approx(first["machines"] * 0.2 * 730.5)
    code, out, _ = choose(*load, "--budget", "0.01 USD/month")
    assert "Nothing that keeps every limit serves this load" in out
    assert "breaks the budget of 0.01" in out


def test_a_price_that_changes_is_reckoned_with_anew(choose: Callable[..., Said]) -> None:
    """What is kept of a folder does not answer for another price."""
    monthly = [
        json.loads(choose("--load", "1M/s", "--json", "--price", f"local-cpu={price}USD/h")[1])
        for price in ("1", "2")
    ]
    first, second = (found["deployments"][0]["monthly"] for found in monthly)
    assert second == pytest.approx(2 * first)


def test_cost_and_size_are_limits(choose: Callable[..., Said]) -> None:
    _, out, _ = choose("--cost", "5 USD/million")
    assert "no price: --price local-cpu=0.20USD/h" in out
    _, out, _ = choose("--cost", "5 USD/million", "--price", "local-cpu=0.20USD/h")
    assert out.startswith("choice m/")
    _, out, _ = choose("--cost", "5 USD/million", "--price", "local-cpu=0.20EUR/h")
    assert "cost is in EUR, its limit in USD" in out
    _, out, _ = choose("--size", "10B")
    assert "size breaks the limit of 10.0 B" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "300 USD/month"), "--budget goes with --load"),
        (("--load", "500"), "expected a load such as '500/s', got '500'"),
        (("--load", "500/s", "--budget", "300"), "'0.20 USD/month', got '300'"),
        (("--load", "500/s", "--objective", "p50"), "with --load it is the cost"),
        (("--target", "local"), "no target is called 'local'"),
        (("--price", "0.2USD/h"), "expected TARGET=PRICE, got '0.2USD/h'"),
    ],
)
def test_a_slip_is_one_line(
    choose: Callable[..., Said], options: tuple[str, ...], message: str
) -> None:
    code, _, err = choose(*options)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
