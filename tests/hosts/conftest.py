"""Interpreters that find what other systems offer, and lack what those lack."""

import json
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
MANY = """
import contextlib, io, json, sys
from profiler.cli import main
told = []
for words in json.loads(sys.argv[1]):
    sys.argv, code = ["profiler", *words], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, \\
            contextlib.redirect_stderr(io.StringIO()) as error:
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    told.append([words, code, out.getvalue(), error.getvalue()])
print(json.dumps(told))
"""
Profiler = Callable[..., subprocess.CompletedProcess[str]]
Programs = Callable[..., list[subprocess.CompletedProcess[str]]]


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
        return _called([mac, "-c", MAIN, *map(str, arguments)], tmp_path)

    return call


@pytest.fixture
def all_on_mac(mac: Path, tmp_path: Path) -> Programs:
    """all_on_mac("run study.toml", "table out") calls it for each line, in one interpreter."""

    def call(*lines: str) -> list[subprocess.CompletedProcess[str]]:
        asked = json.dumps([line.split() for line in lines])
        done = _called([mac, "-c", MANY, asked], tmp_path)
        assert done.returncode == 0, done.stderr
        return [subprocess.CompletedProcess(*told) for told in json.loads(done.stdout)]

    return call


def _called(command: list[Path | str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=200, env=dict(os.environ)
    )
