"""An artifact: the file of one variant of one model, named by the SHA-256 of its content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

NUMBERS = frozenset({
    "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64",
})  # fmt: skip
"""types that numpy and every provider's binding have"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A model's input or output: numpy dtype name and shape; a symbolic dimension is its name."""

    name: str
    dtype: str
    shape: tuple[Union[int, str], ...]

    @property
    def numeric(self) -> bool:
        """Whether it is an array of numbers: no text, no sequence or map, no rare float."""
        return self.dtype in NUMBERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """Agreement of the exported baseline with its source, before anything else is measured."""

    rows: int
    max_abs_error: float
    tolerance: float
    worst_output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturable:
    """A node whose sums of two u8 × s8 products can leave 16 bits, where they are added in those.

    `worst_sum` is the largest such sum, for activations of 255 (16 bits hold 32,767); `channels`
    of `of_channels` outputs can reach beyond. `shared` weights, or their zero point, are read by
    another such node, too.
    """

    node: str
    operator: str
    worst_sum: int
    channels: int
    of_channels: int
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Whole numbers that an input of a model takes, from what they index or count there."""

    low: int = 0
    high: Optional[int] = None
    """largest value; None: what `input` says"""
    input: Optional[str] = None
    """values are below the size of this input's `axis`; for `counts`, equal to it"""
    axis: int = 0
    counts: bool = False
    """lengths of sequences: the whole of them is used"""


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
    takes: dict[str, Values] = field(default_factory=dict)
    """input -> whole numbers it takes, where the model says so"""
    data: tuple[str, ...] = ()
    """SHA-256 of each file of external weights; they lie beside the model under that very name"""
    saturable: Optional[tuple[Saturable, ...]] = None
    """what an x86 processor without VNNI can cut off; None: written before anybody looked"""
    ir_version: Optional[int] = None
    opset: Optional[int] = None
    """of the standard operators; None, as for `ir_version`: written before anybody looked"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """The small fixed model that is measured beside all trials of a folder."""

    artifact: Artifact
    inputs: dict[str, str]
    """input -> sha of its query, an .npy"""
