"""Everything that predictions on the evaluation rows tell: one object, derived on read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from profiler.analysis.quality import (
    agreement,
    damage,
    detection,
    embedding,
    masks,
    task_metrics,
    tokens,
    verdicts,
)
from profiler.analysis.quality.damage import Cell
from profiler.errors import InputError
from profiler.schema.study.data import DataSpec
from profiler.statistics.once import Pairs, once
from profiler.statistics.pieces import Rows, by_piece, pieces

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

LEAST_ROWS = 10
"""a class or slice with fewer rows is not tested: nothing could be told"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accuracy:
    """Predictions of all trials on the same rows, in the same order."""

    outputs: Mapping[str, Rows]
    baselines: Mapping[str, str]
    """trial -> its baseline, which is itself for a baseline"""
    task: str
    labels: Array | None
    numbers: Array
    """(rows,) number of each row in the data file"""
    slices: Mapping[str, Array] = field(default_factory=dict)
    pairs: Mapping[str, Array] = field(default_factory=dict)
    """embedding: pairs and similarity, both (rows,)"""
    spec: DataSpec = field(default_factory=lambda: DataSpec(file="rows"))
    """the study's [data] table: top_k, costs, tags and ignore"""
    own: Mapping[str, Mapping[str, Any]] | None = None
    """trial -> accuracy columns by the study's own metric; None: the task's"""
    margin: float = 0.01
    seed: int = 0
    _cells: dict[tuple[int, int], list[Cell]] = field(default_factory=dict)
    _metrics: dict[int, dict[str, Any]] = field(default_factory=dict)
    _rights: dict[int, Array | None] = field(default_factory=dict)
    """all by the `id` of outputs: trials with equal predictions share them"""

    @property
    def _classes(self) -> bool:
        return self.task == "classification"

    @property
    def _tokens(self) -> bool:
        return self.task == "token-classification"

    @property
    def _masks(self) -> bool:
        return self.task == "segmentation"

    @property
    def _boxes(self) -> bool:
        return self.task == "detection"

    def _same_pixels(self) -> dict[str, dict[str, Any]]:
        """Trial -> share of pixels with the baseline's class, and how many differ.

        Without scores, which are too large to bring here, there is nothing else to compare.
        """
        found = {}

        @Pairs
        def flipped(base: Rows, output: Rows) -> int:
            return sum(int((one != other).sum()) for one, other in pieces(base, output))

        for trial, output in self.outputs.items():
            base = self._base(trial)
            if base is not None and base.shape == output.shape:
                flips = flipped(base, output)
                found[trial] = {"agreement": 1 - flips / math.prod(output.shape), "flips": flips}
        return found

    def _found(self, output: Rows, labels: Array) -> Array:
        import numpy as np

        return detection.judged(np.asarray(output), labels, self.spec.ignored)

    def _pixels(self, output: Rows, labels: Array) -> Array:
        ignore = self.spec.ignored
        classes = 1 + max(int(part[part != ignore].max(initial=0)) for part in labels)
        return by_piece(
            lambda said, true: masks.counts(said, true, ignore, classes), output, labels
        )

    def _tokens_that_count(self, output: Array, rows: slice) -> Array:
        """Of a piece (rows, tokens, …): (tokens, …)."""
        if self.labels is None:
            return output.reshape(-1, *output.shape[2:])
        return output[tokens.kept(self.labels[rows], self.spec.ignored)[0]]

    def _near(self) -> dict[str, dict[str, Any]]:
        """Trial -> how near its outputs are to its baseline's, which needs no labels."""
        if self._boxes:  # boxes change their order with the last bit of a score
            return {}
        if self._masks:
            return self._same_pixels()
        return agreement.agreement(
            self.outputs,
            self.baselines,
            self._classes or self._tokens,
            self._tokens_that_count if self._tokens else None,
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        """Trial -> the table's columns on accuracy, agreement, damage and costs."""
        found: dict[str, dict[str, Any]] = {trial: {} for trial in self.outputs}
        for trial, columns in self._near().items():
            found[trial].update(columns)
        for trial, columns in self._judged().items():
            found[trial].update(columns)
            found[trial].update(self._cost(trial))
            cells = [cell for cell in self.damage(trial) if cell.damaged]
            found[trial]["damaged"] = "; ".join(map(words, cells)) or None
        return found

    def _judged(self) -> dict[str, dict[str, Any]]:
        """Trial -> accuracy, its loss and the verdict; empty where nothing says what is right."""
        labels, name = self.labels, "accuracy_is"
        if self.own is not None:
            return {t: dict(row) for t, row in self.own.items() if t in self.outputs}
        if self.task == "embedding" and labels is not None:
            asked = embedding.queries(labels)
            if asked.any():
                right = once(self.outputs, lambda o: embedding.nearest_right(o, labels)[asked])
                judged = verdicts.by_rows(right, self.baselines, self.margin)
                return {t: {**row, name: "nearest row has its label"} for t, row in judged.items()}
        if self.pairs:
            rows = embedding.pair_rows(self.pairs["pairs"])
            truth = self.pairs["similarity"][rows[:, 0]]
            values = once(self.outputs, lambda o: embedding.pair_cosine(o, self.pairs["pairs"]))
            judged = verdicts.by_metric(
                embedding.spearman, values, truth, self.baselines, self.margin, self.seed
            )
            return {t: {**row, name: "Spearman"} for t, row in judged.items()}
        if labels is None or self.task == "embedding":
            return {}
        if self._classes:
            return verdicts.classification(self.outputs, self.baselines, labels, self.margin)
        if self._tokens:
            return self._tagged(labels)
        if self._masks:
            counts = once(self.outputs, lambda o: self._pixels(o, labels))
            judged = verdicts.by_sums(
                masks.mean_union, counts, self.baselines, self.margin, self.seed
            )
            judged = _enough(judged, masks.rarest(next(iter(counts.values()))), len(labels))
            return {t: {**row, name: "mIoU"} for t, row in judged.items()}
        if self._boxes:
            boxes = once(self.outputs, lambda o: self._found(o, labels))
            true = detection.true_boxes(labels, self.spec.ignored)
            judged = verdicts.by_metric(
                detection.mean_precision, detection.alike(boxes), true, self.baselines,
                self.margin, self.seed,
            )  # fmt: skip
            judged = _enough(judged, detection.rarest(true), len(labels))
            return {t: {**row, name: "mAP"} for t, row in judged.items()}
        judged = verdicts.regression(self.outputs, self.baselines, labels, self.margin, self.seed)
        return {t: {**row, name: "R²"} for t, row in judged.items()}

    def _tagged(self, labels: Array) -> dict[str, dict[str, Any]]:
        """By entities where the tags make some, else by tokens; rows are drawn, not tokens."""
        found = once(self.outputs, tokens.predicted_tags)
        tags, ignore = self.spec.tags, self.spec.ignored
        if self.spec.entities:
            score, name = tokens.f1, "entity F1"
            counts = once(found, lambda p: tokens.entity_counts(p, labels, tags, ignore))
        else:
            score, name = tokens.share, "right tokens"
            counts = once(found, lambda p: tokens.token_counts(p, labels, ignore))
        judged = verdicts.by_sums(score, counts, self.baselines, self.margin, self.seed)
        return {t: {**row, "accuracy_is": name} for t, row in judged.items()}

    def _right(self, output: Rows) -> Array | None:
        """Whether each row is answered right, boolean (rows,); None where that has no meaning."""
        if id(output) not in self._rights:
            self._rights[id(output)] = self._right_of(output)
        return self._rights[id(output)]

    def _right_of(self, output: Rows) -> Array | None:
        if self.labels is None or self.task not in ("classification", "embedding"):
            return None
        if self._classes:
            right: Array = verdicts.predicted_classes(output) == self.labels
            return right
        return embedding.nearest_right(output, self.labels)

    def _base(self, trial: str) -> Rows | None:
        """The baseline's output; None for a baseline itself."""
        base = self.baselines[trial]
        return None if base == trial else self.outputs.get(base)

    def _cost(self, trial: str) -> dict[str, Any]:
        """Mean cost of a decision, and how much more than the baseline's with a paired interval."""
        if not self.spec.costs or self.labels is None or not self._classes:
            return {}
        import numpy as np

        from profiler.statistics.paired import mean_difference_interval

        costs = np.asarray(self.spec.costs)

        labels = self.labels

        def of(output: Rows) -> Array:
            predicted = verdicts.predicted_classes(output)
            return task_metrics.decision_costs(predicted, labels, costs)

        own, base = of(self.outputs[trial]), self._base(trial)
        row: dict[str, Any] = {"decision_cost": float(own.mean())}
        if base is not None:
            more = mean_difference_interval(own, of(base))
            row.update(
                decision_cost_more=more.value,
                decision_cost_more_low=more.low,
                decision_cost_more_high=more.high,
            )
        return row

    def damage(self, trial: str) -> list[Cell]:
        """Classes and slices of a trial against its baseline, the worst first."""
        base, output = self._base(trial), self.outputs[trial]
        if base is None or self.labels is None:
            return []
        key = (id(base), id(output))
        if key not in self._cells:
            self._cells[key] = self._damage(base, output, self.labels)
        return self._cells[key]

    def _damage(self, base: Rows, output: Rows, labels: Array) -> list[Cell]:
        import numpy as np

        before, after = self._right(base), self._right(output)
        if before is None or after is None:
            return []
        groups = {"class": labels.astype(np.str_), **self.slices}
        tested = {}
        for name, values in groups.items():
            known, counts = np.unique(values, return_counts=True)
            large = np.isin(values, known[counts >= LEAST_ROWS])
            tested[name] = np.where(large, values, "(small)")
        cells = damage.damage(before, after, tested)
        return [cell for cell in cells if cell.value != "(small)"]

    def metrics(self, trial: str) -> dict[str, Any]:
        """Task metrics of one trial; empty without labels or scored pairs."""
        output = self.outputs[trial]
        if id(output) not in self._metrics:
            self._metrics[id(output)] = self._metrics_of(output)
        return self._metrics[id(output)]

    def _metrics_of(self, output: Rows) -> dict[str, Any]:
        if self.task == "embedding":
            found: dict[str, Any] = {}
            if self.labels is not None:
                found.update(embedding.retrieval(output, self.labels, self.spec.top_k))
            if self.pairs:
                rows = embedding.pair_rows(self.pairs["pairs"])
                cosine = embedding.pair_cosine(output, self.pairs["pairs"])
                found["spearman"] = embedding.spearman(cosine, self.pairs["similarity"][rows[:, 0]])
            return found
        if self.labels is None or self.task == "custom":
            return {}
        if self._classes:
            return task_metrics.classification(output, self.labels, self.spec.top_k)
        if self._boxes:
            true = detection.true_boxes(self.labels, self.spec.ignored)
            return detection.metrics(self._found(output, self.labels), true)
        if self._masks:
            return masks.metrics(self._pixels(output, self.labels).sum(axis=0))
        if self._tokens:
            tags = tokens.predicted_tags(output)
            return tokens.metrics(tags, self.labels, self.spec)
        return task_metrics.regression(output, self.labels)

    def flips(self, trial: str) -> list[dict[str, Any]]:
        """Rows whose class differs from the baseline's. Raises InputError for another task."""
        import numpy as np

        base = self._base(trial)
        if base is None:
            raise InputError(
                f"{trial} is a baseline", hint="name a variant, whose answers may differ from it"
            )
        if not self._classes:
            raise InputError(f"flips are changes of class; the task is {self.task}")
        one, other = (
            verdicts.predicted_classes(base),
            verdicts.predicted_classes(self.outputs[trial]),
        )
        rows = []
        for i in np.flatnonzero(one != other):
            label = None if self.labels is None else int(self.labels[i])
            direction = "changed"
            if label is not None and label in (one[i], other[i]):
                direction = "lost" if label == one[i] else "gained"
            rows.append(
                {
                    "row": int(self.numbers[i]),
                    "label": label,
                    "baseline": int(one[i]),
                    "variant": int(other[i]),
                    "direction": direction,
                }
            )
        return rows


def words(cell: Cell) -> str:
    """'class 3: 10.0 points lost (5 of 50 rows lost, 0 gained)'."""
    return (
        f"{cell.column} {cell.value}: {cell.drop * 100:.1f} points lost"
        f" ({cell.lost} of {cell.n} rows lost, {cell.gained} gained)"
    )


def _enough(judged: dict[str, dict[str, Any]], rarest: int, rows: int) -> dict[str, dict[str, Any]]:
    """Without a verdict where the rarest class is in a handful of rows: it would be about those."""
    if rarest >= masks.LEAST_ROWS:
        return judged
    needed = -(-rows * masks.LEAST_ROWS // max(1, rarest))
    undecided = {"quality": "undecided", "quality_n_needed": needed}
    return {t: {**row, **undecided} if "quality" in row else row for t, row in judged.items()}
