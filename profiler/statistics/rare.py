"""What few changed rows cannot rule out: a bootstrap only repeats what it has seen."""

from __future__ import annotations

LEAST_CHANGED = 10
"""from so many changed rows on the bootstrap is left alone"""


def unseen_share(changed: int, n: int, *, confidence: float = 0.95) -> float:
    """Share of rows that may change beyond the `changed` of `n` seen; 0 from LEAST_CHANGED on.

    Clopper and Pearson's upper limit, two-sided, less the share seen: 3.7 / n when none changed.
    Without it equal answers on 100 rows make an interval of no width: a true loss of 1.4 points in
    entity F1, on rows that lose all, was called non-inferior in 35 % of simulated studies, one of
    0.35 points in 70 %. With it `scripts/simulate_set_metrics` finds 0 %.
    """
    if changed >= LEAST_CHANGED:
        return 0.0
    from scipy.stats import binomtest

    limits = binomtest(changed, n).proportion_ci(confidence, method="exact")
    return float(limits.high) - changed / n
