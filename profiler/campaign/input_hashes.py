"""What the files that a study names hold: a changed file is a changed study."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from profiler.schema.study.study import Study
from profiler.wire.hashes import sha_of


def input_hashes(study: Study) -> dict[str, str]:
    """Name of each file that a study names, as the study does -> SHA-256 of its content.

    Files that can't be read are left out here; reading them for use gives the clear message.
    """
    data = (study.data.file, study.data.train) if study.data is not None else ()
    names = [*(m.onnx or m.hf for m in study.models), *data]
    if study.data is not None and study.data.metric is not None:
        names.append(study.data.metric.partition(":")[0].removesuffix(".py") + ".py")
    if study.data is not None and study.data.text is not None:
        from profiler.data.text import files

        found = files(study.data.text, study.folder)
        names += [os.path.relpath(file, study.folder) for file in found]
    if study.stress is not None:
        names.append(study.stress.synonyms)
    names += [v.file for v in study.variants] + [v.file for m in study.models for v in m.variants]
    hashes: dict[str, str] = {}
    for name in filter(None, names):
        path = study.folder / name
        with contextlib.suppress(OSError):
            if name in data and path.is_dir():
                hashes[name] = _folder_sha(path)
                continue
            for file in _files(path):
                if file.is_file():
                    shown = name if file == path else f"{name}: {file.name}"
                    hashes[shown] = sha_of(file)
    return hashes


def _folder_sha(folder: Path) -> str:
    """One hash over the names and contents of all files below a folder of data."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{sha_of(file)}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """A file with the external weights it names; the files directly in a folder."""
    if path.is_dir():
        return sorted(path.iterdir())
    if path.suffix == ".onnx":
        from profiler.sources.inspect import data_files

        return [path, *data_files(path)]
    return [path]
