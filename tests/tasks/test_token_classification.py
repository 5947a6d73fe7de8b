"""Entities and tokens, with values counted by hand and, where it is installed, by seqeval."""

import numpy as np
import pytest

from profiler.analysis.quality.accuracy import Accuracy
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.tasks import token_classification as tokens
from profiler.wire.codec import DecodeError

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
OUT, BP, IP, BL, IL = range(5)
SPEC = DataSpec(file="d", labels="y", task="token-classification", tags=TAGS)


def spans(flat, tags=TAGS):
    flat = np.array(flat, dtype=int)
    _, key, kind = tokens.entities(flat, np.zeros(len(flat), int), tags)
    first, last = np.divmod(key // len({t[2:] for t in tags if t != "O"}), len(flat) + 1)
    names = sorted({t[2:] for t in tags if t != "O"})
    return [(names[k], int(a), int(b)) for k, a, b in zip(kind, first, last, strict=True)]


@pytest.mark.parametrize(
    ("flat", "expected"),
    [
        ([BP, IP, OUT, BL], [("PER", 0, 1), ("LOC", 3, 3)]),
        ([BP, BP], [("PER", 0, 0), ("PER", 1, 1)]),
        ([IP, IP], [("PER", 0, 1)]),  # a stray I- begins one
        ([BP, IL], [("PER", 0, 0), ("LOC", 1, 1)]),  # the type changes
        ([BP, -1, IP], [("PER", 0, 0), ("PER", 2, 2)]),  # what is not finite is outside
        ([], []),
        ([OUT, OUT], []),
    ],
)
def test_where_entities_begin_and_end(flat, expected):
    assert spans(flat) == expected


def test_single_and_end_tags():
    tags = ("O", "B-X", "I-X", "E-X", "S-X")
    assert spans([4, 1, 2, 3, 2], tags) == [("X", 0, 0), ("X", 1, 3), ("X", 4, 4)]


def test_an_entity_ends_with_its_row():
    flat, row = np.array([BP, IP]), np.array([0, 1])
    assert tokens.entities(flat, row, TAGS)[0].tolist() == [0, 1]


def test_counts_by_hand():
    labels = np.array([[BP, IP, OUT, BL], [OUT, BL, IL, -100], [OUT, OUT, -100, -100]])
    found = np.array([[BP, IP, OUT, BP], [OUT, BL, OUT, BL], [BP, OUT, OUT, OUT]])
    # row 0: PER right, LOC taken for PER; row 1: LOC cut short, padding not counted; row 2: one
    # entity too many
    counts = tokens.entity_counts(found, labels, TAGS, -100)
    assert counts.tolist() == [[1, 2, 2], [0, 1, 1], [0, 1, 0]]
    assert tokens.f1(counts.sum(axis=0)) == pytest.approx(2 / 7)
    assert tokens.token_counts(found, labels, -100).tolist() == [[3, 4], [2, 3], [1, 2]]
    made = tokens.metrics(found, labels, SPEC)
    assert made["entity_f1"] == pytest.approx(2 / 7)
    assert made["entity_precision"] == 1 / 4
    assert made["entity_recall"] == pytest.approx(1 / 3)
    assert made["token_accuracy"] == pytest.approx(6 / 9)
    assert made["per_class"]["PER"] == {"precision": 1 / 3, "recall": 1.0, "n": 1}
    assert made["per_class"]["LOC"] == {"precision": 0.0, "recall": 0.0, "n": 2}


def test_random_tags_agree_with_seqeval():
    library = pytest.importorskip(
        "seqeval.metrics.sequence_labeling", reason="pip install seqeval compares with it"
    )
    generator = np.random.default_rng(0)
    tags = ("O", *(f"{p}-{t}" for p in "BIES" for t in ("A", "B")))
    for _ in range(500):
        flat = generator.integers(0, len(tags), 12)
        assert spans(flat, tags) == library.get_entities([tags[i] for i in flat])


def outputs(found):
    return np.eye(len(TAGS), dtype=np.float32)[found] * 5


def judged(base, other, labels, spec=SPEC):
    return Accuracy(
        outputs={"b": outputs(base), "v": outputs(other)}, baselines={"b": "b", "v": "b"},
        task=spec.task, labels=labels, numbers=np.arange(len(labels)), spec=spec,
    )  # fmt: skip


def many(n):
    labels = np.full((n, 5), OUT)
    labels[:, 1], labels[:, 2], labels[:, 4] = BP, IP, -100
    return labels


def test_a_loss_is_paired_by_row():
    labels = many(400)
    other = np.where(labels == -100, OUT, labels)
    base = other.copy()
    other[::20, 2] = OUT  # 20 entities cut short
    row = judged(base, other, labels).rows()["v"]
    assert row["accuracy_is"] == "entity F1"
    assert row["accuracy"] == row["drop"] * -1 + 1 == pytest.approx(0.95)
    assert 0.025 < row["drop_low"] < 0.05 < row["drop_high"] < 0.08
    assert row["quality"] == "worse"
    assert row["flips"] == 20
    assert row["agreement"] == pytest.approx(1 - 20 / 1600)


def test_equal_answers_on_few_rows_prove_little():
    for n, expected in ((200, "undecided"), (400, "non-inferior")):
        labels = many(n)
        same = np.where(labels == -100, OUT, labels)
        row = judged(same, same.copy(), labels).rows()["v"]
        assert row["drop_high"] == pytest.approx(3.689 / n, rel=0.02)
        assert row["quality"] == expected


def test_tags_without_entities_count_tokens():
    spec = DataSpec(file="d", labels="y", task="token-classification", ignore=-1)
    labels = np.tile([0, 1, 2, -1], (120, 1))
    base = np.tile([0, 1, 2, 4], (120, 1))
    other = base.copy()
    other[:, 2] = 0
    made = judged(base, other, labels, spec)
    row = made.rows()["v"]
    assert (row["accuracy_is"], row["accuracy"]) == ("right tokens", pytest.approx(2 / 3))
    found = made.metrics("v")
    assert found["f1_macro"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["per_class"][2] == {"precision": 0.0, "recall": 0.0, "n": 120}


def test_scores_that_are_not_finite_are_never_right():
    output = outputs(np.zeros((2, 3), int))
    output[0, 1, 4] = np.nan
    assert tokens.predicted_tags(output).tolist() == [[0, -1, 0], [0, 0, 0]]
    with pytest.raises(DataError, match=r"scores of shape \(rows, tokens, tags\), got \(4, 5\)"):
        tokens.predicted_tags(np.zeros((4, 5), np.float32))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"tags": ("O", "B-A", "a")}, '"O" and tags such as'),
        ({"tags": ("B-A", "I-A")}, 'a tag "O"'),
        ({"tags": ("O", "O")}, "occur once"),
        ({"tags": ("O", "B-A"), "classes": 3}, "as many as tags"),
        ({"tags": ("O", "B-A"), "task": "classification"}, 'task = "token-classification"'),
        ({"ignore": 0, "task": "classification"}, "one of the tasks token-classification"),
    ],
)
def test_what_a_study_cannot_say(given, part):
    with pytest.raises(DecodeError) as caught:
        DataSpec(**{"file": "d", "labels": "y", "task": "token-classification", **given})
    assert part in str(caught.value.args) + str(vars(caught.value))
