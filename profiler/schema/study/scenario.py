"""The scenarios of a study: how queries are issued, and with which batches, rates and gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Union

from profiler.schema.limits import check, durations, numbers
from profiler.schema.study.data import unique
from profiler.schema.study.measure import MeasureSpec, Slo
from profiler.wire.codec import DecodeError, nearest
from profiler.wire.scenarios import SCENARIOS, with_key

LEAST_STARTS = 10
"""Cold starts vary more than anything else: fewer say too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioSpec:
    """How queries are issued; `wire/scenarios.py` says which key belongs to which kind."""

    kind: str = field(metadata={"words": SCENARIOS})
    batch: tuple[int, ...] = field(default=(), metadata=numbers(1, 2**20))
    """samples a query; each size is its own trial. Default: as the kind has it"""
    concurrency: tuple[int, ...] = field(default=(1,), metadata=numbers(1, 1024))
    """queries in flight at once; each number is its own trial"""
    gap: int = field(default=0, metadata=durations("0s", "60s"))
    """think time before each query, e.g. '10ms'"""
    rate: Union[float, Literal["max"]] = field(default="max", metadata=numbers(0.001, 1_000_000))
    """queries a second, or "max": the highest rate whose p99 keeps slo.p99"""
    starts: int = field(default=3, metadata=numbers(1, 1000))
    """fresh processes in each round; at least 10 in all are measured"""
    cache: tuple[Literal["warm", "cold"], ...] = ("warm",)
    """the model file in the page cache, or not; each is its own trial"""

    @classmethod
    def from_text(cls, text: str) -> ScenarioSpec:
        """'offline' is short for {kind = "offline"}."""
        if text not in SCENARIOS:
            raise DecodeError("", "one of " + ", ".join(SCENARIOS), text, nearest(text, SCENARIOS))
        return cls(kind=text)

    def __post_init__(self) -> None:
        check(self)
        batch = self.batch or SCENARIOS[self.kind].batch
        self._belongs("batch", batch, SCENARIOS[self.kind].batch)
        if not self.concurrency:
            raise DecodeError("concurrency", "at least one entry", [])
        unique("batch", [str(size) for size in batch])
        unique("concurrency", [str(number) for number in self.concurrency])
        unique("cache", list(self.cache))
        self._belongs("concurrency", self.concurrency, (1,))
        self._belongs("gap", self.gap, 0)
        self._belongs("rate", self.rate, "max")
        if not self.cache:
            raise DecodeError("cache", "at least one entry", [])
        self._belongs("cache", self.cache, ("warm",))
        object.__setattr__(self, "batch", batch)

    def check_beside(self, slo: Slo, measure: MeasureSpec) -> None:
        """Raise DecodeError where the study's limits or rounds do not do for this scenario."""
        known = SCENARIOS[self.kind]
        if known.open_loop and self.rate == "max" and slo.p99 is None:
            raise DecodeError(
                "slo.p99", f"a limit: the {self.kind} scenario searches the highest rate that"
                " keeps it", None, 'add [slo] p99 = "10ms", or give the scenario a rate'
            )  # fmt: skip
        least = -(-LEAST_STARTS // measure.min_rounds)
        if known.fresh and self.starts < least:
            raise DecodeError(
                "scenarios.starts", f"{least} or more: {LEAST_STARTS} fresh processes in"
                f" {measure.min_rounds} rounds", self.starts,
            )  # fmt: skip

    def _belongs(self, key: str, value: object, plain: object) -> None:
        """Raise DecodeError where a key is set that means nothing to this kind."""
        if value == plain or key in SCENARIOS[self.kind].keys:
            return
        those = with_key(key)
        named, one = " and ".join(those), len(those) == 1
        expected = {
            "batch": f"1 for {self.kind} ({those[0]} has more)",
            "concurrency": f"1: only {named} {'has' if one else 'have'} more",
            "gap": f"no gap: only {named} {'has' if one else 'have'} one",
            "rate": f"queries a second, for the {named} scenario{'' if one else 's'}",
            "cache": f"{named}: only {'that one loads' if one else 'those load'}",
        }[key]
        raise DecodeError(key, expected, list(value) if isinstance(value, tuple) else value)
