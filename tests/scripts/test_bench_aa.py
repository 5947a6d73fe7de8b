"""What bench_aa lacks is said before it measures anything."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_aa"


def test_a_missing_benchmark_app_stops_it_before_the_first_study(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--benchmark-app", "1", "--repeats", "0"],
        capture_output=True, text=True, env={**os.environ, "PATH": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install openvino" in done.stderr
    assert done.stdout == ""
