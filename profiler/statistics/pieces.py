"""Arrays may be larger than memory: they are looked at in pieces of whole rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

PIECE_VALUES = 500_000
"""values in a piece: 4 MB as float64, of which a comparison needs a dozen copies"""

CHUNK_BYTES = 4 * 2**20
"""bytes in a piece of what is only copied or looked through once"""

COLUMN_PIECES = 16
"""what is told of whole columns takes as many values as this many pieces have"""


class Rows(Protocol):
    """An array with one entry a row, or one in a file that is read when np.asarray asks for it."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    @property
    def ndim(self) -> int: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Rows: ...
    def __array__(self) -> Array: ...


def parts(output: Rows) -> Iterator[slice]:
    """The rows of each piece; one piece, an empty one, where there are no rows."""
    step = max(1, PIECE_VALUES // max(1, math.prod(output.shape[1:])))
    for start in range(0, max(1, len(output)), step):
        yield slice(start, min(start + step, len(output)))


def chunks(value: Array) -> Iterator[slice]:
    """The rows of each piece of some 4 MiB; none where there are no rows."""
    row_bytes = max(1, value.nbytes // max(1, len(value)))
    step = max(1, CHUNK_BYTES // row_bytes)
    for start in range(0, len(value), step):
        yield slice(start, min(start + step, len(value)))


def pieces(*outputs: Rows) -> Iterator[tuple[Array, ...]]:
    """The same rows of each output, piece after piece; all have as many rows as the first."""
    import numpy as np

    for rows in parts(outputs[0]):
        yield tuple(np.asarray(output[rows]) for output in outputs)


def by_piece(make: Callable[..., Array], *outputs: Rows) -> Array:
    """make(…) of each piece, joined: for what is told of each row by itself, shape (rows, …)."""
    import numpy as np

    return np.concatenate([make(*piece) for piece in pieces(*outputs)])


def columns_at_once(output: Rows) -> int:
    """How many values of each row may be held of all rows together."""
    return max(1, COLUMN_PIECES * PIECE_VALUES // max(1, len(output)))


def equal(one: Rows, other: Rows) -> bool:
    """Whether both hold the same values; NaN is as good as NaN."""
    import numpy as np

    same = (np.array_equal(a, b, equal_nan=True) for a, b in pieces(one, other))
    return one.shape == other.shape and all(same)
