"""numpy and onnxruntime for a device that lacks them: wheels for its platform, fetched here.

The device needs no network and no pip, and onnxruntime no package but numpy to run a model: the
two travel as one archive named by its content and are unpacked into our folder there. Environments
of the device's own are left as they are.

A folder of the user's own wheels stands for the package index where there is no network, and for
devices that the index has no wheels for.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

from profiler.errors import TransportError
from profiler.transport.children import Children
from profiler.transport.ssh.errors import NoWheels, WrongLibc
from profiler.transport.ssh.pinned import PINNED
from profiler.wire.hashes import sha_of
from profiler.wire.whole import making

OLDEST_GLIBC_MINOR = 17
"""manylinux2014, the oldest that current wheels are built for"""
DOWNLOAD_TIMEOUT_S = 3600.0
RECORD = "profiler-shipped.json"
"""in the archive: which wheels it was made of"""
PROCESSORS = ("x86_64", "aarch64")
"""that the package index has onnxruntime for, on Linux"""
_ARM_32 = "armv7l"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def processor(device: Mapping[str, Any]) -> str:
    """The one that the device's Python is for: a 32-bit system may run on a 64-bit kernel."""
    return _ARM_32 if "arm-linux" in device["abi"] else str(device["architecture"])


def require_wheels(device: Mapping[str, Any]) -> None:
    """Raise NoWheels or WrongLibc for a device that the package index has nothing for."""
    by_hand = (
        "build or get wheels of numpy and onnxruntime for it, put them into a folder and set"
        ' wheels = "FOLDER" in the target file; or set `python` to an environment there that has'
        " them"
    )
    name, machine = device["libc"][0], processor(device)
    if "musl" in device["abi"] or name != "glibc":
        raise WrongLibc(
            f"the device's C library is {name or 'musl'}; onnxruntime has wheels for glibc only",
            hint="install numpy and onnxruntime there yourself (Alpine: apk add py3-onnxruntime),"
            f" or use a Debian-like system on it; or {by_hand}",
        )
    if machine not in PROCESSORS:
        mixed = machine != device["architecture"]
        about = " (a 32-bit system on a 64-bit kernel)" if mixed else ""
        raise NoWheels(
            f"the device's Python is for {machine}{about}; onnxruntime has wheels for"
            f" {' and '.join(PROCESSORS)} only",
            hint=f"{'install a 64-bit system on it; or ' if mixed else ''}{by_hand}",
        )
    if device["implementation"].lower() != "cpython":
        raise NoWheels(
            f"the device's Python is {device['implementation']}; onnxruntime has wheels for CPython"
            " only",
            hint="install CPython there and set `python` in the target file to its path",
        )


def platforms(device: Mapping[str, Any]) -> list[str]:
    """pip's platform tags of a device, best first, its own builds last."""
    name, version = device["libc"]
    machine = processor(device)
    if name != "glibc":
        return [f"musllinux_1_{minor}_{machine}" for minor in (2, 1)] + [f"linux_{machine}"]
    newest = int(version.split(".")[1])
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, OLDEST_GLIBC_MINOR - 1, -1)]
    return [*tags, f"manylinux2014_{machine}", f"linux_{machine}"]


def _download(
    packages: list[str],
    device: Mapping[str, Any],
    to: Path,
    children: Children,
    wheelhouse: Optional[Path],
) -> str:
    """Run pip; returns what it complained about, or nothing."""
    version = ".".join(map(str, device["python"][:2]))
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", version,
        "--dest", str(to),
    ]  # fmt: skip
    for tag in platforms(device):
        command += ["--platform", tag]
    if wheelhouse is not None:
        command += ["--no-index", "--find-links", str(wheelhouse)]
    done = children.run([*command, *packages], DOWNLOAD_TIMEOUT_S)
    return "" if done.returncode == 0 else (done.stdout.strip() or f"status {done.returncode}")


def wanted(device: Mapping[str, Any]) -> list[dict[str, Optional[str]]]:
    """Package -> version (None: any), best first.

    The same onnxruntime as on this machine, so that targets differ in the device only; where it
    has no wheel for the device's Python, what is pinned for that; for an older system, any.
    """
    pinned = {name: version for name, (version, _) in _pinned(device).items()}
    numpy, ours = pinned.get("numpy"), metadata.version("onnxruntime")
    choices: list[dict[str, Optional[str]]] = [
        {"numpy": numpy, "onnxruntime": version}
        for version in dict.fromkeys((ours, pinned.get("onnxruntime")))
    ]
    plain: dict[str, Optional[str]] = {"numpy": None, "onnxruntime": None}
    return choices if choices[-1] == plain else [*choices, plain]


def _pinned(device: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    return PINNED.get(".".join(map(str, device["python"][:2])), {})


def archive(
    device: Mapping[str, Any],
    cache: Path,
    children: Optional[Children] = None,
    wheelhouse: Optional[Path] = None,
) -> Path:
    """One zip with everything, for a device as `probe` found it; `children` runs pip.

    `wheelhouse` is a folder of wheels that stands for the package index. Raises TransportError.
    """
    children = children or Children()
    if wheelhouse is None:
        require_wheels(device)
    choices = wanted(device)
    here = None
    if wheelhouse is not None:
        files = ((path.name, path.stat()) for path in sorted(wheelhouse.glob("*.whl")))
        here = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]
    key = repr([choices, _pinned(device), device["python"][:2], platforms(device), here])
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()}.zip"
    if kept.is_file():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for versions in choices:
            packages = [name + (f"=={v}" if v else "") for name, v in versions.items()]
            trouble = _download(packages, device, Path(folder), children, wheelhouse)
            if not trouble:
                break
        if trouble and wheelhouse is not None:
            raise _lacks(wheelhouse, device)
        if trouble:
            last = trouble.splitlines()[-1]
            words = (
                "the device has no numpy and onnxruntime, and pip finds none for it"
                f" (Python {'.'.join(map(str, device['python']))}, {device['architecture']})"
            )
            raise TransportError(
                f"{words}: {last}",
                kept=words,
                hint="install them on the device, or set `python` in the target file to an"
                " environment there that has them",
            )
        wheels = sorted(Path(folder).glob("*.whl"))
        # The user's own files are what they are.
        pins = _pinned(device) if wheelhouse is None else {}
        checked = {
            wheel.name.split("-")[0]: _checked(wheel, pins, processor(device)) for wheel in wheels
        }
        _pack(wheels, checked, kept)
    return kept


def _lacks(wheelhouse: Path, device: Mapping[str, Any]) -> NoWheels:
    """What a folder of wheels does not hold for a device, and how it gets there."""
    version = ".".join(map(str, device["python"][:2]))
    names = sorted(path.name for path in wheelhouse.glob("*.whl"))
    there = ", ".join(names[:6]) or "no wheel at all"
    usual = (tag for tag in platforms(device) if "_2_2" in tag or "14" in tag)
    tags = " ".join(f"--platform {tag}" for tag in usual)
    try:
        require_wheels(device)
        hint = (
            "on a machine with a network: pip download --no-deps --only-binary=:all:"
            f" --python-version {version} {tags} --dest {wheelhouse.name} numpy onnxruntime"
        )
    except TransportError:
        hint = "wheels for it must be built; or set `python` to an environment there that has them"
    return NoWheels(
        f"{wheelhouse}: no numpy and onnxruntime for the device (Python {version},"
        f" {processor(device)}); it holds {there}",
        hint=hint,
    )


def _checked(
    wheel: Path, pins: Mapping[str, tuple[str, Mapping[str, str]]], architecture: str
) -> str:
    """Version and hash of a wheel. Raises TransportError for another file than the pinned one."""
    name, version = wheel.name.split("-")[:2]
    sha = sha_of(wheel)
    pinned, hashes = pins.get(name, ("", {}))
    wanted_sha = hashes.get(architecture)
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
    with making(to, private=True) as part:
        with zipfile.ZipFile(part, "w") as united:
            united.writestr(zipfile.ZipInfo(RECORD, _EPOCH), json.dumps(record, sort_keys=True))
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as source:
                    for member in sorted(source.namelist()):
                        if not member.endswith("/"):
                            # Stored: the transport compresses, and the device unpacks faster.
                            united.writestr(zipfile.ZipInfo(member, _EPOCH), source.read(member))
        part.replace(to)
