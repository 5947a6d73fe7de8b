"""How much memory the control group of this process may take, in version 1 and version 2.

A container, a service or a batch system sets it; /proc/meminfo shows the whole machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

_UNLIMITED = 2**60
"""Version 1 says 'no limit' by a number of this size."""
_ROOT = Path("/")


class Memory(NamedTuple):
    """Bytes. What is used can't be given back by the kernel, unlike cached files."""

    limit_bytes: int
    used_bytes: int


def memory(root: Path = _ROOT) -> Optional[Memory]:
    """The tightest limit on the way up from our group; None where there is none."""
    found: list[Memory] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            found += _up(root / "sys/fs/cgroup", path, ("memory.max", "memory.current"), "")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            found += _up(root / "sys/fs/cgroup/memory", path, names, "total_")
    return min(found, default=None)


def _up(top: Path, path: str, names: tuple[str, str], prefix: str) -> list[Memory]:
    """Limits of a group and those above it. In a container the path may lead out of what is
    mounted there, whose top is then ours."""
    limit, usage = names
    found, folder = [], top / path.lstrip("/")
    while folder == top or top in folder.parents:
        limit_bytes = _number(_text(folder / limit))
        if limit_bytes is not None and limit_bytes < _UNLIMITED:
            cached = dict(
                line.split()[:2] for line in _text(folder / "memory.stat").splitlines() if line
            ).get(f"{prefix}inactive_file", "0")
            used = (_number(_text(folder / usage)) or 0) - (_number(cached) or 0)
            found.append(Memory(limit_bytes, max(0, used)))
        folder = folder.parent
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> Optional[int]:
    return int(text) if text.strip().isdigit() else None
