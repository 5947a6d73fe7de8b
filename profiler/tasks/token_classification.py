"""A tag for each token: entities in tags, and what each row counts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from profiler.errors import DataError
from profiler.schema.artifact import Tensor
from profiler.schema.study.data import MOST_CLASSES, DataSpec
from profiler.statistics.once import once
from profiler.statistics.pieces import Rows, by_piece
from profiler.tasks import verdicts
from profiler.tasks.agreement import agreement
from profiler.tasks.labels import check_any, check_numbers
from profiler.tasks.task import Answers, Columns, Task, Truth

Array = npt.NDArray[Any]


def predicted_tags(output: Rows) -> Array:
    """Tag numbers (rows, tokens) from scores (rows, tokens, tags); -1 where one is not finite.

    Whole numbers of shape (rows, tokens) are tags already. Raises DataError for other shapes.
    """
    if output.ndim == 2 and np.issubdtype(output.dtype, np.integer):
        return np.asarray(output).astype(np.int64)
    if output.ndim != 3 or output.shape[2] < 2:
        raise DataError(
            "data.task: token-classification needs scores of shape (rows, tokens, tags), got "
            f"{output.shape}",
            hint='name the output that holds the scores: output = "logits" under [data]',
        )
    return by_piece(
        lambda scores: np.where(np.isfinite(scores).all(axis=2), scores.argmax(axis=2), -1), output
    )


def entities(flat: Array, row: Array, tags: Sequence[str]) -> tuple[Array, Array, Array]:
    """(row, key, type) of each entity in tags of shape (tokens,), rows one after the other.

    Two entities are the same when their keys are equal: type, first and last token. They are cut
    as seqeval does by default, which is conlleval's convention: an entity begins at B- or S-, after
    O, after E- or S-, and where the type changes, so that a stray I- begins one, too. -1 is O.
    """
    outside = tags.index("O")
    names = sorted({tag[2:] for tag in tags if tag != "O"})
    types = np.array([-1 if tag == "O" else names.index(tag[2:]) for tag in tags])
    opens = np.array([tag[0] in "BS" for tag in tags])
    closes = np.array([tag[0] in "ES" for tag in tags])
    now = np.where(flat < 0, outside, flat)
    new_row = np.diff(row, prepend=-1) != 0
    before = np.where(new_row, outside, np.roll(now, 1))
    inside, was_inside = now != outside, before != outside
    cut = opens[now] | closes[before] | (types[now] != types[before])
    first = np.flatnonzero(inside & (~was_inside | cut))
    # The entity before a token ends there, or with its row or the array.
    ended = was_inside & (~inside | cut)
    after = np.append(ended[1:] | new_row[1:], True)[: len(now)]
    last = np.flatnonzero(inside & after)
    kind = types[now[first]]
    return row[first], (first * (len(flat) + 1) + last) * len(names) + kind, kind


def kept(labels: Array, ignore: int) -> tuple[Array, Array]:
    """(mask of the tokens that count, row number of each of those)."""
    mask = labels != ignore
    return mask, np.nonzero(mask)[0]


def entity_counts(predicted: Array, labels: Array, tags: Sequence[str], ignore: int) -> Array:
    """(rows, 3): entities found with type and both ends right, entities predicted, true ones."""
    mask, row = kept(labels, ignore)
    rows = len(labels)
    true_row, true_key, _ = entities(labels[mask], row, tags)
    found_row, found_key, _ = entities(predicted[mask], row, tags)
    right = true_row[np.isin(true_key, found_key)]
    return np.stack([np.bincount(r, minlength=rows) for r in (right, found_row, true_row)], axis=1)


def f1(counts: Array) -> float:
    """2 × right / (predicted + true) of summed `entity_counts`; 0 without any entity."""
    right, predicted, true = counts
    return _over(2 * right, predicted + true)


def token_counts(predicted: Array, labels: Array, ignore: int) -> Array:
    """(rows, 2): tokens with the right tag, tokens that count."""
    mask, _ = kept(labels, ignore)
    return np.stack([((predicted == labels) & mask).sum(axis=1), mask.sum(axis=1)], axis=1)


def share(counts: Array) -> float:
    """Right / counted of summed `token_counts`."""
    return _over(*counts)


def metrics(predicted: Array, labels: Array, spec: DataSpec) -> dict[str, Any]:
    """token_accuracy, f1_macro over tags, and with entities their F1, precision and recall.

    `per_class` maps entity type (or tag) -> precision, recall, n.
    """
    from sklearn import metrics as library

    tags = spec.tags
    mask, row = kept(labels, spec.ignored)
    true, answered = labels[mask], predicted[mask]
    right: dict[str, Any] = {"token_accuracy": float(np.mean(true == answered))}
    right["f1_macro"] = float(library.f1_score(true, answered, average="macro", zero_division=0))
    if not spec.entities:
        present = np.unique(true)
        precision, recall, _, count = library.precision_recall_fscore_support(
            true, answered, labels=present, zero_division=0
        )
        cells = zip(present, precision, recall, count, strict=True)
        right["per_class"] = {
            tags[c] if tags else int(c): {"precision": float(p), "recall": float(r), "n": int(n)}
            for c, p, r, n in cells
        }
        return right
    counts = entity_counts(predicted, labels, tags, spec.ignored).sum(axis=0)
    right.update(
        entity_f1=f1(counts),
        entity_precision=_over(counts[0], counts[1]),
        entity_recall=_over(counts[0], counts[2]),
    )
    _, true_key, true_kind = entities(true, row, tags)
    _, found_key, found_kind = entities(answered, row, tags)
    also_found = np.isin(true_key, found_key)
    right["per_class"] = {}
    for number, name in enumerate(sorted({tag[2:] for tag in tags if tag != "O"})):
        of_kind = true_kind == number
        hits, count = int(also_found[of_kind].sum()), int(of_kind.sum())
        right["per_class"][name] = {
            "precision": _over(hits, int((found_kind == number).sum())),
            "recall": _over(hits, count),
            "n": count,
        }
    return right


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


class TokenClassification(Task):
    titles: ClassVar[Mapping[str, str]] = {
        "entity_f1": "entity F1 %", "entity_precision": "precision %", "entity_recall": "recall %",
        "token_accuracy": "right tokens %", "f1_macro": "macro F1 %",
    }  # fmt: skip

    def labels(self, spec: DataSpec, column: Array, where: str) -> Array:
        """int64 (rows, tokens): tags from 0, or the label that is ignored."""
        check_numbers(column, where)
        if column.ndim != 2:
            raise DataError(
                f"{where}: expected one tag number a token, shape (rows, tokens), got "
                f"{list(column.shape)}",
                hint=f"pad all rows to one length with {spec.ignored}",
            )
        counted = column != spec.ignored
        top = len(spec.tags) or spec.classes or MOST_CLASSES
        bad = counted & ((column != np.floor(column)) | (column < 0) | (column >= top))
        if bad.any():
            row, token = np.argwhere(bad)[0]
            least = f"0 to {top - 1}"
            raise DataError(
                f"{where}: row {row} has {column[row, token]} for token {token}, expected whole "
                f"numbers of {least}, or {spec.ignored} for tokens that don't count",
                hint="rows and tokens count from 0; [data] ignore = ... names another label to "
                "ignore",
            )
        return column.astype(np.int64)

    def check_some(self, spec: DataSpec, labels: Array, where: str) -> None:
        if spec.entities:
            check_any(labels, [spec.ignored, spec.tags.index("O")], "an entity", where)
        else:
            what = f"a label other than {spec.ignored}"
            check_any(labels, [spec.ignored], what, where)

    def check_scores(self, spec: DataSpec, model: str, scores: Tensor, labels: Array) -> None:
        """Scores (rows, tokens, tags) with as many of both as the labels have."""
        shape = scores.shape
        if len(shape) == 2 and scores.dtype.startswith("int"):
            shape = (*shape, "tags")  # tags already
        if len(shape) != 3:
            raise DataError(
                f"data.task: token-classification needs scores of shape (rows, tokens, tags), "
                f"{model} has {scores.name} {list(scores.shape)}",
                hint="name the right output: [data] output = ...",
            )
        tokens, tags = shape[1:]
        if isinstance(tokens, int) and tokens != labels.shape[1]:
            raise DataError(
                f"{spec.file}: data.labels: expected {tokens} tokens a row, as {model} has, got "
                f"{labels.shape[1]}",
                hint=f"pad or cut them to {tokens}; {spec.ignored} is not counted",
            )
        if not isinstance(tags, int):
            return
        if spec.tags and len(spec.tags) != tags:
            raise DataError(
                f"data.tags: expected {tags} names, as {model} has scores, got {len(spec.tags)}"
            )
        if labels.max() >= tags:
            row, token = np.argwhere(labels >= tags)[0]
            raise DataError(
                f"{spec.file}: data.labels: row {row} has {labels[row, token]} for token {token}, "
                f"but {model} gives scores for {tags} tags (0 to {tags - 1})"
            )

    def check_usable(self, output: Array, truth: Truth) -> None:
        tags, labels = predicted_tags(output), truth.labels
        if labels is not None and tags.shape != labels.shape:
            raise DataError(
                f"data.task: token-classification needs as many tokens as the labels have,"
                f" {labels.shape[1]} a row, the model gave {tags.shape[1]}",
                hint="pad or cut the labels to the model's length before saving",
            )

    def near(self, answers: Answers, truth: Truth) -> Columns:
        """Token by token, of those that count."""
        labels = truth.labels

        def counted(output: Array, rows: slice) -> Array:
            """Of a piece (rows, tokens, …): (tokens, …)."""
            if labels is None:
                return output.reshape(-1, *output.shape[2:])
            return output[kept(labels[rows], truth.spec.ignored)[0]]

        return agreement(answers.outputs, answers.baselines, True, counted)

    def judged(self, answers: Answers, truth: Truth) -> Columns:
        """By entities where the tags make some, else by tokens; rows are drawn, not tokens."""
        found = once(answers.outputs, predicted_tags)
        labels, tags, ignore = truth.known, truth.spec.tags, truth.spec.ignored
        if truth.spec.entities:
            score, name = f1, "entity F1"
            counts = once(found, lambda p: entity_counts(p, labels, tags, ignore))
        else:
            score, name = share, "right tokens"
            counts = once(found, lambda p: token_counts(p, labels, ignore))
        judged = verdicts.by_sums(score, counts, answers.baselines, answers.margin, answers.seed)
        return verdicts.named(judged, name)

    def metrics(self, output: Rows, truth: Truth) -> dict[str, Any]:
        return metrics(predicted_tags(output), truth.known, truth.spec)


TASK = TokenClassification()
