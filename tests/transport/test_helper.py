"""What the device does with files, when two hosts ask for the same at once."""

import errno
import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from profiler.transport import helper
from profiler.worker.service import presence, turn

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Path]:
    for name in ("blobs", "packages"):
        (tmp_path / name).mkdir()
    return tmp_path


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", helper.__file__, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def answers(said: bytes) -> list[dict[str, object]]:
    lines = [line.partition(helper.MARKER)[2] for line in said.decode().split("\n")]
    return [json.loads(line) for line in lines if line]


def waits_for_the_lock(process: subprocess.Popen[bytes]) -> bool:
    """The kernel's list of waiting locks names it; it came as far as that."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and f" {process.pid} " in line for line in lines)


def frames(data: bytes) -> bytes:
    raw, end = struct.Struct(">BI").pack(0, len(data)), struct.Struct(">BI").pack(helper.END, 0)
    return raw + data + end


@pytest.mark.parametrize("first", ["whole", "damaged"])
def test_the_slower_of_two_hosts_finds_what_the_faster_one_sent(device: Path, first: str) -> None:
    partial = device / "blobs" / f"{SHA}.part"
    with partial.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        slower = start("receive", str(device), SHA, str(len(DATA)))
        while not waits_for_the_lock(slower):
            assert slower.poll() is None
        if first == "whole":
            partial.write_bytes(DATA)
            partial.replace(device / "blobs" / SHA)
        else:
            partial.unlink()
    said, _ = slower.communicate(frames(DATA), timeout=30)
    assert slower.returncode == 0
    expected = [{"have": True}] if first == "whole" else [{"offset": 0}, {"done": True}]
    assert answers(said) == expected
    assert (device / "blobs" / SHA).read_bytes() == DATA
    assert [path.name for path in (device / "blobs").iterdir()] == [SHA]


def write_packages(device: Path) -> None:
    with zipfile.ZipFile(device / "blobs" / SHA, "w") as archive:
        for number in range(50):
            archive.writestr(f"package/m{number}.py", "x = 1\n" * 1000)


def test_two_hosts_unpack_one_archive(device: Path) -> None:
    write_packages(device)
    both = [start("unpack", str(device), SHA) for _ in range(4)]
    for one in both:
        assert one.stdout is not None
        assert answers(one.stdout.read())[-1] == {"done": True}
        one.communicate(timeout=30)
    assert len(list((device / "packages" / SHA / "package").iterdir())) == 50
    assert not list(device.rglob("*.part"))


def test_a_host_that_is_gone_has_nothing_unpacked(device: Path) -> None:
    write_packages(device)
    alone = start("unpack", str(device), SHA)
    said, _ = alone.communicate(timeout=30)  # closes its stdin, as the end of a connection does
    assert (answers(said), alone.returncode) == ([{"size": 50 * 6000}], 0)
    assert [path.name for path in (device / "packages").iterdir()] == ["lock"]


def test_a_disk_that_fills_up_on_the_way_keeps_no_part(
    device: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(helper, "take", full)
    helper.main("receive", str(device), SHA, str(len(DATA)))
    said = answers(capsys.readouterr().out.encode())
    assert said[-1] == {"error": os.strerror(errno.EDQUOT), "errno": errno.EDQUOT}
    assert list((device / "blobs").iterdir()) == []


def test_worker_and_helper_call_things_the_same() -> None:
    assert (helper.IN_USE, helper.CARD) == (presence.LOCK, presence.CARD)
    assert turn.Turn(Path(), print).path.name == helper.MEASURING
