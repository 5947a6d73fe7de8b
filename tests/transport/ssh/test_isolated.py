"""What lies in a device's home folder and environment reaches neither probe nor worker."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.devices.session import Session
from profiler.schema.device.ssh import SshSpec
from profiler.transport.environment import at_home
from profiler.transport.ssh.transport import SshTransport

Login = Callable[[str], SshSpec]
PROGRAM = """import os, sys
fine = sys.flags.isolated and sys.flags.utf8_mode and os.environ["PROFILER_PACKAGES"] == {brought!r}
raise SystemExit(7 if fine else 1)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Full of traps: whoever imports one ends."""
    home = tmp_path / "home"
    user = f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    for name in ("json.py", f"{user}/usercustomize.py", f"{user}/json.py", "path/platform.py"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("raise SystemExit('a trap')\n")
    (home / "env" / "bin").mkdir(parents=True)
    (home / "env" / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (home / "env" / "bin" / "python3").chmod(0o755)
    return home


def way(login: Login, home: Path) -> SshSpec:
    return login(
        f"cd /; HOME={home} PYTHONHOME=/nowhere PYTHONPATH={home}/path LC_ALL=C"
        ' exec sh -c "$SSH_ORIGINAL_COMMAND"'
    )


@pytest.mark.parametrize("python", ["~/env/bin/python3", "env/bin/python3"])
def test_traps_and_paths_within_the_home_folder(login: Login, home: Path, python: str) -> None:
    with Session(SshTransport(way(login, home), python), backoff_s=()) as session:
        assert session.facts["numpy"], "the interpreter's own packages are there"
        assert not [key for key in session.facts if key.endswith("_error")]


def test_the_worker_is_isolated_and_finds_what_was_brought(
    login: Login, home: Path, tmp_path: Path
) -> None:
    transport = SshTransport(way(login, home), sys.executable)
    transport._packages = "0" * 64
    spec = transport.spec
    brought = f"{spec.folder}/packages/{transport._packages}"
    program = PROGRAM.format(brought=brought)
    (tmp_path / "program").write_text(program)
    sha = hashlib.sha256(program.encode()).hexdigest()
    transport.stage(tmp_path / "program", sha)
    pipe = transport.spawn(sha)
    assert pipe.reader.read(60) == {"ended": 7}
    pipe.close()
    transport.close()


def test_a_folder_of_ours_lies_in_the_home_folder(login: Login, home: Path) -> None:
    transport = SshTransport(replace(way(login, home), folder="own/place"), sys.executable)
    transport.probe()
    assert (home / "own" / "place" / "profiler-device").exists()
    transport.clean()
    transport.close()
    assert not (home / "own" / "place").exists()


def test_a_local_interpreter_lies_in_the_home_folder_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert (
        at_home("~/env/bin/python3") == at_home("env/bin/python3") == ("/home/ada/env/bin/python3")
    )
    assert [at_home(given) for given in ("python3.9", "/opt/py")] == ["python3.9", "/opt/py"]
