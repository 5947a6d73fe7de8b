"""Reading and printing quantities. Durations are integer nanoseconds, sizes are bytes."""

from __future__ import annotations

import math
import re
from typing import Optional

_DURATIONS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9}
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_NUMBER = re.compile(r"\s*([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([A-Za-zµ%]{0,9})\s*")
_CPUS = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_COUNT = re.compile(r"0*[1-9][0-9]{0,17}")
MOST_CPU = 4095
"""The highest CPU number that can be named; more than any machine of one kernel has."""


def _split(text: str, units: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number with a unit ({units}), got {text[:80]!r}")
    return float(match[1]), match[2]


def parse_duration(text: str) -> int:
    """'5ms' -> 5_000_000 ns. Raises ValueError with the accepted units."""
    number, unit = _split(text, "ns, us, ms, s, min")
    if unit not in _DURATIONS:
        raise ValueError(f"expected a duration such as '5ms' or '30s', got {text!r}")
    return round(number * _DURATIONS[unit])


def parse_size(text: str) -> int:
    """'512MB' -> 512_000_000 bytes; KiB, MiB and GiB are binary."""
    number, unit = _split(text, "B, KB, MB, GB, KiB, MiB, GiB")
    if unit not in _SIZES:
        raise ValueError(f"expected a size such as '512MB' or '2GiB', got {text!r}")
    return round(number * _SIZES[unit])


def parse_cpus(text: str) -> tuple[int, ...]:
    """'0-1,3' -> (0, 1, 3); empty text -> (), which means all.

    Raises ValueError, which says what was expected.
    """
    cpus: list[int] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = _CPUS.fullmatch(part)
        if match is None:
            raise ValueError("CPU numbers such as '0' or '0-1,3'")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > MOST_CPU:
            raise ValueError(f"CPU numbers from 0 to {MOST_CPU}")
        if last < first:
            raise ValueError(f"the lower CPU number first ('{last}-{first}')")
        cpus.extend(range(first, last + 1))
    return tuple(dict.fromkeys(cpus))


def parse_count(text: str) -> int:
    """'12' -> 12, a whole number of 1 or more in plain digits. Raises ValueError."""
    if not _COUNT.fullmatch(text):
        raise ValueError(f"expected a whole number of 1 or more, got {text[:80]!r}")
    return int(text)


def parse_fraction(text: str) -> float:
    """'1pp' (percentage points), '1%' and '0.01' all give 0.01."""
    number, unit = _split(text, "pp, %, or a plain fraction")
    if unit in ("pp", "%"):
        return number / 100
    if unit == "":
        return number
    raise ValueError(f"expected a share such as '1pp', '1%' or '0.01', got {text!r}")


_ENERGIES = {"J": 1.0, "mJ": 1e-3, "uJ": 1e-6, "µJ": 1e-6}
_PRICE = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([A-Z]{3})\s*/\s*([a-z]{1,9})\s*")


def parse_energy(text: str) -> float:
    """'5mJ' -> 0.005 J. Raises ValueError with the accepted units."""
    number, unit = _split(text, "J, mJ, uJ")
    if unit not in _ENERGIES:
        raise ValueError(f"expected an energy such as '5mJ', got {text!r}")
    return number * _ENERGIES[unit]


def parse_price(text: str, per: str) -> tuple[float, str]:
    """'0.20 USD/h' with per='h' -> (0.2, 'USD'). Raises ValueError, which shows one."""
    found = _PRICE.fullmatch(text)
    if found is None or found[3] != per:
        raise ValueError(f"expected a price such as '0.20 USD/{per}', got {text[:80]!r}")
    return float(found[1]), found[2]


def parse_rate(text: str) -> float:
    """'500/s' -> 500.0 a second; '30k/s' and '1.2M/s', too. Raises ValueError, which shows one."""
    found = re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([kM]?)\s*/\s*(s|min|h)\s*", text)
    if found is None or float(found[1]) == 0:
        raise ValueError(f"expected a load such as '500/s', got {text[:80]!r}")
    return (
        float(found[1])
        * {"": 1, "k": 1e3, "M": 1e6}[found[2]]
        / {"s": 1, "min": 60, "h": 3600}[found[3]]
    )


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0:
        return "0"
    value = float(f"{value:.3g}")  # first, so that 9.996 becomes 10.0 and not 10.00
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    for factor, unit in steps:
        if abs(value) >= factor * 0.9995:
            return f"{_three_digits(value / factor)} {unit}"
    factor, unit = steps[-1]
    return f"{_three_digits(value / factor)} {unit}"


def _missing(value: Optional[float]) -> bool:
    return value is None or math.isnan(value)


def format_duration(value_ns: Optional[float]) -> str:
    """Nanoseconds as '1.23 ms'; a missing value as an en dash."""
    if value_ns is None or _missing(value_ns):
        return "–"
    return _scaled(value_ns, ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")))


def format_size(value_bytes: Optional[float]) -> str:
    """Bytes as '12.3 MB' (decimal megabytes)."""
    if value_bytes is None or _missing(value_bytes):
        return "–"
    return _scaled(value_bytes, ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")))


def format_energy(value_j: Optional[float]) -> str:
    """Joules as '12.3 mJ'."""
    if value_j is None or _missing(value_j):
        return "–"
    return _scaled(value_j, ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")))


def format_money(value: Optional[float], currency: Optional[str]) -> str:
    """An amount as '12.3 USD'."""
    return "–" if value is None or _missing(value) else f"{_three_digits(value)} {currency}"


def format_rate(value: Optional[float]) -> str:
    """Samples a second as '12.3 k/s'."""
    if value is None or _missing(value):
        return "–"
    return _scaled(value, ((1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")))


def format_percent(value: Optional[float], digits: int = 1) -> str:
    """A fraction as '97.1 %'."""
    if value is None or _missing(value):
        return "–"
    return f"{value * 100:.{digits}f} %"


def format_elapsed(seconds: float) -> str:
    """Seconds of waiting as '1 min 05 s'."""
    whole = max(0, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def counted(number: int, noun: str) -> str:
    """'1 trial', '2 trials'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
