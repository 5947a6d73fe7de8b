"""Pieces of an array that is larger than memory."""

import numpy as np

from profiler.statistics.pieces import CHUNK_BYTES, chunks


def test_pieces_together_are_every_row_once() -> None:
    value = np.zeros((11, CHUNK_BYTES // 8 // 3), np.float64)
    found = [np.arange(11)[piece] for piece in chunks(value)]
    assert len(found) == 4
    assert np.concatenate(found).tolist() == list(range(11))
