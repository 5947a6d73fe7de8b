"""What an axis of a figure can show, and the scale it gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from profiler.errors import InputError
from profiler.report.model.cells import SIZES, common_unit
from profiler.schema.columns import Row, interval_of, value_of
from profiler.schema.study.metrics import METRICS, Metric

LOG_FROM: Final = 10.0  # a range of this factor or more gets a logarithmic scale
_SPAN: Final = 0.2  # smallest range shown, as a share of the highest value


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A linear or logarithmic scale in the unit shown; `factor` base units make one of them."""

    metric: Metric
    unit: str
    factor: float
    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    @property
    def title(self) -> str:
        """'p50 latency (µs, log scale), lower is better'"""
        scale = ", log scale" if self.log else ""
        better = "lower" if self.metric.lower_is_better else "higher"
        return f"{self.metric.title} ({self.unit}{scale}), {better} is better"

    def pixel(self, value: float, size: float) -> float:
        """Distance from the low end, 0..size, of a value in the shown unit."""
        if self.log:
            return size * math.log(value / self.low) / math.log(self.high / self.low)
        return size * (value - self.low) / (self.high - self.low)

    def value(self, pixel: float, size: float) -> float:
        """The inverse of `pixel`."""
        share = pixel / size
        if self.log:
            return self.low * math.exp(share * math.log(self.high / self.low))
        return self.low + share * (self.high - self.low)


def metric(name: str) -> Metric:
    """The metric of this name. Raises InputError naming those there are."""
    drawn = {known.name: known for known in METRICS.values() if known.title}
    if name not in drawn:
        raise InputError(f"no axis {name!r} for a figure", hint="use one of " + ", ".join(drawn))
    return drawn[name]


def wanted_axes(objectives: Sequence[str]) -> tuple[Metric, Metric]:
    """The first two objectives; a single one is joined by accuracy, or accuracy by p50."""
    first, *others = [metric(name) for name in objectives] or [METRICS["p50"]]
    usual = METRICS["p50" if first is METRICS["accuracy"] else "accuracy"]
    return first, next((other for other in others if other is not first), usual)


def axes_for(objectives: Sequence[str], rows: Sequence[Row]) -> tuple[Metric, Metric]:
    """The two metrics to plot; one without any value gives way to memory, then file size.

    Without labelled data there is no accuracy, and a speed that costs memory is still a choice.
    """
    wanted = list(wanted_axes(objectives))
    spare = [METRICS[name] for name in ("memory", "size", "p50") if METRICS[name] not in wanted]
    for i, candidate in enumerate(wanted):
        if not _known(candidate, rows):
            filled = [m for m in spare if _known(m, rows)]
            if filled:
                wanted[i] = filled[0]
                spare.remove(filled[0])
    return wanted[0], wanted[1]


def _known(which: Metric, rows: Sequence[Row]) -> bool:
    return any(value_of(row, which.column) is not None for row in rows)


def axis_for(which: Metric, rows: Sequence[Row], size: float, limit: float | None = None) -> Axis:
    """A scale `size` pixels long over the values, their intervals and a limit that is near.

    Not rounded to ticks: the room is for the points. Raises ValueError without a value.
    """
    base = [at for row in rows if (at := value_of(row, which.column)) is not None]
    factor, unit = _unit(which, base)
    every = list(base)
    for row in rows:
        if value_of(row, which.column) is not None:
            every += interval_of(row, which.column) or ()
    values = [value / factor for value in every]
    low, high = min(values), max(values)
    log = low > 0 and high / low >= LOG_FROM
    if limit is not None and near(limit / factor, low, high, log):
        low, high = min(low, limit / factor), max(high, limit / factor)
    if which.entry.kind != "share" and (high - low) < _SPAN * high:
        # a close-up would make noise of a per cent look like a difference
        room = (_SPAN * high - (high - low)) / 2
        low, high = low - room, high + room
    low, high = _padded(low, high, log)
    if which.entry.kind == "share":
        low, high = max(low, 0.0), min(high, 100.0)
    return Axis(
        metric=which,
        unit=unit,
        factor=factor,
        low=low,
        high=high,
        log=log,
        ticks=ticks(low, high, log=log, most=max(3, int(size / 60))),
    )


def near(limit: float, low: float, high: float, log: bool) -> bool:
    """Whether showing the limit costs at most a third of the plot."""
    if log and limit > 0:
        room = 0.5 * math.log(high / low)
        return low * math.exp(-room) <= limit <= high * math.exp(room)
    room = 0.5 * (high - low) or 0.5 * abs(high)
    return low - room <= limit <= high + room


def _unit(which: Metric, values: Sequence[float]) -> tuple[float, str]:
    if which.entry.kind == "duration":
        return common_unit(values)
    if which.entry.kind == "size":
        return common_unit(values, SIZES)
    if which.entry.kind == "rate":
        factor, prefix = common_unit(values, ((1e6, "million "), (1e3, "thousand "), (1.0, "")))
        return factor, f"{prefix}samples/s"
    return (0.01, "%") if which.entry.kind == "share" else (1.0, "US$/million")


def _padded(low: float, high: float, log: bool, share: float = 0.08) -> tuple[float, float]:
    if log:
        factor = (high / low) ** share
        return low / factor, high * factor
    margin = (high - low) * share
    if margin <= abs(high) * 1e-9:  # one point: a tenth on both sides
        margin = abs(high) * 0.1 or 1.0
    padded = low - margin
    return (0.0 if padded < 0 <= low else padded), high + margin


def ticks(low: float, high: float, *, log: bool, most: int) -> tuple[float, ...]:
    """Round values inside [low, high], `most` at most: 1-2-5 steps.

    A logarithmic scale with fewer than three of them gets evenly spaced ones.
    """
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        for digits in ((1, 2, 5), (1, 3), (1,)):
            found = [d * 10.0**e for e in range(first, last + 1) for d in digits]
            shown = tuple(float(f"{v:.3g}") for v in found if low <= v <= high)
            if len(shown) <= most:
                break
        if len(shown) >= 3:
            return shown[:: math.ceil(len(shown) / most)]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    start = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - start + 1
    return tuple(round((start + i) * step, 10) for i in range(count))
