"""The judged output: named, there, of numbers, and not worse than another one."""

import dataclasses

import numpy as np
import pytest

from profiler.analysis.quality import usable
from profiler.data.judged import check_judged
from profiler.errors import DataError
from profiler.schema.artifact import Artifact, Tensor
from profiler.schema.study.data import DataSpec

CLASSES = np.arange(30) % 10


def model(**outputs):
    tensors = tuple(
        Tensor(name=name, dtype=dtype, shape=shape) for name, (dtype, *shape) in outputs.items()
        for shape in [tuple(shape)]
    )  # fmt: skip
    return Artifact(
        model="m", variant="fp32", sha="0" * 64, path="", bytes=1, inputs=(), outputs=tensors
    )


def floats(*shape):
    return ("float32", "n", *shape)


def refusal(artifact, labels=CLASSES, **spec):
    with pytest.raises(DataError) as caught:
        check_judged(DataSpec(file="d.npz", labels="y", **spec), artifact, labels)
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("outputs", "better"),
    [
        ({"features": floats(128), "logits": floats(10)}, "logits"),
        ({"hidden": floats(7, 64), "logits": floats(10)}, "logits"),
        ({"few": floats(4), "logits": floats(10)}, "logits"),
        ({"one": floats(1), "names": ("int64", "n")}, "names"),
    ],
    ids=str,
)
def test_an_output_that_fits_the_labels_better_is_asked_for(outputs, better):
    text = refusal(model(**outputs))
    assert f'[data] output = "{better}" (--judge {better})' in text
    first = next(iter(outputs))
    assert f'"{first}"' in text
    spec = DataSpec(file="d.npz", labels="y", output=better)
    assert check_judged(spec, model(**outputs), CLASSES) == []


def test_features_named_by_the_study_are_judged():
    spec = DataSpec(file="d.npz", labels="y", output="features")
    check_judged(spec, model(features=floats(128), logits=floats(10)), CLASSES)


@pytest.mark.parametrize(
    "outputs",
    [
        {"logits": floats(10), "features": floats(128)},
        {"logits": floats(10), "more": floats(10)},
        {"label": ("int64", "n"), "scores": floats(10)},
        {"any": ("float32", "..."), "logits": floats(10)},
        {"open": floats("classes"), "logits": floats(10)},
        {"only": floats(100)},
    ],
    ids=str,
)
def test_the_first_is_judged_where_no_other_fits_better(outputs):
    artifact = model(**{k: v if v[1] != "..." else ("float32", "...") for k, v in outputs.items()})
    spec = DataSpec(file="d.npz", labels="y")
    assert check_judged(spec, artifact, CLASSES) == []
    assert spec.judged(artifact.outputs) == (next(iter(outputs)),)


def test_labels_need_scores_of_two_dimensions_before_anything_is_measured():
    pictures = model(picture=floats(3, 8, 8))
    text = refusal(pictures)
    assert '"picture" of m is [n, 3, 8, 8]' in text
    assert "leave the labels out" in text


def test_without_labels_any_numbers_are_compared_with_the_baseline_s():
    pictures = model(picture=floats(3, 8, 8))
    spec = DataSpec(file="d.npz")
    assert check_judged(spec, pictures, None) == []
    usable.check({"picture": np.zeros((4, 3, 8, 8), np.float32)}, spec, None)
    with pytest.raises(DataError, match="needs scores of shape"):
        usable.check({"picture": np.zeros((4, 3, 8, 8), np.float32)}, spec, CLASSES)


def test_other_tasks_ask_for_the_output_of_their_shape():
    values = np.linspace(0, 1, 30)
    two = model(hidden=floats(16), price=floats(1))
    assert 'output = "price"' in refusal(two, values, task="regression")
    tags = np.zeros((30, 7), np.int64)
    spans = model(pooled=floats(16), tags=floats(7, 3))
    assert 'output = "tags"' in refusal(spans, tags, task="token-classification")
    boxes = np.array([[[0.0, 0, 1, 1, 0]]] * 30)
    found = model(raw=floats(100, 85), found=floats(20, 6))
    assert 'output = "found"' in refusal(found, boxes, task="detection")


def test_sequences_and_text_are_not_judged():
    plain = model(label=("int64", "n"), probabilities=("sequence_type", "..."))
    zipmap = dataclasses.replace(plain, made_by={"source": "onnx", "producer": "skl2onnx 1.17"})
    spec = DataSpec(file="d.npz", labels="y")
    for artifact, way in ((plain, "plain tensors"), (zipmap, '{"zipmap": False}')):
        (told,) = check_judged(spec, artifact, CLASSES)
        assert '"probabilities" is a sequence' in told
        assert way in told
        assert way in refusal(artifact, output="probabilities")
    words = model(label=("str", "n"), probabilities=("sequence_type", "..."))
    assert "none of the outputs of m can be judged: text" in refusal(words)


def test_an_output_that_is_not_there_is_told_before_the_run():
    text = refusal(model(logits=floats(10)), labels=None, output="logit")
    assert "m has no output 'logit'" in text
    assert "logits" in text
    boxes = np.array([[[0.0, 0, 1, 1, 0]]] * 30)
    three = {"task": "detection", "detections": ("a", "b", "c")}
    assert "data.detections: m has no output 'b'" in refusal(
        model(a=floats(9, 4), c=floats(9)), boxes, **three
    )
