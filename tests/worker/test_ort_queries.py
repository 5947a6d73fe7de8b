"""Rows cut into queries: whole batches are views, the last one is filled, timed ones are copies."""

import numpy as np
import pytest

from profiler.worker.backends.ort import _queries, feeds_to_bind

X = np.arange(14, dtype=np.float32).reshape(7, 2)


def test_whole_batches_are_views_and_the_last_is_filled_by_cycling():
    found = [feed["x"] for feed in _queries({"x": X}, 3, True)]
    assert [f[:, 0].tolist() for f in found] == [[0, 2, 4], [6, 8, 10], [12, 0, 2]]
    assert [np.shares_memory(f, X) for f in found] == [True, True, False]


@pytest.mark.parametrize("stack", [True, False])
def test_what_is_timed_lies_in_memory_of_its_own(tmp_path, stack):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for feed in feeds_to_bind({"x": mapped}, 3, stack, 1):
        assert type(feed["x"]) is np.ndarray
        assert not np.shares_memory(feed["x"], mapped)
