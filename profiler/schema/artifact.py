"""An artifact: the file of one variant of one model, named by the SHA-256 of its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional, Union


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A model's input or output: numpy dtype name and shape; a symbolic dimension is its name."""

    name: str
    dtype: str
    shape: tuple[Union[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Agreement of the exported baseline with its source, before anything else is measured."""

    rows: int
    max_abs_error: float
    tolerance: float
    worst_output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What was made, from what, and how. `path` is relative to the results folder.

    `bytes` counts the model file and its external weights.
    """

    model: str
    variant: str
    sha: str
    path: str
    bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    made_by: dict[str, str] = field(default_factory=dict)
    """recipe, versions of the packages that made it, sha of the baseline, calibration rows"""
    parity: Optional[Parity] = None
    data: tuple[str, ...] = ()
    """SHA-256 of each file of external weights; they lie beside the model under that very name"""


def symbolic(inputs: Sequence[Tensor]) -> set[str]:
    """Names of the dimensions a model leaves open, without the samples of a query."""
    samples = {tensor.shape[0] for tensor in inputs if tensor.shape}
    return {
        size for tensor in inputs for size in tensor.shape
        if isinstance(size, str) and size not in samples
    }  # fmt: skip
