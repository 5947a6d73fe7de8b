"""A host without Linux's calls, /proc and /sys drives a device over a real OpenSSH server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts.conftest import MAIN, Profiler, Programs
from tests.transport.conftest import Daemon

STUDY = """
variants = ["fp32", "int8-dynamic"]
[measure]
budget = "100s"
round_time = "20ms"
block_time = "2ms"
max_rounds = 4
[slo]
p99 = "10s"
"""


def test_the_mask_is_on(mac: Path) -> None:
    code = (
        "from profiler.wire.affinity import usable_cpus\n"
        "from profiler.worker.instruments.counters import read_text\n"
        "import os, fcntl, sys\n"
        "print([usable_cpus(), read_text('/proc/stat'), sys.platform])\n"
        "print([hasattr(os, 'posix_fallocate'), hasattr(fcntl, 'F_SETPIPE_SZ')])\n"
    )
    done = subprocess.run([mac, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[None, None, 'darwin']", "[False, False]"]


@pytest.fixture
def device(sshd: Daemon, tmp_path: Path) -> Path:
    """Our folder on the device that targets/far.toml names."""
    folder = tmp_path / "device"
    spec = sshd.with_folder(folder)
    keys = ("host", "user", "port", "identity_file", "config_file", "folder")
    lines = [f"{key} = {json.dumps(getattr(spec, key))}" for key in keys]
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "far.toml").write_text(
        "\n".join(['transport = "ssh"', f'python = "{sys.executable}"', "[ssh]", *lines])
    )
    return folder


def rounds(results: Path) -> int:
    rows = results / "rows.jsonl"
    return rows.read_text().count('"elapsed_s"') if rows.exists() else 0


def stop_after_a_round(mac: Path, folder: Path, results: Path) -> int:
    """Run the study, press Ctrl-C once a round is kept; the exit code."""
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [mac, "-c", MAIN, "run", "study.toml", "-o", results.name], cwd=folder,
            stdout=said, stderr=said, env=dict(os.environ), start_new_session=True,
        )  # fmt: skip
        deadline_s = time.monotonic() + 120
        while not rounds(results) and process.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        return process.wait(60)


@pytest.mark.timeout(600)
def test_a_mac_drives_a_device_from_the_first_run_to_no_trace(
    on_mac: Profiler,
    all_on_mac: Programs,
    mac: Path,
    device: Path,
    make_study: Callable[..., Path],
    tmp_path: Path,
) -> None:
    make_study(STUDY, targets='["far"]')
    out = tmp_path / "out"
    assert stop_after_a_round(mac, tmp_path, out) == 130, (tmp_path / "said").read_text()
    kept = rounds(out)
    assert 1 <= kept < 4
    said = {}
    for done in (
        on_mac("run", "study.toml", "-o", "out"),
        *all_on_mac(
            "table out", "report out", "choose out", "explain out", "check out",
            "compare out m/fp32 m/int8-dynamic", "targets check far", "table out --json",
        ),
    ):  # fmt: skip
        assert done.returncode == 0, (done.args, done.stderr, done.stdout)
        assert "Traceback" not in done.stderr, (done.args, done.stderr)
        said[done.args[0]] = done.stdout
    assert rounds(out) == 4, "the first run's rounds were kept"
    rows = json.loads(said["table"])
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert all(row["memory_peak_bytes"] for row in rows), "the device is no Mac"
    assert (out / "report.html").stat().st_size > 0
    assert "p50" in said["choose"]
    assert any(device.iterdir())
    assert on_mac("targets", "clean", "far").returncode == 0
    assert not device.exists()
