"""How precisely a study measures, and the limits that a choice must keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from profiler.schema.limits import MEMORY, check, durations, energies, numbers, shares, sizes
from profiler.units import parse_price
from profiler.wire.codec import DecodeError

_LIMIT = durations("1ns", "1440min")
_TIME = durations("1us", "1440min")
_SHARE = shares("0", "1000000000")
_PART = shares("0.0001%", "99.9%")
_FILE = sizes("1B", "1000000GB")
_ENERGY = energies("1uJ", "1000000J")
BLOCK_TIME = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Limits a choice must keep. Missing: no limit."""

    p50: Optional[int] = field(default=None, metadata=_LIMIT)
    p90: Optional[int] = field(default=None, metadata=_LIMIT)
    p99: Optional[int] = field(default=None, metadata=_LIMIT)
    max_drop: Optional[float] = field(default=None, metadata=_SHARE)
    """largest accuracy loss against the most accurate baseline of the study, e.g. '1pp'"""
    min_accuracy: Optional[float] = field(default=None, metadata=_SHARE)
    memory: Optional[int] = field(default=None, metadata=MEMORY)
    size: Optional[int] = field(default=None, metadata=_FILE)
    """of the model's file with its weights"""
    energy: Optional[float] = field(default=None, metadata=_ENERGY)
    """joules a query"""
    cost: Optional[str] = None
    """of a million samples, e.g. '5 USD/million'"""

    def __post_init__(self) -> None:
        check(self)
        if self.cost is not None:
            try:
                parse_price(self.cost, "million")
            except ValueError as error:
                raise DecodeError("cost", str(error).removeprefix("expected "), self.cost) from None

    def check_shares(self) -> None:
        """Raise DecodeError for an accuracy above 1. A metric of the user's own has any range."""
        for key in ("max_drop", "min_accuracy"):
            value = getattr(self, key)
            if value is not None and value > 1:
                raise DecodeError(key, "a share from 0 to 1, such as '1pp', '1%' or 0.01", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSpec:
    """How long and how precisely to measure. The plan estimates the time from it."""

    precision: float = field(default=0.01, metadata=_PART)
    """stop when every interval's half-width (p50, and p50 against the reference) is below this"""
    budget: int = field(default=60 * 10**9, metadata=durations("1ms", "43200min"))
    """or when a group has taken this long"""
    min_rounds: int = field(default=4, metadata=numbers(4, 100_000))
    max_rounds: int = field(default=200, metadata=numbers(4, 100_000))
    round_time: int = field(default=500_000_000, metadata=_TIME)
    """measuring time of each trial in each round; less, down to four tenths, where else fewer than
    eight rounds would fit the budget"""
    block_time: int = field(default=BLOCK_TIME, metadata=_TIME)
    """of which it is measured in one go, before another trial's turn; a shorter round_time counts
    for the default"""
    query_timeout: int = field(default=60 * 10**9, metadata=durations("1ms", "1440min"))
    memory_limit: Optional[int] = field(default=None, metadata=MEMORY)
    margin: float = field(default=0.01, metadata=_PART)
    """accuracy loss that would still be acceptable; named before the run"""
    equivalence: float = field(default=0.01, metadata=_PART)
    """latency difference too small to matter"""
    yardstick: bool = True
    """measure a small fixed model beside the trials, so that runs of one machine compare"""

    def __post_init__(self) -> None:
        check(self)
        if not self.min_rounds <= self.max_rounds:
            raise DecodeError("min_rounds", "4 <= min_rounds <= max_rounds", self.min_rounds)
        if self.block_time > self.round_time and self.block_time != BLOCK_TIME:
            raise DecodeError(
                "block_time", f"no more than round_time ({self.round_time}ns)",
                f"{self.block_time}ns",
            )  # fmt: skip
