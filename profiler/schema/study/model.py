"""A model of a study: where it comes from, and its shapes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from profiler.schema.device.target import check_name
from profiler.schema.limits import DIMENSION, check, numbers
from profiler.schema.study.data import CALLABLE, unique
from profiler.schema.study.variant import VariantSpec
from profiler.wire.codec import DecodeError

_AXIS = numbers(-64, 63, "an axis")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One model: an ONNX file, or a Python callable that returns a torch.nn.Module."""

    name: str
    onnx: Optional[str] = None
    """path of the file, relative to the study file"""
    torch: Optional[str] = None
    """'module:callable', found beside the study file or installed. This imports and runs it."""
    hf: Optional[str] = None
    """a transformers config.json (random weights, drawn with the seed) or a folder with weights"""
    head: Optional[str] = None
    """hf: the task, e.g. 'sequence-classification'; default: what the config's architecture says"""
    sklearn: Optional[str] = None
    """'module:callable' that returns a fitted pipeline. This imports and runs it."""
    shapes: dict[str, int] = field(default_factory=dict, metadata=DIMENSION)
    """values of the model's symbolic dimensions other than the batch, e.g. {sequence = 128}"""
    batch: dict[str, int] = field(default_factory=dict, metadata=_AXIS)
    """input -> its axis of samples, e.g. {x = 1} (-1 is the last); default: found by the sizes"""
    variants: tuple[VariantSpec, ...] = ()
    """default: the study's variants"""

    def __post_init__(self) -> None:
        check_name(self.name)
        check(self)
        given = {key: getattr(self, key) for key in ("onnx", "torch", "hf", "sklearn")}
        given = {key: value for key, value in given.items() if value is not None}
        if len(given) != 1:
            raise DecodeError(
                "",
                'exactly one of onnx = "file.onnx", torch = "module:callable", hf = "config.json"'
                ' or sklearn = "module:callable"',
                given or None,
            )
        for key in ("torch", "sklearn"):
            if key in given and not CALLABLE.fullmatch(given[key]):
                raise DecodeError(key, '"module:callable", e.g. "models:resnet"', given[key])
        if self.head is not None and self.hf is None:
            raise DecodeError("head", 'a model with hf = "..."', self.head)
        unique("variants", [v.name for v in self.variants])
