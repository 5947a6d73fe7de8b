"""A study made from model files and a few options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Optional

from profiler.errors import InputError
from profiler.schema.study.study import Study
from profiler.units import parse_count
from profiler.wire.codec import DecodeError, decode, show
from profiler.wire.scenarios import OFFLINE

_AXIS = re.compile(r"-?[0-9]{1,9}")
_OPTIONS = {"shapes": "shape", "batch": "batch-axis"}
"""key of a model in a study -> option that gives it"""
NAME_LENGTH = 60
"""of a model named after its file: 64 are allowed, and equal names get a number"""


def parse_shapes(texts: Sequence[str]) -> dict[str, list[int]]:
    """['sequence=64,128'] -> {'sequence': [64, 128]}. Raises InputError."""
    shapes = {}
    for text in texts:
        name, _, sizes = text.partition("=")
        try:
            shapes[name] = [parse_count(size) for size in split_list(sizes)]
        except ValueError:
            shapes[name] = []
        if not shapes[name]:
            raise InputError(
                f"--shape: expected NAME=SIZE with sizes of 1 or more, got {text[:80]!r}",
                hint="e.g. --shape sequence=128, or --shape sequence=64,128,256",
            )
    return shapes


def parse_axes(texts: Sequence[str]) -> dict[str, int]:
    """['x=1'] -> {'x': 1}; an input's name may hold a '='. Raises InputError."""
    axes = {}
    for text in texts:
        name, _, axis = text.rpartition("=")
        if not name or not _AXIS.fullmatch(axis):
            raise InputError(
                f"--batch-axis: expected INPUT=AXIS with the number of an axis, got {text[:80]!r}",
                hint="e.g. --batch-axis x=1; axes count from 0, and -1 is the last",
            )
        axes[name] = int(axis)
    return axes


def split_list(text: Optional[str]) -> list[str]:
    """'a, b' -> ['a', 'b']."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def counts(option: str, text: Optional[str]) -> list[int]:
    """'1,2' -> [1, 2]. Raises InputError."""
    try:
        return [parse_count(part) for part in split_list(text)]
    except ValueError:
        raise InputError(
            f"{option}: expected numbers of 1 or more, got {(text or '')[:80]!r}",
            hint=f"e.g. {option} 1,2",
        ) from None


def names_of(models: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, with its folder's where two are alike, else a number."""
    stems = [model.stem for model in models]
    longer = [f"{model.resolve().parent.name}-{model.stem}" for model in models]
    if len(set(stems)) < len(stems) == len(set(longer)):
        stems = longer
    names: list[str] = []
    for stem in stems:
        plain = _plain(stem)
        same = sum(name == plain or name.startswith(f"{plain}.") for name in names)
        names.append(f"{plain}.{same + 1}" if same else plain)
    return names


def _plain(stem: str) -> str:
    """A stem as a study can name a model: 'Größe 1' -> 'Grosse-1', '_x' -> 'x'."""
    letters = unicodedata.normalize("NFKD", stem.replace("ß", "ss"))
    kept = "".join(c for c in letters if not unicodedata.combining(c))
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in kept)
    return plain.lstrip("._-")[:NAME_LENGTH].rstrip("-") or "model"


def study_of(
    models: Sequence[Path],
    *,
    shapes: Sequence[str] = (),
    variants: Optional[str] = None,
    targets: Sequence[str] = (),
    threads: Optional[str] = None,
    batch: Optional[str] = None,
    batch_axes: Sequence[str] = (),
    data: Optional[Path] = None,
    labels: Optional[str] = None,
    judge: Optional[str] = None,
    measure: Optional[dict[str, str]] = None,
) -> Study:
    """The study that `profiler run MODEL.onnx` and `profiler compare A.onnx B.onnx` stand for.

    Raises InputError.
    """
    names, sizes, axes = names_of(models), parse_shapes(shapes), parse_axes(batch_axes)
    fixed = {name: found[0] for name, found in sizes.items() if len(found) == 1}
    swept = {name: found for name, found in sizes.items() if len(found) > 1}
    plain: dict[str, Any] = {
        "name": "-".join(names)[:60],
        "models": [
            {"name": name, "onnx": str(model.resolve()), "shapes": fixed, "batch": axes}
            for name, model in zip(names, models, strict=True)
        ],
        "variants": split_list(variants) or ["fp32"],
        "targets": list(targets) or ["local-cpu"],
        "threads": counts("--threads", threads),
        "measure": {"budget": f"{15 * len(models)}s", **(measure or {})},
    }
    if swept:
        combinations = product(*swept.values())
        plain["sweep"] = {"shapes": [dict(zip(swept, c, strict=True)) for c in combinations]}
    if batch:
        plain["scenarios"] = [{"kind": OFFLINE, "batch": counts("--batch", batch)}]
    if data is not None:
        plain["data"] = {
            "file": str(data.resolve()), "labels": labels, "calibration_rows": "auto",
            "output": judge,
        }  # fmt: skip
    elif labels is not None or judge is not None:
        option = "--labels" if labels is not None else "--judge"
        raise InputError(f"{option} needs --data", hint="add --data FILE.npz")
    try:
        study = decode(Study, plain)
    except DecodeError as error:
        where = error.path.split(".")
        of_model = len(where) > 2 and where[0].startswith("models[")
        option = _OPTIONS[where[1]] if of_model else where[-1].split("[")[0]
        raise InputError(
            f"--{option}: expected {error.expected}, got {show(error.got)}", hint=error.hint
        ) from None
    object.__setattr__(study, "folder", Path.cwd())
    return study
