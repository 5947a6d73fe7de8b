"""Where a variant is damaged more than elsewhere: single classes and slices of the rows.

A cell (a class, or a value of a slice column) is compared with the other rows: if the loss had
nothing to do with the cell, its rows would be a random draw of all rows. The test is that draw's
exact distribution, and the Benjamini-Hochberg procedure keeps the share of false flags over all
cells of a trial. A loss spread evenly is not flagged here: the overall verdict says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One class or slice value. `drop` is in shares, positive when the variant is worse."""

    column: str
    value: str
    n: int
    lost: int
    gained: int
    drop: float
    p: float
    p_adjusted: float
    damaged: bool


def damage(
    right_baseline: Array,
    right_variant: Array,
    groups: Mapping[str, Array],
    rate: float = FALSE_DISCOVERY_RATE,
) -> list[Cell]:
    """Every cell, the worst first.

    right_*: boolean (rows,), whether each row is answered right; groups: column -> (rows,) values.
    Benjamini & Hochberg 1995, "Controlling the false discovery rate".
    """
    import numpy as np

    from profiler.statistics.ratio import benjamini_hochberg

    step = right_variant.astype(int) - right_baseline.astype(int)
    raw = []
    for column, values in groups.items():
        for value in np.unique(values):
            inside = step[values == value]
            lost, gained = int(np.sum(inside == -1)), int(np.sum(inside == 1))
            p = chance(lost - gained, len(inside), step)
            raw.append((column, str(value), len(inside), lost, gained, p))
    if not raw:
        return []
    adjusted = benjamini_hochberg([entry[-1] for entry in raw])
    cells = [
        Cell(
            column=column,
            value=value,
            n=n,
            lost=lost,
            gained=gained,
            drop=(lost - gained) / n,
            p=p,
            p_adjusted=float(q),
            damaged=bool(q <= rate and lost > gained),
        )
        for (column, value, n, lost, gained, p), q in zip(raw, adjusted, strict=True)
    ]
    return sorted(cells, key=lambda cell: (cell.p_adjusted, -cell.drop))


def chance(net: int, n: int, step: Array) -> float:
    """P(at least `net` more losses than gains) among n rows drawn from `step` at random.

    step holds -1 (lost), 0 and 1 (gained) for all rows. Multivariate hypergeometric, exact: the
    gains are drawn first, then the losses among the rest.
    """
    import numpy as np

    from profiler.statistics.binomial import hypergeometric

    total = len(step)
    losses, gains = int(np.sum(step == -1)), int(np.sum(step == 1))
    gained = np.arange(min(gains, n) + 1)
    share = hypergeometric(gained, total, gains, n)
    lost = np.arange(min(losses, n) + 1)
    chances = hypergeometric(lost, total - gains, losses, (n - gained)[:, None])
    tail = np.where(lost >= (net + gained)[:, None], chances, 0.0).sum(axis=1)
    return float(min(1.0, np.sum(share * tail)))
