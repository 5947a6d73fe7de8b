"""How far a variant's outputs are from its baseline's, row by row. Needs no labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from profiler.analysis.once import Pairs

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

COLUMNS = ("agreement", "flips", "kl", "cosine", "sqnr_db", "max_abs")


def agreement(
    outputs: Mapping[str, Array], baselines: Mapping[str, str], classes: bool
) -> dict[str, dict[str, Any]]:
    """Trial -> agreement columns, for every trial whose baseline has outputs too.

    outputs: trial -> (rows, ...), rows in one order; `classes`: the last axis holds scores.
    """
    found = {}
    compared = Pairs(lambda base, output: compare(base, output, classes))
    for trial, output in outputs.items():
        base = outputs.get(baselines[trial])
        if base is not None and baselines[trial] != trial and base.shape == output.shape:
            found[trial] = dict(compared(base, output))
    return found


def compare(base: Array, variant: Array, classes: bool) -> dict[str, Any]:
    """agreement (share of equal top-1), flips, kl (nats), cosine, sqnr_db and max_abs.

    cosine and kl are means over rows. SQNR = 10 log10(sum base² / sum (base - variant)²), None
    for identical outputs. Values that are not finite on either side are left out of cosine, SQNR
    and max_abs; kl and agreement are for scores of two classes or more.
    """
    import numpy as np

    a = base.reshape(len(base), -1).astype(np.float64)
    b = variant.reshape(len(variant), -1).astype(np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    a0, b0 = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
    noise, signal = float(np.sum((a0 - b0) ** 2)), float(np.sum(a0**2))
    norms = np.linalg.norm(a0, axis=1) * np.linalg.norm(b0, axis=1)
    equal = np.all(a0 == b0, axis=1)
    cosine = np.where(equal, 1.0, np.sum(a0 * b0, axis=1) / np.where(norms > 0, norms, 1.0))
    row: dict[str, Any] = {
        "cosine": float(cosine.mean()),
        "max_abs": float(np.max(np.abs(a0 - b0), initial=0.0)),
        "sqnr_db": float(10 * np.log10(signal / noise)) if noise and signal else None,
    }
    scores = classes and base.ndim == 2 and base.shape[1] > 1
    numbers = classes and base.ndim == 1 and np.issubdtype(base.dtype, np.integer)
    if scores or numbers:
        one, other = (a.argmax(axis=1), b.argmax(axis=1)) if scores else (base, variant)
        row.update(agreement=float(np.mean(one == other)), flips=int(np.sum(one != other)))
    if scores:
        row["kl"] = float(divergence(a0, b0).mean())
    return row


def probabilities(scores: Array) -> Array:
    """Scores (rows, classes) as probabilities: as they are when rows sum to one, else softmax."""
    import numpy as np
    from scipy.special import softmax

    wide = scores.astype(np.float64)
    ready = bool(np.all(wide >= 0)) and bool(np.allclose(wide.sum(axis=1), 1.0, atol=1e-3))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True) if ready else softmax(wide, axis=1))


def divergence(base: Array, variant: Array) -> Array:
    """Kullback-Leibler divergence of each row's class probabilities, in nats."""
    import numpy as np
    from scipy.special import rel_entr

    floor = 1e-12
    p, q = (np.maximum(probabilities(scores), floor) for scores in (base, variant))
    return np.asarray(rel_entr(p, q).sum(axis=1))
