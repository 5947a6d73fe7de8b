"""How much memory a worker may take, from recorded control groups."""

from pathlib import Path

import pytest

from profiler.worker.instruments.control_group import Memory, memory
from profiler.worker.instruments.facts import virtualised, within

GB = 2**30
V2 = {
    "proc/self/cgroup": "0::/user.slice/run.scope\n",
    "sys/fs/cgroup/user.slice/memory.max": f"{2 * GB}\n",
    "sys/fs/cgroup/user.slice/memory.current": f"{GB}\n",
    "sys/fs/cgroup/user.slice/memory.stat": f"anon 5\ninactive_file {GB // 2}\n",
    "sys/fs/cgroup/user.slice/run.scope/memory.max": "max\n",
}
V1 = {
    "proc/self/cgroup": "5:cpu,memory:/docker/abc\n1:cpu:/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{3 * GB}\n",  # the container's own, as mounted
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GB}\n",
    "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1024\n",
}
UNLIMITED = {
    "proc/self/cgroup": "4:memory:/\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (V2, Memory(2 * GB, GB // 2)), (V1, Memory(3 * GB, GB - 1024)), 
        (UNLIMITED, None), ({}, None),
        ({**V2, "sys/fs/cgroup/user.slice/run.scope/memory.max": "1000\n"}, Memory(1000, 0)),
    ],
)  # fmt: skip
def test_the_tightest_limit_counts(
    tmp_path: Path, files: dict[str, str], expected: Memory | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory(tmp_path) == expected


def test_what_the_worker_may_take_of_the_machines_memory() -> None:
    machine = {"memory_bytes": 8 * GB, "memory_available_bytes": 4 * GB}
    assert within(machine, None) == machine
    assert within(machine, Memory(2 * GB, GB)) == {
        "memory_bytes": 2 * GB, "memory_available_bytes": GB
    }  # fmt: skip
    assert within(machine, Memory(16 * GB, GB)) == machine
    unknown = {"memory_bytes": None, "memory_available_bytes": None}
    assert within(unknown, Memory(GB, GB)) == {"memory_bytes": GB, "memory_available_bytes": 0}


def test_whether_it_is_virtual_is_known_on_x86_only() -> None:
    assert virtualised(["fpu", "hypervisor"]) is True
    assert virtualised(["fpu", "avx2"]) is False
    assert virtualised(["fp", "asimd"]) is None
    assert virtualised([]) is None
