"""scripts/gpu_check where there is no GPU, and its arithmetic."""

import subprocess
import sys
from pathlib import Path

import pytest

from profiler.worker import nvml

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "gpu_check"


@pytest.mark.skipif(bool(nvml.facts()), reason="this machine has a GPU: run scripts/gpu_check")
def test_without_a_gpu_it_says_so_and_exits_3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    assert "no NVIDIA GPU here" in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is written"
