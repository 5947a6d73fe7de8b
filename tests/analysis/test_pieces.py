"""Predictions in pieces of seven rows tell what they tell as a whole."""

import numpy as np
import pytest
from sklearn import metrics

from profiler.analysis.quality.accuracy import Accuracy
from profiler.analysis.trials.placement import relative_rms
from profiler.schema.study.data import DataSpec
from profiler.statistics import pieces
from profiler.tasks.agreement import are_shares, probabilities
from profiler.tasks.stressed import ByClass

ROWS, CLASSES = 60, 12
LABELS = np.random.default_rng(1).integers(0, CLASSES - 1, ROWS)
TAGGED = {"labels": "tags", "task": "token-classification"}
MASKS = DataSpec(file="rows", labels="masks", task="segmentation")
SPEC = DataSpec(file="rows", tags=("O", "B-x", "I-x"), ignore=-1, **TAGGED)


def scores(seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(0, 1, (ROWS, CLASSES)).astype(np.float32)
    found[np.arange(ROWS), LABELS] += 2
    return found


def shares(seed: int) -> np.ndarray:
    return probabilities(scores(seed), ready=False).astype(np.float32)


def told(task: str, base: np.ndarray, other: np.ndarray, labels: np.ndarray, **more) -> list:
    made = Accuracy(
        outputs={"b": base, "v": other}, baselines={"b": "b", "v": "b"}, task=task, labels=labels,
        numbers=np.arange(ROWS), **more,
    )  # fmt: skip
    return [made.rows()["v"], made.metrics("v"), made.damage("v"),
            made.flips("v") if task == "classification" else None]  # fmt: skip


def not_finite() -> np.ndarray:
    found = scores(3)
    found[[3, 50]] = np.nan
    return found


def half_shares() -> np.ndarray:
    """Probabilities but for the last row, so that none of them are: known at the end only."""
    found = shares(3)
    found[-1] = 2
    return found


TOKENS = np.random.default_rng(5).integers(-1, 3, (ROWS, 4))
PIXELS = np.random.default_rng(6).integers(0, 3, (ROWS, 3, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("task", "base", "other", "labels", "more"),
    [
        ("classification", scores(2), scores(3), LABELS, {}),
        ("classification", shares(2), shares(3), LABELS, {}),
        ("classification", shares(2), half_shares(), LABELS, {}),
        ("classification", scores(2), not_finite(), LABELS, {}),
        ("classification", scores(2), scores(3), None, {}),
        ("classification", LABELS, LABELS[::-1].copy(), LABELS, {}),
        ("classification", scores(2)[:, :1], scores(3)[:, :1], LABELS % 2, {}),
        ("embedding", scores(2), scores(3), LABELS, {}),
        ("regression", scores(2), scores(3), scores(4)[:, 0], {}),
        ("segmentation", PIXELS, PIXELS[::-1].copy(), PIXELS, {"spec": MASKS}),
        (
            "token-classification",
            scores(2).reshape(ROWS, 4, 3),
            scores(3).reshape(ROWS, 4, 3),
            TOKENS,
            {"spec": SPEC},
        ),
        (
            "token-classification",
            scores(2).reshape(ROWS, 4, 3),
            scores(3).reshape(ROWS, 4, 3),
            None,
            {"spec": SPEC},
        ),
    ],
)  # fmt: skip
def test_pieces_tell_what_the_whole_tells(task, base, other, labels, more, monkeypatch):
    whole = told(task, base, other, labels, **more)
    monkeypatch.setattr(pieces, "PIECE_VALUES", 7 * CLASSES)
    parts = told(task, base, other, labels, **more)
    np.testing.assert_equal(parts[2:], whole[2:])
    for one, all_at_once in zip(parts[:2], whole[:2], strict=True):
        assert one.keys() == all_at_once.keys()
        for name, value in all_at_once.items():
            if isinstance(value, float):
                assert one[name] == pytest.approx(value, rel=1e-12, abs=1e-15), name
            else:
                assert one[name] == value, name


def test_targets_and_stress_are_compared_in_pieces(monkeypatch):
    whole = relative_rms(scores(2), scores(3)), ByClass().reduced(not_finite())
    monkeypatch.setattr(pieces, "PIECE_VALUES", 7 * CLASSES)
    assert relative_rms(scores(2), scores(3)) == pytest.approx(whole[0], rel=1e-12)
    assert (ByClass().reduced(not_finite()) == whole[1]).all()


def test_metrics_are_those_of_the_library(monkeypatch):
    """Classes are ranked some at a time, and the k best of a row with ties as the library does."""
    monkeypatch.setattr(pieces, "PIECE_VALUES", 7 * CLASSES)
    monkeypatch.setattr(pieces, "COLUMN_PIECES", 4)
    output = np.round(scores(3))
    assert 1 < pieces.columns_at_once(output) < CLASSES
    found = Accuracy(
        outputs={"b": output}, baselines={"b": "b"}, task="classification", labels=LABELS,
        numbers=np.arange(ROWS), spec=DataSpec(file="rows", top_k=(2, 5)),
    ).metrics("b")  # fmt: skip
    sure, classes = probabilities(output, ready=False), np.arange(CLASSES)
    assert not are_shares(output)
    for k in (2, 5):
        asked = {"k": k, "labels": classes}
        assert found[f"top{k}"] == metrics.top_k_accuracy_score(LABELS, sure, **asked)
    there = np.unique(LABELS)
    each = metrics.average_precision_score(
        LABELS[:, None] == there, sure[:, there], average="macro"
    )
    assert found["auc_pr"] == pytest.approx(each, rel=1e-12)


def test_rows_end_where_they_end():
    assert [*pieces.parts(np.zeros((0, 3)))] == [slice(0, 0)]
    assert pieces.by_piece(np.abs, np.zeros((0, 3))).shape == (0, 3)
    assert not pieces.equal(np.zeros(3), np.zeros(4))
    assert pieces.equal(np.array([np.nan]), np.array([np.nan]))
