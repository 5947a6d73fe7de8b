"""Files named by the SHA-256 of their content, written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiler.errors import ModelError, ResultsError
from profiler.sources.quiet import shortened
from profiler.wire.hashes import sha_of
from profiler.wire.whole import making

_CHUNK_BYTES = 1 << 20


def keep(source: Path, folder: Path, suffix: str = ".onnx") -> Path:
    """Copy `source` to folder/<sha><suffix>; a file already there is left alone.

    Raises ResultsError when the folder can't be written.
    """
    kept = folder / f"{sha_of(source)}{suffix}"
    if kept.is_file() and kept.stat().st_size == source.stat().st_size:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with making(kept) as part:
            with part.open("wb") as target, source.open("rb") as file:
                shutil.copyfileobj(file, target, _CHUNK_BYTES)
                target.flush()
                os.fsync(target.fileno())
            part.chmod(0o644)  # whatever the umask: it is no secret and others may stage it
            part.replace(kept)
    except OSError as error:
        raise ResultsError(
            f"{folder}: can't write an artifact ({error.strerror})",
            hint="check the folder's permissions and free space, or name another with --out",
        ) from None
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A model file in a folder, with the external weights beside it."""

    path: Path
    data: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        files = (self.path, *(self.path.with_name(sha) for sha in self.data))
        return sum(file.stat().st_size for file in files)


def keep_model(source: Path, folder: Path) -> Kept:
    """Copy an ONNX file and its external weights into `folder`, each named by its content.

    The references inside the model are rewritten to those names, so that the files find each other
    wherever they lie together, on a device too, and the model's own hash covers its weights.
    Sizes of 0 or -1 are opened, as `open_sizes` does.
    Raises ModelError for a weights file that is missing or lies outside of the model's folder.
    """
    from profiler.sources.inspect import external_tensors, load, open_sizes

    model = load(source)
    tensors = external_tensors(model)
    if not open_sizes(model) and not tensors:
        return Kept(path=keep(source, folder))
    names: dict[str, str] = {}
    for tensor in tensors:
        for entry in tensor.external_data:
            if entry.key == "location":
                if entry.value not in names:
                    names[entry.value] = keep(_beside(source, entry.value), folder, "").name
                entry.value = names[entry.value]
    with tempfile.TemporaryDirectory(prefix="profiler-model-") as scratch:
        rewritten = Path(scratch) / "model.onnx"
        rewritten.write_bytes(model.SerializeToString(deterministic=True))
        kept = keep(rewritten, folder)
    return Kept(path=kept, data=tuple(dict.fromkeys(names.values())))


def check_data(source: Path, model: Any) -> None:
    """Raises ModelError unless every weights file that `model` names lies beside `source`."""
    from profiler.sources.inspect import external_tensors

    for tensor in external_tensors(model):
        for entry in tensor.external_data:
            if entry.key == "location":
                _beside(source, entry.value)


def _beside(source: Path, location: str) -> Path:
    """The weights file a model names. Raises ModelError."""
    home, shown = source.resolve().parent, shortened(repr(location))
    try:
        path = (home / location).resolve()
        there = path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL: no name of a file
        path, there = Path(), False
    if not path.is_relative_to(home):
        raise ModelError(
            f"{source}: expected external weights beside the model, got {shown}",
            hint="save it again with onnx.save_model(model, path, save_as_external_data=True)",
        )
    if not there:
        raise ModelError(
            f"{source}: its weights file {shown} is missing",
            hint=f"copy it to {path.parent.name or '.'}/ beside the model",
        )
    return path
