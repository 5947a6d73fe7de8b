"""A folder of pictures, one subfolder a class, decoded and prepared as the study says.

The order of steps and their rounding are torchvision's Resize, CenterCrop, ToTensor and Normalize
on Pillow pictures, because that is what most models were trained with.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from profiler.data.mapped import scratch
from profiler.errors import DataError
from profiler.schema.study.data import DataSpec
from profiler.schema.study.images import ImageSpec
from profiler.wire.codec import nearest

Array = np.ndarray[Any, Any]

SUFFIXES = {
    ".bmp": "BMP", ".jpeg": "JPEG", ".jpg": "JPEG", ".pgm": "PPM", ".png": "PNG", ".ppm": "PPM",
    ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
"""Only these decoders are tried: others of Pillow's start programs."""
COLUMNS = ("image", "class", "file")


def is_image_folder(path: Path) -> bool:
    """A folder that holds no .npy file directly."""
    return path.is_dir() and not any(path.glob("*.npy"))


def completed(spec: DataSpec, folder: Path) -> DataSpec:
    """With labels = "class" where the pictures lie in subfolders and the study names no labels."""
    path = folder / spec.file
    if spec.labels is None and is_image_folder(path) and _subfolders(path):
        return dataclasses.replace(spec, labels="class")
    return spec


def load_images(path: Path, spec: DataSpec, wanted: list[str]) -> dict[str, Array]:
    """image [rows, *spec.images.shape], and class (int64) and file (text) where wanted.

    The pictures lie in a temporary file, not in memory. Rows are sorted by class, then file name.
    Raises DataError naming the file.
    """
    if all(entry.name.startswith(".") for entry in path.iterdir()):
        raise DataError(
            f"{path}: data.file: expected pictures in subfolders named by their class, or .npy "
            "files, got an empty folder",
            hint="the path is relative to the study file",
        )
    if spec.images is None:
        raise DataError(
            f"{path}: data.images: expected how to prepare the pictures, got nothing",
            hint="add a table, e.g. [data.images] with size = [224, 224], resize = 256, "
            "mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225]",
        )
    files, numbers = _listed(path, spec.images)
    columns: dict[str, Array] = {"image": _decoded(files, spec.images)}
    if numbers is not None:
        columns["class"] = np.array(numbers, dtype=np.int64)
    if "file" in wanted:
        columns["file"] = np.array([str(file.relative_to(path)) for file in files])
    for column in wanted:
        if column not in columns:
            raise DataError(
                f'{path}: expected a column called "{column}", a folder of pictures gives '
                f"{', '.join(COLUMNS)}",
                hint=nearest(column, COLUMNS) or "class is there when pictures lie in subfolders",
            )
    return columns


def _subfolders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _listed(path: Path, spec: ImageSpec) -> tuple[list[Path], list[int] | None]:
    """Files, and the class number of each; None where there are no subfolders."""
    folders = _subfolders(path)
    if not folders:
        return _pictures(path), None
    if loose := _pictures(path):
        raise DataError(
            f"{path}: expected pictures in subfolders only, got {loose[0].name} beside them",
            hint="move it into the subfolder of its class",
        )
    names = spec.classes or tuple(folder.name for folder in folders)
    files, numbers = [], []
    for folder in folders:
        if folder.name not in names:
            raise DataError(
                f'{path}: data.images.classes: the subfolder "{folder.name}" is not among them',
                hint=nearest(folder.name, names) or "add it where the model has its score",
            )
        found = _pictures(folder)
        if not found:
            raise DataError(
                f"{folder}: expected pictures of this class, got none",
                hint="remove the folder, or name all classes in order: [data.images] classes",
            )
        files += found
        numbers += [names.index(folder.name)] * len(found)
    return files, numbers


def _pictures(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    for file in found:
        if file.suffix.lower() not in SUFFIXES:
            raise DataError(
                f"{file}: expected a picture ({', '.join(SUFFIXES)}), got "
                f'"{file.suffix or file.name}"',
                hint="convert it to .png, or move it out of the folder",
            )
    return found


def _decoded(files: list[Path], spec: ImageSpec) -> Array:
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            "data.images: reading pictures needs Pillow, which is not installed",
            hint="pip install 'hardware-profiler[images]'",
        ) from None
    dtype = np.dtype(np.uint8 if spec.values == "byte" else np.float32)
    made = scratch((len(files), *spec.shape), dtype)
    for row, file in enumerate(files):
        try:
            with Image.open(file, formats=(SUFFIXES[file.suffix.lower()],)) as picture:
                made[row] = prepared(picture, spec, Image)
        except Exception as error:  # Pillow raises whatever a damaged file leads its decoder to
            raise DataError(
                f"{file}: not a readable picture: {error}",
                hint="write or copy the file again, or remove it",
            ) from None
    return made


def prepared(picture: Any, spec: ImageSpec, pillow: Any) -> Array:
    """One picture as an array of spec.shape: uint8 for values = "byte", else float32."""
    picture = picture.convert("RGB" if spec.color == "rgb" else "L")
    method = pillow.Resampling[spec.filter.upper()]
    height, width = spec.size
    if spec.resize is None:
        picture = picture.resize((width, height), method)
    else:
        short, long = sorted(picture.size)
        far = int(spec.resize * long / short)
        if far * spec.resize > (pillow.MAX_IMAGE_PIXELS or far * spec.resize):
            raise ValueError(f"resized to {spec.resize} it would be {far} pixels long")
        wide = picture.width >= picture.height
        picture = picture.resize((far, spec.resize) if wide else (spec.resize, far), method)
        left, top = round((picture.width - width) / 2), round((picture.height - height) / 2)
        picture = picture.crop((left, top, left + width, top + height))
    values: Array = np.asarray(picture, dtype=np.uint8).reshape(height, width, spec.channels)
    if spec.values == "unit":
        values = values.astype(np.float32) / np.float32(255)
        if spec.mean:
            values = values - np.array(spec.mean, np.float32)
        if spec.std:
            values = values / np.array(spec.std, np.float32)
    return values.transpose(2, 0, 1) if spec.layout == "channels_first" else values
