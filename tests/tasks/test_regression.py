"""A number for each row: R², paired by row."""

import numpy as np
import pytest

from profiler.schema.study.data import DataSpec
from profiler.tasks.regression import TASK, metrics
from profiler.tasks.task import Answers, Truth


def regression(outputs, baselines, truth, margin, seed):
    answers = Answers(outputs=outputs, baselines=baselines, margin=margin, seed=seed)
    return TASK.judged(answers, Truth(spec=DataSpec(file="rows", task="regression"), labels=truth))


def test_regression_metrics():
    found = metrics(np.array([[1.0], [2.0], [5.0]]), np.array([1.0, 2.0, 3.0]))
    assert found["mae"] == pytest.approx(2 / 3)
    assert found["r2"] == pytest.approx(1 - 4 / 2)


def test_regression_is_paired_too() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200)
    base = truth + generator.normal(0, 0.1, 200)
    outputs = {"b": base, "v": base + generator.normal(0, 0.5, 200)}
    found = regression(outputs, {"b": "b", "v": "b"}, truth, margin=0.01, seed=0)
    assert found["b"]["accuracy"] > 0.95
    assert found["v"]["drop_low"] > 0
    same = regression({"b": base, "v": base}, {"b": "b", "v": "b"}, truth, margin=0.01, seed=0)
    assert (same["v"]["drop"], same["v"]["drop_high"]) == (0.0, 0.0)


def test_regression_gets_a_verdict():
    generator = np.random.default_rng(0)
    truth = generator.standard_normal(400)
    base = truth + generator.standard_normal(400) * 0.1
    outputs = {
        "b": base,
        "near": base + generator.standard_normal(400) * 0.001,
        "far": base + generator.standard_normal(400) * 0.5,
        "same": base.copy(),
    }
    rows = regression(outputs, dict.fromkeys(outputs, "b"), truth, 0.01, 0)
    verdicts = {trial: row.get("quality") for trial, row in rows.items()}
    assert verdicts == {
        "b": None, "near": "non-inferior", "far": "worse", "same": "non-inferior",
    }  # fmt: skip
    few = {trial: output[:40] for trial, output in outputs.items()}
    few["far"] = few["b"] + generator.standard_normal(40) * 0.1
    row = regression(few, dict.fromkeys(few, "b"), truth[:40], 0.01, 0)["far"]
    assert row["quality"] == "undecided"
    assert row["quality_n_needed"] > 40
