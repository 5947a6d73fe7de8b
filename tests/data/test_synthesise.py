import sys

import numpy as np
import pytest

from profiler.data import synthesise
from profiler.errors import DataError
from profiler.schema.artifact import Tensor, Values


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
    for dtype, words, way_out in (
        ("str", 'input "x" is text; only numbers are fed', "extract_model"),
        ("sequence_type", 'input "x" is a sequence; only tensors are fed', "plain tensors"),
        ("optional_type", 'input "x" is optional; only tensors are fed', "plain tensors"),
        ("float8_e5m2", 'input "x" is float8_e5m2, which numpy can\'t feed', "a Cast inside"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            made(dtype=dtype)
        assert way_out in caught.value.hint, "data could not be fed either"


def test_positions_stay_within_what_they_index():
    tensor = Tensor(name="position_ids", dtype="int64", shape=("batch", 6))
    takes = {"position_ids": Values(high=3)}
    assert synthesise((tensor,), takes=takes)["position_ids"].tolist() == [[0, 1, 2, 3, 0, 1]]


def test_whole_numbers_stay_within_what_they_index():
    ids = Tensor(name="ids", dtype="int64", shape=("batch", 500))
    drawn = synthesise((ids,), takes={"ids": Values(high=2)})["ids"]
    assert set(drawn.ravel()) == {0, 1, 2}
    table = Tensor(name="table", dtype="float32", shape=("rows_kept", 4))
    below = {"ids": Values(input="table")}
    drawn = synthesise((ids, table), takes=below, shapes={"rows_kept": 3}, samples=("batch",))
    assert set(drawn["ids"].ravel()) == {0, 1, 2}


def test_lengths_are_the_whole_sequence():
    x = Tensor(name="x", dtype="float32", shape=("T", "N", 4))
    lengths = Tensor(name="lengths", dtype="int32", shape=("N",))
    takes = {"lengths": Values(low=1, input="x", counts=True)}
    drawn = synthesise((x, lengths), rows=3, samples=("N",), shapes={"T": 7}, takes=takes)
    assert drawn["x"].shape == (7, 3, 4)
    assert drawn["lengths"].tolist() == [7, 7, 7]


def test_a_size_that_depends_on_others_is_computed():
    past = Tensor(name="past", dtype="float32", shape=("batch", 2, "past", 4))
    ids = Tensor(name="ids", dtype="int64", shape=("batch", "seq"))
    mask = Tensor(name="mask", dtype="int64", shape=("batch", "past + seq"))
    total = Tensor(name="total", dtype="int64", shape=("batch", "total_length"))
    drawn = synthesise((past, ids, mask, total), rows=2, shapes={"past": 5, "seq": 3})
    assert drawn["mask"].shape == drawn["total"].shape == (2, 8)


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(DataError, match="larger than 2 GiB a query"):
        made(shape=("batch", 2**40))


def test_more_than_the_free_memory_is_refused_before_it_is_made(monkeypatch):
    free = type("Memory", (), {"available": 10**6})
    monkeypatch.setattr("psutil.virtual_memory", lambda: free)
    assert made(shape=("batch", 1000), rows=40).shape == (40, 1000)
    with pytest.raises(DataError, match="made-up inputs of 50 samples take 200 kB a query"):
        made(shape=("batch", 1000), rows=50)


def test_a_huge_input_holds_its_first_values_again_and_again(monkeypatch):
    """A draw of half a billion values took longer than anything else."""
    monkeypatch.setattr(sys.modules["profiler.data.synthesise"], "_MOST_DRAWN", 64)
    for dtype in ("float32", "int64", "bool"):
        value = made(dtype=dtype, shape=("batch", 100), rows=2).ravel()
        assert value.shape == (200,)
        assert (value[64:128] == value[:64]).all()
        assert len(set(value[:64].tolist())) > 1
    positions = made(name="position_ids", dtype="int64", shape=("batch", 100), rows=2)
    assert (positions == np.arange(100)).all()
