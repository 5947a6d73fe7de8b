import numpy as np
import pytest

from profiler.data import synthesise
from profiler.errors import DataError
from profiler.schema.artifact import Tensor


def made(name="x", dtype="float32", shape=("batch", 3), **options):
    return synthesise((Tensor(name=name, dtype=dtype, shape=shape),), **options)[name]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8"])
def test_dtype_shape_and_not_all_zero(dtype):
    value = made(dtype=dtype, shape=("batch", 16, 16), rows=2)
    assert value.dtype == np.dtype(dtype)
    assert value.shape == (2, 16, 16)
    assert np.count_nonzero(value) > 0.9 * value.size


def test_seeded_and_different_per_input():
    assert (made(seed=1) == made(seed=1)).all()
    assert (made(seed=1) != made(seed=2)).any()
    two = synthesise(tuple(Tensor(name=n, dtype="float32", shape=("n", 9)) for n in "ab"))
    assert (two["a"] != two["b"]).any()


def test_symbols_come_from_shapes_and_the_first_is_the_batch():
    value = made(shape=("n", "sequence", "other"), rows=4, shapes={"sequence": 7})
    assert value.shape == (4, 7, 1)
    assert made(shape=(2, "sequence"), rows=4, shapes={"sequence": 7}).shape == (2, 7)


def test_token_inputs_make_sense():
    ids = made("input_ids", "int64", ("batch", 200))
    assert ids.min() >= 1
    assert ids.max() <= 9
    assert (made("attention_mask", "int64", ("batch", 9)) == 1).all()
    assert set(made("token_type_ids", "int64", ("batch", 99)).ravel()) == {0, 1}
    assert made("position_ids", "int64", ("batch", 4)).tolist() == [[0, 1, 2, 3]]


def test_bools():
    assert made(dtype="bool", shape=("n", 99)).any()
    assert made("mask", "bool", ("n", 99)).all()


def test_what_can_not_be_made_up():
    with pytest.raises(DataError, match='does not say the shape of its input "x"'):
        made(shape=("...",))
    for dtype in ("str", "sequence_type"):
        with pytest.raises(DataError, match=f"values of type {dtype}") as caught:
            made(dtype=dtype)
        assert caught.value.hint == "add [data] to the study"
