"""How a variant is made: a recipe and its settings, in a few words or as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

from profiler.schema.device.target import NAME
from profiler.schema.limits import PROSE, check, numbers
from profiler.wire.codec import DecodeError, nearest

RECIPES = ("fp32", "fp16", "bf16", "int8-dynamic", "int8-static", "int4", "file")
AUTO = "auto"
"""stands for the recipes that suit each target's processor; replaced before anything is made"""

_METHODS = {name: {"method": name} for name in ("minmax", "entropy", "percentile")}
_GRAIN = {"tensor": {"per_channel": False}, "channel": {"per_channel": True}}
_RANGE = {"reduce": {"reduce_range": True}}
WORDS: dict[str, dict[str, dict[str, Any]]] = {
    "int8-dynamic": {
        "s8": {"weights": "int8"}, "u8": {"weights": "uint8"}, **_GRAIN, **_RANGE,
    },
    "int8-static": {
        **_METHODS, **_GRAIN, **_RANGE,
        "u8s8": {"activations": "uint8", "weights": "int8"},
        "s8s8": {"activations": "int8", "weights": "int8"},
        "u8u8": {"activations": "uint8", "weights": "uint8"},
        "linear": {"operators": "linear"}, "all": {"operators": "all"},
    },
    "int4": {name: {"algorithm": name} for name in ("rtn", "hqq", "gptq")},
}  # fmt: skip
"""recipe -> word after its colon -> settings, e.g. 'int8-static:percentile-s8s8'"""
SETTINGS = {
    "fp16": ("keep_float",),
    "bf16": ("keep_float",),
    "int8-dynamic": ("weights", "per_channel", "reduce_range", "keep_float"),
    "int8-static": (
        "weights", "activations", "per_channel", "reduce_range", "method", "operators",
        "keep_float",
    ),
    "int4": ("algorithm", "block_size", "keep_float"),
    "file": ("file",),
}  # fmt: skip
"""recipe -> the keys that mean something to it"""
TOO_NOISY_DB = 10.0
"""SQNR of outputs too far off to use: noise of a tenth of their power, a third of their size"""
LEAST_DB = {"fp16": 45.0, "bf16": 30.0, "int8-dynamic": 18.0, "int8-static": 18.0, "int4": 8.0}
"""recipe -> SQNR of outputs below which its bits do not explain the noise.

Rounding to b bits leaves 6.02 b + 4.8 dB less the peak over the root mean square of what shares a
scale: 71 and 53 dB for the 11 and 8 bits of a 16-bit float's fraction, 41 dB for 8 bits with a
peak of 4, 19 dB for 4 bits in blocks (Bennett 1948). The rest, 23 dB and for 4 bits 11, is for
depth: n layers of equal noise lose 10 log n."""
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
        if recipe not in WORDS:
            raise DecodeError("", "one of " + ", ".join(WORDS) + " before ':'", text,
                              nearest(recipe, WORDS))  # fmt: skip
        known = WORDS[recipe]
        chosen: dict[str, Any] = {}
        for word in rest.split("-"):
            if recipe == "int4" and re.fullmatch("[0-9]{1,9}", word):
                settings: dict[str, Any] = {"block_size": int(word)}
            elif word in known:
                settings = known[word]
            else:
                numbers = " or a block size" if recipe == "int4" else ""
                words = f"{', '.join(known)}{numbers} after '{recipe}:'"
                raise DecodeError("", words, text, nearest(word, known))
            if twice := chosen.keys() & settings.keys():
                raise DecodeError("", f"one word that sets {sorted(twice)[0]}", text)
            chosen.update(settings)
        return cls(name=text.replace(":", "-"), recipe=recipe, **chosen)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DecodeError("name", "letters, digits, '.', '_' and '-' (64 at most)", self.name)
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
        for key in ("file", "keep_float", "per_channel", "weights", "activations",
                    "reduce_range", "method", "operators", "algorithm", "block_size"):  # fmt: skip
            default = type(self).__dataclass_fields__[key].default
            if getattr(self, key) != default and key not in SETTINGS.get(recipe, ()):
                users = ", ".join(name for name, keys in SETTINGS.items() if key in keys)
                raise DecodeError(key, f"a setting of {recipe} ({key} belongs to {users})",
                                  getattr(self, key))  # fmt: skip

    @property
    def needs_rows(self) -> bool:
        """Whether calibration rows are needed to make it."""
        return self.recipe == "int8-static" or (self.recipe == "int4" and self.algorithm == "gptq")
