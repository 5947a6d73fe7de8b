"""Metrics of one trial against labels, from scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from profiler.analysis.agreement import probabilities

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

BINS = 15
TOP = 5


def classification(output: Array, labels: Array, top_k: Sequence[int] = (TOP,)) -> dict[str, Any]:
    """top1, f1_macro, f1_micro; with scores (rows, classes) also auc_pr, brier, ece, reliability
    and top<k>.

    auc_pr is the mean over classes of average precision, brier the mean squared distance to the
    one-hot label. `per_class` maps class -> precision, recall, n; `confusion` has labels in rows.
    """
    import numpy as np
    from sklearn import metrics

    from profiler.analysis.quality import predicted_classes

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
        "confusion": metrics.confusion_matrix(labels, predicted, labels=present).tolist(),
    }
    if output.ndim != 2 or output.shape[1] < 2 or not np.isfinite(output).all():
        return found
    shares = probabilities(output)
    classes = np.arange(shares.shape[1])
    truth = labels[:, None] == classes
    for k in top_k:
        if 1 < k < len(classes):
            share = metrics.top_k_accuracy_score(labels, shares, k=k, labels=classes)
            found[f"top{k}"] = float(share)
    there = truth.any(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precisions = metrics.average_precision_score(
            truth[:, there], shares[:, there], average=None
        )
    found["auc_pr"] = float(np.mean(precisions))
    found["brier"] = float(np.mean(np.sum((shares - truth) ** 2, axis=1)))
    found["reliability"] = reliability(shares.max(axis=1), predicted == labels)
    found["ece"] = calibration_error(found["reliability"])
    return found


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


def regression(output: Array, labels: Array) -> dict[str, Any]:
    """mae, rmse and r2 of the first value of each row."""
    import numpy as np
    from sklearn import metrics

    truth = labels.reshape(len(labels), -1)[:, 0].astype(float)
    predicted = output.reshape(len(truth), -1)[:, 0].astype(float)
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
