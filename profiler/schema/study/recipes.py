"""Every recipe by which a variant is made: a new one is an entry and a module in variants/recipes.

Least SQNR: rounding to b bits leaves 6.02 b + 4.8 dB less the peak over the root mean square of
what shares a scale: 71 and 53 dB for the 11 and 8 bits of a 16-bit float's fraction, 41 dB for 8
bits with a peak of 4, 19 dB for 4 bits in blocks (Bennett 1948). The rest, 23 dB and for 4 bits 11,
is for depth: n layers of equal noise lose 10 log n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

TOO_NOISY_DB = 10.0
"""SQNR of outputs too far off to use: noise of a tenth of their power, a third of their size"""
_ROOM = "profiler.variants.recipes"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeEntry:
    """What is known of a recipe before its module is loaded."""

    module: Optional[str] = None
    """a `variants.recipe.Recipe`, loaded on first use; None: the model as it came"""
    settings: tuple[str, ...] = ()
    """keys of a variant's table that mean something to it"""
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """word after its colon -> settings, e.g. 'int8-static:percentile-s8s8'"""
    number: Optional[str] = None
    """the setting that a number after the colon means"""
    rows: bool = False
    """whether it needs calibration rows"""
    rows_with: Mapping[str, str] = field(default_factory=dict)
    """settings with which it needs them"""
    least_db: Optional[float] = None
    """SQNR of outputs, below which its bits do not explain the noise"""
    quieter: str = ""
    """what to do against its noise"""


_METHODS = {name: {"method": name} for name in ("minmax", "entropy", "percentile")}
_GRAIN = {"tensor": {"per_channel": False}, "channel": {"per_channel": True}}
_RANGE = {"reduce": {"reduce_range": True}, "strict": {"strict": True}}
EXACT = "session.x64quantprecision"
"""session option: "1" makes x86 without VNNI multiply 8-bit numbers exactly, at a price in latency;
elsewhere it changes nothing"""
RECIPES: dict[str, RecipeEntry] = {
    "fp32": RecipeEntry(),
    "fp16": RecipeEntry(
        module=f"{_ROOM}.half",
        settings=("keep_float",),
        least_db=45.0,
        quieter="numbers beyond 65504 or below 6e-8 may be inside: keep nodes float (keep_float)",
    ),
    "bf16": RecipeEntry(
        module=f"{_ROOM}.half",
        settings=("keep_float",),
        least_db=30.0,
        quieter="use fp16, or keep nodes float (keep_float)",
    ),
    "int8-dynamic": RecipeEntry(
        module=f"{_ROOM}.int8_dynamic",
        settings=("weights", "per_channel", "reduce_range", "strict", "keep_float"),
        words={"s8": {"weights": "int8"}, "u8": {"weights": "uint8"}, **_GRAIN, **_RANGE},
        least_db=18.0,
        quieter="keep nodes float (keep_float), or use fp16",
    ),
    "int8-static": RecipeEntry(
        module=f"{_ROOM}.int8_static",
        settings=(
            "weights", "activations", "per_channel", "reduce_range", "strict", "method",
            "operators", "keep_float",
        ),
        words={
            **_METHODS, **_GRAIN, **_RANGE,
            "u8s8": {"activations": "uint8", "weights": "int8"},
            "s8s8": {"activations": "int8", "weights": "int8"},
            "u8u8": {"activations": "uint8", "weights": "uint8"},
            "linear": {"operators": "linear"}, "all": {"operators": "all"},
        },
        rows=True,
        least_db=18.0,
        quieter="try int8-dynamic, more calibration rows, or keep_float",
    ),
    "int4": RecipeEntry(
        module=f"{_ROOM}.int4",
        settings=("algorithm", "block_size", "keep_float"),
        words={name: {"algorithm": name} for name in ("rtn", "hqq", "gptq")},
        number="block_size",
        rows_with={"algorithm": "gptq"},
        least_db=8.0,
        quieter="try smaller blocks (int4:rtn-16), int4:gptq, or keep_float",
    ),
    "file": RecipeEntry(module=f"{_ROOM}.ready", settings=("file", "strict")),
}  # fmt: skip
"""recipe -> what is known of it"""


def least_db(recipe: str) -> float:
    """The SQNR of outputs that a variant of this recipe should reach; of an unknown one, too."""
    least = RECIPES[recipe].least_db if recipe in RECIPES else None
    return TOO_NOISY_DB if least is None else least
