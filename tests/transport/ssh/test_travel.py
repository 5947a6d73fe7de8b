"""What a person is told while bytes travel, over a real link of 200 kB/s; and Ctrl-C meanwhile."""

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from profiler.errors import TransientError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.ssh.transport import SshTransport
from profiler.transport.travel import Travel, amount, progress

ROOT = Path(__file__).resolve().parents[3]
Told = list[tuple[str, float, float]]
Ends = Callable[[str, float], None]


def test_what_is_told() -> None:
    told: Told = []
    clock = iter((0.0, 0.5, 35.0, 35.2, 40.0, 100.0))
    travel = Travel(lambda *said: told.append(said), "pi5", lambda: next(clock))
    travel.begin("sending m20.onnx", "to", 21_000_000, 1_000_000)
    for done in (1_100_000, 8_000_000, 8_040_000):
        travel.at(done)
    assert told == [("sending m20.onnx to pi5: 8 of 21 MB, 200 kB/s", pytest.approx(8 / 21),
                     pytest.approx(65.0))]  # fmt: skip
    travel.begin("fetching results", "from", 0)
    travel.at(0)
    assert len(told) == 1, "nothing to fetch"
    assert [amount(n) for n in (999, 1500, 43_210, 2.5e6, 1e9)] == [
        "1 kB", "1.5 kB", "43 kB", "2.5 MB", "1 GB"
    ]  # fmt: skip
    assert progress(1.25e6, 2.5e6) == "1.2 of 2.5 MB"


@pytest.fixture
def slow(sshd, tmp_path: Path) -> SshSpec:  # type: ignore[no-untyped-def]
    """The device behind a link of 200 kB/s in both directions."""
    config = (sshd.folder / "config").read_text()
    link = f"{sys.executable} {ROOT}/scripts/bad_link.py %h %p --mbit 1.6 --delay-ms 5"
    (tmp_path / "config").write_text(f"{config}ProxyCommand {link}\n")
    return replace(sshd.with_folder(tmp_path / "device"), config_file=str(tmp_path / "config"))


def blob(folder: Path, count: int) -> tuple[Path, str]:
    data = os.urandom(count)
    (folder / "m20.onnx").write_bytes(data)
    return folder / "m20.onnx", hashlib.sha256(data).hexdigest()


def test_what_arrived_is_told_there_and_back(slow: SshSpec, tmp_path: Path) -> None:
    told: Told = []
    transport = SshTransport(slow, travel=Travel(lambda *said: told.append(said), "pi5"))
    path, sha = blob(tmp_path, 800_000)
    transport.stage(path, sha, "m20/int8-static")
    assert told, "it takes four seconds"
    shares = [done for _, done, _ in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.6, "what lies in buffers has not arrived"
    assert all(text.startswith("sending m20/int8-static to pi5: ") for text, _, _ in told)
    assert " of 800 kB, " in told[0][0]
    told.clear()
    transport.fetch(f"{slow.folder}/blobs", sha, tmp_path / "back", 10**6)
    assert told
    assert told[-1][0].startswith("fetching results from pi5: ")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    transport.close()


def test_ctrl_c_while_a_file_is_sent(slow: SshSpec, tmp_path: Path, ends: Ends) -> None:
    pressed_s: list[float] = []

    def press(*_: Any) -> None:
        pressed_s.append(time.monotonic())
        raise KeyboardInterrupt

    transport = SshTransport(slow, travel=Travel(press))
    path, sha = blob(tmp_path, 8_000_000)
    with pytest.raises(KeyboardInterrupt):
        transport.stage(path, sha)
    transport.close()
    ends(str(slow.folder), pressed_s[0])


def test_a_stop_from_another_thread_while_a_file_is_sent(
    slow: SshSpec, tmp_path: Path, ends: Ends
) -> None:
    moving = threading.Event()
    transport = SshTransport(slow, travel=Travel(lambda *_: moving.set()))
    path, sha = blob(tmp_path, 8_000_000)
    ended: list[BaseException] = []

    def send() -> None:
        try:
            transport.stage(path, sha)
        except TransientError as error:
            ended.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert moving.wait(30)
    begun_s = time.monotonic()
    transport.stop()
    thread.join()
    transport.close()
    assert len(ended) == 1
    ends(str(slow.folder), begun_s)


def test_ctrl_c_while_a_login_shell_says_nothing(
    login: Callable[[str], SshSpec], tmp_path: Path, at_work: Callable[[str], list[str]]
) -> None:
    """The rc file of this one never ends."""
    spec = login(f"sleep 1000; true {tmp_path}")
    transport = SshTransport(spec)

    def probe() -> None:
        with pytest.raises(TransientError):
            transport.probe()

    thread = threading.Thread(target=probe)
    thread.start()
    while not at_work(f"true {tmp_path}"):
        time.sleep(0.02)
    begun_s = time.monotonic()
    transport.stop()
    thread.join()
    transport.close()
    assert time.monotonic() - begun_s < 3
