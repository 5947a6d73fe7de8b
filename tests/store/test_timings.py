"""Raw timings as a file: written, read back."""

import subprocess
import sys

import numpy as np

from profiler.store import timings
from profiler.wire.messages import Block


def test_what_is_written_comes_back(tmp_path):
    times = timings.Timings(latencies=np.array([5, 7], np.int64))
    block = Block(position=3, queries=2, wall_ns=12, cpu_ns=12)
    timings.write(tmp_path / "a.parquet", {"t": ([block], times)})
    found = timings.read(tmp_path, "a.parquet")
    assert list(found) == ["t"]
    assert found["t"].latencies.tolist() == [5, 7]
    assert found["t"].services is None


def test_a_round_of_which_every_trial_failed_has_no_timings(tmp_path):
    timings.write(tmp_path / "a.parquet", {})
    assert timings.read(tmp_path, "a.parquet") == {}


def test_reading_does_not_import_what_reads_whole_folders(tmp_path):
    """It is a quarter of a second of every first `table`."""
    timings.write(tmp_path / "a.parquet", {})
    code = (
        "import sys; from pathlib import Path; from profiler.store import timings as raw\n"
        "raw.read(Path(sys.argv[1]), 'a.parquet')\n"
        "assert 'pyarrow.parquet' in sys.modules\n"
        "assert 'pyarrow.dataset' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)
