"""A target's own environment: made once, then found by the hash of what is in it.

`onnxruntime` and `onnxruntime-gpu` overwrite each other, so targets can't share one. An environment
is built beside its place and renamed into it when it is whole; a half-built one is never used.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from profiler.errors import EnvironmentMissing
from profiler.schema.runtime import is_base, project
from profiler.schema.target import Target

Note = Callable[[str], None]
NVIDIA = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")
_NVIDIA_SIGNS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/dxg")
"""Device nodes of NVIDIA's driver: data centre and desktop, Jetson (two kinds), WSL."""
_VERSION = "import platform,sys; print(platform.python_version(), sys.implementation.cache_tag)"
_INSTALLED = """
from importlib.metadata import distributions
print("\\n".join(sorted(d.metadata["Name"] + "==" + d.version for d in distributions())))
"""
_UV_SOURCES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE")
"""Variables by which uv is told where packages come from."""
INSTALL_TIMEOUT_S = 3600.0


def _quiet(text: str) -> None:
    """Say nothing."""


def environment_for(target: Target, cache: Path, note: Note = _quiet) -> str:
    """Path of the interpreter for a target, making its environment if that is not there yet.

    Without `[runtime]` it is the interpreter the target names, or ours. `cache` is the folder of
    environments. Raises EnvironmentMissing with what to type when it can't be made.
    """
    python = target.python or sys.executable
    if target.runtime is None:
        return python
    require_driver(target)
    packages = tuple(sorted(target.runtime.packages))
    key = environment_key(packages, target.runtime.extra_index, _version(python))
    place = cache / key
    interpreter = place / "bin" / "python"
    if not _whole(place):
        try:
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _only_one(cache / f"{key}.lock"):
                if not _whole(place):
                    note(f"installing {', '.join(packages)}")
                    _make(place, python, packages, target, note)
        except OSError as error:
            raise EnvironmentMissing(
                f"{target.name}: {cache}: {error.strerror or error}",
                hint="set XDG_CACHE_HOME to a folder you can write, with space",
            ) from None
    return str(interpreter)


def environment_key(packages: tuple[str, ...], extra_index: Optional[str], version: str) -> str:
    """Name of the environment's folder: what is in it, and for which Python."""
    text = json.dumps([sorted(packages), extra_index, version])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def nvidia_driver() -> bool:
    """Whether this machine has NVIDIA's driver; needs no package."""
    return any(Path(sign).exists() for sign in _NVIDIA_SIGNS)


def require_driver(target: Target) -> None:
    """Don't fetch gigabytes for a GPU that is not there. Raises EnvironmentMissing."""
    if target.provider in NVIDIA and not nvidia_driver():
        raise EnvironmentMissing(
            f"{target.provider}: this machine has no NVIDIA driver (no /dev/nvidia0)",
            hint="run it on a machine with an NVIDIA GPU and driver; there"
            f" {install_command(target)} is done by itself",
        )


def install_command(target: Target) -> str:
    """What to type to get the target's packages."""
    packages = target.runtime.packages if target.runtime else ("onnxruntime",)
    return "pip install " + " ".join(f"'{p}'" if "[" in p else p for p in packages)


def _version(python: str) -> str:
    try:
        done = subprocess.run(
            [python, "-I", "-c", _VERSION], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise EnvironmentMissing(
            f"{python}: can't be started",
            hint="set `python` in the target file to a Python 3.9 or newer",
        ) from None
    return done.stdout.strip()


def _whole(place: Path) -> bool:
    return (place / "bin" / "python").exists() and (place / "complete.json").is_file()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two studies that start at once build an environment once; the other one waits."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(place: Path, python: str, packages: tuple[str, ...], target: Target, note: Note) -> None:
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
    index = target.runtime.extra_index if target.runtime else None
    try:
        uv = shutil.which("uv")
        if (
            uv is None
            or _only_pip_knows(python)
            or not _with_uv(uv, building, python, packages, index)
        ):
            _with_pip(building, python, packages, index, target)
        installed = _installed(building)
        _one_base(target, installed)
        whole = {"packages": packages, "installed": installed}
        (building / "complete.json").write_text(json.dumps(whole, indent=2), encoding="utf-8")
        if place.exists():  # left without its mark by a damaged disk or a hand
            shutil.rmtree(place)
        building.replace(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    note(f"{target.name}: environment ready")


def _only_pip_knows(python: str) -> bool:
    """Whether pip was told where packages come from and uv was not: uv reads no pip settings.

    Without this, uv would ask the public index where somebody has set another one.
    """
    if any(os.environ.get(name) for name in _UV_SOURCES):
        return False
    try:
        done = subprocess.run(
            [python, "-m", "pip", "config", "list"],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return re.search(r"\.(index-url|extra-index-url|find-links|no-index)=", done.stdout) is not None


def _with_uv(
    uv: str, folder: Path, python: str, packages: tuple[str, ...], index: Optional[str]
) -> bool:
    """Whether uv did it. Where it can't, pip is tried, whose answer the user then sees."""
    more = ["--extra-index-url", index] if index else []
    # pip's rule for several indexes, so that both tools install the same
    more += ["--index-strategy", "unsafe-best-match"] if index else []
    commands = (
        [uv, "venv", "--quiet", "--allow-existing", "--python", python, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"),
         *more, "--", *packages],
    )  # fmt: skip
    try:
        for command in commands:
            subprocess.run(command, capture_output=True, timeout=INSTALL_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _with_pip(
    folder: Path, python: str, packages: tuple[str, ...], index: Optional[str], target: Target
) -> None:
    made = _run([python, "-m", "venv", "--clear", str(folder)], target)
    if made.returncode:
        raise EnvironmentMissing(
            f"{target.name}: {python} can't make an environment: {_last(made.stdout)}",
            hint="on Debian and Ubuntu: apt-get install python3-venv",
        )
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet",
               "--disable-pip-version-check", "--no-input"]  # fmt: skip
    command += ["--extra-index-url", index] if index else []
    done = _run([*command, "--", *packages], target)
    if done.returncode:
        raise explain(target, done.stdout)


def _run(command: list[str], target: Target) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentMissing(
            f"{target.name}: installing took longer than {INSTALL_TIMEOUT_S / 60:g} minutes",
            hint="give the command again: what was fetched is kept by pip",
        ) from None


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
            hint=f"connect, or set `python` to an interpreter where this was done: {command}",
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


def _installed(folder: Path) -> list[str]:
    """name==version of everything in the environment, for the record."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-I", "-c", _INSTALLED],
        capture_output=True, text=True, timeout=120, env=environment, check=True,
    )  # fmt: skip
    return done.stdout.split()
