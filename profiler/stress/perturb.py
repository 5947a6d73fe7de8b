"""Perturbations of severity 1 to 5: rows in, rows of the same shape and dtype out.

Every function takes a seeded generator, and the draws don't depend on the severity: the rows of
severity 3 are those of severity 2, only worse, so that a curve over severity is smooth. Strengths
of noise, brightness, contrast and JPEG are those of ImageNet-C (Hendrycks & Dietterich 2019,
"Benchmarking neural network robustness to common corruptions and perturbations"); lengths are
shares of the shorter side, so that they suit every size; the rest is stated at each function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from profiler.errors import InputError
from profiler.schema.study.stress import KINDS

Array = npt.NDArray[Any]
Random = np.random.Generator
CHANNELS = (1, 3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Where an image's axes are in [rows, …], and what its values mean."""

    channels: int | None
    """axis of the channels; None: [rows, height, width]"""
    low: float
    high: float

    @classmethod
    def of(cls, values: Array, limits: tuple[float, ...]) -> Images:
        """Layout and range of `values`. Raises InputError for what is no image."""
        shape = values.shape
        if values.ndim == 3:
            axis = None
        elif values.ndim == 4 and shape[1] in CHANNELS:
            axis = 1
        elif values.ndim == 4 and shape[3] in CHANNELS:
            axis = 3
        else:
            raise InputError(
                f"expected images [rows, channels, height, width], [rows, height, width, channels]"
                f" or [rows, height, width], got {list(shape)}"
            )
        if limits:
            low, high = limits
        elif values.dtype == np.uint8:
            low, high = 0.0, 255.0
        else:
            low, high = float(values.min()), float(values.max())
        return cls(channels=axis, low=low, high=high if high > low else low + 1.0)

    def split(self, values: Array) -> Array:
        """float32 [rows, channels, height, width] with black at 0 and white at 1."""
        axis = values[:, None] if self.channels is None else np.moveaxis(values, self.channels, 1)
        unit = (axis.astype(np.float32) - self.low) / (self.high - self.low)
        return np.asarray(unit, dtype=np.float32)

    def join(self, unit: Array, dtype: Any) -> Array:
        """The inverse, clipped to the range."""
        values = np.clip(unit, 0.0, 1.0) * (self.high - self.low) + self.low
        if np.dtype(dtype).kind in "iu":
            values = np.rint(values)
        axes = values[:, 0] if self.channels is None else np.moveaxis(values, 1, self.channels)
        return np.ascontiguousarray(axes.astype(dtype))


def _gaussian_noise(unit: Array, severity: int, random: Random) -> Array:
    strength = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    return np.asarray(unit + strength * random.standard_normal(unit.shape, dtype=np.float32))


def _blur(unit: Array, severity: int, random: Random) -> Array:
    """Gaussian; 1 to 3 % of the shorter side, between CIFAR-10-C's and ImageNet-C's."""
    from scipy.ndimage import gaussian_filter

    sigma = (0.01, 0.015, 0.02, 0.025, 0.03)[severity - 1] * min(unit.shape[2:])
    return np.asarray(gaussian_filter(unit, (0, 0, sigma, sigma), mode="nearest"))


def _brightness(unit: Array, severity: int, random: Random) -> Array:
    return unit + np.float32(0.1 * severity)


def _contrast(unit: Array, severity: int, random: Random) -> Array:
    factor = np.float32((0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1])
    mean = unit.mean(axis=(2, 3), keepdims=True)
    return np.asarray((unit - mean) * factor + mean)


def _mapped(unit: Array, matrices: Array, moves: Array) -> Array:
    """Each image's pixel p taken from matrix (p - centre) + centre + move; edges go on outside."""
    from scipy.ndimage import affine_transform

    centre = (np.array(unit.shape[2:]) - 1) / 2
    out = np.empty_like(unit)
    for row, (matrix, move) in enumerate(zip(matrices, moves, strict=True)):
        offset = centre - matrix @ centre + move
        for channel, image in enumerate(unit[row]):
            out[row, channel] = affine_transform(image, matrix, offset, order=1, mode="nearest")
    return out


def _signs(random: Random, rows: int) -> Array:
    return random.choice(np.array([-1.0, 1.0]), rows)


def _rotation(unit: Array, severity: int, random: Random) -> Array:
    """By 5, 10, 15, 20 or 30 degrees, to either side."""
    angles = np.deg2rad((5, 10, 15, 20, 30)[severity - 1]) * _signs(random, len(unit))
    cos, sin = np.cos(angles), np.sin(angles)
    matrices = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return _mapped(unit, matrices, np.zeros((len(unit), 2)))


def _scale(unit: Array, severity: int, random: Random) -> Array:
    """Smaller or larger by a factor of 1.1, 1.2, 1.35, 1.5 or 1.8 around the centre."""
    factors = (1.1, 1.2, 1.35, 1.5, 1.8)[severity - 1] ** _signs(random, len(unit))
    return _mapped(unit, factors[:, None, None] * np.eye(2), np.zeros((len(unit), 2)))


def _translation(unit: Array, severity: int, random: Random) -> Array:
    """By 4, 8, 12, 16 or 20 % of the shorter side, in any direction."""
    angles = random.uniform(0, 2 * np.pi, len(unit))
    length = 0.04 * severity * min(unit.shape[2:])
    moves = length * np.stack([np.sin(angles), np.cos(angles)], -1)
    return _mapped(unit, np.broadcast_to(np.eye(2), (len(unit), 2, 2)), moves)


def _occlusion(unit: Array, severity: int, random: Random) -> Array:
    """A mid-grey square over 5, 10, 15, 20 or 30 % of the area, anywhere inside."""
    height, width = unit.shape[2:]
    share = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    side = max(1, min(height, width, round((share * height * width) ** 0.5)))
    places = random.uniform(size=(len(unit), 2))
    out = unit.copy()
    for row, place in enumerate(places):
        top, left = (
            int(p * (size - side + 1)) for p, size in zip(place, (height, width), strict=True)
        )
        out[row, :, top : top + side, left : left + side] = 0.5
    return out


def _jpeg(unit: Array, severity: int, random: Random) -> Array:
    import io

    from PIL import Image

    quality = (25, 18, 15, 10, 7)[severity - 1]
    out = np.empty_like(unit)
    pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    for row, image in enumerate(pixels):
        colour = len(image) == 3
        parts = [np.moveaxis(image, 0, 2)] if colour else list(image)
        read = []
        for part in parts:
            buffer = io.BytesIO()
            Image.fromarray(part).save(buffer, "jpeg", quality=quality)
            read.append(np.asarray(Image.open(buffer), dtype=np.float32) / 255)
        out[row] = np.moveaxis(read[0], 2, 0) if colour else np.stack(read)
    return out


def _missing(values: Array, severity: int, random: Random) -> Array:
    """5, 10, 20, 30 or 50 % of the values give way to their column's median.

    A model takes no NaN in general; a pipeline that feeds one fills the gap with what is usual.
    """
    gone = random.uniform(size=values.shape) < (0.05, 0.1, 0.2, 0.3, 0.5)[severity - 1]
    return np.where(gone, np.median(values, axis=0), values)


def _scaled(values: Array, severity: int, random: Random) -> Array:
    """Each value times or divided by 1.1, 1.25, 1.5, 2 or 3: a wrong gain or unit."""
    factor = (1.1, 1.25, 1.5, 2.0, 3.0)[severity - 1]
    return np.asarray(values * factor ** random.choice(np.array([-1.0, 1.0]), values.shape))


def _shifted(values: Array, severity: int, random: Random) -> Array:
    """Each value moved by 0.1, 0.25, 0.5, 1 or 2 of its column's standard deviations."""
    share = (0.1, 0.25, 0.5, 1.0, 2.0)[severity - 1]
    signs = random.choice(np.array([-1.0, 1.0]), values.shape)
    return np.asarray(values + share * signs * values.std(axis=0))


Perturbation = Callable[[Array, int, Random], Array]
PERTURBATIONS: dict[str, Perturbation] = {
    "gaussian_noise": _gaussian_noise, "blur": _blur, "brightness": _brightness,
    "contrast": _contrast, "rotation": _rotation, "scale": _scale,
    "translation": _translation, "occlusion": _occlusion, "jpeg": _jpeg,
    "missing": _missing, "scaled": _scaled, "shifted": _shifted,
}  # fmt: skip


def generator(seed: int, name: str, tensor: str) -> Random:
    """The draws of one perturbation of one input, the same for every severity and model."""
    digest = hashlib.sha256(f"{seed}/{name}/{tensor}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def perturb(
    values: Array, name: str, severity: int, *, seed: int, tensor: str, limits: tuple[float, ...]
) -> Array:
    """`values` [rows, …] under one perturbation, in their own dtype.

    `limits` are black and white of images, empty for what `Images.of` finds. Raises InputError.
    """
    random, change = generator(seed, name, tensor), PERTURBATIONS[name]
    if name in KINDS["images"]:
        images = Images.of(values, limits)
        return images.join(change(images.split(values), severity, random), values.dtype)
    changed = change(values.astype(np.float64), severity, random)
    top = np.finfo(values.dtype).max
    return np.clip(changed, -top, top).astype(values.dtype)


def chosen_inputs(
    given: dict[str, Array], name: str, wanted: tuple[str, ...], model: str
) -> tuple[str, ...]:
    """The model inputs that a perturbation changes. Raises InputError when there are none."""
    image = name in KINDS["images"]

    def fits(values: Array) -> bool:
        if not image:
            return values.ndim == 2 and values.dtype.kind == "f"
        if values.dtype != np.uint8 and values.dtype.kind != "f":
            return False
        return values.ndim == 3 or (
            values.ndim == 4 and (values.shape[1] in CHANNELS or values.shape[3] in CHANNELS)
        )

    found = tuple(n for n, v in given.items() if fits(v) and (not wanted or n in wanted))
    if found:
        return found
    what = "images (uint8 or floats, three or four axes)" if image else "floats [rows, columns]"
    there = ", ".join(f"{n} {v.dtype} {['rows', *v.shape[1:]]}".replace("'", "")
                      for n, v in given.items())  # fmt: skip
    raise InputError(
        f"stress.perturbations: {name} needs an input with {what}; {model} has {there}",
        hint="take it out of the list"
        + (f", or out of inputs = {list(wanted)}" if wanted else "")
        + ("" if image else "; token and class numbers are not measured values"),
    )
