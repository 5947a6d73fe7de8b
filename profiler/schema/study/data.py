"""The [data] table of a study: which rows feed the models, and what counts as right."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, Optional, Union

from profiler.schema.artifact import Tensor
from profiler.schema.limits import check, numbers
from profiler.schema.study.images import ImageSpec
from profiler.schema.study.tasks import TASKS, those_with
from profiler.schema.study.text import TextSpec
from profiler.wire.codec import DecodeError, nearest

CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
CALIBRATION_ROWS = 128
MOST_CLASSES = 1_000_000
MOST_NAMES = 5_000
"""classes of pixels and of boxes, unless the study says how many: each row counts all of them"""
MOST_ROWS = 2**31 - 1
_CUT = re.compile(r"[BIES]-.+")


def unique(key: str, names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DecodeError(key, "names that occur once", name)
        seen.add(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSpec:
    """The evaluation set: a .npz, .csv or .parquet file with named columns, or a folder."""

    file: str
    """a folder holds one .npy file a column, mapped instead of loaded; or pictures in subfolders
    named by their class, which give the columns image, class and file"""
    images: Optional[ImageSpec] = None
    """how the pictures of such a folder are prepared"""
    text: Optional[TextSpec] = None
    """how a column of text becomes token numbers"""
    labels: Optional[str] = None
    """column of class numbers (classification) or values (regression)"""
    inputs: dict[str, Union[str, tuple[str, ...]]] = field(default_factory=dict)
    """model input -> column, or list of columns that are stacked; default: the same names"""
    task: str = "classification"
    """embedding: rows with equal labels are to be found near each other;
    token-classification: labels are one tag number a token, scores (rows, tokens, tags);
    segmentation: labels are one class number a pixel, scores as class_axis says;
    detection: labels are boxes (rows, boxes, 5) of x1, y1, x2, y2 and class, in the coordinates of
    the model, whose output is (rows, boxes, 6) with the score before the class;
    custom: labels are numbers of any shape, and only `metric` knows what they mean"""
    metric: Optional[str] = None
    """'file.py:function' beside the study, instead of the task's own accuracy. It is imported and
    run on this machine: function(outputs, labels) returns a number, or one a row; higher is
    better. The margin is in its units"""
    train: Optional[str] = None
    """file or folder with the rows the model was trained on: no other part may hold one of them"""
    pairs: Optional[str] = None
    """embedding: column whose value two rows share that were compared by people"""
    similarity: Optional[str] = None
    """embedding: column with the score of a row's pair, higher is more alike"""
    top_k: tuple[int, ...] = field(default=(5,), metadata=numbers(1, MOST_CLASSES))
    """classification: also right when the class is among the k best; embedding: recall among the k
    nearest"""
    classes: Optional[int] = field(default=None, metadata=numbers(1, MOST_CLASSES))
    """number of classes; default: what the model's output says"""
    tags: tuple[str, ...] = ()
    """token-classification: names of the tags, in the order of the scores. "O" beside "B-…" and
    "I-…" make entities, and their F1 the accuracy; otherwise it is the share of right tokens"""
    ignore: Optional[int] = field(default=None, metadata=numbers(-(2**31), 2**31 - 1))
    """label of tokens or pixels that don't count, or class of a box that is none; default: -100,
    255 for segmentation, -1 for detection"""
    class_axis: int = field(default=1, metadata=numbers(1, 3))
    """segmentation: 1 for scores (rows, classes, height, width), 3 where the classes come last"""
    output: Optional[str] = None
    """model output that is judged; default: the first of numbers"""
    detections: tuple[str, ...] = ()
    """detection: the outputs with boxes, scores and classes, where they are three"""
    split: Optional[str] = None
    """column that says 'calibration', 'evaluation' (or 'selection') or 'confirmation'; rows with
    another value are not used"""
    confirmation_rows: int = field(default=0, metadata=numbers(0, MOST_ROWS))
    """without a split column: this many rows are kept apart; only the chosen variant is judged on
    them, because the best of many on one set looks better there than it is"""
    groups: Optional[str] = None
    """column (patient, camera, user, …) whose equal values must not be in two parts"""
    allow_duplicates: bool = False
    """go on although equal rows are in two parts"""
    calibration_rows: Union[int, Literal["auto"]] = field(
        default=CALIBRATION_ROWS, metadata=numbers(1, MOST_ROWS)
    )
    """without a split column: this many rows, drawn with the seed, calibrate; the rest evaluate.
    "auto": 128, or half of the rows where those are fewer"""
    evaluation_rows: Optional[int] = field(default=None, metadata=numbers(1, MOST_ROWS))
    """use at most this many rows for accuracy"""
    slices: tuple[str, ...] = ()
    """columns whose values cut the rows into slices that are checked for damage one by one"""
    costs: tuple[tuple[float, ...], ...] = field(default=(), metadata=numbers(-1e12, 1e12))
    """classification: costs[true class][predicted class] of one decision, in money"""

    def __post_init__(self) -> None:
        check(self)
        if self.task not in TASKS:
            known = ", ".join(f'"{name}"' for name in TASKS)
            raise DecodeError("task", f"one of {known}", self.task, nearest(self.task, TASKS))
        if (self.pairs is None) != (self.similarity is None) or (
            self.pairs is not None and not self._means("pairs")
        ):
            expected = f"both pairs and similarity, for task = {those_with('pairs')}"
            raise DecodeError("pairs", expected, self.pairs)
        if TASKS[self.task].own_metric and self.metric is None:
            raise DecodeError("metric", f'metric = "file.py:function" for task = "{self.task}"',
                              None)  # fmt: skip
        if self.metric is not None:
            if not CALLABLE.fullmatch(self.metric):
                raise DecodeError("metric", '"file.py:function"', self.metric)
            if self.labels is None and self.images is None:
                raise DecodeError("labels", "labels for the metric to compare with", None)
        if not self.top_k:
            raise DecodeError("top_k", "at least one number", [])
        if self.costs:
            if not self._means("costs") or self.labels is None:
                expected = f"labels and the task {those_with('costs', quote='')}"
                raise DecodeError("costs", expected, self.task)
            if any(len(row) != len(self.costs) for row in self.costs):
                raise DecodeError("costs", "as many columns as rows, one per class",
                                  [len(row) for row in self.costs])  # fmt: skip
        self._check_tags()
        unique("slices", list(self.slices))
        if self.confirmation_rows and self.split is not None:
            raise DecodeError(
                "confirmation_rows", "no split column beside it", self.confirmation_rows,
                "mark rows 'confirmation' in the split column instead",
            )  # fmt: skip

    def _means(self, setting: str) -> bool:
        """Whether a key means something to the task."""
        return setting in TASKS[self.task].settings

    def _check_tags(self) -> None:
        if self.class_axis != 1 and (self.class_axis != 3 or not self._means("class_axis")):
            expected = f"1 or 3, for task = {those_with('class_axis')}"
            raise DecodeError("class_axis", expected, self.class_axis)
        if self.ignore is not None and TASKS[self.task].ignored is None:
            many = [name for name, entry in TASKS.items() if entry.ignored is not None]
            raise DecodeError("ignore", f"one of the tasks {', '.join(many)}", self.task)
        if self.detections and (not self._means("detections") or len(self.detections) != 3):
            expected = (
                f"three outputs (boxes, scores, classes), for task = {those_with('detections')}"
            )
            raise DecodeError("detections", expected, list(self.detections))
        if not self.tags:
            return
        if not self._means("tags"):
            raise DecodeError("tags", f"task = {those_with('tags')}", self.task)
        unique("tags", list(self.tags))
        if self.classes is not None and self.classes != len(self.tags):
            raise DecodeError("classes", f"{len(self.tags)}, as many as tags", self.classes)
        if any(_CUT.fullmatch(tag) for tag in self.tags):
            for tag in self.tags:
                if tag != "O" and not _CUT.fullmatch(tag):
                    raise DecodeError("tags", '"O" and tags such as "B-PER" and "I-PER"', tag)
            if "O" not in self.tags:
                raise DecodeError("tags", 'a tag "O" for tokens outside', list(self.tags))

    def check_stress(self) -> None:
        """Raise DecodeError where a loss on perturbed rows is not defined."""
        if not TASKS[self.task].stressed:
            raise DecodeError(
                "stress.perturbations", "none: this task is not judged under stress", self.task,
                "[stress] without perturbations runs the failure probes alone",
            )  # fmt: skip

    def judged(self, outputs: tuple[Tensor, ...]) -> tuple[str, ...]:
        """Names of the model's outputs that are judged; empty where none of them holds numbers."""
        return self.named or tuple(tensor.name for tensor in outputs if tensor.numeric)[:1]

    @property
    def named(self) -> tuple[str, ...]:
        """Names of the outputs that the study says are judged; empty where it does not."""
        return self.detections or tuple(filter(None, [self.output]))

    @property
    def entities(self) -> bool:
        """Whether the tags cut entities out of the tokens."""
        return "O" in self.tags and any(_CUT.fullmatch(tag) for tag in self.tags)

    @property
    def ignored(self) -> int:
        """The label that does not count, of a task with many labels a row."""
        usual = TASKS[self.task].ignored
        assert usual is not None, f"{self.task} has one label a row"
        return usual if self.ignore is None else self.ignore
