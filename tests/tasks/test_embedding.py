import numpy as np
import pytest
from scipy.stats import spearmanr

from profiler.analysis.quality.accuracy import Accuracy
from profiler.errors import DataError
from profiler.tasks import embedding


def points(*degrees):
    radians = np.deg2rad(np.array(degrees, float))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1) * 3


LABELS = np.array([0, 0, 1, 1, 0])
OUTPUT = points(0, 10, 90, 100, 85)


def accuracy(base, other, labels=None, **more):
    return Accuracy(
        outputs={"b": base, "v": other}, baselines={"b": "b", "v": "b"}, task="embedding",
        labels=labels, numbers=np.arange(len(base)), **more,
    )  # fmt: skip


def test_nearest_is_by_angle_and_never_the_row_itself():
    assert embedding.nearest_right(OUTPUT, LABELS).tolist() == [True, True, False, True, False]


def test_blocks_change_nothing(monkeypatch):
    generator = np.random.default_rng(0)
    output, labels = generator.standard_normal((50, 8)), generator.integers(0, 7, 50)
    whole = embedding.retrieval(output, labels, (1, 5))
    right = embedding.nearest_right(output, labels)
    monkeypatch.setattr(embedding, "BLOCK", 7)
    assert embedding.retrieval(output, labels, (1, 5)) == pytest.approx(whole)
    np.testing.assert_array_equal(embedding.nearest_right(output, labels), right)


def test_recall_and_ndcg_by_hand():
    found = embedding.retrieval(OUTPUT, LABELS, (1, 2))
    # relevant: two others for label 0, one for label 1; the nearest two of each row, by angle:
    # 0: 10, 85 -> 2 of 2; 10: 0, 85 -> 2; 90: 85, 100 -> 1 of 1; 100: 90, 85 -> 1; 85: 90, 100
    assert found["recall@1"] == pytest.approx((0.5 + 0.5 + 0 + 1 + 0) / 5)
    assert found["recall@2"] == pytest.approx((1 + 1 + 1 + 1 + 0) / 5)
    ideal = 1 + 1 / np.log2(3)
    of_85 = (1 / np.log2(4) + 1 / np.log2(5)) / ideal
    assert found["ndcg@10"] == pytest.approx((1 + 1 + 1 / np.log2(3) + 1 + of_85) / 5)


def test_a_row_alone_with_its_label_asks_nothing():
    labels = np.array([0, 0, 1, 1, 9])
    rows = accuracy(OUTPUT, OUTPUT, labels).rows()
    assert rows["b"]["accuracy"] == pytest.approx(2 / 4 + 1 / 4)
    assert rows["b"]["accuracy_is"] == "nearest row has its label"
    assert embedding.retrieval(OUTPUT, np.arange(5), (1,)) == {}


def test_pairs_are_found_wherever_their_rows_are():
    pairs = np.array([7, 3, 7, 5, 3])
    assert embedding.pair_rows(pairs).tolist() == [[1, 4], [0, 2]]
    cosine = embedding.pair_cosine(OUTPUT, pairs)
    np.testing.assert_allclose(cosine, np.cos(np.deg2rad([75, 90])), atol=1e-6)


def test_spearman_of_scored_pairs():
    generator = np.random.default_rng(0)
    base = generator.standard_normal((400, 8))
    base[200:] = (
        base[:200] + generator.standard_normal((200, 8)) * np.linspace(0.1, 3, 200)[:, None]
    )
    pairs, scores = np.tile(np.arange(200), 2), np.tile(-np.linspace(0, 1, 200), 2)
    noisy = base + generator.standard_normal(base.shape) * 2
    made = accuracy(base, noisy, pairs={"pairs": pairs, "similarity": scores})
    rows, cosine = made.rows(), embedding.pair_cosine(base, pairs)
    assert rows["b"]["accuracy"] == pytest.approx(spearmanr(cosine, scores[:200]).statistic)
    assert made.metrics("b")["spearman"] == rows["b"]["accuracy"]
    assert rows["v"]["quality"] == "worse"
    assert rows["v"]["drop_low"] < rows["v"]["drop"] < rows["v"]["drop_high"]
    same = accuracy(base, base, pairs={"pairs": pairs, "similarity": scores}).rows()
    assert same["v"]["quality"] == "non-inferior"
    assert embedding.spearman(np.ones(4), np.arange(4)) == 0.0


def test_a_topic_that_is_lost_is_named():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    base = np.eye(4)[labels] + generator.standard_normal((240, 4)) * 0.1
    other = base.copy()
    other[labels == 2] = base[labels != 2][::3] + generator.standard_normal((60, 4)) * 0.01
    made = accuracy(base, other, labels)
    assert made.rows()["v"]["quality"] == "worse"
    assert [c.value for c in made.damage("v") if c.damaged] == ["2"]


def test_token_outputs_are_refused_with_the_reason():
    with pytest.raises(DataError) as caught:
        embedding.unit(np.zeros((4, 7, 3)))
    assert "shape (rows, dimensions), got (4, 7, 3)" in caught.value.message
    assert "pooling" in str(caught.value.hint)


def test_not_finite_vectors_are_wrong_and_no_crash():
    bad = OUTPUT.copy()
    bad[:] = np.nan
    assert accuracy(OUTPUT, bad, LABELS).rows()["v"]["accuracy"] < 1


def test_rows_without_another_of_their_label_are_not_asked():
    output = np.array([[1.0, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0, 0, 1]])
    found = embedding.retrieval(output, np.array([0, 0, 1, 1, 2]), (1,))
    assert found["recall@1"] == 1
    assert found["ndcg@10"] == pytest.approx(1)
