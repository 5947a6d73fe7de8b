"""Scripts without an ending in their name, as modules and as commands."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="session")
def load_script() -> Callable[[str], Any]:
    """load_script(name) -> the script as a module."""

    def load(name: str) -> Any:
        loader = SourceFileLoader(name, str(SCRIPTS / name))
        module = module_from_spec(spec_from_loader(name, loader))  # type: ignore[arg-type]
        loader.exec_module(module)
        return module

    return load


@pytest.fixture
def rehearse() -> Callable[..., str]:
    """rehearse(name, *arguments) -> what a script beside a real sshd prints."""

    def run(name: str, *arguments: str) -> str:
        if shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") is None:
            pytest.skip("needs OpenSSH's client and server: sudo scripts/setup_devices")
        done = subprocess.run(
            [sys.executable, SCRIPTS / name, *arguments],
            capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
