"""Runs in each other's way, in small: scripts/inject_conflicts has more of them and more kinds."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "inject_conflicts"


@pytest.mark.timeout(290)
def test_two_hosts_on_one_device_lose_and_mix_nothing() -> None:
    if shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("needs OpenSSH's client and server: sudo scripts/setup_devices")
    done = subprocess.run(
        [sys.executable, SCRIPT, "--times", "1", "--rounds", "4", "--kind", "two hosts"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("two hosts")]
    assert row.split()[2:] == ["1", "8", "0", "0", "0", "0", "0"]
    assert done.stdout.rstrip().endswith(": 0 wrong")
