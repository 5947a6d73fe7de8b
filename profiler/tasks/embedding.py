"""Embeddings: which rows are nearest to each other by cosine, and are they the right ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows, by_piece
from profiler.tasks import verdicts
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]

BLOCK = 512
"""queries whose similarities to all rows are in memory at once"""
NDCG_AT = 10


def unit(output: Rows) -> Array:
    """Rows of length one, shape (rows, dimensions); what is not finite counts as zero.

    Raises DataError for another shape.
    """
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
    _, number, count = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(count[number] > 1)


def _similar(output: Rows) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows with their cosine to every row; to themselves it is set to -2."""
    vectors = unit(output)
    for start in range(0, len(vectors), BLOCK):
        block = slice(start, min(start + BLOCK, len(vectors)))
        cosine = vectors[block] @ vectors.T
        cosine[np.arange(len(cosine)), np.arange(block.start, block.stop)] = -2.0
        yield block, cosine


def nearest_right(output: Rows, labels: Array) -> Array:
    """Whether the nearest other row has the row's label, boolean (rows,)."""
    found = [labels[cosine.argmax(axis=1)] == labels[b] for b, cosine in _similar(output)]
    return np.concatenate(found)


def retrieval(output: Rows, labels: Array, at: Sequence[int]) -> dict[str, float]:
    """recall@k for each k of `at`, and ndcg@10: means over the rows that have others to find.

    Each row asks for all others; relevant are those with its label. recall@k is the share of them
    among the k nearest. nDCG is scikit-learn's.
    """
    from sklearn.metrics import ndcg_score

    has_relevant = queries(labels)
    if not has_relevant.any():
        return {}
    depth = min(max(at), len(labels) - 1)
    recalls: dict[int, list[Array]] = {k: [] for k in at}
    gains = 0.0
    for block, cosine in _similar(output):
        rows = has_relevant[block]
        if not rows.any():
            continue
        asking = np.arange(block.start, block.stop)[rows]
        relevant = labels[asking][:, None] == labels
        relevant[np.arange(len(asking)), asking] = False
        near = np.argsort(-cosine[rows], axis=1, kind="stable")[:, :depth]
        hits = np.take_along_axis(relevant, near, axis=1)
        total = relevant.sum(axis=1)
        for k in at:
            recalls[k].append(hits[:, :k].sum(axis=1) / total)
        gains += len(asking) * float(ndcg_score(relevant, cosine[rows], k=NDCG_AT))
    columns = {f"recall@{k}": float(np.concatenate(parts).mean()) for k, parts in recalls.items()}
    columns[f"ndcg@{NDCG_AT}"] = gains / int(has_relevant.sum())
    return columns


def pair_rows(pairs: Array) -> Array:
    """Row numbers of each whole pair, shape (pairs, 2): values that occur exactly twice."""
    _, first, count = np.unique(pairs, return_index=True, return_counts=True)
    one = first[count == 2]
    order = np.argsort(pairs, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return np.stack([one, order[place[one] + 1]], axis=1)


def pair_cosine(output: Rows, pairs: Array) -> Array:
    """Cosine of the two rows of each pair, shape (pairs,)."""
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


class Embedding(Task):
    titles: ClassVar[Mapping[str, str]] = {
        "recall@{}": "recall@{} %", "ndcg@{}": "nDCG@{} %", "spearman": "Spearman",
    }  # fmt: skip

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """int64 (rows,): equal for rows that belong together."""
        if column.ndim != 1:
            raise DataError(f"{where}: expected one label per row, got {list(column.shape)}")
        return np.unique(column, return_inverse=True)[1].astype(np.int64)

    def check_usable(self, output: Array, truth: Truth) -> None:
        unit(output)

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        """By the nearest row, or by pairs where no two rows share a label."""
        outputs, baselines = answers.outputs, answers.baselines
        if truth.labels is not None:
            labels, asked = truth.labels, queries(truth.labels)
            if asked.any():
                right = once(outputs, lambda output: nearest_right(output, labels)[asked])
                judged = verdicts.by_rows(right, baselines, answers.margin)
                return verdicts.named(judged, "nearest row has its label")
        if not truth.pairs:
            return {}
        values = once(outputs, lambda output: pair_cosine(output, truth.pairs["pairs"]))
        judged = verdicts.by_metric(
            spearman, values, _similarity(truth), baselines, answers.margin, answers.seed
        )
        return verdicts.named(judged, "Spearman")

    def right(self, output: Rows, truth: Truth) -> Array:
        return nearest_right(output, truth.known)

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if truth.labels is not None:
            found.update(retrieval(output, truth.labels, truth.spec.top_k))
        if truth.pairs:
            cosine = pair_cosine(output, truth.pairs["pairs"])
            found["spearman"] = spearman(cosine, _similarity(truth))
        return found


def _similarity(truth: Truth) -> Array:
    """The given score of each pair, (pairs,)."""
    rows = pair_rows(truth.pairs["pairs"])
    return np.asarray(truth.pairs["similarity"][rows[:, 0]])


TASK = Embedding()
