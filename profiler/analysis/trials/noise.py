"""What the machine did to a trial, in words, from the counters around its blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from profiler.wire import disturbance
from profiler.wire.messages import Block, Repetition

BUSY_LOAD = 0.5
"""Load of a usable core in the minute before, above which a machine was busy. An idle one shows
less. Of this machine it is told for the minute before the command began, which trains and makes
variants itself."""


def busy_before(facts: Mapping[str, Any]) -> bool | None:
    """Whether the machine was busy when its facts were asked, before anything was measured."""
    load = facts.get("load_1min")
    return None if load is None else load > BUSY_LOAD * (facts.get("usable_cores") or 1)


def describe(repetitions: Sequence[Repetition]) -> str | None:
    """One short text for the table; None when the runs were not disturbed as a whole."""
    return disturbance.shares(list(_blocks(repetitions))).reason


def reasons(repetitions: Sequence[Repetition]) -> Counter[str]:
    """How many blocks were disturbed by what."""
    return Counter(b.disturbed for b in _blocks(repetitions) if b.disturbed is not None)


def _blocks(repetitions: Sequence[Repetition]) -> Iterator[Block]:
    return (block for repetition in repetitions for block in repetition.blocks)
