"""What a machine costs, as somebody declared it on a day: nobody measures a price."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

from profiler.schema.limits import PROSE, check, numbers
from profiler.wire.codec import DecodeError

_DATE = re.compile(r"20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_PRICE = numbers(0, 1_000_000)
HOURS_A_YEAR = 365.25 * 24
HOURS_A_MONTH = HOURS_A_YEAR / 12
J_A_KWH = 3.6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an hour costs, or what the machine did; and when that was read."""

    per_hour: Optional[float] = field(default=None, metadata=_PRICE)
    """rented, on demand"""
    spot_per_hour: Optional[float] = field(default=None, metadata=_PRICE)
    """rented, as long as nobody pays more; counts with `--spot`"""
    purchase: Optional[float] = field(default=None, metadata=numbers(0, 100_000_000))
    """bought, and written off evenly over `lifetime_years`"""
    lifetime_years: Optional[float] = field(default=None, metadata=numbers(0.1, 50))
    per_kwh: Optional[float] = field(default=None, metadata=numbers(0, 100))
    """electricity, on top: of the energy that was measured, or of the power that is declared"""
    currency: str = "USD"
    as_of: str
    """the day (or month, or year) of the price: 2026-06-17, 2026-06 or 2026"""
    source: Optional[str] = field(default=None, metadata=PROSE)
    """who said so"""
    usd_per_hour: Optional[float] = field(default=None, metadata=_PRICE)
    """as `per_hour` was called; folders and files that say so are read"""

    def __post_init__(self) -> None:
        check(self)
        if not _DATE.fullmatch(self.as_of):
            raise DecodeError("as_of", 'a date such as "2026-06-17", or its month or year',
                              self.as_of)  # fmt: skip
        if not _CURRENCY.fullmatch(self.currency):
            raise DecodeError("currency", 'three letters such as "USD"', self.currency)
        if self.usd_per_hour is not None:
            if self.per_hour is not None or self.currency != "USD":
                raise DecodeError("usd_per_hour", "per_hour alone, with its currency",
                                  self.usd_per_hour)  # fmt: skip
            object.__setattr__(self, "per_hour", self.usd_per_hour)
            object.__setattr__(self, "usd_per_hour", None)
        if (self.purchase is None) != (self.lifetime_years is None):
            lone = "lifetime_years" if self.purchase is None else "purchase"
            raise DecodeError(lone, "purchase and lifetime_years together", getattr(self, lone))
        if self.per_hour is None and self.purchase is None:
            raise DecodeError("per_hour", "a price: per_hour, or purchase with lifetime_years",
                              None)  # fmt: skip

    def hourly(self, *, spot: bool = False) -> float:
        """One hour of the machine, without electricity."""
        if spot and self.spot_per_hour is not None:
            return self.spot_per_hour
        if self.per_hour is not None:
            return self.per_hour
        assert self.purchase is not None
        assert self.lifetime_years is not None
        return self.purchase / (self.lifetime_years * HOURS_A_YEAR)

    def in_words(self, *, spot: bool = False) -> str:
        """'0.0816 USD/h of 2026-06-17', and what it is where it is no rent on demand."""
        what = f"{self.hourly(spot=spot):.4g} {self.currency}/h"
        if spot and self.spot_per_hour is not None:
            what += " (spot)"
        elif self.per_hour is None:
            what += f" ({self.purchase:g} {self.currency} over {self.lifetime_years:g} years)"
        if self.per_kwh is not None:
            what += f" + {self.per_kwh:g} {self.currency}/kWh"
        return f"{what} of {self.as_of}"
