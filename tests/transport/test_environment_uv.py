"""Environments made by uv. Those that need it run where uv is installed (`pip install uv`)."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import EnvironmentMissing
from profiler.schema.device.runtime import Runtime
from profiler.schema.device.target import Target
from profiler.transport.environment import environment_for

needs_uv = pytest.mark.skipif(
    shutil.which("uv") is None, reason="uv is not on the PATH: pip install uv"
)


def target(*packages: str) -> Target:
    return Target(name="t", runtime=Runtime(packages=packages))


def has_pip(python: str) -> bool:
    """pip's own environments have it, uv's have not."""
    done = subprocess.run([python, "-I", "-c", "import pip"], capture_output=True)
    return done.returncode == 0


@pytest.fixture
def uv_finds(
    wheels: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """wheels, found by uv too, which asks no network and keeps its cache here."""
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    return wheels


@needs_uv
def test_uv_makes_an_environment_that_works_from_its_last_place(
    uv_finds: Callable[..., None], tmp_path: Path
) -> None:
    uv_finds("thing")
    python = environment_for(target("thing==1.0"), tmp_path / "cache")
    code = "import sys, thing; print(thing.VERSION, sys.prefix)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0", str(Path(python).parent.parent)]
    assert "thing==1.0" in (Path(python).parent.parent / "complete.json").read_text()
    assert not has_pip(python), "pip made it, not uv"


@needs_uv
def test_what_uv_can_not_install_gets_pip_s_message(
    uv_finds: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentMissing, match="no package nothing-like-it==3"):
        environment_for(target("nothing-like-it==3"), tmp_path / "cache")
    assert [p for p in (tmp_path / "cache").iterdir() if p.is_dir()] == []


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `uv` that notes what it is asked and fails; the path of its notes."""
    notes, folder = tmp_path / "notes", tmp_path / "bin"
    folder.mkdir()
    (folder / "uv").write_text(f'#!/bin/sh\necho "$1" >>"{notes}"\nexit 2\n')
    (folder / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return notes


@pytest.mark.usefixtures("quick_environments")
def test_where_uv_fails_pip_does_it(
    stub: Path, uv_finds: Callable[..., None], tmp_path: Path
) -> None:
    uv_finds("thing")
    assert has_pip(environment_for(target("thing"), tmp_path / "cache"))
    assert stub.read_text() == "venv\n"


@pytest.mark.usefixtures("quick_environments")
def test_uv_is_not_asked_where_only_pip_knows_the_index(
    stub: Path, wheels: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    wheels("thing")
    assert has_pip(environment_for(target("thing"), tmp_path / "cache"))
    assert not stub.exists(), "uv was started and would have asked the public index"
