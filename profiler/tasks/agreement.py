"""How far a variant's outputs are from its baseline's, row by row. Needs no labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from profiler.statistics.once import Pairs
from profiler.statistics.pieces import Rows, parts, pieces

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

COLUMNS = ("agreement", "flips", "kl", "cosine", "sqnr_db", "max_abs")
LEAST_SHARE = 1e-12
"""a class that one side rules out makes no infinite divergence"""


def agreement(
    outputs: Mapping[str, Rows],
    baselines: Mapping[str, str],
    classes: bool,
    counted: Callable[[Array, slice], Array] | None = None,
) -> dict[str, dict[str, Any]]:
    """Trial -> agreement columns, for every trial whose baseline has outputs too.

    outputs: trial -> (rows, ...), rows in one order; `classes`: the last axis holds scores;
    counted: what of a piece of rows counts, where that is not all of it.
    """
    found = {}
    compared = Pairs(lambda base, output: compare(base, output, classes, counted))
    for trial, output in outputs.items():
        base = outputs.get(baselines[trial])
        if base is not None and baselines[trial] != trial and base.shape == output.shape:
            found[trial] = dict(compared(base, output))
    return found


def compare(
    base: Rows,
    variant: Rows,
    classes: bool,
    counted: Callable[[Array, slice], Array] | None = None,
) -> dict[str, Any]:
    """agreement (share of equal top-1), flips, kl (nats), cosine, sqnr_db and max_abs.

    cosine and kl are means over rows. SQNR = 10 log10(sum base² / sum (base - variant)²), None
    for identical outputs. Values that are not finite on either side are left out of cosine, SQNR
    and max_abs; kl and agreement are for scores of two classes or more.
    """
    import numpy as np

    noise = signal = largest = 0.0
    cosines, divergences, equal_answers = [], [], []
    ready: tuple[bool, ...] = ()
    for one, other in _counted(base, variant, counted):
        a, b = _finite(one, other)
        noise += float(np.sum((a - b) ** 2))
        signal += float(np.sum(a**2))
        largest = max(largest, float(np.max(np.abs(a - b), initial=0.0)))
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosine = np.sum(a * b, axis=1) / np.where(norms > 0, norms, 1.0)
        cosines.append(np.where(np.all(a == b, axis=1), 1.0, cosine))
        if classes and one.ndim == 2 and one.shape[1] > 1:
            ready = ready or _shares(base, variant, counted)
            p, q = (probabilities(x, known) for x, known in zip((a, b), ready, strict=True))
            divergences.append(divergence(p, q))
            equal_answers.append(one.argmax(axis=1) == other.argmax(axis=1))
        elif classes and one.ndim == 1 and np.issubdtype(one.dtype, np.integer):
            equal_answers.append(one == other)
    row: dict[str, Any] = {
        "cosine": float(np.concatenate(cosines).mean()),
        "max_abs": largest,
        "sqnr_db": float(10 * np.log10(signal / noise)) if noise and signal else None,
    }
    if equal_answers:
        equal = np.concatenate(equal_answers)
        row.update(agreement=float(np.mean(equal)), flips=int(np.sum(~equal)))
    if divergences:
        row["kl"] = float(np.concatenate(divergences).mean())
    return row


def _counted(
    base: Rows, variant: Rows, counted: Callable[[Array, slice], Array] | None
) -> Iterator[tuple[Array, Array]]:
    """What counts of both, piece after piece."""
    for rows, (one, other) in zip(parts(base), pieces(base, variant), strict=True):
        yield (one, other) if counted is None else (counted(one, rows), counted(other, rows))


def _finite(one: Array, other: Array) -> tuple[Array, Array]:
    """Both as float64 (rows, values), 0 where either is not finite."""
    import numpy as np

    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (one, other))
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(finite, a, 0.0), np.where(finite, b, 0.0)


def _shares(
    base: Rows, variant: Rows, counted: Callable[[Array, slice], Array] | None
) -> tuple[bool, ...]:
    """Of both: whether all their rows are probabilities already."""
    return tuple(
        all(are_shares(_finite(*pair)[side]) for pair in _counted(base, variant, counted))
        for side in (0, 1)
    )


def are_shares(scores: Array) -> bool:
    """Whether rows (rows, classes) sum to one, as probabilities do."""
    import numpy as np

    wide = scores.astype(np.float64)
    return bool(np.all(wide >= 0)) and bool(np.allclose(wide.sum(axis=1), 1.0, atol=1e-3))


def probabilities(scores: Array, ready: bool) -> Array:
    """Scores (rows, classes) as probabilities; ready: all of them are so already, else softmax."""
    import numpy as np
    from scipy.special import softmax

    wide = scores.astype(np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True) if ready else softmax(wide, axis=1))


def divergence(base: Array, variant: Array) -> Array:
    """Kullback-Leibler divergence of each row's probabilities (rows, classes), in nats."""
    import numpy as np
    from scipy.special import rel_entr

    p, q = (np.maximum(shares, LEAST_SHARE) for shares in (base, variant))
    return np.asarray(rel_entr(p, q).sum(axis=1))
