"""What is found in the rows of an evaluation set, and what is left alone."""

from typing import Any

import numpy as np
import pytest

from profiler.data.evaluation import EvaluationSet
from profiler.data.quality import findings


def made(x: Any, labels: Any = None, calibration: int = 100, **more: Any) -> EvaluationSet:
    rows = np.arange(len(x))
    return EvaluationSet(
        inputs={"x": np.asarray(x)}, labels=labels, calibration=rows[:calibration],
        evaluation=rows[calibration:], sha="", file="f.npz", columns=(), **more,
    )  # fmt: skip


@pytest.fixture
def x() -> Any:
    return np.random.default_rng(3).standard_normal((400, 6)).astype(np.float32)


def test_rows_without_faults_have_no_findings(x: Any) -> None:
    labels = np.arange(len(x)) % 4
    assert findings(made(x, labels), "classification") == ()


def test_features_that_say_nothing_are_named(x: Any) -> None:
    x[:, 2], x[:, 4] = 1.5, x[:, 1]
    assert findings(made(x), "classification") == (
        "x[2]: the same in all rows (1 feature of 6)",
        "x[1] = x[4]: equal in all rows (1 set of such features)",
    )


def test_classes_too_rare_for_a_verdict_are_named(x: Any) -> None:
    labels = np.zeros(len(x), np.int64)
    labels[150:153] = 7
    assert findings(made(x, labels), "classification") == (
        "classes with fewer than 10 evaluation rows, too few for a verdict on them: 7 (3)",
    )
    assert findings(made(x, labels.astype(float)), "regression") == ()


def test_calibration_rows_from_elsewhere_are_told(x: Any) -> None:
    x[:100, 5] += 2
    (told,) = findings(made(x), "classification")
    assert told.startswith("x[5]: calibration rows are unlike evaluation rows (1 feature of 6)")
    assert findings(made(x, calibration=5), "classification") == (), "too few to tell"


def test_rows_drawn_alike_are_seldom_called_unlike() -> None:
    rng = np.random.default_rng(8)
    alarms = sum(
        bool(findings(made(rng.standard_normal((200, 20))), "classification")) for _ in range(200)
    )
    assert alarms <= 6, "1 % of sets are expected"


def test_pictures_and_text_are_left_alone() -> None:
    pixels = np.random.default_rng(1).random((200, 3, 40, 40), dtype=np.float32)
    pixels[:, :, 0] = 0
    assert findings(made(pixels), "classification") == ()
    words = np.array(["a", "b"] * 100)
    assert findings(made(words), "classification") == ()
