"""What the machine did to a trial, in words, from the counters around its blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from profiler.wire import disturbance
from profiler.wire.messages import Block, Repetition


def describe(repetitions: Sequence[Repetition]) -> str | None:
    """One short text for the table; None when the runs were not disturbed as a whole."""
    return disturbance.shares(list(_blocks(repetitions))).reason


def reasons(repetitions: Sequence[Repetition]) -> Counter[str]:
    """How many blocks were disturbed by what."""
    return Counter(b.disturbed for b in _blocks(repetitions) if b.disturbed is not None)


def _blocks(repetitions: Sequence[Repetition]) -> Iterator[Block]:
    return (block for repetition in repetitions for block in repetition.blocks)
