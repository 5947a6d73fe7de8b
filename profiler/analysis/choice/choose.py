"""One defensible choice: what keeps every limit, then the best objective, ties told as ties."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from profiler.analysis.choice import near
from profiler.analysis.choice import slo as limits
from profiler.analysis.metrics import bounds, value
from profiler.schema.columns import Row, value_of
from profiler.schema.study.measure import Slo
from profiler.schema.study.metrics import METRICS
from profiler.units import format_percent

Separated = Callable[[str, Sequence[str]], Collection[str]]
"""Which of some rivals differ in p50 from the best beyond doubt (paired over rounds)."""


TIE_SHARE = 0.05
"""How much of the objective a cheaper trial may seem to cost and still count as tied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The recommendation. `trial` is None when nothing demonstrably keeps the limits."""

    trial: str | None
    reason: str
    ties: tuple[str, ...] = ()
    rejected: tuple[tuple[str, str], ...] = ()
    """(trial, why not)"""
    undecided: tuple[tuple[str, str], ...] = ()
    """(trial, which limit can't be decided yet)"""
    warnings: tuple[str, ...] = ()
    """what speaks against the trial although it keeps the limits"""


def choose(rows: Sequence[Row], slo: Slo, objective: str, *, separated: Separated) -> Choice:
    """Pick the trial that is best in `objective` among those which keep all limits.

    Best is the value that can be relied on: the bad end of the interval, so that a wide interval
    wins nothing. Trials within 5 % of it that nothing separates from it are ties; of them the one
    that costs least wins: in turn price, threads, memory in steps of 5 MB, file size, accuracy.
    """
    kept: list[Row] = []
    rejected: list[tuple[str, str]] = []
    undecided: list[tuple[str, str]] = []
    for row in rows:
        trial = str(row["trial"])
        if row["status"] != "ok":
            rejected.append((trial, f"{row['status']}: {row['reason']}"))
            continue
        if row["quality"] == "worse":
            where = f"; {row['damaged']}" if row["damaged"] else ""
            rejected.append((trial, f"worse than its baseline: {_loss(row)}{where}"))
            continue
        checks = limits.check(row, slo)
        outcome = limits.overall(checks)
        reasons = "; ".join(c.reason for c in checks if c.outcome == outcome)
        if outcome == "missed":
            rejected.append((trial, reasons))
        elif outcome == "undecided":
            undecided.append((trial, reasons))
        elif value(row, objective) is None:
            undecided.append((trial, f"{objective} was not measured"))
        else:
            kept.append(row)
    if not kept:
        return Choice(
            trial=None,
            reason=_nothing(rows, slo, len(undecided)),
            rejected=tuple(rejected),
            undecided=tuple(undecided),
        )
    best = min(kept, key=lambda row: _relied_on(row, objective))
    near = [row for row in kept if row is not best and _near(row, best, objective)]
    apart = _apart(best, near, objective, separated)
    rivals = {str(row["trial"]) for row in near} - apart
    ties = [row for row in kept if row is best or str(row["trial"]) in rivals]
    tied = {str(row["trial"]) for row in ties}
    chosen = min(ties, key=lambda row: _economy(row, objective))
    others = [str(r["trial"]) for r in ties if r is not chosen]
    worse = [
        (str(r["trial"]), f"{_shown(r, objective)}, the chosen one {_shown(chosen, objective)}")
        for r in kept
        if str(r["trial"]) not in tied
    ]
    return Choice(
        trial=str(chosen["trial"]),
        reason=_because(chosen, best, others, slo, objective),
        ties=tuple(others),
        rejected=tuple(worse + rejected),
        undecided=tuple(undecided),
    )


def _loss(row: Row) -> str:
    drop, low, high = (float(value_of(row, key)) * 100 for key in ("drop", "drop_low", "drop_high"))
    return f"{drop:.1f} points lost ({low:.1f} to {high:.1f}), more than the margin"


def _signed(row: Row, name: str) -> float:
    found = value(row, name)
    assert found is not None
    return found if METRICS[name].lower_is_better else -found


def _relied_on(row: Row, name: str) -> float:
    low, high = bounds(row, name)
    lower = METRICS[name].lower_is_better
    end = high if lower else low
    if end is None:
        return _signed(row, name)
    return end if lower else -end


def _near(row: Row, best: Row, name: str) -> bool:
    """No worse than the best by more than the share that a tie may cost."""
    return _signed(row, name) <= _signed(best, name) + TIE_SHARE * abs(_signed(best, name))


def _apart(best: Row, near: Sequence[Row], objective: str, separated: Separated) -> set[str]:
    names = [str(row["trial"]) for row in near]
    if objective in ("p50", "p90", "p99"):
        return set(separated(str(best["trial"]), names)) if names else set()
    return {n for n, row in zip(names, near, strict=True) if _beyond(row, best, objective)}


def _beyond(first: Row, second: Row, objective: str) -> bool:
    """Whether the intervals don't meet; without intervals, whether the values differ."""
    (low_a, high_a), (low_b, high_b) = bounds(first, objective), bounds(second, objective)
    if low_a is None or high_a is None or low_b is None or high_b is None:
        return value(first, objective) != value(second, objective)
    return high_a < low_b or high_b < low_a


def _economy(row: Row, objective: str) -> tuple[float, ...]:
    missing = float("inf")

    def known(column: str) -> float:
        held = value_of(row, column)
        return missing if held is None or held != held else float(held)

    memory = known("memory_peak_bytes")
    # Resident sets of equal runs differ by a few megabytes.
    steps = round(memory / 5e6) if memory != missing else missing
    accuracy = known("accuracy")
    return (
        known("cost_per_million"),
        float(row["threads"]),
        steps,
        known("file_bytes"),
        -accuracy if accuracy != missing else 0.0,
        _signed(row, objective),
    )


def _shown(row: Row, objective: str) -> str:
    text = METRICS[objective].entry.show(value(row, objective))
    low, high = bounds(row, objective)
    found = value(row, objective)
    if low is None or high is None or not found or low == high:
        return f"{objective} {text}"
    return f"{objective} {text} ±{(high - low) / 2 / found * 100:.1f} %"


def _because(row: Row, best: Row, ties: list[str], slo: Slo, objective: str) -> str:
    word = "lowest" if METRICS[objective].lower_is_better else "highest"
    wanted = ", ".join(limits.limits(slo)) or "no limit was set"
    parts = [f"{_shown(row, objective)}"]
    if row["accuracy"] is not None and row["accuracy"] == row["accuracy"]:
        parts.append(f"accuracy {format_percent(row['accuracy'])}")
    text = f"{word} {objective} of those that keep the limits ({wanted}): " + ", ".join(parts)
    if ties and row is best:
        text += f"; tied with {len(ties)} other(s), chosen as the one that takes least"
    elif ties:
        text += (
            f"; nothing separates it from {best['trial']} ({_shown(best, objective)}),"
            " and it takes less (price, threads, memory, file size in turn)"
        )
    return text


def _nothing(rows: Sequence[Row], slo: Slo, undecided: int) -> str:
    text = "nothing demonstrably keeps every limit"
    if undecided:
        text += f"; {undecided} can't be decided yet"
    return text + near.in_words(rows, slo)
