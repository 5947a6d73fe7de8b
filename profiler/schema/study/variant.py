"""How a variant is made: a recipe and its settings, in a few words or as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

from profiler.schema.device.target import check_name
from profiler.schema.limits import PROSE, check, numbers
from profiler.schema.study.recipes import RECIPES
from profiler.wire.codec import DecodeError, nearest

AUTO = "auto"
"""stands for the recipes that suit each target's processor; replaced before anything is made"""
BLOCK_SIZES = (16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSpec:
    """How one variant of every model is made; 'fp32' is the baseline, the model as it came."""

    name: str
    recipe: Optional[str] = None
    """default: the name, or 'file' where a file is named"""
    per_channel: bool = True
    """static: one scale per output channel of the weights"""
    weights: Literal["int8", "uint8"] = "int8"
    activations: Literal["uint8", "int8"] = "uint8"
    """static: with int8 weights, uint8 is U8S8 and int8 is S8S8"""
    reduce_range: bool = False
    """7-bit weights: no saturation on x86 without VNNI"""
    strict: bool = False
    """run with a session option by which 8-bit sums are exact on x86 without VNNI; the file is the
    same without it"""
    method: Literal["minmax", "entropy", "percentile"] = "minmax"
    """static: how ranges are calibrated"""
    operators: Literal["auto", "linear", "all"] = "auto"
    """static: linear quantizes products and convolutions only, and none whose input 8 bits can't
    resolve; auto does so where it finds attention or LayerNormalization"""
    algorithm: Literal["rtn", "hqq", "gptq"] = "rtn"
    """int4: how weights are rounded; gptq needs calibration rows"""
    block_size: int = field(default=32, metadata=numbers(16, 256))
    """int4: weights that share one scale"""
    keep_float: tuple[str, ...] = ()
    """nodes that stay float32, by name or pattern ('encoder.layer.11.*'): mixed precision"""
    file: Optional[str] = None
    """a ready ONNX file with the model's inputs and outputs, relative to the study file"""
    targets: tuple[str, ...] = ()
    """default: every target of the study"""
    why: Optional[str] = field(default=None, metadata=PROSE)
    """why it is in the study; shown in the report"""

    @classmethod
    def from_text(cls, text: str) -> VariantSpec:
        """'int8-static' or, with settings after a colon, 'int8-static:percentile-s8s8'."""
        recipe, colon, rest = text.partition(":")
        if not colon:
            return cls(name=text)
        worded = [name for name, entry in RECIPES.items() if entry.words]
        if recipe not in worded:
            raise DecodeError("", "one of " + ", ".join(worded) + " before ':'", text,
                              nearest(recipe, worded))  # fmt: skip
        known, number = RECIPES[recipe].words, RECIPES[recipe].number
        chosen: dict[str, Any] = {}
        for word in rest.split("-"):
            if number is not None and re.fullmatch("[0-9]{1,9}", word):
                settings: Mapping[str, Any] = {number: int(word)}
            elif word in known:
                settings = known[word]
            else:
                numbers = "" if number is None else f" or a {number.replace('_', ' ')}"
                words = f"{', '.join(known)}{numbers} after '{recipe}:'"
                raise DecodeError("", words, text, nearest(word, known))
            if twice := chosen.keys() & settings.keys():
                raise DecodeError("", f"one word that sets {sorted(twice)[0]}", text)
            chosen.update(settings)
        return cls(name=text.replace(":", "-"), recipe=recipe, **chosen)

    def __post_init__(self) -> None:
        check_name(self.name)
        check(self)
        recipe = self.recipe or ("file" if self.file is not None else self.name)
        if recipe not in (*RECIPES, AUTO):
            expected = "one of " + ", ".join((*RECIPES, AUTO))
            known = (*RECIPES, AUTO)
            raise DecodeError("recipe", expected, recipe, nearest(recipe, known))
        object.__setattr__(self, "recipe", recipe)
        if recipe == "file" and not self.file:
            raise DecodeError("file", 'the path of an ONNX file, e.g. file = "mine.onnx"', None)
        if self.block_size not in BLOCK_SIZES:
            sizes = ", ".join(map(str, BLOCK_SIZES))
            raise DecodeError("block_size", f"one of {sizes}", self.block_size)
        for key in ("file", "keep_float", "per_channel", "weights", "activations", "reduce_range",
                    "strict", "method", "operators", "algorithm", "block_size"):  # fmt: skip
            default = type(self).__dataclass_fields__[key].default
            own = RECIPES[recipe].settings if recipe in RECIPES else ()
            if getattr(self, key) != default and key not in own:
                users = ", ".join(name for name, entry in RECIPES.items() if key in entry.settings)
                raise DecodeError(key, f"a setting of {recipe} ({key} belongs to {users})",
                                  getattr(self, key))  # fmt: skip

    @property
    def needs_rows(self) -> bool:
        """Whether calibration rows are needed to make it."""
        entry = RECIPES.get(self.recipe or "")
        if entry is None:
            return False
        asked = entry.rows_with.items()
        return entry.rows or any(getattr(self, key) == value for key, value in asked)
