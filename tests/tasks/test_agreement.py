"""How far outputs are from each other."""

import numpy as np
import pytest

from profiler.tasks.agreement import compare, divergence, probabilities


def test_agreement_of_known_outputs():
    base = np.array([[3.0, 4.0], [1.0, 0.0]])
    row = compare(base, base + np.array([[0.0, 0.5], [0.0, 0.0]]), True)
    assert row["max_abs"] == 0.5
    assert row["sqnr_db"] == pytest.approx(10 * np.log10(26 / 0.25))
    assert (row["agreement"], row["flips"]) == (1.0, 0)
    assert compare(base, base[:, ::-1], True)["flips"] == 2
    same = compare(base, base, True)
    assert (same["sqnr_db"], same["cosine"], same["kl"]) == (None, 1.0, 0.0)


def test_agreement_survives_what_is_not_finite():
    row = compare(np.ones((2, 2)), np.array([[np.nan, 1.0], [np.inf, 1.0]]), False)
    assert row["max_abs"] == 0.0
    assert "kl" not in row


def test_divergence_of_two_coins():
    p, q = np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])
    assert divergence(p, q)[0] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    again = [probabilities(np.log(shares), ready=False) for shares in (p, q)]
    assert divergence(*again)[0] == pytest.approx(divergence(p, q)[0])
    whole = compare(p, np.log(q), True)["kl"]
    assert whole == pytest.approx(divergence(p, q)[0]), "one side has probabilities, one scores"
