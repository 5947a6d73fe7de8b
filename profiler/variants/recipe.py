"""What a recipe is given and what it promises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from profiler.schema.artifact import Tensor
from profiler.schema.study.variant import VariantSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One variant to make. `scratch` is an empty folder that is removed afterwards."""

    model: str
    source: Path
    spec: VariantSpec
    folder: Path
    """the study's, which a variant's file is relative to"""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    calibration: dict[str, Array] | None
    """model input -> rows along axis 0"""
    seed: int
    scratch: Path


class Recipe(Protocol):
    """A module of this folder, named in `schema.study.recipes`."""

    VERSION: int
    """raised when the same request starts to give another file; part of the cache key"""

    def parameters(self, spec: VariantSpec) -> dict[str, str]:
        """Every setting that decides the result, as text. Raises VariantError for a wrong one."""
        ...

    def make(self, request: Request) -> Path:
        """Write the variant into request.scratch and return its path. Raises VariantError."""
        ...
