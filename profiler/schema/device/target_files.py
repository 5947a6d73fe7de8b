"""Target files: where they lie, and reading them; what identifies a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from profiler.errors import StudyError
from profiler.schema.device.target import Target
from profiler.schema.toml import decode_file, read_toml
from profiler.wire.codec import nearest, show


def read_target(path: Path) -> Target:
    """Read and check a target file."""
    data = read_toml(path, "target file")
    data.setdefault("name", path.stem)
    target = decode_file(Target, data, path)
    if target.transport == "ssh" and target.ssh is None:
        raise StudyError(
            f"{path}: ssh: expected a table (required), got nothing",
            hint='add [ssh] with host = "..." to the file',
        )
    if target.wheels is not None:
        folder = path.resolve().parent / Path(target.wheels).expanduser()
        if not folder.is_dir():
            raise StudyError(
                f"{path}: wheels: there is no folder {folder}",
                hint="give the folder that holds the wheels, from where this file lies",
            )
        return replace(target, wheels=str(folder))
    return target


def target_folders(folder: Path) -> list[Path]:
    """Where target files are looked for, first match wins: the user's, then the shipped ones."""
    package = Path(__file__).resolve().parents[2]
    shipped = package / "_targets"
    return [
        folder / "targets",
        Path.cwd() / "targets",
        shipped if shipped.is_dir() else package.parent / "targets",
    ]


def known_targets(folder: Path) -> dict[str, Path]:
    """Target name -> file, for all that can be named in a study lying in `folder`."""
    found: dict[str, Path] = {}
    for place in target_folders(folder):
        for path in sorted(place.glob("*.toml")):
            found.setdefault(path.stem, path)
    return found


def find_target(name: str, folder: Path) -> Target:
    """The target called `name`. Raises StudyError with the names there are."""
    known = known_targets(folder)
    if name not in known:
        hint = nearest(name, known) or f"known targets: {', '.join(known) or 'none'}"
        raise StudyError(f"targets: there is no target called {show(name)}", hint=hint)
    target = read_target(known[name])
    if target.name != name:
        raise StudyError(
            f"{known[name]}: name: expected {show(name)} (the file's name), got {show(target.name)}"
        )
    return target
