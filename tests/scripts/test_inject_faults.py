"""The rehearsal of faults, in small: scripts/inject_faults runs 200 of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "inject_faults"


@pytest.mark.timeout(290)
def test_faults_change_nothing_but_time() -> None:
    if shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("needs OpenSSH's client and server: sudo scripts/setup_devices")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--faults", "8", "--rounds", "8", "--seed", "6"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 faults in" in done.stdout
    assert ": 0 differ" in done.stdout
