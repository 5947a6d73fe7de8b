"""A study made from one model file and a few options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from profiler.errors import InputError
from profiler.schema.codec import DecodeError, decode
from profiler.schema.study import Study


def parse_shapes(texts: Sequence[str]) -> dict[str, int]:
    """['sequence=128'] -> {'sequence': 128}. Raises InputError."""
    shapes = {}
    for text in texts:
        name, equals, size = text.partition("=")
        if not equals or not size.isdigit() or int(size) < 1:
            raise InputError(
                f"--shape: expected NAME=SIZE with a size of 1 or more, got {text!r}",
                hint="e.g. --shape sequence=128",
            )
        shapes[name] = int(size)
    return shapes


def split_list(text: Optional[str]) -> list[str]:
    """'a, b' -> ['a', 'b']."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def counts(option: str, text: Optional[str]) -> list[int]:
    """'1,2' -> [1, 2]. Raises InputError."""
    found = split_list(text)
    for part in found:
        if not part.isdigit() or int(part) < 1:
            raise InputError(
                f"{option}: expected numbers of 1 or more, got {text!r}", hint=f"e.g. {option} 1,2"
            )
    return [int(part) for part in found]


def study_of(
    model: Path,
    *,
    shapes: Sequence[str] = (),
    variants: Optional[str] = None,
    targets: Sequence[str] = (),
    threads: Optional[str] = None,
    batch: Optional[str] = None,
    data: Optional[Path] = None,
    labels: Optional[str] = None,
    measure: Optional[dict[str, str]] = None,
) -> Study:
    """The study that `profiler run MODEL.onnx` stands for. Raises InputError."""
    plain: dict[str, Any] = {
        "name": "".join(c if c.isalnum() or c in "._-" else "-" for c in model.stem) or "model",
        "models": [{"name": "model", "onnx": str(model.resolve()), "shapes": parse_shapes(shapes)}],
        "variants": split_list(variants) or ["fp32"],
        "targets": list(targets) or ["local-cpu"],
        "threads": counts("--threads", threads),
        "measure": {"budget": "15s", **(measure or {})},
    }
    plain["models"][0]["name"] = plain["name"]
    if batch:
        plain["scenarios"] = [{"kind": "offline", "batch": counts("--batch", batch)}]
    if data is not None:
        plain["data"] = {"file": str(data.resolve()), "labels": labels}
    elif labels is not None:
        raise InputError("--labels needs --data", hint="add --data FILE.npz")
    try:
        study = decode(Study, plain)
    except DecodeError as error:
        option = error.path.split(".")[-1].split("[")[0]
        raise InputError(
            f"--{option}: expected {error.expected}, got {error.got!r}", hint=error.hint
        ) from None
    object.__setattr__(study, "folder", Path.cwd())
    return study
