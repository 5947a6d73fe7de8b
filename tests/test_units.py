import math

import pytest

from profiler.units import (
    format_duration,
    format_elapsed,
    format_percent,
    format_size,
    parse_duration,
    parse_fraction,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5ms", 5_000_000), ("30s", 30 * 10**9), ("1.5us", 1500), ("2 min", 120 * 10**9)],
)
def test_durations(text: str, value: int) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "5", "ms", "-5ms", "5 hours", "5ms5"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_duration(text)


def test_sizes_and_fractions() -> None:
    assert parse_size("512MB") == 512_000_000
    assert parse_size("1GiB") == 2**30
    assert parse_fraction("1pp") == parse_fraction("1%") == parse_fraction("0.01") == 0.01
    with pytest.raises(ValueError, match="1pp"):
        parse_fraction("1 kg")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (math.nan, "–"), (0, "0 ns"), (999.9, "1.00 µs"), (2_500_000, "2.50 ms"),
     (187_400, "187 µs"), (61e9, "61.0 s")],
)  # fmt: skip
def test_shown_durations(value: float | None, text: str) -> None:
    assert format_duration(value) == text


def test_other_shown_numbers() -> None:
    assert format_size(1234567) == "1.23 MB"
    assert format_percent(0.9714) == "97.1 %"
    assert format_elapsed(65) == "1 min 05 s"
    assert format_elapsed(-3) == "0 s"
