"""What a connection starts on this side ends with it, and so does what that started."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from profiler.errors import TransientError
from profiler.transport.children import Children, kill_group

STARTS_ANOTHER = """
import pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "1000"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(1000)
"""


def alive(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def read_when_there(path: Path) -> str:
    deadline_s = time.monotonic() + 30
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return path.read_text().strip()


def gone(pid: str) -> bool:
    deadline_s = time.monotonic() + 10
    while alive(pid):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True


def test_what_runs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    children, note = Children(), tmp_path / "pid"
    grandchild = []

    def stop() -> None:
        grandchild.append(read_when_there(note))
        children.end()

    threading.Thread(target=stop).start()
    with pytest.raises(TransientError, match="stopped"):
        children.run([sys.executable, "-c", STARTS_ANOTHER, str(note)], 60)
    assert gone(grandchild[0])
    with pytest.raises(TransientError):
        children.run(["true"], 60)


def test_a_timeout_ends_it_too(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        Children().run([sys.executable, "-c", STARTS_ANOTHER, str(note)], 2)
    assert not note.exists() or gone(note.read_text())


def test_words_and_status_come_back() -> None:
    both = Children().run(["sh", "-c", "echo out; echo err >&2; exit 3"], 60)
    assert (both.returncode, sorted(both.stdout.split())) == (3, ["err", "out"])
    plain = Children().run(["sh", "-c", "echo $A; echo err >&2"], 60, words=False,
                           environment={"A": "a"})  # fmt: skip
    assert plain.stdout == "a\n"


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_group_that_has_ended_is_no_error(
    error: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS calls it "not permitted" while the end was not collected yet."""

    def refuse(group: int, number: int) -> None:
        raise error

    monkeypatch.setattr("os.killpg", refuse)
    kill_group(1)
