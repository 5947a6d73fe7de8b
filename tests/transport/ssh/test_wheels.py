"""Packages for bare devices: which wheels, and one archive of them."""

import re
import subprocess
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from profiler.analysis.choice.across import differing_facts
from profiler.errors import TransportError
from profiler.transport.children import Children
from profiler.transport.ssh import wheels
from profiler.transport.ssh.errors import NoWheels, WrongLibc
from profiler.transport.ssh.pinned import PINNED
from profiler.transport.ssh.wheels import RECORD, archive, shipped
from profiler.wire.outside import is_sha

PI = {"python": [3, 11, 2], "architecture": "aarch64", "libc": ["glibc", "2.36"], "abi": "cpython",
      "implementation": "cpython"}  # fmt: skip


def test_tags_go_from_the_devices_glibc_down() -> None:
    tags = wheels.platforms(PI)
    assert tags[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_28_aarch64" in tags
    assert tags[-3:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"]
    assert wheels.platforms({**PI, "libc": ["glibc", "2.17"]})[0] == "manylinux_2_17_aarch64"


@pytest.mark.parametrize(
    "other", [{"libc": ["", ""]}, {"libc": ["musl", "1.2.4"]},
              {"libc": ["glibc", "2.9"], "abi": "cpython-311-aarch64-linux-musl"}],
)  # fmt: skip
def test_musl_is_named(tmp_path: Path, other: dict[str, object]) -> None:
    with pytest.raises(WrongLibc, match="wheels for glibc only") as caught:
        wheels.archive({**PI, **other}, tmp_path)
    assert "apk add" in (caught.value.hint or "")
    assert 'wheels = "FOLDER"' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"architecture": "armv7l"}, "is for armv7l; onnxruntime has wheels for x86_64 and"),
        ({"abi": "cpython-311-arm-linux-gnueabihf"}, "for armv7l (a 32-bit system on a 64-bit"),
        ({"architecture": "riscv64"}, "is for riscv64; onnxruntime"),
        ({"implementation": "pypy"}, "is pypy; onnxruntime has wheels for CPython only"),
    ],
)
def test_devices_without_wheels_are_named(
    tmp_path: Path, other: dict[str, object], says: str
) -> None:
    with pytest.raises(NoWheels, match=re.escape(says)):
        wheels.archive({**PI, **other}, tmp_path)


def fake_pip(monkeypatch: pytest.MonkeyPatch, fail: int = 0, text: str = "") -> list[list[str]]:
    """pip that writes two wheels instead of fetching them; the first `fail` calls find none."""
    calls: list[list[str]] = []

    def run(_: Children, command: list[str], *_more: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if len(calls) <= fail:
            return subprocess.CompletedProcess(command, 1, "ERROR: No matching distribution")
        folder = Path(command[command.index("--dest") + 1])
        for package in command[-2:]:
            name, _, version = package.partition("==")
            file = folder / f"{name}-{version or '9.9'}-cp311-cp311-manylinux_2_28_aarch64.whl"
            with zipfile.ZipFile(file, "w") as wheel:
                wheel.writestr(zipfile.ZipInfo(f"{name}/__init__.py"), f"# {name} {text}")
                wheel.writestr(zipfile.ZipInfo(f"{name}/data/"), "")
        return subprocess.CompletedProcess(command, 0, "")

    monkeypatch.setattr(Children, "run", run)
    return calls


@pytest.fixture
def unhashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are pinned, files are not."""
    pinned = {
        python: {name: (version, {}) for name, (version, _) in packages.items()}
        for python, packages in PINNED.items()
    }
    monkeypatch.setattr(wheels, "PINNED", pinned)


@pytest.mark.usefixtures("unhashed")
def test_one_archive_that_depends_on_its_content_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = fake_pip(monkeypatch)
    first = wheels.archive(PI, tmp_path / "a")
    assert "--only-binary=:all:" in calls[0]
    assert calls[0][calls[0].index("--python-version") + 1] == "3.11"
    assert wheels.archive(PI, tmp_path / "a") == first
    assert len(calls) == 1, "kept"
    assert wheels.archive(PI, tmp_path / "b").read_bytes() == first.read_bytes()
    with zipfile.ZipFile(first) as packed:
        assert packed.namelist() == [RECORD, "numpy/__init__.py", "onnxruntime/__init__.py"]


@pytest.mark.usefixtures("unhashed")
def test_versions_and_hashes_are_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_pip(monkeypatch)
    found = wheels.shipped(wheels.archive(PI, tmp_path / "a"))
    versions = {name: text.split(" sha256:")[0] for name, text in found.items()}
    own = metadata.version("onnxruntime")
    assert versions == {"numpy": PINNED["3.11"]["numpy"][0], "onnxruntime": own}
    fake_pip(monkeypatch, text="another build")
    assert wheels.shipped(wheels.archive(PI, tmp_path / "b")) != found
    ours, theirs = {"shipped": found}, {"shipped": {**found, "numpy": "2.0.0 sha256:0"}}
    assert [name for name, *_ in differing_facts(ours, theirs, merging=True)] == ["shipped"]


def test_another_file_than_the_pinned_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_pip(monkeypatch)
    with pytest.raises(TransportError, match=r"numpy-.*is not the file that is pinned"):
        wheels.archive(PI, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.usefixtures("unhashed")
def test_an_older_python_gets_what_there_is_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = fake_pip(monkeypatch, fail=2)
    wheels.archive({**PI, "python": [3, 9, 2]}, tmp_path)
    numpy, runtime = (PINNED["3.9"][name][0] for name in ("numpy", "onnxruntime"))
    assert calls[1][-2:] == [f"numpy=={numpy}", f"onnxruntime=={runtime}"], "the pinned one"
    assert calls[2][-2:] == ["numpy", "onnxruntime"], "any, on an older system"


def test_every_python_has_its_pins() -> None:
    assert list(PINNED) == [f"3.{minor}" for minor in range(8, 15)]
    for packages in PINNED.values():
        assert list(packages) == ["numpy", "onnxruntime"]
        for _, hashes in packages.values():
            assert sorted(hashes) == ["aarch64", "x86_64"]
            assert all(is_sha(sha) for sha in hashes.values())


def test_no_wheel_at_all_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_pip(monkeypatch, fail=3)
    with pytest.raises(TransportError, match=r"Python 3\.11\.2, aarch64.*No matching") as caught:
        wheels.archive(PI, tmp_path)
    assert "python" in (caught.value.hint or "")
    assert not list(tmp_path.glob("*.zip"))


NO_NETWORK = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


@pytest.fixture
def folder(tmp_path: Path, wheels: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wheels of the user's own; pip knows of no other place that answers."""
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    for name, value in NO_NETWORK.items():
        monkeypatch.setenv(name, value)
    wheels("numpy", "2.1.0")
    wheels("onnxruntime", "1.20.0")
    return tmp_path / "wheels"


@pytest.mark.parametrize(
    "other", [{}, {"architecture": "armv7l"}, {"architecture": "riscv64"}, {"libc": ["musl", "1"]}]
)
def test_a_folder_of_wheels_stands_for_the_index(
    tmp_path: Path, folder: Path, other: dict[str, object]
) -> None:
    found = archive({**PI, **other}, tmp_path / "cache", wheelhouse=folder)
    versions = {name: text.split()[0] for name, text in shipped(found).items()}
    assert versions == {"numpy": "2.1.0", "onnxruntime": "1.20.0"}
    with zipfile.ZipFile(found) as packed:
        assert {"numpy.py", "onnxruntime.py"} <= set(packed.namelist())


def test_what_a_folder_of_wheels_lacks_is_named(tmp_path: Path, folder: Path) -> None:
    next(folder.glob("onnxruntime-*")).unlink()
    with pytest.raises(
        NoWheels, match=r"aarch64\); it holds numpy-2\.1\.0-py3-none-any\.whl"
    ) as it:
        archive(PI, tmp_path / "cache", wheelhouse=folder)
    assert "pip download" in (it.value.hint or "")
    assert "manylinux_2_28_aarch64" in (it.value.hint or "")
    with pytest.raises(NoWheels) as it:
        archive({**PI, "architecture": "riscv64"}, tmp_path / "cache", wheelhouse=folder)
    assert "must be built" in (it.value.hint or "")


def test_another_folder_gives_another_archive(
    tmp_path: Path, folder: Path, wheels: Callable[..., None]
) -> None:
    first = archive(PI, tmp_path / "cache", wheelhouse=folder)
    wheels("numpy", "2.2.0")
    assert archive(PI, tmp_path / "cache", wheelhouse=folder) != first
