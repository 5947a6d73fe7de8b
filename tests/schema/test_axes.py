"""Which dimension counts samples: a wrong one would mislabel every throughput in silence."""

import pytest

from profiler.schema.artifact import Tensor
from profiler.schema.axes import Batch, all_sizes, find_batch, open_names


def tensors(**shapes):
    return tuple(
        Tensor(name=name, dtype="float32", shape=tuple(shape)) for name, shape in shapes.items()
    )


def found(inputs, outputs=None, **options):
    batch = find_batch(tensors(**inputs), tensors(**(outputs or {})), **options)
    return batch.fixed if batch.fixed is not None else set(batch.names)


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        # as ever: the first axes, whatever they are called
        ({"x": ["batch", 3]}, {"y": ["batch", 2]}, {"batch"}),
        ({"x": ["x.0", 3]}, {"y": ["y.0", 2]}, {"x.0"}),
        ({"x": ["items", 3]}, {}, {"items"}),
        ({"a": ["a.0", 3], "b": ["b.0", 1]}, {"y": ["y.0", 2]}, {"a.0", "b.0"}),
        ({"a": ["unk__7", 3], "b": ["unk__8", 1]}, {"y": ["unk__9", 2]}, {"unk__7", "unk__8"}),
        ({"a": ["some", 3], "b": ["other", 1]}, {"y": ["y.0", 2]}, {"some", "other"}),
        ({"a": ["some", 3], "b": ["other", 1]}, {"y": ["some"], "z": ["other"]}, {"some", "other"}),
        ({"ids": ["batch", "seq"], "mask": ["batch", "seq"]}, {"y": ["batch", 2]}, {"batch"}),
        ({"ids": ["s0", "s1"], "at": [1, "s1"]}, {"y": ["s0", "s1", 8]}, {"s0"}),
        ({"user": ["N"], "item": ["N"]}, {"y": ["N"]}, {"N"}),
        ({"x": ["seq", 64]}, {"y": ["seq", 5]}, {"seq"}),
        # what is shared by name with outputs is no size of a side input
        ({"a": ["some", 3], "b": ["other", 1]}, {"y": ["some", 2]}, {"some"}),
        ({"x": ["batch", 3, 9, 9], "boxes": ["k", 4]}, {"y": ["k", 2]}, {"batch"}),
        # a scalar, a vector or a fixed matrix first
        ({"scale": [], "x": ["N", 64]}, {"y": ["N", 32]}, {"N"}),
        ({"size": [2], "x": ["N", 64]}, {"y": ["N", 32]}, {"N"}),
        ({"size": [1, 2], "x": ["N", 64]}, {"y": ["N", 32]}, {"N"}),
        ({"size": [1, 2], "x": ["x.0", 64]}, {"y": ["y.0", 32]}, {"x.0"}),
        ({"x": ["batch", 64], "tokens": ["seq"]}, {"y": ["batch", 32]}, {"batch"}),
        ({"tokens": ["seq"], "x": ["batch", 64]}, {"y": ["batch", 32]}, {"batch"}),
        # time first
        ({"x": ["T", "N", 16]}, {"y": ["N", 5]}, {"N"}),
        ({"x": ["T", "N", 16]}, {"y": ["T", 1, "N", 5]}, {"N"}),
        ({"x": ["seq_len", "batch", 16]}, {"y": ["seq_len", "batch", 5]}, {"batch"}),
        ({"x": [12, "N", 16]}, {"y": ["N", 5]}, {"N"}),
        ({"x": [12, "s1", 16]}, {"y": ["s1", 5]}, {"s1"}),
        ({"x": ["s0", "s1", 16]}, {"y": ["s1", 5]}, {"s1"}),
        (
            {"x": ["s0", "s1", 16], "h": [2, "s1", 8], "c": [2, "s1", 8]},
            {"y": ["s0", 1, "s1", 8], "hn": [2, "s1", 8], "cn": [2, "s1", 8]},
            {"s1"},
        ),
        # samples in columns (a Gemm that transposes), and none there
        ({"x": [64, "N"]}, {"y": ["N", 10]}, {"N"}),
        ({"x": ["N"], "w": ["N", 4]}, {"y": ["N", 4]}, {"N"}),
        ({"x": [64, "N"]}, {"y": [64, "N"]}, 64),
        ({"x": [64, "width"]}, {"y": ["width", 10]}, 64),
        # fixed by the file
        ({"x": [4, 3]}, {"y": [4, 2]}, 4),
        ({"x": [12, 8, 16]}, {"y": [8, 5]}, 12),
        ({"x": [12]}, {"y": [5]}, 1),
        ({"scale": [], "x": [8, 64]}, {"y": [8, 32]}, 8),
        ({"scale": []}, {"y": []}, 1),
        ({"x": ["seq", 64]}, {"y": [1, 5]}, 1),
        ({"x": [1, "seq"]}, {"y": [1, 5]}, 1),
        # sizes of one sample, not samples
        ({"x": [1, "N", 3]}, {"y": ["N", 13]}, 1),
        ({"x": [1, "num_samples"]}, {"y": [1, 5]}, 1),
        ({"x": ["clouds", "N", 3]}, {"y": ["clouds", "N", 13]}, {"clouds"}),
        ({"x": [1, 3, 224, 224], "boxes": ["K", 4]}, {"y": ["K", 91]}, 1),
        ({"x": [1, 3, 224, 224], "boxes": ["boxes.0", 4]}, {"y": ["y.0", 91]}, 1),
        ({"x": [1, 64], "tokens": ["n"]}, {"y": [1, 5]}, 1),
        ({"x": ["b*heads", 4], "y": ["b", 4]}, {}, {"b"}),
    ],
)
def test_what_counts_samples(inputs, outputs, expected):
    assert found(inputs, outputs) == expected


def test_a_dimension_that_got_a_size_is_none_of_samples():
    two = {"x": ["rows", 64], "memory": ["slots", 64]}
    assert found(two, {}) == {"rows"}
    assert found({"x": ["items", 64], "memory": ["slots", 64]}, {}) == {"items", "slots"}
    assert found({"x": ["items", 64], "memory": ["slots", 64]}, {}, given=["slots"]) == {"items"}
    assert found({"x": ["seq", 64]}, {"y": ["seq", 5]}, given=["seq"]) == 1
    assert found({"x": ["items", 64]}, {}, given=["items"]) == {"items"}, "--batch is what is meant"


def test_the_axis_that_is_told_settles_it():
    shapes = {"x": ["a", "b", 16], "y": ["batch", 4]}
    assert found(shapes, {}, axes={"x": 1}) == {"b"}
    assert found(shapes, {}, axes={"x": -2, "y": 0}) == {"b", "batch"}
    assert found(shapes, {}, axes={"x": 2}) == 16
    assert find_batch(tensors(x=[3, 4]), (), axes={"x": 1}) == Batch(fixed=4)


def test_sizes_that_depend_on_others():
    inputs = tensors(
        past=["batch", 2, "past", 4], ids=["batch", "seq"], mask=["batch", "past + seq"],
        bias=["batch*2", "total_len"],
    )  # fmt: skip
    assert open_names(inputs, ("batch",)) == {"past", "seq", "total_len"}
    sizes, left = all_sizes(inputs, samples=("batch",), rows=3, given={"past": 5})
    assert sizes == {
        "batch": 3, "past": 5, "seq": 1, "past + seq": 6, "total_len": 6, "batch*2": 6,
    }  # fmt: skip
    assert left == ["seq"]
