"""Chances of counts, by scipy.special alone: scipy.stats takes a second to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def binomial(k: npt.NDArray[Any], n: int, share: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """P(k of n), each with chance `share`; shapes as numpy broadcasts them."""
    from scipy.special import xlog1py, xlogy

    return np.asarray(np.exp(_log_ways(n, k) + xlogy(k, share) + xlog1py(n - k, -share)))


def hypergeometric(
    k: npt.NDArray[Any], total: int, marked: int, drawn: npt.NDArray[Any] | int
) -> npt.NDArray[np.float64]:
    """P(k marked ones among `drawn` of `total`, of which `marked` are); 0 for impossible counts."""
    k, asked = np.broadcast_arrays(k, drawn)
    taken = np.minimum(asked, total)
    can = (asked <= total) & (k >= 0) & (k <= marked) & (k <= taken) & (taken - k <= total - marked)
    some = np.where(can, k, np.clip(taken - (total - marked), 0, None))
    logs = (
        _log_ways(marked, some) + _log_ways(total - marked, taken - some) - _log_ways(total, taken)
    )
    return np.where(can, np.exp(logs), 0.0)


def _log_ways(n: int, k: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """log of n over k."""
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))
