"""Embeddings: which rows are nearest to each other by cosine, and are they the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from profiler.errors import DataError
from profiler.statistics.pieces import Rows, by_piece

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BLOCK = 512
"""queries whose similarities to all rows are in memory at once"""
NDCG_AT = 10


def unit(output: Rows) -> Array:
    """Rows of length one, shape (rows, dimensions); what is not finite counts as zero.

    Raises DataError for another shape.
    """
    import numpy as np

    if output.ndim != 2:
        raise DataError(
            f"data.task: embedding needs one vector a row, shape (rows, dimensions), got "
            f"{output.shape}",
            hint="export the model with its pooling, or name another output: [data] output = …",
        )

    def of(piece: Array) -> Array:
        wide = np.nan_to_num(piece.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        return np.asarray(wide / np.where(norms > 0, norms, 1.0))

    return by_piece(of, output)


def queries(labels: Array) -> Array:
    """Rows that some other row shares the label of: only they can be answered. Boolean (rows,)."""
    import numpy as np

    _, number, count = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(count[number] > 1)


def _similar(output: Rows) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows with their cosine to every row; to themselves it is set to -2."""
    import numpy as np

    vectors = unit(output)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, min(start + BLOCK, len(vectors)))
        cosine = vectors[block] @ vectors.T
        cosine[np.arange(len(cosine)), np.arange(block.start, block.stop)] = -2.0
        yield block, cosine


def nearest_right(output: Rows, labels: Array) -> Array:
    """Whether the nearest other row has the row's label, boolean (rows,)."""
    import numpy as np

    found = [labels[cosine.argmax(axis=1)] == labels[b] for b, cosine in _similar(output)]
    return np.concatenate(found)


def retrieval(output: Rows, labels: Array, at: Sequence[int]) -> dict[str, float]:
    """recall@k for each k of `at`, and ndcg@10: means over the rows that have others to find.

    Each row asks for all others; relevant are those with its label. recall@k is the share of them
    among the k nearest. nDCG is scikit-learn's.
    """
    import numpy as np
    from sklearn.metrics import ndcg_score

    asked = queries(labels)
    if not asked.any():
        return {}
    depth = min(max(at), len(labels) - 1)
    recalls: dict[int, list[Array]] = {k: [] for k in at}
    gains = 0.0
    for block, cosine in _similar(output):
        rows = asked[block]
        if not rows.any():
            continue
        own = np.arange(block.start, block.stop)[rows]
        relevant = labels[own][:, None] == labels
        relevant[np.arange(len(own)), own] = False
        near = np.argsort(-cosine[rows], axis=1, kind="stable")[:, :depth]
        hits = np.take_along_axis(relevant, near, axis=1)
        total = relevant.sum(axis=1)
        for k in at:
            recalls[k].append(hits[:, :k].sum(axis=1) / total)
        gains += len(own) * float(ndcg_score(relevant, cosine[rows], k=NDCG_AT))
    found = {f"recall@{k}": float(np.concatenate(parts).mean()) for k, parts in recalls.items()}
    found[f"ndcg@{NDCG_AT}"] = gains / int(asked.sum())
    return found


def pair_rows(pairs: Array) -> Array:
    """Row numbers of each whole pair, shape (pairs, 2): values that occur exactly twice."""
    import numpy as np

    _, first, count = np.unique(pairs, return_index=True, return_counts=True)
    one = first[count == 2]
    order = np.argsort(pairs, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return np.stack([one, order[place[one] + 1]], axis=1)


def pair_cosine(output: Rows, pairs: Array) -> Array:
    """Cosine of the two rows of each pair, shape (pairs,)."""
    import numpy as np

    vectors, rows = unit(output), pair_rows(pairs)
    return np.asarray(np.sum(vectors[rows[:, 0]] * vectors[rows[:, 1]], axis=1))


def spearman(cosine: Array, similarity: Array) -> float:
    """Rank correlation with the given scores, as STS reports it; 0 where either is constant."""
    import warnings

    from scipy.stats import ConstantInputWarning, spearmanr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        found = float(spearmanr(cosine, similarity).statistic)
    return found if found == found else 0.0
