"""Packages for bare devices: which wheels, and one archive of them."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from profiler.errors import TransportError
from profiler.transport import wheels
from profiler.transport.children import Children
from profiler.transport.ssh_errors import WrongLibc

PI = {"python": [3, 11, 2], "architecture": "aarch64", "libc": ["glibc", "2.36"], "abi": "cpython"}


def test_tags_go_from_the_devices_glibc_down() -> None:
    tags = wheels.platforms(PI)
    assert tags[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_28_aarch64" in tags
    assert tags[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    assert wheels.platforms({**PI, "libc": ["glibc", "2.17"]})[0] == "manylinux_2_17_aarch64"


@pytest.mark.parametrize(
    "other", [{"libc": ["", ""]}, {"libc": ["musl", "1.2.4"]},
              {"libc": ["glibc", "2.9"], "abi": "cpython-311-aarch64-linux-musl"}],
)  # fmt: skip
def test_musl_is_named(other: dict[str, object]) -> None:
    with pytest.raises(WrongLibc, match="wheels for glibc only") as caught:
        wheels.platforms({**PI, **other})
    assert "apk add" in (caught.value.hint or "")


def fake_pip(monkeypatch: pytest.MonkeyPatch, fail: int = 0) -> list[list[str]]:
    """pip that writes two wheels instead of fetching them; the first `fail` calls find none."""
    calls: list[list[str]] = []

    def run(_: Children, command: list[str], *_more: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if len(calls) <= fail:
            return subprocess.CompletedProcess(command, 1, "ERROR: No matching distribution")
        folder = Path(command[command.index("--dest") + 1])
        for name in ("numpy", "onnxruntime"):
            with zipfile.ZipFile(folder / f"{name}.whl", "w") as wheel:
                wheel.writestr(f"{name}/__init__.py", f"# {name}")
                wheel.writestr(f"{name}/data/", "")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(Children, "run", run)
    return calls


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
        assert packed.namelist() == ["numpy/__init__.py", "onnxruntime/__init__.py"]


def test_an_older_python_gets_what_there_is_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = fake_pip(monkeypatch, fail=1)
    wheels.archive({**PI, "python": [3, 9, 2]}, tmp_path)
    assert calls[1][-2:] == ["numpy", "onnxruntime"], "any version, when ours has no wheel"


def test_no_wheel_at_all_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_pip(monkeypatch, fail=2)
    with pytest.raises(TransportError, match=r"Python 3\.11\.2, aarch64.*No matching") as caught:
        wheels.archive(PI, tmp_path)
    assert "python" in (caught.value.hint or "")
    assert not list(tmp_path.glob("*.zip"))
