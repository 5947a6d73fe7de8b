"""numpy and onnxruntime for a device that lacks them: wheels for its platform, fetched here.

The device needs no network and no pip: the packages travel as one archive named by its content and
are unpacked into our folder there. Environments of the device's own are left as they are.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

from profiler.errors import TransportError
from profiler.transport.children import Children
from profiler.transport.ssh_errors import WrongLibc

OLDEST_GLIBC_MINOR = 17
"""manylinux2014, the oldest that current wheels are built for"""
DOWNLOAD_TIMEOUT_S = 3600.0
_EPOCH = (1980, 1, 1, 0, 0, 0)


def platforms(found: Mapping[str, Any]) -> list[str]:
    """pip's platform tags of a device, best first. Raises WrongLibc for anything but glibc."""
    name, version = found["libc"]
    machine = found["architecture"]
    if "musl" in found["abi"] or name != "glibc":
        raise WrongLibc(
            f"the device's C library is {name or 'musl'}; onnxruntime has wheels for glibc only",
            hint="install numpy and onnxruntime there yourself (Alpine: apk add py3-onnxruntime),"
            " or use a Debian-like system on it",
        )
    newest = int(version.split(".")[1])
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, OLDEST_GLIBC_MINOR - 1, -1)]
    return [*tags, f"manylinux2014_{machine}"]


def _download(packages: list[str], found: Mapping[str, Any], to: Path, children: Children) -> str:
    """Run pip; returns what it complained about, or nothing."""
    version = ".".join(map(str, found["python"][:2]))
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--only-binary=:all:", "--implementation", "cp", "--python-version", version,
        "--dest", str(to),
    ]  # fmt: skip
    for tag in platforms(found):
        command += ["--platform", tag]
    done = children.run([*command, *packages], DOWNLOAD_TIMEOUT_S)
    return "" if done.returncode == 0 else (done.stdout.strip() or f"status {done.returncode}")


def wanted() -> list[str]:
    """The same onnxruntime as on this machine, so that targets differ in the device only."""
    return ["numpy", f"onnxruntime=={metadata.version('onnxruntime')}"]


def archive(found: Mapping[str, Any], cache: Path, children: Optional[Children] = None) -> Path:
    """One zip with everything, for a device as `probe` found it; `children` runs pip.

    Raises TransportError.
    """
    children = children or Children()
    packages = wanted()
    key = repr([packages, found["python"][:2], platforms(found)])
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()}.zip"
    if kept.is_file():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        trouble = _download(packages, found, Path(folder), children)
        if trouble:  # that version may have no wheel for the device's Python
            trouble = _download(["numpy", "onnxruntime"], found, Path(folder), children)
        if trouble:
            last = trouble.splitlines()[-1]
            raise TransportError(
                "the device has no numpy and onnxruntime, and pip finds none for it"
                f" (Python {'.'.join(map(str, found['python']))}, {found['architecture']}): {last}",
                hint="install them on the device, or set `python` in the target file to an"
                " environment there that has them",
            )
        _pack(sorted(Path(folder).glob("*.whl")), kept)
    return kept


def _pack(wheels: list[Path], to: Path) -> None:
    """Unite wheels, which are zips, into one whose bytes depend on their content only."""
    handle, name = tempfile.mkstemp(dir=to.parent)
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as united:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as source:
                for member in sorted(source.namelist()):
                    if not member.endswith("/"):
                        # Stored: the transport compresses, and the device unpacks faster.
                        united.writestr(zipfile.ZipInfo(member, _EPOCH), source.read(member))
    Path(name).replace(to)
