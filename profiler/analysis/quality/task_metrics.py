"""Metrics of one trial against labels, from scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality.agreement import are_shares, probabilities
from profiler.analysis.quality.verdicts import first_values, predicted_classes
from profiler.statistics.pieces import Rows, by_piece, columns_at_once, pieces

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BINS = 15
TOP = 5


def classification(output: Rows, labels: Array, top_k: Sequence[int] = (TOP,)) -> dict[str, Any]:
    """top1, f1_macro, f1_micro; with scores (rows, classes) also auc_pr, brier, ece, reliability
    and top<k>.

    auc_pr is the mean over classes of average precision, brier the mean squared distance to the
    one-hot label. `per_class` maps class -> precision, recall, n.
    """
    import numpy as np
    from sklearn import metrics

    predicted = predicted_classes(output)
    present = np.unique(np.concatenate([labels, predicted]))
    precision, recall, _, count = metrics.precision_recall_fscore_support(
        labels, predicted, labels=present, zero_division=0
    )
    found: dict[str, Any] = {
        "top1": float(np.mean(predicted == labels)),
        "f1_macro": float(metrics.f1_score(labels, predicted, average="macro", zero_division=0)),
        "f1_micro": float(metrics.f1_score(labels, predicted, average="micro", zero_division=0)),
        "per_class": {
            int(c): {"precision": float(p), "recall": float(r), "n": int(n)}
            for c, p, r, n in zip(present, precision, recall, count, strict=True)
        },
    }
    scored = output.ndim == 2 and output.shape[1] > 1
    if scored and all(np.isfinite(scores).all() for (scores,) in pieces(output)):
        found.update(_of_scores(output, labels, predicted == labels, top_k))
    return found


def _of_scores(output: Rows, labels: Array, right: Array, top_k: Sequence[int]) -> dict[str, Any]:
    """What the scores (rows, classes) tell besides the class; ties are ranked as scikit-learn's."""
    import numpy as np

    ready = all(are_shares(scores) for (scores,) in pieces(output))
    classes = np.arange(output.shape[1])
    depths = [k for k in top_k if 1 < k < len(classes)]
    hits, distances, confidences = dict.fromkeys(depths, 0), [], []
    for scores, true in pieces(output, labels):
        shares = probabilities(scores, ready)
        if depths:
            ranked = np.argsort(shares, axis=1, kind="stable")[:, ::-1]
        for k in depths:
            hits[k] += int((ranked[:, :k] == true[:, None]).sum())
        distances.append(np.sum((shares - (true[:, None] == classes)) ** 2, axis=1))
        confidences.append(shares.max(axis=1))
    found: dict[str, Any] = {f"top{k}": count / len(labels) for k, count in hits.items()}
    found["auc_pr"] = float(np.mean(_average_precisions(output, labels, ready)))
    found["brier"] = float(np.mean(np.concatenate(distances)))
    found["reliability"] = reliability(np.concatenate(confidences), right)
    found["ece"] = calibration_error(found["reliability"])
    return found


def _average_precisions(output: Rows, labels: Array, ready: bool) -> Array:
    """Average precision of each class that is a label, of some classes' columns at a time."""
    import numpy as np
    from sklearn import metrics

    there = np.intersect1d(labels, np.arange(output.shape[1]))
    width = columns_at_once(output)
    found = []
    for start in range(0, len(there), width):
        some = there[start : start + width]
        columns = by_piece(lambda scores, some=some: probabilities(scores, ready)[:, some], output)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(
                np.atleast_1d(
                    metrics.average_precision_score(labels[:, None] == some, columns, average=None)
                )
            )
    return np.concatenate(found)


def reliability(confidence: Array, right: Array, bins: int = BINS) -> list[dict[str, float]]:
    """confidence and accuracy (means) and n of bins of equal mass, by rising confidence.

    Equal width leaves most bins empty for a confident model (Nixon et al. 2019, "Measuring
    calibration in deep learning").
    """
    import numpy as np

    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return [
        {"confidence": float(confidence[p].mean()), "accuracy": float(right[p].mean()), "n": len(p)}
        for p in parts
    ]


def calibration_error(bins: Sequence[Mapping[str, float]]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy, weighted by rows."""
    gaps = [b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins]
    return float(sum(gaps) / sum(b["n"] for b in bins))


def regression(output: Rows, labels: Array) -> dict[str, Any]:
    """mae, rmse and r2 of the first value of each row."""
    import numpy as np
    from sklearn import metrics

    truth, predicted = first_values(labels), first_values(output)
    if not np.isfinite(predicted).all():
        return {}
    return {
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "rmse": float(metrics.root_mean_squared_error(truth, predicted)),
        "r2": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else None,
    }


def decision_costs(predicted: Array, labels: Array, costs: Array) -> Array:
    """What each decision costs: costs[label, predicted], shape (rows,)."""
    return costs[labels, predicted]
