import numpy as np
import pytest

from profiler.data import EvaluationSet, bind
from profiler.errors import DataError
from profiler.schema.artifact import Tensor


def held(named=True, **inputs):
    rows = len(next(iter(inputs.values())))
    return EvaluationSet(
        inputs=inputs,
        labels=None,
        calibration=np.arange(1),
        evaluation=np.arange(1, rows),
        sha="",
        file="d.npz",
        columns=(),
        named=named,
    )


def tensor(name="x", dtype="float32", shape=("batch", 3)):
    return Tensor(name=name, dtype=dtype, shape=shape)


def failure(data, *inputs, shapes=None):
    with pytest.raises(DataError) as caught:
        bind(data, inputs, shapes=shapes)
    return f"{caught.value.message} | {caught.value.hint}"


def test_casts_to_the_models_dtype():
    got = bind(held(x=np.ones((4, 3))), (tensor(),))
    assert got["x"].dtype == np.float32
    assert bind(held(x=np.ones((4, 3), np.uint8)), (tensor(),))["x"].dtype == np.float32
    ids = held(x=np.array([[1.0, 2, 3]] * 2))
    assert bind(ids, (tensor(dtype="int64"),))["x"].dtype == np.int64
    flags = held(x=np.array([[0, 1, 1]] * 2))
    assert bind(flags, (tensor(dtype="bool"),))["x"].dtype == np.bool_


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (np.full((2, 3), 1e9), "float16", "do not fit float16"),
        (np.full((2, 3), 0.5), "int64", "expected int64, got float64"),
        (np.full((2, 3), 300), "uint8", "whole numbers from 0 to 255 fit"),
        (np.full((2, 3), 2), "bool", "only 0 and 1"),
        (np.full((2, 3), "a"), "float32", "save the column as float32"),
    ],
)
def test_casts_that_would_change_values(value, dtype, expected):
    text = failure(held(x=value), tensor(dtype=dtype))
    assert "d.npz: data.inputs.x: expected" in text
    assert expected in text


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("str", "is text; only numbers are fed | cut the encoding of text off"),
        ("sequence_type", "is a sequence; only tensors are fed | export"),
    ],
)
def test_no_column_of_any_type_can_feed(dtype, expected):
    assert expected in failure(held(x=np.ones((2, 3))), tensor(dtype=dtype))


def test_rows_go_along_the_first_axis_only():
    sequences = tensor(shape=("T", "N", 3))
    with pytest.raises(DataError, match='"x" has its samples on axis 1; rows of') as caught:
        bind(held(x=np.ones((4, 2, 3))), (sequences,), samples=("N",))
    assert "batch first" in caught.value.hint
    assert "no axis of samples" in failure(held(x=np.ones(4)), tensor(shape=()))
    size = tensor(shape=(2,))
    with pytest.raises(DataError, match='"x" has no axis of samples; rows of'):
        bind(held(x=np.ones(4, "float32")), (size,), samples=["N"])
    assert bind(held(x=np.ones(4, "float32")), (size,))["x"].shape == (4,)


def test_one_unnamed_column_feeds_one_input():
    assert set(bind(held(named=False, pixels=np.ones((4, 3))), (tensor(),))) == {"x"}
    assert "the data has: pixels" in failure(held(pixels=np.ones((4, 3))), tensor())


def test_missing_input_suggests():
    text = failure(held(image=np.ones((4, 3))), tensor("images"))
    assert 'the model has an input "images", the data has: image' in text
    assert 'did you mean "image"?' in text


def test_shape_is_checked_but_not_the_batch():
    fixed = bind(held(x=np.ones((4, 3))), (tensor(shape=(1, 3)),))
    assert fixed["x"].shape == (4, 3)
    text = failure(held(x=np.ones((4, 5))), tensor())
    assert "expected shape [batch, 3], got [rows, 5]" in text


def test_symbols_follow_shapes_and_agree():
    token = tensor(shape=("batch", "sequence"), dtype="int64")
    data = held(x=np.ones((4, 7), int), mask=np.ones((4, 8), int))
    assert bind(data, (token,))["x"].shape == (4, 7)
    text = failure(data, token, shapes={"sequence": 5})
    assert "expected shape [batch, sequence = 5], got [rows, 7]" in text
    mask = tensor("mask", "int64", ("batch", "sequence"))
    assert "data.inputs.mask: expected shape [batch, sequence = 7], got [rows, 8]" in failure(
        data, token, mask
    )


def test_plain_column_fits_width_one():
    assert bind(held(x=np.ones(4)), (tensor(shape=("batch", 1)),))["x"].shape == (4, 1)


def test_unknown_rank_takes_anything():
    assert bind(held(x=np.ones(4)), (tensor(shape=("...",)),))["x"].shape == (4,)


def test_hints_for_common_shapes():
    image = tensor(shape=("batch", 3, 8, 8))
    assert "np.moveaxis" in failure(held(x=np.ones((2, 8, 8, 3))), image)
    assert "reshape(-1, 3, 8, 8)" in failure(held(x=np.ones((2, 192))), image)
    assert "stack columns" in failure(held(x=np.ones(2)), tensor())
    assert "first axis counts rows" in failure(held(x=np.ones((2, 5, 5))), tensor())
