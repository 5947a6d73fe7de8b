"""The one percentile method of the project, and the number of queries a percentile needs.

Two tools that interpolate differently disagree on the p99 of the same 200 latencies by several
per cent, so there is one function, it is named in every record (``METHOD``), and nothing else in
the project computes a percentile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

METHOD: Final[Literal["linear"]] = "linear"
"""Linear interpolation between order statistics, numpy's default (Hyndman & Fan 1996, type 7)."""


def percentile(values: npt.NDArray[Any] | Sequence[float], q: float) -> float:
    """The ``q`` quantile (a fraction: 0.99 is p99) of ``values`` of any shape, in their unit.

    Raises ``ValueError`` for an empty input, a NaN, or a ``q`` outside [0, 1].
    """
    check_quantile(q)
    array = np.asarray(values)
    if array.size == 0:
        raise ValueError(f"percentile {q} of no values: expected at least one")
    result = float(np.quantile(array, q, method=METHOD))
    if math.isnan(result):
        raise ValueError(f"percentile {q} of values which contain NaN: expected numbers only")
    return result


def minimum_queries(q: float, confidence: float = 0.95) -> int:
    """Smallest n for which the extreme order statistic bounds the ``q`` quantile.

    All n independent queries lie below the quantile with probability q^n; a two-sided interval
    exists only when that is at most (1 - confidence) / 2, so n >= log(0.025) / log(q): 36 for
    p90, 72 for p95, 368 for p99, 3,688 for p99.9. Quantiles below the median need the minimum
    instead of the maximum and are mirrored. (Order-statistic intervals: David & Nagaraja 2003,
    "Order Statistics", section 7.1.)
    """
    check_quantile(q)
    if q in (0.0, 1.0):
        raise ValueError(f"q = {q}: no number of queries bounds an extreme; expected 0 < q < 1")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence = {confidence}: expected a fraction between 0 and 1")
    return math.ceil(math.log((1.0 - confidence) / 2.0) / math.log(max(q, 1.0 - q)))


def check_quantile(q: float) -> None:
    """Raise ``ValueError`` unless ``q`` is a fraction; 99 instead of 0.99 is the usual slip."""
    if not 0.0 <= q <= 1.0:
        hint = f"; did you mean {q / 100}?" if 1.0 < q <= 100.0 else ""
        raise ValueError(f"q = {q}: expected a fraction between 0 and 1{hint}")
