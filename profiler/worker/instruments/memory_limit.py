"""Does it fit in so much memory? A control group where we may make one, else RLIMIT_DATA.

A control group (v2 or v1) counts what is resident and lets the kernel kill the process that goes
beyond, as a small device would. Without the right to make one, the process's own private mappings
are limited instead, which also counts memory that was reserved and never touched.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Optional

_PLACES = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", None),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
)


def can_limit() -> bool:
    """Whether this system limits the memory of a single process; macOS does not."""
    return hasattr(resource, "prlimit")


class Limit:
    """A limit for one process; `close` removes what was made for it."""

    def __init__(self, limit_bytes: int, name: str) -> None:
        self.limit_bytes = limit_bytes
        self._group: Optional[Path] = None
        for root, key, swap in _PLACES:
            group = root / name
            try:
                if not (root / "cgroup.procs").exists() and not (root / "tasks").exists():
                    continue
                _remove_orphans(root)
                group.mkdir()
                (group / key).write_text(str(limit_bytes))
                if swap is not None and (group / swap).exists():
                    (group / swap).write_text("0")
            except OSError:
                _remove(group)
                continue
            self._group = group
            return

    @property
    def kind(self) -> str:
        """'control group' or 'RLIMIT_DATA'."""
        return "control group" if self._group is not None else "RLIMIT_DATA"

    def apply(self, pid: int) -> None:
        """Put a process that was just started under the limit. Raises OSError where none can be."""
        if self._group is not None:
            try:
                (self._group / "cgroup.procs").write_text(str(pid))
            except OSError:
                self.close()
                self._group = None
            else:
                return
        if not hasattr(resource, "prlimit"):
            raise OSError("this system limits no process's memory")
        resource.prlimit(pid, resource.RLIMIT_DATA, (self.limit_bytes, self.limit_bytes))

    def close(self) -> None:
        """Remove the group; its process must have ended."""
        if self._group is not None:
            _remove(self._group)


def _remove_orphans(root: Path) -> None:
    """Groups of workers that were killed before they could clean up; `name` holds their pid."""
    for group in root.glob("profiler-*-*"):
        pid = group.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _remove(group)


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return
