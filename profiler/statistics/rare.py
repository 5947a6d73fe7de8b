"""What few changed rows cannot rule out: a bootstrap only repeats what it has seen."""

from __future__ import annotations

LEAST_CHANGED = 10
"""from so many changed rows on the bootstrap is left alone"""


def unseen_share(changed: int, n: int, *, confidence: float = 0.95) -> float:
    """Share of rows that may change beyond the `changed` of `n` seen; 0 from LEAST_CHANGED on.

    Clopper and Pearson's upper limit, two-sided, less the share seen: 3.7 / n when none changed.
    Without it equal answers on 100 rows would be an interval of no width, and a loss of one point
    "ruled out" that such rows miss one time in three.
    """
    if changed >= LEAST_CHANGED:
        return 0.0
    from scipy.stats import binomtest

    limits = binomtest(changed, n).proportion_ci(confidence, method="exact")
    return float(limits.high) - changed / n
