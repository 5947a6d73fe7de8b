"""The worker as one archive whose bytes depend on nothing but its source.

Names are sorted and dates fixed: plain `zipapp` stores modification times, so that equal content
would hash differently on every machine.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_MAIN = b"import sys\nfrom profiler.worker.service.roles import main\nmain(sys.argv[1:])\n"
_ROOMS = ("wire", "worker")


def sources() -> dict[str, Path]:
    """Archive name -> file, sorted: everything that travels to a device."""
    files = {"profiler/errors.py": _PACKAGE / "errors.py"}
    for room in _ROOMS:
        for path in (_PACKAGE / room).rglob("*.py"):
            files[f"profiler/{path.relative_to(_PACKAGE).as_posix()}"] = path
    return dict(sorted(files.items()))


@cache
def build() -> tuple[bytes, str]:
    """The archive's bytes and their SHA-256."""
    content = {"__main__.py": _MAIN, "profiler/__init__.py": b""}
    content.update({name: path.read_bytes() for name, path in sources().items()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(content):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o600 << 16
            info.create_system = 3
            archive.writestr(info, content[name])
    data = buffer.getvalue()
    return data, hashlib.sha256(data).hexdigest()
