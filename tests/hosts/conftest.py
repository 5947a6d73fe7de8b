"""Interpreters that find what other systems offer, and lack what those lack."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts.mac.mac_mask import environment
from tests.transport.conftest import sshd

__all__ = ["sshd"]
ROOT = Path(__file__).resolve().parents[2]
MAIN = "from profiler.cli import main; main()"
Profiler = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def mac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that finds itself on a Mac."""
    return environment(tmp_path_factory.mktemp("mac"), ROOT)


@pytest.fixture
def mac_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """sysctl is that of a Mac."""
    monkeypatch.setenv("PATH", str(ROOT / "tests" / "hosts" / "mac" / "bin"), prepend=os.pathsep)


@pytest.fixture
def on_mac(mac: Path, tmp_path: Path) -> Profiler:
    """on_mac("run", "study.toml") calls the program there."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [mac, "-c", MAIN, *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, timeout=200, env=dict(os.environ),
        )  # fmt: skip

    return call
