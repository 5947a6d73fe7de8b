"""numpy and onnxruntime for a device that lacks them: wheels for its platform, fetched here.

The device needs no network and no pip, and onnxruntime no package but numpy to run a model: the
two travel as one archive named by its content and are unpacked into our folder there. Environments
of the device's own are left as they are.
"""

from __future__ import annotations

import hashlib
import json
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
from profiler.transport.pinned import PINNED
from profiler.transport.ssh_errors import WrongLibc

OLDEST_GLIBC_MINOR = 17
"""manylinux2014, the oldest that current wheels are built for"""
DOWNLOAD_TIMEOUT_S = 3600.0
RECORD = "profiler-shipped.json"
"""in the archive: which wheels it was made of"""
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
        "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", version,
        "--dest", str(to),
    ]  # fmt: skip
    for tag in platforms(found):
        command += ["--platform", tag]
    done = children.run([*command, *packages], DOWNLOAD_TIMEOUT_S)
    return "" if done.returncode == 0 else (done.stdout.strip() or f"status {done.returncode}")


def wanted(found: Mapping[str, Any]) -> list[dict[str, Optional[str]]]:
    """Package -> version (None: any), best first.

    The same onnxruntime as on this machine, so that targets differ in the device only; where it
    has no wheel for the device's Python, what is pinned for that; for an older system, any.
    """
    pinned = {name: version for name, (version, _) in _pinned(found).items()}
    numpy, own = pinned.get("numpy"), metadata.version("onnxruntime")
    asked: list[dict[str, Optional[str]]] = [
        {"numpy": numpy, "onnxruntime": version}
        for version in dict.fromkeys((own, pinned.get("onnxruntime")))
    ]
    plain: dict[str, Optional[str]] = {"numpy": None, "onnxruntime": None}
    return asked if asked[-1] == plain else [*asked, plain]


def _pinned(found: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    return PINNED.get(".".join(map(str, found["python"][:2])), {})


def archive(found: Mapping[str, Any], cache: Path, children: Optional[Children] = None) -> Path:
    """One zip with everything, for a device as `probe` found it; `children` runs pip.

    Raises TransportError.
    """
    children = children or Children()
    choices = wanted(found)
    key = repr([choices, _pinned(found), found["python"][:2], platforms(found)])
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()}.zip"
    if kept.is_file():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for versions in choices:
            packages = [name + (f"=={v}" if v else "") for name, v in versions.items()]
            trouble = _download(packages, found, Path(folder), children)
            if not trouble:
                break
        if trouble:
            last = trouble.splitlines()[-1]
            raise TransportError(
                "the device has no numpy and onnxruntime, and pip finds none for it"
                f" (Python {'.'.join(map(str, found['python']))}, {found['architecture']}): {last}",
                hint="install them on the device, or set `python` in the target file to an"
                " environment there that has them",
            )
        wheels = sorted(Path(folder).glob("*.whl"))
        _pack(wheels, {name: _checked(wheel, found) for wheel in wheels
                       for name in [wheel.name.split("-")[0]]}, kept)  # fmt: skip
    return kept


def _checked(wheel: Path, found: Mapping[str, Any]) -> str:
    """Version and hash of a wheel. Raises TransportError for another file than the pinned one."""
    name, version = wheel.name.split("-")[:2]
    with wheel.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    pinned, hashes = _pinned(found).get(name, ("", {}))
    wanted_sha = hashes.get(found["architecture"])
    if version == pinned and wanted_sha not in (None, sha):
        raise TransportError(
            f"{wheel.name}: is not the file that is pinned: its hash is {sha[:12]}…, not"
            f" {str(wanted_sha)[:12]}…",
            hint="pip's index or cache gave a changed file (pip cache purge, pip config list); or"
            " install numpy and onnxruntime on the device yourself",
        )
    return f"{version} sha256:{sha}"


def shipped(archive: Path) -> dict[str, str]:
    """Package -> version and hash of its wheel, of what `archive` made."""
    with zipfile.ZipFile(archive) as packed:
        found: dict[str, str] = json.loads(packed.read(RECORD))
    return found


def _pack(wheels: list[Path], record: Mapping[str, str], to: Path) -> None:
    """Unite wheels, which are zips, into one whose bytes depend on their content only."""
    handle, name = tempfile.mkstemp(dir=to.parent)
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as united:
        united.writestr(zipfile.ZipInfo(RECORD, _EPOCH), json.dumps(record, sort_keys=True))
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as source:
                for member in sorted(source.namelist()):
                    if not member.endswith("/"):
                        # Stored: the transport compresses, and the device unpacks faster.
                        united.writestr(zipfile.ZipInfo(member, _EPOCH), source.read(member))
    Path(name).replace(to)
