"""Other Pythons of this worker, and what they may import.

On a device the worker runs with `python -I`: no variable and no file of a home folder reaches it (a
`~/json.py`, PYTHONHOME, usercustomize). What it starts runs so, too. Packages that were brought
along come first; those that the user installed with `pip install --user` come last, as packages
only: nothing of theirs is run unasked. Python 3.8 source, stdlib only: travels to devices.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

BROUGHT = "PROFILER_PACKAGES"
"""the variable that names the folder of packages that came with us"""


def python() -> list[str]:
    """The command that starts a Python like this one."""
    return [sys.executable, *(["-I"] if sys.flags.isolated else []), "-X", "utf8"]


def add_packages() -> None:
    """Let imports find what was brought along, and the user's own packages."""
    brought = os.environ.get(BROUGHT)
    if brought:
        sys.path.insert(1, brought)  # after this program itself
    if sys.flags.isolated and sys.prefix == sys.base_prefix:
        own = site.getusersitepackages()
        if Path(own).is_dir() and own not in sys.path:
            sys.path.append(own)


def private(text: str) -> str:
    """A text that others may read: the user's home folder, which bears a name, is `~`."""
    home = str(Path("~").expanduser())
    return text if home in ("/", "~") else text.replace(home, "~")
