"""Few changed rows prove little: not the rows that were not drawn."""

import numpy as np
import pytest

from profiler.statistics.rare import LEAST_CHANGED, changed_rows, unseen, unseen_share
from profiler.tasks.verdicts import by_mean, by_metric

PAIR = {"b": "b", "v": "b"}


def scores(n: int, lost: int) -> dict[str, np.ndarray]:
    """All numbers differ; `lost` rows move below 0, where they are wrong."""
    base = np.linspace(0.5, 1, n)
    variant = base + 0.01
    variant[:lost] *= -1
    return {"b": base, "v": variant}


def right(outputs: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean((outputs > 0) == labels))


def test_only_rows_that_the_metric_feels_count_as_changed() -> None:
    found = scores(50, lost=3)
    assert changed_rows(lambda x: float(np.mean(x > 0)), found["b"], found["v"]) == 3
    assert changed_rows(lambda x: float(x.sum()), found["b"], found["v"]) == LEAST_CHANGED
    assert np.array_equal(found["b"], np.linspace(0.5, 1, 50)), "the rows themselves are kept"


def test_the_share_is_clopper_and_pearsons_upper_limit() -> None:
    assert unseen_share(0, 100) == pytest.approx(1 - 0.025 ** (1 / 100))
    assert unseen_share(LEAST_CHANGED, 100) == 0
    assert unseen(0, 100, worth=0.9) == unseen_share(0, 100)
    assert unseen(0, 100, worth=-50) == pytest.approx(50 * unseen_share(0, 100))


@pytest.mark.parametrize("lost", [0, 1])
def test_equal_decisions_on_few_rows_are_no_proof(lost: int) -> None:
    found = scores(150, lost)
    whole = by_metric(right, found, np.ones(150, dtype=bool), PAIR, 0.02, 0)["v"]
    single = {name: (values > 0).astype(float) for name, values in found.items()}
    mean = by_mean(single, found, PAIR, 0.02)["v"]
    for row in (whole, mean):
        assert row["drop"] == pytest.approx(lost / 150)
        assert row["drop_high"] > 0.02
        assert row["quality"] == "undecided"


def test_equal_answers_lose_nothing() -> None:
    found = {name: np.linspace(-0.1, 1, 150) for name in PAIR}
    true = np.ones(150, dtype=bool)
    row = by_metric(right, found, true, PAIR, 0.02, 0)["v"]
    assert (row["drop_low"], row["drop_high"], row["quality"]) == (0, 0, "non-inferior")
    single = {name: (values > 0).astype(float) for name, values in found.items()}
    assert by_mean(single, found, PAIR, 0.02)["v"]["quality"] == "non-inferior"
