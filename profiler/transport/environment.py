"""A target's own environment: made once, then found by the hash of what is in it.

`onnxruntime` and `onnxruntime-gpu` overwrite each other, so targets can't share one. An environment
is built beside its place and renamed into it when it is whole; a half-built one is never used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from profiler.errors import EnvironmentMissing
from profiler.schema.device.runtime import is_base, project
from profiler.schema.device.target import Target
from profiler.transport.children import Children
from profiler.wire.providers import known

Note = Callable[[str], None]
_NVIDIA_SIGNS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/dxg")
"""Device nodes of NVIDIA's driver: data centre and desktop, Jetson (two kinds), WSL."""
NO_DRIVER = "this machine has no NVIDIA driver (no /dev/nvidia0)"
_VERSION = "import platform,sys; print(platform.python_version(), sys.implementation.cache_tag)"
_INSTALLED = """
from importlib.metadata import distributions
print("\\n".join(sorted(d.metadata["Name"] + "==" + d.version for d in distributions())))
"""
_UV_SOURCES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE")
"""Variables by which uv is told where packages come from."""
INSTALL_TIMEOUT_S = 3600.0
_ANSWER_S = 120.0


def _quiet(text: str) -> None:
    """Say nothing."""


def environment_for(
    target: Target, cache: Path, note: Note = _quiet, children: Optional[Children] = None
) -> str:
    """Path of the interpreter for a target, making its environment if that is not there yet.

    Without `[runtime]` it is the interpreter the target names, or ours. `cache` is the folder of
    environments; `children` runs what installs. Raises EnvironmentMissing with what to type when
    it can't be made, TransientError when `children` were ended meanwhile.
    """
    children = children or Children()
    python = sys.executable if target.python is None else at_home(target.python)
    if target.runtime is None:
        return python
    require_driver(target)
    packages = tuple(sorted(target.runtime.packages))
    place = _place(target, python, cache, children)
    interpreter = place / "bin" / "python"
    if not _whole(place):
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            with children.alone(cache / f"{place.name}.lock"):
                if not _whole(place):
                    note(f"installing {', '.join(packages)}")
                    _Maker(target, python, packages, children).make(place)
                    note(f"{target.name}: environment ready")
        except OSError as error:
            raise EnvironmentMissing(
                f"{target.name}: {cache}: {error.strerror or error}",
                hint="set XDG_CACHE_HOME to a folder you can write, with space",
                kept=f"its environment can't be made: {error.strerror}",
            ) from None
    return str(interpreter)


def is_made(target: Target, cache: Path) -> bool:
    """Whether the environment of a target's own packages is there, so that none are fetched.

    Raises EnvironmentMissing where its interpreter can't be started.
    """
    python = sys.executable if target.python is None else at_home(target.python)
    return _whole(_place(target, python, cache, Children()))


def _place(target: Target, python: str, cache: Path, children: Children) -> Path:
    """Where the environment of a target's own packages lies, once it is made."""
    assert target.runtime is not None
    version = _version(python, children)
    wheels = own_wheels(target.wheels)
    return cache / environment_key(
        target.runtime.packages, target.runtime.extra_index, version, wheels
    )


def at_home(python: str) -> str:
    """An interpreter as a target file names it: a path that is relative, or begins with ~/, lies
    in the home folder, on every kind of target; a bare name is looked for in PATH."""
    bare = "/" not in python
    return python if bare else str(Path.home() / python.removeprefix("~/"))


def own_wheels(folder: Optional[str]) -> tuple[str, ...]:
    """Names of the wheels in a folder that stands for the package index."""
    return () if folder is None else tuple(sorted(path.name for path in Path(folder).glob("*.whl")))


def environment_key(
    packages: tuple[str, ...],
    extra_index: Optional[str],
    version: str,
    wheels: tuple[str, ...] = (),
) -> str:
    """Name of the environment's folder: what is in it, from where, and for which Python."""
    text = json.dumps([sorted(packages), extra_index, version, *([wheels] if wheels else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def nvidia_driver() -> bool:
    """Whether this machine has NVIDIA's driver; needs no package."""
    return any(Path(sign).exists() for sign in _NVIDIA_SIGNS)


def require_driver(target: Target) -> None:
    """Don't fetch gigabytes for a GPU that is not there. Raises EnvironmentMissing."""
    if known(target.provider).nvidia and not nvidia_driver():
        raise EnvironmentMissing(
            f"{target.provider}: {NO_DRIVER}",
            hint="run it on a machine with an NVIDIA GPU and driver; there"
            f" {install_command(target)} is done by itself",
        )


def install_command(target: Target) -> str:
    """What to type to get the target's packages."""
    packages = target.runtime.packages if target.runtime else ("onnxruntime",)
    return f"pip install {shlex.join(packages)}"


def _version(python: str, children: Children) -> str:
    try:
        done = children.run([python, "-I", "-c", _VERSION], _ANSWER_S, words=False)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError):
        raise EnvironmentMissing(
            f"{python}: can't be started",
            hint="set `python` in the target file to a Python 3.8 or newer",
            kept=f"{Path(python).name} can't be started",
        ) from None
    return done.stdout.strip()


def _whole(place: Path) -> bool:
    return (place / "bin" / "python").exists() and (place / "complete.json").is_file()


class _Maker:
    """Makes one environment."""

    def __init__(
        self, target: Target, python: str, packages: tuple[str, ...], children: Children
    ) -> None:
        self.target, self.python, self.packages = target, python, packages
        index = target.runtime.extra_index if target.runtime else None
        self.sources: list[str] = []
        """options of pip and uv: where packages come from, where not from the usual index"""
        if target.wheels is not None:
            self.sources = ["--no-index", "--find-links", target.wheels]
        elif index is not None:
            self.sources = ["--extra-index-url", index]
        self.children = children

    def make(self, place: Path) -> None:
        """Build it beside its place and rename it. Raises EnvironmentMissing."""
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
        try:
            uv = shutil.which("uv")
            if uv is None or self._only_pip_knows() or not self._with_uv(uv, building):
                self._with_pip(building)
            installed = self._installed(building)
            _one_base(self.target, installed)
            whole = {"packages": self.packages, "installed": installed}
            (building / "complete.json").write_text(json.dumps(whole, indent=2), encoding="utf-8")
            if place.exists():  # left without its mark by a damaged disk or a hand
                shutil.rmtree(place)
            building.replace(place)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _only_pip_knows(self) -> bool:
        """Whether pip was told where packages come from and uv was not: uv reads no pip settings.

        Without this, uv would ask the public index where somebody has set another one.
        """
        if self.target.wheels or any(os.environ.get(name) for name in _UV_SOURCES):
            return False
        try:
            done = self.children.run(
                [self.python, "-m", "pip", "config", "list"], _ANSWER_S, words=False
            )
        except (OSError, subprocess.SubprocessError):
            return False
        told = r"\.(index-url|extra-index-url|find-links|no-index)="
        return re.search(told, done.stdout) is not None

    def _with_uv(self, uv: str, folder: Path) -> bool:
        """Whether uv did it. Where it can't, pip is tried, whose answer the user then sees."""
        # pip's rule for several indexes, so that both tools install the same
        more = [*self.sources, "--index-strategy", "unsafe-best-match"] if self.sources else []
        commands = (
            [uv, "venv", "--quiet", "--allow-existing", "--python", self.python, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"),
             *more, "--", *self.packages],
        )  # fmt: skip
        try:
            for command in commands:
                self.children.run(command, INSTALL_TIMEOUT_S).check_returncode()
        except (OSError, subprocess.SubprocessError):
            return False
        return True

    def _with_pip(self, folder: Path) -> None:
        made = self._run([self.python, "-m", "venv", "--clear", str(folder)])
        if made.returncode:
            raise EnvironmentMissing(
                f"{self.target.name}: {self.python} can't make an environment:"
                f" {_last(made.stdout)}",
                hint="on Debian and Ubuntu: apt-get install python3-venv",
                kept=f"{Path(self.python).name} can't make an environment",
            )
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet",
                   "--disable-pip-version-check", "--no-input"]  # fmt: skip
        done = self._run([*command, *self.sources, "--", *self.packages])
        if done.returncode:
            raise explain(self.target, done.stdout)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self.children.run(command, INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise EnvironmentMissing(
                f"{self.target.name}: installing took longer than {INSTALL_TIMEOUT_S / 60:g}"
                " minutes",
                hint="give the command again: what was fetched is kept by pip",
            ) from None

    def _installed(self, folder: Path) -> list[str]:
        """name==version of everything in the environment, for the record."""
        done = self.children.run(
            [str(folder / "bin" / "python"), "-I", "-c", _INSTALLED], _ANSWER_S, words=False,
            environment={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
        )  # fmt: skip
        done.check_returncode()
        return done.stdout.split()


def explain(target: Target, output: str) -> EnvironmentMissing:
    """What pip's output means, and what to do about it."""
    absent = re.search(r"No matching distribution found for (\S+)", output)
    offline = re.search(
        r"NewConnectionError|Temporary failure in name resolution|Name or service not known"
        r"|Network is unreachable|ProxyError|ConnectTimeout|Failed to establish a new connection",
        output,
    )
    command = install_command(target)
    if offline:
        return EnvironmentMissing(
            f"{target.name}: its packages can't be fetched: no network",
            hint='connect, or set `wheels = "FOLDER"` to a folder that holds them'
            f" ({command.replace('install', 'download', 1)}), or `python` to an interpreter where"
            f" this was done: {command}",
        )
    if absent and target.wheels is not None:
        return EnvironmentMissing(
            f"{target.name}: {target.wheels} holds no {absent[1]} for this Python and system",
            hint="on a machine like this one with a network, in that folder:"
            f" {command.replace('install', 'download', 1)}",
        )
    if absent:
        return EnvironmentMissing(
            f"{target.name}: there is no package {absent[1]} for this Python and system",
            hint="correct runtime.packages in the target file"
            " (some packages are for one system or Python version only)",
        )
    if "No space left on device" in output:
        return EnvironmentMissing(
            f"{target.name}: the disk is full", hint="set XDG_CACHE_HOME to a folder with space"
        )
    return EnvironmentMissing(f"{target.name}: {_last(output)}", hint=f"try: {command}")


def _last(output: str) -> str:
    """The last line that says something; addresses are left out, they may hold credentials."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
    return re.sub(r"\w+://\S+", "(address)", errors[-1])[:300]


def _one_base(target: Target, installed: list[str]) -> None:
    """A plug-in may pull in a second onnxruntime, which overwrites the first one's files."""
    bases = [name for name in installed if is_base(project(name))]
    if len(bases) > 1:
        raise EnvironmentMissing(
            f"{target.name}: its packages bring {' and '.join(bases)}, of which only one fits",
            hint="leave the plug-in's own base out of runtime.packages, or make two targets",
        )
