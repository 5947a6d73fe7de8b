"""How pictures become arrays: declared once in the study, applied to every variant alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from profiler.schema.limits import check, numbers
from profiler.wire.codec import DecodeError

_PIXELS = numbers(1, 16_384)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSpec:
    """Decode, resize, crop, scale, normalise, in this order."""

    size: tuple[int, ...] = field(metadata=_PIXELS)
    """[height, width] the model takes"""
    resize: Optional[int] = field(default=None, metadata=_PIXELS)
    """shorter side in pixels before the middle of `size` is cut out; default: the whole picture is
    stretched to `size`"""
    filter: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    color: Literal["rgb", "gray"] = "rgb"
    values: Literal["unit", "byte"] = "unit"
    """float32 from 0 to 1, then (value - mean) / std; or the bytes from 0 to 255 as they are"""
    mean: tuple[float, ...] = field(default=(), metadata=numbers(-1000, 1000))
    """one number a channel, in units of 0 to 1"""
    std: tuple[float, ...] = field(
        default=(), metadata=numbers(0.000001, 1000, "a number above 0,")
    )
    layout: Literal["channels_first", "channels_last"] = "channels_first"
    classes: tuple[str, ...] = ()
    """subfolders in the order of the model's scores; default: sorted by name"""

    def __post_init__(self) -> None:
        check(self)
        if len(self.size) != 2:
            raise DecodeError("size", "[height, width] in pixels", list(self.size))
        if self.resize is not None and self.resize < max(self.size):
            raise DecodeError(
                "resize", f"at least {max(self.size)}, the longer side of size", self.resize
            )
        for key in ("mean", "std"):
            given = getattr(self, key)
            if given and len(given) != self.channels:
                raise DecodeError(key, f"{self.channels} numbers, one a channel", list(given))
        if self.values == "byte" and (self.mean or self.std):
            raise DecodeError("mean", 'no mean and std beside values = "byte"', list(self.mean))
        if len(set(self.classes)) != len(self.classes):
            raise DecodeError("classes", "names that occur once", list(self.classes))

    @property
    def channels(self) -> int:
        """3, or 1 for gray."""
        return 3 if self.color == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one picture, as the model gets it."""
        height, width = self.size
        if self.layout == "channels_first":
            return (self.channels, height, width)
        return (height, width, self.channels)
