"""What a million samples cost, and how many machines serve a load."""

from typing import Any

import pytest

from profiler.analysis.choice import fleet
from profiler.analysis.choice.slo import check, parse_limits
from profiler.analysis.trials.cost import columns
from profiler.errors import InputError
from profiler.results import prices
from profiler.schema.columns import Row, row_of
from profiler.schema.device.cost import HOURS_A_MONTH, HOURS_A_YEAR, Cost
from profiler.schema.study.measure import Slo
from profiler.units import parse_price, parse_rate
from profiler.wire.codec import DecodeError, decode, encode

RENT = Cost(per_hour=0.36, spot_per_hour=0.09, as_of="2026-11")
SERVED: Row = {"capacity": 1000.0, "capacity_low": 800.0, "capacity_high": 1250.0}


def test_rent_over_what_is_served_with_the_interval_turned_round() -> None:
    row = columns(RENT, SERVED, None, spot=False)
    found = [row[f"cost_per_million{end}"] for end in ("_low", "", "_high")]  # type: ignore[literal-required]
    assert found == pytest.approx([0.08, 0.1, 0.125])
    assert (row["currency"], row["price"]) == ("USD", "0.36 USD/h of 2026-11")
    assert columns(RENT, SERVED, None, spot=True)["cost_per_million"] == pytest.approx(0.025)
    assert columns(None, SERVED, None, spot=False) == {}


def test_a_bought_machine_is_written_off_and_its_electricity_paid() -> None:
    own = Cost(purchase=90.0, lifetime_years=4, per_kwh=0.3, currency="EUR", as_of="2026")
    hourly = 90 / (4 * HOURS_A_YEAR)
    assert own.hourly() == pytest.approx(hourly)
    row = columns(own, SERVED, 0.012, spot=False)
    assert row["cost_per_million"] == pytest.approx(
        1e6 / 1000 / 3600 * hourly + 1e6 * 0.012 / 3.6e6 * 0.3
    )
    assert "90 EUR over 4 years" in str(row["price"])
    without = columns(own, SERVED, None, spot=False)
    assert "without electricity" in str(without["cost_note"])


def test_what_serves_nothing_costs_nothing_and_says_why() -> None:
    row = columns(
        RENT, {"capacity_note": "in some round no rate keeps p99 ≤ 1 ms"}, None, spot=False
    )
    assert "cost_per_million" not in row
    assert row["cost_note"] == "in some round no rate keeps p99 ≤ 1 ms"


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({}, "per_hour, or purchase with lifetime_years"),
        ({"purchase": 90.0}, "purchase and lifetime_years together"),
        ({"per_hour": 1.0, "currency": "dollars"}, "three letters"),
        ({"per_hour": 1.0, "usd_per_hour": 1.0}, "per_hour alone"),
    ],
)
def test_a_price_that_says_too_little_or_too_much(given: dict[str, Any], part: str) -> None:
    with pytest.raises(DecodeError, match=part):
        decode(Cost, {"as_of": "2026", **given})


def test_the_older_spelling_is_read_as_dollars_and_written_anew() -> None:
    cost = decode(Cost, {"usd_per_hour": 0.2, "as_of": "2026-06"})
    assert cost == Cost(per_hour=0.2, as_of="2026-06")
    assert encode(cost)["usd_per_hour"] is None


def test_prices_on_the_command_line() -> None:
    found = prices.read(["pi5=0.01EUR/h"], ["pi5", "cloud"])
    assert (found["pi5"].per_hour, found["pi5"].currency) == (0.01, "EUR")
    for text, part in (
        ("pi5", "TARGET=PRICE"), ("pi=1USD/h", "no target is called 'pi'"),
        ("pi5=1$", "'0.20 USD/h'"), ("pi5=1USD/min", "'0.20 USD/h'"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=part):
            prices.read([text], ["pi5", "cloud"])


def trial(name: str, serves: float, target: str = "t", **more: Any) -> Row:
    values: dict[str, Any] = {
        "trial": name, "target": target, "status": "ok", "batch": 1, "capacity": serves,
        "capacity_low": 0.9 * serves, "capacity_high": 1.1 * serves,
        "p99_ns": 1e6, "p99_low_ns": 0.9e6, "p99_high_ns": 1.1e6,
    }  # fmt: skip
    return row_of({**values, **more})


def test_machines_for_a_load_at_the_capacity_that_can_be_relied_on() -> None:
    rows = [trial("fp32", 100.0), trial("int8", 240.0)]
    found = fleet.plan(rows, Slo(p99=2_000_000), {"t": RENT}, 500.0)
    best = found.chosen
    assert best is not None
    assert (best.trial, best.machines, best.machines_least) == ("int8", 3, 2)
    assert best.monthly == pytest.approx(3 * HOURS_A_MONTH * 0.36)
    assert [d.machines for d in found.deployments] == [3, 6]
    cheap = fleet.plan(rows, Slo(), {"t": RENT}, 500.0, budget=(800.0, "USD"))
    assert [d.trial for d in cheap.deployments] == ["int8"]
    assert dict(cheap.rejected)["fp32"] == "1315 to 1578 USD a month breaks the budget of 800"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": "failed", "reason": "out of memory"}, "failed: out of memory"),
        ({"quality": "worse"}, "worse than its baseline"),
        ({"p99_low_ns": 3e6, "p99_high_ns": 4e6}, "breaks the limit of 2.00 ms"),
        ({"p99_ns": None}, "p99 was not measured"),
        ({"capacity": None, "capacity_note": "no rate keeps p99"}, "no rate keeps p99"),
        ({"capacity_low": None, "capacity_high": None}, "too few rounds"),
        ({"accuracy": float("nan")}, None),
    ],
)
def test_traps_of_a_plan(more: dict[str, Any], why: str | None) -> None:
    found = fleet.plan([trial("a", 100.0, **more)], Slo(p99=2_000_000), {"t": RENT}, 10.0)
    if why is None:
        assert found.chosen is not None
        return
    assert found.chosen is None
    assert why in dict(found.rejected)["a"]
    assert found.reason == "nothing that keeps every limit serves this load"


def test_what_does_not_compare_is_not_chosen_from() -> None:
    rows = [trial("a", 100.0, "t"), trial("b", 90.0, "u")]
    euro = Cost(per_hour=0.01, currency="EUR", as_of="2026")
    both = fleet.plan(rows, Slo(), {"t": RENT, "u": euro}, 10.0)
    assert both.chosen is None
    assert both.reason == "prices are in EUR and USD, which are not compared: --target one"
    half = fleet.plan(rows, Slo(), {"t": RENT}, 10.0)
    assert half.chosen is None
    assert "compare by price alone" in half.reason
    none = fleet.plan(rows[:1], Slo(), {}, 10.0)
    assert none.chosen is not None
    assert none.chosen.monthly is None


def test_limits_on_size_energy_and_cost() -> None:
    slo = parse_limits({"size": "20MB", "energy": "5mJ", "cost": "5 USD/million"})
    row = trial("a", 1.0, file_bytes=30_000_000, energy_j_per_query=0.004, cost_per_million=4.0,
                cost_per_million_low=3.0, cost_per_million_high=6.0, currency="USD")  # fmt: skip
    told = {one.limit: (one.outcome, one.reason) for one in check(row, slo)}
    assert told["size"] == ("missed", "size 30.0 MB breaks the limit of 20.0 MB")
    assert told["energy"] == ("met", "energy 4.00 mJ")
    assert told["cost"] == ("undecided", "cost 3.00 USD to 6.00 USD spans the limit of 5.00 USD")
    euro = row_of(row, {"currency": "EUR"})
    (other,) = [one for one in check(euro, slo) if one.limit == "cost"]
    assert other.outcome == "undecided"
    assert other.reason == "cost is in EUR, its limit in USD: no rate of exchange is assumed"
    (unpriced,) = [one for one in check(trial("b", 1.0), slo) if one.limit == "cost"]
    assert unpriced.reason == "no price: --price t=0.20USD/h"


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"cost": "5 dollars"}, "'0.20 USD/million'"),
        ({"cost": "5 USD/h"}, "'0.20 USD/million'"),
        ({"energy": "5"}, "an energy such as '5mJ'"),
        ({"size": "small"}, "a size such as"),
    ],
)
def test_limits_that_are_none(given: dict[str, str], part: str) -> None:
    with pytest.raises(InputError, match=part):
        parse_limits(given)


def test_rates_and_prices_are_read() -> None:
    assert [parse_rate(t) for t in ("500/s", "30k/min", "1.5M/h")] == [500, 500, 1.5e6 / 3600]
    assert parse_price("0.20USD/h", "h") == (0.2, "USD")
    for text in ("500", "0/s", "-5/s", "500/day"):
        with pytest.raises(ValueError, match="500/s"):
            parse_rate(text)
