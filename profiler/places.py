"""Where things are kept on the machine that runs profiler."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Blobs, built variants, environments and the demo's weights (XDG base directory rule)."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "profiler"
